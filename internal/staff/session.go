// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// SessionStaff is the key under which a session keeps the id (int64) of the account that signed in.
// The store reads it, so that Disable and Reset find the sessions they have to end.
const SessionStaff = "staff"

// Sessions keeps browser sessions in the database, for scs. Only hashes of their tokens are stored: who
// reads the table, or a backup of it, can't enter with what is there.
//
// Like scs it goes by the machine's clock, not by the one tests can set.
type Sessions struct{ d *db.DB }

var _ scs.CtxStore = (*Sessions)(nil)

const sessionTimeout = 5 * time.Second // of the methods that get no context

// NewSessions returns the store of sessions in d.
func NewSessions(d *db.DB) *Sessions { return &Sessions{d: d} }

// FindCtx returns the data of the session with this token; found is false if it has ended or is unknown.
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = s.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		data, err = store.New(tx).FindSession(ctx, store.FindSessionParams{Token: hashText(token), Now: machineTime()})
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find a session: %w", err)
	}
	return data, true, nil
}

// CommitCtx stores the data of a session until expiry. One that was ended meanwhile stays ended.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, values, err := scs.GobCodec{}.Decode(data)
	if err != nil {
		return fmt.Errorf("read a session: %w", err)
	}
	id, _ := values[SessionStaff].(int64)
	err = s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		return store.New(tx).SaveSession(ctx, store.SaveSessionParams{Token: hashText(token), StaffID: id, Data: data, ExpiresAt: expiry.UTC().Truncate(time.Microsecond)})
	})
	if err != nil {
		return fmt.Errorf("save a session: %w", err)
	}
	return nil
}

// DeleteCtx ends the session with this token.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	err := s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		return store.New(tx).EndSession(ctx, store.EndSessionParams{Nothing: []byte{}, Token: hashText(token)})
	})
	if err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

// Find is FindCtx for who has no context.
func (s *Sessions) Find(token string) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
	defer cancel()
	return s.FindCtx(ctx, token)
}

// Commit is CommitCtx for who has no context.
func (s *Sessions) Commit(token string, data []byte, expiry time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
	defer cancel()
	return s.CommitCtx(ctx, token, data, expiry)
}

// Delete is DeleteCtx for who has no context.
func (s *Sessions) Delete(token string) error {
	ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
	defer cancel()
	return s.DeleteCtx(ctx, token)
}

func machineTime() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
