// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/towntest"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

const (
	number = "100000000000001"
	second = "100000000000002"
	town   = `
slug: prova
name: Comune di Prova
locale: it
whatsapp:
  - {id: main, display_number: "+39 0541 123456", phone_number_id: "100000000000001", waba_id: "200000000000001", access_token: t, app_secret: s, verify_token: v}
  - {id: second, display_number: "+39 0541 123457", phone_number_id: "100000000000002", waba_id: "200000000000001", access_token: t, app_secret: s, verify_token: v}
access: open
automation: none
offices: [{id: urp, name: URP}]
calendars: {whatsapp: {weekly: [{days: [mon], open: "09:00", close: "13:00"}]}}
policy: {version: "1", text: "Informativa."}
lists:
  - {keyword: EMERGENZE, name: Emergenze, kind: emergency}
  - {keyword: AVVISI, name: Avvisi, kind: notice}
  - {keyword: EVENTI, name: Eventi, kind: notice}
districts:
  - {keyword: CENTRO, name: Centro}
`
)

// office is a municipality with lists, and a clock that the test sets.
type office struct {
	t         *testing.T
	d         *db.DB
	key       *secret.Key
	now       time.Time
	m         *municipality.Municipality
	directory *municipality.Directory
	conductor *broadcast.Conductor
	people    int
}

func each(t *testing.T, f func(t *testing.T, o *office)) {
	o := &office{}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		*o = office{t: t, d: d, now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
		o.open()
		f(t, o)
		o.counted()
	}, func(options *db.Options) { options.Now = func() time.Time { return o.now } })
}

// countAgain makes the numbers of subscribers true after a test has written subscriptions by itself.
const countAgain = `INSERT INTO subscribers (municipality_id, topic, count) SELECT municipality_id, topic, count(*) FROM subscription
	WHERE state = 1 GROUP BY municipality_id, topic ON CONFLICT (municipality_id, topic) DO UPDATE SET count = excluded.count`

// counted fails unless the numbers of subscribers are what counting them gives.
func (o *office) counted() {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		kept, err := broadcast.CountSubscribers(ctx, tx, o.m.ID)
		if err != nil {
			return err
		}
		there := make(map[string]int)
		err = tx.Query(ctx, `SELECT topic, count(*) FROM subscription WHERE municipality_id = $1 AND state = 1 GROUP BY topic`, [][]any{{o.m.ID}}, func(_ int, row db.Scanner) error {
			var topic string
			var n int
			err := row.Scan(&topic, &n)
			there[topic] = n
			return err
		})
		if !maps.Equal(kept, there) {
			o.t.Errorf("%v are said to be on the lists, %v are", kept, there)
		}
		return err
	})
}

