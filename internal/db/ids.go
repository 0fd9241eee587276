// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// IDs makes time-ordered 63-bit ids: 42 bits of milliseconds, 8 bits of instance, 13 bits of counter.
// An id is a name, never a watermark: commit order is not id order.
type IDs struct {
	mu       sync.Mutex
	now      func() time.Time
	instance int64
	ms, n    int64
}

const (
	instanceBits = 8
	counterBits  = 13
)

// New makes the next id. It never goes backwards, whatever the clock does.
func (i *IDs) New() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	ms := i.now().UnixMilli()
	switch {
	case ms > i.ms:
		i.ms, i.n = ms, 0
	case i.n < 1<<counterBits-1:
		i.n++
	default: // the counter of this millisecond is used up: borrow the next one
		i.ms, i.n = i.ms+1, 0
	}
	return i.ms<<(instanceBits+counterBits) | i.instance<<counterBits | i.n
}

// IDsPerMillisecond is how many ids of a block share a millisecond; the next ones are FirstID of one
// millisecond further.
const IDsPerMillisecond = 1 << counterBits

// Block makes n ids at once, for rows that the database makes, and returns the first: the others follow it
// within their milliseconds, see IDsPerMillisecond.
func (i *IDs) Block(n int) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	first := max(i.now().UnixMilli(), i.ms+1)
	last := first + int64(max(n, 1)-1)/IDsPerMillisecond
	i.ms, i.n = last, IDsPerMillisecond-1
	return first<<(instanceBits+counterBits) | i.instance<<counterBits
}

// FirstID is the smallest id that can carry the time t.
func FirstID(t time.Time) int64 { return t.UnixMilli() << (instanceBits + counterBits) }

// FormatID writes id as the outside sees it.
func FormatID(id int64) string { return strconv.FormatInt(id, 10) }

// ParseID reads an id as the outside writes it; ok is false for what is none.
func ParseID(s string) (id int64, ok bool) {
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id > 0
}

func newOwner() string {
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil { // it never fails, by its contract
		panic(err)
	}
	return hex.EncodeToString(b)
}

const (
	instanceLease = 60 * time.Second
	instances     = 1 << instanceBits
)

var errNoInstance = errors.New("all 256 instance numbers are in use")

// leaseIDs takes a free instance number and keeps its lease while run lasts. The lease outlives three
// missed renewals; who finds that it was lost, after a pause of the machine, goes on with another number:
// two processes with one could make the same id.
func (d *DB) leaseIDs(ctx, run context.Context) error {
	number, err := d.freeInstance(ctx)
	if err != nil {
		return err
	}
	d.IDs = &IDs{now: d.now, instance: number}
	d.done.Go(func() {
		for {
			select {
			case <-run.Done():
				return
			case <-time.After(instanceLease / 4):
			}
			held, err := d.Lease(run, instanceName(number), instanceLease)
			if err == nil && !held {
				if number, err = d.freeInstance(run); err == nil {
					d.IDs.become(number)
				}
			}
			if err != nil && run.Err() == nil {
				d.log.Warn("the lease of the instance number was not renewed", "error", err)
			}
		}
	})
	return nil
}

func (d *DB) freeInstance(ctx context.Context) (int64, error) {
	for i := range int64(instances) {
		held, err := d.Lease(ctx, instanceName(i), instanceLease)
		if err != nil {
			return 0, fmt.Errorf("lease an instance number: %w", err)
		}
		if held {
			return i, nil
		}
	}
	return 0, errNoInstance
}

// become goes on with another instance number.
func (i *IDs) become(instance int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.instance = instance
}

func instanceName(i int64) string { return "instance:" + strconv.FormatInt(i, 10) }

// Leases run by one clock: PostgreSQL's, whatever those of the instances say, or the machine's on SQLite.
const (
	leasePostgreSQL = `INSERT INTO lease (name, owner, until) VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
		WHERE lease.owner = excluded.owner OR lease.until < clock_timestamp()`
	leaseSQLite = `INSERT INTO lease (name, owner, until) VALUES ($1, $2, CAST(unixepoch('subsec') * 1000000 AS integer) + CAST($3 * 1000000 AS integer))
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
		WHERE lease.owner = excluded.owner OR lease.until < CAST(unixepoch('subsec') * 1000000 AS integer)`
)

// Lease takes or renews the lease called name for this process and ttl, and reports whether this process
// holds it now. It does not run by the clock that tests set.
func (d *DB) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	statement := leaseSQLite
	if d.Engine == PostgreSQL {
		statement = leasePostgreSQL
	}
	held := false
	err := d.Update(ctx, func(ctx context.Context, tx *Tx) error {
		n, err := tx.Exec(ctx, statement, [][]any{{name, d.owner, ttl.Seconds()}})
		held = err == nil && n[0] > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("lease %s: %w", name, err)
	}
	return held, nil
}

// Unlease gives back the lease called name, if this process holds it.
func (d *DB) Unlease(ctx context.Context, name string) error {
	return d.Update(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM lease WHERE name = $1 AND owner = $2`, name, d.owner)
		return err
	})
}

func (d *DB) releaseLeases() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := d.Update(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM lease WHERE owner = $1`, d.owner)
		return err
	})
	if err != nil {
		d.log.Warn("the leases were not given back; they end by themselves", "error", err)
	}
}
