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

	// ConsentDeleted stands in the trail for every row of the consent register whose time was over: without it the row
	// would be missing.
	ConsentDeleted Action = "consent.deleted"
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
	row, err := auditRow(tx, actor, Entry{Action: action, ObjectKind: objectKind, ObjectID: objectID, Detail: detail})
	if err != nil {
		return err
	}
	if err := store.New(tx).AddAudit(ctx, row); err != nil {
		return fmt.Errorf("record %s: %w", action, err)
	}
	return nil
}

// RecordMany is Record for many at once; of each entry the actor, the action, the object and the detail count.
func RecordMany(ctx context.Context, tx *db.Tx, entries []Entry) error {
	rows := make([][]any, len(entries))
	for i, e := range entries {
		r, err := auditRow(tx, e.Actor, e)
		if err != nil {
			return err
		}
		rows[i] = []any{r.MunicipalityID, r.AuditID, r.At, r.ActorKind, r.ActorID, r.ActorName, r.Action, r.ObjectKind, r.ObjectID, r.Detail}
	}
	_, err := tx.Exec(ctx, `INSERT INTO audit (municipality_id, audit_id, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, rows)
	if err != nil {
		return fmt.Errorf("record %d acts: %w", len(entries), err)
	}
	return nil
}

func auditRow(tx *db.Tx, actor Actor, e Entry) (store.AddAuditParams, error) {
	if actor.Municipality == 0 {
		return store.AddAuditParams{}, fmt.Errorf("record %s: %w", e.Action, errNoMunicipality)
	}
	if err := impersonal(e.ObjectID, e.Detail); err != nil {
		return store.AddAuditParams{}, fmt.Errorf("record %s: %w", e.Action, err)
	}
	detail := e.Detail
	if detail == nil {
		detail = map[string]any{}
	}
	column, err := db.ToJSON(detail)
	if err != nil {
		return store.AddAuditParams{}, err
	}
	name := ""
	if actor.Kind == SystemKind {
		name = actor.Name
	}
	return store.AddAuditParams{
		MunicipalityID: actor.Municipality, AuditID: tx.NewID(), At: tx.Now(),
		ActorKind: string(actor.Kind), ActorID: actor.ID, ActorName: name,
		Action: string(e.Action), ObjectKind: e.ObjectKind, ObjectID: e.ObjectID, Detail: column,
	}, nil
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

// EachOf calls f with the object's id and the detail of every row of one action, oldest first.
func EachOf(ctx context.Context, tx *db.Tx, municipality int64, action Action, f func(objectID string, detail map[string]any) error) error {
	err := tx.Query(ctx, `SELECT object_id, detail FROM audit WHERE municipality_id = $1 AND action = $2 ORDER BY audit_id`, [][]any{{municipality, string(action)}},
		func(_ int, row db.Scanner) error {
			var id string
			var column db.JSON
			if err := row.Scan(&id, &column); err != nil {
				return err
			}
			detail := map[string]any{}
			if err := column.Into(&detail); err != nil {
				return err
			}
			return f(id, detail)
		})
	if err != nil {
		return fmt.Errorf("read %s in the audit trail of municipality %d: %w", action, municipality, err)
	}
	return nil
}
