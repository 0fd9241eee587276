// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"context"
	"testing"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
)

// A template that Meta stops pauses what is on its way with it, and nothing else.
func TestAStoppedTemplatePausesItsBroadcasts(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.crowd(5)
		b := o.sent(plan("AVVISI"))
		o.conduct()
		stop := func(name, language string, code int) {
			o.update(func(ctx context.Context, tx *db.Tx) error {
				return broadcast.TemplateStopped(ctx, tx, o.m, name, language, code)
			})
		}
		stop("evento", "it", 132015)
		stop("avviso", "de", 132015)
		if b = o.get(b.ID); b.State != broadcast.Sending {
			t.Fatalf("another template made it %s", b.State)
		}
		stop("avviso", "it", 132016)
		stop("avviso", "it", 132001)
		if b = o.get(b.ID); b.State != broadcast.Paused || b.PauseCode != 132016 {
			t.Fatalf("it is %s by %d", b.State, b.PauseCode)
		}
		if got := o.claim(number, 100); len(got) != 0 {
			t.Errorf("%d went out", len(got))
		}
	})
}
