// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The state is saved once nothing has changed for a moment, and now and then while things keep changing:
// under load a snapshot for every change would cost more than the load itself.
const (
	quietBeforeSave = 500 * time.Millisecond
	savedAtLeast    = 30 * time.Second
)

// saver decides when the state is saved.
type saver struct {
	s       *Server
	touched chan struct{}
}

// touch says that something has changed.
func (v *saver) touch() {
	if v.s.opts.Data == "" {
		return
	}
	select {
	case v.touched <- struct{}{}:
	default:
	}
}

func (v *saver) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.touched:
		}
		v.waitForQuiet(ctx)
		if ctx.Err() != nil {
			return // Close saves
		}
		if err := v.s.save(); err != nil {
			v.s.log.Error("save the simulator's state", "error", err)
		}
	}
}

func (v *saver) waitForQuiet(ctx context.Context) {
	latest := time.NewTimer(savedAtLeast)
	defer latest.Stop()
	for {
		quiet := time.NewTimer(quietBeforeSave)
		select {
		case <-v.touched:
			quiet.Stop()
			if !pause(ctx, 50*time.Millisecond) {
				return
			}
		case <-quiet.C:
			return
		case <-latest.C:
			quiet.Stop()
			return
		case <-ctx.Done():
			quiet.Stop()
			return
		}
	}
}

// savedState is everything that lasts.
type savedState struct {
	Version  int               `json:"version"`
	Offset   time.Duration     `json:"clock_offset"`
	MediaKey string            `json:"media_key"`
	Frozen   time.Time         `json:"clock_frozen,omitzero"`
	Drawn    map[string]uint64 `json:"drawn,omitempty"`
	Base     string            `json:"base,omitempty"`
	Faults   Faults            `json:"faults"`
	Delays   Delays            `json:"delays"`
	Accounts []savedAccount    `json:"accounts"`
	Media    []*file           `json:"media"`
	Citizens []savedCitizen    `json:"citizens"`
}

type savedAccount struct {
	ID        string            `json:"id"`
	State     json.RawMessage   `json:"state"`
	Templates []json.RawMessage `json:"templates"`
	Numbers   []savedNumber     `json:"numbers"`
	Pending   []update          `json:"pending,omitempty"`
	Open      []json.RawMessage `json:"open,omitempty"`
	Reached   json.RawMessage   `json:"reached,omitempty"`
}

type savedNumber struct {
	ID    string          `json:"id"`
	State json.RawMessage `json:"state"`
}

// savedCitizen is encoded under the citizen's lock: messages go on changing.
type savedCitizen struct{ raw json.RawMessage }

func (c savedCitizen) MarshalJSON() ([]byte, error)    { return c.raw, nil }
func (c *savedCitizen) UnmarshalJSON(raw []byte) error { c.raw = append(c.raw[:0], raw...); return nil }

type citizenFile struct {
	State citizenState     `json:"state"`
	Chats map[string]*chat `json:"chats"`
}

const stateVersion = 1

func (s *Server) openStore() error {
	s.saver = &saver{s: s, touched: make(chan struct{}, 1)}
	s.media = &mediaStore{files: map[string]*file{}, bytes: map[string][]byte{}, dice: s.dice}
	key := s.dice.draw("media key")
	s.media.key = key[:]
	if s.opts.Data == "" {
		return nil
	}
	s.media.dir = filepath.Join(s.opts.Data, "media")
	if err := os.MkdirAll(s.media.dir, 0o700); err != nil {
		return fmt.Errorf("make the simulator's folder: %w", err)
	}
	return nil
}

func (s *Server) statePath() string { return filepath.Join(s.opts.Data, "state.json") }

// save writes the state beside the old one and swaps them, so that a crash leaves one of the two whole.
func (s *Server) save() (err error) {
	if s.opts.Data == "" {
		return nil
	}
	out, err := os.CreateTemp(s.opts.Data, "state-*.json")
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	buffer := bufio.NewWriterSize(out, 1<<20)
	err = errors.Join(json.NewEncoder(buffer).Encode(s.savedState()), buffer.Flush(), out.Sync(), out.Close())
	if err != nil {
		return fmt.Errorf("save state in %s: %w", out.Name(), err)
	}
	if err := os.Rename(out.Name(), s.statePath()); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

func (s *Server) savedState() *savedState {
	state := &savedState{Version: stateVersion, Offset: time.Duration(s.clock.offset.Load()), Frozen: s.clock.frozenAt(), Drawn: s.dice.saved(), MediaKey: hex.EncodeToString(s.media.key),
		Base: s.knownBase(), Faults: s.faults.get(), Delays: *s.delays(), Media: s.media.all()}
	for _, a := range s.dir.allAccounts() {
		state.Accounts = append(state.Accounts, a.saved())
	}
	for _, c := range s.codes.values() {
		state.Citizens = append(state.Citizens, c.saved())
	}
	return state
}

func (c *citizen) saved() savedCitizen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return savedCitizen{marshal(citizenFile{State: c.state, Chats: c.chats})}
}

