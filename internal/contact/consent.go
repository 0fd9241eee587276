// SPDX-License-Identifier: AGPL-3.0-or-later

package contact

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
)

// ConsentEvent is what a citizen did about a list, or what was done in their name.
type ConsentEvent string

// The events of the consent register.
const (
	ConsentAsked     ConsentEvent = "asked"        // they were asked to answer SÌ
	ConsentGiven     ConsentEvent = "given"        // they joined
	ConsentWithdrawn ConsentEvent = "withdrawn"    // they left
	ConsentDeclined  ConsentEvent = "declined"     // they answered NO
	ConsentNotice    ConsentEvent = "acknowledged" // they joined knowing the privacy notice; a record of its own
	ConsentRefused   ConsentEvent = "refused"      // they told Meta to stop our marketing messages
	ConsentResumed   ConsentEvent = "resumed"      // they told Meta to let them through again
	ConsentImported  ConsentEvent = "imported"     // a list from elsewhere was taken over, on a stated basis
	ConsentSuspended ConsentEvent = "suspended"    // their number changed: nothing is sent until they confirm
)

// Consent is a row of the register: proof, never changed, and removed only when its time is over (GDPR, articles 5(1)(e)
// and 7(1)).
type Consent struct {
	ID            int64
	ContactID     int64  // as it was then: the contact may have been merged since
	Topic         string // keyword of the list or district; "" is the notice, or Meta's marketing messages as a whole
	Event         ConsentEvent
	At            time.Time // when the citizen did it
	RecordedAt    time.Time
	Channel       string // whatsapp, page, counter, import, meta
	Number        string // phone number id
	MessageID     int64
	ExternalID    string // WhatsApp's id of the message
	Words         string // exactly as received
	Wording       string // what the citizen had been shown: the question or the answer, in full
	PolicyVersion string
	PolicyHash    string // of Policy
	Language      locale.Language
	Actor         ConsentActor
	Reference     string // of the paper at the counter, or the basis of an import
	Hash          string // SHA-256 of all the rest, in hexadecimal
}

// ConsentActor is who entered a consent; the citizen has no name here.
type ConsentActor struct {
	Kind string // citizen, operator, token, system
	ID   int64
	Name string
}

// Policy is the privacy notice as it was shown.
type Policy struct{ Version, URL, Text string }

// Hash tells one wording of the notice from another: SHA-256, in hexadecimal.
func (p Policy) Hash() string { return digest(p.Version, p.URL, p.Text) }

