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
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/demo"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/simulator"
)

// DemoOptions are those of the demo.
type DemoOptions struct {
	Reset bool // begin anew: what an earlier demo left in the folder is removed
}

// Demo runs the desk with five municipalities and invented people, and the simulator in place of Meta,
// until ctx ends. It needs nothing and uses nothing that belongs to a real installation: database, key and
// Graph are its own, in s.Data, which is data/demo where it was left alone. The simulator listens on the port after
// that of s.Listen. A second start goes on where the first ended.
func Demo(ctx context.Context, s Settings, o DemoOptions, out io.Writer, log *slog.Logger) (err error) {
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s (set FILODIRETTO_LISTEN to another address): %w", s.Listen, err)
	}
	r := &rehearsal{out: out, log: log, listener: listener}
	if r.Settings, r.phones, err = demoSettings(s, listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	unlock, err := lockServe(r.Settings)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer unlock()
	if err := r.prepare(ctx, o.Reset); err != nil {
		return errors.Join(err, listener.Close(), r.close())
	}
	return errors.Join(r.run(ctx), r.close())
}

// demoSettings turns settings into those of the demo, which listens at desk, and finds the simulator's address.
func demoSettings(s Settings, desk net.Addr) (_ Settings, phones string, err error) {
	host, port, err := net.SplitHostPort(desk.String())
	if err != nil {
		return s, "", err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return s, "", err
	}
	phones = net.JoinHostPort(host, strconv.Itoa(n+1))
	if s.Data == "data" {
		s.Data = filepath.Join("data", "demo")
	}
	s.Listen = desk.String()
	if s.PublicURL == "" {
		s.PublicURL = reachable(s.Listen) // so that the phones get links to their page
	}
	s.Database = "sqlite:" + filepath.Join(s.Data, "filodiretto.db")
	s.SecretKeyFile = ""
	s.GraphURL = reachable(phones)
	return s, phones, nil
}

// rehearsal is a running demo.
type rehearsal struct {
	Settings
	out      io.Writer
	log      *slog.Logger
	listener net.Listener
	phones   string // address the simulator listens on
	folder   demoFolder
	clock    demo.Clock

	past  *ground     // runs by clock; nil when nothing is to be told
	story *demo.Story // what is to be told; nil when all is
}

// prepare makes the folder ready, and tells the past if there is none.
func (r *rehearsal) prepare(ctx context.Context, reset bool) error {
	r.folder = demoFolder(r.Data)
	told, err := r.folder.begin(reset)
	if err != nil || told {
		return err
	}
	say(r.out, "%s", r.text("demo.preparing"))
	return r.tellPast(ctx)
}

func (r *rehearsal) text(key locale.Key) string { return terminalLanguage(os.Getenv).T(key) }

// tellPast applies the municipalities' files and tells what happened until yesterday.
func (r *rehearsal) tellPast(ctx context.Context) error {
	now := time.Now()
	key, err := secret.Load(r.KeyFile())
	if err != nil {
		return fmt.Errorf("make the key: %w", err)
	}
	d, err := db.Open(ctx, db.Options{DSN: r.Database, Now: r.clock.Now, Log: r.log.With("part", "database")})
	if err != nil {
		return err
	}
	r.past = &ground{Settings: r.Settings, d: d, key: key, log: r.log}
	store, err := media.NewStore(r.mediaFolder())
	if err != nil {
		return err
	}
	if err := r.applyTowns(ctx); err != nil {
		return err
	}
	directory, err := municipality.NewDirectory(ctx, d, key)
	if err != nil {
		return err
	}
	if r.story, err = demo.NewStory(ctx, demo.StoryOptions{DB: d, Clock: &r.clock, Store: store, Directory: directory, Now: now,
		Dialogue: dialogue.New(broadcast.NewKeywords(key, r.Public()))}); err != nil {
		return err
	}
	return r.story.Past(ctx)
}

func (r *rehearsal) applyTowns(ctx context.Context) error {
	var files []*municipality.File
	for _, t := range demo.Towns() {
		f, err := t.File()
		if err != nil {
			return fmt.Errorf("read the file of %s: %w", t.Name, err)
		}
		files = append(files, f)
	}
	_, err := r.past.apply(ctx, files)
	return err
}

