// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"slices"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// Confirmation asks before something that can't be taken back.
type Confirmation struct {
	Broadcast BroadcastRow
	Act       string // submit, approve, cancel, glass, resend
	People    int
	Reason    string // as written
	Problem   string
}

// kind is the act as its words differ: sending, scheduling, or asking for the second person.
func (c Confirmation) kind() string {
	switch {
	case c.Act != "submit":
		return c.Act
	case c.Broadcast.Emergency:
		return "ask"
	case !c.Broadcast.Schedule.IsZero():
		return "schedule"
	default:
		return "submit"
	}
}

// waits tells whether what the act releases leaves at a time of its own.
func (c Confirmation) waits(ctx context.Context) bool {
	return slices.Contains([]string{"submit", "approve", "glass"}, c.Act) && c.Broadcast.Schedule.After(setting(ctx).Now)
}

// grave tells whether the act deserves the colour of danger.
func (c Confirmation) grave() bool { return c.Act == "glass" || c.Act == "cancel" }

func confirmKey(c Confirmation, part string) locale.Key {
	return locale.Key("desk.broadcast.confirm." + c.kind() + "_" + part)
}

// confirmLabel is the verb of the act, with the number of people.
func confirmLabel(ctx context.Context, c Confirmation) string {
	b := Broadcast{BroadcastRow: c.Broadcast, Offered: c.People}
	switch c.Act {
	case "submit":
		return t(ctx, key(submitKey(b)))
	case "approve":
		return t(ctx, key(approveKey(ctx, b)))
	case "resend":
		return actLabel(ctx, b, "desk.broadcast.act.resend")
	case "glass":
		return t(ctx, "desk.broadcast.act.glass")
	default:
		return t(ctx, "desk.broadcast.act.cancel")
	}
}
