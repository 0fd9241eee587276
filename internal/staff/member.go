// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// Member is an account with its role at the desk of one municipality.
type Member struct {
	Account
	Role    Role
	Offices []string // ids; none means all
}

// New describes somebody to add.
type New struct {
	Email    string
	Name     string
	Role     Role
	Offices  []string
	Password Password // the zero one: they will choose theirs by a one-time link, see Invite
}

// Add gives n a place at the desk of municipality, making the account unless there is one already.
//
// Only the command line may take in an account that another municipality made, and isNew is then false:
// its name and password stay. Otherwise an administrator could make an account in somebody's name, and
// wait until another municipality gives it rights.
func Add(ctx context.Context, tx *db.Tx, actor Actor, municipality int64, n New) (a Account, isNew bool, err error) {
	if err := actor.Require(ManageStaff, municipality); err != nil {
		return Account{}, false, err
	}
	email, err := ParseEmail(n.Email)
	if err != nil {
		return Account{}, false, err
	}
	name, err := parseName(n.Name)
	if err != nil {
		return Account{}, false, err
	}
	if _, err := ParseRole(string(n.Role)); err != nil {
		return Account{}, false, err
	}
	q := store.New(tx)
	added, err := q.AddAccount(ctx, store.AddAccountParams{StaffID: tx.NewID(), Email: email, Name: name, Password: n.Password.phc, CreatedAt: tx.Now()})
	if err != nil {
		return Account{}, false, fmt.Errorf("add an account: %w", err)
	}
	if added == 0 && actor.Kind != SystemKind {
		return Account{}, false, fault.New(fault.Conflict, "error.staff_exists")
	}
	if a, err = ByEmail(ctx, tx, email); err != nil {
		return Account{}, false, err
	}
	joined, err := q.AddMembership(ctx, store.AddMembershipParams{MunicipalityID: municipality, StaffID: a.ID, Role: string(n.Role), CreatedAt: tx.Now()})
	if err != nil {
		return Account{}, false, fmt.Errorf("add account %d to municipality %d: %w", a.ID, municipality, err)
	}
	if joined == 0 {
		return Account{}, false, fault.New(fault.Conflict, "error.staff_here")
	}
	if err := setOffices(ctx, q, municipality, a.ID, n.Offices); err != nil {
		return Account{}, false, err
	}
	return a, added > 0, changed(ctx, tx, actor, municipality, MemberAdded, a.ID, map[string]any{"role": n.Role, "offices": n.Offices})
}

func setOffices(ctx context.Context, q *store.Queries, municipality, id int64, offices []string) error {
	if err := q.ClearOffices(ctx, store.ClearOfficesParams{MunicipalityID: municipality, StaffID: id}); err != nil {
		return fmt.Errorf("clear the offices of account %d: %w", id, err)
	}
	for _, o := range offices {
		if err := q.AddOffice(ctx, store.AddOfficeParams{MunicipalityID: municipality, StaffID: id, Office: o}); err != nil {
			return fmt.Errorf("add office %s to account %d: %w", o, id, err)
		}
	}
	return nil
}

// changed records what happened to a member and tells the pages that depend on it.
func changed(ctx context.Context, tx *db.Tx, actor Actor, municipality int64, action Action, id int64, detail map[string]any) error {
	tx.Notify(db.Notice{Topic: db.Config, Municipality: municipality, ID: id})
	return Record(ctx, tx, actor.In(municipality), action, "staff", db.FormatID(id), detail)
}

// Membership is the account as an actor in municipality, or the failure to be one: it is what every
// request of a signed-in person asks first.
func Membership(ctx context.Context, tx *db.Tx, municipality, id int64) (Actor, error) {
	q := store.New(tx)
	row, err := q.Membership(ctx, store.MembershipParams{MunicipalityID: municipality, StaffID: id})
	if errors.Is(err, sql.ErrNoRows) {
		return Actor{}, fault.New(fault.Forbidden, "error.not_member")
	}
	if err != nil {
		return Actor{}, fmt.Errorf("membership of account %d in municipality %d: %w", id, municipality, err)
	}
	if row.Disabled {
		return Actor{}, fault.New(fault.Unauthenticated, "error.session_expired")
	}
	offices, err := q.OfficesOf(ctx, store.OfficesOfParams{MunicipalityID: municipality, StaffID: id})
	if err != nil {
		return Actor{}, fmt.Errorf("offices of account %d: %w", id, err)
	}
	return Actor{Kind: OperatorKind, ID: id, Name: row.Name, Role: Role(row.Role), Offices: offices, Municipality: municipality}, nil
}

