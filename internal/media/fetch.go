// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// idLife is how long WhatsApp keeps a file that came by webhook.
const idLife = 7 * 24 * time.Hour

// fetchTime bounds one attempt; a host that hangs is left sooner, by the client.
const fetchTime = 3 * time.Minute

// uploadLife is how long an upload is used again; WhatsApp keeps it for 30 days.
const uploadLife = 29 * 24 * time.Hour

// Options are what a Service needs.
type Options struct {
	DB        *db.DB
	Store     *Store
	Client    *whatsapp.Client
	Directory *municipality.Directory
	Log       *slog.Logger
}

// Service fetches files from WhatsApp and brings those of the office to it.
type Service struct{ Options }

// NewService makes a service.
func NewService(o Options) *Service { return &Service{o} }

// FetchArgs is the job that fetches a file. The row is the truth, so that a replay is harmless.
type FetchArgs struct {
	Municipality int64 `json:"municipality"`
	Media        int64 `json:"media"`
	Conversation int64 `json:"conversation"` // to be told
}

// Kind names the job.
func (FetchArgs) Kind() string { return "media.fetch" }

// InsertOpts lets the job be tried for as long as WhatsApp keeps the file.
func (FetchArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 400} }

type fetchWorker struct {
	river.WorkerDefaults[FetchArgs]
	s *Service
}

// Workers adds the service's jobs to workers.
func (s *Service) Workers(workers *river.Workers) { river.AddWorker(workers, &fetchWorker{s: s}) }

func (w *fetchWorker) Timeout(*river.Job[FetchArgs]) time.Duration { return fetchTime }

// NextRetry doubles from five seconds to an hour.
func (w *fetchWorker) NextRetry(job *river.Job[FetchArgs]) time.Time {
	pause := min(time.Hour, 5*time.Second<<min(job.Attempt-1, 10))
	return time.Now().Add(pause + rand.N(pause/4))
}

func (w *fetchWorker) Work(ctx context.Context, job *river.Job[FetchArgs]) error {
	return w.s.Fetch(ctx, job.Args, job.Attempt == 1)
}

// Fetch brings one pending file in, and settles what becomes of it; an error means to try again. first
// allows the address that came with the message, which lives for minutes.
func (s *Service) Fetch(ctx context.Context, args FetchArgs, first bool) error {
	var f File
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		f, err = Get(ctx, tx, args.Municipality, args.Media)
		return err
	})
	if err != nil || f.State != Pending {
		return ignoreMissing(err)
	}
	in, err := s.Store.receive()
	if err != nil {
		return err
	}
	defer in.discard()
	if err := s.download(ctx, f, in, first); err != nil {
		return s.failed(ctx, args, f, err)
	}
	return s.take(ctx, args, f, in)
}

func ignoreMissing(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

func (s *Service) download(ctx context.Context, f File, into io.Writer, first bool) error {
	_, n, ok := s.Directory.ByNumber(f.Number)
	if !ok {
		return fmt.Errorf("number %s is not set up", f.Number)
	}
	account := whatsapp.Account{PhoneNumberID: n.PhoneNumberID, WABAID: n.WABAID, Token: n.AccessToken.Reveal()}
	address := f.url
	if !first || address == "" {
		info, err := s.Client.MediaURL(ctx, account, f.externalID)
		if err != nil {
			return err
		}
		address = info.URL
	}
	_, err := s.Client.DownloadMedia(ctx, account, address, into, MaxFile)
	return err
}

// errBomb is a picture that claims more pixels than memory should hold.
var errBomb = fault.New(fault.Invalid, "media.too_many_pixels")

// take checks what was fetched and keeps it, or refuses it.
func (s *Service) take(ctx context.Context, args FetchArgs, f File, in *incoming) error {
	declared := f.MIME
	f.Size = in.size
	if err := in.examine(&f); err != nil {
		return s.end(ctx, args, Refused, reason(err))
	}
	if !sameHash(f.declaredHash, in.hash.Sum(nil)) {
		if s.DB.Now().Sub(f.createdAt) < time.Hour {
			return errors.New("the content has another hash than declared")
		}
		return s.end(ctx, args, Refused, "media.damaged")
	}
	if why := mismatch(declared, f.MIME); why != "" {
		return s.end(ctx, args, Refused, why)
	}
	if err := in.keep(s.Store, args.Municipality, &f); err != nil {
		return err
	}
	return s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := store.New(tx).SetReady(ctx, store.SetReadyParams{Mime: f.MIME, Size: f.Size, Sha256: f.SHA256, Width: int32(f.Width), Height: int32(f.Height),
			DurationMs: int32(f.Duration.Milliseconds()), Thumbnail: f.Thumbnail, MunicipalityID: args.Municipality, MediaID: args.Media})
		tx.Notify(db.Notice{Topic: db.Conversation, Municipality: args.Municipality, ID: args.Conversation})
		return err
	})
}

