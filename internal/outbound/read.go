// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/riverqueue/river"
)

// ReadArgs is the job that tells WhatsApp that a citizen's message, and all before it, were read.
type ReadArgs struct {
	Municipality int64 `json:"municipality,string"`
	Message      int64 `json:"message,string"`
}

// Kind names the job.
func (ReadArgs) Kind() string { return "outbound.read" }

// InsertOpts keeps a mark that never succeeds from being tried for weeks: it is only a courtesy.
func (ReadArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 5} }

type readWorker struct {
	river.WorkerDefaults[ReadArgs]
	s *Sender
}

// Workers adds the sender's jobs to workers.
func (s *Sender) Workers(workers *river.Workers) {
	river.AddWorker(workers, &readWorker{s: s})
	river.AddWorker(workers, &syncWorker{s: s})
}

func (w *readWorker) Timeout(*river.Job[ReadArgs]) time.Duration { return 2 * requestTimeout }

func (w *readWorker) Work(ctx context.Context, job *river.Job[ReadArgs]) error {
	return w.s.mark(ctx, job.Args.Municipality, job.Args.Message, false)
}

// Typing shows the citizen that somebody writes, for up to 25 seconds; it also marks their message as
// read, as WhatsApp has no one without the other.
func (s *Sender) Typing(ctx context.Context, municipality, message int64) error {
	return s.mark(ctx, municipality, message, true)
}

func (s *Sender) mark(ctx context.Context, municipality, id int64, typing bool) error {
	var m conversation.Message
	err := s.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		m, err = conversation.GetMessage(ctx, tx, municipality, id)
		return err
	})
	if err != nil || m.Direction != conversation.In {
		return err
	}
	account, err := s.account(m.Number)
	if err != nil {
		return err
	}
	if err := s.client.MarkRead(ctx, account, m.ExternalID, typing); err != nil {
		return fmt.Errorf("mark message %d as read: %w", id, err)
	}
	return nil
}

// RestoreSafe drops the marks that a restored database would still make: restoring never sends (invariant 15).
func RestoreSafe(ctx context.Context, tx *db.Tx) error {
	if err := tx.DropJobs(ctx, ReadArgs{}.Kind()); err != nil {
		return fmt.Errorf("drop the marks of messages read: %w", err)
	}
	return nil
}

// SyncArgs is the job that brings an account's templates and the health of its numbers up to date.
type SyncArgs struct {
	Municipality int64 `json:"municipality,string"`
}

// Kind names the job.
func (SyncArgs) Kind() string { return "outbound.sync" }

// InsertOpts leaves a failed sync to the next periodic one.
func (SyncArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 3} }

type syncWorker struct {
	river.WorkerDefaults[SyncArgs]
	s *Sender
}

func (w *syncWorker) Work(ctx context.Context, job *river.Job[SyncArgs]) error {
	return w.s.Sync(ctx, job.Args.Municipality)
}
