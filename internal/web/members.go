// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

func staffPath(v *visit) string { return "/desk/" + v.municipality.Slug + "/settings/staff" }

func (s *Server) staffPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	list, err := s.members(r.Context(), v)
	if err != nil {
		return err
	}
	members := make([]page.Member, len(list))
	for i, m := range list {
		members[i] = memberOf(v.municipality, m)
	}
	return s.draw(w, r, http.StatusOK, page.StaffPage(s.settingsFrame(v, page.TabStaff), members))
}

func (s *Server) members(ctx context.Context, v *visit) (list []staff.Member, err error) {
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		list, err = staff.List(ctx, tx, v.municipality.ID)
		return err
	})
	return list, err
}

func memberOf(m *municipality.Municipality, s staff.Member) page.Member {
	out := page.Member{ID: db.FormatID(s.ID), Name: s.Name, Email: s.Email, Role: string(s.Role), LastSeen: orZero(s.SeenAt), Disabled: s.Disabled, Invited: !s.Active}
	for _, office := range s.Offices {
		out.Offices = append(out.Offices, officeName(m, office))
	}
	return out
}

func roleForm(m *municipality.Municipality, role string, offices []string) page.RoleForm {
	f := page.RoleForm{Role: role, Offices: officeChoices(m), Ticked: offices}
	for _, r := range staff.Roles() {
		f.Roles = append(f.Roles, string(r))
	}
	return f
}

func (s *Server) newMember(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.drawNewMember(w, r, v, http.StatusOK, page.NewMember{RoleForm: roleForm(v.municipality, string(staff.Operator), nil)})
}

func (s *Server) drawNewMember(w http.ResponseWriter, r *http.Request, v *visit, status int, m page.NewMember) error {
	return s.draw(w, r, status, page.NewMemberPage(s.settingsFrame(v, page.TabStaff), m))
}

// addMember gives somebody a place at the desk and shows the link by which they choose their password: there is no
// mail server yet, so the administrator hands it over.
func (s *Server) addMember(w http.ResponseWriter, r *http.Request, v *visit) error {
	offices, err := officesIn(w, r, v)
	if err != nil {
		return err
	}
	n := staff.New{Email: r.PostForm.Get("email"), Name: r.PostForm.Get("name"), Role: staff.Role(r.PostForm.Get("role")), Offices: offices}
	var account staff.Account
	var token string
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		if account, _, err = staff.Add(ctx, tx, v.actor, v.municipality.ID, n); err != nil {
			return err
		}
		token, err = staff.Invite(ctx, tx, v.actor, v.municipality.ID, account.ID)
		return err
	})
	if kind := fault.KindOf(err); kind == fault.Invalid || kind == fault.Conflict {
		return s.drawNewMember(w, r, v, kind.Status(), page.NewMember{Name: n.Name, Email: n.Email,
			RoleForm: roleForm(v.municipality, string(n.Role), offices), Problem: sentenceOf(v.language, err, "")})
	}
	if err != nil {
		return err
	}
	return s.drawMember(w, r, v, account.ID, http.StatusOK, page.MemberFile{Link: s.invitationLink(v, token)})
}

func (s *Server) invitationLink(v *visit, token string) string {
	return s.PublicURL + "/desk/" + v.municipality.Slug + "/invitation/" + token
}

func (s *Server) member(w http.ResponseWriter, r *http.Request, v *visit) error {
	memberID, err := id(r)
	if err != nil {
		return err
	}
	return s.drawMember(w, r, v, memberID, http.StatusOK, page.MemberFile{Saved: r.URL.Query().Has("saved")})
}

// drawMember shows f about a person of the staff of v's municipality.
func (s *Server) drawMember(w http.ResponseWriter, r *http.Request, v *visit, memberID int64, status int, f page.MemberFile) error {
	list, err := s.members(r.Context(), v)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(m staff.Member) bool { return m.ID == memberID })
	if at < 0 {
		return staff.ErrNotFound
	}
	f.Member, f.RoleForm, f.Self = memberOf(v.municipality, list[at]), roleForm(v.municipality, string(list[at].Role), list[at].Offices), memberID == v.actor.ID
	f.Hours = int(staff.InvitationLife.Hours())
	return s.draw(w, r, status, page.MemberPage(s.settingsFrame(v, page.TabStaff), f))
}

func (s *Server) setMember(w http.ResponseWriter, r *http.Request, v *visit) error {
	offices, err := officesIn(w, r, v)
	if err != nil {
		return err
	}
	return s.actOnMember(w, r, v, func(ctx context.Context, tx *db.Tx, id int64) error {
		return staff.SetRole(ctx, tx, v.actor, v.municipality.ID, id, staff.Role(r.PostForm.Get("role")), offices)
	})
}

// officesIn are the offices ticked in a form; none means all.
func officesIn(w http.ResponseWriter, r *http.Request, v *visit) ([]string, error) {
	if err := readForm(w, r); err != nil {
		return nil, err
	}
	offices := r.PostForm["office"]
	for _, o := range offices {
		if _, ok := v.municipality.File.Office(o); !ok {
			return nil, errForm
		}
	}
	return offices, nil
}

type memberAct func(ctx context.Context, tx *db.Tx, actor staff.Actor, municipality, id int64) error

// memberAct is a button on the page of a person.
func (s *Server) memberAct(do memberAct) func(http.ResponseWriter, *http.Request, *visit) error {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		return s.actOnMember(w, r, v, func(ctx context.Context, tx *db.Tx, id int64) error {
			return do(ctx, tx, v.actor, v.municipality.ID, id)
		})
	}
}

// actOnMember tells a refusal (the last administrator, somebody of another desk too) on the page it was asked on.
func (s *Server) actOnMember(w http.ResponseWriter, r *http.Request, v *visit, do func(ctx context.Context, tx *db.Tx, id int64) error) error {
	memberID, err := id(r)
	if err != nil {
		return err
	}
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error { return do(ctx, tx, memberID) })
	if err == nil {
		http.Redirect(w, r, staffPath(v)+"/"+db.FormatID(memberID)+"?saved", http.StatusSeeOther)
		return nil
	}
	return s.refusedMember(w, r, v, memberID, err)
}

func (s *Server) refusedMember(w http.ResponseWriter, r *http.Request, v *visit, memberID int64, err error) error {
	switch kind := fault.KindOf(err); kind {
	case fault.Invalid, fault.Conflict, fault.Forbidden:
		return s.drawMember(w, r, v, memberID, kind.Status(), page.MemberFile{Problem: sentenceOf(v.language, err, "")})
	}
	return err
}

// inviteMember shows a new one-time link. Until it is used the earlier password works.
func (s *Server) inviteMember(w http.ResponseWriter, r *http.Request, v *visit) error {
	memberID, err := id(r)
	if err != nil {
		return err
	}
	var token string
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		token, err = staff.Invite(ctx, tx, v.actor, v.municipality.ID, memberID)
		return err
	})
	if err != nil {
		return s.refusedMember(w, r, v, memberID, err)
	}
	return s.drawMember(w, r, v, memberID, http.StatusOK, page.MemberFile{Link: s.invitationLink(v, token)})
}

// removeMember goes back to the list: the person is no longer of this desk.
func (s *Server) removeMember(w http.ResponseWriter, r *http.Request, v *visit) error {
	memberID, err := id(r)
	if err != nil {
		return err
	}
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		return staff.Remove(ctx, tx, v.actor, v.municipality.ID, memberID)
	})
	if err != nil {
		return s.refusedMember(w, r, v, memberID, err)
	}
	http.Redirect(w, r, staffPath(v), http.StatusSeeOther)
	return nil
}
