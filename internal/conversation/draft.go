// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Draft is what an operator has typed and not sent. It is kept on the server and survives everything;
// its key becomes the message's, so that sending it twice sends it once.
type Draft struct {
	Key       string // made by the composer, new for every message
	Mode      string // reply or note
	Text      string
	ReplyTo   int64
	MediaID   int64
	UpdatedAt time.Time
}

// The modes of a draft.
const (
	modeReply = "reply"
	modeNote  = "note"
)

// maxDraft is more than any message may hold, in bytes: an overlong text is kept until it is cut.
const maxDraft = 64 << 10

// SaveDraft keeps the operator's draft; an empty one is dropped. One whose key is that of a message is
// late: nothing is kept of what was sent, and anything else is ErrKeyUsed, because it could never be sent.
func SaveDraft(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64, d Draft) error {
	if actor.Kind != staff.OperatorKind || !actor.May(staff.Converse) {
		return ErrForbidden
	}
	if len(d.Text) > maxDraft || len(d.Key) > 100 {
		return fault.New(fault.TooLarge, "error.draft_too_long")
	}
	if d.Mode != modeReply && d.Mode != modeNote || d.Key != db.Text(d.Key) {
		return fault.New(fault.Invalid, "error.invalid")
	}
	if _, err := Get(ctx, tx, actor.Municipality, id); err != nil {
		return err
	}
	d.Text = db.Text(d.Text)
	if sent, err := byClientKey(ctx, tx, actor.Municipality, clientKey(actor, d.Key)); err == nil {
		return sentAlready(sent, d)
	} else if !errors.Is(err, ErrNoMessage) {
		return err
	}
	if strings.TrimSpace(d.Text) == "" && d.ReplyTo == 0 && d.MediaID == 0 {
		return dropDraft(ctx, tx, actor, id, d.Key)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO draft (municipality_id, conversation_id, staff_id, draft_key, mode, text, reply_to, media_id, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (municipality_id, conversation_id, staff_id) DO UPDATE SET draft_key = excluded.draft_key, mode = excluded.mode,
		text = excluded.text, reply_to = excluded.reply_to, media_id = excluded.media_id, updated_at = excluded.updated_at`,
		actor.Municipality, id, actor.ID, d.Key, d.Mode, d.Text, d.ReplyTo, d.MediaID, tx.Now())
	if err != nil {
		return fmt.Errorf("save the draft in conversation %d: %w", id, err)
	}
	return nil
}

func sentAlready(m Message, d Draft) error {
	if text := strings.TrimSpace(d.Text); text != "" && text != strings.TrimSpace(m.Text) {
		return ErrKeyUsed
	}
	return nil
}

// GetDraft returns the operator's draft; one without a key is none.
func GetDraft(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64) (Draft, error) {
	var d Draft
	err := tx.Query(ctx, `SELECT draft_key, mode, text, reply_to, media_id, updated_at FROM draft
		WHERE municipality_id = $1 AND conversation_id = $2 AND staff_id = $3`, [][]any{{actor.Municipality, id, actor.ID}}, func(_ int, row db.Scanner) error {
		return row.Scan(&d.Key, &d.Mode, &d.Text, &d.ReplyTo, &d.MediaID, &d.UpdatedAt)
	})
	if err != nil {
		return Draft{}, fmt.Errorf("get the draft in conversation %d: %w", id, err)
	}
	return d, nil
}

// dropDraft drops the draft that has the key. Another one is of a message that the operator still writes.
func dropDraft(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64, key string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM draft WHERE municipality_id = $1 AND conversation_id = $2 AND staff_id = $3 AND draft_key = $4`,
		actor.Municipality, id, actor.ID, key)
	if err != nil {
		return fmt.Errorf("drop the draft in conversation %d: %w", id, err)
	}
	return nil
}
