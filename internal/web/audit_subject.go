// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/url"
	"slices"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// subject is what a row of the audit trail is about: the trail keeps ids only, and each of its kind has its name
// elsewhere, for as long as it is there.
type subject struct{ kind, id string }

// subjects are those of a page of the trail, with what was found of them.
type subjects struct {
	*visit
	ids   map[string][]int64 // by kind
	found map[subject]page.Subject
}

// excerpt is how many characters of what a broadcast says name it.
const excerpt = 60

// nameSubjects names what a page of the trail is about, a kind at a time. Citizens are named to those who may read what
// they write; all others learn what kind of thing it is. What the municipality does not have, or no longer, says so.
func nameSubjects(ctx context.Context, tx *db.Tx, v *visit, entries []staff.Entry) (map[subject]page.Subject, error) {
	s := subjects{visit: v, ids: make(map[string][]int64), found: make(map[subject]page.Subject)}
	for _, e := range entries {
		s.sort(subject{e.ObjectKind, e.ObjectID})
	}
	for _, look := range []func(context.Context, *db.Tx) error{s.messages, s.files, s.conversations, s.contacts, s.consents, s.broadcasts, s.people, s.tokens} {
		if err := look(ctx, tx); err != nil {
			return nil, err
		}
	}
	return s.found, nil
}

// sort keeps what is to be looked up, and names what the municipality's file names. Until it is found a thing counts as
// gone.
func (s *subjects) sort(o subject) {
	if _, seen := s.found[o]; seen {
		return
	}
	s.found[o] = page.Subject{Label: s.kindWord(o.kind, "gone"), ID: o.id}
	if id, ok := db.ParseID(o.id); ok && !slices.Contains(s.ids[o.kind], id) {
		s.ids[o.kind] = append(s.ids[o.kind], id)
	}
	switch o.kind {
	case "list":
		i := slices.IndexFunc(s.municipality.File.Lists, func(l municipality.List) bool { return l.Keyword == o.id })
		if i >= 0 {
			s.name(o, s.municipality.File.Lists[i].Name, staff.ManageBroadcasts, "lists/"+url.PathEscape(o.id))
		}
	case "number":
		if n, ok := s.municipality.Number(o.id); ok {
			s.name(o, n.Display, staff.ManageNumbers, "settings/numbers/"+o.id)
		}
	case "account":
		s.found[o] = page.Subject{Label: s.language.T("desk.audit.named.account", "name", o.id)}
	case "municipality":
		if o.id == db.FormatID(s.municipality.ID) {
			s.found[o] = page.Subject{Label: s.municipality.Name}
		}
	case "quarantine":
		s.found[o] = page.Subject{Label: s.kindWord(o.kind, "one"), ID: o.id}
		if s.actor.May(staff.SeeQuarantine) {
			s.found[o] = page.Subject{Label: s.kindWord(o.kind, "one"), Address: s.at("settings/quarantine")}
		}
	}
}

// kindWord is what a kind of thing is called: one of it, or one that is gone.
func (s *subjects) kindWord(kind, which string) string {
	if key := locale.Key("desk.audit." + which + "." + kind); locale.Has(key) {
		return s.language.T(key)
	}
	return kind
}

func (s *subjects) at(path string) string { return "/desk/" + s.municipality.Slug + "/" + path }

// name gives a thing its name, and its page to those who may open it.
func (s *subjects) name(o subject, name string, right staff.Right, path string) {
	on := page.Subject{Label: s.language.T(locale.Key("desk.audit.named."+o.kind), "name", name)}
	if s.actor.May(right) && path != "" {
		on.Address = s.at(path)
	}
	s.found[o] = on
}

// personal names a thing by its citizen, to those who may read what citizens write.
func (s *subjects) personal(kind string, id int64, name, path string) {
	o := subject{kind, db.FormatID(id)}
	if !s.actor.May(staff.Converse) {
		s.found[o] = page.Subject{Label: s.kindWord(kind, "one"), ID: o.id}
		return
	}
	s.name(o, name, staff.Converse, path)
}

