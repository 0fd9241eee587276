// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media/store"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

const (
	idLife       = 7 * 24 * time.Hour // of a file that came by webhook, since October 2025
	urlLife      = 4 * time.Minute    // WhatsApp's 5, less the way
	rightLimit   = 2 * time.Hour      // for which a token that may not see a file can be put right
	damagedLimit = time.Hour          // for which a content with a wrong hash is fetched again

	firstPause   = 5 * time.Second
	longestPause = time.Hour
	attempts     = 400              // more than fit into the life of an id
	downloadTime = 10 * time.Minute // 100 MB over a slow line; a host that hangs is left sooner, by the client
	jobTime      = downloadTime + 2*time.Minute
)

// Options are what a Service needs; all are required.
type Options struct {
	DB        *db.DB
	Store     *Store
	Client    *whatsapp.Client
	Directory *municipality.Directory
	Log       *slog.Logger
}

// Service fetches the files of citizens from WhatsApp, and brings those of the municipality to it.
type Service struct{ o Options }

// NewService makes a service. Its jobs run once Workers has been called.
func NewService(o Options) *Service { return &Service{o: o} }

// FetchArgs is the job that fetches a file. The row is the truth: a replay is harmless. The ids are
// written as strings: the queue loses the last digits of numbers as long as ours.
type FetchArgs struct {
	Municipality int64 `json:"municipality,string" river:"unique"`
	Media        int64 `json:"media,string" river:"unique"`
	Conversation int64 `json:"conversation,string"` // whose thread is told; 0 for none
}

// Kind names the job in the queue.
func (FetchArgs) Kind() string { return "fetch_media" }

// InsertOpts lets the job be tried for as long as WhatsApp keeps the file; there is one for a file.
func (FetchArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

type fetchWorker struct {
	river.WorkerDefaults[FetchArgs]
	s *Service
}

// Workers adds the jobs of the service.
func (s *Service) Workers(workers *river.Workers) { river.AddWorker(workers, &fetchWorker{s: s}) }

func (w *fetchWorker) Timeout(*river.Job[FetchArgs]) time.Duration { return jobTime }

// NextRetry doubles the pause, and spreads what failed together.
func (w *fetchWorker) NextRetry(job *river.Job[FetchArgs]) time.Time {
	pause := min(longestPause, firstPause<<min(max(job.Attempt, 1)-1, 20))
	return time.Now().Add(pause + rand.N(pause/4))
}

func (w *fetchWorker) Work(ctx context.Context, job *river.Job[FetchArgs]) error {
	return w.s.Fetch(ctx, job.Args)
}

// Fetch brings in one file, if it is pending, and settles what becomes of it. An error means that
// another attempt may succeed.
func (s *Service) Fetch(ctx context.Context, args FetchArgs) error {
	f, err := s.get(ctx, args.Municipality, args.Media)
	if fault.KindOf(err) == fault.NotFound {
		return nil // it was erased since
	}
	if err != nil || f.State != Pending {
		return err
	}
	err = s.bring(ctx, args.Municipality, &f)
	if err == nil {
		f.State = Ready
		return s.settle(ctx, args, f)
	}
	no, ended := s.judge(ctx, f, err)
	if !ended {
		return fmt.Errorf("fetch media %d: %w", args.Media, err)
	}
	s.o.Log.Warn("a file of a message is not available", "media", args.Media, "state", string(no.state), "reason", no.reason, "error", err)
	return s.settle(ctx, args, File{ID: f.ID, MIME: f.MIME, State: no.state, Reason: no.reason})
}

func (s *Service) get(ctx context.Context, municipality, id int64) (f File, err error) {
	err = s.o.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		f, err = Get(ctx, tx, municipality, id)
		return err
	})
	return f, err
}

var (
	errNoNumber = errors.New("the number is not set up")
	errDamaged  = errors.New("what came is not what WhatsApp announced")
)

// bring downloads, examines and stores a file.
func (s *Service) bring(ctx context.Context, municipality int64, f *File) error {
	account, err := s.account(municipality, f.Number)
	if err != nil {
		return err
	}
	in, err := s.o.Store.receive()
	if err != nil {
		return err
	}
	defer in.discard()
	if err := s.download(ctx, account, *f, in); err != nil {
		return err
	}
	small, err := s.o.Store.examine(ctx, in, f)
	if err != nil {
		return err
	}
	return s.o.Store.keep(municipality, in, small, f)
}

func (s *Service) account(id int64, number string) (whatsapp.Account, error) {
	m, n, ok := s.o.Directory.ByNumber(number)
	if !ok || m.ID != id {
		return whatsapp.Account{}, errNoNumber
	}
	return n.Account(), nil
}

