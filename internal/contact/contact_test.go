// SPDX-License-Identifier: AGPL-3.0-or-later

package contact_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

const comune = int64(7)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func resolve(t *testing.T, d *db.DB, people ...contact.Person) ([]int64, []contact.Merge) {
	t.Helper()
	var ids []int64
	var merges []contact.Merge
	err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		ids, merges, err = contact.Resolve(ctx, tx, comune, people)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids, merges
}

func get(t *testing.T, d *db.DB, id int64) (c contact.Contact) {
	t.Helper()
	err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		c, err = contact.Get(ctx, tx, comune, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOneIdentityManyAddresses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		byPhone, _ := resolve(t, d, contact.Person{Phone: "393331234567", Name: "Maria", At: noon})
		byBoth, merges := resolve(t, d, contact.Person{Phone: "393331234567", UserID: "IT.1A", Username: "@maria", At: noon})
		byID, _ := resolve(t, d, contact.Person{UserID: "IT.1A", At: noon})
		if byBoth[0] != byPhone[0] || byID[0] != byPhone[0] || len(merges) != 0 {
			t.Fatalf("ids %v %v %v, merges %v", byPhone, byBoth, byID, merges)
		}
		if c := get(t, d, byPhone[0]); c.Phone != "+393331234567" || c.UserID != "IT.1A" || c.Name != "Maria" || c.Username != "@maria" {
			t.Errorf("contact %+v", c)
		}
	})
}

func TestTyingTwoContactsMergesTheYounger(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		phone, _ := resolve(t, d, contact.Person{Phone: "393331234567", At: noon})
		user, _ := resolve(t, d, contact.Person{UserID: "IT.1A", Name: "Maria", At: noon})
		both, merges := resolve(t, d, contact.Person{Phone: "393331234567", UserID: "IT.1A", At: noon})
		if both[0] != phone[0] || len(merges) != 1 || merges[0] != (contact.Merge{From: user[0], Into: phone[0]}) {
			t.Fatalf("resolved to %v with merges %v, of %v and %v", both, merges, phone, user)
		}
		if c := get(t, d, user[0]); c.ID != phone[0] || c.Name != "Maria" || c.UserID != "IT.1A" {
			t.Errorf("the younger leads to %+v", c)
		}
	})
}

// Strangers who turn out to be one within a single set leave one contact and nothing to merge.
func TestTiedWithinOneSet(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ids, merges := resolve(t, d,
			contact.Person{Phone: "393331234567", At: noon},
			contact.Person{UserID: "IT.1A", Name: "Maria", At: noon},
			contact.Person{Phone: "393331234567", UserID: "IT.1A", At: noon})
		if ids[0] != ids[1] || ids[1] != ids[2] || len(merges) != 0 {
			t.Fatalf("ids %v, merges %v", ids, merges)
		}
		if c := get(t, d, ids[0]); c.Name != "Maria" || c.Phone == "" || c.UserID == "" {
			t.Errorf("contact %+v", c)
		}
	})
}

// A number that was given up means its former owner for what came before, and nobody after.
func TestAChangedNumberIsHandedOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		maria, _ := resolve(t, d, contact.Person{Phone: "393331234567", UserID: "IT.1A", Name: "Maria", At: noon})
		changed, _ := resolve(t, d, contact.Person{Phone: "393339876543", UserID: "IT.9Z", At: noon.Add(time.Hour),
			Was: []contact.Key{{Kind: contact.Phone, Value: "393331234567"}, {Kind: contact.BSUID, Value: "IT.1A"}}})
		if changed[0] != maria[0] {
			t.Fatalf("the change made another contact")
		}
		late, _ := resolve(t, d, contact.Person{Phone: "393331234567", At: noon.Add(time.Minute)})
		if late[0] != maria[0] {
			t.Error("a late message from before the change is not Maria's")
		}
		luca, _ := resolve(t, d, contact.Person{Phone: "393331234567", UserID: "IT.77", Name: "Luca", At: noon.Add(48 * time.Hour)})
		if luca[0] == maria[0] {
			t.Error("the new owner of the number became Maria")
		}
		if c := get(t, d, maria[0]); c.Phone != "+393339876543" || c.UserID != "IT.9Z" || c.Name != "Maria" {
			t.Errorf("Maria is now %+v", c)
		}
	})
}

