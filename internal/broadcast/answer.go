// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// answer says what is true after the turn. Its text is empty where nothing is to be said.
func (k *Keywords) answer(tx *db.Tx, t *turn) dialogue.Answer {
	a := dialogue.Answer{Keyword: true}
	if !t.newest || !conversation.InWindow(t.last.at, tx.Now()) {
		return a
	}
	a.To = t.last.message
	a.Keyword = !t.last.moved
	for _, t.mostNames = range namesLengths {
		a.Text, a.Interactive = t.says()
		if utf8.RuneCountInString(a.Text) <= most(a.Interactive) {
			return a
		}
	}
	a.Text = ending(a.Text, most(a.Interactive))
	return a
}

func most(o *conversation.Interactive) int {
	if o != nil && o.Button == "" {
		return whatsapp.MaxCaption
	}
	return whatsapp.MaxText
}

// says answers the last word.
func (t *turn) says() (string, *conversation.Interactive) {
	switch {
	case t.last.moved:
		return t.movedText()
	case t.last.Verb == Join:
		return t.joinText()
	case t.last.Verb == Leave:
		return t.leaveText(), nil
	case t.last.Verb == Yes:
		return t.yesText(), nil
	case t.last.Verb == No:
		return t.noText(), nil
	case t.last.Verb == Status:
		return t.statusText(t.page)
	}
	return "", nil
}

// text is a text of the municipality's for the citizen.
func (t *turn) text(name string, args ...any) string {
	return t.m.File.Text(t.m.File.Locale, name, args...)
}

// namesLengths are how long the names of very many lists may be where they burst a message: they are shortened, and
// never what is asked, where the notice is or how to leave.
var namesLengths = []int{300, 150, 75, 30}

// ending keeps the last paragraphs of a text, which hold the question: of a municipality's own texts, which may be long.
func ending(text string, most int) string {
	for utf8.RuneCountInString(text) > most {
		_, rest, more := strings.Cut(text, "\n\n")
		if !more {
			return clip(text, most)
		}
		text = rest
	}
	return text
}

// about are the arguments that texts about lists have in common.
func (t *turn) about(topics []string) []any {
	f := t.m.File
	return []any{"lists", clip(f.Locale.List(topicNames(f, topics)), t.mostNames), "municipality", f.Name, "policy", t.notice(policyOf(f)),
		"join", say(f, f.Subscription.Join), "leave", say(f, f.Subscription.Leave), "status", say(f, f.Subscription.Status)}
}

// paragraphs joins the texts that are not empty.
func paragraphs(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "\n\n")
}

func (t *turn) movedText() (string, *conversation.Interactive) {
	q := asked(t.m.File, t.s, t.last)
	if len(q.topics) == 0 || !t.wroteLately() {
		return "", nil
	}
	return t.text("number_changed", t.about(q.topics)...), t.yesNo()
}

// wroteLately tells whether the citizen wrote within a day: their phone's telling of a new number opens no window.
func (t *turn) wroteLately() bool {
	return slices.ContainsFunc(t.thread, func(m conversation.Message) bool {
		return m.Direction == conversation.In && m.Type != conversation.TypeSystem && m.At.After(t.last.at.Add(time.Hour-conversation.Window))
	})
}

// yesNo are the buttons under what is asked after the last word.
func (t *turn) yesNo() *conversation.Interactive {
	of := db.FormatID(t.last.message.ID)
	return &conversation.Interactive{Choices: []conversation.Choice{{ID: yesID + of, Title: t.text("confirm_yes")}, {ID: noID + of, Title: t.text("confirm_no")}}}
}

func (t *turn) joinText() (string, *conversation.Interactive) {
	f := t.m.File
	if t.last.picked && len(t.last.Topics)+len(t.last.Unknown) == 0 {
		return t.choose(t.last.page)
	}
	var parts []string
	var options *conversation.Interactive
	already := slices.DeleteFunc(slices.Clone(t.last.wanted(f, t.s)), func(topic string) bool { return t.s.state(topic) != On })
	joined, waiting := t.joined(), t.waiting()
	onList := slices.ContainsFunc(t.s.in(On), func(topic string) bool { return isList(f, topic) })
	switch {
	case len(joined) > 0 && onList:
		parts = append(parts, t.text("subscribed", t.about(joined)...))
	case len(already) > 0 && onList && len(waiting) == 0:
		parts = append(parts, t.text("already_subscribed", t.about(already)...))
	}
	if len(waiting) > 0 {
		parts, options = append(parts, t.text("confirm", t.about(waiting)...)), t.yesNo()
	}
	if len(t.last.Unknown) > 0 {
		if parts = append(parts, t.text("unknown_list", t.about(allLists(f))...)); len(parts) == 1 {
			options = t.choice(0)
		}
	}
	if len(parts) == 0 && t.last.before(t.s.last) { // undone in the same second
		return t.statusText("")
	}
	if len(parts) == 0 { // a district alone brings nothing
		return t.choose(0)
	}
	return paragraphs(parts...), options
}

// choose asks which lists the citizen wants, from a place in them on.
func (t *turn) choose(from int) (string, *conversation.Interactive) {
	return t.text("choose_list", t.about(allLists(t.m.File))...), t.choice(from)
}

