// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// However the entries are ordered, divided, doubled and spread over two instances that work at once, what
// comes out is what comes out of one that takes them one after another.
func TestTwoInstancesInAnyOrder(t *testing.T) {
	want := inOrder(t)
	for trial := range 5 {
		t.Run(fmt.Sprint(trial), func(t *testing.T) {
			seed := rand.Uint64()
			got := shuffled(t, rand.New(rand.NewPCG(seed, 0)))
			if diff := compare(want, got); diff != "" {
				t.Errorf("seed %d: -in order, +shuffled\n%s", seed, diff)
			}
		})
	}
}

// noon is the time of every transaction of these tests: later than all that is told.
var noon = time.Date(2025, 11, 25, 12, 0, 0, 0, time.UTC)

func atNoon(o *db.Options) { o.Now = func() time.Time { return noon } }

// aWeek is what arrives, in the order of its times. {o1} to {o5} stand for our messages' ids.
func aWeek() []string {
	var out []string
	second := int64(1764000100)
	add := func(value string) {
		second += 7
		out = append(out, change(strings.ReplaceAll(value, "{at}", fmt.Sprint(second))))
	}
	message := func(from, id, rest string) string {
		return fmt.Sprintf(`{%s,"id":%q,"timestamp":"{at}",%s}`, from, id, rest)
	}
	words := func(s string) string { return fmt.Sprintf(`"type":"text","text":{"body":%q}`, s) }
	for i := range 6 {
		phone, user := fmt.Sprintf(`"from":"39333100%04d"`, i), fmt.Sprintf(`"from_user_id":"IT.U%d"`, i)
		both := fmt.Sprintf(`"contacts":[{"wa_id":"39333100%04d","user_id":"IT.U%d","profile":{"name":"Nome %d","username":"nome.%d"}}],`, i, i, i, i)
		id := func(n int) string { return fmt.Sprintf("wamid.c%d.%d", i, n) }
		add(fmt.Sprintf(`"contacts":[{"wa_id":"39333100%04d","profile":{"name":"Prima"}}],"messages":[%s]`, i, message(phone, id(1), words("solo il telefono"))))
		add(fmt.Sprintf(`"contacts":[{"user_id":"IT.U%d"}],"messages":[%s]`, i, message(user, id(2), words("solo il codice"))))
		add(both + `"messages":[` + message(phone+","+user, id(3), words("tutti e due")) + `]`)
		add(fmt.Sprintf(`"messages":[%s,%s]`, message(phone, id(4), words("una")), message(phone, id(5), words("e due"))))
		add(fmt.Sprintf(`"messages":[%s]`, message(user, id(6), fmt.Sprintf(`"type":"reaction","reaction":{"message_id":%q,"emoji":"👍"}`, id(1)))))
		add(fmt.Sprintf(`"messages":[%s]`, message(phone, id(7), `"context":{"id":"`+id(2)+`"},"type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"si","title":"Sì"}}`)))
		add(fmt.Sprintf(`"contacts":[{"wa_id":"39333100%04d","profile":{"name":"Ultima %d 🌷"}}],"messages":[%s]`, i, i, message(phone, id(8), words("ultima"))))
		edit := func(target, body string) string {
			return fmt.Sprintf(`"type":"edit","edit":{"original_message_id":%q,"message":{"type":"text","text":{"body":%q}}}`, target, body)
		}
		add(`"messages":[` + message(user, id(9), edit(id(8), "corretta una volta")) + `]`)
		add(`"messages":[` + message(phone, id(10), edit(id(8), "corretta due volte")) + `]`)
		add(`"messages":[` + message(phone, id(11), edit(id(1), "corretto il primo")) + `]`)
		add(`"messages":[` + message(phone, id(12), `"type":"revoke","revoke":{"original_message_id":"`+id(2)+`"}`) + `]`)
	}
	for n, told := range []string{"sent", "delivered", "read"} {
		add(fmt.Sprintf(`"statuses":[{"id":"wamid.o1","status":%q,"timestamp":"{at}","recipient_id":"393339990000","pricing":{"type":"regular","category":"utility"}}]`, told))
		add(fmt.Sprintf(`"statuses":[{"id":"wamid.o2","status":%q,"timestamp":"{at}","recipient_id":"393339990000","biz_opaque_callback_data":"{o2}"}]`, told))
		add(fmt.Sprintf(`"statuses":[{"id":"wamid.o3","status":%q,"timestamp":"{at}","recipient_id":"393339990000"}]`, told)) // before our own send was settled
		add(fmt.Sprintf(`"statuses":[{"id":"wamid.unknown%d","status":%q,"timestamp":"{at}","recipient_id":"393339990000"}]`, n, told))
	}
	add(`"statuses":[{"id":"wamid.o4","status":"failed","timestamp":"{at}","recipient_id":"393339990000","errors":[{"code":131026,"title":"Undeliverable"}]},{"id":"wamid.o4","status":"sent","timestamp":"{at}","recipient_id":"393339990000"}]`)
	add(`"statuses":[{"id":"wamid.o5","status":"failed","timestamp":"{at}","recipient_id":"393339990000","errors":[{"code":131049,"title":"Limit"}]}]`)
	add(`"statuses":[{"id":"wamid.o5","status":"delivered","timestamp":"{at}","recipient_id":"393339990000"}]`)
	return out
}

