// SPDX-License-Identifier: AGPL-3.0-or-later

// Package inbound receives WhatsApp's webhooks and turns what the journal holds into conversation.
package inbound

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
)

// The bounds of the webhook.
const (
	maxBody     = 3 << 20  // Meta's own cap of one POST
	maxInFlight = 64 << 20 // of all bodies being read or waiting for their commit; beyond that 503, and Meta tries again
	maxRead     = 10 * time.Second
	maxWait     = 8 * time.Second
	firstBytes  = 4 << 10 // what a body weighs before anything of it came; most are smaller
)

// Webhook is the endpoint that Meta calls. It verifies the bytes, appends them to the journal, and
// answers 200 once they are committed. It does nothing else.
type Webhook struct {
	directory *municipality.Directory
	journal   *journal.Journal
	log       *slog.Logger
	inFlight  *semaphore.Weighted
	answered  *prometheus.CounterVec
	latency   prometheus.Histogram
}

// NewWebhook makes the endpoint; its figures go to metrics.
func NewWebhook(directory *municipality.Directory, j *journal.Journal, metrics prometheus.Registerer, log *slog.Logger) *Webhook {
	w := &Webhook{directory: directory, journal: j, log: log, inFlight: semaphore.NewWeighted(maxInFlight),
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "filodiretto_webhook_requests_total",
			Help: "Webhook requests by how they ended: stored, bad_signature, unknown_municipality, too_large, overload, unavailable, aborted."}, []string{"outcome"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "filodiretto_webhook_seconds",
			Help:    "Time from the first byte of a webhook to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}})}
	metrics.MustRegister(w.answered, w.latency)
	return w
}

// Routes adds the endpoint to mux: GET verifies a subscription, POST delivers.
func (w *Webhook) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /webhooks/whatsapp/{slug}", w.verify)
	mux.HandleFunc("POST /webhooks/whatsapp/{slug}", w.deliver)
}

// verify answers Meta's challenge when the verify token is the municipality's.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint
func (w *Webhook) verify(rw http.ResponseWriter, r *http.Request) {
	m, ok := w.directory.BySlug(r.PathValue("slug"))
	if !ok {
		http.NotFound(rw, r)
		return
	}
	q := r.URL.Query()
	if q.Get("hub.mode") != "subscribe" || !anyNumber(m, func(n municipality.Number) bool {
		want := n.VerifyToken.Reveal()
		return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(q.Get("hub.verify_token"))) == 1
	}) {
		http.Error(rw, "the verify token is not this municipality's", http.StatusForbidden)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(rw, q.Get("hub.challenge")) // whoever has gone needs no answer
}

func anyNumber(m *municipality.Municipality, test func(municipality.Number) bool) bool {
	for _, n := range m.Numbers {
		if test(n) {
			return true
		}
	}
	return false
}

var (
	errTooLarge = errors.New("the body is larger than 3 MB")
	errOverload = errors.New("too much is in flight")
)

func (w *Webhook) deliver(rw http.ResponseWriter, r *http.Request) {
	start := time.Now()
	status, outcome := w.take(rw, r)
	w.answered.WithLabelValues(outcome).Inc()
	w.latency.Observe(time.Since(start).Seconds())
	if status == http.StatusServiceUnavailable {
		rw.Header().Set("Retry-After", "5")
	}
	rw.WriteHeader(status)
}

// take does the work of a delivery and says how it ended.
func (w *Webhook) take(rw http.ResponseWriter, r *http.Request) (status int, outcome string) {
	m, ok := w.directory.BySlug(r.PathValue("slug"))
	if !ok {
		return http.StatusNotFound, "unknown_municipality"
	}
	if r.ContentLength > maxBody {
		return http.StatusRequestEntityTooLarge, "too_large"
	}
	signature := r.Header.Get("X-Hub-Signature-256")
	if !whatsapp.IsSignature(signature) { // not worth reading
		return http.StatusUnauthorized, "bad_signature"
	}
	body, weight, err := w.read(rw, r)
	defer w.inFlight.Release(weight)
	switch {
	case errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge, "too_large"
	case errors.Is(err, errOverload):
		return http.StatusServiceUnavailable, "overload"
	case err != nil:
		return http.StatusBadRequest, "aborted"
	}
	// Over the raw bytes, before any decoding: what is not signed by Meta is not even looked at.
	if !anyNumber(m, func(n municipality.Number) bool {
		return whatsapp.VerifySignature(n.AppSecret.Reveal(), body, signature)
	}) {
		return http.StatusUnauthorized, "bad_signature"
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxWait)
	defer cancel()
	if err := w.journal.Append(ctx, m.ID, body); err != nil {
		w.log.Error("a webhook was not stored; Meta delivers it again", "municipality", m.Slug, "error", err)
		return http.StatusServiceUnavailable, "unavailable"
	}
	return http.StatusOK, "stored"
}

// read takes the body in. It weighs on the bound by what has come of it, at most twice that: connections that
// announce much and send nothing must not keep out those that send.
func (w *Webhook) read(rw http.ResponseWriter, r *http.Request) (body []byte, weight int64, err error) {
	deadline := http.NewResponseController(rw)
	_ = deadline.SetReadDeadline(time.Now().Add(maxRead)) // where it can't be set, the server's own holds
	most := int64(maxBody + 1)                            // one byte more than may be, to see that it is too large
	if r.ContentLength >= 0 {
		most = r.ContentLength + 1 // and here to see the end
	}
	for {
		if int64(len(body)) == weight {
			more := min(max(weight, firstBytes), most-weight)
			if !w.inFlight.TryAcquire(more) {
				return nil, weight, errOverload
			}
			weight += more
			body = append(make([]byte, 0, weight), body...)
		}
		n, err := r.Body.Read(body[len(body):weight])
		body = body[:len(body)+n]
		if len(body) > maxBody {
			return nil, weight, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			_ = deadline.SetReadDeadline(time.Time{}) // it would only break off the commit
			return body, weight, nil
		}
		if err != nil {
			return nil, weight, fmt.Errorf("read the body: %w", err)
		}
	}
}
