// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// TabKey is the text that names a tab.
func TabKey(tab Tab) locale.Key { return locale.Key("desk.settings." + string(tab)) }

func tabAddress(ctx context.Context, tab Tab) string {
	if tab == TabPreferences {
		return at(ctx, "preferences")
	}
	return at(ctx, "settings", string(tab))
}

func joined(ctx context.Context, names []string) string {
	if len(names) == 0 {
		return t(ctx, "desk.office.all")
	}
	return language(ctx).List(names)
}

func qualityKey(quality string) locale.Key {
	if quality == "" {
		quality = "unknown"
	}
	return locale.Key("desk.numbers.quality_" + strings.ToLower(quality))
}

func qualityClass(quality string) string {
	switch quality {
	case "GREEN":
		return "state-ok"
	case "YELLOW":
		return "state-warn"
	case "RED":
		return "state-bad"
	default:
		return ""
	}
}

// Kept is how long what citizens send is kept, and when it was last deleted.
type Kept struct {
	Messages Span
	Media    Span
	Consents Span
	Ran      time.Time // zero before the first time
}

// Span is a length of time in days (d), months (m) or years (y).
type Span struct {
	Count int
	Unit  string
}

func span(ctx context.Context, s Span) string {
	return language(ctx).N(locale.Key("desk.audit.period."+s.Unit), s.Count)
}

// Trail is what following the audit trail from its first row found.
type Trail struct {
	Verified bool  // it was followed
	Rows     int   // as they were sealed
	Broken   int64 // place of the first row that is not; 0 is none
}