// Municipalities are the ids of those where the account has a role.
func Municipalities(ctx context.Context, tx *db.Tx, id int64) ([]int64, error) {
	ids, err := store.New(tx).MunicipalitiesOf(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("municipalities of account %d: %w", id, err)
	}
	return ids, nil
}

// List returns the staff of municipality by name, disabled accounts too.
func List(ctx context.Context, tx *db.Tx, municipality int64) ([]Member, error) {
	q := store.New(tx)
	rows, err := q.Members(ctx, municipality)
	if err != nil {
		return nil, fmt.Errorf("staff of municipality %d: %w", municipality, err)
	}
	ties, err := q.MemberOffices(ctx, municipality)
	if err != nil {
		return nil, fmt.Errorf("offices of the staff of municipality %d: %w", municipality, err)
	}
	offices := map[int64][]string{}
	for _, t := range ties {
		offices[t.StaffID] = append(offices[t.StaffID], t.Office)
	}
	out := make([]Member, len(rows))
	for i, r := range rows {
		a, err := account(store.Staff{StaffID: r.StaffID, Email: r.Email, Name: r.Name, Password: r.Password, Preferences: r.Preferences,
			Disabled: r.Disabled, CreatedAt: r.CreatedAt, SeenAt: r.SeenAt}, nil, "list the staff")
		if err != nil {
			return nil, err
		}
		out[i] = Member{Account: a, Role: Role(r.Role), Offices: offices[r.StaffID]}
	}
	return out, nil
}

// Colleagues are those of the staff to whom a conversation can be handed over, by name.
func Colleagues(ctx context.Context, tx *db.Tx, municipality int64) ([]Member, error) {
	all, err := List(ctx, tx, municipality)
	if err != nil {
		return nil, err
	}
	var out []Member
	for _, m := range all {
		if m.Active && !m.Disabled && m.Role.May(Converse) {
			out = append(out, m)
		}
	}
	return out, nil
}

// SetRole changes what the account may do in municipality. offices replace the earlier ones.
func SetRole(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64, role Role, offices []string) error {
	if _, err := ParseRole(string(role)); err != nil {
		return err
	}
	if err := manage(ctx, tx, actor, municipality, id); err != nil {
		return err
	}
	if role != Administrator {
		if err := keepAdministrator(ctx, tx, actor, municipality, id); err != nil {
			return err
		}
	}
	q := store.New(tx)
	if _, err := q.SetRole(ctx, store.SetRoleParams{Role: string(role), MunicipalityID: municipality, StaffID: id}); err != nil {
		return fmt.Errorf("set the role of account %d: %w", id, err)
	}
	if err := setOffices(ctx, q, municipality, id, offices); err != nil {
		return err
	}
	return changed(ctx, tx, actor, municipality, RoleChanged, id, map[string]any{"role": role, "offices": offices})
}

// Remove takes the account's place in municipality away. The account stays, for the other places it has
// and for the names in the trail.
func Remove(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64) error {
	if err := manage(ctx, tx, actor, municipality, id); err != nil {
		return err
	}
	if err := keepAdministrator(ctx, tx, actor, municipality, id); err != nil {
		return err
	}
	q := store.New(tx)
	if err := setOffices(ctx, q, municipality, id, nil); err != nil {
		return err
	}
	if _, err := q.RemoveMembership(ctx, store.RemoveMembershipParams{MunicipalityID: municipality, StaffID: id}); err != nil {
		return fmt.Errorf("remove account %d from municipality %d: %w", id, municipality, err)
	}
	return changed(ctx, tx, actor, municipality, MemberRemoved, id, nil)
}

// Disable shuts the account out at once, in all of its municipalities: its sessions end and it can't sign in.
func Disable(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64) error {
	return setDisabled(ctx, tx, actor, municipality, id, true, StaffDisabled)
}

// Enable undoes Disable.
func Enable(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64) error {
	return setDisabled(ctx, tx, actor, municipality, id, false, StaffEnabled)
}

