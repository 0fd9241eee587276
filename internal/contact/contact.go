// SPDX-License-Identifier: AGPL-3.0-or-later

// Package contact knows the citizens: one identity, many addresses.
//
// A contact may have a phone, a business-scoped user id (BSUID), a parent BSUID, and earlier ones of
// each; having no phone is normal. An address belongs to one contact of a municipality.
package contact

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/filodiretto/filodiretto/internal/contact/store"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
)

// Contact is a citizen as the desk shows them.
type Contact struct {
	ID         int64
	Name       string // "" when the profile has none
	Username   string
	Phone      string // E.164 with +, "" when unknown
	UserID     string // the current BSUID, "" when unknown
	Note       string // what the office noted about them
	MergedInto int64  // another contact that this one turned out to be; 0 is itself
	CreatedAt  time.Time
}

// Kind is a kind of address.
type Kind string

// The kinds of address.
const (
	Phone  Kind = "phone"
	BSUID  Kind = "bsuid"
	Parent Kind = "parent"
)

// Address is one way to recognise a contact.
type Address struct {
	Kind  Kind
	Value string // phones are E.164 with +
	Since time.Time
	Until *time.Time // when it became an earlier one; nil is current
}

// Longest of what people may write.
const (
	MaxName = 200
	MaxNote = 4000
)

// ErrNotFound is the failure for a contact that this municipality does not have.
var ErrNotFound = fault.New(fault.NotFound, "error.contact_not_found")

// Label is how the desk calls the contact: the name, else the phone, else the username, else the id.
func (c Contact) Label() string {
	for _, s := range []string{c.Name, DisplayPhone(c.Phone), c.Username, c.UserID} {
		if s != "" {
			return s
		}
	}
	return db.FormatID(c.ID)
}

// DisplayPhone writes an E.164 phone in groups, "+39 347 123 4567", as far as its country is known.
func DisplayPhone(e164 string) string {
	n, err := phonenumbers.Parse(e164, "IT")
	if err != nil {
		return e164
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}

// Get returns the contact, or the one it was merged into.
func Get(ctx context.Context, tx *db.Tx, municipality, id int64) (Contact, error) {
	row, err := store.New(tx).Contact(ctx, store.ContactParams{MunicipalityID: municipality, ContactID: id})
	if err == nil && row.MergedInto != 0 {
		row, err = store.New(tx).Contact(ctx, store.ContactParams{MunicipalityID: municipality, ContactID: row.MergedInto})
	}
	if errors.Is(err, sql.ErrNoRows) {
		return Contact{}, ErrNotFound
	}
	if err != nil {
		return Contact{}, fmt.Errorf("get contact %d: %w", id, err)
	}
	return fromRow(row), nil
}

func fromRow(r store.Contact) Contact {
	return Contact{ID: r.ContactID, Name: r.Name, Username: r.Username, Phone: withPlus(r.Phone), UserID: r.UserID,
		Note: r.Note, MergedInto: r.MergedInto, CreatedAt: r.CreatedAt.UTC()}
}

func withPlus(digits string) string {
	if digits == "" {
		return ""
	}
	return "+" + digits
}

// Addresses returns all addresses of the contact, the current ones of each kind first.
func Addresses(ctx context.Context, tx *db.Tx, municipality, id int64) ([]Address, error) {
	rows, err := store.New(tx).Addresses(ctx, store.AddressesParams{MunicipalityID: municipality, ContactID: id})
	if err != nil {
		return nil, fmt.Errorf("addresses of contact %d: %w", id, err)
	}
	out := make([]Address, len(rows))
	for i, r := range rows {
		out[i] = Address{Kind: Kind(r.Kind), Value: r.Value, Since: r.Since.UTC(), Until: r.Until}
		if out[i].Kind == Phone {
			out[i].Value = withPlus(r.Value)
		}
	}
	return out, nil
}

// ByAddress finds the contact by a phone as people write it, or by a BSUID.
func ByAddress(ctx context.Context, tx *db.Tx, municipality int64, address string) (Contact, error) {
	kind, value := BSUID, strings.TrimSpace(address)
	if !isBSUID(value) {
		kind, value = Phone, Digits(value)
	}
	id, err := store.New(tx).Owner(ctx, store.OwnerParams{MunicipalityID: municipality, Kind: string(kind), Value: value})
	if errors.Is(err, sql.ErrNoRows) {
		return Contact{}, ErrNotFound
	}
	if err != nil {
		return Contact{}, fmt.Errorf("find a contact by address: %w", err)
	}
	return Get(ctx, tx, municipality, id)
}

// Digits normalises a phone as people write it to WhatsApp's digits without +. Without a prefix it is
// Italian; a landline keeps its leading zero. What is no phone gives "".
func Digits(phone string) string {
	n, err := phonenumbers.Parse(phone, "IT")
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return ""
	}
	digits := strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+")
	if len(digits) > mostDigits {
		return ""
	}
	return digits
}

