// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// The copies of a broadcast are messages, one for each recipient; they are the ledger of the broadcast. They
// open no conversation and reorder none. A copy is parked, in no lane, until its broadcast releases it: so
// a broadcast stops at once, and the outbox stays short however many wait.

// parked is the lane of what waits for its broadcast.
const parked Lane = -1

// Recipients is a query of contact_id and number, in the order of contacts, of its first Limit rows at most.
// Its arguments are numbered from CopyArgs+1.
type Recipients struct {
	Query string
	Args  []any
	Limit int
}

// CopyArgs are the arguments that Copies puts before those of the query of recipients.
const CopyArgs = 12

// Copies parks a copy for each of the recipients, each contact once for good, with the file above it if there is one, and returns the last contact
// that got one and how many did.
func Copies(ctx context.Context, tx *db.Tx, municipality, broadcast, follows, media int64, a Author, r Recipients) (last int64, n int, err error) {
	quotes := `''`
	if follows != 0 {
		quotes = `coalesce((SELECT f.external_id FROM message f WHERE f.municipality_id = $1 AND f.client_key = $11 || r.contact_id AND f.client_key <> '' AND f.number = r.number), '')`
	}
	// The ids are made by the database, from a block of ours, for its own rows.
	statement := `INSERT INTO message (municipality_id, message_id, contact_id, number, direction, type, status, lane, broadcast_id, client_key, reply_to, media_id,
		author_kind, author_id, author_name, at, created_at, next_at)
		SELECT $1, CAST($2 AS bigint) + ((r.n - 1) / ` + perMillisecond + `) * ` + millisecond + ` + (r.n - 1) % ` + perMillisecond + `, r.contact_id, r.number,
			'out', 'template', 10, CAST($3 AS smallint), CAST($4 AS bigint), $5 || r.contact_id, ` + quotes + `, CAST($12 AS bigint), $6, CAST($7 AS bigint), $8, $9, $10, $10
		FROM (SELECT q.contact_id, q.number, row_number() OVER (ORDER BY q.contact_id) AS n FROM (` + r.Query + `) q) r
		WHERE CAST($11 AS text) IS NOT NULL
		ON CONFLICT DO NOTHING RETURNING contact_id`
	args := append([]any{municipality, tx.NewIDs(r.Limit), int16(parked), broadcast, copyKey(broadcast), a.Kind, a.ID, a.Name, tx.Now(), tx.Now(), copyKey(follows), media}, r.Args...)
	err = tx.Query(ctx, statement, [][]any{args}, func(_ int, row db.Scanner) error {
		var contact int64
		err := row.Scan(&contact)
		last, n = max(last, contact), n+1
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("prepare the copies of broadcast %d: %w", broadcast, err)
	}
	return last, n, nil
}

var (
	perMillisecond = fmt.Sprint(db.IDsPerMillisecond)
	millisecond    = fmt.Sprint(db.FirstID(time.UnixMilli(1)))
)

func copyKey(broadcast int64) string { return fmt.Sprintf("copy:%d:", broadcast) }

// Learn lets PostgreSQL learn of many new copies: its plans would be those for the few messages that waited
// before, and walk through all copies for each of them. So would those for the conversations of who answers them.
func Learn(ctx context.Context, tx *db.Tx) error {
	if tx.Engine == db.SQLite {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `ANALYZE message, conversation`); err != nil {
		return fmt.Errorf("let the database learn of the copies: %w", err)
	}
	return nil
}
