// SPDX-License-Identifier: AGPL-3.0-or-later

package contact

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Person is somebody as one webhook names them.
type Person struct {
	Phone        string // digits
	UserID       string // BSUID
	ParentUserID string
	Name         string
	Username     string
	At           time.Time // of the event that names them
	Was          []Key     // addresses this very event says they had before
	OnlyKnown    bool      // don't make a contact of somebody unknown; their id is then 0
}

// Key names an address; phones are digits.
type Key struct {
	Kind  Kind
	Value string
}

// Merge tells that a contact turned out to be another: From, the younger, is now Into.
type Merge struct{ From, Into int64 }

// Resolve finds or makes the contact of each of people, ties their addresses to it, and says which
// contacts were merged on the way. The result has the order of people. It is one set of statements
// for any number of people, and safe when several instances do the same at once: who comes second
// is run again (db.ErrAgain).
func Resolve(ctx context.Context, tx *db.Tx, municipality int64, people []Person) ([]int64, []Merge, error) {
	people = slices.Clone(people)
	for i := range people {
		people[i] = people[i].bounded()
	}
	r := &resolver{known: make(map[Key]*address), merged: make(map[int64]int64), touched: make(map[int64]*profile)}
	if err := r.load(ctx, tx, municipality, people); err != nil {
		return nil, nil, fmt.Errorf("look up addresses: %w", err)
	}
	ids := make([]int64, len(people))
	for i, p := range people {
		ids[i] = r.resolve(tx, p)
	}
	for i := range ids {
		ids[i] = r.final(ids[i])
	}
	if err := r.save(ctx, tx, municipality); err != nil {
		return nil, nil, err
	}
	return ids, r.merges, nil
}

// address is a row of contact_address, as it is or as it will be.
type address struct {
	contact      int64
	since        time.Time
	until        *time.Time
	fresh, moved bool
	earlier      bool // it is known since before it was first processed
}

// fact is something told of a contact. What was told last holds, whatever is processed last.
type fact struct {
	value string
	at    time.Time
}

func (f *fact) learn(value string, at time.Time) {
	if value != "" && (f.value == "" || cmp.Or(f.at.Compare(at), cmp.Compare(f.value, value)) < 0) {
		*f = fact{value, at}
	}
}

// told is when it was told, nil when it never was.
func (f fact) told() *time.Time {
	if f.value == "" {
		return nil
	}
	return &f.at
}

// profile is what events say of a contact.
type profile struct {
	name, username, phone, userID fact
	fresh                         bool
}

type resolver struct {
	known   map[Key]*address
	merged  map[int64]int64
	merges  []Merge
	touched map[int64]*profile
}

// longestKey is far beyond every address there is, in bytes: longer ones would burst the index.
const longestKey = 512

// bounded is p without addresses that can't be any, and with names of a length that a list bears.
func (p Person) bounded() Person {
	for _, address := range []*string{&p.Phone, &p.UserID, &p.ParentUserID} {
		if len(*address) > longestKey {
			*address = ""
		}
	}
	p.Was = slices.DeleteFunc(slices.Clone(p.Was), func(k Key) bool { return k.Value == "" || len(k.Value) > longestKey })
	p.Name, p.Username = cut(p.Name, MaxName), cut(p.Username, MaxName)
	return p
}

// cut keeps at most the first most characters of s.
func cut(s string, most int) string {
	for i := range s {
		if most--; most < 0 {
			return s[:i]
		}
	}
	return s
}

func (p Person) keys() []Key {
	var out []Key
	for _, k := range []Key{{BSUID, p.UserID}, {Parent, p.ParentUserID}, {Phone, p.Phone}} {
		if k.Value != "" {
			out = append(out, k)
		}
	}
	return out
}

func (r *resolver) load(ctx context.Context, tx *db.Tx, municipality int64, people []Person) error {
	wanted := make(map[Key]struct{})
	for _, p := range people {
		for _, k := range append(p.keys(), p.Was...) {
			wanted[k] = struct{}{}
		}
	}
	keys := sortedKeys(wanted)
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{municipality, string(k.Kind), k.Value}
	}
	query := `SELECT contact_id, since, until FROM contact_address WHERE municipality_id = $1 AND kind = $2 AND value = $3`
	if tx.Engine == db.PostgreSQL {
		query += " FOR NO KEY UPDATE" // a merge in this very moment is waited for, or waits: nothing stays with the merged contact
	}
	return tx.Query(ctx, query, rows, func(i int, row db.Scanner) error {
		a := &address{}
		if err := row.Scan(&a.contact, &a.since, &a.until); err != nil {
			return err
		}
		r.known[keys[i]] = a
		return nil
	})
}

