// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// The failures of acting on a conversation.
var (
	ErrForbidden    = fault.New(fault.Forbidden, "error.forbidden")
	ErrResolved     = fault.New(fault.Conflict, "error.conversation_resolved")
	ErrNotResolved  = fault.New(fault.Conflict, "error.conversation_open")
	ErrOtherOpen    = fault.New(fault.Conflict, "error.conversation_other_open")
	ErrNeedsReason  = fault.New(fault.Invalid, "error.resolve_needs_reason")
	ErrReasonTooBig = fault.New(fault.Invalid, "error.reason_too_long", "max", MaxReason)
)

// MaxReason is the longest reason in characters.
const MaxReason = 500

// heldBy is the failure for an act on a conversation that somebody else holds.
func heldBy(name string) error { return fault.New(fault.Conflict, "error.held_by", "name", name) }

// mayTouch reports whether actor may change the conversation: nobody else holds it, or the actor may
// release what others hold.
func mayTouch(actor staff.Actor, c Conversation) error {
	switch {
	case !actor.May(staff.Converse):
		return ErrForbidden
	case c.HolderID == 0 || c.heldBy(actor) || actor.May(staff.ReleaseOthers):
		return nil
	}
	return heldBy(c.HolderName)
}

func (c Conversation) heldBy(actor staff.Actor) bool {
	return actor.Kind == staff.OperatorKind && c.HolderID == actor.ID
}

// Take makes the operator the holder. Somebody who holds it already is stopped in nothing; where
// another holds it, only who may release what others hold can take it over.
func Take(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64) error {
	c, err := lock(ctx, tx, actor.Municipality, id)
	if err != nil {
		return err
	}
	if c.heldBy(actor) {
		return nil
	}
	if actor.Kind != staff.OperatorKind {
		return ErrForbidden
	}
	if err := mayTouch(actor, c); err != nil {
		return err
	}
	if c.State != Open {
		return ErrResolved
	}
	if err := setHolder(ctx, tx, actor.Municipality, id, actor.ID, actor.Name); err != nil {
		return err
	}
	return act(ctx, tx, actor, c, Taken, "")
}

func setHolder(ctx context.Context, tx *db.Tx, municipality, id, holder int64, name string) error {
	_, err := tx.ExecContext(ctx, `UPDATE conversation SET holder_id = $3, holder_name = $4 WHERE municipality_id = $1 AND conversation_id = $2`, municipality, id, holder, name)
	if err != nil {
		return fmt.Errorf("set the holder of conversation %d: %w", id, err)
	}
	return nil
}

// Release leaves the conversation to whoever takes it next.
func Release(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64) error {
	c, err := lock(ctx, tx, actor.Municipality, id)
	if err != nil {
		return err
	}
	if err := mayTouch(actor, c); err != nil || c.HolderID == 0 {
		return err
	}
	if err := setHolder(ctx, tx, actor.Municipality, id, 0, ""); err != nil {
		return err
	}
	return act(ctx, tx, actor, c, Released, "")
}

// HandOverToOffice gives the conversation to an office and to nobody of it in particular.
func HandOverToOffice(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64, office string) error {
	c, err := openAndMine(ctx, tx, actor, id)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE conversation SET office = $3, holder_id = 0, holder_name = '' WHERE municipality_id = $1 AND conversation_id = $2`, actor.Municipality, id, office)
	if err != nil {
		return fmt.Errorf("hand conversation %d to office %s: %w", id, office, err)
	}
	return act(ctx, tx, actor, c, HandedOver, "office:"+office)
}

// HandOverTo gives the conversation to a colleague of the same municipality who may converse.
func HandOverTo(ctx context.Context, tx *db.Tx, actor staff.Actor, id, colleague int64) error {
	c, err := openAndMine(ctx, tx, actor, id)
	if err != nil {
		return err
	}
	to, err := staff.Membership(ctx, tx, actor.Municipality, colleague)
	if err != nil {
		return err
	}
	if !to.May(staff.Converse) {
		return ErrForbidden
	}
	if err := setHolder(ctx, tx, actor.Municipality, id, to.ID, to.Name); err != nil {
		return err
	}
	return act(ctx, tx, actor, c, HandedOver, "staff:"+to.Name)
}

func openAndMine(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64) (Conversation, error) {
	c, err := lock(ctx, tx, actor.Municipality, id)
	if err != nil {
		return c, err
	}
	if err := mayTouch(actor, c); err != nil {
		return c, err
	}
	if c.State != Open {
		return c, ErrResolved
	}
	return c, nil
}

// SetKind says what the citizen asks for; "" takes it back. The caller has checked that the
// municipality has this kind. It does not matter who holds the conversation.
func SetKind(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64, kind string) error {
	if !actor.May(staff.Converse) {
		return ErrForbidden
	}
	c, err := lock(ctx, tx, actor.Municipality, id)
	if err != nil || c.Kind == kind {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE conversation SET kind = $3 WHERE municipality_id = $1 AND conversation_id = $2`, actor.Municipality, id, kind); err != nil {
		return fmt.Errorf("set the kind of conversation %d: %w", id, err)
	}
	return act(ctx, tx, actor, c, KindSet, kind)
}

