// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
)

const (
	webhookPath = "/webhooks/whatsapp/" + slug
	desk        = "/desk/" + slug
	password    = "una frase lunga da ricordare"
)

// municipalityFile is the municipality with so many numbers.
func municipalityFile(numbers int) string {
	var all strings.Builder
	for i := range numbers {
		fmt.Fprintf(&all, `
  - id: n%d
    display_number: "+39 0541 1234%02d"
    phone_number_id: "%s"
    waba_id: "`+wabaID+`"
    access_token: "token"
    app_secret: "`+appSecret+`"
    verify_token: "verify"`, i, i, numberID(i))
	}
	return `
slug: ` + slug + `
name: Comune di Prova
locale: it
whatsapp:` + all.String() + `
access: open
automation: none
offices:
  - {id: urp, name: URP}
calendars:
  whatsapp:
    weekly:
      - {days: [mon, tue, wed, thu, fri], open: "09:00", close: "13:00"}
policy: {version: "1", text: "Informativa di prova."}
lists:
  - {keyword: ` + list + `, name: Avvisi, kind: notice}
  - {keyword: ` + emergencies + `, name: Emergenze, kind: emergency}
  - {keyword: ` + events + `, name: Eventi, kind: notice}
districts:
  - {keyword: ` + district + `, name: Centro}
`
}

// installation is the program as a municipality runs it, serve in a process of its own, beside a
// pretended Graph; and this program's own door to its database, for filling and for looking.
type installation struct {
	engine  string
	binary  string
	dir     string
	numbers int
	address string // of the database
	listen  string
	graph   *graph
	token   string
	drop    func() error // of the database

	d            *db.DB
	journal      *journal.Journal
	municipality int64

	process *exec.Cmd
	log     *os.File
}

// install makes an installation that has a municipality, a token and two operators, and is not started.
func install(ctx context.Context, binary, engine string, c *cluster, numbers int) (in *installation, err error) {
	in, err = prepareInstallation(binary, engine, numbers)
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make an installation on %s: %w", engine, err), in.close())
		}
	}()
	if err != nil {
		return in, err
	}
	if in.dir, err = os.MkdirTemp("", "filodiretto-bench-"); err != nil {
		return in, err
	}
	in.address = "sqlite:" + filepath.Join(in.dir, "filodiretto.db")
	if engine == "postgresql" {
		if in.address, in.drop, err = c.create(ctx); err != nil {
			return in, err
		}
	}
	if err := in.setUp(ctx); err != nil {
		return in, err
	}
	return in, in.openDoor(ctx)
}

// prepareInstallation is one without a folder and a database.
func prepareInstallation(binary, engine string, numbers int) (in *installation, err error) {
	in = &installation{engine: engine, binary: binary, numbers: numbers, drop: func() error { return nil }}
	if in.graph, err = newGraph(); err != nil {
		return in, err
	}
	if in.listen, err = freeAddress(); err != nil {
		return in, err
	}
	in.log, err = os.CreateTemp("", "filodiretto-bench-*.log")
	return in, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (in *installation) setUp(ctx context.Context) error {
	file := filepath.Join(in.dir, slug+".yaml")
	if err := os.WriteFile(file, []byte(municipalityFile(in.numbers)), 0o600); err != nil {
		return err
	}
	if _, err := in.command(ctx, "", "apply", file); err != nil {
		return err
	}
	printed, err := in.command(ctx, "", "token", "create", "--municipality", slug, "--name", "bench")
	if err != nil {
		return err
	}
	words := strings.Fields(printed)
	in.token = words[len(words)-1]
	for _, name := range append(slices.Clone(operators), administrator) {
		role := "operator"
		if name == administrator {
			role = "administrator"
		}
		if _, err := in.command(ctx, password+"\n", "staff", "add", "--municipality", slug, "--email", email(name), "--name", name, "--role", role); err != nil {
			return err
		}
	}
	return nil
}

var operators = []string{"Anna", "Luca"}

const administrator = "Rita" // may see every page

func email(name string) string { return strings.ToLower(name) + "@prova.example" }

func (in *installation) openDoor(ctx context.Context) (err error) {
	if in.d, err = db.Open(ctx, db.Options{DSN: in.address}); err != nil {
		return err
	}
	in.journal = journal.New(in.d, slog.New(slog.DiscardHandler))
	in.municipality, err = in.count(ctx, `SELECT municipality_id FROM municipality WHERE slug = $1`, slug)
	return err
}

// count asks for one number.
func (in *installation) count(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = in.d.View(ctx, func(ctx context.Context, tx *db.Tx) error { return tx.QueryRowContext(ctx, query, args...).Scan(&n) })
	return n, err
}

func (in *installation) cmd(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, in.binary, args...)
	c.Env = append(os.Environ(), "FILODIRETTO_DATABASE="+in.address, "FILODIRETTO_DATA="+in.dir, "FILODIRETTO_LISTEN="+in.listen,
		"FILODIRETTO_GRAPH_URL="+in.graph.url, "FILODIRETTO_LOG_LEVEL=warn")
	return c
}