// choice is the list to choose from, beginning at a place. What does not fit is on the next page.
func (t *turn) choice(from int) *conversation.Interactive {
	f := t.m.File
	var rows []conversation.Choice
	for _, l := range f.Lists {
		rows = append(rows, row(joinID+l.Keyword, l.Name))
	}
	if len(rows) > 1 {
		rows = append(rows, row(joinID+listAll, t.text("choose_list_all")))
	}
	rows = rows[min(from, len(rows)):]
	if len(rows) > whatsapp.MaxListRows {
		rows = append(rows[:whatsapp.MaxListRows-1:whatsapp.MaxListRows-1],
			row(pageID+strconv.Itoa(from+whatsapp.MaxListRows-1), t.text("choose_list_more")))
	}
	if len(rows) == 0 {
		return nil
	}
	return &conversation.Interactive{Button: t.text("choose_list_button"), Choices: rows}
}

// row shows a name whole even where its title has no room for it.
func row(id, name string) conversation.Choice {
	c := conversation.Choice{ID: id, Title: clip(name, whatsapp.MaxRowTitle)}
	if c.Title != name {
		c.Description = clip(name, whatsapp.MaxRowDetail)
	}
	return c
}

func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:most-1])) + "…"
}

func (t *turn) leaveText() string {
	remain := slices.DeleteFunc(t.s.in(On), func(topic string) bool { return !isList(t.m.File, topic) })
	still := ""
	if len(remain) > 0 {
		still = t.text("still_subscribed", t.about(remain)...)
	}
	switch {
	case len(t.left) > 0 && len(remain) == 0:
		return t.text("unsubscribed_all", t.about(nil)...)
	case len(t.left) > 0:
		return paragraphs(t.text("unsubscribed", t.about(t.left)...), still)
	case len(remain) == 0:
		return t.text("not_subscribed", t.about(nil)...)
	case len(t.last.Topics) == 0:
		return paragraphs(t.text("unknown_list_leave", t.about(remain)...))
	}
	return paragraphs(t.text("not_on_list", t.about(t.last.Topics)...), still)
}

func (t *turn) yesText() string {
	if joined := t.joined(); len(joined) > 0 {
		return t.text("subscribed", t.about(joined)...)
	}
	if on := t.s.in(On); len(on) > 0 {
		return t.text("already_subscribed", t.about(on)...)
	}
	return t.text("confirm_expired", t.about(nil)...)
}

func (t *turn) noText() string {
	var declined []string
	for _, c := range t.consents {
		if c.Event == "declined" {
			declined = append(declined, c.Topic)
		}
	}
	if len(declined) > 0 {
		return t.text("declined", t.about(declined)...)
	}
	text, _ := t.statusText("")
	return text
}

// statusText tells the citizen's own state: what they get, what is suspended, what else there is, and where to change it.
func (t *turn) statusText(page string) (string, *conversation.Interactive) {
	f := t.m.File
	var parts []string
	var options *conversation.Interactive
	if joined := t.joined(); len(joined) > 0 {
		parts = append(parts, t.text("subscribed", t.about(joined)...))
	}
	on, suspended := t.s.in(On), t.s.in(Suspended)
	others := slices.DeleteFunc(allLists(f), func(topic string) bool { return t.s.state(topic) != Off })
	if len(topicNames(f, on)) > 0 {
		parts = append(parts, t.text("lists", t.about(on)...))
	}
	if len(suspended) > 0 {
		parts = append(parts, t.text("lists_suspended", t.about(suspended)...))
	}
	switch {
	case len(parts) == 0:
		parts = append(parts, t.text("lists_none", t.about(allLists(f))...))
	case len(others) > 0:
		parts = append(parts, t.text("lists_more", t.about(others)...))
	}
	if page != "" {
		parts = append(parts, t.text("lists_page", "link", page))
	}
	if waiting := t.waiting(); len(waiting) > 0 {
		parts, options = append(parts, t.text("confirm", t.about(waiting)...)), t.yesNo()
	}
	return paragraphs(parts...), options
}

// page is the address at which the citizen sees and changes their lists, "" where the outside doesn't reach us.
func (k *Keywords) page(t *turn, now time.Time) string {
	if k.publicURL == "" {
		return ""
	}
	return k.publicURL + "/" + t.m.Slug + "/lists/" + LinkToken(k.key, t.m.ID, t.s.contact, now.Add(LinkLasts))
}

// mostNotice is how long a privacy notice may be, in characters, that stands in a message with what is asked.
const mostNotice = 300

// notice is where the privacy notice is to be read, or all of it where it is short. A long one without an address is on
// the citizen's page; where the outside doesn't reach that, it is cut.
func (t *turn) notice(p contact.Policy) string {
	switch {
	case p.URL != "":
		return p.URL
	case t.page != "" && utf8.RuneCountInString(p.Text) > mostNotice:
		return t.page
	}
	return clip(p.Text, mostNotice)
}

// noticed tells whether a wording shows the whole notice, or where it is.
func (t *turn) noticed(p contact.Policy, wording string) bool {
	return strings.Contains(wording, noticeIn(p)) || p.URL == "" && t.page != "" && strings.Contains(wording, t.page[:strings.LastIndex(t.page, "/")+1])
}

// noticeIn is where the privacy notice is to be read, or all of it where it has no address.
func noticeIn(p contact.Policy) string { return cmp.Or(p.URL, p.Text) }

// say is how a citizen says it: the first phrase of the file, its places filled in.
func say(f *municipality.File, phrases []string) string {
	if len(phrases) == 0 {
		return "STOP"
	}
	i := max(0, slices.IndexFunc(phrases, func(p string) bool { return !strings.Contains(p, "{") }))
	fill := []string{"{name}", "…", "{town}", strings.TrimPrefix(f.Name, "Comune di "), "{list}", "…", "{district}", "…"}
	if len(f.Lists) > 0 {
		fill[5] = f.Lists[0].Keyword
	}
	if len(f.Districts) > 0 {
		fill[7] = f.Districts[0].Keyword
	}
	return strings.NewReplacer(fill...).Replace(phrases[i])
}
