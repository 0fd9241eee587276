// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// lease takes or keeps the lease of the number, renewing it when a quarter is used.
func (p *pump) lease(ctx context.Context) bool {
	if p.s.d.Engine == db.SQLite {
		return true
	}
	start := time.Now()
	if start.UnixNano() < p.leasedUntil.Load()-int64(leaseTime/4) {
		return true
	}
	held, err := p.s.d.Lease(ctx, "number:"+p.number, leaseTime)
	if err != nil || !held {
		return false
	}
	p.leasedUntil.Store(start.Add(leaseTime / 2).UnixNano())
	return true
}

// mayStart reports whether a request may still start under the lease.
func (p *pump) mayStart() bool {
	return p.s.d.Engine == db.SQLite || time.Now().UnixNano() < p.leasedUntil.Load()
}

func (p *pump) unlease(ctx context.Context) {
	if p.s.d.Engine == db.SQLite {
		return
	}
	if err := p.s.d.Unlease(ctx, "number:"+p.number); err != nil {
		p.s.log.Warn("the lease of a number was not given back; it ends by itself", "number", p.number, "error", err)
	}
}
