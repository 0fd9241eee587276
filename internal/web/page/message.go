// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// together is how long after another a message of the same author still belongs to its group.
const together = 5 * time.Minute

// tallest is the height of a picture in the thread, widest its width, in CSS pixels.
const (
	tallest = 320
	widest  = 400
)

var emoji = []string{"👍", "❤️", "🙏", "😊", "✅"}

type dayOf struct {
	id     string
	at     time.Time
	groups []groupOf
}

type groupOf struct {
	id       string
	side     Side
	author   string
	messages []Message
}

func (g groupOf) last() Message { return g.messages[len(g.messages)-1] }

// arrange puts messages, oldest first, under their days and together with their neighbours.
func arrange(ctx context.Context, all []Message) []dayOf {
	var days []dayOf
	for _, m := range all {
		date := local(ctx, m.At).Format("2006-01-02")
		if len(days) == 0 || days[len(days)-1].id != "day-"+date {
			days = append(days, dayOf{id: "day-" + date, at: m.At})
		}
		d := &days[len(days)-1]
		if last := len(d.groups) - 1; last >= 0 && belongs(m, d.groups[last]) {
			d.groups[last].messages = append(d.groups[last].messages, m)
			continue
		}
		d.groups = append(d.groups, groupOf{id: "group-" + m.ID, side: m.Side, author: m.Author, messages: []Message{m}})
	}
	return days
}

func belongs(m Message, g groupOf) bool {
	last := g.last()
	return m.Side != Event && m.Side == g.side && m.Author == g.author && m.Automatic == last.Automatic && m.Notice == last.Notice &&
		m.At.Sub(last.At) < together && !troubled(last) && settled(m) == settled(last)
}

func troubled(m Message) bool { return m.Status == Failed || m.Status == Uncertain }

// settled keeps messages of different states in groups of their own, as the state is told once per group.
func settled(m Message) Status {
	switch m.Status {
	case Failed, Uncertain, Queued, Sending:
		return m.Status
	default:
		return ""
	}
}

func messagesAttributes(ctx context.Context, th Thread) templ.Attributes {
	first := ""
	if i := slices.IndexFunc(th.Messages, func(m Message) bool { return m.Side != Event }); i >= 0 {
		first = th.Messages[i].ID
	}
	return templ.Attributes{
		"class":      "messages",
		"role":       "log",
		"aria-label": t(ctx, "desk.thread.log", "name", th.Name),
		"data-first": first,
	}
}

func groupHeading(ctx context.Context, th Thread, g groupOf) string {
	switch {
	case g.side == In:
		return th.Name
	case g.side == Note:
		return t(ctx, "desk.message.note_by", "name", g.author)
	case g.last().Automatic:
		return t(ctx, "desk.message.automatic")
	default:
		return g.author
	}
}

func statusClass(s Status) string {
	switch s {
	case Read, Played:
		return "state-ok"
	case Failed:
		return "state-bad"
	case Uncertain, Held:
		return "state-warn"
	default:
		return ""
	}
}

// bareClass marks content that needs no bubble around it.
func bareClass(m Message) string {
	if m.Text == "" && m.Quote == nil && ready(m) && m.Media.Description == "" {
		switch m.Type {
		case Sticker:
			return "bubble-bare"
		case Image, Video:
			return "bubble-picture"
		}
	}
	return ""
}

func troubleText(ctx context.Context, m Message) string {
	switch {
	case m.Reason != "":
		return m.Reason
	case m.Status == Uncertain:
		return t(ctx, "graph.uncertain")
	default:
		return t(ctx, "status.failed")
	}
}

func quoteAuthor(ctx context.Context, th Thread, m Message) string {
	if m.Side == In {
		return th.Name
	}
	if m.Automatic {
		return t(ctx, "desk.message.automatic")
	}
	return m.Author
}

func quoteText(ctx context.Context, m Message) string {
	if m.Text == "" {
		return t(ctx, TypeKey(m.Type))
	}
	const enough = 160
	if runes := []rune(m.Text); len(runes) > enough {
		return string(runes[:enough]) + "…"
	}
	return m.Text
}

type piece struct{ text, address string }

var webAddress = regexp.MustCompile(`(?i)\bhttps?://[^\s<>"']+`)

