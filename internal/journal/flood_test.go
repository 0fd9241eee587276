// SPDX-License-Identifier: AGPL-3.0-or-later

package journal

import (
	"testing"
	"testing/synctest"
	"time"
)

// While entries pour in, each batch waits a little; while they come as Meta sends them, none does.
func TestAFloodGoesFirst(t *testing.T) {
	for name, c := range map[string]struct {
		perMillisecond int
		pause          time.Duration
	}{
		"Meta's most": {4, 0},
		"a flood":     {12, floodPause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f flood
				for range 500 {
					f.add(time.Now(), c.perMillisecond)
					time.Sleep(time.Millisecond)
				}
				start := time.Now()
				f.giveWay(t.Context())
				if waited := time.Since(start); waited != c.pause {
					t.Errorf("a batch waited %v, not %v", waited, c.pause)
				}
				time.Sleep(time.Second)
				start = time.Now()
				f.giveWay(t.Context())
				if waited := time.Since(start); waited != 0 {
					t.Errorf("a batch waited %v after all was over", waited)
				}
			})
		})
	}
}
