// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The dialogues are texts, a step a line, so that who writes them needs no Go:
//
//	== NAME KIND [x3] [hours=30] [at=40] [only=rimini,carpi] [who=en]
//	in TEXT            the citizen writes; in @photo:NAME CAPTION, @voice:NAME, @pdf:NAME, @place, @contact, @sticker, @video
//	react EMOJI        the citizen reacts to the office's last message
//	out TEXT           the operator answers; out> quotes the citizen's last message; out @pdf:NAME CAPTION, out @place
//	oreact EMOJI       the operator reacts to the citizen's last message
//	note TEXT          an internal note; memo TEXT notes something about the citizen
//	take               the operator takes the conversation; to collega hands it to a colleague, office ROLE to an office
//	template NAME A; B a template with its variables
//	fail CODE          the last answer is not delivered, with Meta's code; uncertain: nobody knows whether it went out
//	wait 2h            nothing happens for so long
//	resolve [REASON]   the conversation ends
//
// x3 makes a dialogue three times as frequent. {a|b} is one of the two; {via} and its like are filled in
// from the town, the citizen and the calendar (see fill.go).
//
//go:embed scripts/*.txt
var scripts embed.FS

// script is a dialogue.
type script struct {
	name   string
	kind   string
	weight int
	hours  int // of those that were left open: how many hours ago they began
	at     int // of those of today: where in the working day, in hundredths
	only   []string
	who    string // language of the citizen, "bsuid" for somebody without a phone; empty is Italian
	steps  []step
}

// step is one line of a dialogue.
type step struct {
	verb verb
	text string
	file string        // photo:buca, voice:carta, pdf:modulo, place, contact, sticker, video; empty is text
	wait time.Duration // before it, at least
}

type verb string

const (
	in        verb = "in"
	out       verb = "out"
	quote     verb = "out>"
	react     verb = "react"
	answer    verb = "oreact"
	note      verb = "note"
	memo      verb = "memo"
	take      verb = "take"
	handOver  verb = "to"
	office    verb = "office"
	template  verb = "template"
	fail      verb = "fail"
	uncertain verb = "uncertain"
	wait      verb = "wait"
	resolve   verb = "resolve"
)

var verbs = []verb{in, out, quote, react, answer, note, memo, take, handOver, office, template, fail, uncertain, wait, resolve}

// library is every dialogue there is.
type library struct {
	past   []script // of the last month
	open   []script // of the last days, not resolved
	today  []script
	letter string
}

func readLibrary() (*library, error) {
	lib := &library{}
	for _, part := range []struct {
		into  *[]script
		files []string
	}{{&lib.past, []string{"segnalazioni", "informazioni", "assistenza"}}, {&lib.open, []string{"aperte"}}, {&lib.today, []string{"oggi"}}} {
		for _, name := range part.files {
			found, err := readScripts("scripts/" + name + ".txt")
			if err != nil {
				return nil, err
			}
			*part.into = append(*part.into, found...)
		}
	}
	letter, err := scripts.ReadFile("scripts/lettera.txt")
	lib.letter = strings.TrimSpace(string(letter))
	return lib, err
}

func readScripts(file string) ([]script, error) {
	text, err := scripts.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var found []script
	var pause time.Duration
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "", strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "== "):
			s, err := readHeader(line[3:])
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
			}
			found, pause = append(found, s), 0
			continue
		case len(found) == 0:
			return nil, fmt.Errorf("%s:%d: a step before the first dialogue", file, i+1)
		}
		st, err := readStep(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
		if st.verb == wait {
			pause = st.wait
			continue
		}
		st.wait, pause = pause, 0
		last := &found[len(found)-1]
		last.steps = append(last.steps, st)
	}
	return found, nil
}

func readHeader(line string) (script, error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return script{}, fmt.Errorf("%q: a dialogue has a name and a kind", line)
	}
	s := script{name: words[0], kind: words[1], weight: 1}
	for _, word := range words[2:] {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch {
		case key == "only":
			s.only = strings.Split(value, ",")
		case key == "who":
			s.who = value
		case key == "hours":
			s.hours, err = strconv.Atoi(value)
		case key == "at":
			s.at, err = strconv.Atoi(value)
		case strings.HasPrefix(word, "x"):
			s.weight, err = strconv.Atoi(word[1:])
		default:
			err = fmt.Errorf("%q is nothing that a dialogue has", word)
		}
		if err != nil {
			return script{}, err
		}
	}
	return s, nil
}

func readStep(line string) (step, error) {
	word, text, _ := strings.Cut(line, " ")
	st := step{verb: verb(word), text: text}
	if !slices.Contains(verbs, st.verb) {
		return step{}, fmt.Errorf("%q is no step", word)
	}
	if st.verb == wait {
		var err error
		st.wait, err = time.ParseDuration(text)
		return st, err
	}
	if file, ok := strings.CutPrefix(text, "@"); ok {
		st.file, st.text, _ = strings.Cut(file, " ")
	}
	return st, nil
}

// fits tells whether the dialogue can take place in a town.
func (s script) fits(t Town) bool { return len(s.only) == 0 || slices.Contains(s.only, t.Slug) }