// alone runs f on one engine only, for what only that one does.
func alone(t *testing.T, open func(testing.TB, ...dbtest.Option) *db.DB, f func(o *office), options ...dbtest.Option) {
	t.Helper()
	o := &office{t: t, now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	o.d = open(t, append(options, func(options *db.Options) { options.Now = func() time.Time { return o.now } })...)
	o.open()
	f(o)
}

func (o *office) open() {
	o.key = towntest.Key(o.t)
	m := towntest.Apply(o.t, o.d, o.key, town)
	o.update(func(ctx context.Context, tx *db.Tx) error {
		return municipality.SaveTemplates(ctx, tx, m.ID, "200000000000001", []municipality.Template{
			template("avviso", "UTILITY", "Il Comune informa: {{1}}. Per non ricevere avvisi scrivi STOP."),
			template("evento", "MARKETING", "Ti invitiamo: {{1}}. Per non ricevere avvisi scrivi STOP."),
		})
	})
	directory, err := municipality.NewDirectory(o.t.Context(), o.d, o.key)
	if err != nil {
		o.t.Fatal(err)
	}
	o.directory = directory
	o.refresh()
	o.conductor = broadcast.NewConductor(o.d, directory, slog.New(slog.DiscardHandler))
}

// refresh reads the municipality again.
func (o *office) refresh() {
	o.t.Helper()
	if err := o.directory.Refresh(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	o.m, _ = o.directory.BySlug("prova")
}

func template(name, category, body string) municipality.Template {
	components, err := json.Marshal([]any{map[string]any{"type": "BODY", "text": body}})
	if err != nil {
		panic(err)
	}
	return municipality.Template{WABA: "200000000000001", Template: whatsapp.Template{ID: name, Name: name, Language: "it", Status: "APPROVED", Category: category,
		ParameterFormat: "POSITIONAL", Components: components}}
}

func (o *office) update(f func(ctx context.Context, tx *db.Tx) error) {
	o.t.Helper()
	if err := o.d.Update(o.t.Context(), f); err != nil {
		o.t.Fatal(err)
	}
}

// subscribed makes a citizen who is on topics, by a number.
func (o *office) subscribed(number string, topics ...string) (id int64) {
	o.t.Helper()
	o.people++
	o.update(func(ctx context.Context, tx *db.Tx) error {
		ids, _, err := contact.Resolve(ctx, tx, o.m.ID, []contact.Person{{Phone: fmt.Sprintf("39333%07d", o.people), Name: "Maria Rossi", At: tx.Now()}})
		if err != nil {
			return err
		}
		id = ids[0]
		for _, topic := range topics {
			if _, err := tx.ExecContext(ctx, `INSERT INTO subscription (municipality_id, contact_id, topic, state, number, since, at) VALUES ($1, $2, $3, 1, $4, $5, $5)`,
				o.m.ID, id, topic, number, tx.Now()); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, countAgain)
		return err
	})
	return id
}

func (o *office) anna() staff.Actor  { return o.person(1, "Anna", staff.Supervisor) }
func (o *office) bruno() staff.Actor { return o.person(2, "Bruno", staff.Supervisor) }

func (o *office) person(id int64, name string, role staff.Role) staff.Actor {
	return staff.Actor{Kind: staff.OperatorKind, ID: id, Name: name, Role: role, Municipality: o.m.ID}
}

func plan(lists ...string) broadcast.Plan {
	return broadcast.Plan{Audience: broadcast.Audience{Lists: lists},
		Message: broadcast.Message{Template: conversation.Template{Name: "avviso", Language: "it"}, Parameters: municipality.Parameters{List: []string{"via Roma è chiusa"}}}}
}

// sent writes and sends a broadcast.
func (o *office) sent(p broadcast.Plan) (b broadcast.Broadcast) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) (err error) {
		if b, err = broadcast.Create(ctx, tx, o.anna(), o.m, p); err != nil {
			return err
		}
		b, err = broadcast.Submit(ctx, tx, o.anna(), o.m, b.ID)
		return err
	})
	return b
}

func (o *office) conduct() {
	o.t.Helper()
	if err := o.conductor.Drain(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) get(id int64) (b broadcast.Broadcast) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) (err error) {
		b, err = broadcast.Get(ctx, tx, o.m.ID, id)
		return err
	})
	return b
}

func (o *office) outcomes(id int64) (out broadcast.Outcomes) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) (err error) {
		out, err = broadcast.Count(ctx, tx, o.m.ID, id)
		return err
	})
	return out
}

// claim takes what a number may send now, from every lane.
func (o *office) claim(number string, most int) (claimed []conversation.Message) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) (err error) {
		claimed, err = conversation.Claim(ctx, tx, o.m.ID, number, conversation.Emergency, conversation.Broadcast, most)
		return err
	})
	return claimed
}

// settle ends attempts.
func (o *office) settle(number string, claimed []conversation.Message, status conversation.Status, code int) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		var outcomes []conversation.Outcome
		for _, m := range claimed {
			outcome := conversation.Outcome{MessageID: m.ID, ContactID: m.ContactID, BroadcastID: m.BroadcastID, Attempt: m.Attempts, Written: true, Status: status, ErrorCode: code}
			if status == conversation.Accepted {
				outcome.ExternalID = "wamid." + db.FormatID(m.ID)
			}
			outcomes = append(outcomes, outcome)
		}
		if err := conversation.Settle(ctx, tx, o.m.ID, number, outcomes); err != nil {
			return err
		}
		return broadcast.Settled(ctx, tx, o.m, outcomes)
	})
}

// deliver conducts, claims and accepts until nothing goes out any more, and returns who got what.
func (o *office) deliver() (got map[int64][]string) {
	o.t.Helper()
	got = make(map[int64][]string)
	for {
		o.conduct()
		n := 0
		for _, number := range []string{number, second} {
			claimed := o.claim(number, 100)
			for _, m := range claimed {
				got[m.ContactID] = append(got[m.ContactID], m.Text)
			}
			o.settle(number, claimed, conversation.Accepted, 0)
			n += len(claimed)
		}
		if n == 0 {
			return got
		}
	}
}

