// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/secret"
)

// page is something an operator or a program asks for.
type page struct {
	name  string
	route string // as the program's mux knows it
	path  func(o *office) string
	part  bool // the page's script asks for it, and shows it in its place
	more  bool // the large past has more to show here, so how much longer it takes says nothing
}

// at is the address of every page of one kind.
func at(path string) func(*office) string { return func(*office) string { return path } }

// of is the address of a page of something, which is another one each time.
func of(before string, thing func(*office) string, after string) func(*office) string {
	return func(o *office) string { return before + thing(o) + after }
}

const (
	deskRoute = "GET /desk/{slug}"
	apiRoute  = "GET /api/v1"
)

// pages has at least one for every address that can be read, but for those of unmeasured and files: a test says so.
var pages = []page{
	{"towns of the installation", "GET /{$}", at("/"), false, true},
	{"a citizen's own lists", "GET /{slug}/lists/{token}", (*office).ownLists, false, false},
	{"sign in", deskRoute + "/sign-in", at(desk + "/sign-in"), false, false},
	{"preferences", deskRoute + "/preferences", at(desk + "/preferences"), false, false},

	{"inbox", deskRoute + "/inbox", at(desk + "/inbox"), false, false},
	{"inbox, resolved", deskRoute + "/inbox", at(desk + "/inbox?view=resolved"), false, false},
	{"inbox, waiting", deskRoute + "/inbox", at(desk + "/inbox?view=waiting"), false, false},
	{"inbox, mine", deskRoute + "/inbox", at(desk + "/inbox?view=mine"), false, false},
	{"list after a change", deskRoute + "/inbox/list", at(desk + "/inbox/list?rows=50"), true, false},
	{"thread, whole page", deskRoute + "/conversations/{id}", of(desk+"/conversations/", (*office).conversation, ""), false, false},
	{"thread, from the list", deskRoute + "/conversations/{id}", of(desk+"/conversations/", (*office).conversation, ""), true, false},
	{"thread, after a change", deskRoute + "/conversations/{id}/live", of(desk+"/conversations/", (*office).conversation, "/live"), true, false},
	{"dialog: hand over", deskRoute + "/conversations/{id}/hand-over", of(desk+"/conversations/", (*office).conversation, "/hand-over"), true, false},
	{"dialog: kind", deskRoute + "/conversations/{id}/kind", of(desk+"/conversations/", (*office).conversation, "/kind"), true, false},
	{"dialog: templates", deskRoute + "/conversations/{id}/templates", of(desk+"/conversations/", (*office).conversation, "/templates"), true, false},
	{"dialog: place", deskRoute + "/conversations/{id}/place", of(desk+"/conversations/", (*office).conversation, "/place"), true, false},
	{"dialog: buttons", deskRoute + "/conversations/{id}/offer/{kind}", of(desk+"/conversations/", (*office).conversation, "/offer/buttons"), true, false},
	{"search, any word", deskRoute + "/search", func(*office) string { return searchFor(word()) }, false, false},
	{"search, two words", deskRoute + "/search", func(*office) string { return searchFor(word() + " " + word()) }, false, false},
	{"search, the commonest word", deskRoute + "/search", at(searchFor(words[0])), false, false},
	{"search, a name", deskRoute + "/search", func(*office) string { return searchFor(personName(rand.IntN(few.citizens))) }, false, true},
	{"search, a first name", deskRoute + "/search", func(*office) string { return searchFor(firstNames[rand.IntN(len(firstNames))]) }, false, false},
	{"search, a number", deskRoute + "/search", func(*office) string { return searchFor(phone(rand.IntN(few.citizens))) }, false, false},
	{"search, half a name", deskRoute + "/search", func(*office) string { return searchFor(some(lastNames)[:3]) }, false, false},
	{"search, nothing found", deskRoute + "/search", at(searchFor("ornitorinco")), false, false},

	{"citizen", deskRoute + "/citizens/{id}", of(desk+"/citizens/", (*office).citizen, ""), false, false},
	{"citizen, consents as a file", deskRoute + "/citizens/{id}/consents.csv", of(desk+"/citizens/", (*office).citizen, "/consents.csv"), false, false},
	{"picture", deskRoute + "/media/{id}", of(desk+"/media/", (*office).picture, ""), false, false},
	{"picture, small", deskRoute + "/media/{id}/thumbnail", of(desk+"/media/", (*office).picture, "/thumbnail"), false, false},
	{"picture, shown", deskRoute + "/media/{id}/shown", of(desk+"/media/", (*office).picture, "/shown"), false, false},
	{"dialog: description", deskRoute + "/media/{id}/description", of(desk+"/media/", (*office).picture, "/description"), true, false},

	{"banners", deskRoute + "/banners", at(desk + "/banners"), true, false},
	{"broadcasts", deskRoute + "/broadcasts", at(desk + "/broadcasts"), false, false},
	{"broadcast, new", deskRoute + "/broadcasts/new", at(desk + "/broadcasts/new"), false, false},
	{"broadcast", deskRoute + "/broadcasts/{id}", of(desk+"/broadcasts/", (*office).sent, ""), false, false},
	{"broadcast, after a change", deskRoute + "/broadcasts/{id}/live", of(desk+"/broadcasts/", (*office).sent, "/live"), true, false},
	{"broadcast under way", deskRoute + "/broadcasts/{id}", of(desk+"/broadcasts/", (*office).underWay, ""), false, false},
	{"broadcast under way, after a change", deskRoute + "/broadcasts/{id}/live", of(desk+"/broadcasts/", (*office).underWay, "/live"), true, false},
	{"broadcast under way, cancel?", deskRoute + "/broadcasts/{id}/confirm/{act}", of(desk+"/broadcasts/", (*office).underWay, "/confirm/cancel"), true, false},
	{"broadcast, edit", deskRoute + "/broadcasts/{id}/edit", of(desk+"/broadcasts/", (*office).drafted, "/edit"), false, false},
	{"broadcast, submit?", deskRoute + "/broadcasts/{id}/confirm/{act}", of(desk+"/broadcasts/", (*office).drafted, "/confirm/submit"), true, false},
	{"broadcast, recipients", deskRoute + "/broadcasts/{id}/recipients", of(desk+"/broadcasts/", (*office).sent, "/recipients"), false, false},
	{"broadcast, not reached", deskRoute + "/broadcasts/{id}/recipients", of(desk+"/broadcasts/", (*office).sent, "/recipients?part=not_reached"), false, false},

	{"lists", deskRoute + "/lists", at(desk + "/lists"), false, false},
	{"list", deskRoute + "/lists/{keyword}", at(desk + "/lists/" + list), false, false},
	{"list, a name", deskRoute + "/lists/{keyword}", func(*office) string {
		return desk + "/lists/" + list + "?q=" + url.QueryEscape(personName(rand.IntN(few.citizens)))
	}, false, true},
	{"list, code", deskRoute + "/lists/{keyword}/code.svg", at(desk + "/lists/" + list + "/code.svg"), false, false},
	{"figures", deskRoute + "/figures", at(desk + "/figures"), false, false},
	{"figures of a year", deskRoute + "/figures", at(desk + "/figures?period=year"), false, false},
	{"figures as a file", deskRoute + "/figures/{table}", at(desk + "/figures/movements.csv"), false, false},

	{"settings", deskRoute + "/settings", at(desk + "/settings"), false, false},
	{"settings: staff", deskRoute + "/settings/staff", at(desk + "/settings/staff"), false, false},
	{"settings: new colleague", deskRoute + "/settings/staff/new", at(desk + "/settings/staff/new"), false, false},
	{"settings: colleague", deskRoute + "/settings/staff/{id}", of(desk+"/settings/staff/", (*office).colleague, ""), false, false},
	{"settings: tokens", deskRoute + "/settings/tokens", at(desk + "/settings/tokens"), false, false},
	{"settings: blocked", deskRoute + "/settings/blocked", at(desk + "/settings/blocked"), false, false},
	{"settings: numbers", deskRoute + "/settings/numbers", at(desk + "/settings/numbers"), false, false},
	{"settings: quarantine", deskRoute + "/settings/quarantine", at(desk + "/settings/quarantine"), false, false},
	{"settings: log", deskRoute + "/settings/log", at(desk + "/settings/log"), false, false},
	{"settings: audit", deskRoute + "/settings/audit", at(desk + "/settings/audit"), false, false},

	{"API: conversations", apiRoute + "/conversations", at("/api/v1/conversations?limit=50"), false, false},
	{"API: conversation", apiRoute + "/conversations/{id}", of("/api/v1/conversations/", (*office).conversation, ""), false, false},
	{"API: messages", apiRoute + "/conversations/{id}/messages", of("/api/v1/conversations/", (*office).conversation, "/messages"), false, false},
	{"API: message", apiRoute + "/messages/{id}", of("/api/v1/messages/", (*office).message, ""), false, false},
	{"API: media", apiRoute + "/media/{id}", of("/api/v1/media/", (*office).picture, ""), false, false},
	{"API: contact", apiRoute + "/contacts/{id}", of("/api/v1/contacts/", (*office).citizen, ""), false, false},
	{"API: contacts by address", apiRoute + "/contacts", func(*office) string { return "/api/v1/contacts?address=%2B" + phone(rand.IntN(few.citizens)) }, false, false},
	{"API: consents", apiRoute + "/consents", of("/api/v1/consents?contact=", (*office).citizen, ""), false, false},
	{"API: lists", apiRoute + "/lists", at("/api/v1/lists"), false, false},
	{"API: districts", apiRoute + "/districts", at("/api/v1/districts"), false, false},
	{"API: subscribers", apiRoute + "/lists/{keyword}/subscribers", at("/api/v1/lists/" + list + "/subscribers?limit=50"), false, false},
	{"API: broadcasts", apiRoute + "/broadcasts", at("/api/v1/broadcasts?limit=50"), false, false},
	{"API: broadcast", apiRoute + "/broadcasts/{id}", of("/api/v1/broadcasts/", (*office).sent, ""), false, false},
	{"API: broadcast under way", apiRoute + "/broadcasts/{id}", of("/api/v1/broadcasts/", (*office).underWay, ""), false, false},
	{"API: recipients", apiRoute + "/broadcasts/{id}/recipients", of("/api/v1/broadcasts/", (*office).sent, "/recipients?limit=50"), false, false},
	{"API: blocked citizens", apiRoute + "/blocks", at("/api/v1/blocks?limit=50"), false, false},
	{"API: quarantine", apiRoute + "/quarantine", at("/api/v1/quarantine?limit=50"), false, false},
	{"API: description", apiRoute + "/openapi.json", at("/api/v1/openapi.json"), false, false},
}

