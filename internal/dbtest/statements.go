// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest

import "sync"

// Statements collects what runs through a Tx, once each, with arguments to explain it by.
type Statements struct {
	mu   sync.Mutex
	args map[string][]any // nil: nothing is collected
}

// Observe is for db.Options.
func (s *Statements) Observe(query string, args []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.args != nil {
		s.args[query] = args
	}
}

// During returns what ran while f did, with the arguments that each had last.
func (s *Statements) During(f func()) map[string][]any {
	s.collect(make(map[string][]any))
	f()
	return s.collect(nil)
}

func (s *Statements) collect(into map[string][]any) (before map[string][]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.args = s.args, into
	return before
}