func (a *account) saved() savedAccount {
	saved := savedAccount{ID: a.id, Reached: a.portfolio.saved()}
	a.mu.Lock()
	saved.State = marshal(a.state)
	numbers := a.numbers
	for _, t := range a.templates {
		saved.Templates = append(saved.Templates, marshal(t))
	}
	a.mu.Unlock()
	for _, n := range numbers {
		n.mu.Lock()
		saved.Numbers = append(saved.Numbers, savedNumber{ID: n.id, State: marshal(n.state)})
		n.mu.Unlock()
	}
	a.hooks.mu.Lock()
	defer a.hooks.mu.Unlock()
	saved.Pending = append(saved.Pending, a.hooks.pending...)
	for _, d := range a.hooks.open {
		saved.Open = append(saved.Open, marshal(d))
	}
	return saved
}

// load continues from the saved state, if there is one.
func (s *Server) load() error {
	if s.opts.Data == "" {
		return nil
	}
	raw, err := os.ReadFile(s.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load the simulator's state: %w", err)
	}
	var state savedState
	if err := json.Unmarshal(raw, &state); err != nil {
		return fmt.Errorf("load the simulator's state from %s (delete it to begin anew): %w", s.statePath(), err)
	}
	if state.Version != stateVersion {
		return fmt.Errorf("load the simulator's state from %s: it is of version %d, delete it to begin anew", s.statePath(), state.Version)
	}
	return s.restore(&state)
}

func (s *Server) restore(state *savedState) error {
	s.clock.offset.Store(int64(state.Offset))
	if !state.Frozen.IsZero() {
		s.clock.freeze(state.Frozen)
	}
	s.dice.restore(state.Drawn)
	if key, err := hex.DecodeString(state.MediaKey); err == nil && len(key) == 32 {
		s.media.key = key
	}
	if state.Base != "" {
		s.base.Store(&state.Base)
	}
	s.faults.set(state.Faults)
	if s.opts.Delays == nil || *s.opts.Delays == *DefaultDelays() {
		s.setDelays(&state.Delays)
	}
	for _, f := range state.Media {
		s.media.files[f.ID] = f
	}
	for _, saved := range state.Accounts {
		if err := s.restoreAccount(saved); err != nil {
			return err
		}
	}
	for _, saved := range state.Citizens {
		if err := s.restoreCitizen(saved.raw); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) restoreAccount(saved savedAccount) error {
	a := s.ensureAccount(saved.ID)
	if err := json.Unmarshal(saved.State, &a.state); err != nil {
		return fmt.Errorf("restore account %s: %w", saved.ID, err)
	}
	for _, token := range a.state.Tokens {
		s.dir.addToken(token, a)
	}
	for _, raw := range saved.Templates {
		t := &template{}
		if err := json.Unmarshal(raw, t); err != nil {
			return fmt.Errorf("restore template of account %s: %w", saved.ID, err)
		}
		if err := t.prepare(); err != nil {
			return err
		}
		a.templates[t.ID] = t
		s.templates.put(t.ID, a)
	}
	for _, sn := range saved.Numbers {
		n := &number{id: sn.ID, account: a}
		if err := json.Unmarshal(sn.State, &n.state); err != nil {
			return fmt.Errorf("restore number %s: %w", sn.ID, err)
		}
		s.dir.addNumber(n)
	}
	if err := a.portfolio.restore(saved.Reached); err != nil {
		return fmt.Errorf("restore whom account %s has reached: %w", saved.ID, err)
	}
	return a.hooks.restore(saved)
}

// restore takes back what was not answered 200; begin posts it.
func (h *hooks) restore(saved savedAccount) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = saved.Pending
	for _, raw := range saved.Open {
		d := &delivery{waiting: true}
		if err := json.Unmarshal(raw, d); err != nil {
			return fmt.Errorf("restore webhooks of account %s: %w", h.a.id, err)
		}
		h.open[d.ID] = d
		h.seq = max(h.seq, d.ID)
	}
	return nil
}

func (s *Server) restoreCitizen(raw json.RawMessage) error {
	var file citizenFile
	if err := json.Unmarshal(raw, &file); err != nil {
		return fmt.Errorf("restore a citizen: %w", err)
	}
	c := newCitizen(file.State)
	if file.Chats != nil {
		c.chats = file.Chats
	}
	for _, ch := range c.chats {
		for _, m := range ch.Messages {
			m.citizen = c
			s.messages.put(m.ID, m)
		}
	}
	s.codes.put(c.state.Code, c)
	if c.state.Phone != "" {
		s.phones.put(c.state.Phone, c)
	}
	return nil
}