func TestEverybodyOnAListGetsItOnce(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		both := o.subscribed(number, "AVVISI", "EVENTI")
		events := o.subscribed(second, "EVENTI")
		emergencies := o.subscribed(number, "EMERGENZE")
		b := o.sent(plan("AVVISI", "EVENTI"))
		got := o.deliver()
		const text = "Il Comune informa: via Roma è chiusa. Per non ricevere avvisi scrivi STOP."
		for _, id := range []int64{both, events} {
			if !slices.Equal(got[id], []string{text}) {
				t.Errorf("contact %d got %q", id, got[id])
			}
		}
		if got[emergencies] != nil {
			t.Errorf("somebody on another list got %q", got[emergencies])
		}
		if b = o.get(b.ID); b.State != broadcast.Completed || b.Recipients != 2 || b.StartedAt == nil || b.CompletedAt == nil {
			t.Errorf("the broadcast is %+v", b)
		}
		if out := o.outcomes(b.ID); out.Accepted != 2 || out.Audience() != 2 {
			t.Errorf("outcomes are %+v", out)
		}
	})
}

func TestDistrictsAndExclusions(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		centre := o.subscribed(number, "AVVISI", "CENTRO")
		o.subscribed(number, "AVVISI")
		o.subscribed(number, "AVVISI", "CENTRO", "EVENTI")
		p := plan("AVVISI")
		p.Districts, p.Exclude = []string{"CENTRO"}, []string{"EVENTI"}
		o.sent(p)
		got := o.deliver()
		if len(got) != 1 || len(got[centre]) != 1 {
			t.Errorf("got %v", got)
		}
	})
}

// Many citizens over several pages of the preparation and several releases: each once.
func TestManyPages(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		const people = 1207
		o.crowd(people)
		b := o.sent(plan("AVVISI"))
		got := o.deliver()
		for id, texts := range got {
			if len(texts) != 1 {
				t.Errorf("contact %d got %d", id, len(texts))
			}
		}
		if len(got) != people || o.get(b.ID).Recipients != people {
			t.Errorf("%d got it of %d prepared, there are %d", len(got), o.get(b.ID).Recipients, people)
		}
	})
}

// crowd puts many citizens on a list, by both numbers in turn.
func (o *office) crowd(n int) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		var people []contact.Person
		for range n {
			o.people++
			people = append(people, contact.Person{Phone: fmt.Sprintf("39333%07d", o.people), At: tx.Now()})
		}
		ids, _, err := contact.Resolve(ctx, tx, o.m.ID, people)
		if err != nil {
			return err
		}
		rows := make([][]any, n)
		for i, id := range ids {
			rows[i] = []any{o.m.ID, id, []string{number, second}[i%2], tx.Now()}
		}
		_, err = tx.Exec(ctx, `INSERT INTO subscription (municipality_id, contact_id, topic, state, number, since, at) VALUES ($1, $2, 'AVVISI', 1, $3, $4, $4)`, rows)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, countAgain)
		return err
	})
}

func TestNobodyOnTheListCompletesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.sent(plan("AVVISI"))
		o.conduct()
		if b = o.get(b.ID); b.State != broadcast.Completed || b.Recipients != 0 {
			t.Errorf("it is %s with %d recipients", b.State, b.Recipients)
		}
	})
}

