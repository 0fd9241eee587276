// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media/store"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// uploadLife is how long an upload is used; WhatsApp keeps it for 30 days.
const uploadLife = 29 * 24 * time.Hour

// openForSending opens what leaves the house: of a picture what is shown of it, and films without what they tell, so
// that what was taken on site does not tell a citizen where, when and by whose phone. Documents go as they are.
func (s *Store) openForSending(ctx context.Context, municipality int64, f File) (*os.File, error) {
	if class(f.MIME) == "image" {
		return s.OpenShown(ctx, municipality, f)
	}
	if slices.Contains(films, f.MIME) {
		return s.derived(ctx, municipality, f, sentSuffix, s.decoding, func(_ context.Context, from, to *os.File) error {
			return stripFilm(to, from)
		})
	}
	return s.Open(municipality, f, false)
}

// Uploads are WhatsApp's ids of those of the files that can be sent from the number with this phone number id now.
func Uploads(ctx context.Context, tx *db.Tx, municipality int64, number string, ids []int64) (map[int64]string, error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id, number, tx.Now()}
	}
	uploads := make(map[int64]string, len(ids))
	err := tx.Query(ctx, `SELECT external_id FROM media_upload WHERE municipality_id = $1 AND media_id = $2 AND number = $3 AND until > $4`, rows,
		func(i int, row db.Scanner) error {
			var external string
			err := row.Scan(&external)
			uploads[ids[i]] = external
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look for %d uploads: %w", len(ids), err)
	}
	return uploads, nil
}

func (s *Service) uploaded(ctx context.Context, municipality int64, number string, id int64) (external string, err error) {
	err = s.o.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		uploads, err := Uploads(ctx, tx, municipality, number, []int64{id})
		external = uploads[id]
		return err
	})
	return external, err
}

// UploadForSending brings a stored file to WhatsApp for the number of account, unless it is there
// already, and returns WhatsApp's id of it. Failures of WhatsApp are those of whatsapp.UploadMedia.
func (s *Service) UploadForSending(ctx context.Context, account whatsapp.Account, municipality, id int64) (string, error) {
	f, err := s.get(ctx, municipality, id)
	if err != nil {
		return "", fmt.Errorf("upload media %d: %w", id, err)
	}
	have, err := s.uploaded(ctx, municipality, account.PhoneNumberID, id)
	if err != nil || have != "" {
		return have, err
	}
	content, err := s.o.Store.openForSending(ctx, municipality, f)
	if err != nil {
		return "", fmt.Errorf("upload media %d: %w", id, err)
	}
	defer func() { _ = content.Close() }() // it was only read
	uploaded, err := s.o.Client.UploadMedia(ctx, account, f.MIME, f.filename(), content)
	if err != nil {
		return "", fmt.Errorf("upload media %d: %w", id, err)
	}
	err = s.o.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		until := tx.Now().Add(uploadLife)
		return store.New(tx).RememberUpload(ctx, store.RememberUploadParams{
			MunicipalityID: municipality, MediaID: id, Number: account.PhoneNumberID, ExternalID: uploaded, Until: until,
		})
	})
	if err != nil {
		return "", fmt.Errorf("remember the upload of media %d: %w", id, err)
	}
	return uploaded, nil
}
