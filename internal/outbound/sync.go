// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"errors"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Sync reads a municipality's templates, and the health and block lists of its numbers, from Meta and keeps them.
func (s *Sender) Sync(ctx context.Context, id int64) error {
	m, ok := s.directory.ByID(id)
	if !ok {
		return nil // it was removed since
	}
	var errs []error
	seen := make(map[string]bool)
	for _, n := range m.Numbers {
		account := n.Account()
		errs = append(errs, s.syncNumber(ctx, id, account), conversation.RefreshBlocked(ctx, s.d, s.client, id, account))
		if !seen[n.WABAID] {
			seen[n.WABAID] = true
			errs = append(errs, s.syncTemplates(ctx, id, account))
		}
	}
	return errors.Join(errs...)
}

func (s *Sender) syncNumber(ctx context.Context, id int64, account whatsapp.Account) error {
	number, err := s.client.PhoneNumber(ctx, account)
	if err != nil {
		return fmt.Errorf("health of number %s: %w", account.PhoneNumberID, err)
	}
	return s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		return municipality.SetNumberHealth(ctx, tx, id, account.PhoneNumberID,
			municipality.Health{Throughput: number.Throughput, Quality: number.Quality, MessagingLimit: number.MessagingLimit})
	})
}

func (s *Sender) syncTemplates(ctx context.Context, id int64, account whatsapp.Account) error {
	listed, err := s.client.Templates(ctx, account)
	if err != nil {
		return fmt.Errorf("templates of account %s: %w", account.WABAID, err)
	}
	templates := make([]municipality.Template, len(listed))
	for i, t := range listed {
		templates[i] = municipality.Template{WABA: account.WABAID, Template: t}
	}
	return s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		return municipality.SaveTemplates(ctx, tx, id, account.WABAID, templates)
	})
}