// An emergency waits for a second person, who is not its author; breaking the glass takes a reason.
func TestFourEyes(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.subscribed(number, "EMERGENZE")
		b := o.sent(plan("EMERGENZE"))
		if b.State != broadcast.AwaitingApproval || !b.Emergency {
			t.Fatalf("it is %+v", b)
		}
		o.conduct()
		if got := o.claim(number, 10); len(got) != 0 {
			t.Fatal("it went out without approval")
		}
		token := staff.Actor{Kind: staff.TokenKind, ID: 9, Name: "programma", Municipality: o.m.ID}
		for name, act := range map[string]func(ctx context.Context, tx *db.Tx) (broadcast.Broadcast, error){
			"the author": func(ctx context.Context, tx *db.Tx) (broadcast.Broadcast, error) {
				return broadcast.Approve(ctx, tx, o.anna(), o.m, b.ID)
			},
			"an operator": func(ctx context.Context, tx *db.Tx) (broadcast.Broadcast, error) {
				return broadcast.Approve(ctx, tx, o.person(3, "Carla", staff.Operator), o.m, b.ID)
			},
			"an auditor": func(ctx context.Context, tx *db.Tx) (broadcast.Broadcast, error) {
				return broadcast.Approve(ctx, tx, o.person(4, "Dino", staff.Auditor), o.m, b.ID)
			},
			"a token": func(ctx context.Context, tx *db.Tx) (broadcast.Broadcast, error) {
				return broadcast.Approve(ctx, tx, token, o.m, b.ID)
			},
			"the author without a reason": func(ctx context.Context, tx *db.Tx) (broadcast.Broadcast, error) {
				return broadcast.BreakGlass(ctx, tx, o.anna(), o.m, b.ID, " perché ")
			},
			"a token with a reason": func(ctx context.Context, tx *db.Tx) (broadcast.Broadcast, error) {
				return broadcast.BreakGlass(ctx, tx, token, o.m, b.ID, "nessuno risponde al telefono")
			},
		} {
			err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error { _, err := act(ctx, tx); return err })
			if err == nil {
				t.Errorf("%s approved it", name)
			}
		}
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.Approve(ctx, tx, o.bruno(), o.m, b.ID)
			return err
		})
		if got := o.deliver(); len(got) != 1 {
			t.Errorf("after approval %d got it", len(got))
		}
		if b = o.get(b.ID); b.Approver != "Bruno" || b.Glass != "" {
			t.Errorf("approved by %q, glass %q", b.Approver, b.Glass)
		}
	})
}

func TestBreakingTheGlassIsToldToAll(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.subscribed(number, "EMERGENZE")
		b := o.sent(plan("EMERGENZE"))
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.BreakGlass(ctx, tx, o.anna(), o.m, b.ID, "Sono sola e il fiume sale.")
			return err
		})
		if got := o.deliver(); len(got) != 1 {
			t.Errorf("%d got it", len(got))
		}
		o.update(func(ctx context.Context, tx *db.Tx) error {
			broken, err := broadcast.GlassBroken(ctx, tx, o.m.ID, o.now.Add(-24*time.Hour))
			if err == nil && (len(broken) != 1 || broken[0].Glass != "Sono sola e il fiume sale." || broken[0].Approver != "Anna") {
				t.Errorf("told of %+v", broken)
			}
			return err
		})
	})
}

// Who edits an emergency that waits makes it a draft: nobody approves what they have not read.
func TestEditingTakesBackTheRequest(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.sent(plan("EMERGENZE"))
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.Edit(ctx, tx, o.anna(), o.m, b.ID, plan("EMERGENZE"))
			return err
		})
		err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.Approve(ctx, tx, o.bruno(), o.m, b.ID)
			return err
		})
		if !errors.Is(err, broadcast.ErrState) {
			t.Errorf("approving a draft gave %v", err)
		}
	})
}

// Emergencies overtake replies, which overtake notices; an exercise overtakes nothing.
func TestOrderOfTheLanes(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.subscribed(number, "AVVISI")
		o.subscribed(number, "EMERGENZE")
		o.sent(plan("AVVISI"))
		o.conduct()
		b := o.sent(plan("EMERGENZE"))
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.Approve(ctx, tx, o.bruno(), o.m, b.ID)
			return err
		})
		o.conduct()
		claimed := o.claim(number, 10)
		if len(claimed) != 2 || claimed[0].BroadcastID != b.ID || claimed[0].Lane != conversation.Emergency || claimed[1].Lane != conversation.Broadcast {
			t.Errorf("claimed %+v", claimed)
		}
	})
}

