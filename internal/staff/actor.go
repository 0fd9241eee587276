// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import "github.com/filodiretto/filodiretto/internal/fault"

// ActorKind says who acts.
type ActorKind string

// The kinds of actor.
const (
	OperatorKind ActorKind = "operator" // somebody of the staff, whatever their role
	TokenKind    ActorKind = "token"    // a program, by its token
	SystemKind   ActorKind = "system"   // the product itself, or who runs it, by the command line
	CitizenKind  ActorKind = "citizen"
)

// Actor is who does something in one municipality. The zero Actor may do nothing.
type Actor struct {
	Kind         ActorKind
	ID           int64  // of the account, the token or the contact; 0 for the system
	Name         string // as colleagues know them; of the system, the part that acts: "cli"
	Role         Role   // of a person
	Offices      []string
	Municipality int64
}

// System is the part of the product called name, for example "cli" or "retention".
// In gives it the municipality it acts in.
func System(name string) Actor { return Actor{Kind: SystemKind, Name: name} }

// Citizen is the contact with this id.
func Citizen(municipality, contact int64) Actor {
	return Actor{Kind: CitizenKind, ID: contact, Municipality: municipality}
}

// In is a in municipality. Only the system may act in any: for all others it changes nothing.
func (a Actor) In(municipality int64) Actor {
	if a.Kind == SystemKind {
		a.Municipality = municipality
	}
	return a
}

// May tells whether a has right in its own municipality.
func (a Actor) May(right Right) bool {
	switch a.Kind {
	case OperatorKind:
		return a.Role.May(right)
	case TokenKind:
		return tokenMay(right)
	case SystemKind:
		return true
	}
	return false
}

// Require fails with Forbidden unless a has right in municipality.
func (a Actor) Require(right Right, municipality int64) error {
	if !a.May(right) || a.Kind != SystemKind && a.Municipality != municipality {
		return fault.New(fault.Forbidden, "error.forbidden")
	}
	return nil
}
