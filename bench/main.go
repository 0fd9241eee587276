// SPDX-License-Identifier: AGPL-3.0-or-later

// Command bench measures Filodiretto on the machine it runs on and prints each figure beside its target.
//
//	go run ./bench                          everything, on both databases; make bench does this
//	go run ./bench -quick                   the same in less than five minutes, with wider spread
//	go run ./bench -full -rows pages        the pages at 1,000,000 messages
//	go run ./bench -engine sqlite -rows intake,road
//	go run ./bench -engine sqlite -soak 1h  an hour at a tenth of Meta's most; samples and a chart in -out
//	go run ./bench -chart soak-sqlite.csv   the chart of such samples again
//
// The program measured is built from this checkout and runs as a process of its own; the generator and
// the pretended Graph share the two cores with it. Where a limit exists, it is measured in the same run,
// in turns with what it limits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// limitArgument makes this program the limit of the intake.
const limitArgument = "serve-limit"

// sendArgument makes this program the limit of the broadcasts.
const sendArgument = "send-limit"

// options say how much is measured.
type options struct {
	quick, full, markdown      bool
	engine, rows, only, binary string
	soak                       time.Duration
	out, chart, keep           string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == limitArgument {
		fail(serveLimit())
		return
	}
	if len(os.Args) > 1 && os.Args[1] == sendArgument {
		fail(sendLimit(os.Args[2:]))
		return
	}
	var o options
	flag.BoolVar(&o.quick, "quick", false, "measure less, in less than five minutes")
	flag.BoolVar(&o.full, "full", false, "measure the pages at 1,000,000 messages and 100,000 citizens")
	flag.BoolVar(&o.markdown, "markdown", false, "print the table as docs/performance.md has it")
	flag.StringVar(&o.engine, "engine", "both", "sqlite, postgresql or both")
	flag.StringVar(&o.rows, "rows", "", "only these, separated by commas: "+strings.Join(rowNames(), ", "))
	flag.StringVar(&o.only, "only", "", "of the pages only those whose name holds this")
	flag.StringVar(&o.keep, "keep", "", "keep the filled installations of the pages in this folder, and use those that are there")
	flag.StringVar(&o.binary, "binary", "", "measure this build of the program instead of building one")
	flag.DurationVar(&o.soak, "soak", 0, "serve a tenth of Meta's most for so long, and sample it")
	flag.StringVar(&o.out, "out", ".", "the folder for the samples and the chart of -soak")
	flag.StringVar(&o.chart, "chart", "", "draw the chart of these samples beside them, and measure nothing")
	flag.Parse()
	if o.chart != "" {
		fail(drawSoak(o.chart))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := measure(ctx, o)
	if len(results) > 0 {
		write := printPlain
		if o.markdown {
			write = printMarkdown
		}
		err = errors.Join(err, write(os.Stdout, results))
	}
	fail(err)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// row is one group of figures.
type row struct {
	name    string
	measure func(ctx context.Context, b bench) ([]result, error)
}

// rows are all there is to measure, in the order of the table.
var rows = []row{
	{"intake", measureIntake},
	{"road", measureRoad},
	{"reply", measureReply},
	{"prepare", measurePrepare},
	{"broadcast", measureBroadcast},
	{"instances", measureInstances},
	{"pages", measurePages},
	{"program", measureProgram},
}

func rowNames() []string {
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	return names
}

// bench is what a row measures with.
type bench struct {
	options
	engine  string
	cluster *cluster
}

// long is how long to measure: quick when that was asked for.
func (b bench) long(usual, quick time.Duration) time.Duration {
	if b.quick {
		return quick
	}
	return usual
}

// many is how much of something to measure.
func (b bench) many(usual, quick int) int {
	if b.quick {
		return quick
	}
	return usual
}

func measure(ctx context.Context, o options) (results []result, err error) {
	chosen, engines, err := o.chosen()
	if err != nil {
		return nil, err
	}
	if o.binary == "" {
		binary, remove, err := build(ctx)
		if err != nil {
			return nil, err
		}
		defer remove()
		o.binary = binary
	}
	b := bench{options: o}
	if slices.Contains(engines, "postgresql") {
		if b.cluster, err = startCluster(); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.cluster.close()) }()
	}
	if o.soak > 0 {
		for _, b.engine = range engines {
			if err := b.soakFor(ctx, o.soak); err != nil {
				return nil, fmt.Errorf("soak %s: %w", b.engine, err)
			}
		}
		return nil, nil
	}
	for _, r := range chosen {
		for _, b.engine = range engines {
			start := time.Now()
			found, err := r.measure(ctx, b)
			results = append(results, found...)
			if err != nil {
				return results, fmt.Errorf("measure %s on %s: %w", r.name, b.engine, err)
			}
			b.say("%s on %s: %.0f s", r.name, b.engine, time.Since(start).Seconds())
		}
	}
	return results, nil
}

// say tells whoever waits how far it is.
func (b bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (o options) chosen() ([]row, []string, error) {
	engines := []string{"sqlite", "postgresql"}
	if o.engine != "both" {
		if !slices.Contains(engines, o.engine) {
			return nil, nil, fmt.Errorf("-engine %s: it is sqlite, postgresql or both", o.engine)
		}
		engines = []string{o.engine}
	}
	if o.rows == "" {
		return rows, engines, nil
	}
	var chosen []row
	for name := range strings.SplitSeq(o.rows, ",") {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
		if i < 0 {
			return nil, nil, fmt.Errorf("-rows %s: there are %s", name, strings.Join(rowNames(), ", "))
		}
		chosen = append(chosen, rows[i])
	}
	return chosen, engines, nil
}

// build builds the program as make build does.
func build(ctx context.Context) (binary string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "filodiretto-bench-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	binary = filepath.Join(dir, "filodiretto")
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "./cmd/filodiretto").CombinedOutput()
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return binary, remove, nil
}

// with runs f on a fresh installation whose serve runs, and removes it.
func (b bench) with(ctx context.Context, f func(in *installation) error) error {
	return b.withNumbers(ctx, 1, f)
}

// withNumbers is with for a municipality of several numbers.
func (b bench) withNumbers(ctx context.Context, numbers int, f func(in *installation) error) error {
	in, err := install(ctx, b.binary, b.engine, b.cluster, numbers)
	if err != nil {
		return err
	}
	if _, err = in.start(ctx); err == nil {
		err = f(in)
	}
	if err == nil {
		err = in.stop()
	}
	if err != nil {
		err = errors.Join(err, in.complaints())
	}
	return errors.Join(err, in.close())
}
