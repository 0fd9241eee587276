// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/fault"
)

// Paging are the parameters of every listing.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most"`
	Cursor string `query:"cursor" maxLength:"200" doc:"next_cursor of the page before; without it the listing begins"`
}

// Page is a page of a listing.
type Page[T any] struct {
	Items      []T     `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor" doc:"Give it as cursor for the next page; null on the last one"`
}

func newPage[T any](items []T, next string) Page[T] {
	if items == nil {
		items = []T{}
	}
	return Page[T]{Items: items, NextCursor: known(next)}
}

// position is where a page ended, in any of the listings. In says in which: a cursor of one is not
// understood by another.
type position struct {
	In    listing `json:"i"`
	ID    int64   `json:"d"`
	At    int64   `json:"t,omitempty"` // µs
	Place int     `json:"p,omitempty"`
	Of    string  `json:"o,omitempty"` // Meta's id of a number
}

type listing string

const (
	inConversations listing = "c"
	inMessages      listing = "m"
	inQuarantine    listing = "q"
	inSubscribers   listing = "s"
	inConsents      listing = "n"
	inBroadcasts    listing = "b"
	inRecipients    listing = "r"
	inBlocks        listing = "k"
)

var errCursor = fault.New(fault.Invalid, "api.cursor")

// cursor writes p as callers see it: opaque, so that nobody makes one up.
func (p position) cursor() string {
	text, err := json.Marshal(p)
	if err != nil { // numbers and a letter
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readCursor reads a cursor of a listing; "" is its beginning.
func readCursor(cursor string, in listing) (position, error) {
	if cursor == "" {
		return position{}, nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return position{}, errCursor.With(err)
	}
	var p position
	if err := json.Unmarshal(text, &p); err != nil || p.In != in || !p.possible() || p.cursor() != cursor {
		return position{}, errCursor
	}
	return p, nil
}

// possible is false for what no database could compare with.
func (p position) possible() bool {
	return p.ID > 0 && p.At >= 0 && p.Place >= 0 && p.Place <= math.MaxInt32 && strings.Trim(p.Of, "0123456789") == ""
}

func (p position) time() time.Time { return time.UnixMicro(p.At).UTC() }

func (p position) ofConversations() conversation.Cursor {
	if p.ID == 0 {
		return conversation.Cursor{}
	}
	return conversation.Cursor{At: p.time(), ID: p.ID}
}

func afterConversation(c conversation.Cursor) string {
	if c.ID == 0 {
		return ""
	}
	return position{In: inConversations, ID: c.ID, At: c.At.UnixMicro()}.cursor()
}

func (p position) ofMessages() conversation.Position {
	if p.ID == 0 {
		return conversation.Position{}
	}
	return conversation.Position{At: p.time(), Place: p.Place, ID: p.ID}
}

func afterMessage(m conversation.Message) string {
	return position{In: inMessages, ID: m.ID, At: m.At.UnixMicro(), Place: m.Place}.cursor()
}

func (p position) ofBlocks() (after contact.Block) {
	if p.ID != 0 {
		after.ID, after.At, after.Number = p.ID, p.time(), p.Of
	}
	return after
}

func afterBlock(b contact.Block) string {
	return position{In: inBlocks, ID: b.ID, At: b.At.UnixMicro(), Of: b.Number}.cursor()
}

// afterID is the cursor of a listing that goes by ids alone; 0 is the end.
func afterID(in listing, id int64) string {
	if id == 0 {
		return ""
	}
	return position{In: in, ID: id}.cursor()
}

// cut is what of found, one more than a page holds at most, is shown, and the cursor after that; "" where it is all.
func cut[T any](found []T, limit int, after func(T) string) (shown []T, next string) {
	if len(found) <= limit {
		return found, ""
	}
	return found[:limit], after(found[limit-1])
}