func setDisabled(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64, disabled bool, action Action) error {
	if err := manageWhole(ctx, tx, actor, municipality, id); err != nil {
		return err
	}
	if disabled {
		if err := keepAdministrator(ctx, tx, actor, municipality, id); err != nil {
			return err
		}
	}
	if _, err := store.New(tx).SetDisabled(ctx, store.SetDisabledParams{Disabled: disabled, StaffID: id}); err != nil {
		return fmt.Errorf("set account %d disabled to %t: %w", id, disabled, err)
	}
	if err := shutOut(ctx, tx, id); err != nil {
		return err
	}
	return changed(ctx, tx, actor, municipality, action, id, nil)
}

// Reset gives the account a new password, ends its sessions and lifts the delays on its sign-in.
func Reset(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64, password Password) error {
	if err := manageWhole(ctx, tx, actor, municipality, id); err != nil {
		return err
	}
	if err := setPassword(ctx, tx, id, password); err != nil {
		return err
	}
	return changed(ctx, tx, actor, municipality, PasswordReset, id, nil)
}

func setPassword(ctx context.Context, tx *db.Tx, id int64, password Password) error {
	a, err := Get(ctx, tx, id)
	if err != nil {
		return err
	}
	q := store.New(tx)
	if _, err := q.SetPassword(ctx, store.SetPasswordParams{Password: password.phc, StaffID: id}); err != nil {
		return fmt.Errorf("set the password of account %d: %w", id, err)
	}
	if err := q.ForgetAttempts(ctx, emailSubject(a.Email)); err != nil {
		return fmt.Errorf("forget the attempts on account %d: %w", id, err)
	}
	return shutOut(ctx, tx, id)
}

// shutOut ends what would let somebody in with an earlier password: sessions and one-time links.
func shutOut(ctx context.Context, tx *db.Tx, id int64) error {
	q := store.New(tx)
	if err := q.EndSessionsOf(ctx, store.EndSessionsOfParams{Nothing: []byte{}, StaffID: id}); err != nil {
		return fmt.Errorf("end the sessions of account %d: %w", id, err)
	}
	if err := q.DropInvitations(ctx, id); err != nil {
		return fmt.Errorf("drop the invitations of account %d: %w", id, err)
	}
	return nil
}

// manage fails unless actor may manage the staff of municipality and the account is one of them.
func manage(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64) error {
	if err := actor.Require(ManageStaff, municipality); err != nil {
		return err
	}
	_, err := store.New(tx).Membership(ctx, store.MembershipParams{MunicipalityID: municipality, StaffID: id})
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("find account %d in municipality %d: %w", id, municipality, err)
	}
	return nil
}

// manageWhole is manage for what touches the account in all of its municipalities: one of them may not
// do that to another's staff, only who runs the installation may.
func manageWhole(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64) error {
	if err := manage(ctx, tx, actor, municipality, id); err != nil || actor.Kind == SystemKind {
		return err
	}
	all, err := Municipalities(ctx, tx, id)
	if err != nil {
		return err
	}
	if len(all) > 1 {
		return fault.New(fault.Forbidden, "error.staff_shared")
	}
	return nil
}

// keepAdministrator stops a person from taking away the last administrator of municipality.
func keepAdministrator(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64) error {
	if actor.Kind == SystemKind {
		return nil
	}
	q := store.New(tx)
	// Otherwise two administrators could remove each other at the same moment.
	if err := q.LockAdministrators(ctx, municipality); err != nil {
		return fmt.Errorf("lock the administrators of municipality %d: %w", municipality, err)
	}
	others, err := q.OtherAdministrators(ctx, store.OtherAdministratorsParams{MunicipalityID: municipality, StaffID: id})
	if err != nil {
		return fmt.Errorf("count the administrators of municipality %d: %w", municipality, err)
	}
	if others == 0 {
		return fault.New(fault.Conflict, "error.staff_last_administrator")
	}
	return nil
}

// Anybody tells whether the installation has any account.
func Anybody(ctx context.Context, tx *db.Tx) (yes bool, err error) {
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM staff)`).Scan(&yes); err != nil {
		return false, fmt.Errorf("look for any account: %w", err)
	}
	return yes, nil
}