// Resolve ends the conversation. Everyone gets an answer: it needs a reply since the last question, or
// a reason.
func Resolve(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64, reason string) error {
	reason = strings.TrimSpace(db.Text(reason))
	if utf8.RuneCountInString(reason) > MaxReason {
		return ErrReasonTooBig
	}
	c, err := openAndMine(ctx, tx, actor, id)
	if err != nil {
		return err
	}
	if reason == "" && (c.WaitingSince != nil || c.FirstReplyAt == nil) {
		return ErrNeedsReason
	}
	_, err = tx.ExecContext(ctx, `UPDATE conversation SET state = 'resolved', resolved_at = $3, resolution = $4, unread = 0, waiting_since = NULL
		WHERE municipality_id = $1 AND conversation_id = $2`, actor.Municipality, id, tx.Now(), reason)
	if err != nil {
		return fmt.Errorf("resolve conversation %d: %w", id, err)
	}
	return act(ctx, tx, actor, c, Resolved, reason)
}

// Reopen takes a resolved conversation up again, unless another of the same citizen is open.
func Reopen(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64) error {
	if !actor.May(staff.Converse) {
		return ErrForbidden
	}
	c, err := lock(ctx, tx, actor.Municipality, id)
	if err != nil {
		return err
	}
	if c.State != Closed { // open, or joined to another
		return ErrNotResolved
	}
	other, err := openElsewhere(ctx, tx, actor.Municipality, c)
	if err != nil {
		return fmt.Errorf("look for another open conversation: %w", err)
	}
	if other != 0 {
		return ErrOtherOpen
	}
	_, err = tx.ExecContext(ctx, `UPDATE conversation SET state = 'open', resolved_at = NULL, resolution = '', holder_id = 0, holder_name = ''
		WHERE municipality_id = $1 AND conversation_id = $2`, actor.Municipality, id)
	if err != nil {
		return fmt.Errorf("reopen conversation %d: %w", id, err)
	}
	return act(ctx, tx, actor, c, Reopened, "")
}

// See marks what the citizen wrote, up to the message last, as read, and reports whether anything was
// unread: then WhatsApp is to be told. What came after last was not shown to the operator and stays unread.
func See(ctx context.Context, tx *db.Tx, actor staff.Actor, id, last int64) (bool, error) {
	if !actor.May(staff.Converse) {
		return false, ErrForbidden
	}
	c, err := lock(ctx, tx, actor.Municipality, id)
	if err != nil || c.Unread == 0 {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE conversation SET unread = (SELECT count(*)`+unseen+`) WHERE municipality_id = $1 AND conversation_id = $2`,
		actor.Municipality, id, last)
	if err != nil {
		return false, fmt.Errorf("mark conversation %d as read: %w", id, err)
	}
	changed(tx, actor.Municipality, id)
	return true, nil
}

// LastInbound is the citizen's latest message of the conversation; its id is 0 when there is none.
func LastInbound(ctx context.Context, tx *db.Tx, municipality int64, c Conversation) (Message, error) {
	found, err := messages(ctx, tx, `SELECT `+messageColumns+` FROM message m
		WHERE m.municipality_id = $1 AND m.contact_id = $2 AND m.number = $3 AND m.direction = 'in' AND m.conversation_id = $4
		ORDER BY m.at DESC, m.place DESC, m.message_id DESC LIMIT 1`, municipality, c.ContactID, c.Number, c.ID)
	if err != nil || len(found) == 0 {
		return Message{}, err
	}
	return found[0], nil
}
