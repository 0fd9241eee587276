// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality/store"
	"github.com/filodiretto/filodiretto/internal/secret"
)

// Directory holds all municipalities of the installation in memory, secrets opened. Reading waits for
// nothing. What Apply changes, in whatever process, is there within two seconds.
type Directory struct {
	d       *db.DB
	key     *secret.Key
	refresh sync.Mutex // one at a time, or an older reading could replace a newer one
	now     atomic.Pointer[snapshot]
}

// snapshot never changes once it is published.
type snapshot struct {
	all      []*Municipality // by slug
	byID     map[int64]*Municipality
	bySlug   map[string]*Municipality
	byNumber map[string]numberOf
}

type numberOf struct {
	municipality *Municipality
	number       *Number
}

const sweepEvery = 2 * time.Second

// NewDirectory reads all municipalities. It fails if one can't be read, or if its secrets don't open.
func NewDirectory(ctx context.Context, d *db.DB, key *secret.Key) (*Directory, error) {
	dir := &Directory{d: d, key: key}
	dir.now.Store(newSnapshot(nil))
	if err := dir.Refresh(ctx); err != nil {
		return nil, err
	}
	return dir, nil
}

// Run keeps the directory up to date until ctx ends.
func (dir *Directory) Run(ctx context.Context, log *slog.Logger) {
	notices := dir.d.Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Config })
	defer notices.Close()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	told := ""
	for {
		if err := dir.Refresh(ctx); err == nil {
			told = ""
		} else if ctx.Err() == nil && err.Error() != told { // once, not every two seconds
			told = err.Error()
			log.Error("the municipalities could not all be read again; the earlier ones stay in use", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-notices.C:
		case <-sweep.C:
		}
		drain(notices.C)
	}
}

func drain(c <-chan db.Notice) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

// Refresh reads again those municipalities that have changed. One that can't be read stays as it was.
func (dir *Directory) Refresh(ctx context.Context) error {
	dir.refresh.Lock()
	defer dir.refresh.Unlock()
	was := dir.now.Load()
	next := make(map[int64]*Municipality, len(was.all))
	var wrong error
	err := dir.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		rows, err := store.New(tx).Versions(ctx)
		if err != nil {
			return err
		}
		clear(next)
		var changed []int64
		for _, r := range rows {
			m := was.byID[r.MunicipalityID]
			if m != nil {
				next[m.ID] = m
			}
			if m == nil || m.version != r.Version {
				changed = append(changed, r.MunicipalityID)
			}
		}
		var loaded map[int64]*Municipality
		if loaded, wrong = load(ctx, tx, dir.key, changed); loaded == nil {
			return wrong
		}
		for id, m := range loaded {
			if was.byID[id] == nil || m.usable() {
				next[id] = m
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the municipalities: %w", err)
	}
	if !maps.Equal(next, was.byID) {
		dir.now.Store(newSnapshot(next))
	}
	if wrong != nil {
		return fmt.Errorf("read the municipalities: %w", wrong)
	}
	return nil
}

// usable is false for what must not replace an earlier reading: without its secrets a municipality
// could neither send nor know its own webhooks.
func (m *Municipality) usable() bool {
	return !slices.ContainsFunc(m.Numbers, func(n Number) bool { return n.AccessToken == "" || n.AppSecret == "" })
}

func newSnapshot(byID map[int64]*Municipality) *snapshot {
	s := &snapshot{byID: byID, bySlug: map[string]*Municipality{}, byNumber: map[string]numberOf{}}
	s.all = slices.SortedFunc(maps.Values(byID), func(a, b *Municipality) int { return strings.Compare(a.Slug, b.Slug) })
	for _, m := range s.all {
		s.bySlug[m.Slug] = m
		for i := range m.Numbers {
			s.byNumber[m.Numbers[i].PhoneNumberID] = numberOf{m, &m.Numbers[i]}
		}
	}
	return s
}

// All returns every municipality, by slug. The slice is shared: don't change it.
func (dir *Directory) All() []*Municipality { return dir.now.Load().all }

// BySlug finds a municipality by the name in its addresses.
func (dir *Directory) BySlug(slug string) (*Municipality, bool) {
	m, ok := dir.now.Load().bySlug[slug]
	return m, ok
}

// ByID finds a municipality by its id.
func (dir *Directory) ByID(id int64) (*Municipality, bool) {
	m, ok := dir.now.Load().byID[id]
	return m, ok
}

// ByNumber finds the one municipality that uses the number with this id of Meta's. Retired numbers
// are nobody's.
func (dir *Directory) ByNumber(phoneNumberID string) (*Municipality, *Number, bool) {
	n, ok := dir.now.Load().byNumber[phoneNumberID]
	return n.municipality, n.number, ok
}
