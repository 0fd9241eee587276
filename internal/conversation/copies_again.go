// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Again is what stands in place of a broadcast's id in the copies that were sent again: they are stopped with it
// and are not counted among its recipients a second time.
func Again(broadcast int64) int64 { return -broadcast }

// silent are the copies of a broadcast of which nothing was heard since a time, and that were not sent again.
const silent = ` FROM message m WHERE m.municipality_id = $1 AND m.broadcast_id = $2 AND m.broadcast_id <> 0 AND m.stage = 30
	AND m.sending_at <= $3 AND NOT EXISTS (SELECT 1 FROM message r WHERE r.municipality_id = m.municipality_id AND r.client_key = 'resend:' || m.message_id AND r.client_key <> '')`

// CountSilent counts the copies of a broadcast of which nothing was heard for StayQuiet, and that were not sent
// again.
func CountSilent(ctx context.Context, tx *db.Tx, municipality, broadcast int64) (n int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*)`+silent, municipality, broadcast, tx.Now().Add(-StayQuiet)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the silent copies of broadcast %d: %w", broadcast, err)
	}
	return n, nil
}

// ResendArgs are the arguments that ResendCopies puts before those of the condition.
const ResendArgs = 11

// ResendCopies parks a second copy for the first limit citizens whose copy was silent at a time, each once, whoever
// asks, beginning after a copy; the first keeps its state. stay is a condition on m.contact_id, its arguments numbered
// from ResendArgs+1. It returns the last copy that got a second: 0 when nothing is left.
func ResendCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64, since time.Time, a Author, after int64, limit int, stay string, stayArgs []any) (last int64, err error) {
	args := append([]any{municipality, broadcast, since, tx.NewIDs(limit), Again(broadcast), a.Kind, a.ID, a.Name, tx.Now(), limit, after}, stayArgs...)
	err = tx.Query(ctx, `INSERT INTO message (municipality_id, message_id, contact_id, number, direction, type, status, lane, broadcast_id, client_key, reply_to, media_id,
		author_kind, author_id, author_name, at, created_at, next_at)
		SELECT $1, CAST($4 AS bigint) + ((r.n - 1) / `+perMillisecond+`) * `+millisecond+` + (r.n - 1) % `+perMillisecond+`, r.contact_id, r.number, 'out', r.type, 10, -1,
			CAST($5 AS bigint), '`+resendPrefix+`' || r.message_id, r.reply_to, r.media_id, $6, CAST($7 AS bigint), $8, $9, $9, $9
		FROM (SELECT f.message_id, f.contact_id, f.number, f.type, f.reply_to, f.media_id, row_number() OVER (ORDER BY f.message_id) AS n
			FROM (SELECT m.message_id, m.contact_id, m.number, m.type, m.reply_to, m.media_id`+silent+` AND m.message_id > $11 AND `+stay+` ORDER BY m.message_id LIMIT $10) f) r
		WHERE true ON CONFLICT DO NOTHING RETURNING client_key`, [][]any{args}, func(_ int, row db.Scanner) error {
		var key string
		err := row.Scan(&key)
		first, _ := db.ParseID(strings.TrimPrefix(key, resendPrefix))
		last = max(last, first)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("send the silent copies of broadcast %d again: %w", broadcast, err)
	}
	return last, nil
}

// ResentOf finds what was sent again of some messages, by the id of the first.
func ResentOf(ctx context.Context, tx *db.Tx, municipality int64, first []Message) (map[int64]Message, error) {
	var rows [][]any
	for _, m := range first {
		if m.Status == Uncertain {
			rows = append(rows, []any{municipality, resendKey(m.ID)})
		}
	}
	found, err := messagesOf(ctx, tx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.client_key = $2 AND m.client_key <> ''`, rows)
	if err != nil {
		return nil, fmt.Errorf("look for what was sent again: %w", err)
	}
	out := make(map[int64]Message, len(found))
	for _, m := range found {
		out[m.Detail.ResendOf] = m
	}
	return out, nil
}
