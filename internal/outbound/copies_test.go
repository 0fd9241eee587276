// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/towntest"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

const lists = `
lists:
  - {keyword: AVVISI, name: Avvisi, kind: notice}
`

// released is an office with a broadcast to n citizens whose copies wait in the outbox; nothing sends them yet.
func released(t *testing.T, d *db.DB, n int, free string) (o *office, b broadcast.Broadcast) {
	t.Helper()
	o = setUp(t, d)
	o.apply(towntest.Simulated + lists)
	o.listTemplate("Il Comune informa: {{1}}. Grazie.")
	actor := o.supervisor()
	o.update(func(ctx context.Context, tx *db.Tx) (err error) {
		for i := range n {
			ids, _, err := contact.Resolve(ctx, tx, o.m.ID, []contact.Person{{Phone: fmt.Sprintf("39333%07d", i), Name: fmt.Sprint("Maria ", i), At: tx.Now()}})
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO subscription (municipality_id, contact_id, topic, state, number, since, at) VALUES ($1, $2, 'AVVISI', 1, $3, $4, $4)`,
				o.m.ID, ids[0], number, tx.Now()); err != nil {
				return err
			}
			if free == "" {
				continue
			}
			if _, err := conversation.Receive(ctx, tx, o.m.ID, []conversation.Message{{ID: tx.NewID(), ContactID: ids[0], Number: number,
				ExternalID: fmt.Sprint("wamid.in", i), Type: conversation.TypeText, Text: "Buongiorno", At: tx.Now()}}); err != nil {
				return err
			}
		}
		b, err = broadcast.Create(ctx, tx, actor, o.m, broadcast.Plan{Audience: broadcast.Audience{Lists: []string{"AVVISI"}},
			Message: broadcast.Message{Template: conversation.Template{Name: "avviso", Language: "it"}, Parameters: municipality.Parameters{List: []string{"{name}, via Roma è chiusa"}}, Free: free}})
		if err != nil {
			return err
		}
		b, err = broadcast.Submit(ctx, tx, actor, o.m, b.ID)
		return err
	})
	o.conduct()
	return o, b
}

func (o *office) supervisor() staff.Actor {
	return staff.Actor{Kind: staff.OperatorKind, ID: 1, Name: "Anna", Role: staff.Supervisor, Municipality: o.m.ID}
}

// listTemplate makes Meta's listing the one template with this body; without a body there is none.
func (o *office) listTemplate(body string) {
	o.t.Helper()
	var all []municipality.Template
	if body != "" {
		components, err := json.Marshal([]any{map[string]any{"type": "BODY", "text": body}})
		if err != nil {
			o.t.Fatal(err)
		}
		all = []municipality.Template{{WABA: "200000000000001", Template: whatsapp.Template{ID: "1", Name: "avviso", Language: "it", Status: "APPROVED", Category: "UTILITY",
			ParameterFormat: "POSITIONAL", Components: components}}}
	}
	o.update(func(ctx context.Context, tx *db.Tx) error {
		return municipality.SaveTemplates(ctx, tx, o.m.ID, "200000000000001", all)
	})
}

func (o *office) conduct() {
	o.t.Helper()
	directory, err := municipality.NewDirectory(o.t.Context(), o.d, o.key)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := broadcast.NewConductor(o.d, directory, slog.New(slog.DiscardHandler)).Drain(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

// until waits for a broadcast and its outcomes to be as they should.
func (o *office) until(id int64, as func(broadcast.Broadcast, broadcast.Outcomes) bool) {
	o.t.Helper()
	o.await(func() (bool, any) {
		var b broadcast.Broadcast
		var n broadcast.Outcomes
		o.update(func(ctx context.Context, tx *db.Tx) (err error) {
			if b, err = broadcast.Get(ctx, tx, o.m.ID, id); err != nil {
				return err
			}
			n, err = broadcast.Count(ctx, tx, o.m.ID, id)
			return err
		})
		return as(b, n), fmt.Sprintf("%s by %d: %+v", b.State, b.PauseCode, n)
	})
}

// types are those of the messages that reached Meta.
func (o *office) types() (types []string) {
	o.t.Helper()
	var all struct {
		Items []struct{ Body struct{ Type string } }
	}
	o.control("GET", "requests?path=/messages&method=POST", nil, &all)
	for _, r := range all.Items {
		types = append(types, r.Body.Type)
	}
	return types
}

// A template that Meta no longer has, or has with other variables, would fail for everybody: its broadcast is
// paused, nobody's copy is lost, and it goes on once the template is there.
func TestATemplateThatIsGonePausesItsBroadcast(t *testing.T) {
	for _, c := range []struct {
		name, body string
		code       int
	}{{"gone", "", 132001}, {"changed", "Il Comune informa: {{1}} e {{2}}. Grazie.", 132000}} {
		t.Run(c.name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				o, b := released(t, d, 20, "")
				o.listTemplate(c.body)
				o.start(d)
				o.until(b.ID, func(b broadcast.Broadcast, n broadcast.Outcomes) bool {
					return b.State == broadcast.Paused && b.PauseCode == c.code && n.Queued == 20
				})
				if got := o.types(); len(got) != 0 {
					t.Errorf("sent %v", got)
				}
				o.listTemplate("Il Comune informa: {{1}}. Grazie.")
				o.update(func(ctx context.Context, tx *db.Tx) error {
					_, err := broadcast.Resume(ctx, tx, o.supervisor(), o.m, b.ID)
					return err
				})
				o.until(b.ID, func(_ broadcast.Broadcast, n broadcast.Outcomes) bool {
					o.conduct()
					return n.Accepted == 20
				})
			})
		})
	}
}

// A free copy whose citizen's window has closed while it waited goes as the template it would have been, whether
// the desk sees it or Meta says so.
func TestAFreeCopyThatComesTooLateGoesAsTemplate(t *testing.T) {
	for name, c := range map[string]struct {
		late func(o *office)
		sent []string
	}{
		"the desk sees it": {func(o *office) {
			o.update(func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.ExecContext(ctx, `UPDATE message SET at = $1 WHERE direction = 'in'`, tx.Now().Add(-25*time.Hour))
				return err
			})
		}, []string{conversation.TypeTemplate}},
		"Meta says so": {func(o *office) {
			o.faults(map[string]any{"refuse": []any{map[string]any{"code": 131047, "times": 1}}})
		}, []string{conversation.TypeText, conversation.TypeTemplate}},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				o, b := released(t, d, 1, "Via Roma è chiusa.")
				c.late(o)
				o.start(d)
				o.until(b.ID, func(_ broadcast.Broadcast, n broadcast.Outcomes) bool { return n.Accepted == 1 })
				if got := o.types(); !slices.Equal(got, c.sent) {
					t.Errorf("sent %v, want %v", got, c.sent)
				}
			})
		})
	}
}

// Copies on a number that leaves the municipality's file go from the one that is left.
func TestARetiredNumbersCopiesGoFromAnother(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o, b := released(t, d, 5, "")
		o.apply(strings.ReplaceAll(towntest.Simulated, number, "100000000000002") + lists)
		o.start(d)
		o.until(b.ID, func(broadcast.Broadcast, broadcast.Outcomes) bool {
			o.conduct()
			var n int
			o.update(func(ctx context.Context, tx *db.Tx) error {
				return tx.QueryRowContext(ctx, `SELECT count(*) FROM message WHERE number = '100000000000002' AND status >= 20 AND broadcast_id = $1`, b.ID).Scan(&n)
			})
			return n == 5
		})
	})
}

// A broadcast that greets each citizen by name asks for its template once in a claim, as any other.
func TestATemplateIsReadOnceForManyNames(t *testing.T) {
	const copies = 30
	var read atomic.Int64
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o, b := released(t, d, copies, "")
		read.Store(0)
		o.start(d)
		o.until(b.ID, func(_ broadcast.Broadcast, n broadcast.Outcomes) bool { return n.Open() == 0 })
		if n := read.Load(); n == 0 || n > copies/2 {
			t.Errorf("the template was read %d times for %d copies", n, copies)
		}
	}, func(options *db.Options) {
		options.Observe = func(query string, _ []any) {
			if strings.Contains(query, "FROM template WHERE") && strings.Contains(query, "language =") {
				read.Add(1)
			}
		}
	})
}
