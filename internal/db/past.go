// SPDX-License-Identifier: AGPL-3.0-or-later

package db

// Tick reads the clock again. A transaction has one time, but one that writes a past, as an import or the
// demo does, has as many as there are moments in it.
func (t *Tx) Tick() { t.now = t.d.Now() }
