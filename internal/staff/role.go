// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"slices"

	"github.com/filodiretto/filodiretto/internal/fault"
)

// Role is what a person is at the desk of one municipality.
type Role string

// The roles.
const (
	Operator      Role = "operator"      // converses
	Supervisor    Role = "supervisor"    // also lists, broadcasts, approval, blocking, releasing what others hold
	Administrator Role = "administrator" // also staff, tokens, numbers, quarantine, audit
	Auditor       Role = "auditor"       // audit and figures only
)

// Roles lists the roles, those who work at the desk first, by rising rights.
func Roles() []Role { return []Role{Operator, Supervisor, Administrator, Auditor} }

// ParseRole reads a role as the command line and the forms write it.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fault.New(fault.Invalid, "error.staff_role")
}

// Right is something that a role allows.
type Right string

// The rights.
const (
	Converse          Right = "converse" // read, take, answer, resolve
	ReleaseOthers     Right = "release_others"
	ManageBroadcasts  Right = "manage_broadcasts" // and lists
	ApproveBroadcasts Right = "approve_broadcasts"
	BlockCitizens     Right = "block_citizens" // and take them off the block list
	ManageStaff       Right = "manage_staff"
	ManageTokens      Right = "manage_tokens"
	ManageNumbers     Right = "manage_numbers"
	SeeQuarantine     Right = "see_quarantine"
	ReplayQuarantine  Right = "replay_quarantine"
	SeeAudit          Right = "see_audit"
	SeeFigures        Right = "see_figures"
)

// May tells whether the role allows right. An unknown role allows nothing.
func (r Role) May(right Right) bool {
	switch r {
	case Operator:
		return right == Converse
	case Supervisor:
		return Operator.May(right) || slices.Contains([]Right{ReleaseOthers, ManageBroadcasts, ApproveBroadcasts, SeeFigures, BlockCitizens}, right)
	case Administrator:
		return Supervisor.May(right) || slices.Contains([]Right{ManageStaff, ManageTokens, ManageNumbers, SeeQuarantine, ReplayQuarantine, SeeAudit}, right)
	case Auditor:
		return right == SeeAudit || right == SeeFigures
	}
	return false
}

// tokenMay is what a program with a token is allowed: what an administrator may, but for what would
// let a leaked token make further accounts, or approve what it wrote itself.
func tokenMay(right Right) bool {
	return Administrator.May(right) && right != ManageStaff && right != ManageTokens && right != ApproveBroadcasts
}
