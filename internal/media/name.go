// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"mime"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxName = 200 // characters

// safeName makes of what the sender wrote a name that can be shown, saved and put into a header: the
// last part of a path, without control characters and without those that turn the writing around
// ("gpj.exe" must not read as "exe.jpg"). The end, which names the type, survives shortening.
func safeName(name string) string {
	name = strings.ReplaceAll(strings.ToValidUTF8(name, ""), `\`, "/")
	name = name[strings.LastIndexByte(name, '/')+1:]
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name)
	name = strings.Trim(name, " .")
	if over := utf8.RuneCountInString(name) - maxName; over > 0 {
		runes := []rune(name)
		end := []rune(path.Ext(name))
		if len(end) > 10 {
			end = nil
		}
		name = strings.TrimRight(string(runes[:maxName-len(end)]), " .") + string(end)
	}
	return name
}

// plain keeps what both engines store: PostgreSQL refuses a NUL, and what is not UTF-8.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}

// baseType is a media type without its parameters, in lower case; empty for what is none.
func baseType(declared string) string {
	declared, _, _ = strings.Cut(declared, ";")
	base, _, err := mime.ParseMediaType(declared)
	if err != nil || len(base) > 100 || !utf8.ValidString(base) {
		return ""
	}
	return base
}
