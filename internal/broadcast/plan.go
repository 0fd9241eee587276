// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Create writes a draft.
func Create(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, p Plan) (Broadcast, error) {
	if err := actor.Require(staff.ManageBroadcasts, m.ID); err != nil {
		return Broadcast{}, err
	}
	b := Broadcast{ID: tx.NewID(), State: Draft, Author: authorOf(actor), CreatedAt: tx.Now(), WrittenAt: tx.Now(), UpdatedAt: tx.Now()}
	if err := b.take(ctx, tx, m, p); err != nil {
		return Broadcast{}, err
	}
	if err := insert(ctx, tx, m.ID, b); err != nil {
		return Broadcast{}, err
	}
	told(tx, m.ID, b.ID)
	return b, record(ctx, tx, actor, m, Created, b)
}

// Edit rewrites a draft, or an emergency that waits for approval: it is a draft again then, so that nobody
// approves what they have not read. Who edits it is its author from then on.
func Edit(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64, p Plan) (Broadcast, error) {
	b, err := begin(ctx, tx, actor, staff.ManageBroadcasts, m, id, Draft, AwaitingApproval)
	if err != nil {
		return Broadcast{}, err
	}
	if err := b.take(ctx, tx, m, p); err != nil {
		return Broadcast{}, err
	}
	b.State, b.Author, b.WrittenAt, b.Submitter, b.SubmittedAt = Draft, authorOf(actor), tx.Now(), conversation.Author{}, nil
	if err := rewrite(ctx, tx, m.ID, b); err != nil {
		return Broadcast{}, err
	}
	told(tx, m.ID, id)
	return b, record(ctx, tx, actor, m, Edited, b)
}

// take makes b say what p says, if it can be sent like this.
func (b *Broadcast) take(ctx context.Context, tx *db.Tx, m *municipality.Municipality, p Plan) error {
	p.Free = strings.TrimSpace(db.Text(p.Free))
	b.Plan = p
	for _, check := range []func() error{
		func() error { return b.checkAudience(m) },
		func() error { return b.fill(ctx, tx, m, true) },
		b.checkText,
		func() error { return b.checkSchedule(tx.Now()) },
		func() error { return b.checkFollows(ctx, tx, m.ID) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// takeAgain is take for what was written some time ago: a list or the template may have gone since, or its
// schedule passed. What it says must not have changed, as people have decided about that.
func (b *Broadcast) takeAgain(ctx context.Context, tx *db.Tx, m *municipality.Municipality) error {
	read := b.Reads
	if err := b.take(ctx, tx, m, b.Plan); err != nil {
		return err
	}
	if b.Reads != read {
		return ErrChanged
	}
	return nil
}

func (b *Broadcast) checkAudience(m *municipality.Municipality) error {
	b.Emergency = false
	for _, keyword := range append(slices.Clone(b.Lists), b.Exclude...) {
		i := slices.IndexFunc(m.File.Lists, func(l municipality.List) bool { return l.Keyword == keyword })
		if i < 0 {
			return ErrNobody
		}
		if slices.Contains(b.Lists, keyword) && m.File.Lists[i].Kind == municipality.ListEmergency {
			b.Emergency = true
		}
	}
	for _, keyword := range b.Districts {
		if !slices.ContainsFunc(m.File.Districts, func(d municipality.District) bool { return d.Keyword == keyword }) {
			return ErrNobody
		}
	}
	if len(b.Lists) == 0 {
		return ErrNobody
	}
	return nil
}

// fill fills the template, and wants what stands above it where it is complete. All accounts that send must have it.
func (b *Broadcast) fill(ctx context.Context, tx *db.Tx, m *municipality.Municipality, complete bool) error {
	var seen []string
	for _, n := range m.Numbers {
		if slices.Contains(seen, n.WABAID) {
			continue
		}
		seen = append(seen, n.WABAID)
		t, err := municipality.TemplateOf(ctx, tx, m.ID, n.WABAID, b.Template.Name, b.Template.Language)
		if errors.Is(err, municipality.ErrTemplateNotFound) || err == nil && (!t.Approved() || !t.Supported()) {
			return ErrNoTemplate
		}
		if err != nil {
			return err
		}
		use := b.Template
		if b.Template, b.Reads, err = conversation.Fill(t, conversation.Filling{Parameters: b.Parameters, MediaID: use.MediaID, Place: use.Place, Payloads: use.Payloads}); err != nil {
			return err
		}
		if complete {
			if err := conversation.CheckAbove(ctx, tx, m.ID, t, b.Template); err != nil {
				return err
			}
		}
		b.Category = t.Category
	}
	return nil
}

// imitation finds the name of the State's own alarm: a municipality's message never looks like it.
// https://www.it-alert.gov.it/
// In English it may be two words of a sentence; only capitals, or no space, make it that name.
var (
	imitation        = regexp.MustCompile(`(?i)\bit[_\s\pZ\p{Pd}\p{Cf}\x{2212}]*alert\b`)
	englishImitation = regexp.MustCompile(`\b(?:IT[_\s\pZ\p{Pd}\p{Cf}\x{2212}]*(?i:alert)|(?i:it[_\p{Pd}\p{Cf}\x{2212}]*alert))\b`)
)

func (b *Broadcast) imitates() bool {
	name := imitation
	if strings.HasPrefix(b.Template.Language, "en") {
		name = englishImitation
	}
	return name.MatchString(b.Reads) || name.MatchString(b.Free)
}

// exerciseWord stands in every message of an exercise.
const exerciseWord = "ESERCITAZIONE"

func (b *Broadcast) checkText() error {
	if b.imitates() {
		return ErrImitation
	}
	if utf8.RuneCountInString(b.Free) > conversation.MaxText {
		return ErrFree
	}
	if b.Exercise && (!says(b.Reads, exerciseWord) || b.Free != "" && !says(b.Free, exerciseWord)) {
		return ErrExercise
	}
	return nil
}

func says(text, word string) bool { return strings.Contains(strings.ToUpper(text), word) }

// maxAhead is how far ahead a broadcast may be scheduled.
const maxAhead = 366 * 24 * time.Hour

func (b *Broadcast) checkSchedule(now time.Time) error {
	if b.Schedule != nil && (b.Schedule.Before(now.Add(-time.Minute)) || b.Schedule.After(now.Add(maxAhead))) {
		return ErrSchedule
	}
	return nil
}

func (b *Broadcast) checkFollows(ctx context.Context, tx *db.Tx, municipality int64) error {
	if b.Follows == 0 {
		b.Ends = false
		return nil
	}
	f, err := Get(ctx, tx, municipality, b.Follows)
	if errors.Is(err, ErrNotFound) || err == nil && (f.ID == b.ID || f.StartedAt == nil) {
		return ErrFollows
	}
	return err
}