// inOrder is the state after one instance has taken the entries one after another.
func inOrder(t *testing.T) []string {
	t.Helper()
	o := open(t, dbtest.SQLite(t, atNoon))
	ids := o.answers()
	for _, entry := range aWeek() {
		o.deliver(ids.Replace(entry))
	}
	o.settleLate()
	return o.state()
}

// shuffled is the state after two instances have taken them in any order, some of them several times.
func shuffled(t *testing.T, dice *rand.Rand) []string {
	t.Helper()
	address := dbtest.DSNs(t)["postgres"]
	a := open(t, at(t, address))
	ids := a.answers()
	b := run(t, at(t, address), a.key)
	entries := aWeek()
	entries = append(entries, entries[:len(entries)/3]...)
	dice.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	for len(entries) > 0 {
		part := entries[:min(len(entries), 1+dice.IntN(25))]
		entries = entries[len(part):]
		var together sync.WaitGroup
		for _, entry := range part {
			to := []*office{a, b}[dice.IntN(2)]
			together.Go(func() {
				if status := to.post("prova", "secret", []byte(ids.Replace(entry))); status != http.StatusOK {
					t.Errorf("a webhook was answered %d", status)
				}
				to.drain()
			})
		}
		together.Wait()
	}
	a.drain()
	a.again(dice)
	var together sync.WaitGroup
	together.Go(a.drain)
	together.Go(b.drain)
	together.Wait()
	a.settleLate()
	return a.state()
}

