// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"context"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Password is that of all accounts of the demo. It is printed, and known to everybody.
const Password = "filodiretto-demo"

// Login is somebody who may sign in.
type Login struct {
	Email string
	Name  string
	Role  staff.Role
}

// Everywhere may sign in at every town's desk.
var Everywhere = Login{"tutti@demo.example", "Teresa Fonti", staff.Administrator}

// Staff is who works in the town: two operators first. The addresses are of a domain that exists for examples only (RFC 2606).
func (t Town) Staff() []Login {
	at := func(name string) string { return name + "@" + t.Slug + ".example" }
	return []Login{
		{at("anna"), "Anna Martini", staff.Operator},
		{at("luca"), "Luca Serra", staff.Operator},
		{at("giulia"), "Giulia Conti", staff.Supervisor},
		{at("paolo"), "Paolo Ferri", staff.Administrator},
		{at("elena"), "Elena Grandi", staff.Auditor},
	}
}

// addStaff makes the accounts of a town and returns those who work there, in the order of Staff.
func addStaff(ctx context.Context, tx *db.Tx, m *municipality.Municipality, t Town, password staff.Password) ([]staff.Actor, error) {
	var actors []staff.Actor
	for _, l := range append(t.Staff(), Everywhere) {
		a, _, err := staff.Add(ctx, tx, staff.System("demo"), m.ID, staff.New{Email: l.Email, Name: l.Name, Role: l.Role, Password: password})
		if err != nil {
			return nil, err
		}
		actors = append(actors, staff.Actor{Kind: staff.OperatorKind, ID: a.ID, Name: l.Name, Role: l.Role, Municipality: m.ID})
	}
	return actors, nil
}
