// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
)

// size is how much an installation has seen.
type size struct {
	messages, citizens int // of the municipality that is measured; each citizen has had two conversations
	municipalities     int // the others have a hundred messages each
}

// few is the size that larger ones are held against.
var few = size{messages: 10_000, citizens: 1_000, municipalities: 4}

// full is the size of the design's target.
var full = size{messages: 1_000_000, citizens: 100_000, municipalities: 400}

// years are what an installation has seen in two years: conversations, lists and their subscribers, broadcasts, and
// whatever is written down beside them.
type years struct {
	size
	town   *town
	people []person
	start  time.Time
	report func(format string, args ...any)

	broadcasts []int64 // that have ended
	underWay   int64
	media      []int64
}

const span = 2 * 365 * 24 * time.Hour

// live fills the installation with them. serve must have been running, and must have been stopped.
func (y *years) live(ctx context.Context) error {
	y.start, y.people = time.Now().UTC().Add(-span).Truncate(time.Microsecond), make([]person, y.citizens)
	h := history{in: y.town.in, citizens: y.citizens, messages: y.messages, span: span, open: .1, talks: 2, answered: conversation.Read}
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"other municipalities", y.settleNeighbours},
		{"messages", func(ctx context.Context) error { _, err := h.writeFor(ctx, y.people); return err }},
		{"pictures", y.sendPictures},
		{"lists", y.subscribe},
		{"broadcasts", y.sendBroadcasts},
		{"registers", y.keepRegisters},
		{"journal", y.keepJournal},
		{"housekeeping", func(ctx context.Context) error { return y.town.in.tidy(ctx, "") }},
	} {
		start := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("write the %s: %w", step.name, err)
		}
		y.report("  %s: %.0f s", step.name, time.Since(start).Seconds())
	}
	return nil
}

// rowsOf writes n rows of a table, some thousand a transaction.
func (y *years) rowsOf(ctx context.Context, table, columns string, n int, row func(tx *db.Tx, i int) []any) error {
	return rowsIn(ctx, y.town.in.d.Update, table, columns, n, row)
}

