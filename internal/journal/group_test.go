// SPDX-License-Identifier: AGPL-3.0-or-later

package journal

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An entry alone is committed at once, unless its writer has just committed: then a few gather, but not more than are
// enough.
func TestAFewGatherForACommit(t *testing.T) {
	for name, c := range map[string]struct {
		until time.Duration
		come  int // one a millisecond
		group int
	}{
		"after a rest":        {0, 3, 1},
		"after a commit":      {gathers, 3, 4},
		"none comes any more": {gathers, 0, 1},
		"in a crowd":          {time.Second, 2 * enough, enough},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &Journal{in: make(chan *appending, maxGroup)}
				var others sync.WaitGroup
				defer others.Wait()
				others.Go(func() {
					for range c.come {
						time.Sleep(time.Millisecond)
						j.in <- &appending{}
					}
				})
				if group := j.group(&appending{}, time.Now().Add(c.until)); len(group) != c.group {
					t.Errorf("%d in a group, not %d", len(group), c.group)
				}
			})
		})
	}
}
