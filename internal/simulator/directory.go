// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// directory holds accounts, numbers and tokens; they are few and change rarely.
type directory struct {
	mu       sync.RWMutex
	accounts map[string]*account
	numbers  map[string]*number
	tokens   map[string][]*account
}

func newDirectory() *directory {
	return &directory{accounts: map[string]*account{}, numbers: map[string]*number{}, tokens: map[string][]*account{}}
}

func (d *directory) account(id string) *account {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.accounts[id]
}

func (d *directory) number(id string) *number {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.numbers[id]
}

// byDigits finds a number by what a phone dials.
func (d *directory) byDigits(digits string) *number {
	for _, n := range d.allNumbers() {
		if n.digits() == digits {
			return n
		}
	}
	return nil
}

func (d *directory) allAccounts() []*account {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.SortedFunc(maps.Values(d.accounts), func(a, b *account) int { return cmp.Compare(a.id, b.id) })
}

func (d *directory) allNumbers() []*number {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.SortedFunc(maps.Values(d.numbers), func(a, b *number) int { return cmp.Compare(a.id, b.id) })
}

// grants says which accounts a token may use; none for an unknown token.
func (d *directory) grants(token string) []*account {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.tokens[token]
}

func (d *directory) addToken(token string, a *account) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if token != "" && !slices.Contains(d.tokens[token], a) {
		d.tokens[token] = append(slices.Clone(d.tokens[token]), a)
	}
}

func (d *directory) addNumber(n *number) {
	d.mu.Lock()
	d.numbers[n.id] = n
	d.mu.Unlock()
	a := n.account
	a.mu.Lock()
	a.numbers = append(a.numbers, n)
	a.mu.Unlock()
}

func (d *directory) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts, d.numbers, d.tokens = map[string]*account{}, map[string]*number{}, map[string][]*account{}
}