// Pause, resume and cancel in any order: what went out went out, the rest is parked or cancelled, and the
// account adds up.
func TestPauseResumeCancel(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.crowd(40)
		b := o.sent(plan("AVVISI"))
		o.conduct()
		first := o.claim(number, 5)
		o.act(broadcast.Pause, b.ID)
		o.settle(number, first[:4], conversation.Accepted, 0)
		o.settle(number, first[4:], conversation.Queued, 130429) // surely not sent: it is parked with the rest
		o.conduct()
		if got := append(o.claim(number, 100), o.claim(second, 100)...); len(got) != 0 {
			t.Fatalf("%d went out while it was paused", len(got))
		}
		o.act(broadcast.Resume, b.ID)
		o.conduct()
		then := o.claim(second, 7)
		o.settle(second, then, conversation.Accepted, 0)
		inFlight := o.claim(number, 2)
		o.act(broadcast.Cancel, b.ID)
		o.conduct()
		if out := o.outcomes(b.ID); out.Accepted != 11 || out.Sending != 2 || out.Cancelled != 27 || out.Audience() != 40 {
			t.Errorf("outcomes are %+v", out)
		}
		if o.get(b.ID).CompletedAt != nil {
			t.Error("it ended with two in flight")
		}
		o.settle(number, inFlight[:1], conversation.Uncertain, 0)
		o.settle(number, inFlight[1:], conversation.Queued, 130429)
		o.conduct()
		if out := o.outcomes(b.ID); out.Uncertain != 1 || out.Cancelled != 28 || out.Audience() != 40 || out.Open() != 0 {
			t.Errorf("at the end outcomes are %+v", out)
		}
		if b = o.get(b.ID); b.State != broadcast.Cancelled || b.CompletedAt == nil {
			t.Errorf("it is %s", b.State)
		}
	})
}

func (o *office) act(f func(context.Context, *db.Tx, staff.Actor, *municipality.Municipality, int64) (broadcast.Broadcast, error), id int64) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error { _, err := f(ctx, tx, o.anna(), o.m, id); return err })
}

// Meta's refusal of the template pauses the whole; what was refused goes out after a person resumed it.
func TestTheTemplateIsRefused(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.crowd(20)
		b := o.sent(plan("AVVISI"))
		o.conduct()
		o.settle(number, o.claim(number, 3), conversation.Queued, 132015)
		o.conduct()
		if b = o.get(b.ID); b.State != broadcast.Paused || b.PauseCode != 132015 {
			t.Fatalf("it is %s by %d", b.State, b.PauseCode)
		}
		if got := append(o.claim(number, 100), o.claim(second, 100)...); len(got) != 0 {
			t.Fatalf("%d went out", len(got))
		}
		o.act(broadcast.Resume, b.ID)
		if got := o.deliver(); len(got) != 20 {
			t.Errorf("%d got it", len(got))
		}
		if out := o.outcomes(b.ID); out.Accepted != 20 {
			t.Errorf("outcomes are %+v", out)
		}
	})
}

// The daily limit of Meta holds a notice back, before its whole; an emergency may use it all.
func TestDailyLimit(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.limit("TIER_10")
		o.crowd(12)
		b := o.sent(plan("AVVISI"))
		if got := o.deliver(); len(got) != 9 {
			t.Fatalf("%d got it of a limit of 10, of which one is kept", len(got))
		}
		if b = o.get(b.ID); b.Waits != "limit" || b.State != broadcast.Sending {
			t.Errorf("it is %s and waits for %q", b.State, b.Waits)
		}
		o.subscribed(number, "EMERGENZE")
		e := o.sent(plan("EMERGENZE"))
		o.act(func(ctx context.Context, tx *db.Tx, _ staff.Actor, m *municipality.Municipality, id int64) (broadcast.Broadcast, error) {
			return broadcast.Approve(ctx, tx, o.bruno(), m, id)
		}, e.ID)
		if got := o.deliver(); len(got) != 1 {
			t.Errorf("%d got the emergency", len(got))
		}
		o.now = o.now.Add(25 * time.Hour)
		if got := o.deliver(); len(got) != 3 {
			t.Errorf("%d got it a day later", len(got))
		}
		if b = o.get(b.ID); b.Waits != "" || b.State != broadcast.Completed {
			t.Errorf("it is %s and waits for %q", b.State, b.Waits)
		}
	})
}

func (o *office) limit(tier string) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE number SET messaging_limit = $1`, tier)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE municipality SET version = version + 1`)
		}
		return err
	})
	o.refresh()
}

