// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// RevisionKind is what was done to a message after it was sent.
type RevisionKind string

// The kinds of revision.
const (
	Original RevisionKind = "original" // what the message said at first
	Edit     RevisionKind = "edit"
	Revoke   RevisionKind = "revoke"
)

// Revision is a change that a citizen made to a message of their own, or the message as it was before the first.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
type Revision struct {
	ExternalID string // WhatsApp's id of the change
	Target     string // and of the message
	ContactID  int64
	Number     string // phone number id it came to
	Kind       RevisionKind
	Text       string // what the message says now
	SameText   bool   // of an edit that does not tell what the message says now
	At         time.Time
	Place      int
}

// TypeRevoked is the last type of a conversation whose last message the citizen took back.
const TypeRevoked = "revoked"

// Revise changes messages as their citizens did, each change once however often it comes. One that comes before its
// message waits for it: arrived are WhatsApp's ids of the messages that this transaction stored. What a message said
// before is kept. Only the contact that wrote a message changes it. The order of processing does not matter: the
// latest edit is what the message says.
func Revise(ctx context.Context, tx *db.Tx, municipality int64, revisions []Revision, arrived []string) error {
	if len(revisions) == 0 && len(arrived) == 0 {
		return nil
	}
	rows := make([][]any, len(revisions))
	var targets []string
	for i, r := range revisions {
		rows[i] = []any{municipality, r.ExternalID, r.Target, r.ContactID, string(r.Kind), r.Text, r.SameText, r.At, r.Place, false, r.Number, tx.Now()}
		targets = append(targets, r.Target)
	}
	slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[1].(string), b[1].(string)) })
	if _, err := tx.Exec(ctx, insertRevision, rows); err != nil {
		return fmt.Errorf("keep revisions: %w", err)
	}
	if err := eachSeesTheOther(ctx, tx, municipality, len(revisions) > 0); err != nil {
		return fmt.Errorf("wait for revisions: %w", err)
	}
	waits, err := anyWaits(ctx, tx, municipality)
	if err != nil || !waits {
		return err
	}
	return apply(ctx, tx, municipality, append(targets, arrived...))
}

const insertRevision = `INSERT INTO revision (municipality_id, external_id, target, contact_id, kind, text, same_text, at, place, applied, number, kept_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`

// eachSeesTheOther keeps a message and its revision, processed by two instances at once, from missing each other on
// PostgreSQL: both are written by now, and who looks second waits for the first to be committed.
func eachSeesTheOther(ctx context.Context, tx *db.Tx, municipality int64, revises bool) error {
	if tx.Engine != db.PostgreSQL {
		return nil
	}
	lock := "pg_advisory_xact_lock_shared"
	if revises {
		lock = "pg_advisory_xact_lock"
	}
	const lockOfRevisions = 0x7265766973650000 // apart from the locks of others
	_, err := tx.ExecContext(ctx, `SELECT `+lock+`($1)`, municipality^lockOfRevisions)
	return err
}

// FindBy lets a message be found by more words than its own: what the office wrote of its file.
func FindBy(ctx context.Context, tx *db.Tx, municipality int64, m Message, words string) error {
	return tx.Index(ctx, db.MessageSearch, municipality, []db.Doc{{ID: m.ID, Text: m.Text + "\n" + words}}, true)
}

// FindByOwnWords lets messages be found no longer by what the office wrote of these files, which are gone.
func FindByOwnWords(ctx context.Context, tx *db.Tx, municipality int64, files []int64) error {
	var docs []db.Doc
	err := tx.Query(ctx, `SELECT m.message_id, m.text FROM media f JOIN message m ON m.municipality_id = f.municipality_id AND m.media_id = f.media_id AND m.media_id <> 0
		WHERE f.municipality_id = $1 AND f.media_id = $2 AND f.description <> '' AND m.broadcast_id = 0`, keyed(municipality, files), func(_ int, row db.Scanner) error {
		var d db.Doc
		err := row.Scan(&d.ID, &d.Text)
		docs = append(docs, d)
		return err
	})
	if err != nil {
		return fmt.Errorf("look for the messages of %d files: %w", len(files), err)
	}
	return tx.Index(ctx, db.MessageSearch, municipality, docs, true)
}

