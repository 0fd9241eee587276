// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// ConsentRecorded stands in the audit trail for every row of the consent register, with its hash.
const ConsentRecorded staff.Action = "consent.recorded"

// policyOf is the privacy notice that citizens consent under.
func policyOf(f *municipality.File) contact.Policy {
	return contact.Policy{Version: f.Policy.Version, URL: f.Policy.URL, Text: f.Policy.Text}
}

// Notice is where the privacy notice is to be read, or all of it where it has no address. What a form shows of it is
// proof that it was shown.
func Notice(f *municipality.File) string { return noticeIn(policyOf(f)) }

// withNotice adds a record of its own of the privacy notice for each message, or form, by which somebody joined having
// been shown it (invariant 9).
func withNotice(consents []contact.Consent, shown func(contact.Consent) bool) []contact.Consent {
	out := slices.Clone(consents)
	acknowledged := make(map[string]bool)
	for _, c := range consents {
		if c.Event != contact.ConsentGiven || acknowledged[c.ExternalID] || !shown(c) {
			continue
		}
		acknowledged[c.ExternalID] = true
		c.Topic, c.Event = "", contact.ConsentNotice
		out = append(out, c)
	}
	return out
}

// prove appends to the consent register, and leaves the hashes in the audit trail.
func prove(ctx context.Context, tx *db.Tx, m *municipality.Municipality, policy contact.Policy, consents []contact.Consent) error {
	for i := range consents { // the desk speaks the file's language, whatever a form spoke
		consents[i].Language = cmp.Or(consents[i].Language, m.File.Locale)
	}
	written, err := contact.AppendConsents(ctx, tx, m.ID, policy, consents)
	if err != nil {
		return err
	}
	entries := make([]staff.Entry, len(written))
	for i, c := range written {
		entries[i] = staff.Entry{
			Actor:  staff.Actor{Kind: staff.ActorKind(c.Actor.Kind), ID: c.Actor.ID, Name: c.Actor.Name, Municipality: m.ID},
			Action: ConsentRecorded, ObjectKind: "consent", ObjectID: db.FormatID(c.ID), Detail: map[string]any{"sha256": c.Hash},
		}
	}
	return staff.RecordMany(ctx, tx, entries)
}

// settle writes what words or forms have changed: who is on which list, and the daily counts. Nothing more of any
// broadcast goes to whoever left.
func settle(ctx context.Context, tx *db.Tx, m *municipality.Municipality, all map[int64]*standing, channel string) error {
	if err := save(ctx, tx, m.ID, all); err != nil {
		return err
	}
	tallies := make(map[conversation.Tally]int64)
	day := tx.Now().In(m.Desk.Zone()).Format(time.DateOnly) // as the figures are read
	var gone []int64
	for _, id := range slices.Sorted(maps.Keys(all)) {
		s := all[id]
		for _, j := range s.joins {
			tallies[conversation.Tally{Day: day, Number: j.number, Name: "joined:" + j.topic + ":" + channel}]++
		}
		for _, d := range s.departures {
			tallies[conversation.Tally{Day: day, Number: d.number, Name: "left:" + d.topic + ":" + cmp.Or(d.reason, channel)}]++
		}
		if len(s.departures) > 0 {
			gone = append(gone, id)
		}
	}
	if err := conversation.AddTallies(ctx, tx, m.ID, tallies); err != nil || len(gone) == 0 {
		return err
	}
	return skipLeft(ctx, tx, m.ID, gone)
}

// Verified is what comparing the consent register with the audit trail found.
type Verified struct {
	Count      int      // rows that are as they were written
	Altered    []int64  // rows that are not, or that the audit trail has another hash of
	Unrecorded []int64  // rows that the audit trail knows nothing of
	Missing    []int64  // rows that the audit trail knows and the register does not have
	Notices    []string // hashes of privacy notices that are not as they were shown, or gone
	Audited    int      // rows of the audit trail that are as they were sealed
	Broken     *int64   // place of the first that is not, nil if all are
}

// Sound tells that nothing was found.
func (v Verified) Sound() bool {
	return len(v.Altered) == 0 && len(v.Unrecorded) == 0 && len(v.Missing) == 0 && len(v.Notices) == 0 && v.Broken == nil
}

// VerifyConsents holds the consent register of a municipality against its audit trail, and this against its chain.
func VerifyConsents(ctx context.Context, tx *db.Tx, municipality int64) (Verified, error) {
	var v Verified
	recorded := make(map[int64]string)
	err := staff.EachOf(ctx, tx, municipality, ConsentRecorded, func(objectID string, detail map[string]any) error {
		id, _ := db.ParseID(objectID)
		recorded[id], _ = detail["sha256"].(string)
		return nil
	})
	if err != nil {
		return v, err
	}
	deleted := make(map[int64]bool)
	err = staff.EachOf(ctx, tx, municipality, staff.ConsentDeleted, func(objectID string, _ map[string]any) error {
		id, _ := db.ParseID(objectID)
		deleted[id] = true
		return nil
	})
	if err != nil {
		return v, err
	}
	sound := map[string]bool{"": true} // privacy notices, by hash; an imported consent has none
	if err := contact.EachPolicy(ctx, tx, municipality, func(hash string, p contact.Policy) { sound[hash] = p.Hash() == hash }); err != nil {
		return v, err
	}
	err = contact.EachConsent(ctx, tx, municipality, func(c contact.Consent) error {
		if _, kept := sound[c.PolicyHash]; !kept {
			sound[c.PolicyHash] = false
		}
		hash, known := recorded[c.ID]
		delete(recorded, c.ID)
		switch {
		case !known:
			v.Unrecorded = append(v.Unrecorded, c.ID)
		case hash != c.Hash || c.Hash != c.Digest(municipality):
			v.Altered = append(v.Altered, c.ID)
		default:
			v.Count++
		}
		return nil
	})
	if err != nil {
		return v, err
	}
	for _, hash := range slices.Sorted(maps.Keys(sound)) {
		if !sound[hash] {
			v.Notices = append(v.Notices, hash)
		}
	}
	maps.DeleteFunc(recorded, func(id int64, _ string) bool { return deleted[id] })
	v.Missing = slices.Sorted(maps.Keys(recorded))
	v.Audited, v.Broken, err = staff.VerifyAudit(ctx, tx, municipality)
	return v, err
}