// An update quotes the copy that the citizen got before, and its text names them.
func TestAFollowUpQuotesWhatItFollows(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id := o.subscribed(number, "AVVISI")
		first := o.sent(plan("AVVISI"))
		o.deliver()
		o.subscribed(number, "AVVISI")
		p := plan("AVVISI")
		p.Follows, p.Ends, p.Parameters.List = first.ID, true, []string{"{name}, via Roma è aperta"}
		b := o.sent(p)
		o.conduct()
		claimed := o.claim(number, 10)
		if len(claimed) != 2 {
			t.Fatalf("%d claimed", len(claimed))
		}
		for _, m := range claimed {
			want := ""
			if m.ContactID == id {
				want = "wamid."
			}
			if (m.ReplyTo != "") != (want != "") {
				t.Errorf("the copy of %d quotes %q", m.ContactID, m.ReplyTo)
			}
			if m.ContactID == id && m.Detail.Template.Texts[0] != "Maria Rossi, via Roma è aperta" {
				t.Errorf("the copy says %q", m.Detail.Template.Texts)
			}
		}
		o.update(func(ctx context.Context, tx *db.Tx) error {
			chain, err := broadcast.Chain(ctx, tx, o.m.ID, b.ID)
			if err == nil && (len(chain) != 2 || chain[0].ID != first.ID || chain[1].ID != b.ID) {
				t.Errorf("the chain is %+v", chain)
			}
			return err
		})
	})
}

// What stays silent is offered after ten minutes and sent again once, by one click.
func TestUncertainIsOffered(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.crowd(4)
		b := o.sent(plan("AVVISI"))
		o.conduct()
		o.settle(number, o.claim(number, 2), conversation.Uncertain, 0)
		o.settle(second, o.claim(second, 2), conversation.Accepted, 0)
		o.conduct()
		resend := func() (n int) {
			o.update(func(ctx context.Context, tx *db.Tx) (err error) {
				n, err = broadcast.ResendUncertain(ctx, tx, o.anna(), o.m, b.ID)
				return err
			})
			return n
		}
		if n := resend(); n != 0 {
			t.Errorf("%d were offered at once", n)
		}
		o.now = o.now.Add(11 * time.Minute)
		if n := resend(); n != 2 {
			t.Errorf("%d were sent again", n)
		}
		o.conduct()
		if n := resend(); n != 0 {
			t.Errorf("%d were sent again twice", n)
		}
		o.act(broadcast.Pause, b.ID)
		if got := o.claim(number, 10); len(got) != 0 {
			t.Errorf("%d went out again while it was paused", len(got))
		}
		o.act(broadcast.Resume, b.ID)
		o.conduct()
		if got := o.claim(number, 10); len(got) != 2 || got[0].Text == "" || got[0].Detail.ResendOf == 0 {
			t.Errorf("claimed %+v", got)
		}
		if out := o.outcomes(b.ID); out.Uncertain != 2 || out.Audience() != 4 {
			t.Errorf("outcomes are %+v", out)
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		for name, c := range map[string]struct {
			change func(p *broadcast.Plan)
			want   error
		}{
			"no list":           {func(p *broadcast.Plan) { p.Lists = nil }, broadcast.ErrNobody},
			"an unknown list":   {func(p *broadcast.Plan) { p.Lists = []string{"SCUOLA"} }, broadcast.ErrNobody},
			"an unknown place":  {func(p *broadcast.Plan) { p.Districts = []string{"MARE"} }, broadcast.ErrNobody},
			"no such template":  {func(p *broadcast.Plan) { p.Template.Name = "nessuno" }, broadcast.ErrNoTemplate},
			"silent exercise":   {func(p *broadcast.Plan) { p.Exercise = true }, broadcast.ErrExercise},
			"imitation":         {func(p *broadcast.Plan) { p.Parameters.List = []string{"questo è un IT-Alert di prova"} }, broadcast.ErrImitation},
			"in the past":       {func(p *broadcast.Plan) { p.Schedule = new(o.now.Add(-time.Hour)) }, broadcast.ErrSchedule},
			"following nothing": {func(p *broadcast.Plan) { p.Follows = 12 }, broadcast.ErrFollows},
		} {
			p := plan("AVVISI")
			c.change(&p)
			err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := broadcast.Create(ctx, tx, o.anna(), o.m, p)
				return err
			})
			if !errors.Is(err, c.want) {
				t.Errorf("%s gave %v", name, err)
			}
		}
	})
}

