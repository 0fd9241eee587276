// SPDX-License-Identifier: AGPL-3.0-or-later

// Package app wires Filodiretto together: it opens, registers, starts and stops, top to bottom.
package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/riverqueue/river"

	"github.com/filodiretto/filodiretto/internal/api"
	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/inbound"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/outbound"
	"github.com/filodiretto/filodiretto/internal/retention"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Serve runs the desk until ctx ends, and then finishes what is in flight. ready, if not nil, is called
// with the address once it listens.
func Serve(ctx context.Context, s Settings, log *slog.Logger, ready func(addr net.Addr)) error {
	unlock, err := lockServe(s)
	if err != nil {
		return err
	}
	defer unlock()
	g, err := open(ctx, s, log)
	if err != nil {
		return err
	}
	defer g.close()
	desk, err := newDesk(ctx, g)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.Listen, err)
	}
	return desk.run(ctx, listener, ready)
}

// lockServe keeps a second serve off the same SQLite file; other commands run beside it.
func lockServe(s Settings) (unlock func(), err error) {
	file, isSQLite := strings.CutPrefix(s.Database, "sqlite:")
	if !isSQLite {
		return func() {}, nil
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file+".serve.lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of %s: %w", file, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another serve runs on %s already: stop it first, or use PostgreSQL for several", file), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing gives the lock back
}

// desk is everything that runs.
type desk struct {
	*ground
	directory *municipality.Directory
	journal   *journal.Journal
	processor *inbound.Processor
	sender    *outbound.Sender
	conductor *broadcast.Conductor
	workers   *river.Client[*sql.Tx]
	pages     *web.Server
	metrics   *prometheus.Registry
	handler   http.Handler
}

func newDesk(ctx context.Context, g *ground) (*desk, error) {
	k := &desk{ground: g, metrics: prometheus.NewRegistry()}
	k.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if k.directory, err = municipality.NewDirectory(ctx, g.d, g.key); err != nil {
		return nil, err
	}
	store, err := media.NewStore(g.mediaFolder())
	if err != nil {
		return nil, err
	}
	client := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: g.GraphURL, Version: g.GraphVersion})
	files := media.NewService(media.Options{DB: g.d, Store: store, Client: client, Directory: k.directory, Log: g.log.With("part", "media")})
	k.journal = journal.New(g.d, g.log.With("part", "journal"))
	talk := dialogue.New(broadcast.NewKeywords(g.key, strings.TrimRight(g.PublicURL, "/")))
	k.processor = inbound.NewProcessor(g.d, k.directory, k.journal, talk, k.metrics, g.log.With("part", "inbound"))
	k.sender = outbound.New(g.d, k.directory, client, files, k.metrics, g.log.With("part", "outbound"))
	k.sender.GiveWay(k.journal.Lag)
	k.conductor = broadcast.NewConductor(g.d, k.directory, g.log.With("part", "broadcast"))
	keeper := retention.New(g.d, k.directory, store, k.journal.Lag, g.log.With("part", "retention"))
	if err := k.openWorkers(files, keeper); err != nil {
		return nil, err
	}
	k.pages, err = web.New(web.Options{DB: g.d, Directory: k.directory, Media: store, Key: g.key, Sender: k.sender, Journal: k.journal, Client: client, PublicURL: g.Public(), Log: g.log.With("part", "web"),
		ReadJob: func(municipality, message int64) river.JobArgs {
			return outbound.ReadArgs{Municipality: municipality, Message: message}
		}})
	if err != nil {
		return nil, err
	}
	k.handler = k.routes(store, client)
	return k, nil
}