func anyWaits(ctx context.Context, tx *db.Tx, municipality int64) (waits bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM revision WHERE municipality_id = $1 AND applied = false)`, municipality).Scan(&waits)
	if err != nil {
		return false, fmt.Errorf("look for revisions that wait: %w", err)
	}
	return waits, nil
}

// reviseOf applies what waited because the message seemed to be another contact's.
func reviseOf(ctx context.Context, tx *db.Tx, municipality, contact int64) error {
	var targets []string
	err := tx.Query(ctx, `SELECT target FROM revision WHERE municipality_id = $1 AND contact_id = $2 AND applied = false`, [][]any{{municipality, contact}},
		func(_ int, row db.Scanner) error {
			var target string
			err := row.Scan(&target)
			targets = append(targets, target)
			return err
		})
	if err != nil || len(targets) == 0 {
		return err
	}
	return apply(ctx, tx, municipality, targets)
}

// revised is a message with all that was done to it, oldest first.
type revised struct {
	Message
	revisions []Revision
	first     bool // what it said at first has not been kept yet
}

func apply(ctx context.Context, tx *db.Tx, municipality int64, targets []string) error {
	slices.Sort(targets)
	found, err := revisedBy(ctx, tx, municipality, slices.Compact(targets))
	if err != nil {
		return fmt.Errorf("find revised messages: %w", err)
	}
	var originals, updates, previews, applied [][]any
	var docs []db.Doc
	for _, m := range found {
		if m.first {
			originals = append(originals, []any{municipality, m.ExternalID, m.ExternalID, m.ContactID, string(Original), m.Text, false, m.At, m.Place, true, m.Number, tx.Now()})
		}
		text, edited, revoked := m.outcome()
		updates = append(updates, []any{municipality, m.ID, text, edited, revoked})
		last, shown := m.Type, preview(text)
		if revoked != nil {
			last, shown = TypeRevoked, ""
		}
		previews = append(previews, []any{municipality, m.ConversationID, m.ID, last, shown})
		applied = append(applied, []any{municipality, m.ExternalID, m.ContactID})
		docs = append(docs, db.Doc{ID: m.ID, Text: text})
		if m.ConversationID != 0 {
			changed(tx, municipality, m.ConversationID)
		}
	}
	for _, step := range []struct {
		query string
		rows  [][]any
	}{
		{insertRevision, originals},
		{`UPDATE message SET text = $3, edited_at = $4, revoked_at = $5 WHERE municipality_id = $1 AND message_id = $2`, updates},
		{`UPDATE conversation SET last_type = $4, last_text = $5 WHERE municipality_id = $1 AND conversation_id = $2 AND last_message_id = $3`, previews},
		{`UPDATE revision SET applied = true WHERE municipality_id = $1 AND target = $2 AND contact_id = $3 AND applied = false`, applied},
	} {
		if _, err := tx.Exec(ctx, step.query, step.rows); err != nil {
			return fmt.Errorf("revise messages: %w", err)
		}
	}
	return tx.Index(ctx, db.MessageSearch, municipality, docs, true)
}

// revisedBy loads those of the messages that are there and have been revised by whoever wrote them.
func revisedBy(ctx context.Context, tx *db.Tx, municipality int64, targets []string) ([]*revised, error) {
	history, err := Revisions(ctx, tx, municipality, targets)
	if err != nil || len(history) == 0 {
		return nil, err
	}
	rows := make([][]any, 0, len(history))
	for _, target := range targets {
		if len(history[target]) > 0 {
			rows = append(rows, []any{municipality, target})
		}
	}
	query := `SELECT ` + messageColumns + ` FROM message m WHERE m.municipality_id = $1 AND m.external_id = $2 AND m.external_id <> '' AND m.direction = 'in'`
	if tx.Engine == db.PostgreSQL {
		query += " FOR UPDATE"
	}
	messages, err := messagesOf(ctx, tx, query, rows)
	if err != nil {
		return nil, err
	}
	var out []*revised
	for _, m := range messages {
		r := &revised{Message: m, first: true}
		for _, revision := range history[m.ExternalID] {
			switch {
			case revision.Kind == Original:
				r.first = false
				r.revisions = append(r.revisions, revision)
			case revision.ContactID == m.ContactID:
				r.revisions = append(r.revisions, revision)
			}
		}
		if slices.ContainsFunc(r.revisions, func(v Revision) bool { return v.Kind != Original }) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *revised) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// outcome is what the message says after all that was done to it, and since when.
func (r *revised) outcome() (text string, edited, revoked *time.Time) {
	text = r.Text
	for i := range r.revisions {
		v := &r.revisions[i]
		switch v.Kind {
		case Original:
			text = v.Text
		case Edit:
			edited = &v.At
			if !v.SameText {
				text = v.Text
			}
		case Revoke:
			revoked = &v.At
		}
	}
	return text, edited, revoked
}

// Revisions tells what messages, by WhatsApp's ids of them, said before and what was done to them, oldest first.
func Revisions(ctx context.Context, tx *db.Tx, municipality int64, targets []string) (map[string][]Revision, error) {
	rows := make([][]any, len(targets))
	for i, target := range targets {
		rows[i] = []any{municipality, target}
	}
	out := make(map[string][]Revision)
	err := tx.Query(ctx, `SELECT external_id, target, contact_id, kind, text, same_text, at, place FROM revision WHERE municipality_id = $1 AND target = $2`, rows,
		func(_ int, row db.Scanner) error {
			var r Revision
			err := row.Scan(&r.ExternalID, &r.Target, &r.ContactID, &r.Kind, &r.Text, &r.SameText, &r.At, &r.Place)
			r.At = r.At.UTC()
			out[r.Target] = append(out[r.Target], r)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("load revisions: %w", err)
	}
	for _, list := range out {
		slices.SortFunc(list, inOrder)
	}
	return out, nil
}

// inOrder puts what a message said at first before all that was done to it, whatever its time.
func inOrder(a, b Revision) int {
	if (a.Kind == Original) != (b.Kind == Original) {
		if a.Kind == Original {
			return -1
		}
		return 1
	}
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Place, b.Place), cmp.Compare(a.ExternalID, b.ExternalID))
}
