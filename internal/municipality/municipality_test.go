// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/staff"
)

func newKey(t testing.TB) *secret.Key {
	t.Helper()
	k, err := secret.Load(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// townFile is an example with ids and secrets that no other town has, as changed by change.
func townFile(t testing.TB, town string, change func(*File)) *File {
	t.Helper()
	env := func(name string) (string, bool) {
		id := 100000000000000 + 100*slices.Index(towns, town)
		switch {
		case strings.HasSuffix(name, "_PHONE_NUMBER_ID"):
			return fmt.Sprint(id + 1), true
		case strings.HasSuffix(name, "_WABA_ID"):
			return fmt.Sprint(id + 2), true
		}
		return "top-secret-" + strings.ToLower(name), true
	}
	f, err := ParseFile(town+".yaml", exampleText(t, town), env)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(f)
	}
	return f
}

func apply(t testing.TB, d *db.DB, key *secret.Key, f *File) (m *Municipality, changes []Change, err error) {
	t.Helper()
	err = d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		m, changes, err = Apply(ctx, tx, key, f)
		return err
	})
	return m, changes, err
}

func mustApply(t testing.TB, d *db.DB, key *secret.Key, f *File) (*Municipality, []Change) {
	t.Helper()
	m, changes, err := apply(t, d, key, f)
	if err != nil {
		t.Fatal(err)
	}
	return m, changes
}

func paths(changes []Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Path)
	}
	return strings.Join(out, " ")
}

func TestApplyIsRepeatable(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		key := newKey(t)
		first := map[string]*Municipality{}
		for _, town := range towns {
			m, changes := mustApply(t, d, key, townFile(t, town, nil))
			if len(changes) == 0 || m.ID == 0 || m.Slug != town || m.Desk == nil {
				t.Errorf("%s: %+v with %d changes", town, m, len(changes))
			}
			first[town] = m
		}
		before := dump(t, d)
		for _, town := range towns {
			m, changes := mustApply(t, d, key, townFile(t, town, nil))
			if len(changes) != 0 || m.ID != first[town].ID || !m.UpdatedAt.Equal(first[town].UpdatedAt) {
				t.Errorf("%s again: %v", town, changes)
			}
			if got := m.Numbers[0].AccessToken.Reveal(); !strings.HasPrefix(got, "top-secret-"+town) {
				t.Errorf("%s: the token came back as %q", town, got)
			}
		}
		if after := dump(t, d); after != before {
			t.Errorf("applying what is there wrote:\n%s\nwas\n%s", after, before)
		}
	})
}

// dump is all that applying may write, as text.
func dump(t testing.TB, d *db.DB) string {
	t.Helper()
	var out strings.Builder
	err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		for _, q := range []string{
			"SELECT slug || ' ' || CAST(version AS text) || ' ' || CAST(file AS text) FROM municipality ORDER BY slug",
			"SELECT CAST(municipality_id AS text) || ' ' || phone_number_id || ' ' || CAST(retired AS text) FROM number ORDER BY phone_number_id",
			"SELECT CAST(audit_id AS text) || ' ' || action FROM audit ORDER BY audit_id",
		} {
			rows, err := tx.QueryContext(ctx, q)
			if err != nil {
				return err
			}
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					return err
				}
				fmt.Fprintln(&out, line)
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestApplyChangesWhatTheFileSays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		key := newKey(t)
		old, _ := mustApply(t, d, key, townFile(t, "rimini", nil))
		m, changes := mustApply(t, d, key, townFile(t, "rimini", func(f *File) {
			f.Name = "Città di Rimini"
			f.Automation = AutomationNone
			f.WhatsApp[0].AppSecret = "another-secret"
		}))
		if got := paths(changes); got != "name whatsapp[main].app_secret automation" {
			t.Errorf("changed: %s", got)
		}
		if m.ID != old.ID || m.Name != "Città di Rimini" || m.File.Automation != AutomationNone || m.Numbers[0].AppSecret.Reveal() != "another-secret" {
			t.Errorf("got %+v", m)
		}
		if old.Numbers[0].AppSecret.Reveal() == "another-secret" {
			t.Error("what others may be reading was changed")
		}
		for _, c := range changes {
			if strings.Contains(c.String(), "another-secret") {
				t.Errorf("a secret is printed: %s", c)
			}
		}
		err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			trail, err := staff.AuditPage(ctx, tx, m.ID, 0, 10)
			if len(trail) != 2 || trail[0].Action != Applied || trail[0].Actor.Name != "cli" || fmt.Sprint(trail[0].Detail["changes"]) != "3" {
				t.Errorf("the trail is %+v", trail)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSecretsAreNotInTheDatabase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m, _ := mustApply(t, d, newKey(t), townFile(t, "rimini", nil))
		err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			var file string
			var sealed [3][]byte
			if err := tx.QueryRowContext(ctx, "SELECT CAST(file AS text) FROM municipality").Scan(&file); err != nil {
				return err
			}
			if err := tx.QueryRowContext(ctx, "SELECT access_token, app_secret, verify_token FROM number").Scan(&sealed[0], &sealed[1], &sealed[2]); err != nil {
				return err
			}
			for _, stored := range append(sealed[:], []byte(file)) {
				if bytes.Contains(stored, []byte("top-secret")) {
					t.Errorf("a secret is stored in the clear: %s", stored)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "m", m, "numbers", m.Numbers)
		if printed := fmt.Sprintf("%v %+v %#v", m, m.File, m.Numbers) + log.String(); strings.Contains(printed, "top-secret") {
			t.Error("a secret is printed")
		}
	})
}

