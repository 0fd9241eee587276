// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"time"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// Part of the recipients.
type RecipientsPart string

// The parts.
const (
	RecipientsAll        RecipientsPart = ""
	RecipientsNotReached RecipientsPart = "not_reached"
	RecipientsUncertain  RecipientsPart = "uncertain"
)

var recipientsParts = []RecipientsPart{RecipientsAll, RecipientsNotReached, RecipientsUncertain}

// Recipients are a page of the people of a broadcast.
type Recipients struct {
	Broadcast BroadcastRow
	Part      RecipientsPart
	Rows      []RecipientRow
	Next      string
	First     bool // nothing comes before
}

// RecipientRow is a citizen and what became of their message.
type RecipientRow struct {
	Name    string
	Address string // phone or user name
	Status  Status
	Reason  string
	Resent  Status // of the copy, "" for none
	At      time.Time
}

func partName(p RecipientsPart) string {
	if p == RecipientsAll {
		return "all"
	}
	return string(p)
}

func partKey(p RecipientsPart) locale.Key { return locale.Key("desk.broadcast.part." + partName(p)) }

func partAddress(ctx context.Context, id string, p RecipientsPart) string {
	return at(ctx, "broadcasts", id, "recipients") + query("part", string(p))
}

func csvAddress(ctx context.Context, id string, p RecipientsPart) string {
	return at(ctx, "broadcasts", id, "recipients.csv") + query("part", string(p))
}

func statusShade(s Status) string {
	switch s {
	case Failed:
		return "state-bad"
	case Uncertain, Held:
		return "state-warn"
	case Delivered, Read:
		return "state-ok"
	default:
		return ""
	}
}
