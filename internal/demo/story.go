// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Story tells the demo into a database.
type Story struct {
	StoryOptions
	desks []desk
	talks []talk           // the index of an event's talk
	marks []mark           // how far each talk is
	casts map[string]int64 // the last broadcast of a town, by slug
	files *fileBox         // what the talks show
}

// StoryOptions are what a story is told with. DB runs by Clock, which Past and Today put back as they tell; the towns
// have been applied.
type StoryOptions struct {
	DB        *db.DB
	Clock     *Clock
	Store     *media.Store
	Directory *municipality.Directory
	Dialogue  *dialogue.Dialogue // answers the words by which citizens join lists
	Now       time.Time          // when the story ends
}

// desk is a town that has been applied, with its staff.
type desk struct {
	Town
	m       *municipality.Municipality
	staff   []staff.Actor
	planner *planner
}

func (k *desk) number() string { return k.m.Numbers[0].PhoneNumberID }

// mark is how far a talk is in the database.
type mark struct {
	contact      int64
	conversation int64
	serial       int // of its messages
	lastIn       conversation.Message
	lastOut      conversation.Message
	kinded       bool
}

// NewStory begins a story.
func NewStory(ctx context.Context, o StoryOptions) (*Story, error) {
	lib, err := readLibrary()
	if err != nil {
		return nil, fmt.Errorf("read the dialogues: %w", err)
	}
	s := &Story{StoryOptions: o, files: newFileBox(), casts: map[string]int64{}}
	for _, t := range Towns() {
		m, ok := o.Directory.BySlug(t.Slug)
		if !ok {
			return nil, fmt.Errorf("%s has not been applied", t.Slug)
		}
		s.desks = append(s.desks, desk{Town: t, m: m, planner: newPlanner(len(s.desks), t, m.Desk, o.Now, lib)})
	}
	return s, s.hire(ctx)
}

// hire makes the accounts of the staff. They share one password, so it is hashed once.
func (s *Story) hire(ctx context.Context) error {
	password, err := staff.NewPassword(ctx, Password, Everywhere.Email, Everywhere.Name)
	if err != nil {
		return fmt.Errorf("hash the password of the demo: %w", err)
	}
	s.Clock.Set(s.Now.AddDate(0, 0, -pastDays-1))
	return s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		for i := range s.desks {
			k := &s.desks[i]
			if k.staff, err = addStaff(ctx, tx, k.m, k.Town, password); err != nil {
				return fmt.Errorf("staff of %s: %w", k.Slug, err)
			}
			if err := s.approve(ctx, tx, k); err != nil {
				return fmt.Errorf("templates of %s: %w", k.Slug, err)
			}
		}
		return nil
	})
}

