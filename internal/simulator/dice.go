// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"sync"
	"time"
)

// dice decide everything that is left to chance: ids, and how much delays vary. Each kind of thing has a sequence of
// its own, and what varies a delay is named by what is delayed; so the same seed and the same calls give the same
// results, whatever happens at the same time in other threads.
type dice struct {
	mu    sync.Mutex
	seed  [32]byte
	drawn map[string]uint64 // by kind
}

func newDice(seed uint64) *dice {
	d := &dice{}
	d.begin(seed)
	return d
}

// begin starts the sequences anew, but for the kinds of which there are some already; seed 0 stands for one that
// nobody knows.
func (d *dice) begin(seed uint64, taken ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	drawn := map[string]uint64{}
	for _, kind := range taken {
		drawn[kind] = d.drawn[kind]
	}
	d.drawn, d.seed = drawn, [32]byte{}
	if seed != 0 {
		binary.BigEndian.PutUint64(d.seed[:], seed)
		return
	}
	_, _ = rand.Read(d.seed[:]) // never fails
}

// saved is how far the sequences are: a simulator that is started again with its seed must not give an id twice.
func (d *dice) saved() map[string]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.drawn)
}

func (d *dice) restore(drawn map[string]uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if drawn != nil {
		d.drawn = maps.Clone(drawn)
	}
}

// draw is the next random block of a kind.
func (d *dice) draw(kind string) [32]byte {
	d.mu.Lock()
	d.drawn[kind]++
	count, seed := d.drawn[kind], d.seed
	d.mu.Unlock()
	return roll(seed, kind, count)
}

func roll(seed [32]byte, kind string, count uint64) [32]byte {
	text := make([]byte, 0, 160)
	text = append(text, seed[:]...)
	text = binary.BigEndian.AppendUint64(text, count)
	return sha256.Sum256(append(text, kind...))
}

// within is a number from 0 to below n that depends on what is named only.
func (d *dice) within(n time.Duration, name string) time.Duration {
	if n <= 0 {
		return 0
	}
	d.mu.Lock()
	seed := d.seed
	d.mu.Unlock()
	sum := roll(seed, name, 0)
	return time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(n))
}

// jitter spreads a delay by up to a quarter either way.
func (d *dice) jitter(delay time.Duration, name string) time.Duration {
	if delay <= 0 {
		return delay
	}
	return delay*3/4 + d.within(delay/2+1, name)
}

// id looks like Meta's: fifteen digits, to be treated as text.
func (d *dice) id(kind string) string {
	sum := d.draw(kind)
	return fmt.Sprint(binary.BigEndian.Uint64(sum[:8])%900_000_000_000_000 + 100_000_000_000_000)
}

// messageID makes an id like Meta's, opaque to everybody.
func (d *dice) messageID(address string) string {
	sum := d.draw("message")
	raw := make([]byte, 0, 3+len(address)+16)
	raw = append(raw, "\x1d\x18\x0c"...)
	raw = append(raw, address...)
	return "wamid." + base64.RawURLEncoding.EncodeToString(append(raw, sum[:16]...))
}

// letters are capital letters and digits, as codes are made of.
func (d *dice) letters(kind string, length int) string {
	sum := d.draw(kind)
	return base32.StdEncoding.EncodeToString(sum[:])[:length]
}

const traceAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// trace is an fbtrace_id.
func (d *dice) trace() string {
	sum := d.draw("trace")
	b := make([]byte, 23)
	b[0] = 'A'
	for i := 1; i < len(b); i++ {
		b[i] = traceAlphabet[int(sum[i])%len(traceAlphabet)]
	}
	return string(b)
}
