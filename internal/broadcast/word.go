// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"slices"
	"strconv"
	"strings"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// What the options of the desk's own messages are called; they come back when a citizen picks one.
const (
	joinID  = "join:"        // a keyword, or * for all lists
	pageID  = "lists:"       // the place in the list where to go on
	yesID   = "confirm:yes:" // the id of the message after which the desk asked
	noID    = "confirm:no:"
	listAll = "*"
)

// Within a second, which is all that WhatsApp's times tell, what leaves is last: nobody is written to against a wish
// because another word had the higher id. Forms stand between what joins and what leaves in the chat.
const (
	amongForms  = 1 << 20 // and the microseconds of their second
	leavingLast = 1 << 21
)

// word is a message that the desk may handle by itself.
type word struct {
	order
	Command
	message conversation.Message
	picked  bool  // from options that the desk had shown
	typed   bool  // what could have been picked: it counts only where the desk has asked which lists
	of      int64 // message after which the desk asked what the picked SÌ or NO answers
	page    int   // of the list to choose from, 0 begins
	moved   bool  // not said by the citizen: their number changed
}

// orderOf is where a message stands among the words of its citizen.
func orderOf(m conversation.Message) order {
	return order{at: m.At, place: m.Place, source: m.ExternalID}
}

// hear reads a message; ok is false for one that is for a person.
func hear(f *municipality.File, g *Grammar, m conversation.Message) (w word, ok bool) {
	w, ok = understand(f, g, m)
	if w.Verb == Leave {
		w.place += leavingLast
	}
	return w, ok
}

func understand(f *municipality.File, g *Grammar, m conversation.Message) (w word, ok bool) {
	w = word{order: orderOf(m), message: m}
	switch m.Type {
	case conversation.TypeSystem:
		w.moved = m.Detail.System == whatsapp.SystemChangedNumber || m.Detail.System == whatsapp.SystemChangedUserID // the id changes with the number
		return w, w.moved
	case conversation.TypeChoice:
		if c := m.Detail.Choice; c != nil && w.pick(f, c.ID) {
			return w, true
		}
		w.Command, ok = g.Parse(m.Text)
		return w, ok && w.Verb != Yes && w.Verb != No // these answer what they stand under, which is not ours
	case conversation.TypeImage, conversation.TypeVideo, conversation.TypeDocument:
		w.Command, ok = g.Parse(m.Text)
		return w, ok && w.Verb == Leave && !w.Soft // whoever leaves is obeyed, whatever is above the words
	case conversation.TypeText:
		if w.Command, ok = g.Parse(m.Text); ok {
			return w, true
		}
		if topics := g.Choice(m.Text); len(topics) > 0 {
			w.Command, w.picked, w.typed = Command{Verb: Join, Topics: topics}, true, true
			return w, true
		}
	}
	return w, false
}

// pick reads the id of an option of ours.
func (w *word) pick(f *municipality.File, id string) bool {
	topic, joins := strings.CutPrefix(id, joinID)
	from, pages := strings.CutPrefix(id, pageID)
	agreed, agrees := strings.CutPrefix(id, yesID)
	refused, refuses := strings.CutPrefix(id, noID)
	switch {
	case joins && topic == listAll:
		w.Command = Command{Verb: Join, Topics: allLists(f)}
	case joins && isTopic(f, topic):
		w.Command = Command{Verb: Join, Topics: []string{topic}}
	case joins:
		w.Command = Command{Verb: Join, Unknown: []string{topic}}
	case pages:
		w.Verb = Join
		w.page, _ = strconv.Atoi(from)
		w.page = min(max(w.page, 0), len(f.Lists))
	case agrees:
		w.Verb = Yes
		w.of, _ = db.ParseID(agreed)
	case refuses:
		w.Verb = No
		w.of, _ = db.ParseID(refused)
	}
	w.picked = joins || pages || w.of != 0
	return w.picked
}

// unsure tells whether it depends on what was before if the word means anything to the desk.
func (w word) unsure() bool {
	return w.typed || !w.picked && (w.Verb == Yes || w.Verb == No || w.Soft)
}

// asks tells whether the word joins only once the citizen has confirmed it.
func (w word) asks(f *municipality.File, s *standing) bool {
	return w.Verb == Join && !w.picked && f.Subscription.Confirm == "double" && len(w.wanted(f, s)) > 0
}

// wanted are the topics that a joining word means; none where the citizen is to choose. Who is on a list already and
// names a district consents to no other list by that.
func (w word) wanted(f *municipality.File, s *standing) []string {
	named := slices.ContainsFunc(w.Topics, func(t string) bool { return isList(f, t) })
	if named || w.picked || len(w.Unknown) > 0 || f.Subscription.Plain != "all" {
		return w.Topics
	}
	if len(w.Topics) > 0 && slices.ContainsFunc(s.in(On, Suspended), func(t string) bool { return isList(f, t) }) {
		return w.Topics
	}
	return append(allLists(f), w.Topics...)
}