func TestScheduled(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.subscribed(number, "AVVISI")
		p := plan("AVVISI")
		p.Schedule = new(o.now.Add(time.Hour))
		b := o.sent(p)
		if got := o.deliver(); len(got) != 0 || o.get(b.ID).State != broadcast.Scheduled {
			t.Fatalf("it went out before its time to %d", len(got))
		}
		o.now = o.now.Add(time.Hour)
		if got := o.deliver(); len(got) != 1 {
			t.Errorf("%d got it at its time", len(got))
		}
	})
}

// Who has their window open may get plain text, the others the template.
func TestFreeText(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		wrote, silent := o.subscribed(number, "AVVISI"), o.subscribed(number, "AVVISI")
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Receive(ctx, tx, o.m.ID, []conversation.Message{{ID: tx.NewID(), ContactID: wrote, Number: number, ExternalID: "wamid.in",
				Type: conversation.TypeText, Text: "Buongiorno", At: o.now.Add(-time.Hour)}})
			return err
		})
		p := plan("AVVISI")
		p.Free = "Ciao {name}, via Roma è chiusa."
		o.sent(p)
		got := o.deliver()
		if !slices.Equal(got[wrote], []string{"Ciao Maria Rossi, via Roma è chiusa."}) || len(got[silent]) != 1 || got[silent][0][:10] != "Il Comune " {
			t.Errorf("got %v", got)
		}
	})
}

func TestLookBefore(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.crowd(30)
		o.subscribed(number, "AVVISI", "CENTRO")
		o.update(func(ctx context.Context, tx *db.Tx) error {
			e, err := broadcast.Look(ctx, tx, o.m, plan("AVVISI"))
			if err == nil && (e.Recipients != 31 || e.ByNumber[number] != 16 || e.Limit != -1 || e.Duration <= 0 || e.Days != 1) {
				t.Errorf("the estimate is %+v", e)
			}
			return err
		})
		p := plan("AVVISI")
		p.Districts = []string{"CENTRO"}
		o.update(func(ctx context.Context, tx *db.Tx) error {
			e, err := broadcast.Look(ctx, tx, o.m, p)
			if err == nil && (e.Recipients != 1 || e.NoDistrict != 30) {
				t.Errorf("the estimate for a district is %+v", e)
			}
			if err != nil {
				return err
			}
			sample, err := broadcast.Sample(ctx, tx, o.anna(), o.m, plan("AVVISI"), 3)
			if err == nil && (len(sample) != 3 || sample[0].Text == "") {
				t.Errorf("the sample is %+v", sample)
			}
			return err
		})
	})
}

// Who stops marketing at Meta while it waits for them gets none of it, and what is told later holds.
func TestStoppingMarketingWhileItWaits(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		stops, stays := o.subscribed(number, "AVVISI"), o.subscribed(number, "AVVISI")
		p := plan("AVVISI")
		p.Template.Name = "evento"
		o.sent(p)
		o.conduct()
		for _, told := range []broadcast.Preference{{Stop: true, At: o.now}, {Stop: true, At: o.now.Add(2 * time.Minute)}, {At: o.now.Add(time.Minute)}} {
			told.Contact = stops
			o.update(func(ctx context.Context, tx *db.Tx) error {
				return broadcast.Prefer(ctx, tx, o.m, []broadcast.Preference{told})
			})
		}
		if got := o.deliver(); len(got) != 1 || len(got[stays]) != 1 {
			t.Errorf("it went to %v", got)
		}
		o.sent(p)
		if got := o.deliver(); len(got) != 1 || len(got[stays]) != 1 {
			t.Errorf("the next went to %v", got)
		}
	})
}

// Who leaves while their copy is in flight, or waits to be sent again, gets nothing more when it comes back.
func TestLeavingWhileItIsInFlight(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		leaves, other := o.subscribed(number, "AVVISI"), o.subscribed(number, "AVVISI")
		b := o.sent(plan("AVVISI"))
		o.conduct()
		inFlight := o.claim(number, 10)
		o.leaves(leaves, "AVVISI")
		o.settle(number, inFlight, conversation.Queued, 130429)
		if got := o.claim(number, 10); len(got) != 1 || got[0].ContactID != other {
			t.Errorf("after somebody left %+v goes out", got)
		}
		if out := o.outcomes(b.ID); out.Skipped != 1 || out.Audience() != 2 {
			t.Errorf("outcomes are %+v", out)
		}
	})
}