// files are as long as what they hold, and an estimate of those who are on one of several lists looks at each of them.
var files = []page{
	{"estimate for two lists and a district", deskRoute + "/broadcasts/{id}", of(desk+"/broadcasts/", (*office).estimated, ""), false, false},
	{"recipients of a broadcast", deskRoute + "/broadcasts/{id}/recipients.csv", of(desk+"/broadcasts/", (*office).sent, "/recipients.csv"), false, false},
	{"subscribers of a list", deskRoute + "/lists/{keyword}/subscribers.csv", at(desk + "/lists/" + list + "/subscribers.csv"), false, false},
}

const asksMeta = "asks Meta, and takes as long as Meta does"

// unmeasured are the addresses that can be read and have no row, and why.
var unmeasured = map[string]string{
	"GET /assets/{name}":                                       "files of the program itself",
	"GET /readyz":                                              "asks the database only whether it is there",
	"GET /healthz":                                             "asks no database",
	deskRoute:                                                  "only leads to the inbox",
	deskRoute + "/{$}":                                         "only leads to the inbox",
	deskRoute + "/invitation/{token}":                          "one row by its key, once in the life of an account",
	deskRoute + "/events":                                      "a stream; how soon it tells of a message is a row of reply",
	deskRoute + "/settings/numbers/{id}":                       asksMeta,
	deskRoute + "/settings/numbers/{id}/profile":               asksMeta,
	deskRoute + "/settings/numbers/{id}/picture":               asksMeta,
	deskRoute + "/settings/numbers/{id}/suggestions":           asksMeta,
	deskRoute + "/settings/numbers/{id}/links":                 asksMeta,
	deskRoute + "/settings/numbers/{id}/links/{code}/code.svg": asksMeta,
	deskRoute + "/settings/registration":                       asksMeta,
	deskRoute + "/settings/registration/{id}":                  asksMeta,
	deskRoute + "/media/{id}/sound":                            "the same rows as a picture's, and then a program that makes the sound",
}

