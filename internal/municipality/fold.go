// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold takes from a text what makes no difference in the words that citizens
// write: case, accents, the width of letters, spaces, punctuation, emoji.
func Fold(text string) string {
	var letters []byte
	for _, c := range text {
		letters = AppendFold(letters, c)
	}
	return string(letters)
}

// AppendFold appends what [Fold] leaves of one character: mostly a capital
// letter or a digit, or nothing.
func AppendFold(letters []byte, c rune) []byte {
	switch {
	case 'a' <= c && c <= 'z':
		return append(letters, byte(c)-'a'+'A')
	case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return append(letters, byte(c))
	case c < utf8.RuneSelf:
		return letters
	case c == 'ß' || c == 'ẞ':
		return append(letters, "SS"...)
	}
	for _, part := range norm.NFKD.String(string(c)) {
		if part = unicode.ToUpper(unicode.ToLower(part)); isWord(part) {
			letters = utf8.AppendRune(letters, part)
		}
	}
	return letters
}

// isWord leaves out the letters that only modify others: some keyboards write
// an apostrophe by one of them.
func isWord(c rune) bool {
	return unicode.IsLetter(c) && !unicode.Is(unicode.Lm, c) || unicode.IsDigit(c)
}

// fold is [Fold] for a phrase of a file, whose places keep their braces.
func fold(phrase string) string {
	var out []byte
	for _, c := range phrase {
		if c == '{' || c == '}' {
			out = append(out, byte(c))
		}
		out = AppendFold(out, c)
	}
	return string(out)
}