func TestLeavingBeforeItIsSentAgain(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		leaves, stays := o.subscribed(number, "AVVISI"), o.subscribed(number, "AVVISI")
		before := o.subscribed(number, "AVVISI")
		b := o.sent(plan("AVVISI"))
		o.conduct()
		o.settle(number, o.claim(number, 10), conversation.Uncertain, 0)
		o.now = o.now.Add(11 * time.Minute)
		o.leaves(before, "AVVISI")
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.ResendUncertain(ctx, tx, o.anna(), o.m, b.ID)
			return err
		})
		o.conduct()
		o.leaves(leaves, "AVVISI")
		if got := o.deliver(); len(got) != 1 || len(got[stays]) != 1 {
			t.Errorf("sent again to %v", got)
		}
	})
}

// leaves takes a citizen off a list, as a form does.
func (o *office) leaves(contact int64, topic string) {
	o.t.Helper()
	o.now = o.now.Add(2 * time.Second)
	o.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := broadcast.Apply(ctx, tx, staff.Citizen(o.m.ID, contact), o.m, broadcast.Change{Contact: contact, Leave: []string{topic}, Channel: "page", Key: fmt.Sprint(contact, topic)})
		return err
	})
}

// What makes somebody a recipient is asked again when their copy is released.
func TestNoLongerARecipient(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.limit("TIER_10")
		var people []int64
		for range 12 {
			people = append(people, o.subscribed(number, "AVVISI", "CENTRO"))
		}
		p := plan("AVVISI")
		p.Districts, p.Exclude = []string{"CENTRO"}, []string{"EVENTI"}
		o.sent(p)
		if got := o.deliver(); len(got) != 9 {
			t.Fatalf("%d got it within the limit", len(got))
		}
		o.leaves(people[10], "CENTRO")
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO subscription (municipality_id, contact_id, topic, state, number, since, at) VALUES ($1, $2, 'EVENTI', 1, $3, $4, $4)`,
				o.m.ID, people[11], number, tx.Now())
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, countAgain)
			return err
		})
		o.now = o.now.Add(25 * time.Hour)
		if got := o.deliver(); len(got) != 1 || len(got[people[9]]) != 1 {
			t.Errorf("a day later it went to %v", got)
		}
	})
}

// Two contacts that turn out to be one get one copy, by whatever numbers and whenever they were prepared; one that
// failed is no copy.
func TestTwoContactsOfOneCitizen(t *testing.T) {
	for name, c := range map[string]struct {
		first conversation.Status
		want  int
	}{"accepted": {conversation.Accepted, 0}, "failed": {conversation.Failed, 1}} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, o *office) {
				older, younger := o.subscribed(number, "AVVISI"), o.subscribed(second, "AVVISI")
				o.sent(plan("AVVISI"))
				o.conduct()
				o.settle(number, o.claim(number, 10), c.first, 0)
				o.now = o.now.Add(3 * time.Hour)
				o.update(func(ctx context.Context, tx *db.Tx) error {
					merges := []contact.Merge{{From: younger, Into: older}}
					if err := conversation.Merge(ctx, tx, o.m.ID, merges); err != nil {
						return err
					}
					return broadcast.Merge(ctx, tx, o.m, merges)
				})
				if got := o.claim(second, 10); len(got) != c.want {
					t.Errorf("%d go out to the second address", len(got))
				}
			})
		})
	}
}

// A restored database sends nothing of itself: what was scheduled or going out waits for somebody (invariant 15).
func TestRestoredBroadcastsArePaused(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.subscribed(number, "AVVISI")
		later := plan("AVVISI")
		later.Schedule = new(o.now.Add(time.Hour))
		scheduled, sending := o.sent(later), o.sent(plan("AVVISI"))
		o.update(func(ctx context.Context, tx *db.Tx) error {
			n, err := broadcast.RestoreSafe(ctx, tx)
			if n != 2 {
				t.Errorf("%d are paused, not both", n)
			}
			return err
		})
		o.now = o.now.Add(2 * time.Hour)
		if got := o.deliver(); len(got) != 0 {
			t.Errorf("%d got something of a restored database", len(got))
		}
		for _, id := range []int64{scheduled.ID, sending.ID} {
			if state := o.get(id).State; state != broadcast.Paused {
				t.Errorf("broadcast %d is %s", id, state)
			}
		}
	})
}
