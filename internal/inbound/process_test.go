// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"testing"
	"time"
)

// Batches get smaller while they take long, and larger while full ones take little.
func TestBatchesFollowTheirTime(t *testing.T) {
	for name, c := range map[string]struct {
		limit, n int
		took     time.Duration
		want     int
	}{
		"long":               {400, 400, 40 * time.Millisecond, 200},
		"long with few":      {400, 60, 40 * time.Millisecond, 30},
		"long with one":      {16, 1, time.Second, 16},
		"never below":        {16, 16, time.Second, 16},
		"in between":         {64, 64, 8 * time.Millisecond, 64},
		"short":              {64, 64, time.Millisecond, 128},
		"short and not full": {64, 3, time.Millisecond, 64},
		"never above":        {400, 400, time.Millisecond, 400},
	} {
		if got := next(c.limit, c.n, c.took); got != c.want {
			t.Errorf("%s: %d, not %d", name, got, c.want)
		}
	}
}