// The rows of one municipality must not open the secrets of another, whoever copies them there.
func TestSecretsDoNotOpenElsewhere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		key := newKey(t)
		mustApply(t, d, key, townFile(t, "rimini", nil))
		carpi, _ := mustApply(t, d, key, townFile(t, "carpi", nil))
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE number SET access_token = (SELECT access_token FROM number WHERE municipality_id <> $1) WHERE municipality_id = $1`, carpi.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewDirectory(t.Context(), d, key); err == nil || !strings.Contains(err.Error(), "carpi") || strings.Contains(err.Error(), "rimini") {
			t.Errorf("got %v, want an error that names carpi", err)
		}
	})
}

func TestANumberBelongsToOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		key := newKey(t)
		rimini, _ := mustApply(t, d, key, townFile(t, "rimini", nil))
		before := dump(t, d)
		_, _, err := apply(t, d, key, townFile(t, "carpi", func(f *File) { f.WhatsApp[0].PhoneNumberID = rimini.Numbers[0].PhoneNumberID }))
		if !fault.Is(err, fault.Conflict, "error.number_taken") {
			t.Errorf("got %v", err)
		}
		if after := dump(t, d); after != before {
			t.Errorf("what was refused is half applied:\n%s", after)
		}
	})
}

func TestDroppedNumbersAreRetired(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		key := newKey(t)
		two := func(f *File) {
			second := f.WhatsApp[0]
			second.ID, second.PhoneNumberID, second.Office, second.Display, second.E164 = "second", "100000000000099", "urp", "0541 704704", "+390541704704"
			f.WhatsApp = append(f.WhatsApp, second)
		}
		m, _ := mustApply(t, d, key, townFile(t, "rimini", two))
		dir, err := NewDirectory(t.Context(), d, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, n, ok := dir.ByNumber("100000000000099"); !ok || n.ID != "second" || len(m.Numbers) != 2 {
			t.Fatalf("got %+v, %t", n, ok)
		}
		m, changes := mustApply(t, d, key, townFile(t, "rimini", nil))
		if len(m.Numbers) != 1 || len(m.Retired) != 1 || len(changes) == 0 {
			t.Fatalf("got %+v, %v", m, changes)
		}
		if n, ok := m.Number("100000000000099"); !ok || n.Display != "0541 704704" || n.E164 != "+390541704704" || n.AccessToken != "" {
			t.Errorf("the retired number is %+v, %t", n, ok)
		}
		if err := dir.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, ok := dir.ByNumber("100000000000099"); ok {
			t.Error("a retired number still receives")
		}
		err = d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			var left int
			err := tx.QueryRowContext(ctx, "SELECT length(access_token) + length(app_secret) + length(verify_token) FROM number WHERE retired").Scan(&left)
			if left != 0 {
				t.Errorf("%d bytes of its secrets are left", left)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		m, _ = mustApply(t, d, key, townFile(t, "rimini", two)) // and back
		if n, ok := m.Number("100000000000099"); !ok || n.AccessToken == "" || len(m.Retired) != 0 {
			t.Errorf("the number that came back is %+v, %t", n, ok)
		}
		_, _, err = apply(t, d, key, townFile(t, "carpi", func(f *File) { f.WhatsApp[0].PhoneNumberID = "100000000000099" }))
		if !fault.Is(err, fault.Conflict, "error.number_taken") {
			t.Errorf("another municipality takes it: %v", err)
		}
	})
}

// Applying the file again is the way back from a lost key.
func TestApplyWithANewKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mustApply(t, d, newKey(t), townFile(t, "rimini", nil))
		key := newKey(t)
		if _, err := NewDirectory(t.Context(), d, key); err == nil {
			t.Fatal("the secrets open with another key")
		}
		_, changes := mustApply(t, d, key, townFile(t, "rimini", nil))
		if got := paths(changes); got != "whatsapp[main].access_token whatsapp[main].app_secret whatsapp[main].verify_token" {
			t.Errorf("changed: %s", got)
		}
		dir, err := NewDirectory(t.Context(), d, key)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := dir.BySlug("rimini"); !ok || m.Numbers[0].AccessToken.Reveal() != "top-secret-rimini_token" {
			t.Errorf("got %+v, %t", m, ok)
		}
	})
}

// Two commands that apply the same new file at once make one municipality.
func TestApplyAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		key := newKey(t)
		ids := make([]int64, 8)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				m, _, err := apply(t, d, key, townFile(t, "rimini", nil))
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = m.ID
			})
		}
		all.Wait()
		if slices.Sort(ids); ids[0] == 0 || ids[0] != ids[len(ids)-1] {
			t.Errorf("municipalities %v", ids)
		}
		if n := strings.Count(dump(t, d), string(Applied)); n != 1 {
			t.Errorf("it was applied %d times", n)
		}
	})
}

func TestDirectory(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		key := newKey(t)
		for _, town := range towns {
			mustApply(t, d, key, townFile(t, town, nil))
		}
		dir, err := NewDirectory(t.Context(), d, key)
		if err != nil {
			t.Fatal(err)
		}
		var slugs []string
		for _, m := range dir.All() {
			slugs = append(slugs, m.Slug)
			byID, ok := dir.ByID(m.ID)
			byNumber, n, found := dir.ByNumber(m.Numbers[0].PhoneNumberID)
			if !ok || byID != m || !found || byNumber != m || n.WABAID != m.Numbers[0].WABAID {
				t.Errorf("%s is found neither by id nor by number", m.Slug)
			}
			if !m.Owns(n.WABAID) || m.Owns("1") || m.Owns("") {
				t.Errorf("%s does not know its accounts", m.Slug)
			}
		}
		if !slices.Equal(slugs, towns) {
			t.Errorf("all are %v", slugs)
		}
		if _, ok := dir.BySlug("atlantis"); ok {
			t.Error("a municipality nobody applied is there")
		}
		if _, _, ok := dir.ByNumber(""); ok {
			t.Error("no number belongs to somebody")
		}
		rimini, _ := dir.BySlug("rimini")
		if !rimini.Desk.At(time.Date(2026, 3, 3, 16, 0, 0, 0, time.UTC).Add(-time.Hour)).Open {
			t.Error("the desk of Rimini is closed on a Tuesday at 16")
		}
		mustApply(t, d, key, townFile(t, "carpi", func(f *File) { f.Name = "Carpi" }))
		if err := dir.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m, _ := dir.BySlug("carpi"); m.Name != "Carpi" {
			t.Errorf("carpi is still called %s", m.Name)
		}
		if m, _ := dir.BySlug("rimini"); m != rimini {
			t.Error("what did not change was read again")
		}
	})
}

// until waits for what another goroutine brings about.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-poll.C:
		}
	}
}

// What one process applies, the directory of another sees: by notice on PostgreSQL, by the sweep on SQLite.
func TestDirectorySeesWhatOthersApply(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			key := newKey(t)
			var instances [2]*db.DB
			for i := range instances {
				d, err := db.Open(t.Context(), db.Options{DSN: dsn})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := d.Close(); err != nil {
						t.Error(err)
					}
				})
				instances[i] = d
			}
			dir, err := NewDirectory(t.Context(), instances[0], key)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { dir.Run(ctx, slog.New(slog.DiscardHandler)) })
			defer running.Wait()
			defer stop()

			m, _ := mustApply(t, instances[1], key, townFile(t, "rimini", nil))
			until(t, "a new municipality", func() bool { _, ok := dir.BySlug("rimini"); return ok })
			number := m.Numbers[0].PhoneNumberID
			err = instances[1].Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				return SetNumberHealth(ctx, tx, m.ID, number, Health{Throughput: "HIGH", Quality: "GREEN"})
			})
			if err != nil {
				t.Fatal(err)
			}
			until(t, "the health of a number", func() bool {
				now, _ := dir.ByID(m.ID)
				return now.Health(number).Throughput == "HIGH"
			})
		})
	}
}

// What can't be read must not take away what could.
func TestDirectoryKeepsWhatWorked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		key := newKey(t)
		rimini, _ := mustApply(t, d, key, townFile(t, "rimini", nil))
		mustApply(t, d, key, townFile(t, "carpi", nil))
		dir, err := NewDirectory(t.Context(), d, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, broken := range []string{
			"UPDATE number SET app_secret = access_token WHERE municipality_id = $1",
			"UPDATE municipality SET file = '{\"slug\": 7}' WHERE municipality_id = $1",
		} {
			err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				for _, q := range []string{broken, "UPDATE municipality SET version = version + 1 WHERE municipality_id = $1"} {
					if _, err := tx.ExecContext(ctx, q, rimini.ID); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			mustApply(t, d, key, townFile(t, "carpi", func(f *File) { f.Name = broken[:20] }))
			if err := dir.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "rimini") {
				t.Errorf("got %v, want an error that names rimini", err)
			}
			if m, ok := dir.BySlug("rimini"); !ok || m.Numbers[0].AppSecret.Reveal() != "top-secret-rimini_app_secret" {
				t.Errorf("rimini became %+v, %t", m, ok)
			}
			if m, _ := dir.BySlug("carpi"); m.Name != broken[:20] {
				t.Error("the trouble of one held up another")
			}
		}
	})
}

func TestNumberHealth(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		key := newKey(t)
		rimini, _ := mustApply(t, d, key, townFile(t, "rimini", nil))
		carpi, _ := mustApply(t, d, key, townFile(t, "carpi", nil))
		number := rimini.Numbers[0].PhoneNumberID
		if h := rimini.Health(number); h.Throughput != "STANDARD" || h.CheckedAt != nil {
			t.Errorf("a new number has %+v", h)
		}
		set := func(municipality int64) error {
			return d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				return SetNumberHealth(ctx, tx, municipality, number, Health{Throughput: "HIGH", Quality: "YELLOW", MessagingLimit: "TIER_10K"})
			})
		}
		if err := set(carpi.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("carpi sets the health of a number of rimini: %v", err)
		}
		before := dump(t, d)
		for range 2 {
			if err := set(rimini.ID); err != nil {
				t.Fatal(err)
			}
		}
		m, changes := mustApply(t, d, key, townFile(t, "rimini", nil))
		if h := m.Health(number); h.Throughput != "HIGH" || h.Quality != "YELLOW" || h.PeopleADay() != 10_000 || h.CheckedAt == nil || len(changes) != 0 {
			t.Errorf("got %+v, %v", h, changes)
		}
		if after := dump(t, d); strings.Replace(before, "rimini 1 ", "rimini 2 ", 1) != after {
			t.Errorf("the version must grow once:\n%s\nwas\n%s", after, before)
		}
	})
}

func TestPeopleADay(t *testing.T) {
	for limit, want := range map[string]int{
		"TIER_250": 250, "TIER_2K": 2000, "TIER_10K": 10_000, "TIER_100K": 100_000, "TIER_UNLIMITED": -1,
		"TIER_1M": -1, "TIER_50K": 50_000, "TIER_0": -1, "TIER_-5": -1, "250": -1, "": -1,
	} {
		if got := (Health{MessagingLimit: limit}).PeopleADay(); got != want {
			t.Errorf("%q: got %d, want %d", limit, got, want)
		}
	}
}
