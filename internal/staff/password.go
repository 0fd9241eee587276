// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/filodiretto/filodiretto/internal/fault"
)

// MinPassword is the shortest password, in characters.
const MinPassword = 12

const maxPassword = 1024 // bytes, so that nobody has us hash a book

// Password is a hashed password; the zero one opens nothing. It never prints itself.
type Password struct{ phc string }

// The cost of argon2id that OWASP's password storage cheat sheet gives for little memory: a machine
// of 1 GB must survive a morning when everybody signs in at once.
const (
	memory  = 19 * 1024 // KiB
	passes  = 2
	lanes   = 1
	sumSize = 32 // bytes
)

// hashing bounds the memory of the whole process: each hash takes 19 MiB while it runs.
var hashing = make(chan struct{}, 2)

const maxHashingWait = 5 * time.Second

// NewPassword checks a password that the person with this e-mail and name has chosen, and hashes it.
// It takes tens of milliseconds and may wait for others: never call it inside a transaction.
func NewPassword(ctx context.Context, plain, email, name string) (Password, error) {
	plain = norm.NFC.String(plain)
	if utf8.RuneCountInString(plain) < MinPassword {
		return Password{}, fault.New(fault.Invalid, "error.password_short", "min", MinPassword)
	}
	if len(plain) > maxPassword {
		return Password{}, fault.New(fault.Invalid, "error.password_long")
	}
	if guessable(plain, email, name) {
		return Password{}, fault.New(fault.Invalid, "error.password_guessable")
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // it never fails, by its contract
	sum, err := derive(ctx, plain, salt)
	if err != nil {
		return Password{}, err
	}
	enc := base64.RawStdEncoding
	return Password{fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes,
		enc.EncodeToString(salt), enc.EncodeToString(sum))}, nil
}

// matches tells whether plain is the password. It does the same work when there is none to match.
func (p Password) matches(ctx context.Context, plain string) (bool, error) {
	plain = norm.NFC.String(plain)
	if len(plain) > maxPassword {
		return false, nil
	}
	salt, want, known := p.parts()
	got, err := derive(ctx, plain, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

// parts reads the PHC string. What it can't read gets a stand-in that no password matches.
func (p Password) parts() (salt, sum []byte, known bool) {
	head := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, memory, passes, lanes)
	rest, ok := strings.CutPrefix(p.phc, head)
	encodedSalt, encodedSum, _ := strings.Cut(rest, "$")
	salt, saltErr := base64.RawStdEncoding.DecodeString(encodedSalt)
	sum, sumErr := base64.RawStdEncoding.DecodeString(encodedSum)
	if !ok || saltErr != nil || sumErr != nil || len(sum) != sumSize {
		return make([]byte, 16), make([]byte, sumSize), false
	}
	return salt, sum, true
}

func derive(ctx context.Context, plain string, salt []byte) ([]byte, error) {
	timer := time.NewTimer(maxHashingWait)
	defer timer.Stop()
	select {
	case hashing <- struct{}{}:
	case <-timer.C:
		return nil, fault.New(fault.Unavailable, "error.unavailable")
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(plain), salt, passes, memory, lanes, sumSize), nil
}

// guessable refuses a password built around the person's own e-mail or name, and one with hardly any
// different characters. Length does the rest (NIST SP 800-63B, 3.1.1).
func guessable(plain, email, name string) bool {
	different := map[rune]bool{}
	for _, r := range plain {
		different[r] = true
	}
	if len(different) < 5 {
		return true
	}
	folded := strings.ToLower(plain)
	mailbox, _, _ := strings.Cut(strings.ToLower(email), "@")
	notLetter := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for _, word := range append(strings.FieldsFunc(strings.ToLower(name), notLetter), strings.FieldsFunc(mailbox, notLetter)...) {
		// A long password may hold a short name by chance, or on purpose: what is left must still be long.
		left := strings.ReplaceAll(folded, word, "")
		if utf8.RuneCountInString(word) > 3 && len(left) < len(folded) && utf8.RuneCountInString(left) < MinPassword {
			return true
		}
	}
	return false
}

// Format prints three dots, whatever the verb.
func (p Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "•••") }