func TestStatusesMakeNoContacts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if ids, _ := resolve(t, d, contact.Person{Phone: "393331234567", UserID: "IT.1A", At: noon, OnlyKnown: true}); ids[0] != 0 {
			t.Errorf("a status made contact %d", ids[0])
		}
	})
}

func TestFirstMessagesAtOnceMakeOneContact(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const rounds, at = 5, 8
		for round := range rounds {
			var together sync.WaitGroup
			found := make([]int64, at)
			for i := range at {
				together.Go(func() {
					ids, _ := resolve(t, d, contact.Person{Phone: fmt.Sprintf("39333000000%d", round), UserID: fmt.Sprintf("IT.%d", round), At: noon})
					found[i] = ids[0]
				})
			}
			together.Wait()
			for _, id := range found {
				if id != found[0] {
					t.Fatalf("round %d made contacts %v", round, found)
				}
			}
		}
	})
}

func TestDigits(t *testing.T) {
	for written, want := range map[string]string{
		"331 6432314": "393316432314", "+39 331 6432314": "393316432314", "3316432314": "393316432314", "00393316432314": "393316432314",
		"059 649213": "39059649213", "+39059649213": "39059649213", "391 1234567": "393911234567", "+378 0549 882914": "3780549882914",
		"ciao": "", "": "", "12": "",
	} {
		if got := contact.Digits(written); got != want {
			t.Errorf("Digits(%q) = %q, want %q", written, got, want)
		}
	}
}

func update(t *testing.T, d *db.DB, f func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	if err := d.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func search(t *testing.T, d *db.DB, query string) (found []contact.Contact) {
	t.Helper()
	update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
		found, err = contact.Search(ctx, tx, comune, query, 10)
		return err
	})
	return found
}

// Who was merged is found as the one they turned out to be, by all they were called and reached by.
func TestAMergedContactIsFound(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		older, _ := resolve(t, d, contact.Person{UserID: "IT.1A", At: noon})
		resolve(t, d, contact.Person{Phone: "393331234567", Name: "Maria", Username: "@maria.rossi", At: noon})
		resolve(t, d, contact.Person{Phone: "393331234567", UserID: "IT.1A", At: noon})
		for _, query := range []string{"maria", "333 1234567", "rossi", "1A"} {
			if found := search(t, d, query); len(found) != 1 || found[0].ID != older[0] {
				t.Errorf("%q found %+v", query, found)
			}
		}
	})
}

// What the office wrote of either is kept: the notes one below the other, and the name somebody gave.
func TestAMergeKeepsWhatTheOfficeWrote(t *testing.T) {
	for name, c := range map[string]struct{ older, younger, want string }{
		"both":    {"chiama la sera", "è sordo", "chiama la sera\nè sordo"},
		"older":   {"chiama la sera", "", "chiama la sera"},
		"younger": {"", "è sordo", "è sordo"},
		"same":    {"è sordo", "è sordo", "è sordo"},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				older, _ := resolve(t, d, contact.Person{Phone: "393331234567", Name: "mary92", At: noon})
				younger, _ := resolve(t, d, contact.Person{UserID: "IT.1A", Name: "M.", At: noon})
				update(t, d, func(ctx context.Context, tx *db.Tx) error {
					return errors.Join(contact.SetNote(ctx, tx, comune, older[0], c.older), contact.SetNote(ctx, tx, comune, younger[0], c.younger),
						contact.Rename(ctx, tx, comune, younger[0], "Maria Rossi"))
				})
				resolve(t, d, contact.Person{Phone: "393331234567", UserID: "IT.1A", Name: "mary92", At: noon.Add(time.Hour)})
				resolve(t, d, contact.Person{Phone: "393331234567", Name: "mary93", At: noon.Add(2 * time.Hour)})
				if k := get(t, d, younger[0]); k.ID != older[0] || k.Note != c.want || k.Name != "Maria Rossi" {
					t.Errorf("after the merge: %+v", k)
				}
			})
		})
	}
}

