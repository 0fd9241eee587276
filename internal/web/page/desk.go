// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/locale"
)

type shortcut struct {
	keys []string
	what locale.Key
}

var shortcuts = []shortcut{
	{[]string{"j", "k"}, "desk.help.move"},
	{[]string{"⏎"}, "desk.help.open"},
	{[]string{"r"}, "desk.help.reply"},
	{[]string{"n"}, "desk.help.note"},
	{[]string{"t"}, "desk.help.take"},
	{[]string{"p"}, "desk.help.pass"},
	{[]string{"e"}, "desk.help.resolve"},
	{[]string{"i"}, "desk.help.kind"},
	{[]string{"/"}, "desk.help.search"},
	{[]string{"Esc"}, "desk.help.leave"},
	{[]string{"?"}, "desk.help.help"},
}

// RoleKey is the text that names a role.
func RoleKey(role string) locale.Key { return locale.Key("role." + role) }

func sectionKey(s Section) locale.Key { return locale.Key("desk.section." + string(s)) }

func viewKey(v View) locale.Key { return locale.Key("desk.view." + string(v)) }

func emptyKey(v View) locale.Key { return locale.Key("desk.empty." + string(v)) }

func statusKey(s Status) locale.Key { return locale.Key("status." + string(s)) }

// TypeKey is the text that names a type of message.
func TypeKey(k Type) locale.Key { return locale.Key("desk.type." + string(k)) }

func itoa(n int) string { return strconv.Itoa(n) }

// initials are the first letters of the first and last word, for an avatar; "" where there is no letter.
func initials(name string) string {
	var letters []rune
	for _, word := range strings.Fields(name) {
		if first, _ := utf8.DecodeRuneInString(word); unicode.IsLetter(first) {
			letters = append(letters, unicode.ToUpper(first))
		}
	}
	if len(letters) > 2 {
		letters = []rune{letters[0], letters[len(letters)-1]}
	}
	return string(letters)
}

// firstName is what somebody is addressed by: the first word with a letter, past what decorates a name; all of a telephone
// number.
func firstName(name string) string {
	for _, word := range strings.Fields(name) {
		if strings.ContainsFunc(word, unicode.IsLetter) {
			return word
		}
	}
	return name
}