// resolve settles who p is. An earlier phone still means its former owner for what happened before it
// was given up; afterwards numbers are handed to other people, so then it means nobody.
func (r *resolver) resolve(tx *db.Tx, p Person) int64 {
	var owners []int64
	for _, k := range append(p.keys(), p.Was...) {
		if a := r.known[k]; a != nil && a.means(k.Kind, p.At) {
			owners = append(owners, r.final(a.contact))
		}
	}
	slices.SortFunc(owners, r.older)
	owners = slices.Compact(owners)
	fresh := len(owners) == 0
	if fresh && p.OnlyKnown {
		return 0
	}
	if fresh {
		owners = []int64{tx.NewID()}
	}
	id := owners[0]
	for _, younger := range owners[1:] {
		r.merge(younger, id)
	}
	r.tie(id, p)
	r.note(id, r.current(p), fresh)
	return id
}

// older sorts contacts by their ids, which are time-ordered, and those that are only being made last: another instance
// may have given a larger id to one that is stored, and what is stored can't be merged into what isn't yet.
func (r *resolver) older(a, b int64) int {
	return cmp.Or(r.unstored(a)-r.unstored(b), cmp.Compare(a, b))
}

func (r *resolver) unstored(id int64) int {
	if t := r.touched[id]; t != nil && t.fresh {
		return 1
	}
	return 0
}

// current leaves out the addresses of p that are known to be earlier ones: a late message must not
// bring them back.
func (r *resolver) current(p Person) Person {
	if a := r.known[Key{Phone, p.Phone}]; a != nil && a.until != nil {
		p.Phone = ""
	}
	if a := r.known[Key{BSUID, p.UserID}]; a != nil && a.until != nil {
		p.UserID = ""
	}
	return p
}

// merge makes younger the same as id. One that was only made by this very set leaves nothing to merge.
func (r *resolver) merge(younger, id int64) {
	r.merged[younger] = id
	t := r.touched[younger]
	if t != nil {
		known := *t
		known.fresh = false // whether id is stored is known already
		r.learn(id, known)
	}
	if t == nil || !t.fresh {
		r.merges = append(r.merges, Merge{From: younger, Into: id})
	}
}

func (a *address) means(kind Kind, at time.Time) bool {
	return kind != Phone || a.until == nil || !at.After(*a.until)
}

func (r *resolver) final(id int64) int64 {
	for into, ok := r.merged[id]; ok; into, ok = r.merged[id] {
		id = into
	}
	return id
}

// tie makes p's addresses those of the contact, and its former ones former.
func (r *resolver) tie(id int64, p Person) {
	for _, k := range p.keys() {
		a := r.known[k]
		switch {
		case a == nil:
			r.known[k] = &address{contact: id, since: p.At, fresh: true}
		case r.final(a.contact) != id: // a phone that was given up and has a new owner
			a.contact, a.since, a.until, a.moved = id, p.At, nil, true
		case p.At.Before(a.since):
			a.since, a.earlier = p.At, true
		}
	}
	for _, k := range p.Was {
		a := r.known[k]
		if a == nil {
			a = &address{contact: id, since: p.At, fresh: true}
			r.known[k] = a
		}
		if a.until == nil && r.final(a.contact) == id {
			at := p.At
			a.until, a.moved = &at, true
		}
	}
}

// note remembers what an event says of a contact.
func (r *resolver) note(id int64, p Person, fresh bool) {
	r.learn(id, profile{name: fact{p.Name, p.At}, username: fact{p.Username, p.At}, phone: fact{p.Phone, p.At}, userID: fact{p.UserID, p.At}, fresh: fresh})
}

func (r *resolver) learn(id int64, told profile) {
	have := r.touched[id]
	if have == nil {
		have = &profile{fresh: told.fresh}
		r.touched[id] = have
	}
	have.name.learn(told.name.value, told.name.at)
	have.username.learn(told.username.value, told.username.at)
	have.phone.learn(told.phone.value, told.phone.at)
	have.userID.learn(told.userID.value, told.userID.at)
}

// sortedKeys is the one order in which addresses are locked, so that no two wait for each other in a circle.
func sortedKeys[V any](m map[Key]V) []Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
	})
}