func searchFor(words string) string { return desk + "/search?q=" + url.QueryEscape(words) }

// office is an installation with a past, and a browser in it.
type office struct {
	in            *installation
	browser       *http.Client
	years         *years
	key           *secret.Key
	conversations []string
	messages      []string
	draft         string // a broadcast that is not sent
	mixed         string // one to two lists and a district
	staff         string // one of the operators
}

// measurePages times every page in turns over a small past and a large one.
func measurePages(ctx context.Context, b bench) (results []result, err error) {
	large := size{messages: b.many(200_000, 20_000), citizens: b.many(20_000, 2_000), municipalities: b.many(40, 4)}
	if b.full {
		large = full
	}
	err = b.withOffice(ctx, few, func(small *office) error {
		return b.withOffice(ctx, large, func(big *office) error {
			for _, p := range pages {
				if b.only != "" && !strings.Contains(p.name, b.only) {
					continue
				}
				r, err := b.measurePage(ctx, p, small, big)
				if err != nil {
					return err
				}
				r.row = fmt.Sprintf("%s, at %s messages", p.name, thousands(float64(large.messages)))
				results = append(results, r)
			}
			for _, p := range files {
				if b.only != "" && !strings.Contains(p.name, b.only) {
					continue
				}
				r, err := b.measureFile(ctx, p, big)
				if err != nil {
					return err
				}
				results = append(results, r)
			}
			return nil
		})
	})
	return results, err
}