// command runs one of the program's commands and returns what it printed.
func (in *installation) command(ctx context.Context, input string, args ...string) (string, error) {
	var out, problems bytes.Buffer
	c := in.cmd(ctx, args...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &out, &problems
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("filodiretto %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}

// start starts serve and returns how long it took until it was ready.
func (in *installation) start(ctx context.Context) (time.Duration, error) {
	in.process = in.cmd(context.WithoutCancel(ctx), "serve")
	in.process.Stdout, in.process.Stderr = in.log, in.log
	in.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	if err := in.process.Start(); err != nil {
		return 0, err
	}
	for time.Since(start) < 30*time.Second {
		if res, err := http.Get(in.url("/readyz")); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return time.Since(start), nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return 0, errors.Join(errors.New("serve did not become ready"), in.kill())
}

// stop ends serve as a service manager does.
func (in *installation) stop() error {
	if in.process == nil {
		return nil
	}
	p := in.process
	in.process = nil
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := p.Wait(); err != nil {
		return fmt.Errorf("serve did not end well: %w", err)
	}
	return nil
}

func (in *installation) kill() error {
	if in.process == nil {
		return nil
	}
	p := in.process
	in.process = nil
	_ = p.Process.Kill()
	_ = p.Wait()
	return nil
}

// close ends and removes all of it.
func (in *installation) close() error {
	return errors.Join(in.leave(), in.drop(), os.RemoveAll(in.dir))
}

// leave ends it, and leaves its folder and its database.
func (in *installation) leave() error {
	errs := []error{in.kill()}
	if in.d != nil {
		errs = append(errs, in.d.Close())
	}
	if in.graph != nil {
		in.graph.close()
	}
	if in.log != nil {
		errs = append(errs, in.log.Close(), os.Remove(in.log.Name()))
	}
	return errors.Join(errs...)
}

func (in *installation) url(path string) string { return "http://" + in.listen + path }

func (in *installation) webhook() target { return target{host: in.listen, path: webhookPath} }

// memory is a line of serve's own /proc status, such as VmRSS, in bytes.
func (in *installation) memory(line string) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", in.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	for text := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(text, line+":"); ok {
			kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("/proc has no line %s", line)
}

// processorTime is what serve has used of the cores so far.
func (in *installation) processorTime() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", in.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	const hertz = 100 // of the clock in /proc, on every Linux that Go runs on
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / hertz, nil
}

// waiting reports whether any journal entry waits.
func (in *installation) waiting(ctx context.Context) (waits bool, err error) {
	err = in.d.ViewJournal(ctx, func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM journal_waiting)`).Scan(&waits)
	})
	return waits, err
}

// drained waits until every journal entry has become conversation.
func (in *installation) drained(ctx context.Context) error {
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if waits, err := in.waiting(ctx); err != nil || !waits {
			return err
		}
	}
	return errors.New("the journal was not worked off within five minutes")
}

// signIn returns a browser that is signed in at the desk.
func (in *installation) signIn(ctx context.Context, name string) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	form := url.Values{"email": {email(name)}, "password": {password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.url(desk+"/sign-in"), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := browser.Do(req)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	if !strings.HasSuffix(res.Request.URL.Path, "/inbox") {
		return nil, fmt.Errorf("signing in ended at %s with %s", res.Request.URL.Path, res.Status)
	}
	return browser, nil
}

// complaints is the end of what serve logged.
func (in *installation) complaints() error {
	raw, err := os.ReadFile(in.log.Name())
	if err != nil || len(raw) == 0 {
		return err
	}
	return fmt.Errorf("serve said:\n%s", raw[max(0, len(raw)-2000):])
}
