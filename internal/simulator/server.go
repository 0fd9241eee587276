// SPDX-License-Identifier: AGPL-3.0-or-later

// Package simulator is a pretend Meta: the WhatsApp Cloud API with its checks and errors, the webhooks it sends,
// and the phones of citizens on a page. It speaks HTTP only and shares no type with the client it is used against,
// so that a wrong field name cannot pass on both sides.
//
// The Graph API is under /v26.0/… (and unversioned), the phones are at /, and tests control it under /simulator/…:
//
//	POST accounts                     an account with a number; GET lists them with what their webhooks came to
//	PUT  numbers/{id}                 throughput, status, quality of a number, messaging limit of its account
//	PUT  templates                    what Meta does to a template by itself: pause, disable, archive, recategorise, pace
//	PUT  webhook                      the callback of an account; POST delivers any change to it
//	POST citizens                     a citizen, or a change of one; GET lists them, GET citizens/{phone} is one
//	POST citizens/{phone}/messages    what the citizen writes; GET is the chat, oldest first
//	POST citizens/{phone}/read        the citizen opens the chat
//	POST citizens/{phone}/change_number
//	POST citizens/{phone}/preferences {"number", "marketing": "stop" or "resume"}
//	POST messages/{id}/played         the citizen plays a voice note
//	GET  requests                     what the Graph API received; filters and what is shown: docs/simulator.md
//	PUT  faults, PUT delays           trouble and pace; GET shows them, faults with what each means
//	POST clock                        {"advance": "24h"}
//	POST reset
//
// A {phone} is a phone with or without "+", a business-scoped user id, or @username.
package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are how a simulator is set up. The zero value is good for tests: nothing on disk, the default account.
type Options struct {
	Listen   string           // address for Run, 127.0.0.1:8090 unless set
	URL      string           // how clients reach it, for media urls in webhooks; taken from Listen or from their requests unless set
	Data     string           // folder of the state; "" keeps it in memory
	Accounts []Account        // beside the default account
	Log      *slog.Logger     // nil: nothing is logged
	Now      func() time.Time // the clock; nil is the real one
	Seed     uint64           // of ids and of how much delays vary; 0: another one each time. With a seed webhooks go one by one

	Delays          *Delays // nil: DefaultDelays
	WebhookBatch    int     // updates in one POST at most, 1000 unless set
	WebhookParallel int     // POSTs at a time for one account, 8 unless set

	Recorded      int // requests of the Graph API that are kept for GET requests, 250,000 unless set
	RecordedBytes int // of their bodies together, 512 MB unless set; the oldest go first

	URLLife time.Duration // of a file's address, 5 minutes unless set; more where Now makes leaps
}

// Delays are the times things take; negative means never.
type Delays struct {
	Sent      time.Duration // accepted → sent
	Delivered time.Duration // sent → delivered
	Read      time.Duration // delivered → read
	Played    time.Duration // read → played, voice notes only
	Review    time.Duration // template PENDING → APPROVED
	Upgrade   time.Duration // of the throughput: sends are refused with 131057 meanwhile
	Batch     time.Duration // how long updates gather before a POST
	Retry     time.Duration // before the first repetition of a webhook; doubles each time
	RetryMax  time.Duration // between repetitions at most
	RetryFor  time.Duration // how long a webhook is repeated before it is given up; 7 days unless set
}

// DefaultDelays are those of a quick day at Meta, with citizens who look at their phones.
func DefaultDelays() *Delays {
	return &Delays{Sent: 150 * time.Millisecond, Delivered: 600 * time.Millisecond, Read: 3 * time.Second, Played: 3 * time.Second,
		Review: 5 * time.Second, Batch: 5 * time.Millisecond, Retry: time.Second, RetryMax: 10 * time.Minute,
		RetryFor: keepTrying, Upgrade: time.Minute}
}

// backoff is how long to wait after a webhook has failed so many times.
func (d *Delays) backoff(tries int) time.Duration {
	wait := d.Retry
	for range tries - 1 {
		if wait *= 2; wait >= d.RetryMax {
			return d.RetryMax
		}
	}
	return min(wait, d.RetryMax)
}

// Server is a running simulator. Its methods may be called from any goroutine.
type Server struct {
	opts     Options
	log      *slog.Logger
	clock    *clock
	dice     *dice
	schedule *schedule
	handler  http.Handler

	dir       *directory
	templates *index[*account] // by template id
	phones    *index[*citizen] // by digits
	codes     *index[*citizen] // by code
	messages  *index[*message] // by wamid
	media     *mediaStore
	uploads   uploads
	faults    faultBox
	recorder  recorder
	traffic   traffic
	events    pageEvents
	saver     *saver
	callbacks *http.Client

	delay    atomic.Pointer[Delays]
	base     atomic.Pointer[string]
	ctx      context.Context
	stop     context.CancelFunc
	group    sync.WaitGroup
	closing  sync.Once
	draining chan struct{}
}