// What was told last holds in whatever order it is processed: of a name, another and the first again, the one between
// may come last.
func TestToldAgainAndProcessedInAnyOrder(t *testing.T) {
	told := []contact.Person{
		{Phone: "393331234567", Name: "Maria", Username: "@maria", At: noon},
		{Phone: "393331234567", Name: "Mario", Username: "@mario", At: noon.Add(time.Minute)},
		{Phone: "393331234567", Name: "Maria", Username: "@maria", At: noon.Add(2 * time.Minute)},
	}
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				var id int64
				for _, i := range order {
					ids, _ := resolve(t, d, told[i])
					id = ids[0]
				}
				if c := get(t, d, id); c.Name != "Maria" || c.Username != "@maria" {
					t.Errorf("called %q, %q", c.Name, c.Username)
				}
			})
		})
	}
}

// Another instance's ids of the same millisecond may be larger than those made later here. A contact that is stored
// is still the one that stays: what is known of it would be lost.
func TestStoredUnderALargerID(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			here, there := instance(t, dsn), instance(t, dsn)
			stored, _ := resolve(t, there, contact.Person{Phone: "393331234567", Name: "Maria Rossi", At: noon.Add(time.Hour)})
			ids, merges := resolve(t, here,
				contact.Person{UserID: "IT.1A", At: noon.Add(-time.Minute)},
				contact.Person{Phone: "393331234567", UserID: "IT.1A", Name: "Maria", At: noon})
			if ids[0] != stored[0] || ids[1] != stored[0] || len(merges) != 0 {
				t.Fatalf("resolved to %v with merges %v, stored was %v", ids, merges, stored)
			}
			if c := get(t, here, ids[0]); c.Name != "Maria Rossi" || c.UserID != "IT.1A" {
				t.Errorf("contact %+v", c)
			}
		})
	}
}

// instance opens a database once more, with a clock that stands still.
func instance(t *testing.T, dsn string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{DSN: dsn, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// Who was merged twice leads to the last one, with one step.
func TestMergedAndMergedAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		first, _ := resolve(t, d, contact.Person{ParentUserID: "IT.ENT.1", At: noon})
		resolve(t, d, contact.Person{Phone: "393331234567", At: noon})
		third, _ := resolve(t, d, contact.Person{UserID: "IT.1A", At: noon})
		resolve(t, d, contact.Person{Phone: "393331234567", UserID: "IT.1A", At: noon})
		resolve(t, d, contact.Person{ParentUserID: "IT.ENT.1", UserID: "IT.1A", At: noon})
		if c := get(t, d, third[0]); c.ID != first[0] || c.Phone != "+393331234567" || c.UserID != "IT.1A" {
			t.Errorf("the youngest leads to %+v", c)
		}
	})
}

// What is longer than any address or name can be bursts neither an index nor a list.
func TestEndlessAddressesAndNames(t *testing.T) {
	long := "IT." + strings.Repeat("A", 6000)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ids, _ := resolve(t, d, contact.Person{Phone: "393331234567", UserID: long, ParentUserID: long, Name: strings.Repeat("è", 3000), Username: strings.Repeat("u", 3000),
			At: noon, Was: []contact.Key{{Kind: contact.BSUID, Value: long}}})
		c := get(t, d, ids[0])
		if c.UserID != "" || c.Name != strings.Repeat("è", contact.MaxName) || c.Username != strings.Repeat("u", contact.MaxName) {
			t.Errorf("contact %+v", c)
		}
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			all, err := contact.Addresses(ctx, tx, comune, ids[0])
			if len(all) != 1 || all[0].Kind != contact.Phone {
				t.Errorf("addresses %+v", all)
			}
			return err
		})
	})
}