func reason(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && strings.HasPrefix(f.Key, "media.") {
		return f.Key
	}
	if errors.Is(err, ErrTooLarge) {
		return "media.too_large"
	}
	return "media.unreadable"
}

// sameHash compares with a hash written in base64 or hexadecimal; nothing declared is no difference.
func sameHash(declared string, sum []byte) bool {
	if declared == "" {
		return true
	}
	for _, decode := range []func(string) ([]byte, error){base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, hex.DecodeString} {
		if got, err := decode(declared); err == nil && string(got) == string(sum) {
			return true
		}
	}
	return false
}

// failed decides whether another attempt can help: not once the id is dead, nor for what is too large.
func (s *Service) failed(ctx context.Context, args FetchArgs, f File, err error) error {
	var graph *whatsapp.GraphError
	switch {
	case errors.Is(err, ErrTooLarge), errors.Is(err, whatsapp.ErrMediaSize):
		return s.end(ctx, args, Refused, "media.too_large")
	case errors.As(err, &graph) && graph.Code == 100, s.DB.Now().Sub(f.createdAt) > idLife:
		return s.end(ctx, args, Failed, "media.expired")
	}
	return fmt.Errorf("fetch media %d: %w", args.Media, err)
}

// end settles a file that will not come, and lets the thread say so.
func (s *Service) end(ctx context.Context, args FetchArgs, state State, reason string) error {
	s.Log.Warn("a file of a message is not available", "media", args.Media, "state", string(state), "reason", reason)
	return s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := store.New(tx).SetEnded(ctx, store.SetEndedParams{State: string(state), Reason: reason, MunicipalityID: args.Municipality, MediaID: args.Media})
		tx.Notify(db.Notice{Topic: db.Conversation, Municipality: args.Municipality, ID: args.Conversation})
		return err
	})
}

// UploadForSending brings a stored file to WhatsApp, unless it is there already, and returns its id there.
func (s *Service) UploadForSending(ctx context.Context, account whatsapp.Account, municipality, id int64) (string, error) {
	var f File
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		f, err = Get(ctx, tx, municipality, id)
		return err
	})
	if err != nil {
		return "", err
	}
	if f.Uploaded(account.PhoneNumberID, s.DB.Now()) {
		return f.UploadedID, nil
	}
	content, err := s.Store.Open(municipality, f, false)
	if err != nil {
		return "", err
	}
	defer func() { _ = content.Close() }() // it was only read
	uploaded, err := s.Client.UploadMedia(ctx, account, f.MIME, f.filename(), content)
	if err != nil {
		return "", fmt.Errorf("upload media %d: %w", id, err)
	}
	err = s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		return store.New(tx).SetUploaded(ctx, store.SetUploadedParams{UploadedID: uploaded, UploadedFor: account.PhoneNumberID,
			UploadedUntil: new(tx.Now().Add(uploadLife)), MunicipalityID: municipality, MediaID: id})
	})
	return uploaded, err
}
