// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/riverqueue/river"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/outbound"
	"github.com/filodiretto/filodiretto/internal/retention"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// neighbourFile is testFile for the municipality next door, with an account of its own.
var neighbourFile = strings.NewReplacer("slug: prova", "slug: vicino", "Comune di Prova", "Comune Vicino", "0541 123456", "0573 222222",
	"100000000000001", "100000000000002", "200000000000001", "200000000000002", `"simulator"`, `"vicino"`).Replace(testFile)

// Every kind of background job is tried with one municipality's name and another's ids: it does nothing.
// A new kind of job without a trial fails.
func TestJobsStayInTheirMunicipality(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := install(t, address)
			downloads := in.hangDownloads()
			downloads.next(1000)
			in.neighbour()
			in.start()
			in.control(http.MethodPost, "citizens", map[string]any{"phone": citizenPhone, "name": "Maria Bianchi"}, nil)
			in.control(http.MethodPost, "citizens/"+citizenPhone+"/messages", map[string]any{"number": "100000000000002", "image": map[string]any{"sample": true}}, nil)
			downloads.wait(1)
			d := in.open()
			ours, theirs := in.id(d, `SELECT municipality_id FROM municipality WHERE slug = 'prova'`), in.id(d, `SELECT municipality_id FROM municipality WHERE slug = 'vicino'`)
			message, file := in.id(d, `SELECT message_id FROM message`), in.id(d, `SELECT media_id FROM media`)
			in.until("the templates of both are there", func() bool { return in.count(d, `SELECT count(DISTINCT municipality_id) FROM template`) == 2 })

			trials := map[string]river.JobArgs{
				"fetch_media":   media.FetchArgs{Municipality: ours, Media: file, Conversation: in.id(d, `SELECT conversation_id FROM conversation`)},
				"outbound.read": outbound.ReadArgs{Municipality: ours, Message: message},
				"outbound.sync": outbound.SyncArgs{Municipality: message}, // no municipality at all
				"retention.run": retention.Args{Municipality: message},    // none either
				"app.upkeep":    nil,                                      // it names none
			}
			if kinds := jobKinds(t); !slices.Equal(kinds, slices.Sorted(maps.Keys(trials))) {
				t.Errorf("kinds of jobs are %q, those tried %q", kinds, slices.Sorted(maps.Keys(trials)))
			}
			for kind, args := range trials {
				if args != nil {
					if state := in.work(d, args); state != "completed" && kind != "outbound.read" {
						t.Errorf("%s is %s", kind, state)
					}
				}
			}
			if n := downloads.begun(); n != 1 {
				t.Errorf("%d downloads were begun, want the owner's alone", n)
			}
			in.expect(d, fmt.Sprintf(`SELECT count(*) FROM media WHERE municipality_id <> %d OR state <> 'pending'`, theirs), 0)
			if marks := in.sends(); len(marks) != 0 {
				t.Errorf("Meta was told %s", marks)
			}
			in.expect(d, `SELECT count(*) FROM template t WHERE NOT EXISTS (SELECT 1 FROM number n WHERE n.municipality_id = t.municipality_id AND n.waba_id = t.waba_id)`, 0)

			if state := in.work(d, outbound.ReadArgs{Municipality: theirs, Message: message}); state != "completed" || len(in.sends()) != 1 {
				t.Errorf("the owner's own job is %s, and Meta was told %s", state, in.sends())
			}
		})
	}
}

// neighbour adds another municipality with an account of its own.
func (in *installation) neighbour() {
	in.t.Helper()
	in.control(http.MethodPost, "accounts", map[string]any{"waba_id": "200000000000002", "phone_number_id": "100000000000002", "display_number": "+39 0573 222222",
		"verified_name": "Comune Vicino", "token": "vicino", "app_secret": "vicino", "verify_token": "vicino"}, nil)
	file := filepath.Join(in.data, "vicino.yaml")
	if err := os.WriteFile(file, []byte(neighbourFile), 0o600); err != nil {
		in.t.Fatal(err)
	}
	in.command("apply", file)
	in.control(http.MethodPut, "webhook", map[string]any{"waba_id": "200000000000002", "url": in.url + "/webhooks/whatsapp/vicino", "app_secret": "vicino", "verify_token": "vicino"}, nil)
}

func (in *installation) id(d *db.DB, query string) (id int64) {
	in.t.Helper()
	err := d.View(in.t.Context(), func(ctx context.Context, tx *db.Tx) error { return tx.QueryRowContext(ctx, query).Scan(&id) })
	if err != nil {
		in.t.Fatalf("%s: %v", query, err)
	}
	return id
}

// work leaves a job, waits until the process has tried it, and returns its state.
func (in *installation) work(d *db.DB, args river.JobArgs) (state string) {
	in.t.Helper()
	var job int64
	err := d.Update(in.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		if err := tx.Enqueue(ctx, args, nil); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT max(id) FROM river_job WHERE kind = $1`, args.Kind()).Scan(&job)
	})
	if err != nil {
		in.t.Fatal(err)
	}
	in.until("the job was tried", func() bool {
		tried := false
		err := d.View(in.t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return tx.QueryRowContext(ctx, `SELECT state, attempt > 0 FROM river_job WHERE id = $1`, job).Scan(&state, &tried)
		})
		return err == nil && tried && state != "running"
	})
	return state
}

var kindOfJob = regexp.MustCompile(`\) Kind\(\) string \{ return "([^"]+)" \}`)

// jobKinds are the kinds of job that the source has.
func jobKinds(t *testing.T) (kinds []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range kindOfJob.FindAllStringSubmatch(string(source), -1) {
			kinds = append(kinds, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(kinds)
	return kinds
}

// What is done by the command line is in the trail of the municipality, too, and tells of nobody.
func TestCommandsLeaveRows(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := install(t, address) // it applies the file and creates a token
			in.commandWith(goodPassword+"\n", "staff", "add", "--municipality", in.slug, "--email", "anna@prova.example", "--name", "Anna Rossi", "--role", "operator")
			in.command("staff", "reset", "--email", "anna@prova.example")
			in.command("token", "revoke", "--municipality", in.slug, "--name", "prova")
			d := in.open()
			var rows []string
			err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				list, err := tx.QueryContext(ctx, `SELECT action, actor_kind, actor_name, object_id, CAST(detail AS text) FROM audit ORDER BY audit_id`)
				if err != nil {
					return err
				}
				defer list.Close()
				for list.Next() {
					var action, kind, name, object, detail string
					if err := list.Scan(&action, &kind, &name, &object, &detail); err != nil {
						return err
					}
					if kind != string(staff.SystemKind) || name != "cli" {
						t.Errorf("%s was done by %s %s", action, kind, name)
					}
					if strings.Contains(object+detail, "Anna") || strings.Contains(object+detail, "@") {
						t.Errorf("%s tells of a person: %s %s", action, object, detail)
					}
					rows = append(rows, action)
				}
				return list.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []staff.Action{"municipality.applied", staff.TokenCreated, staff.MemberAdded, staff.StaffInvited, staff.TokenRevoked} {
				if !slices.Contains(rows, string(want)) {
					t.Errorf("%s left no row in %q", want, rows)
				}
			}
		})
	}
}