// withOffice runs f on an installation that has seen so much: a fresh one, or the one that is kept.
func (b bench) withOffice(ctx context.Context, s size, f func(*office) error) error {
	if b.keep != "" {
		return b.kept(ctx, s, f)
	}
	return b.with(ctx, func(in *installation) error {
		o := &office{in: in, years: &years{size: s, report: b.say}}
		if err := o.fill(ctx); err != nil {
			return err
		}
		if err := o.open(ctx); err != nil {
			return err
		}
		return f(o)
	})
}

// fill writes the past once the program that runs has learnt what it needs, and leaves it stopped.
func (o *office) fill(ctx context.Context) (err error) {
	start, y := time.Now(), o.years
	if y.town, err = o.in.learn(ctx); err != nil {
		return err
	}
	if err := o.in.stop(); err != nil {
		return err
	}
	if err := y.live(ctx); err != nil {
		return err
	}
	y.report("%s messages, %s citizens and %d municipalities written in %.0f s", thousands(float64(y.messages)), thousands(float64(y.citizens)),
		y.municipalities, time.Since(start).Seconds())
	return nil
}

// open starts the program on its past, waits until it has asked Meta of every number, and signs in.
func (o *office) open(ctx context.Context) (err error) {
	if _, err = o.in.start(ctx); err != nil {
		return err
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		asked, err := o.in.count(ctx, `SELECT count(*) FROM number WHERE throughput = 'HIGH'`)
		if err != nil {
			return err
		}
		if int(asked) == o.years.municipalities {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("serve asked of %d numbers within two minutes, not of %d", asked, o.years.municipalities)
		}
	}
	if o.browser, err = o.in.signIn(ctx, administrator); err != nil {
		return err
	}
	if o.key, err = secret.Load(filepath.Join(o.in.dir, "secret.key")); err != nil {
		return err
	}
	if o.conversations, err = o.sample(ctx, `SELECT conversation_id FROM conversation WHERE municipality_id = $1`); err != nil {
		return err
	}
	if o.messages, err = o.sample(ctx, `SELECT message_id FROM message WHERE municipality_id = $1 AND conversation_id <> 0`); err != nil {
		return err
	}
	anna, err := o.in.count(ctx, `SELECT staff_id FROM staff WHERE email = $1`, email(operators[0]))
	if err != nil {
		return err
	}
	o.staff = db.FormatID(anna)
	id, err := o.years.town.write(ctx, broadcast.Audience{Lists: []string{list}})
	if err != nil {
		return err
	}
	o.draft = db.FormatID(id)
	id, err = o.years.town.write(ctx, broadcast.Audience{Lists: []string{list, emergencies}, Districts: []string{district}})
	o.mixed = db.FormatID(id)
	return err
}