func rowsIn(ctx context.Context, update func(context.Context, func(context.Context, *db.Tx) error) error, table, columns string, n int, row func(tx *db.Tx, i int) []any) error {
	for from := 0; from < n; from += perTransaction {
		err := update(ctx, func(ctx context.Context, tx *db.Tx) error {
			var rows [][]any
			for i := from; i < min(n, from+perTransaction); i++ {
				if r := row(tx, i); r != nil {
					rows = append(rows, r)
				}
			}
			return insert(ctx, tx, table, strings.Fields(columns), rows)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// at is a moment for the i-th of n things, the newest last.
func (y *years) at(i, n int) time.Time {
	return y.start.Add(span / time.Duration(n+1) * time.Duration(i)).Truncate(time.Microsecond)
}

// settleNeighbours makes the other municipalities, each with some citizens who wrote and were answered.
func (y *years) settleNeighbours(ctx context.Context) error {
	in := y.town.in
	files := []string{"apply"}
	for i := 1; i < y.municipalities; i++ {
		name := filepath.Join(in.dir, fmt.Sprintf("vicino-%d.yaml", i))
		text := strings.ReplaceAll(municipalityFile(1), phoneNumberID, strconv.Itoa(300000000000000+i))
		text = strings.ReplaceAll(text, wabaID, strconv.Itoa(400000000000000+i))
		text = strings.Replace(text, "slug: "+slug, "slug: vicino-"+strconv.Itoa(i), 1)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
		files = append(files, name)
	}
	if len(files) == 1 {
		return nil
	}
	if _, err := in.command(ctx, "", files...); err != nil {
		return err
	}
	ours := in.municipality
	defer func() { in.municipality = ours }()
	var ids []int64
	err := in.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		ids = nil
		return tx.Query(ctx, `SELECT municipality_id FROM municipality WHERE municipality_id <> $1`, [][]any{{ours}}, func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	if err != nil {
		return err
	}
	for _, in.municipality = range ids {
		h := history{in: in, citizens: 20, messages: 100, span: span, open: .1, talks: 2, answered: conversation.Read}
		if _, err := h.writeFor(ctx, make([]person, h.citizens)); err != nil {
			return err
		}
	}
	return nil
}

// sendPictures gives every tenth citizen a picture that they sent.
func (y *years) sendPictures(ctx context.Context) error {
	store, err := media.NewStore(filepath.Join(y.town.in.dir, "media"))
	if err != nil {
		return err
	}
	var content bytes.Buffer
	if err := png.Encode(&content, image.NewRGBA(image.Rect(0, 0, 400, 300))); err != nil {
		return err
	}
	m := y.town.in.municipality
	file, err := store.Add(ctx, m, "buca.png", &content)
	if err != nil {
		return err
	}
	n := len(y.people) / 10
	y.media = make([]int64, n)
	messages := make([]int64, n)
	err = y.rowsOf(ctx, "media", "municipality_id media_id message_id number direction mime name size sha256 state width height thumbnail created_at", n, func(tx *db.Tx, i int) []any {
		y.media[i], messages[i] = tx.NewID(), tx.NewID()
		return []any{m, y.media[i], messages[i], phoneNumberID, "in", file.MIME, file.Name, file.Size, file.SHA256, "ready", 400, 300, true, y.at(i, n)}
	})
	if err != nil {
		return err
	}
	return y.rowsOf(ctx, "message", "municipality_id message_id conversation_id contact_id number direction type media_id external_id at created_at next_at", n, func(_ *db.Tx, i int) []any {
		p := y.people[i*10]
		return []any{m, messages[i], p.talks[0].conversation, p.contact, phoneNumberID, "in", "image", y.media[i], fmt.Sprintf("wamid.PICTURE%d", i), y.at(i, n), y.at(i, n), y.at(i, n)}
	})
}

// topics are the lists and the district, and of how many citizens one is on it.
var topics = []struct {
	keyword string
	one     int
}{{list, 1}, {emergencies, 2}, {events, 100}, {district, 5}}

// subscribe puts the citizens on the lists, with the proof of it and the figures of who came and went.
func (y *years) subscribe(ctx context.Context) error {
	m := y.town.in.municipality
	for _, t := range topics {
		n := len(y.people) / t.one
		err := y.rowsOf(ctx, "subscription", "municipality_id contact_id topic state number since at", n, func(_ *db.Tx, i int) []any {
			return []any{m, y.people[i*t.one].contact, t.keyword, 1, phoneNumberID, y.at(i, n), y.at(i, n)}
		})
		if err != nil {
			return err
		}
		err = y.rowsOf(ctx, "consent", `municipality_id consent_id contact_id topic event at recorded_at channel words wording policy_version policy_hash
			language actor_kind actor_id actor_name hash`, n, func(tx *db.Tx, i int) []any {
			return []any{m, tx.NewID(), y.people[i*t.one].contact, t.keyword, "given", y.at(i, n), y.at(i, n), "whatsapp", "ISCRIZIONE ON " + t.keyword,
				"Ha chiesto di iscriversi alla lista " + t.keyword, "1", "p", "it", "citizen", 0, "", "h" + strconv.Itoa(i)}
		})
		if err != nil {
			return err
		}
	}
	if err := y.rowsOf(ctx, "subscribers", "municipality_id topic count", len(topics), func(_ *db.Tx, i int) []any {
		return []any{m, topics[i].keyword, len(y.people) / topics[i].one}
	}); err != nil {
		return err
	}
	if err := y.rowsOf(ctx, "subscriber", "municipality_id contact_id at", len(y.people), func(_ *db.Tx, i int) []any {
		return []any{m, y.people[i].contact, y.at(i, len(y.people))}
	}); err != nil {
		return err
	}
	names := []string{"free_delivered", "cost:service:free_customer_service", "cost:utility:regular", "cost:marketing:regular"}
	for _, t := range topics {
		names = append(names, "joined:"+t.keyword+":whatsapp", "joined:"+t.keyword+":page", "left:"+t.keyword+":whatsapp")
	}
	days := int(span / (24 * time.Hour))
	return y.rowsOf(ctx, "tally", "municipality_id day number name count", days*len(names), func(_ *db.Tx, i int) []any {
		return []any{m, y.start.Add(time.Duration(i/len(names)+1) * 24 * time.Hour).Format(time.DateOnly), phoneNumberID, names[i%len(names)], 1 + rand.IntN(20)}
	})
}

// sendBroadcasts sends many to a short list, and the last one to everybody.
func (y *years) sendBroadcasts(ctx context.Context) error {
	for i := range 31 {
		to := events
		if i == 30 {
			to = list
		}
		id, err := y.town.sendTo(ctx, to)
		if err != nil {
			return err
		}
		y.broadcasts = append(y.broadcasts, id)
		conductor := broadcast.NewConductor(y.town.in.d, y.town.directory, slog.New(slog.DiscardHandler))
		if err := conductor.Drain(ctx); err != nil {
			return err
		}
		if err := y.arrive(ctx, id, 1); err != nil {
			return err
		}
		if err := conductor.Drain(ctx); err != nil {
			return err
		}
		if b, err := y.town.get(ctx, id); err != nil || b.CompletedAt == nil {
			return errors.Join(err, fmt.Errorf("a broadcast is %s", b.State))
		}
	}
	return y.leaveUnderWay(ctx)
}

// leaveUnderWay sends another one to everybody, and pauses it when half of it has arrived.
func (y *years) leaveUnderWay(ctx context.Context) (err error) {
	t := y.town
	if y.underWay, err = t.sendTo(ctx, list); err != nil {
		return err
	}
	if err := broadcast.NewConductor(t.in.d, t.directory, slog.New(slog.DiscardHandler)).Drain(ctx); err != nil {
		return err
	}
	if err := y.arrive(ctx, y.underWay, 2); err != nil {
		return err
	}
	return t.in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := broadcast.Pause(ctx, tx, t.actor(), t.municipality(), y.underWay)
		return err
	})
}

// arrive tells of one of so many of the copies of a broadcast: of twenty one fails, some are delivered, most are read.
func (y *years) arrive(ctx context.Context, id int64, of int) error {
	return y.town.in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE message SET lane = 3, accepted_at = created_at, sent_at = created_at, external_id = 'wamid.COPY' || message_id, counted = 2,
			status = CASE WHEN message_id % 20 = 0 THEN 60 WHEN message_id % 20 < 6 THEN 70 ELSE 80 END, error_code = CASE WHEN message_id % 20 = 0 THEN 131026 ELSE 0 END,
			delivered_at = CASE WHEN message_id % 20 = 0 THEN NULL ELSE created_at END, read_at = CASE WHEN message_id % 20 < 6 THEN NULL ELSE created_at END
			WHERE municipality_id = $1 AND broadcast_id = $2 AND contact_id % $3 = 0`, y.town.in.municipality, id, of)
		return err
	})
}

// keepRegisters writes what is written down beside: the trail, what Meta told, what was not understood, what citizens changed.
func (y *years) keepRegisters(ctx context.Context) error {
	m, in := y.town.in.municipality, y.town.in
	last, err := in.count(ctx, `SELECT COALESCE(max(seq), 0) FROM audit WHERE municipality_id = $1`, m)
	if err != nil {
		return err
	}
	acts := y.messages / 3
	if err := y.rowsOf(ctx, "audit", "municipality_id audit_id at actor_kind actor_id actor_name action object_kind object_id seq prev hash", acts, func(tx *db.Tx, i int) []any {
		return []any{m, tx.NewID(), y.at(i, acts), "operator", 1, "", "message.queued", "conversation", db.FormatID(y.people[i%len(y.people)].talks[0].conversation),
			last + 1 + int64(i), "h" + strconv.Itoa(i), "h" + strconv.Itoa(i+1)}
	}); err != nil {
		return err
	}
	err = in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE audit_head SET seq = $2, hash = $3 WHERE municipality_id = $1`, m, last+int64(acts), "h"+strconv.Itoa(acts))
		return err
	})
	if err != nil {
		return err
	}
	told := y.messages / 200
	if err := y.rowsOf(ctx, "news", "municipality_id news_id key waba_id field event subject facts body at", told, func(tx *db.Tx, i int) []any {
		return []any{m, tx.NewID(), "k" + strconv.Itoa(i), wabaID, "message_template_quality_update", "GREEN", templateName + " it", "{}", "{}", y.at(i, told)}
	}); err != nil {
		return err
	}
	held := y.messages / 500
	if err := y.rowsOf(ctx, "quarantine", "municipality_id quarantine_id entry_id place reason detail body at", held, func(tx *db.Tx, i int) []any {
		return []any{m, tx.NewID(), i, "", "not_json", "", "{", y.at(i, held)}
	}); err != nil {
		return err
	}
	changed := y.messages / 200
	return y.rowsOf(ctx, "revision", "municipality_id external_id target contact_id kind text same_text at place applied", changed, func(tx *db.Tx, i int) []any {
		p := y.people[i%len(y.people)]
		return []any{m, "wamid.EDIT" + strconv.Itoa(i), "wamid.EDITED" + strconv.Itoa(i), p.contact, "edit", prose(5), false, y.at(i, changed), 0, true}
	})
}

// keepJournal leaves what came in over the last days, as it came and long done.
func (y *years) keepJournal(ctx context.Context) error {
	in := y.town.in
	c, n := newCitizens(0, len(y.people)), y.messages/20
	now := time.Now().UTC().Truncate(time.Microsecond)
	return rowsIn(ctx, in.d.UpdateJournal, "journal", "municipality_id entry_id received_at body", n, func(tx *db.Tx, i int) []any {
		at := now.Add(-6 * 24 * time.Hour / time.Duration(n+1) * time.Duration(i))
		return []any{in.municipality, tx.NewID(), at, c.next().body}
	})
}