// at opens the database of an instance.
func at(t *testing.T, address string) *db.DB {
	t.Helper()
	o := db.Options{DSN: address}
	atNoon(&o)
	d, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func (o *office) drain() {
	if err := o.processor.Drain(o.t.Context()); err != nil {
		o.t.Error(err)
	}
}

func (o *office) update(f func(ctx context.Context, tx *db.Tx) error) {
	o.t.Helper()
	if err := o.d.Update(o.t.Context(), f); err != nil {
		o.t.Fatal(err)
	}
}

// again makes some of the entries come once more, as after a crash.
func (o *office) again(dice *rand.Rand) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO journal_waiting (municipality_id, entry_id, received_at, size)
			SELECT municipality_id, entry_id, received_at, length(body) FROM journal WHERE entry_id % 3 = $1 ON CONFLICT DO NOTHING`, dice.IntN(3))
		return err
	})
}

// answers has a citizen ask and somebody answer five times. What was sent is settled, but for the third
// answer; the result puts our ids for {o1} to {o5}.
func (o *office) answers() *strings.Replacer {
	o.t.Helper()
	o.deliver(change(`"messages":[` + text("393339990000", "wamid.q", "1764000050", "una domanda") + `]`))
	inbox := o.inbox()
	if len(inbox) != 1 {
		o.t.Fatalf("%d conversations", len(inbox))
	}
	anna := staff.Actor{Kind: staff.OperatorKind, ID: 1, Name: "Anna", Role: staff.Operator, Municipality: o.m.ID}
	var places []string
	for _, name := range []string{"o1", "o2", "o4", "o5", late} {
		o.update(func(ctx context.Context, tx *db.Tx) error {
			m, err := conversation.Send(ctx, tx, anna, inbox[0].ID, conversation.Outgoing{Type: conversation.TypeText, Text: "risposta " + name, ClientKey: name})
			places = append(places, "{"+name+"}", db.FormatID(m.ID))
			return err
		})
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Claim(ctx, tx, o.m.ID, "1001", conversation.Reply, conversation.Reply, 1)
			return err
		})
		if name != late {
			o.settle(name)
		}
	}
	return strings.NewReplacer(places...)
}

// late is our message whose send is settled only when everything else is over.
const late = "o3"

func (o *office) settleLate() { o.settle(late) }

func (o *office) settle(name string) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		var id int64
		err := tx.QueryRowContext(ctx, `SELECT message_id FROM message WHERE text = $1`, "risposta "+name).Scan(&id)
		if err != nil {
			return err
		}
		return conversation.Settle(ctx, tx, o.m.ID, "1001", []conversation.Outcome{{MessageID: id, Attempt: 1, Written: true, Status: conversation.Accepted, ExternalID: "wamid." + name}})
	})
}

// state tells everything that a person could see, without the ids that differ from run to run. A stage that was
// overtaken by the next one keeps the time of that, so that only the time of reading is told.
func (o *office) state() (lines []string) {
	o.t.Helper()
	for _, query := range states {
		o.view(func(ctx context.Context, tx *db.Tx) error {
			rows, err := tx.QueryContext(ctx, query)
			if err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
			defer rows.Close()
			for rows.Next() {
				columns, err := rows.Columns()
				if err != nil {
					return err
				}
				values := make([]any, len(columns))
				for i := range values {
					values[i] = new(any)
				}
				if err := rows.Scan(values...); err != nil {
					return err
				}
				var line strings.Builder
				for i, v := range values {
					fmt.Fprintf(&line, "%s=%s ", columns[i], told(*v.(*any)))
				}
				lines = append(lines, line.String())
			}
			return rows.Err()
		})
	}
	slices.Sort(lines)
	return lines
}

// told writes a value the same way whichever engine it is from.
func told(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []byte:
		return string(v)
	}
	return fmt.Sprintf("%v", v)
}

// A contact goes by the least of its addresses, a conversation by the least id of its questions.
const (
	whose = `(SELECT min(a.value) FROM contact_address a WHERE a.municipality_id = x.municipality_id AND a.contact_id = x.contact_id)`
	which = `(SELECT min(q.external_id) FROM message q WHERE q.municipality_id = x.municipality_id AND q.conversation_id = x.conversation_id AND q.direction = 'in' AND q.type <> 'reaction')`
)

var states = []string{
	`SELECT 'contact' AS what, ` + whose + ` AS who, x.name, x.username, x.phone, x.user_id FROM contact x WHERE x.merged_into = 0`,
	`SELECT 'address' AS what, ` + whose + ` AS who, x.kind, x.value, x.since, x.until FROM contact_address x`,
	`SELECT 'message' AS what, ` + whose + ` AS who, ` + which + ` AS conversation, x.external_id, x.direction, x.type, x.text, x.reply_to, x.at, x.place,
		x.status, x.error_code, x.read_at, x.edited_at, x.revoked_at, x.pricing FROM message x`,
	`SELECT 'revision' AS what, ` + whose + ` AS who, x.external_id, x.target, x.kind, x.text, x.at, x.place, CASE WHEN x.applied THEN 1 ELSE 0 END AS applied FROM revision x`,
	`SELECT 'conversation' AS what, ` + whose + ` AS who, ` + which + ` AS conversation, x.number, x.state, x.unread, x.opened_at, x.waiting_since, x.first_reply_at,
		x.last_inbound_at, x.last_message_at, (SELECT l.external_id FROM message l WHERE l.municipality_id = x.municipality_id AND l.message_id = x.last_message_id) AS last,
		x.last_direction, x.last_type, x.last_text FROM conversation x WHERE 'merged' NOT IN (x.state, x.resolution)`,
	`SELECT 'early' AS what, external_id, status, at FROM status_early`,
	`SELECT 'tally' AS what, day, name, count FROM tally WHERE name = 'free_delivered' OR name LIKE 'cost:%'`,
	`SELECT 'quarantine' AS what, reason FROM quarantine`,
}

// compare is the lines that are in one state only.
func compare(want, got []string) string {
	var out strings.Builder
	for _, w := range want {
		if !slices.Contains(got, w) {
			out.WriteString("-" + w + "\n")
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			out.WriteString("+" + g + "\n")
		}
	}
	return out.String()
}
