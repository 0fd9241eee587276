// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// DoctorOptions say how Doctor goes about it.
type DoctorOptions struct {
	Fix bool // set the callback at Meta where it is another
}

// examineFor bounds each thing that is looked at.
const examineFor = 15 * time.Second

// Doctor looks at the installation and at Meta's side of it, and prints to out a line for each thing:
// ✓ well, ! worth a look, ✗ broken, the latter two with what to do. The error tells how many are broken.
func Doctor(ctx context.Context, s Settings, o DoctorOptions, out io.Writer, log *slog.Logger) error {
	e := &examination{Settings: s, options: o, out: out, log: log, lang: terminalLanguage(os.Getenv),
		web:   &http.Client{Timeout: examineFor, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		graph: whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: s.GraphURL, Version: s.GraphVersion})}
	defer e.web.CloseIdleConnections()
	defer e.graph.CloseIdle()
	e.all(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e.broken > 0 {
		return errors.New(e.lang.N("doctor.broken", e.broken))
	}
	say(out, "%s", e.lang.T("doctor.well"))
	return nil
}

// examination is one run of Doctor.
type examination struct {
	Settings
	options DoctorOptions
	out     io.Writer
	log     *slog.Logger
	lang    locale.Language
	web     *http.Client
	graph   *whatsapp.Client
	broken  int
}

func (e *examination) well(key locale.Key, args ...any) { e.line("✓", key, args...) }
func (e *examination) warn(key locale.Key, args ...any) { e.line("!", key, args...) }

func (e *examination) fail(key locale.Key, args ...any) {
	e.broken++
	e.line("✗", key, args...)
}

func (e *examination) line(mark string, key locale.Key, args ...any) {
	say(e.out, "%s %s", mark, e.lang.T(key, args...))
}

func (e *examination) all(ctx context.Context) {
	e.publicAddress()
	e.folder()
	e.tools()
	key := e.keyFile()
	d := e.database(ctx)
	if d != nil {
		defer func() { _ = d.Close() }() // everything is written by now
	}
	reachable := e.meta(ctx)
	if key == nil || d == nil {
		return
	}
	directory, err := municipality.NewDirectory(ctx, d, key)
	if err != nil {
		e.fail("doctor.secrets_closed", "error", err)
		return
	}
	if len(directory.All()) == 0 {
		e.warn("doctor.no_municipality")
		return
	}
	e.well("doctor.secrets", "n", len(directory.All()))
	for _, m := range directory.All() {
		if ctx.Err() != nil {
			return
		}
		e.municipality(ctx, d, directory, m, reachable)
	}
}

// publicAddress holds the address that people and Meta are to use against what Meta accepts.
func (e *examination) publicAddress() {
	u, err := url.Parse(e.Public())
	switch {
	case err != nil || u.Host == "" || u.Path != "":
		e.fail("doctor.public_malformed", "url", e.Public())
	case u.Scheme == "https":
		e.well("doctor.public", "url", e.Public())
	case loopback(u.Hostname()):
		e.warn("doctor.public_local", "url", e.Public())
	default:
		e.fail("doctor.public_insecure", "url", e.Public())
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

const (
	littleSpace = 2 << 30   // bytes
	noSpace     = 200 << 20 // bytes
)

// folder looks whether the data folder, and the one of SQLite's files, can be written and for how long.
func (e *examination) folder() {
	if err := e.prepare(); err != nil {
		e.fail("doctor.folder_unwritable", "folder", e.Data, "error", err)
		return
	}
	folders := []string{e.Data}
	if file, ok := strings.CutPrefix(e.Database, "sqlite:"); ok && filepath.Dir(file) != filepath.Clean(e.Data) {
		folders = append(folders, filepath.Dir(file))
	}
	for _, folder := range folders {
		free, err := writable(folder)
		switch size := e.lang.Size(free); {
		case err != nil:
			e.fail("doctor.folder_unwritable", "folder", folder, "error", err)
		case free < noSpace:
			e.fail("doctor.folder_full", "folder", folder, "free", size)
		case free < littleSpace:
			e.warn("doctor.folder_little", "folder", folder, "free", size)
		default:
			e.well("doctor.folder", "folder", folder, "free", size)
		}
	}
}

// writable writes something into folder, and tells how many bytes more an ordinary user may.
func writable(folder string) (free int64, err error) {
	f, err := os.CreateTemp(folder, ".doctor-")
	if err != nil {
		return 0, err
	}
	_, err = f.WriteString("ok")
	if err := errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name())); err != nil {
		return 0, err
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return 0, err
	}
	return int64(stat.Bavail) * stat.Bsize, nil
}