// messages finds the conversations of messages: these have the names.
func (s *subjects) messages(ctx context.Context, tx *db.Tx) error {
	found, err := conversation.MessagesByID(ctx, tx, s.municipality.ID, s.ids["message"])
	if err != nil {
		return err
	}
	people, err := s.peopleOf(ctx, tx, found)
	for id, m := range found {
		s.personal("message", id, nameOf(people[m.ContactID]), conversationOf(m))
	}
	return err
}

// files finds the messages of files.
func (s *subjects) files(ctx context.Context, tx *db.Tx) error {
	files, err := media.ByIDs(ctx, tx, s.municipality.ID, s.ids["media"])
	if err != nil {
		return err
	}
	var of []int64
	for _, f := range files {
		of = append(of, f.MessageID)
	}
	found, err := conversation.MessagesByID(ctx, tx, s.municipality.ID, of)
	if err != nil {
		return err
	}
	people, err := s.peopleOf(ctx, tx, found)
	for id, f := range files {
		if m, ok := found[f.MessageID]; ok {
			s.personal("media", id, nameOf(people[m.ContactID]), conversationOf(m))
			continue
		}
		o := subject{"media", db.FormatID(id)}
		s.found[o] = page.Subject{Label: s.kindWord("media", "one"), ID: o.id}
	}
	return err
}

func (s *subjects) peopleOf(ctx context.Context, tx *db.Tx, messages map[int64]conversation.Message) (map[int64]contact.Contact, error) {
	var ids []int64
	for _, m := range messages {
		ids = append(ids, m.ContactID)
	}
	return contact.ByID(ctx, tx, s.municipality.ID, ids)
}

func conversationOf(m conversation.Message) string {
	if m.ConversationID == 0 {
		return ""
	}
	return "conversations/" + db.FormatID(m.ConversationID)
}

func (s *subjects) conversations(ctx context.Context, tx *db.Tx) error {
	found, err := conversation.ByIDs(ctx, tx, s.municipality.ID, s.ids["conversation"])
	for _, c := range found {
		s.personal("conversation", c.ID, nameOf(c.Contact), "conversations/"+db.FormatID(c.ID))
	}
	return err
}

func (s *subjects) contacts(ctx context.Context, tx *db.Tx) error {
	found, err := contact.ByID(ctx, tx, s.municipality.ID, s.ids["contact"])
	for id, c := range found {
		s.personal("contact", id, nameOf(c), "citizens/"+db.FormatID(id))
	}
	return err
}

func (s *subjects) consents(ctx context.Context, tx *db.Tx) error {
	found, err := contact.ConsentsByID(ctx, tx, s.municipality.ID, s.ids["consent"])
	if err != nil {
		return err
	}
	var ids []int64
	for _, c := range found {
		ids = append(ids, c.ContactID)
	}
	people, err := contact.ByID(ctx, tx, s.municipality.ID, ids)
	for id, c := range found {
		s.personal("consent", id, nameOf(people[c.ContactID]), "citizens/"+db.FormatID(c.ContactID))
	}
	return err
}

func (s *subjects) broadcasts(ctx context.Context, tx *db.Tx) error {
	found, err := broadcast.ByID(ctx, tx, s.municipality.ID, s.ids["broadcast"])
	for id, b := range found {
		s.name(subject{"broadcast", db.FormatID(id)}, shortened(b.Reads, excerpt), staff.SeeFigures, "broadcasts/"+db.FormatID(id))
	}
	return err
}

func (s *subjects) people(ctx context.Context, tx *db.Tx) error {
	if len(s.ids["staff"]) == 0 {
		return nil
	}
	all, err := staff.List(ctx, tx, s.municipality.ID)
	for _, m := range all {
		if o := (subject{"staff", db.FormatID(m.ID)}); slices.Contains(s.ids["staff"], m.ID) {
			s.name(o, m.Name, staff.ManageStaff, "settings/staff/"+o.id)
		}
	}
	return err
}

func (s *subjects) tokens(ctx context.Context, tx *db.Tx) error {
	if len(s.ids["token"]) == 0 {
		return nil
	}
	all, err := staff.Tokens(ctx, tx, s.municipality.ID)
	for _, t := range all {
		if o := (subject{"token", db.FormatID(t.ID)}); slices.Contains(s.ids["token"], t.ID) {
			s.name(o, t.Name, staff.ManageTokens, "settings/tokens")
		}
	}
	return err
}
