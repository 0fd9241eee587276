// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxControlBody bounds what tests and the page send; a file of 16 MB in base64 fits.
const maxControlBody = 32 << 20

// controlFunc is a handler of /simulator/…: it returns the answer or an error that says what to do.
type controlFunc func(*http.Request) (status int, answer any, err error)

// controlError is a refusal of the control calls.
type controlError struct {
	status int
	text   string
}

func (e *controlError) Error() string { return e.text }

func badRequest(format string, args ...any) error {
	return &controlError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &controlError{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

func (s *Server) control(f controlFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
		status, answer, err := f(r)
		if known, ok := errors.AsType[*controlError](err); ok {
			writeJSON(w, known.status, map[string]any{"error": known.text})
			return
		}
		if err != nil {
			s.log.Error("control call", "path", r.URL.Path, "error", err)
			writeJSON(w, http.StatusInternalServerError, map[string]any{"error": "the simulator failed: see its log"})
			return
		}
		writeJSON(w, status, answer)
	})
}

// readControl reads a JSON body into v; no body at all leaves v as it is, an unknown key is refused.
func readControl(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	_, wrongType := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case wrongType, strings.HasPrefix(err.Error(), "json: unknown field "):
		return badRequest("%s", badJSON(err).Details)
	}
	return badRequest("body: %v", err)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client sees whether it arrived
}

// postReset forgets citizens, messages, media, requests, faults, waiting webhooks and the advanced clock.
// Accounts, their templates and callbacks stay, unless {"accounts": true}. Ids begin anew, from {"seed": n} if it is told.
func (s *Server) postReset(r *http.Request) (int, any, error) {
	var in struct {
		Accounts bool    `json:"accounts"`
		Seed     *uint64 `json:"seed"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	if err := s.reset(in.Accounts, cmp.Or(in.Seed, &s.opts.Seed)); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]any{"reset": true}, nil
}

func (s *Server) reset(accountsToo bool, seed *uint64) error {
	s.schedule.clear()
	s.clock.frozen.Store(nil)
	s.clock.offset.Store(0)
	taken := []string{"account", "number", "template"} // there are some already
	if accountsToo {
		taken = nil
	}
	s.dice.begin(*seed, taken...)
	s.faults.set(Faults{})
	s.setDelays(s.opts.Delays)
	s.recorder.clear()
	s.traffic.clear()
	s.messages.clear()
	s.phones.clear()
	s.codes.clear()
	s.media.clear()
	for _, a := range s.dir.allAccounts() {
		a.hooks.forget()
		a.forgetTraffic()
	}
	if accountsToo {
		s.dir.clear()
		s.templates.clear()
		if err := s.addStartingAccounts(); err != nil {
			return err
		}
	}
	s.resume()
	s.events.publish(pageEvent{Kind: "reset"})
	s.saver.touch()
	return nil
}

func (a *account) forgetTraffic() {
	a.mu.Lock()
	numbers := a.numbers
	a.state.Creations, a.state.Pacing, a.state.Calls = nil, nil, nil
	a.mu.Unlock()
	a.portfolio.clear()
	for _, n := range numbers {
		n.mu.Lock()
		n.bucket = bucket{}
		n.state.Blocked, n.state.FreeMonth, n.state.FreeUsed = nil, "", 0
		n.mu.Unlock()
	}
}

// postClock sets the virtual clock, lets it stand still or go, and advances it: what was due in between happens now, in order.
func (s *Server) postClock(r *http.Request) (int, any, error) {
	var in struct {
		Set     time.Time `json:"set"`
		Frozen  *bool     `json:"frozen"`
		Advance span      `json:"advance"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Advance < 0 {
		return 0, nil, badRequest("advance must not be negative: set takes an earlier time")
	}
	if in.Frozen != nil && *in.Frozen {
		s.clock.freeze(s.clock.Now())
	} else if in.Frozen != nil {
		s.clock.thaw()
	}
	if !in.Set.IsZero() {
		s.clock.set(in.Set)
	}
	s.schedule.advance(time.Duration(in.Advance), s.settled(r.Context()))
	s.schedule.nudge()
	s.saver.touch()
	return s.getClock(r)
}

func (s *Server) getClock(*http.Request) (int, any, error) {
	return http.StatusOK, map[string]any{"now": s.clock.Now().UTC(), "frozen": !s.clock.frozenAt().IsZero(), "advanced": span(s.clock.offset.Load())}, nil
}

func setIf[T any](target *T, value *T) {
	if value != nil {
		*target = *value
	}
}
