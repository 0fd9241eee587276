// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
)

// MaxDescription is the longest description, in characters.
const MaxDescription = 1000

// ErrDescription is the failure of a description that is too long; its argument is max.
var ErrDescription = fault.New(fault.Invalid, "error.description_too_long", "max", MaxDescription)

// Description is what somebody of the municipality wrote of a file: what a photo shows, what a voice note says.
type Description struct {
	Text string // "" where nobody has
	By   string // the name of who wrote it last
	At   time.Time
}

// Author is somebody of the municipality: their id, and their name as it is today.
type Author struct {
	ID   int64
	Name string
}

// Describe sets the description of a file that is there; an empty text takes it away. It returns the file as it is
// then, and whether anything changed. The caller has checked who asks.
func Describe(ctx context.Context, tx *db.Tx, municipality, id int64, by Author, text string) (f File, changed bool, err error) {
	text = strings.TrimSpace(plain(text))
	if utf8.RuneCountInString(text) > MaxDescription {
		return File{}, false, ErrDescription
	}
	if f, err = Get(ctx, tx, municipality, id); err != nil {
		return File{}, false, err
	}
	if f.State != Ready {
		return File{}, false, ErrNotFound
	}
	if f.Description.Text == text {
		return f, false, nil
	}
	f.Description = Description{Text: text, By: by.Name, At: tx.Now()}
	_, err = tx.ExecContext(ctx, `UPDATE media SET description = $3, described_by = $4, described_name = $5, described_at = $6 WHERE municipality_id = $1 AND media_id = $2`,
		municipality, id, text, by.ID, by.Name, f.Description.At)
	if err != nil {
		return File{}, false, fmt.Errorf("describe file %d: %w", id, err)
	}
	return f, true, nil
}