// routes is every address of the installation.
func (k *desk) routes(store *media.Store, client *whatsapp.Client) http.Handler {
	mux := http.NewServeMux()
	inbound.NewWebhook(k.directory, k.journal, k.metrics, k.log.With("part", "webhook")).Routes(mux)
	mux.Handle("/api/v1/", api.New(api.Options{DB: k.d, Directory: k.directory, Media: store, Journal: k.journal, Client: client, Log: k.log.With("part", "api"), PublicURL: k.Public(), Version: Version()}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", k.readyz)
	mux.Handle("/", k.pages)
	return mux
}

// readyz tells a load balancer whether requests can be served: the schema is there since open.
func (k *desk) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := k.d.Ping(ctx); err != nil {
		http.Error(w, "the database can't be reached", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// run serves until ctx ends. Then, in this order: live streams end, open requests finish, the journal
// commits what it was given, what is in flight to Meta is settled.
func (k *desk) run(ctx context.Context, listener net.Listener, ready func(net.Addr)) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	late, stopJournal := context.WithCancel(context.WithoutCancel(ctx))
	defer stopJournal()
	var running, writing sync.WaitGroup
	writing.Go(func() { k.journal.Run(late) })
	running.Go(func() { k.directory.Run(work, k.log) })
	running.Go(func() { k.processor.Run(work) })
	running.Go(func() { k.sender.Run(work) })
	running.Go(func() { k.conductor.Run(work) })
	running.Go(func() { staff.RunSealer(work, k.d, k.log) })
	running.Go(func() { staff.RunSweeper(work, k.d, k.log) })
	if err := k.workers.Start(work); err != nil {
		return fmt.Errorf("start the background jobs: %w", err)
	}
	server := &http.Server{Handler: k.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(k.log.Handler(), slog.LevelDebug)}
	server.RegisterOnShutdown(k.pages.EndStreams)
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	metrics := k.serveMetrics(failed)
	k.log.Info("ready", "address", listener.Addr().String(), "version", Version())
	if ready != nil {
		ready(listener.Addr())
	}
	var err error
	select {
	case <-ctx.Done():
		k.log.Info("stopping: what is in flight is finished first")
	case err = <-failed:
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	err = errors.Join(ended(err), server.Shutdown(grace), metrics.Shutdown(grace))
	stopJournal()
	writing.Wait()
	err = errors.Join(err, k.stopWorkers(grace))
	stop()
	running.Wait()
	return err
}

// stopWorkers lets jobs finish, but for those that take minutes: they are cut off, and go on where they were after the
// next start.
func (k *desk) stopWorkers(grace context.Context) error {
	soon, cancel := context.WithTimeout(grace, 8*time.Second)
	defer cancel()
	if err := k.workers.Stop(soon); err == nil {
		return nil
	}
	return k.workers.StopAndCancel(grace)
}

func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (k *desk) serveMetrics(failed chan<- error) *http.Server {
	server := &http.Server{Addr: k.MetricsListen, ReadHeaderTimeout: 5 * time.Second, Handler: promhttp.HandlerFor(k.metrics, promhttp.HandlerOpts{})}
	if k.MetricsListen != "" {
		go func() { failed <- server.ListenAndServe() }()
	}
	return server
}

// openWorkers registers every background job and how often the periodic ones run.
func (k *desk) openWorkers(files *media.Service, keeper *retention.Keeper) error {
	workers := river.NewWorkers()
	files.Workers(workers)
	keeper.Workers(workers)
	k.sender.Workers(workers)
	river.AddWorker(workers, &upkeepWorker{k: k})
	var err error
	k.workers, err = k.d.Workers(workers, []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(15*time.Minute), func() (river.JobArgs, *river.InsertOpts) { return upkeepArgs{}, nil },
			&river.PeriodicJobOpts{RunOnStart: true}),
	})
	return err
}

// upkeepArgs is the periodic job that brings accounts up to date and drops what is kept no longer.
type upkeepArgs struct{}

func (upkeepArgs) Kind() string { return "app.upkeep" }

func (upkeepArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1} }

type upkeepWorker struct {
	river.WorkerDefaults[upkeepArgs]
	k *desk
}

func (w *upkeepWorker) Work(ctx context.Context, _ *river.Job[upkeepArgs]) error {
	var errs []error
	for _, m := range w.k.directory.All() {
		if ctx.Err() != nil {
			break
		}
		errs = append(errs, w.k.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			return errors.Join(tx.Enqueue(ctx, outbound.SyncArgs{Municipality: m.ID}, nil), tx.Enqueue(ctx, retention.Args{Municipality: m.ID}, nil))
		}))
		_, err := w.k.journal.Drop(ctx, m.ID)
		errs = append(errs, err, w.k.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
			return errors.Join(conversation.DropEarly(ctx, tx, m.ID), conversation.ReceiveStrays(ctx, tx, m.ID), municipality.DropNews(ctx, tx, m.ID), media.LookAgain(ctx, tx, m.ID))
		}))
	}
	if ctx.Err() != nil { // serve stops; the next one does the rest
		return nil
	}
	return errors.Join(errs...)
}
