// SPDX-License-Identifier: AGPL-3.0-or-later

// Package municipality is the tenant: a Comune as its file describes it, with its offices, numbers, hours,
// texts and switches, and the message templates of its WhatsApp accounts.
package municipality

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/calendar"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality/store"
)

// Municipality is a Comune as it was last applied. It is shared by all who read it: never change one.
type Municipality struct {
	ID        int64
	Slug      string
	Name      string
	File      *File
	Numbers   []Number // those in use, in the order of the file, with their secrets
	Retired   []Number // no longer in the file: their conversations stay, their secrets are gone
	Desk      *calendar.Calendar
	UpdatedAt time.Time

	health  map[string]Health
	version int64
}

// Number finds a number by Meta's id of it, retired ones too: for these it is what a thread shows.
func (m *Municipality) Number(phoneNumberID string) (Number, bool) {
	for _, numbers := range [][]Number{m.Numbers, m.Retired} {
		if i := slices.IndexFunc(numbers, func(n Number) bool { return n.PhoneNumberID == phoneNumberID }); i >= 0 {
			return numbers[i], true
		}
	}
	return Number{}, false
}

// Owns tells whether waba is the WhatsApp Business Account of a number in use. Several municipalities
// may share one.
func (m *Municipality) Owns(waba string) bool {
	return slices.ContainsFunc(m.Numbers, func(n Number) bool { return n.WABAID == waba })
}

// IDs are those of all municipalities of the installation.
func IDs(ctx context.Context, tx *db.Tx) ([]int64, error) {
	rows, err := store.New(tx).Versions(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the municipalities: %w", err)
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.MunicipalityID
	}
	return ids, nil
}
