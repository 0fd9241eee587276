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

// IDTime is the time in id, to the millisecond.
func IDTime(id int64) time.Time { return time.UnixMilli(id >> (instanceBits + counterBits)).UTC() }

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

// leaseIDs takes a free instance number and keeps its lease while run lasts. The lease outlives
// three missed renewals; two processes with one number could make the same id.
func (d *DB) leaseIDs(ctx, run context.Context) error {
	number := -1
	for i := range instances {
		ok, err := d.Lease(ctx, instanceName(i), instanceLease)
		if err != nil {
			return fmt.Errorf("lease an instance number: %w", err)
		}
		if ok {
			number = i
			break
		}
	}
	if number < 0 {
		return errNoInstance
	}
	d.IDs = &IDs{now: d.now, instance: int64(number)}
	d.done.Go(func() {
		for {
			select {
			case <-run.Done():
				return
			case <-time.After(instanceLease / 4):
			}
			if _, err := d.Lease(run, instanceName(number), instanceLease); err != nil && run.Err() == nil {
				d.log.Warn("the lease of the instance number was not renewed", "error", err)
			}
		}
	})
	return nil
}

func instanceName(i int) string { return "instance:" + strconv.Itoa(i) }

// Lease takes or renews the lease called name for this process and ttl of real time, and reports
// whether this process holds it now. Leases use the machine's clock, not the one tests can set.
func (d *DB) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	held := false
	err := d.Update(ctx, func(ctx context.Context, tx *Tx) error {
		now := time.Now().UTC().Truncate(time.Microsecond)
		res, err := tx.ExecContext(ctx, `INSERT INTO lease (name, owner, until) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
			WHERE lease.owner = excluded.owner OR lease.until < $4`, name, d.owner, now.Add(ttl), now)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		held = n > 0
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