// run runs the simulator and the desk. In the end the desk stops first, so that it can finish what it sends.
func (r *rehearsal) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	options, err := r.simulatorOptions()
	if err != nil {
		return errors.Join(err, r.listener.Close())
	}
	pretence, err := simulator.New(options)
	if err != nil {
		return errors.Join(err, r.listener.Close())
	}
	offstage, stopSimulator := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSimulator()
	ended := make(chan error, 1)
	go func() {
		err := pretence.Run(offstage)
		if err != nil {
			stop(fmt.Errorf("the simulator: %w", err))
		}
		ended <- err
	}()
	err = r.serve(ctx, stop)
	stopSimulator()
	<-ended // what it says is the cause already
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// serve runs the desk and, once it listens, tells today.
func (r *rehearsal) serve(ctx context.Context, stop context.CancelCauseFunc) error {
	g, err := open(ctx, r.Settings, r.log)
	if err != nil {
		return errors.Join(err, r.listener.Close())
	}
	defer g.close()
	desk, err := newDesk(ctx, g)
	if err != nil {
		return errors.Join(err, r.listener.Close())
	}
	welcomed := make(chan struct{})
	err = desk.run(ctx, r.listener, func(net.Addr) {
		go func() {
			defer close(welcomed)
			if err := r.tellToday(ctx, g.d); err != nil {
				stop(err)
			}
		}()
	})
	stop(nil)
	<-welcomed
	return err
}

// simulatorOptions give every town its account.
func (r *rehearsal) simulatorOptions() (simulator.Options, error) {
	approved, err := demo.Approved()
	if err != nil {
		return simulator.Options{}, err
	}
	o := simulator.Options{Listen: r.phones, URL: reachable(r.phones), Data: filepath.Join(r.Data, "simulator"), Log: r.log.With("part", "simulator"), Now: r.clock.Now, URLLife: 24 * time.Hour}
	for _, t := range demo.Towns() {
		a := t.Account()
		account := simulator.Account{Limit: "TIER_10K", WABA: a.WABA, PhoneNumberID: a.PhoneNumberID, DisplayNumber: a.DisplayNumber, VerifiedName: "Comune di " + t.Name,
			Token: a.Token, AppSecret: a.AppSecret, VerifyToken: a.VerifyToken}
		for _, one := range approved {
			account.Templates = append(account.Templates, simulator.Template{Name: one.Name, Language: one.Language, Category: one.Category,
				ParameterFormat: one.ParameterFormat, Components: one.Components, TTL: one.TTL})
		}
		o.Accounts = append(o.Accounts, account)
	}
	return o, nil
}

// tellToday connects the simulator with the desk, lets the morning happen if it has not, and says who may sign in.
func (r *rehearsal) tellToday(ctx context.Context, d *db.DB) error {
	if err := r.awaitSimulator(ctx); err != nil {
		return err
	}
	for _, t := range demo.Towns() {
		if err := t.Connect(ctx, r.GraphURL, reachable(r.Listen)+"/webhooks/whatsapp/"+t.Slug); err != nil {
			return err
		}
	}
	if r.story != nil {
		if err := r.story.Today(ctx, r.GraphURL, d.Publish); err != nil {
			return fmt.Errorf("tell today: %w", err)
		}
		if err := r.folder.finish(); err != nil {
			return err
		}
	}
	r.welcome()
	return nil
}

func (r *rehearsal) awaitSimulator(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.GraphURL+"/simulator/clock", nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			return response.Body.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// welcome says where everything is and who may sign in.
func (r *rehearsal) welcome() {
	language := terminalLanguage(os.Getenv)
	desk := func(slug string) string { return reachable(r.Listen) + "/desk/" + slug }
	say(r.out, "\n%s\n", language.T("demo.title"))
	table := tabwriter.NewWriter(r.out, 0, 0, 3, ' ', 0)
	row := func(l demo.Login) {
		say(table, "  %s\t%s\t%s\t%s", l.Email, demo.Password, language.T(locale.Key("role."+string(l.Role))), l.Name)
	}
	for _, t := range demo.Towns() {
		say(table, "Comune di %s\t%s", t.Name, desk(t.Slug))
		for _, l := range t.Staff() {
			row(l)
		}
	}
	say(table, "%s", language.T("demo.everywhere"))
	row(demo.Everywhere)
	_ = table.Flush() // that a terminal went away is no failure
	say(r.out, "\n%s: %s/\n\n%s\n%s", language.T("demo.phones"), reachable(r.phones), language.T("demo.warning"), language.T("demo.stop"))
}

func (r *rehearsal) close() error {
	if r.past == nil {
		return nil
	}
	return r.past.d.Close()
}
