// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// what tells an exchange from others of its kind: the type of a message, the fields of a webhook.
func (e *exchange) what() string {
	if len(e.body) == 0 || e.cut {
		return ""
	}
	if e.webhook {
		return webhookWhat(e.body)
	}
	var sent struct {
		Type   string `json:"type"`
		Status string `json:"status"`
		Name   string `json:"name"`
	}
	if json.Unmarshal(e.body, &sent) != nil {
		return ""
	}
	return orElse(sent.Type, orElse(sent.Status, sent.Name))
}

func webhookWhat(body []byte) string {
	var hook struct {
		Entry []struct {
			Changes []struct {
				Field string `json:"field"`
				Value struct {
					Messages []struct {
						Type string `json:"type"`
					} `json:"messages"`
					Statuses []struct {
						Status string `json:"status"`
					} `json:"statuses"`
				} `json:"value"`
			} `json:"changes"`
		} `json:"entry"`
	}
	if json.Unmarshal(body, &hook) != nil {
		return ""
	}
	var words []string
	for _, entry := range hook.Entry {
		for _, change := range entry.Changes {
			before := len(words)
			for _, m := range change.Value.Messages {
				words = append(words, m.Type)
			}
			for _, st := range change.Value.Statuses {
				words = append(words, st.Status)
			}
			if len(words) == before {
				words = append(words, change.Field)
			}
		}
	}
	if len(words) > 6 {
		words = append(words[:6], "+"+strconv.Itoa(len(words)-6))
	}
	return strings.Join(words, ", ")
}

// getTraffic lists what has passed, oldest first: kind (request or webhook), text (in the address, the bodies or the
// answer), since (seq), limit (the last so many).
func (s *Server) getTraffic(r *http.Request) (int, any, error) {
	q := r.URL.Query()
	limit, since := keptExchanges, int64(0)
	var err error
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return 0, nil, badRequest("limit %q is not a positive number", text)
		}
	}
	if text := q.Get("since"); text != "" {
		if since, err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, nil, badRequest("since %q is not a seq", text)
		}
	}
	kind, text := q.Get("kind"), q.Get("text")
	if kind != "" && kind != "request" && kind != "webhook" {
		return 0, nil, badRequest("kind must be request or webhook, not %q", kind)
	}
	found := slices.DeleteFunc(s.traffic.all(), func(e *exchange) bool {
		return e.seq < since || kind != "" && e.webhook != (kind == "webhook") || !e.mentions(text)
	})
	lines := []exchangeLine{}
	for _, e := range found[max(0, len(found)-limit):] {
		lines = append(lines, e.line())
	}
	return http.StatusOK, map[string]any{"items": lines}, nil
}

// mentions says whether a text stands in what is shown of the exchange.
func (e *exchange) mentions(text string) bool {
	if text == "" {
		return true
	}
	text = strings.ToLower(text)
	for _, part := range []string{e.method + " " + withoutTokens(e.url), string(e.body), string(e.answer), e.what(), strconv.Itoa(e.status)} {
		if strings.Contains(strings.ToLower(part), text) {
			return true
		}
	}
	return false
}

func (s *Server) exchangeOf(r *http.Request) (*exchange, error) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil {
		return nil, badRequest("%q is not a seq", r.PathValue("seq"))
	}
	if e := s.traffic.get(seq); e != nil {
		return e, nil
	}
	return nil, notFound("%d is not kept: the last %d are", seq, keptExchanges)
}

func (s *Server) getExchange(r *http.Request) (int, any, error) {
	e, err := s.exchangeOf(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, e.view(), nil
}

// postReplay does an exchange again.
func (s *Server) postReplay(r *http.Request) (int, any, error) {
	e, err := s.exchangeOf(r)
	if err != nil {
		return 0, nil, err
	}
	err = s.repeat(r.Context(), e)
	if errors.Is(err, errCut) {
		return 0, nil, badRequest("this cannot be repeated: only %d bytes of its body were kept", maxKeptBody)
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]any{"repeated": e.seq}, nil
}