// mostDigits is the longest phone of E.164, without +.
const mostDigits = 15

func isBSUID(s string) bool {
	return len(s) > 3 && s[2] == '.' && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// Rename sets the name the office knows the citizen by; the profile's name no longer changes it.
func Rename(ctx context.Context, tx *db.Tx, municipality, id int64, name string) error {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > MaxName {
		return fault.New(fault.Invalid, "error.contact_name", "max", MaxName)
	}
	n, err := store.New(tx).Rename(ctx, store.RenameParams{Name: name, UpdatedAt: tx.Now(), MunicipalityID: municipality, ContactID: id})
	if err != nil {
		return fmt.Errorf("rename contact %d: %w", id, err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return reindex(ctx, tx, municipality, []int64{id})
}

// SetNote sets what the office noted about the citizen.
func SetNote(ctx context.Context, tx *db.Tx, municipality, id int64, note string) error {
	if utf8.RuneCountInString(note) > MaxNote {
		return fault.New(fault.Invalid, "error.contact_note", "max", MaxNote)
	}
	n, err := store.New(tx).SetNote(ctx, store.SetNoteParams{Note: strings.TrimSpace(note), UpdatedAt: tx.Now(), MunicipalityID: municipality, ContactID: id})
	if err != nil {
		return fmt.Errorf("note on contact %d: %w", id, err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

const selectContacts = `SELECT contact_id, name, username, phone, user_id, note, merged_into, created_at
	FROM contact WHERE municipality_id = $1 AND contact_id = $2`

// ByID loads many contacts at once, by id.
func ByID(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (map[int64]Contact, error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	out := make(map[int64]Contact, len(ids))
	err := tx.Query(ctx, selectContacts, rows, func(_ int, row db.Scanner) error {
		var c Contact
		if err := row.Scan(&c.ID, &c.Name, &c.Username, &c.Phone, &c.UserID, &c.Note, &c.MergedInto, &c.CreatedAt); err != nil {
			return err
		}
		c.Phone = withPlus(c.Phone)
		out[c.ID] = c
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load contacts: %w", err)
	}
	return out, nil
}

// Search finds contacts by parts of names, usernames, phones and ids, the newest first.
func Search(ctx context.Context, tx *db.Tx, municipality int64, query string, limit int) ([]Contact, error) {
	if digits := Digits(query); digits != "" {
		query = strings.TrimPrefix(digits, "39")
	}
	ids, err := tx.Search(ctx, db.ContactSearch, municipality, query, limit)
	if err != nil {
		return nil, err
	}
	found, err := ByID(ctx, tx, municipality, ids)
	if err != nil {
		return nil, err
	}
	var out []Contact
	for _, id := range ids {
		if c, ok := found[id]; ok && c.MergedInto == 0 {
			out = append(out, c)
		}
	}
	return out, nil
}

// reindex makes contacts findable by what they are called and reached by now.
func reindex(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) error {
	contacts, err := ByID(ctx, tx, municipality, ids)
	if err != nil {
		return err
	}
	docs := make([]db.Doc, 0, len(ids))
	for _, id := range ids {
		docs = append(docs, db.Doc{ID: id, Text: searchText(contacts[id])})
	}
	return tx.Index(ctx, db.ContactSearch, municipality, docs, true)
}

// searchText holds a phone twice, as people may begin with the country or without. A contact that turned
// out to be another is found as that one only.
func searchText(c Contact) string {
	if c.MergedInto != 0 {
		return ""
	}
	digits := strings.TrimPrefix(c.Phone, "+")
	return strings.Join([]string{c.Name, c.Username, digits, strings.TrimPrefix(digits, "39"), c.UserID}, " ")
}
