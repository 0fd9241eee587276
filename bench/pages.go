// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// few is the size that larger ones are held against.
const (
	fewMessages = 10_000
	fewCitizens = 1_000
)

// page is something an operator or a program asks for.
type page struct {
	name string
	path func(o *office) string
	part bool // the page's script asks for it, and shows it in its place
}

var pages = []page{
	{"inbox", func(*office) string { return desk + "/inbox" }, false},
	{"inbox, resolved", func(*office) string { return desk + "/inbox?view=resolved" }, false},
	{"list after a change", func(*office) string { return desk + "/inbox/list?rows=50" }, true},
	{"thread, whole page", func(o *office) string { return desk + "/conversations/" + o.someConversation() }, false},
	{"thread, from the list", func(o *office) string { return desk + "/conversations/" + o.someConversation() }, true},
	{"search, any word", func(*office) string { return desk + "/search?q=" + url.QueryEscape(word()) }, false},
	{"search, two words", func(*office) string { return desk + "/search?q=" + url.QueryEscape(word()+" "+word()) }, false},
	{"search, a name", func(*office) string { return desk + "/search?q=" + url.QueryEscape(personName(rand.IntN(1500))) }, false},
	{"API: conversations", func(*office) string { return "/api/v1/conversations?limit=50" }, false},
	{"API: messages", func(o *office) string { return "/api/v1/conversations/" + o.someConversation() + "/messages" }, false},
}

// office is an installation with a past, and a browser in it.
type office struct {
	in            *installation
	browser       *http.Client
	conversations []string
}

// measurePages times every page in turns over a small past and a large one.
func measurePages(ctx context.Context, b bench) (results []result, err error) {
	messages, people := b.many(200_000, 20_000), b.many(20_000, 2_000)
	if b.full {
		messages, people = 1_000_000, 100_000
	}
	err = b.withOffice(ctx, fewMessages, fewCitizens, func(small *office) error {
		return b.withOffice(ctx, messages, people, func(large *office) error {
			for _, p := range pages {
				r, err := b.measurePage(ctx, p, small, large)
				if err != nil {
					return err
				}
				r.row = fmt.Sprintf("%s, at %s messages", p.name, thousands(float64(messages)))
				results = append(results, r)
			}
			return nil
		})
	})
	return results, err
}

func (b bench) withOffice(ctx context.Context, messages, people int, f func(*office) error) error {
	return b.with(ctx, func(in *installation) error {
		start := time.Now()
		h := history{in: in, citizens: people, messages: messages, span: 2 * 365 * 24 * time.Hour, open: .1, answered: conversation.Read}
		if _, err := h.write(ctx); err != nil {
			return err
		}
		b.say("%s messages written in %.0f s", thousands(float64(messages)), time.Since(start).Seconds())
		o := &office{in: in}
		var err error
		if o.browser, err = in.signIn(ctx, operators[0]); err != nil {
			return err
		}
		if o.conversations, err = in.sample(ctx); err != nil {
			return err
		}
		return f(o)
	})
}

// sample is a thousand conversations from all over the past.
func (in *installation) sample(ctx context.Context) (ids []string, err error) {
	var all []string
	err = in.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		all = nil
		return tx.Query(ctx, `SELECT conversation_id FROM conversation WHERE municipality_id = $1`, [][]any{{in.municipality}}, func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			all = append(all, db.FormatID(id))
			return err
		})
	})
	for range 1000 {
		if len(all) > 0 {
			ids = append(ids, all[rand.IntN(len(all))])
		}
	}
	if err == nil && len(ids) == 0 {
		err = errors.New("there is no conversation")
	}
	return ids, err
}

func (o *office) someConversation() string { return o.conversations[rand.IntN(len(o.conversations))] }

// get fetches a page as a browser or a program does and returns how long it took.
func (o *office) get(ctx context.Context, p page) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.in.url(p.path(o)), nil)
	if err != nil {
		return 0, err
	}
	if strings.HasPrefix(req.URL.Path, "/api/") {
		req.Header.Set("Authorization", "Bearer "+o.in.token)
	}
	if p.part {
		req.Header.Set("HX-Request", "true")
	}
	req.Header.Set("Accept-Encoding", "gzip")
	start := time.Now()
	_, err = fetch(o.browser, req)
	return time.Since(start), err
}

const (
	mostForAPage = 25 * time.Millisecond
	mostGrowth   = 1.5
)

func (b bench) measurePage(ctx context.Context, p page, small, large *office) (result, error) {
	var few, many times
	for round := range b.many(20, 7) {
		for _, side := range []struct {
			o    *office
			into *times
		}{{small, &few}, {large, &many}} {
			for range 25 {
				took, err := side.o.get(ctx, p)
				if err != nil {
					return result{}, err
				}
				if round > 0 { // the first one warms up
					*side.into = append(*side.into, took)
				}
			}
		}
	}
	growth := float64(many.p50()) / float64(few.p50())
	return result{engine: b.engine, figure: fmt.Sprintf("p50 %s, p99 %s ms", ms(many.p50()), ms(many.p99())),
		limit: fmt.Sprintf("p50 %s, p99 %s ms at 10,000", ms(few.p50()), ms(few.p99())), ratio: fmt.Sprintf("%.2f", growth),
		target: "p99 < 25 ms, < 1.5×", met: many.p99() < mostForAPage && growth < mostGrowth}, nil
}
