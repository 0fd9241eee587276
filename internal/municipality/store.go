// SPDX-License-Identifier: AGPL-3.0-or-later

// Package municipality is the tenant: a Comune as its file describes it, with its offices, numbers, hours,
// texts and switches, and the message templates of its WhatsApp accounts.
package municipality

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/calendar"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality/store"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Municipality is a Comune as it was last applied. It is shared by all who read it: never change one.
type Municipality struct {
	ID        int64
	Slug      string
	Name      string
	File      *File
	Numbers   []Number // those in use, in the order of the file, with their secrets
	Retired   []Number // no longer in the file: their conversations stay, their secrets are gone
	Desk      *calendar.Calendar
	UpdatedAt time.Time

	health  map[string]Health
	version int64
}

// Health is what Meta says of a number.
type Health struct {
	Throughput     string     // throughput.level: STANDARD, HIGH, NOT_APPLICABLE
	Quality        string     // quality_rating: GREEN, YELLOW, RED, UNKNOWN, NA; "" before the first check
	MessagingLimit string     // whatsapp_business_manager_messaging_limit: TIER_250 … TIER_UNLIMITED; "" where it isn't known
	CheckedAt      *time.Time // in a Directory: when it last became other than before
}

// PeopleADay is how many people the portfolio of the number may reach outside their window in any 24
// hours, all its numbers together: -1 where there is no limit, or none that is known. Tiers of other sizes
// than today's are read all the same.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messaging-limits
func (h Health) PeopleADay() int {
	size, isTier := strings.CutPrefix(h.MessagingLimit, "TIER_")
	if !isTier {
		return -1
	}
	thousands, inThousands := strings.CutSuffix(size, "K")
	people, err := strconv.Atoi(thousands)
	switch {
	case err != nil || people <= 0 || people > 1_000_000:
		return -1
	case inThousands:
		return people * 1000
	}
	return people
}

// Applied is the action in the audit trail of a file that changed something.
const Applied staff.Action = "municipality.applied"

// Number finds a number by Meta's id of it, retired ones too: for these it is what a thread shows.
func (m *Municipality) Number(phoneNumberID string) (Number, bool) {
	for _, numbers := range [][]Number{m.Numbers, m.Retired} {
		if i := slices.IndexFunc(numbers, func(n Number) bool { return n.PhoneNumberID == phoneNumberID }); i >= 0 {
			return numbers[i], true
		}
	}
	return Number{}, false
}

// Owns tells whether waba is the WhatsApp Business Account of a number in use. Several municipalities
// may share one.
func (m *Municipality) Owns(waba string) bool {
	return slices.ContainsFunc(m.Numbers, func(n Number) bool { return n.WABAID == waba })
}

// Health is what Meta last said of the number with this id.
func (m *Municipality) Health(phoneNumberID string) Health { return m.health[phoneNumberID] }

// PeopleADay is how many people Meta lets the municipality reach outside their window in 24 hours, over all its
// numbers: -1 where there is no limit, or none that is known.
func (m *Municipality) PeopleADay() int {
	least := -1
	for _, n := range m.Numbers {
		if people := m.Health(n.PhoneNumberID).PeopleADay(); people >= 0 && (least < 0 || people < least) {
			least = people
		}
	}
	return least
}

// Rate is what Meta lets the number send and receive together, in messages a second.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput
func (h Health) Rate() float64 {
	if h.Throughput == "HIGH" {
		return 1000
	}
	return 80
}

// Apply makes the municipality of f, or brings it to what f says, and returns what changed. Nothing
// changed means nothing is written. Numbers that f no longer names are retired, never deleted. It fails
// with Conflict if a number is another municipality's.
func Apply(ctx context.Context, tx *db.Tx, key *secret.Key, f *File) (*Municipality, []Change, error) {
	old, err := current(ctx, tx, key, f.Slug)
	if err != nil {
		return nil, nil, fmt.Errorf("apply %s: %w", f.Slug, err)
	}
	changes := f.Diff(old.File)
	if len(changes) == 0 {
		return old, nil, nil
	}
	if err := save(ctx, tx, key, f, old); err != nil {
		return nil, nil, fmt.Errorf("apply %s: %w", f.Slug, err)
	}
	now, err := current(ctx, tx, key, f.Slug)
	if err != nil {
		return nil, nil, fmt.Errorf("read back %s: %w", f.Slug, err)
	}
	tx.Notify(db.Notice{Topic: db.Config, Municipality: now.ID})
	err = staff.Record(ctx, tx, staff.System("cli").In(now.ID), Applied, "municipality", db.FormatID(now.ID), map[string]any{"changes": len(changes)})
	return now, changes, err
}

