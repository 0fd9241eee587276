// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Expected is a file that a message of WhatsApp's announces.
type Expected struct {
	MediaID        int64 // of ours, new
	MessageID      int64
	ConversationID int64  // whose thread is told when the file is there; 0 for none
	Number         string // phone number id it came in on
	ExternalID     string // WhatsApp's id of the file
	URL            string // may be empty; good for minutes
	MIME           string
	Name           string
	SHA256         string // base64 or hexadecimal
	At             time.Time
}

// Expect notes the files as pending, each with a job that fetches it, in the transaction that stores
// their messages.
func Expect(ctx context.Context, tx *db.Tx, municipality int64, expected []Expected) error {
	rows := make([][]any, len(expected))
	jobs := make([]river.JobArgs, len(expected))
	for i, e := range expected {
		rows[i] = []any{municipality, e.MediaID, e.MessageID, e.Number, string(In), plain(e.ExternalID), plain(e.URL), baseType(e.MIME),
			safeName(e.Name), plain(e.SHA256), string(Pending), sentAt(e.At, tx.Now())}
		jobs[i] = FetchArgs{Municipality: municipality, Media: e.MediaID, Conversation: e.ConversationID}
	}
	_, err := tx.Exec(ctx, `INSERT INTO media (municipality_id, media_id, message_id, number, direction, external_id, url, mime, name, declared_sha256, state, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`, rows)
	if err != nil {
		return fmt.Errorf("expect %d files: %w", len(expected), err)
	}
	return tx.EnqueueMany(ctx, jobs)
}

// sentAt keeps a wrong clock of somebody's from prolonging the life of an id.
func sentAt(at, now time.Time) time.Time {
	if at.IsZero() || at.After(now) {
		return now
	}
	return at.UTC().Truncate(time.Microsecond)
}

// lookAgainAfter is when a file that is still pending may have lost its job; a job is at work for less.
const lookAgainAfter = 2 * time.Hour

// LookAgain leaves a job for each file that has been pending for long and lost its own.
func LookAgain(ctx context.Context, tx *db.Tx, municipality int64) error {
	var jobs []river.JobArgs
	err := tx.Query(ctx, `SELECT media_id FROM media WHERE municipality_id = $1 AND state = 'pending' AND created_at < $2 ORDER BY media_id LIMIT 200`,
		[][]any{{municipality, tx.Now().Add(-lookAgainAfter)}}, func(_ int, row db.Scanner) error {
			args := FetchArgs{Municipality: municipality}
			err := row.Scan(&args.Media)
			jobs = append(jobs, args)
			return err
		})
	if err != nil {
		return fmt.Errorf("look for files that are still pending: %w", err)
	}
	return tx.EnqueueMany(ctx, jobs)
}