// pieces cuts text at its http addresses. A closing mark at the end of one belongs to the sentence.
func pieces(text string) []piece {
	var all []piece
	from := 0
	for _, place := range webAddress.FindAllStringIndex(text, -1) {
		address := strings.TrimRight(text[place[0]:place[1]], ".,;:!?)]}»”’")
		end := place[0] + len(address)
		if place[0] > from {
			all = append(all, piece{text: text[from:place[0]]})
		}
		all = append(all, piece{text: address, address: address})
		from = end
	}
	if from < len(text) {
		all = append(all, piece{text: text[from:]})
	}
	return all
}

// shownWidth is how wide the picture stands in the thread, so that nothing moves when it has loaded.
func (m Media) shownWidth() int {
	if m.Width <= 0 || m.Height <= 0 {
		return tallest
	}
	return max(1, int(float64(m.Width)*m.scale()))
}

func (m Media) shownHeight() int {
	if m.Width <= 0 || m.Height <= 0 {
		return tallest * 3 / 4
	}
	return max(1, int(float64(m.Height)*m.scale()))
}

func (m Media) scale() float64 {
	return min(1, float64(tallest)/float64(m.Height), float64(widest)/float64(m.Width))
}

func length(ctx context.Context, d time.Duration) string {
	if d == 0 {
		return ""
	}
	return language(ctx).Length(d)
}

func fileName(ctx context.Context, m Message) string {
	if m.Media != nil && m.Media.Name != "" {
		return m.Media.Name
	}
	return t(ctx, TypeKey(m.Type))
}

func fileFacts(ctx context.Context, m *Media) string {
	facts := []string{}
	if m.Format != "" {
		facts = append(facts, m.Format)
	}
	if m.Bytes > 0 {
		facts = append(facts, size(ctx, m.Bytes))
	}
	return strings.Join(facts, " · ")
}

func absentIcon(m Message) string {
	if m.Media != nil && m.Media.State == MediaWaiting {
		return typeIcon(m.Type)
	}
	return iconError
}

func absentText(ctx context.Context, m *Media) string {
	switch {
	case m != nil && m.Reason != "":
		return t(ctx, m.Reason)
	case m == nil || m.State == MediaFailed:
		return t(ctx, "desk.media.failed")
	case m.State == MediaRefused:
		return t(ctx, "desk.media.refused")
	default:
		return t(ctx, "desk.media.waiting")
	}
}

// webOnly is an address as it came if a browser may follow it; "" otherwise.
func webOnly(address string) string {
	if webAddress.FindString(address) != address {
		return ""
	}
	return address
}

func coordinates(s *Spot) string { return fmt.Sprintf("%.5f, %.5f", s.Latitude, s.Longitude) }

func mapAddress(s *Spot) string {
	return fmt.Sprintf("https://www.openstreetmap.org/?mlat=%.6f&mlon=%.6f#map=18/%.6f/%.6f", s.Latitude, s.Longitude, s.Latitude, s.Longitude)
}

func closing(ctx context.Context, closes time.Time) bool {
	return closes.Sub(setting(ctx).Now) < soon
}

// pictureAddress is the thumbnail, but for a sticker: a thumbnail does not move.
func pictureAddress(ctx context.Context, m Message) string {
	if m.Type == Sticker {
		return at(ctx, "media", m.Media.ID, "shown")
	}
	return at(ctx, "media", m.Media.ID, "thumbnail")
}

// ready tells whether a message's file is there.
func ready(m Message) bool { return m.Media != nil && m.Media.State == MediaReady }

// describeKey names what can be written of a file; "" where its own words say enough.
func describeKey(kind Type) locale.Key {
	switch kind {
	case Image:
		return "desk.media.describe_photo"
	case Video:
		return "desk.media.describe_video"
	case Audio, Voice:
		return "desk.media.describe_sound"
	}
	return ""
}

func pictureAlt(ctx context.Context, m *Media) string {
	return cmp.Or(m.Description, t(ctx, "desk.media.picture_alt"))
}

func videoLabel(ctx context.Context, m *Media) string {
	return cmp.Or(m.Description, t(ctx, "desk.type.video"))
}

// soundType tells a browser what it would play, so that one that can't takes the next source.
func soundType(m *Media) string {
	if m.MIME == "audio/ogg" {
		return "audio/ogg; codecs=opus"
	}
	return m.MIME
}
