// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality/store"
)

// Health is what Meta says of a number.
type Health struct {
	Throughput     string     // throughput.level: STANDARD, HIGH, NOT_APPLICABLE
	Quality        string     // quality_rating: GREEN, YELLOW, RED, UNKNOWN, NA; "" before the first check
	MessagingLimit string     // whatsapp_business_manager_messaging_limit: TIER_250 … TIER_UNLIMITED; "" where it isn't known
	CheckedAt      *time.Time // in a Directory: when it last became other than before
}

// PeopleADay is how many people the portfolio of the number may reach outside their window in any 24
// hours, all its numbers together: -1 where there is no limit, or none that is known. Tiers of other sizes
// than today's are read all the same.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messaging-limits
func (h Health) PeopleADay() int {
	size, isTier := strings.CutPrefix(h.MessagingLimit, "TIER_")
	if !isTier {
		return -1
	}
	thousands, inThousands := strings.CutSuffix(size, "K")
	people, err := strconv.Atoi(thousands)
	switch {
	case err != nil || people <= 0 || people > 1_000_000:
		return -1
	case inThousands:
		return people * 1000
	}
	return people
}

// Rate is what Meta lets the number send and receive together, in messages a second.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput
func (h Health) Rate() float64 {
	if h.Throughput == "HIGH" {
		return 1000
	}
	return 80
}

// Health is what Meta last said of the number with this id.
func (m *Municipality) Health(phoneNumberID string) Health { return m.health[phoneNumberID] }

// PeopleADay is how many people Meta lets the municipality reach outside their window in 24 hours, over all its
// numbers: -1 where there is no limit, or none that is known.
func (m *Municipality) PeopleADay() int {
	least := -1
	for _, n := range m.Numbers {
		if people := m.Health(n.PhoneNumberID).PeopleADay(); people >= 0 && (least < 0 || people < least) {
			least = people
		}
	}
	return least
}

// SetNumberHealth notes what Meta says of a number now; h.CheckedAt is not looked at.
func SetNumberHealth(ctx context.Context, tx *db.Tx, municipality int64, phoneNumberID string, h Health) error {
	q := store.New(tx)
	was, err := q.NumberHealth(ctx, store.NumberHealthParams{MunicipalityID: municipality, PhoneNumberID: phoneNumberID})
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, "error.not_found")
	}
	if err != nil {
		return fmt.Errorf("read the health of number %s: %w", phoneNumberID, err)
	}
	_, err = q.SetNumberHealth(ctx, store.SetNumberHealthParams{Throughput: h.Throughput, Quality: h.Quality, MessagingLimit: h.MessagingLimit,
		CheckedAt: new(tx.Now()), MunicipalityID: municipality, PhoneNumberID: phoneNumberID})
	if err != nil {
		return fmt.Errorf("note the health of number %s: %w", phoneNumberID, err)
	}
	if was.Throughput == h.Throughput && was.Quality == h.Quality && was.MessagingLimit == h.MessagingLimit {
		return nil // the directories need not look
	}
	tx.Notify(db.Notice{Topic: db.Config, Municipality: municipality})
	if err := q.Touch(ctx, municipality); err != nil {
		return fmt.Errorf("tell the directories of number %s: %w", phoneNumberID, err)
	}
	return nil
}