// New makes a simulator and continues from the state in Options.Data. Close it, or Run it, which closes it.
func New(opts Options) (*Server, error) {
	opts.Listen = cmp.Or(opts.Listen, "127.0.0.1:8090")
	if opts.Seed != 0 {
		opts.WebhookBatch, opts.WebhookParallel = cmp.Or(opts.WebhookBatch, 1), cmp.Or(opts.WebhookParallel, 1)
	}
	opts.WebhookBatch = min(cmp.Or(opts.WebhookBatch, maxUpdatesPerPost), maxUpdatesPerPost)
	opts.WebhookParallel = cmp.Or(opts.WebhookParallel, 8)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Delays == nil {
		opts.Delays = DefaultDelays()
	}
	s := &Server{opts: opts, log: opts.Log, clock: &clock{base: opts.Now}, dice: newDice(opts.Seed), dir: newDirectory(), draining: make(chan struct{}),
		templates: newIndex[*account](), phones: newIndex[*citizen](), codes: newIndex[*citizen](), messages: newIndex[*message](),
		callbacks: &http.Client{Timeout: callbackTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	s.recorder.most, s.recorder.bytes = cmp.Or(opts.Recorded, recordedRequests), cmp.Or(opts.RecordedBytes, recordedBytes)
	s.events.pages = map[*openPage]bool{}
	s.schedule = newSchedule(s.clock)
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.setDelays(opts.Delays)
	s.handler = s.routes()
	if err := s.begin(); err != nil {
		s.stop()
		s.group.Wait()
		return nil, err
	}
	return s, nil
}

// begin loads the state, adds the starting accounts and sets going what was under way.
func (s *Server) begin() error {
	if err := s.openStore(); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	if err := s.addStartingAccounts(); err != nil {
		return err
	}
	s.spawn(s.schedule.run)
	s.spawn(s.saver.run)
	for _, c := range s.codes.values() {
		s.continueStatuses(c)
	}
	s.resume()
	for _, a := range s.dir.allAccounts() {
		a.hooks.retryNow()
	}
	return nil
}

func (s *Server) addStartingAccounts() error {
	for _, spec := range append([]Account{DefaultAccount()}, s.opts.Accounts...) {
		if _, err := s.addAccount(spec); err != nil {
			return err
		}
	}
	return nil
}

// resume sets going again what Meta had begun with templates, numbers and accounts.
func (s *Server) resume() {
	for _, a := range s.dir.allAccounts() {
		a.mu.Lock()
		for _, t := range a.templates {
			s.resumeTemplate(a, t)
		}
		s.resumeAccount(a)
		a.mu.Unlock()
	}
}

func (s *Server) spawn(f func(context.Context)) {
	s.group.Go(func() { f(s.ctx) })
}

func (s *Server) delays() *Delays { return s.delay.Load() }

func (s *Server) setDelays(d *Delays) {
	kept := *d
	s.delay.Store(&kept)
}

// Handler serves everything: the Graph API, the phones and the control calls.
func (s *Server) Handler() http.Handler { return s.handler }

// Run listens, serves until ctx ends, finishes the requests under way, and closes the simulator.
func (s *Server) Run(ctx context.Context) error {
	listener, err := net.Listen("tcp", s.opts.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen on %s: %w", s.opts.Listen, err), s.Close())
	}
	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	server.RegisterOnShutdown(s.drain)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	s.base.CompareAndSwap(nil, new("http://"+listener.Addr().String()))
	s.log.Info("simulator listens", "address", listener.Addr().String())
	select {
	case err = <-failed:
	case <-ctx.Done():
		wait, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err = server.Shutdown(wait); err != nil {
			err = server.Close() // whoever hangs on purpose is cut
		}
	}
	return errors.Join(err, s.Close())
}

// drain ends the pages' streams, which would otherwise hold up the shutdown.
func (s *Server) drain() { close(s.draining) }

// Close stops what runs in the background and saves the state.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() {
		s.stop()
		s.group.Wait()
		s.callbacks.CloseIdleConnections()
		err = s.save()
	})
	return err
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for route, f := range map[string]controlFunc{
		"POST /simulator/accounts":                         s.postAccount,
		"GET /simulator/accounts":                          s.getAccounts,
		"PUT /simulator/numbers/{number}":                  s.putNumber,
		"PUT /simulator/templates":                         s.putTemplate,
		"PUT /simulator/webhook":                           s.putWebhook,
		"POST /simulator/webhook":                          s.postWebhook,
		"POST /simulator/citizens":                         s.postCitizen,
		"GET /simulator/citizens":                          s.getCitizens,
		"GET /simulator/citizens/{phone}":                  s.getCitizen,
		"POST /simulator/citizens/{phone}/messages":        s.postCitizenMessage,
		"GET /simulator/citizens/{phone}/messages":         s.getCitizenMessages,
		"POST /simulator/citizens/{phone}/read":            s.postRead,
		"POST /simulator/citizens/{phone}/change_number":   s.postChangeNumber,
		"POST /simulator/citizens/{phone}/change_user_id":  s.postChangeUserID,
		"POST /simulator/citizens/{phone}/change_identity": s.postChangeIdentity,
		"POST /simulator/events":                           s.postEvent,
		"PUT /simulator/contact_book":                      s.putContactBook,
		"POST /simulator/citizens/{phone}/preferences":     s.postPreferences,
		"POST /simulator/messages/{id}/played":             s.postPlayed,
		"GET /simulator/faults":                            s.getFaults,
		"PUT /simulator/faults":                            s.putFaults,
		"GET /simulator/delays":                            s.getDelays,
		"PUT /simulator/delays":                            s.putDelays,
		"GET /simulator/traffic":                           s.getTraffic,
		"GET /simulator/traffic/{seq}":                     s.getExchange,
		"POST /simulator/traffic/{seq}/replay":             s.postReplay,
		"POST /simulator/reset":                            s.postReset,
		"POST /simulator/clock":                            s.postClock,
		"GET /simulator/clock":                             s.getClock,
	} {
		mux.Handle(route, s.control(f))
	}
	mux.HandleFunc("GET /simulator/requests", s.getRequests)
	mux.HandleFunc("GET /simulator/events", s.getEvents)
	mux.HandleFunc("GET /simulator/media/{id}", s.getFile)
	mux.Handle("/simulator/", s.control(func(r *http.Request) (int, any, error) {
		return 0, nil, notFound("there is no %s %s here", r.Method, r.URL.Path)
	}))
	mux.HandleFunc("GET "+downloadPath, s.watch(s.downloadRecorded))
	mux.HandleFunc("GET "+picturePath+"{file}", s.getPicture)
	mux.Handle("GET /phone/", phoneAssets())
	mux.HandleFunc("GET /{$}", page("phone.html"))
	mux.HandleFunc("GET /traffic", page("traffic.html"))
	mux.HandleFunc("/", s.watch(s.graph))
	return s.guard(mux)
}

