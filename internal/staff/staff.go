// SPDX-License-Identifier: AGPL-3.0-or-later

// Package staff knows who works at the desks and what each may do: accounts, roles, sign-in, sessions,
// tokens of programs, and the audit trail of what they all did.
//
// An account is one person's in the whole installation; a membership gives it a role in a municipality.
// Everything else here belongs to one municipality and is never seen from another.
package staff

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// Account is a person who works, or worked, at one or more desks.
type Account struct {
	ID        int64
	Email     string // lower case, unique in the installation
	Name      string
	Active    bool // has a password; false until the one-time link is used
	Disabled  bool
	CreatedAt time.Time
	SeenAt    *time.Time // the last sign-in; nil is never

	Preferences Preferences
}

const (
	maxEmail = 254 // characters: RFC 5321, 4.5.3.1.3
	maxName  = 100
)

// ErrNotFound is the failure for a person who is not of this municipality's staff.
var ErrNotFound = fault.New(fault.NotFound, "error.staff_not_found")

// Get returns the account with this id.
func Get(ctx context.Context, tx *db.Tx, id int64) (Account, error) {
	row, err := store.New(tx).Account(ctx, id)
	return account(row, err, fmt.Sprintf("get account %d", id))
}

// ByEmail returns the account with this e-mail, in whatever case it is written.
func ByEmail(ctx context.Context, tx *db.Tx, email string) (Account, error) {
	row, err := store.New(tx).AccountByEmail(ctx, fold(email))
	return account(row, err, "get an account by e-mail")
}

func account(r store.Staff, err error, doing string) (Account, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, ErrNotFound
	}
	if err != nil {
		return Account{}, fmt.Errorf("%s: %w", doing, err)
	}
	a := Account{ID: r.StaffID, Email: r.Email, Name: r.Name, Active: r.Password != "", Disabled: r.Disabled,
		CreatedAt: r.CreatedAt.UTC(), SeenAt: r.SeenAt, Preferences: DefaultPreferences()}
	return a, r.Preferences.Into(&a.Preferences)
}

// fold is the form in which e-mails are compared; any bytes may come in from a sign-in page.
func fold(email string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return unicode.ToLower(r)
	}, strings.TrimSpace(email))
}

// writable tells whether s is text that both engines store, in one line.
func writable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// ParseEmail checks an e-mail address (RFC 5322, without a display name) and returns it in lower case.
func ParseEmail(s string) (string, error) {
	email := fold(s)
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > maxEmail || !writable(s) {
		return "", fault.New(fault.Invalid, "error.staff_email")
	}
	return email, nil
}

func parseName(s string) (string, error) {
	name := strings.Join(strings.Fields(s), " ")
	if name == "" || utf8.RuneCountInString(name) > maxName || !writable(name) {
		return "", fault.New(fault.Invalid, "error.staff_name", "max", maxName)
	}
	return name, nil
}

// secretText makes a secret of 256 bits to hand out, and what of it may be stored.
func secretText(prefix string) (text, hash string) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails, by its contract
	text = prefix + base64.RawURLEncoding.EncodeToString(b)
	return text, hashText(text)
}

// hashText needs no salt and no slowness: what it hashes is random, or (subjects of the throttle) is
// forgotten in a day.
func hashText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
