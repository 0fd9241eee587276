// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// clock is the time everything here runs by: the real one plus what tests have advanced it, or one that stands still.
type clock struct {
	base   func() time.Time
	offset atomic.Int64
	frozen atomic.Pointer[time.Time]
}

func (c *clock) Now() time.Time {
	if at := c.frozen.Load(); at != nil {
		return *at
	}
	return c.base().Add(time.Duration(c.offset.Load()))
}

// set puts the clock to a time, from which it goes on unless it stands still.
func (c *clock) set(at time.Time) {
	if c.frozen.Load() != nil {
		c.freeze(at)
		return
	}
	c.offset.Store(int64(at.Sub(c.base())))
}

// freeze makes the clock stand still at a time, but for what tests advance it.
func (c *clock) freeze(at time.Time) { c.frozen.Store(&at) }

// thaw lets the clock go on from where it stands.
func (c *clock) thaw() {
	if at := c.frozen.Swap(nil); at != nil {
		c.set(*at)
	}
}

// frozenAt is where the clock stands still; the zero time while it goes.
func (c *clock) frozenAt() time.Time {
	if at := c.frozen.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// parseDuration reads Go durations ("90s", "24h") and whole days ("7d").
func parseDuration(text string) (time.Duration, error) {
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.Atoi(days)
		if err != nil {
			return 0, fmt.Errorf("parse duration %q: %w", text, err)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("parse duration %q: %w", text, err)
	}
	return d, nil
}

// span is a duration written as text in JSON, the way people write it: "300ms", "24h", "7d"; a bare number is seconds.
type span time.Duration

func (s span) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, time.Duration(s).String()), nil
}

func (s *span) UnmarshalJSON(raw []byte) error {
	if text, err := strconv.Unquote(string(raw)); err == nil {
		d, err := parseDuration(text)
		*s = span(d)
		return err
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return fmt.Errorf("parse duration %s: write it as text like \"300ms\" or as seconds", raw)
	}
	*s = span(seconds * float64(time.Second))
	return nil
}

// pause waits on the real clock; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