// tools tells which of the programs are there that files are shown better with. All works without them.
func (e *examination) tools() {
	found := media.FindTools()
	if found.FFmpeg != "" {
		e.well("doctor.ffmpeg")
	} else {
		e.warn("doctor.ffmpeg_missing")
	}
	if found.PDFToPPM != "" {
		e.well("doctor.pdftoppm")
	} else {
		e.warn("doctor.pdftoppm_missing")
	}
	if found.Prlimit == "" && found != (media.Tools{}) {
		e.warn("doctor.prlimit_missing")
	}
}

func (e *examination) keyFile() *secret.Key {
	key, err := secret.Load(e.KeyFile())
	if err != nil {
		e.fail("doctor.key_unusable", "error", err)
		return nil
	}
	e.well("doctor.key", "file", e.KeyFile())
	return key
}

// database opens it, which migrates it, and writes to it. It is nil when that failed.
func (e *examination) database(ctx context.Context) *db.DB {
	bounded, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	d, err := db.Open(bounded, db.Options{DSN: e.Database, Log: e.log})
	if err != nil {
		e.fail("doctor.database_unusable", "error", err)
		return nil
	}
	if _, err = d.Lease(bounded, "doctor", time.Second); err == nil {
		err = d.Unlease(bounded, "doctor")
	}
	schema, schemaErr := d.Schema()
	if err := errors.Join(err, schemaErr); err != nil {
		e.fail("doctor.database_unusable", "error", err)
		return d
	}
	e.well("doctor.database", "engine", d.Engine)
	e.well("doctor.migrations", "n", len(schema))
	e.road(bounded, d)
	return d
}

// longWait is how long nothing waits where a desk runs.
const longWait = time.Minute

// road looks for what came in, or is to go out, and stays where it is.
func (e *examination) road(ctx context.Context, d *db.DB) {
	in, err := journal.New(d, e.log).Lag(ctx)
	var out time.Duration
	if err == nil {
		err = d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, out, err = conversation.Waiting(ctx, tx)
			return err
		})
	}
	switch {
	case err != nil:
		e.fail("doctor.database_unusable", "error", err)
	case max(in, out) > longWait:
		e.warn("doctor.waiting", "in", e.lang.Duration(in), "out", e.lang.Duration(out))
	default:
		e.well("doctor.flowing")
	}
}

const (
	smallSkew = 30 * time.Second
	largeSkew = 5 * time.Minute
)

// meta asks the Graph API for anything: whatever it answers, it answers with its time.
func (e *examination) meta(ctx context.Context) (reachable bool) {
	before := time.Now()
	date, err := e.serverTime(ctx)
	took := time.Since(before)
	if err != nil {
		e.fail("doctor.graph_unreachable", "url", e.GraphURL, "error", err)
		return false
	}
	e.well("doctor.graph", "url", e.GraphURL, "ms", took.Milliseconds())
	if date.IsZero() {
		e.warn("doctor.clock_unknown")
		return true
	}
	// The header tells whole seconds, of some moment while the request was under way.
	skew := before.Add(took / 2).Sub(date.Add(time.Second / 2))
	switch seconds := fmt.Sprintf("%+.0f", skew.Seconds()); {
	case skew.Abs() > largeSkew:
		e.fail("doctor.clock_wrong", "seconds", seconds)
	case skew.Abs() > smallSkew:
		e.warn("doctor.clock_off", "seconds", seconds)
	default:
		e.well("doctor.clock")
	}
	return true
}

func (e *examination) serverTime(ctx context.Context) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(e.GraphURL, "/")+"/"+e.GraphVersion+"/", nil)
	if err != nil {
		return time.Time{}, err
	}
	res, err := e.web.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = res.Body.Close() }()
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil
	}
	return date, nil
}
