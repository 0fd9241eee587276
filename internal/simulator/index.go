// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"hash/maphash"
	"sync"
)

// index is a map cut into parts with a lock each, so that thousands of sends a second do not queue for one.
type index[V any] struct {
	seed  maphash.Seed
	parts [64]indexPart[V]
}

type indexPart[V any] struct {
	mu sync.RWMutex
	m  map[string]V
}

func newIndex[V any]() *index[V] {
	x := &index[V]{seed: maphash.MakeSeed()}
	x.clear()
	return x
}

func (x *index[V]) part(key string) *indexPart[V] {
	return &x.parts[maphash.String(x.seed, key)%uint64(len(x.parts))]
}

func (x *index[V]) get(key string) (V, bool) {
	p := x.part(key)
	p.mu.RLock()
	defer p.mu.RUnlock()
	v, ok := p.m[key]
	return v, ok
}

func (x *index[V]) put(key string, v V) {
	p := x.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m[key] = v
}

// getOrPut returns the value of key, made by make (under the part's lock) if there was none.
func (x *index[V]) getOrPut(key string, make func() V) (v V, made bool) {
	p := x.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if v, ok := p.m[key]; ok {
		return v, false
	}
	v = make()
	p.m[key] = v
	return v, true
}

func (x *index[V]) remove(key string) {
	p := x.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.m, key)
}

func (x *index[V]) values() []V {
	var all []V
	for i := range x.parts {
		p := &x.parts[i]
		p.mu.RLock()
		for _, v := range p.m {
			all = append(all, v)
		}
		p.mu.RUnlock()
	}
	return all
}

func (x *index[V]) clear() {
	for i := range x.parts {
		p := &x.parts[i]
		p.mu.Lock()
		p.m = map[string]V{}
		p.mu.Unlock()
	}
}
