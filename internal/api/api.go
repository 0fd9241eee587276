// SPDX-License-Identifier: AGPL-3.0-or-later

// Package api is the REST API: what programs of a municipality may read and do, described by the OpenAPI
// document it serves.
//
// A request carries the bearer token of one municipality and never sees another. Listings go by opaque
// cursors, every POST may carry an Idempotency-Key, and every failure is a problem of RFC 9457.
package api

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Prefix is where New's handler is to be mounted.
const Prefix = "/api/v1"

// Options are what the API works with; all of them are needed.
type Options struct {
	DB        *db.DB
	Directory *municipality.Directory
	Media     *media.Store
	Journal   *journal.Journal // replays what is in quarantine
	Client    *whatsapp.Client // has Meta block citizens
	Log       *slog.Logger
	PublicURL string // of the installation, without a slash at the end; for the document
	Version   string // of the program; for the document
}

type server struct {
	Options
	mux      *http.ServeMux
	document []byte
}

// New makes the handler of everything under Prefix.
func New(o Options) http.Handler {
	s := &server{Options: o, mux: http.NewServeMux()}
	api := humago.NewWithPrefix(s.mux, Prefix, s.config())
	s.conversationRoutes(api)
	s.messageRoutes(api)
	s.contactRoutes(api)
	s.mediaRoutes(api)
	s.uploadRoutes(api)
	s.blockRoutes(api)
	s.listRoutes(api)
	s.consentRoutes(api)
	s.broadcastRoutes(api)
	s.quarantineRoutes(api)
	s.document = document(api)
	s.mux.HandleFunc("GET "+Prefix+"/openapi.json", s.serveDocument)
	return s.receive(s.authenticate(s.readBody(s.route())))
}

// config is huma without what it adds by itself: pages that load scripts from elsewhere, and links to
// schemas in every answer.
func (s *server) config() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	config := huma.Config{
		OpenAPI:       description(s.PublicURL, s.Version, registry),
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{explain},
	}
	config.AllowAdditionalPropertiesByDefault = true // answers may grow; what is sent to us says itself that it may not
	return config
}

// document is the OpenAPI document. Problems are ours: huma's own model of an error is taken out.
func document(api huma.API) []byte {
	schemas := api.OpenAPI().Components.Schemas.Map()
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(schemas, name)
	}
	text, err := json.Marshal(api.OpenAPI())
	if err != nil { // it is made of our types alone, and a test reads it
		panic(err)
	}
	return text
}

func (s *server) serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.document) // whoever asked may have left
}

// route serves what has a route; what has none is told as a problem, too.
func (s *server) route() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refusal, pattern := s.mux.Handler(r); pattern == "" {
			writeProblem(w, r, noRoute(refusal, r))
			return
		}
		s.mux.ServeHTTP(w, r)
	})
}

// register adds an operation whose failures are told as problems. statuses are those it may fail with
// beside the ones that all may.
func register[I, O any](s *server, api huma.API, op huma.Operation, statuses []int, handle handler[I, O]) {
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	for _, status := range slices.Concat(statuses, []int{http.StatusUnauthorized, http.StatusInternalServerError, http.StatusServiceUnavailable}) {
		addProblem(api, &op, status)
	}
	op.Security = []map[string][]string{{"token": {}}}
	op.MaxBodyBytes = maxBody + 1 // the body was read and bounded before
	op.BodyReadTimeout = -1
	huma.Register(api, op, telling(s, op.OperationID, handle))
}
