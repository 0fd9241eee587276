// SPDX-License-Identifier: AGPL-3.0-or-later

// Package media keeps the files of messages: fetched from WhatsApp at once, as their ids die within
// days, checked, stored by the hash of their content, and served to the staff of one municipality.
package media

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media/store"
)

// State says whether a file can be had.
type State string

// The states of a file.
const (
	Pending State = "pending" // to be fetched
	Ready   State = "ready"
	Failed  State = "failed"  // it could not be had before WhatsApp forgot it
	Refused State = "refused" // it is not what it says, or dangerous
)

// File is what is known of a file. Its content is in the Store, by SHA256.
type File struct {
	ID        int64
	MessageID int64  // 0 for what the office attaches
	Number    string // phone number id it came to
	MIME      string // as found in the content; as declared while pending
	Name      string
	Size      int64 // bytes
	SHA256    string
	State     State
	Reason    string        // key of locale, why it failed or was refused
	Width     int           // pixels of an image
	Height    int           //
	Duration  time.Duration // of a voice note
	Thumbnail bool

	UploadedID    string // WhatsApp's id of our upload
	uploadedFor   string
	uploadedUntil *time.Time
	externalID    string
	url           string
	declaredHash  string
	createdAt     time.Time
}

// ErrNotFound is the failure for a file this municipality does not have.
var ErrNotFound = fault.New(fault.NotFound, "error.media_not_found")

// Expected is a file that a stored message announces.
type Expected struct {
	MediaID, MessageID, ConversationID int64
	Number                             string // phone number id
	ExternalID, URL                    string // WhatsApp's id, and an address that may work at once
	MIME, Name, SHA256                 string // as declared
	At                                 time.Time
}

// Expect writes down the files to fetch and leaves a job for each, in the transaction that stores the
// messages.
func Expect(ctx context.Context, tx *db.Tx, municipality int64, expected []Expected) error {
	rows := make([][]any, len(expected))
	jobs := make([]river.JobArgs, len(expected))
	for i, e := range expected {
		rows[i] = []any{municipality, e.MediaID, e.MessageID, e.Number, e.ExternalID, e.URL, e.MIME, clipName(e.Name), e.SHA256, e.At}
		jobs[i] = FetchArgs{Municipality: municipality, Media: e.MediaID, Conversation: e.ConversationID}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO media (municipality_id, media_id, message_id, number, direction, external_id, url, mime, name, declared_sha256, state, created_at)
		VALUES ($1, $2, $3, $4, 'in', $5, $6, $7, $8, $9, 'pending', $10)`, rows); err != nil {
		return fmt.Errorf("expect media: %w", err)
	}
	return tx.EnqueueMany(ctx, jobs)
}

// Save writes down a file that the Store added, as one the office sends.
func Save(ctx context.Context, tx *db.Tx, municipality int64, f File) error {
	err := store.New(tx).Add(ctx, store.AddParams{MunicipalityID: municipality, MediaID: f.ID, Mime: f.MIME, Name: f.Name, Size: f.Size, Sha256: f.SHA256,
		Width: int32(f.Width), Height: int32(f.Height), DurationMs: int32(f.Duration.Milliseconds()), Thumbnail: f.Thumbnail, CreatedAt: tx.Now()})
	if err != nil {
		return fmt.Errorf("save media %d: %w", f.ID, err)
	}
	return nil
}

// Get returns one file.
func Get(ctx context.Context, tx *db.Tx, municipality, id int64) (File, error) {
	row, err := store.New(tx).Media(ctx, store.MediaParams{MunicipalityID: municipality, MediaID: id})
	if errors.Is(err, sql.ErrNoRows) {
		return File{}, ErrNotFound
	}
	if err != nil {
		return File{}, fmt.Errorf("get media %d: %w", id, err)
	}
	return fromRow(row), nil
}

func fromRow(r store.Medium) File {
	return File{ID: r.MediaID, MessageID: r.MessageID, Number: r.Number, MIME: r.Mime, Name: r.Name, Size: r.Size, SHA256: r.Sha256,
		State: State(r.State), Reason: r.Reason, Width: int(r.Width), Height: int(r.Height), Duration: time.Duration(r.DurationMs) * time.Millisecond,
		Thumbnail: r.Thumbnail, UploadedID: r.UploadedID, uploadedFor: r.UploadedFor, uploadedUntil: r.UploadedUntil,
		externalID: r.ExternalID, url: r.Url, declaredHash: r.DeclaredSha256, createdAt: r.CreatedAt.UTC()}
}

// ByIDs loads many files at once, by id.
func ByIDs(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (map[int64]File, error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	out := make(map[int64]File, len(ids))
	err := tx.Query(ctx, `SELECT media_id, message_id, number, mime, name, size, sha256, state, reason, width, height, duration_ms, thumbnail,
		uploaded_id, uploaded_for, uploaded_until FROM media WHERE municipality_id = $1 AND media_id = $2`, rows, func(_ int, row db.Scanner) error {
		var f File
		var ms int64
		err := row.Scan(&f.ID, &f.MessageID, &f.Number, &f.MIME, &f.Name, &f.Size, &f.SHA256, &f.State, &f.Reason, &f.Width, &f.Height, &ms, &f.Thumbnail,
			&f.UploadedID, &f.uploadedFor, &f.uploadedUntil)
		f.Duration = time.Duration(ms) * time.Millisecond
		out[f.ID] = f
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load media: %w", err)
	}
	return out, nil
}

// Uploaded reports whether WhatsApp has the file for sending from number.
func (f File) Uploaded(number string, now time.Time) bool {
	return f.UploadedID != "" && f.uploadedFor == number && f.uploadedUntil != nil && now.Before(*f.uploadedUntil)
}

// clipName keeps a name from outside to what a folder and a header can hold.
func clipName(name string) string {
	const most = 200
	runes := []rune(name)
	if len(runes) <= most {
		return name
	}
	return string(runes[len(runes)-most:]) // the end tells the type
}
