// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"sync/atomic"
	"time"
)

// Clock is the machine's clock, put back so that a past can be written with the right times. The zero
// Clock shows the present.
type Clock struct{ back atomic.Int64 }

// Now is the time the clock shows. It goes on.
func (c *Clock) Now() time.Time { return time.Now().Add(-time.Duration(c.back.Load())) }

// Set makes the clock show t.
func (c *Clock) Set(t time.Time) { c.back.Store(int64(time.Since(t))) }

// Release brings the clock back to the present.
func (c *Clock) Release() { c.back.Store(0) }
