// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
)

// Merged tells of a conversation that another open one of the same citizen joined; Detail is the id of that one.
// Its state is "merged" from then on: no list shows it, and no message opens it again.
const Merged EventKind = "merged"

// Merge gives the older contact what the younger had: messages, events, and the open conversation,
// which joins the older one's if it has one too.
func Merge(ctx context.Context, tx *db.Tx, municipality int64, merges []contact.Merge) error {
	for _, m := range merges {
		if err := lockOfBoth(ctx, tx, municipality, m); err != nil {
			return fmt.Errorf("lock the conversations of contact %d: %w", m.From, err)
		}
		if err := mergeOpen(ctx, tx, municipality, m); err != nil {
			return fmt.Errorf("merge open conversations of contact %d: %w", m.From, err)
		}
		for _, table := range []string{"message", "conversation_event", "conversation", "revision"} {
			_, err := tx.ExecContext(ctx, `UPDATE `+table+` SET contact_id = $3 WHERE municipality_id = $1 AND contact_id = $2`, municipality, m.From, m.Into)
			if err != nil {
				return fmt.Errorf("move the %ss of contact %d: %w", table, m.From, err)
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE message SET conversation_id = c.conversation_id FROM conversation c
			WHERE message.municipality_id = $1 AND message.contact_id = $2 AND message.conversation_id = 0 AND message.direction = 'in'
			AND c.municipality_id = $1 AND c.contact_id = $2 AND c.number = message.number AND c.state = 'open' AND message.at >= c.opened_at`, municipality, m.Into); err != nil {
			return fmt.Errorf("adopt reactions of contact %d: %w", m.Into, err)
		}
		if err := reviseOf(ctx, tx, municipality, m.Into); err != nil {
			return fmt.Errorf("revise the messages of contact %d: %w", m.Into, err)
		}
	}
	return nil
}

// lockOfBoth makes others wait on PostgreSQL: a reply written in this very moment is there to be moved, or
// goes to the older contact. Otherwise it would stay with the one that nobody sees any more.
func lockOfBoth(ctx context.Context, tx *db.Tx, municipality int64, m contact.Merge) error {
	if tx.Engine != db.PostgreSQL {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT 1 FROM conversation WHERE municipality_id = $1 AND contact_id IN ($2, $3)
		ORDER BY conversation_id FOR UPDATE`, municipality, m.From, m.Into)
	return err
}

func mergeOpen(ctx context.Context, tx *db.Tx, municipality int64, m contact.Merge) error {
	rows, err := openOf(ctx, tx, municipality, m.From)
	if err != nil {
		return err
	}
	older, err := openOf(ctx, tx, municipality, m.Into)
	if err != nil {
		return err
	}
	var joined []Event
	for number, from := range rows {
		into, both := older[number]
		if !both {
			changed(tx, municipality, from)
			continue
		}
		if err := joinConversations(ctx, tx, municipality, from, into); err != nil {
			return err
		}
		joined = append(joined, Event{ConversationID: into, ContactID: m.Into, Number: number, At: tx.Now(), Kind: Merged, Detail: db.FormatID(from)})
	}
	return record(ctx, tx, municipality, joined)
}

// openOf maps the numbers a contact has open conversations with to these.
func openOf(ctx context.Context, tx *db.Tx, municipality, contactID int64) (map[string]int64, error) {
	out := make(map[string]int64)
	err := tx.Query(ctx, `SELECT number, conversation_id FROM conversation WHERE municipality_id = $1 AND contact_id = $2 AND state = 'open'`,
		[][]any{{municipality, contactID}}, func(_ int, row db.Scanner) error {
			var number string
			var id int64
			err := row.Scan(&number, &id)
			out[number] = id
			return err
		})
	return out, err
}

// joinConversations gives one conversation all that another holds. Two drafts of one operator become one; a
// note among them makes it a note, so that nothing internal is sent by mistake.
func joinConversations(ctx context.Context, tx *db.Tx, municipality, from, into int64) error {
	for _, step := range []string{
		`UPDATE conversation SET
			unread = conversation.unread + f.unread,
			kind = CASE WHEN conversation.kind = '' THEN f.kind ELSE conversation.kind END,
			office = CASE WHEN conversation.office = '' THEN f.office ELSE conversation.office END,
			holder_name = CASE WHEN conversation.holder_id = 0 THEN f.holder_name ELSE conversation.holder_name END,
			holder_id = CASE WHEN conversation.holder_id = 0 THEN f.holder_id ELSE conversation.holder_id END,
			opened_at = CASE WHEN f.opened_at < conversation.opened_at THEN f.opened_at ELSE conversation.opened_at END,
			first_reply_at = CASE WHEN conversation.first_reply_at IS NULL OR f.first_reply_at < conversation.first_reply_at THEN f.first_reply_at ELSE conversation.first_reply_at END,
			waiting_since = CASE WHEN conversation.waiting_since IS NULL OR f.waiting_since < conversation.waiting_since THEN f.waiting_since ELSE conversation.waiting_since END,
			last_inbound_at = CASE WHEN conversation.last_inbound_at IS NULL OR f.last_inbound_at > conversation.last_inbound_at THEN f.last_inbound_at ELSE conversation.last_inbound_at END,
			last_message_id = CASE WHEN f.last_message_at > conversation.last_message_at THEN f.last_message_id ELSE conversation.last_message_id END,
			last_direction = CASE WHEN f.last_message_at > conversation.last_message_at THEN f.last_direction ELSE conversation.last_direction END,
			last_type = CASE WHEN f.last_message_at > conversation.last_message_at THEN f.last_type ELSE conversation.last_type END,
			last_text = CASE WHEN f.last_message_at > conversation.last_message_at THEN f.last_text ELSE conversation.last_text END,
			last_message_at = CASE WHEN f.last_message_at > conversation.last_message_at THEN f.last_message_at ELSE conversation.last_message_at END
		FROM conversation f WHERE f.municipality_id = $1 AND f.conversation_id = $2 AND conversation.municipality_id = $1 AND conversation.conversation_id = $3`,
		`UPDATE message SET conversation_id = $3 WHERE municipality_id = $1 AND conversation_id = $2
			AND contact_id = (SELECT c.contact_id FROM conversation c WHERE c.municipality_id = $1 AND c.conversation_id = $2)`,
		`UPDATE draft SET text = trim(draft.text || '` + "\n\n" + `' || f.text, '` + "\n" + `'),
			mode = CASE WHEN draft.mode = f.mode THEN draft.mode ELSE 'note' END,
			reply_to = CASE WHEN draft.reply_to = 0 THEN f.reply_to ELSE draft.reply_to END,
			media_id = CASE WHEN draft.media_id = 0 THEN f.media_id ELSE draft.media_id END
			FROM draft f WHERE f.municipality_id = $1 AND f.conversation_id = $2
			AND draft.municipality_id = $1 AND draft.conversation_id = $3 AND draft.staff_id = f.staff_id`,
		`UPDATE draft SET conversation_id = $3 WHERE municipality_id = $1 AND conversation_id = $2 AND NOT EXISTS
			(SELECT 1 FROM draft d WHERE d.municipality_id = $1 AND d.conversation_id = $3 AND d.staff_id = draft.staff_id)`,
		`DELETE FROM draft WHERE municipality_id = $1 AND conversation_id = $2 AND CAST($3 AS bigint) <> 0`,
		`UPDATE conversation SET state = 'merged', resolved_at = last_message_at, holder_id = 0, holder_name = '', unread = 0, waiting_since = NULL
			WHERE municipality_id = $1 AND conversation_id = $2 AND CAST($3 AS bigint) <> 0`,
	} {
		if _, err := tx.ExecContext(ctx, step, municipality, from, into); err != nil {
			return err
		}
	}
	changed(tx, municipality, from)
	changed(tx, municipality, into)
	return nil
}