// current is the municipality as it is in the database, or one with nothing but no file. Secrets that
// can't be opened are taken as changed: applying the file again is the way back from a lost key.
func current(ctx context.Context, tx *db.Tx, key *secret.Key, slug string) (*Municipality, error) {
	id, err := store.New(tx).BySlug(ctx, slug)
	if errors.Is(err, sql.ErrNoRows) {
		return &Municipality{}, nil
	}
	if err != nil {
		return nil, err
	}
	loaded, err := load(ctx, tx, key, []int64{id})
	if m := loaded[id]; m != nil {
		return m, nil
	}
	return nil, err
}

func save(ctx context.Context, tx *db.Tx, key *secret.Key, f *File, old *Municipality) error {
	column, err := db.ToJSON(f) // secrets write themselves as dots
	if err != nil {
		return err
	}
	q, id := store.New(tx), old.ID
	var written int64
	if id == 0 {
		id = tx.NewID()
		written, err = q.Add(ctx, store.AddParams{MunicipalityID: id, Slug: f.Slug, Name: f.Name, File: column, Now: tx.Now()})
	} else {
		written, err = q.Update(ctx, store.UpdateParams{Name: f.Name, File: column, UpdatedAt: tx.Now(), MunicipalityID: id, Was: old.version})
	}
	if err != nil {
		return err
	}
	if written == 0 { // another apply was first
		return db.ErrAgain
	}
	for i, n := range f.WhatsApp {
		if err := saveNumber(ctx, q, key, id, i, n); err != nil {
			return err
		}
	}
	return retire(ctx, q, id, old.Numbers, f.WhatsApp)
}

func saveNumber(ctx context.Context, q *store.Queries, key *secret.Key, municipality int64, position int, n Number) error {
	written, err := q.SaveNumber(ctx, store.SaveNumberParams{
		MunicipalityID: municipality, PhoneNumberID: n.PhoneNumberID, WabaID: n.WABAID, Office: n.Office,
		Display: n.Display, E164: n.E164, Position: int32(position),
		AccessToken: key.Seal(n.AccessToken.Reveal(), sealedIn(municipality, n.PhoneNumberID, "access_token")),
		AppSecret:   key.Seal(n.AppSecret.Reveal(), sealedIn(municipality, n.PhoneNumberID, "app_secret")),
		VerifyToken: key.Seal(n.VerifyToken.Reveal(), sealedIn(municipality, n.PhoneNumberID, "verify_token")),
	})
	if err != nil {
		return fmt.Errorf("save number %s: %w", n.PhoneNumberID, err)
	}
	if written == 0 {
		return fault.New(fault.Conflict, "error.number_taken", "number", n.PhoneNumberID)
	}
	return nil
}

// sealedIn names where a secret is kept, and so binds it to its column: moved elsewhere it does not open.
func sealedIn(municipality int64, phoneNumberID, column string) string {
	return fmt.Sprintf("number/%d/%s/%s", municipality, phoneNumberID, column)
}

func retire(ctx context.Context, q *store.Queries, municipality int64, old, now []Number) error {
	for _, n := range old {
		if slices.ContainsFunc(now, func(still Number) bool { return still.PhoneNumberID == n.PhoneNumberID }) {
			continue
		}
		if err := q.RetireNumber(ctx, store.RetireNumberParams{Nothing: []byte{}, MunicipalityID: municipality, PhoneNumberID: n.PhoneNumberID}); err != nil {
			return fmt.Errorf("retire number %s: %w", n.PhoneNumberID, err)
		}
	}
	return nil
}

// IDs are those of all municipalities of the installation.
func IDs(ctx context.Context, tx *db.Tx) ([]int64, error) {
	rows, err := store.New(tx).Versions(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the municipalities: %w", err)
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.MunicipalityID
	}
	return ids, nil
}

const (
	selectMunicipality = `SELECT municipality_id, slug, name, file, version, updated_at FROM municipality WHERE municipality_id = $1`
	selectNumbers      = `SELECT municipality_id, phone_number_id, waba_id, office, display, e164, retired, access_token, app_secret, verify_token,
		throughput, quality, messaging_limit, checked_at FROM number WHERE municipality_id = $1 ORDER BY position, phone_number_id`
)