// sample is a thousand of the ids that query finds.
func (o *office) sample(ctx context.Context, query string) (ids []string, _ error) {
	all, err := o.in.ids(ctx, query)
	for range 1000 {
		if len(all) > 0 {
			ids = append(ids, db.FormatID(some(all)))
		}
	}
	if err == nil && len(ids) == 0 {
		err = errors.New("there is none: " + query)
	}
	return ids, err
}

func some[T any](all []T) T { return all[rand.IntN(len(all))] }

func (o *office) conversation() string { return some(o.conversations) }
func (o *office) message() string      { return some(o.messages) }
func (o *office) citizen() string      { return db.FormatID(some(o.years.people).contact) }
func (o *office) picture() string      { return db.FormatID(some(o.years.media)) }
func (o *office) drafted() string      { return o.draft }
func (o *office) estimated() string    { return o.mixed }

func (o *office) colleague() string { return o.staff }

// sent is the broadcast that went to everybody.
func (o *office) sent() string { return db.FormatID(o.years.broadcasts[len(o.years.broadcasts)-1]) }

// underWay is one to everybody, half of which is sent.
func (o *office) underWay() string { return db.FormatID(o.years.underWay) }

func (o *office) ownLists() string {
	return "/" + slug + "/lists/" + broadcast.LinkToken(o.key, o.in.municipality, some(o.years.people).contact, time.Now().Add(time.Hour))
}

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

// mostForAFile is for a hundred thousand rows.
const mostForAFile = 3 * time.Second

func (b bench) measureFile(ctx context.Context, p page, o *office) (result, error) {
	var all times
	for range 3 {
		took, err := o.get(ctx, p)
		if err != nil {
			return result{}, err
		}
		all = append(all, took)
	}
	limit := max(mostForAFile*time.Duration(o.years.citizens)/100_000, 500*time.Millisecond)
	return result{engine: b.engine, row: fmt.Sprintf("%s, %s citizens", p.name, thousands(float64(o.years.citizens))),
		figure: all.p50().Round(time.Millisecond).String(), target: "< " + limit.String(), met: all.p50() < limit}, nil
}

const (
	mostForAPage = 25 * time.Millisecond
	mostGrowth   = 1.5

	perRound    = 25
	warmUp      = 1000 // requests before the first that counts, or as many as go in a second
	warmUpLasts = time.Second
)

// measurePage times a page over a small past and a large one in turns, once both have what they read often in memory.
func (b bench) measurePage(ctx context.Context, p page, small, large *office) (result, error) {
	for _, o := range []*office{small, large} {
		end := time.Now().Add(warmUpLasts)
		for i := 0; i < warmUp && (i < perRound || time.Now().Before(end)); i++ {
			if _, err := o.get(ctx, p); err != nil {
				return result{}, err
			}
		}
	}
	var few, many times
	for range b.many(20, 7) {
		for _, side := range []struct {
			o    *office
			into *times
		}{{small, &few}, {large, &many}} {
			for range perRound {
				took, err := side.o.get(ctx, p)
				if err != nil {
					return result{}, err
				}
				*side.into = append(*side.into, took)
			}
		}
	}
	growth := float64(many.p50()) / float64(few.p50())
	r := result{engine: b.engine, figure: fmt.Sprintf("p50 %s, p99 %s ms", ms(many.p50()), ms(many.p99())),
		limit: fmt.Sprintf("p50 %s, p99 %s ms at 10,000", ms(few.p50()), ms(few.p99())), ratio: fmt.Sprintf("%.2f", growth),
		target: "p99 < 25 ms, < 1.5×", met: many.p99() < mostForAPage && growth < mostGrowth}
	if p.more {
		r.target, r.met = "p99 < 25 ms, with more to show", many.p99() < mostForAPage
	}
	return r, nil
}