// digest is the SHA-256 of a JSON list of fields, in hexadecimal: no two lists are written the same way.
func digest(fields ...any) string {
	canonical, err := json.Marshal(fields)
	if err != nil { // texts and numbers always marshal
		return ""
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// Digest is the hash that a row with these fields must have.
func (c Consent) Digest(municipality int64) string {
	return digest(municipality, c.ID, c.ContactID, c.Topic, c.Event, c.At.UnixMicro(), c.RecordedAt.UnixMicro(), c.Channel, c.Number, c.MessageID,
		c.ExternalID, c.Words, c.Wording, c.PolicyVersion, c.PolicyHash, c.Language, c.Actor.Kind, c.Actor.ID, c.Actor.Name, c.Reference)
}

// AppendConsents writes rows into the register, under policy where they name no other, and returns them with their ids
// and hashes. The zero policy is for consents given elsewhere, under a notice that is not known here. Whoever calls
// it leaves the hashes in the audit trail, in the same transaction: without them a row could be changed together with
// its hash.
func AppendConsents(ctx context.Context, tx *db.Tx, municipality int64, policy Policy, consents []Consent) ([]Consent, error) {
	if len(consents) == 0 {
		return nil, nil
	}
	out, rows := make([]Consent, len(consents)), make([][]any, len(consents))
	for i, c := range consents {
		c.ID, c.RecordedAt, c.At = tx.NewID(), tx.Now(), c.At.UTC().Truncate(time.Microsecond)
		for _, text := range []*string{&c.Words, &c.Wording, &c.Actor.Name, &c.Reference} {
			*text = db.Text(*text)
		}
		if policy != (Policy{}) && c.PolicyHash == "" {
			c.PolicyVersion, c.PolicyHash = policy.Version, policy.Hash()
		}
		c.Hash = c.Digest(municipality)
		out[i] = c
		rows[i] = []any{municipality, c.ID, c.ContactID, c.Topic, string(c.Event), c.At, c.RecordedAt, c.Channel, c.Number, c.MessageID, c.ExternalID,
			c.Words, c.Wording, c.PolicyVersion, c.PolicyHash, string(c.Language), c.Actor.Kind, c.Actor.ID, c.Actor.Name, c.Reference, c.Hash}
	}
	if err := keepPolicy(ctx, tx, municipality, policy); err != nil {
		return nil, err
	}
	_, err := tx.Exec(ctx, `INSERT INTO consent (municipality_id, consent_id, contact_id, topic, event, at, recorded_at, channel, number, message_id, external_id,
		words, wording, policy_version, policy_hash, language, actor_kind, actor_id, actor_name, reference, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`, rows)
	if err != nil {
		return nil, fmt.Errorf("append to the consent register: %w", err)
	}
	return out, nil
}

// keepPolicy keeps the text that consents were given under, once.
func keepPolicy(ctx context.Context, tx *db.Tx, municipality int64, p Policy) error {
	if p == (Policy{}) {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO policy (municipality_id, hash, version, url, text, first_used_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING`, municipality, p.Hash(), p.Version, p.URL, p.Text, tx.Now())
	if err != nil {
		return fmt.Errorf("keep the privacy notice: %w", err)
	}
	return nil
}

const consentColumns = `consent_id, contact_id, topic, event, at, recorded_at, channel, number, message_id, external_id, words, wording,
	policy_version, policy_hash, language, actor_kind, actor_id, actor_name, reference, hash`

func consents(ctx context.Context, tx *db.Tx, query string, rows ...[]any) ([]Consent, error) {
	var out []Consent
	err := tx.Query(ctx, `SELECT `+consentColumns+` FROM consent WHERE municipality_id = $1 `+query, rows, func(_ int, row db.Scanner) error {
		var c Consent
		err := row.Scan(&c.ID, &c.ContactID, &c.Topic, &c.Event, &c.At, &c.RecordedAt, &c.Channel, &c.Number, &c.MessageID, &c.ExternalID, &c.Words, &c.Wording,
			&c.PolicyVersion, &c.PolicyHash, &c.Language, &c.Actor.Kind, &c.Actor.ID, &c.Actor.Name, &c.Reference, &c.Hash)
		c.At, c.RecordedAt = c.At.UTC(), c.RecordedAt.UTC()
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the consent register: %w", err)
	}
	return out, nil
}

// ConsentsByID loads many rows of the register at once, by id.
func ConsentsByID(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (map[int64]Consent, error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	list, err := consents(ctx, tx, `AND consent_id = $2`, rows...)
	out := make(map[int64]Consent, len(list))
	for _, c := range list {
		out[c.ID] = c
	}
	return out, err
}

// Consents are the rows of a citizen, newest first, with those of contacts that turned out to be the same. They are
// sorted here: asked for the order, SQLite would read the whole register in it.
func Consents(ctx context.Context, tx *db.Tx, municipality, contactID int64) ([]Consent, error) {
	list, err := consents(ctx, tx, `AND contact_id IN (SELECT CAST($2 AS bigint) UNION ALL
		SELECT contact_id FROM contact WHERE municipality_id = $1 AND merged_into = $2 AND merged_into <> 0)`, []any{municipality, contactID})
	slices.SortFunc(list, func(a, b Consent) int { return cmp.Compare(b.ID, a.ID) })
	return list, err
}

// AllConsents is a page of the whole register, oldest first; after is the id of the last row before, 0 begins.
func AllConsents(ctx context.Context, tx *db.Tx, municipality, after int64, limit int) ([]Consent, error) {
	return consents(ctx, tx, `AND consent_id > $2 ORDER BY consent_id LIMIT $3`, []any{municipality, after, limit})
}

// EachConsent calls f for every row of the register, oldest first.
func EachConsent(ctx context.Context, tx *db.Tx, municipality int64, f func(Consent) error) error {
	const page = 1000
	for after := int64(math.MinInt64); ; {
		rows, err := AllConsents(ctx, tx, municipality, after, page)
		if err != nil {
			return err
		}
		for _, c := range rows {
			after = c.ID
			if err := f(c); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}

// Asked is what a citizen was asked: about a list, after the message with this external id.
type Asked struct {
	ContactID         int64
	ExternalID, Topic string
}

// PoliciesShown are the privacy notices under which citizens were asked, as the register has them; the zero policy is
// where it has none.
func PoliciesShown(ctx context.Context, tx *db.Tx, municipality int64, asked []Asked) ([]Policy, error) {
	out, rows := make([]Policy, len(asked)), make([][]any, len(asked))
	for i, a := range asked {
		rows[i] = []any{municipality, a.ContactID, a.ExternalID, a.Topic}
	}
	err := tx.Query(ctx, `SELECT p.version, p.url, p.text FROM consent c JOIN policy p ON p.municipality_id = c.municipality_id AND p.hash = c.policy_hash
		WHERE c.municipality_id = $1 AND c.external_id = $3 AND c.topic = $4 AND c.event = 'asked' AND c.contact_id IN (SELECT CAST($2 AS bigint) UNION ALL
		SELECT contact_id FROM contact WHERE municipality_id = $1 AND merged_into = $2 AND merged_into <> 0)`, rows, func(i int, row db.Scanner) error {
		return row.Scan(&out[i].Version, &out[i].URL, &out[i].Text)
	})
	if err != nil {
		return nil, fmt.Errorf("read the privacy notices that were shown: %w", err)
	}
	return out, nil
}

// EachPolicy calls f for every privacy notice that consents were given under, with the hash that it was kept by.
func EachPolicy(ctx context.Context, tx *db.Tx, municipality int64, f func(hash string, p Policy)) error {
	err := tx.Query(ctx, `SELECT hash, version, url, text FROM policy WHERE municipality_id = $1 ORDER BY hash`, [][]any{{municipality}},
		func(_ int, row db.Scanner) error {
			var hash string
			var p Policy
			if err := row.Scan(&hash, &p.Version, &p.URL, &p.Text); err != nil {
				return err
			}
			f(hash, p)
			return nil
		})
	if err != nil {
		return fmt.Errorf("read the privacy notices: %w", err)
	}
	return nil
}