// download tries the address that came with the message while it is fresh. When there is none, or it is
// refused, it asks for another one.
func (s *Service) download(ctx context.Context, account whatsapp.Account, f File, in *incoming) error {
	ctx, cancel := context.WithTimeout(ctx, downloadTime)
	defer cancel()
	if f.url != "" && s.o.DB.Now().Before(f.At.Add(urlLife)) {
		err := s.copy(ctx, account, f.url, f.declared, in)
		if err == nil || !anotherAddressHelps(err) {
			return err
		}
		if err := in.restart(); err != nil {
			return err
		}
	}
	info, err := s.o.Client.MediaURL(ctx, account, f.externalID)
	if err != nil {
		return err
	}
	if info.Size > maxSize {
		return final{Refused, ReasonTooLarge}
	}
	if err := s.copy(ctx, account, info.URL, f.declared, in); err != nil {
		return err
	}
	return intact(info, in)
}

func intact(info whatsapp.MediaInfo, in *incoming) error {
	if !sameHash(info.SHA256, in.sum()) || info.Size > 0 && info.Size != in.size {
		return errDamaged
	}
	return nil
}

func (s *Service) copy(ctx context.Context, account whatsapp.Account, address, declared string, in *incoming) error {
	_, err := s.o.Client.DownloadMedia(ctx, account, address, in, maxSize)
	if errors.Is(err, whatsapp.ErrMediaSize) {
		return final{Refused, ReasonTooLarge}
	}
	if err == nil && !sameHash(declared, in.sum()) {
		return errDamaged
	}
	return err
}

// anotherAddressHelps is true where the host answered, and not with the file. Where it did not answer,
// another attempt comes later.
func anotherAddressHelps(err error) bool {
	_, status := errors.AsType[*whatsapp.StatusError](err)
	_, graph := errors.AsType[*whatsapp.GraphError](err)
	return status || graph || errors.Is(err, whatsapp.ErrMediaHost) || errors.Is(err, errDamaged)
}

// sameHash compares with a SHA-256 written in hexadecimal or base64. What is neither says nothing.
func sameHash(declared string, sum []byte) bool {
	want, err := hex.DecodeString(declared)
	if err != nil || len(want) != len(sum) {
		want, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(declared, "="))
	}
	return err != nil || len(want) != len(sum) || string(want) == string(sum)
}

// judge tells whether the failure is the end: the file must not be kept, or can't be had any more. A
// program that is stopping is no reason.
func (s *Service) judge(ctx context.Context, f File, err error) (no final, ended bool) {
	age := s.o.DB.Now().Sub(f.At)
	switch {
	case errors.As(err, &no):
		return no, true
	case ctx.Err() != nil:
		return final{}, false
	case idIsDead(err, age), age >= idLife:
		return final{Failed, ReasonExpired}, true
	case errors.Is(err, errDamaged) && age >= damagedLimit:
		return final{Refused, ReasonDamaged}, true
	}
	return final{}, false
}

// idIsDead is true only by Graph's own word: a wrong address of Graph, or a proxy, must not cost files. Its
// subcode 33 may also mean that the token may not see the file, which is put right within rightLimit.
func idIsDead(err error, age time.Duration) bool {
	const (
		noSuchObject = 100
		orNoRight    = 33
	)
	e, ok := errors.AsType[*whatsapp.GraphError](err)
	switch {
	case !ok:
		return false
	case e.Code == noSuchObject && e.Subcode == orNoRight:
		return age >= rightLimit
	}
	return e.Code == noSuchObject || e.HTTPStatus == 404
}

// settle writes what became of a file and lets the thread show it.
func (s *Service) settle(ctx context.Context, args FetchArgs, f File) error {
	return s.o.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := store.New(tx).Settle(ctx, store.SettleParams{
			State: string(f.State), Reason: f.Reason, Mime: f.MIME, Size: f.Size, Sha256: f.SHA256, Width: int32(f.Width), Height: int32(f.Height),
			DurationMs: int32(f.Duration.Milliseconds()), Thumbnail: f.Thumbnail, MunicipalityID: args.Municipality, MediaID: args.Media,
		})
		if err != nil {
			return fmt.Errorf("settle media %d: %w", args.Media, err)
		}
		if n > 0 && args.Conversation != 0 {
			tx.Notify(db.Notice{Topic: db.Conversation, Municipality: args.Municipality, ID: args.Conversation})
		}
		return nil
	})
}
