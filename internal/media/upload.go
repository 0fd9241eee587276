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

// UploadForSending brings a stored file to WhatsApp for the number of account, unless it is there
// already, and returns WhatsApp's id of it. Failures of WhatsApp are those of whatsapp.UploadMedia.
func (s *Service) UploadForSending(ctx context.Context, account whatsapp.Account, municipality, id int64) (string, error) {
	f, err := s.get(ctx, municipality, id)
	if err != nil {
		return "", fmt.Errorf("upload media %d: %w", id, err)
	}
	if f.Uploaded(account.PhoneNumberID, s.o.DB.Now()) {
		return f.UploadedID, nil
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
			UploadedID: uploaded, UploadedFor: account.PhoneNumberID, UploadedUntil: &until, MunicipalityID: municipality, MediaID: id,
		})
	})
	if err != nil {
		return "", fmt.Errorf("remember the upload of media %d: %w", id, err)
	}
	return uploaded, nil
}