// load reads the municipalities with these ids. Whatever is wrong with one of them is in the error, and
// the others are there all the same; one with secrets that don't open is there without these secrets.
func load(ctx context.Context, tx *db.Tx, key *secret.Key, ids []int64) (map[int64]*Municipality, error) {
	args := make([][]any, len(ids))
	for i, id := range ids {
		args[i] = []any{id}
	}
	found := make(map[int64]*Municipality, len(ids))
	var failures []error
	err := tx.Query(ctx, selectMunicipality, args, func(_ int, row db.Scanner) error {
		m := &Municipality{File: &File{}, health: map[string]Health{}}
		var file db.JSON
		if err := row.Scan(&m.ID, &m.Slug, &m.Name, &file, &m.version, &m.UpdatedAt); err != nil {
			return err
		}
		if err := m.read(file); err != nil {
			failures = append(failures, err)
			return nil
		}
		found[m.ID] = m
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load municipalities: %w", err)
	}
	err = tx.Query(ctx, selectNumbers, args, func(_ int, row db.Scanner) error {
		var n numberRow
		var id int64
		if err := row.Scan(&id, &n.PhoneNumberID, &n.WABAID, &n.Office, &n.Display, &n.E164, &n.retired,
			&n.accessToken, &n.appSecret, &n.verifyToken, &n.health.Throughput, &n.health.Quality, &n.health.MessagingLimit, &n.health.CheckedAt); err != nil {
			return err
		}
		if m := found[id]; m != nil {
			failures = append(failures, m.take(key, n))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load numbers: %w", err)
	}
	return found, errors.Join(failures...)
}

func (m *Municipality) read(file db.JSON) (err error) {
	if err := file.Into(m.File); err != nil {
		return fmt.Errorf("municipality %s: %w", m.Slug, err)
	}
	m.Numbers, m.UpdatedAt = m.File.WhatsApp, m.UpdatedAt.UTC()
	m.Desk, err = m.File.Calendar("whatsapp")
	return err
}

// numberRow is a number as its table has it, secrets still sealed.
type numberRow struct {
	Number
	retired                             bool
	accessToken, appSecret, verifyToken []byte
	health                              Health
}

// take adds to the municipality what the table of numbers has beside the file.
func (m *Municipality) take(key *secret.Key, row numberRow) error {
	m.health[row.PhoneNumberID] = row.health
	if row.retired {
		m.Retired = append(m.Retired, row.Number)
		return nil
	}
	i := slices.IndexFunc(m.Numbers, func(n Number) bool { return n.PhoneNumberID == row.PhoneNumberID })
	if i < 0 {
		return fmt.Errorf("municipality %s: the number %s is not in its file", m.Slug, row.PhoneNumberID)
	}
	var failures []error
	for column, s := range map[string]struct {
		sealed []byte
		to     *Secret
	}{
		"access_token": {row.accessToken, &m.Numbers[i].AccessToken},
		"app_secret":   {row.appSecret, &m.Numbers[i].AppSecret},
		"verify_token": {row.verifyToken, &m.Numbers[i].VerifyToken},
	} {
		plain, err := key.Open(s.sealed, sealedIn(m.ID, row.PhoneNumberID, column))
		if err != nil {
			failures = append(failures, fmt.Errorf("municipality %s: %w", m.Slug, err))
		}
		*s.to = Secret(plain)
	}
	return errors.Join(failures...)
}

// SetNumberHealth notes what Meta says of a number now; h.CheckedAt is not looked at.
func SetNumberHealth(ctx context.Context, tx *db.Tx, municipality int64, phoneNumberID string, h Health) error {
	q := store.New(tx)
	was, err := q.NumberHealth(ctx, store.NumberHealthParams{MunicipalityID: municipality, PhoneNumberID: phoneNumberID})
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, "error.not_found")
	}
	if err != nil {
		return fmt.Errorf("read the health of number %s: %w", phoneNumberID, err)
	}
	_, err = q.SetNumberHealth(ctx, store.SetNumberHealthParams{Throughput: h.Throughput, Quality: h.Quality, MessagingLimit: h.MessagingLimit,
		CheckedAt: new(tx.Now()), MunicipalityID: municipality, PhoneNumberID: phoneNumberID})
	if err != nil {
		return fmt.Errorf("note the health of number %s: %w", phoneNumberID, err)
	}
	if was.Throughput == h.Throughput && was.Quality == h.Quality && was.MessagingLimit == h.MessagingLimit {
		return nil // the directories need not look
	}
	tx.Notify(db.Notice{Topic: db.Config, Municipality: municipality})
	if err := q.Touch(ctx, municipality); err != nil {
		return fmt.Errorf("tell the directories of number %s: %w", phoneNumberID, err)
	}
	return nil
}