// guard keeps pages of other sites from working the control calls through a visitor's browser.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(next)
}

// downloadRecorded is a download that the recorder sees too.
func (s *Server) downloadRecorded(w http.ResponseWriter, r *http.Request) {
	seen := &statusWriter{ResponseWriter: w}
	defer func() {
		s.recorder.add(record{at: s.clock.Now(), method: r.Method, path: r.URL.Path, query: queryWithoutTokens(r.URL.RawQuery), status: seen.status})
	}()
	s.download(seen, r)
}

// statusWriter remembers the status it writes.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// baseURL is how the client of this request reaches the simulator; it is remembered for the urls in webhooks.
func (s *Server) baseURL(r *http.Request) string {
	if s.opts.URL != "" {
		return strings.TrimSuffix(s.opts.URL, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	base := scheme + "://" + r.Host
	if known := s.base.Load(); known == nil || *known != base {
		s.base.Store(&base)
	}
	return base
}

// knownBase is baseURL where there is no request of a client; "" while nobody has called.
func (s *Server) knownBase() string {
	if s.opts.URL != "" {
		return strings.TrimSuffix(s.opts.URL, "/")
	}
	if base := s.base.Load(); base != nil {
		return *base
	}
	return ""
}

// delaysView is Delays in JSON, durations as text.
type delaysView struct {
	Sent      *span `json:"sent,omitempty"`
	Delivered *span `json:"delivered,omitempty"`
	Read      *span `json:"read,omitempty"`
	Played    *span `json:"played,omitempty"`
	Review    *span `json:"review,omitempty"`
	Batch     *span `json:"batch,omitempty"`
	Retry     *span `json:"retry,omitempty"`
	RetryMax  *span `json:"retry_max,omitempty"`
	RetryFor  *span `json:"retry_for,omitempty"`
	Upgrade   *span `json:"upgrade,omitempty"`
}

func (v *delaysView) pairs(d *Delays) []struct {
	view **span
	real *time.Duration
} {
	return []struct {
		view **span
		real *time.Duration
	}{{&v.Sent, &d.Sent}, {&v.Delivered, &d.Delivered}, {&v.Read, &d.Read}, {&v.Played, &d.Played}, {&v.Review, &d.Review},
		{&v.Batch, &d.Batch}, {&v.Retry, &d.Retry}, {&v.RetryMax, &d.RetryMax}, {&v.RetryFor, &d.RetryFor},
		{&v.Upgrade, &d.Upgrade}}
}

func (s *Server) getDelays(*http.Request) (int, any, error) {
	var v delaysView
	d := *s.delays()
	for _, pair := range v.pairs(&d) {
		*pair.view = new(span(*pair.real))
	}
	return http.StatusOK, v, nil
}

// putDelays changes the delays named and keeps the others; negative means never.
func (s *Server) putDelays(r *http.Request) (int, any, error) {
	var v delaysView
	if err := readControl(r, &v); err != nil {
		return 0, nil, err
	}
	s.settled(r.Context())() // what has happened before comes as it was to come
	d := *s.delays()
	for _, pair := range v.pairs(&d) {
		if *pair.view != nil {
			*pair.real = time.Duration(**pair.view)
		}
	}
	s.setDelays(&d)
	s.saver.touch()
	return s.getDelays(r)
}

func timeOf(s span) time.Duration { return time.Duration(s) }
