// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// Action is what was done, "noun.verb": it is kept for good, so never rename one.
type Action string

// The actions of this package.
const (
	SignedIn       Action = "staff.signed_in"
	SignInFailed   Action = "staff.sign_in_failed"
	MemberAdded    Action = "staff.added"
	MemberRemoved  Action = "staff.removed"
	RoleChanged    Action = "staff.role_changed"
	StaffDisabled  Action = "staff.disabled"
	StaffEnabled   Action = "staff.enabled"
	StaffInvited   Action = "staff.invited"
	InvitationUsed Action = "staff.invitation_used"
	PasswordReset  Action = "staff.password_reset"
	TokenCreated   Action = "token.created"
	TokenRevoked   Action = "token.revoked"
)

// Entry is one row of the audit trail.
type Entry struct {
	ID         int64
	At         time.Time
	Actor      Actor // kind, id and, as known today, name
	Action     Action
	ObjectKind string
	ObjectID   string
	Detail     map[string]any
	Seq        int64 // its place in the chain, 0 until sealed
}

var errNoMunicipality = errors.New("an audit row belongs to a municipality: use Actor.In")

// Record writes into the audit trail of the actor's municipality, in the transaction it tells of, that
// actor did action to the object. The trail outlives what it speaks of and cannot be corrected, so it
// holds ids, numbers and code words, never personal text: what looks like any is refused.
func Record(ctx context.Context, tx *db.Tx, actor Actor, action Action, objectKind, objectID string, detail map[string]any) error {
	if actor.Municipality == 0 {
		return fmt.Errorf("record %s: %w", action, errNoMunicipality)
	}
	if err := impersonal(objectID, detail); err != nil {
		return fmt.Errorf("record %s: %w", action, err)
	}
	if detail == nil {
		detail = map[string]any{}
	}
	column, err := db.ToJSON(detail)
	if err != nil {
		return err
	}
	name := ""
	if actor.Kind == SystemKind {
		name = actor.Name
	}
	err = store.New(tx).AddAudit(ctx, store.AddAuditParams{
		MunicipalityID: actor.Municipality, AuditID: tx.NewID(), At: tx.Now(),
		ActorKind: string(actor.Kind), ActorID: actor.ID, ActorName: name,
		Action: string(action), ObjectKind: objectKind, ObjectID: objectID, Detail: column,
	})
	if err != nil {
		return fmt.Errorf("record %s: %w", action, err)
	}
	return nil
}

func impersonal(objectID string, detail map[string]any) error {
	if looksPersonal(objectID) {
		return errors.New("the id of the object looks like personal text")
	}
	for key, value := range detail {
		if !plainValue(reflect.ValueOf(value)) {
			return fmt.Errorf("the detail %q is neither a number nor a code word", key)
		}
	}
	return nil
}

func plainValue(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.String:
		return !looksPersonal(v.String())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 { // bytes may say anything
			return false
		}
		for i := range v.Len() {
			if !plainValue(v.Index(i)) {
				return false
			}
		}
		return true
	}
	return false
}

// looksPersonal catches sentences, full names, e-mails and phones; it is a net, not a proof.
func looksPersonal(s string) bool {
	return len(s) > 200 || strings.ContainsAny(s, " @\t\r\n\u00a0") || strings.HasPrefix(s, "+")
}

// AuditPage returns up to limit rows of the trail, newest first, older than the row before; 0 begins
// with the newest.
func AuditPage(ctx context.Context, tx *db.Tx, municipality, before int64, limit int) ([]Entry, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := store.New(tx).AuditPage(ctx, store.AuditPageParams{MunicipalityID: municipality, Before: before, Page: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("read the audit trail of municipality %d: %w", municipality, err)
	}
	out := make([]Entry, len(rows))
	for i, r := range rows {
		out[i] = Entry{
			ID: r.AuditID, At: r.At.UTC(), Action: Action(r.Action), ObjectKind: r.ObjectKind, ObjectID: r.ObjectID, Seq: r.Seq,
			Actor: Actor{Kind: ActorKind(r.ActorKind), ID: r.ActorID, Name: r.ActorName + r.StaffName + r.TokenName, Municipality: municipality},
		}
		if err := r.Detail.Into(&out[i].Detail); err != nil {
			return nil, fmt.Errorf("audit row %d: %w", r.AuditID, err)
		}
	}
	return out, nil
}
