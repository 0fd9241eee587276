// SPDX-License-Identifier: AGPL-3.0-or-later

// Package media keeps the files of messages: what citizens send is fetched from WhatsApp, checked and
// stored once by its content; what operators attach is checked, stored, and uploaded before it is sent.
package media

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
)

// Direction tells where a file comes from.
type Direction string

// The directions.
const (
	In  Direction = "in"  // a citizen sent it
	Out Direction = "out" // somebody of the municipality attached it
)

// State is how far a file is.
type State string

// The states of a file. Only Pending changes.
const (
	Pending State = "pending" // still to be fetched
	Ready   State = "ready"   // stored, may be served
	Failed  State = "failed"  // can't be had any more
	Refused State = "refused" // not what it claims, dangerous, or too large: its content is not kept
)

// Why a file is Failed or Refused, as keys of package locale.
const (
	ReasonExpired   = "media.expired"         // WhatsApp no longer has it
	ReasonTooLarge  = "media.too_large"       // more than 100 MB
	ReasonDamaged   = "media.damaged"         // again and again not the bytes that WhatsApp announced
	ReasonMismatch  = "media.not_as_declared" // the content is not of the kind it claims to be
	ReasonDangerous = "media.dangerous"       // a program
	ReasonPixels    = "media.too_many_pixels" // a picture so large that showing it harms
	ReasonEmpty     = "media.empty"           // nothing is in it
)

// File is what is known of a file; its content is in a Store.
type File struct {
	ID        int64
	MessageID int64  // the message it came with or was first sent with; 0 until then
	Number    string // phone number id it came in on
	Direction Direction
	MIME      string // without parameters: as declared while pending, then as found in the content
	Name      string // as the sender named it, made safe; may be empty
	SHA256    string // of the content, hex; empty unless ready
	Size      int64  // bytes
	State     State
	Reason    string        // one of the Reason… when failed or refused
	Width     int           // pixels as shown, 0 when unknown
	Height    int           // pixels as shown, 0 when unknown
	Duration  time.Duration // of voice notes (Ogg Opus), 0 when unknown
	Thumbnail bool          // of a picture; of a film or a PDF where the program for it was installed
	At        time.Time     // when it was sent to us, or attached

	Description Description

	UploadedBy int64 // the token that handed it in, 0 is none

	externalID string
	url        string
	declared   string // SHA-256 as WhatsApp wrote it
}

// ErrNotFound is the failure for a file this municipality does not have.
var ErrNotFound = fault.New(fault.NotFound, "error.not_found")

// Get returns one file, or ErrNotFound.
func Get(ctx context.Context, tx *db.Tx, municipality, id int64) (File, error) {
	found, err := ByIDs(ctx, tx, municipality, []int64{id})
	if err != nil {
		return File{}, err
	}
	f, ok := found[id]
	if !ok {
		return File{}, ErrNotFound
	}
	return f, nil
}

const selectFile = `SELECT media_id, message_id, number, direction, external_id, url, mime, name, size, sha256, declared_sha256,
	state, reason, width, height, duration_ms, thumbnail, created_at,
	description, described_name, described_at, uploaded_by FROM media WHERE municipality_id = $1 AND media_id = $2`

// ByIDs returns those of the files that the municipality has.
func ByIDs(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (map[int64]File, error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	files := make(map[int64]File, len(ids))
	err := tx.Query(ctx, selectFile, rows, func(_ int, row db.Scanner) error {
		f, err := scan(row)
		files[f.ID] = f
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load %d files: %w", len(ids), err)
	}
	return files, nil
}

func scan(row db.Scanner) (File, error) {
	var f File
	var milliseconds int64
	var described *time.Time
	err := row.Scan(&f.ID, &f.MessageID, &f.Number, &f.Direction, &f.externalID, &f.url, &f.MIME, &f.Name, &f.Size, &f.SHA256, &f.declared,
		&f.State, &f.Reason, &f.Width, &f.Height, &milliseconds, &f.Thumbnail, &f.At,
		&f.Description.Text, &f.Description.By, &described, &f.UploadedBy)
	f.Duration, f.At = time.Duration(milliseconds)*time.Millisecond, f.At.UTC()
	if described != nil {
		f.Description.At = described.UTC()
	}
	return f, err
}

// Save writes the row of a file that Store.Add has stored, under the id the caller gave it.
func Save(ctx context.Context, tx *db.Tx, municipality int64, f File) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO media (municipality_id, media_id, direction, mime, name, size, sha256, state, width, height, duration_ms, thumbnail, created_at, uploaded_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		municipality, f.ID, string(Out), f.MIME, f.Name, f.Size, f.SHA256, string(Ready), f.Width, f.Height, f.Duration.Milliseconds(), f.Thumbnail, tx.Now(), f.UploadedBy)
	if err != nil {
		return fmt.Errorf("save file %d: %w", f.ID, err)
	}
	return nil
}

// Attach notes the message that a file was sent with, and does nothing for the id 0. A file that is sent again
// stays with its first message.
func Attach(ctx context.Context, tx *db.Tx, municipality, id, message int64) error {
	if id == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE media SET message_id = $3 WHERE municipality_id = $1 AND media_id = $2 AND message_id = 0`, municipality, id, message)
	if err != nil {
		return fmt.Errorf("attach file %d to message %d: %w", id, message, err)
	}
	return nil
}

// EachHash calls f with the hash of every content that the installation knows, in hexadecimal, some more than once.
func EachHash(ctx context.Context, tx *db.Tx, f func(sha256 string)) error {
	err := tx.Query(ctx, `SELECT sha256 FROM media WHERE sha256 <> ''`, [][]any{{}}, func(_ int, row db.Scanner) error {
		var hash string
		err := row.Scan(&hash)
		if err == nil {
			f(hash)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list the hashes of all files: %w", err)
	}
	return nil
}