// add takes talks into the story and returns their events in order of time.
func (s *Story) add(talks []talk) []event {
	var events []event
	for _, t := range talks {
		for i := range t.events {
			t.events[i].talk = len(s.talks)
		}
		s.talks, s.marks = append(s.talks, t), append(s.marks, mark{})
		events = append(events, t.events...)
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	return events
}

// act does what an operator does, and returns the message it sent, if it sent one.
func (s *Story) act(ctx context.Context, tx *db.Tx, e event, m *mark) (sent conversation.Message, err error) {
	k := &s.desks[s.talks[e.talk].town]
	who := k.staff[e.by]
	switch e.verb {
	case out, quote, answer, template:
		return s.send(ctx, tx, k, who, e, m)
	case note:
		m.serial++
		_, err = conversation.AddNote(ctx, tx, who, m.conversation, e.text, s.key(e, m))
	case memo:
		err = contact.SetNote(ctx, tx, k.m.ID, m.contact, e.text)
	case take:
		if err = conversation.Take(ctx, tx, who, m.conversation); err == nil {
			_, err = conversation.See(ctx, tx, who, m.conversation, m.lastIn.ID)
		}
	case handOver:
		err = conversation.HandOverTo(ctx, tx, who, m.conversation, k.staff[1-min(e.by, 1)].ID)
	case office:
		if id, ok := k.offices[e.text]; ok { // else the town has one office only
			err = conversation.HandOverToOffice(ctx, tx, who, m.conversation, id)
		}
	case resolve:
		if err = s.setKind(ctx, tx, k, who, e, m); err == nil {
			err = conversation.Resolve(ctx, tx, who, m.conversation, e.text)
		}
	default:
		err = fmt.Errorf("nobody at the desk can do %q", e.verb)
	}
	return sent, err
}

// key makes an operator's message one, however often it is told.
func (s *Story) key(e event, m *mark) string { return fmt.Sprintf("demo-%d-%d", e.talk, m.serial) }

func (s *Story) send(ctx context.Context, tx *db.Tx, k *desk, who staff.Actor, e event, m *mark) (conversation.Message, error) {
	m.serial++
	outgoing := conversation.Outgoing{Type: conversation.TypeText, Text: e.text, ClientKey: s.key(e, m)}
	switch {
	case e.verb == answer:
		outgoing = conversation.Outgoing{Type: conversation.TypeReaction, Reaction: e.text, ReplyTo: m.lastIn.ID, ClientKey: outgoing.ClientKey}
	case e.verb == template:
		outgoing.Type = conversation.TypeTemplate
		outgoing.Template = &conversation.Template{Name: e.text, Language: "it", Texts: e.variables}
		outgoing.Text = rendered(e.text, e.variables)
	case e.file == "place:sede":
		outgoing.Type, outgoing.Location = conversation.TypeLocation,
			&conversation.Location{Latitude: k.latitude, Longitude: k.longitude, Name: k.m.File.Name, Address: k.seat}
	case e.file != "":
		id, err := s.attach(ctx, tx, k, e)
		if err != nil {
			return conversation.Message{}, err
		}
		outgoing.Type, outgoing.MediaID = messageType(e.file), id
	}
	if e.verb == quote {
		outgoing.ReplyTo = m.lastIn.ID
	}
	sent, err := conversation.Send(ctx, tx, who, m.conversation, outgoing)
	if err != nil {
		return sent, err
	}
	if e.verb != answer {
		m.lastOut = sent
	}
	return sent, s.setKind(ctx, tx, k, who, e, m)
}

// setKind says what a conversation is about, once somebody deals with it: nearly always.
func (s *Story) setKind(ctx context.Context, tx *db.Tx, k *desk, who staff.Actor, e event, m *mark) error {
	kind := s.talks[e.talk].kind
	known := slices.ContainsFunc(k.m.File.Kinds, func(one municipality.Kind) bool { return one.ID == kind })
	if m.kinded || !known || e.verb != resolve && e.talk%9 == 0 {
		return nil
	}
	m.kinded = true
	return conversation.SetKind(ctx, tx, who, m.conversation, kind)
}

func rendered(name string, variables []string) string {
	all := Templates()
	return all[slices.IndexFunc(all, func(t Template) bool { return t.Name == name })].render(variables)
}

// attach writes down the file of an event and returns its id.
func (s *Story) attach(ctx context.Context, tx *db.Tx, k *desk, e event) (int64, error) {
	f, ok := s.files.stored[place{k.m.ID, keyOf(e)}]
	if !ok {
		return 0, fmt.Errorf("%s was not stored", e.file)
	}
	f.ID = tx.NewID()
	return f.ID, media.Save(ctx, tx, k.m.ID, f)
}

// messageType is how a file travels.
func messageType(file string) string {
	switch kind, _, _ := strings.Cut(file, ":"); kind {
	case "photo":
		return conversation.TypeImage
	case "voice":
		return conversation.TypeVoice
	case "place":
		return conversation.TypeLocation
	case "contact":
		return conversation.TypeContacts
	}
	return conversation.TypeDocument
}

// near is a place in the street of a talk, the same all along.
func (s *Story) near(e event) conversation.Location {
	t := s.talks[e.talk]
	k := &s.desks[t.town]
	away := func(n int) float64 { return float64((e.talk*n)%200-100) / 10000 }
	return conversation.Location{Latitude: k.latitude + away(37), Longitude: k.longitude + away(53), Address: t.street + ", " + k.Name}
}

// card is the contact that citizens share.
func card() json.RawMessage {
	return json.RawMessage(`[{"name":{"formatted_name":"Studio Lombardi","first_name":"Studio","last_name":"Lombardi"},` +
		`"phones":[{"phone":"+39 0541 555010","type":"WORK"}],"org":{"company":"Studio Lombardi commercialisti"}}]`)
}
