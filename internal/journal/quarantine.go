// SPDX-License-Identifier: AGPL-3.0-or-later

package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/journal/store"
)

// Item is something in quarantine.
type Item struct {
	ID         int64
	EntryID    int64
	Place      string // where in the request it stood; "" is the whole
	Reason     string // a short word
	Detail     string
	Body       string // as it came; what is no text is written as ?
	At         time.Time
	ReplayedAt *time.Time // somebody asked to try again
	SolvedAt   *time.Time
}

// ErrNoItem is the failure for an item this municipality does not have.
var ErrNoItem = fault.New(fault.NotFound, "error.quarantine_not_found")

// Unsolved lists what is in quarantine, the newest first, with the first 16 KiB of each body; before is the
// last id of the page before, 0 begins.
func Unsolved(ctx context.Context, tx *db.Tx, municipality, before int64, limit int) ([]Item, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := store.New(tx).Unsolved(ctx, store.UnsolvedParams{MunicipalityID: municipality, Before: before, Page: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the quarantine: %w", err)
	}
	out := make([]Item, len(rows))
	for i, r := range rows {
		out[i] = Item{ID: r.QuarantineID, EntryID: r.EntryID, Place: r.Place, Reason: r.Reason, Detail: r.Detail, Body: r.Body,
			At: r.At.UTC(), ReplayedAt: r.ReplayedAt, SolvedAt: r.SolvedAt}
	}
	return out, nil
}

// GetItem returns one item.
func GetItem(ctx context.Context, tx *db.Tx, municipality, id int64) (Item, error) {
	row, err := store.New(tx).Item(ctx, store.ItemParams{MunicipalityID: municipality, QuarantineID: id})
	if errors.Is(err, sql.ErrNoRows) {
		return Item{}, ErrNoItem
	}
	if err != nil {
		return Item{}, fmt.Errorf("get quarantine item %d: %w", id, err)
	}
	return fromRow(row), nil
}

func fromRow(r store.Quarantine) Item {
	return Item{ID: r.QuarantineID, EntryID: r.EntryID, Place: r.Place, Reason: r.Reason, Detail: r.Detail, Body: r.Body,
		At: r.At.UTC(), ReplayedAt: r.ReplayedAt, SolvedAt: r.SolvedAt}
}

// AskReplay notes that somebody wants the item tried again; Replay then does it. The note comes first:
// after a crash between the two the item is still to be seen, and can be asked for again.
func AskReplay(ctx context.Context, tx *db.Tx, municipality, id int64) error {
	n, err := store.New(tx).AskReplay(ctx, store.AskReplayParams{At: new(tx.Now()), MunicipalityID: municipality, QuarantineID: id})
	if err != nil {
		return fmt.Errorf("ask to replay %d: %w", id, err)
	}
	if n == 0 {
		return ErrNoItem
	}
	return nil
}

// Replay makes the entry of an item come again. Its neighbours that were understood are stored already,
// so that they change nothing.
func (j *Journal) Replay(ctx context.Context, municipality int64, item Item) error {
	return j.d.UpdateJournal(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := store.New(tx).ReplayEntry(ctx, store.ReplayEntryParams{MunicipalityID: municipality, EntryID: item.EntryID})
		if err != nil {
			return fmt.Errorf("replay entry %d: %w", item.EntryID, err)
		}
		if n == 0 {
			return ErrNoItem
		}
		tx.Notify(db.Notice{Topic: db.Journal})
		return nil
	})
}

// printable makes any bytes a text that both engines store.
func printable(b []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "?"), "\x00", "?")
}
