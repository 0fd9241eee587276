// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"encoding/csv"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// csvFile is a table that goes to the browser as a file while it is made.
type csvFile struct {
	w   *csv.Writer
	out *http.ResponseController
}

// newCSV begins the file called name. Semicolons and the mark at the beginning are what the spreadsheets of an
// Italian office open with a double click.
func newCSV(w http.ResponseWriter, name string) *csvFile {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	_, _ = w.Write([]byte("\ufeff")) // who went away is found out at the end
	file := &csvFile{w: csv.NewWriter(w), out: http.NewResponseController(w)}
	file.w.Comma = ';'
	file.w.UseCRLF = true
	return file
}

func (f *csvFile) row(cells ...string) {
	safe := make([]string, len(cells))
	for i, c := range cells {
		safe[i] = safeCell(c)
	}
	_ = f.w.Write(safe) // end tells
}

// end sends what is left. It fails only if the browser went away, or in a table with cells that can't be.
func (f *csvFile) end() error {
	f.w.Flush()
	return f.w.Error()
}

// more sends what there is and gives the browser another minute for what follows. It is false if nobody listens.
func (f *csvFile) more() bool {
	f.w.Flush()
	return f.w.Error() == nil && f.out.SetWriteDeadline(time.Now().Add(time.Minute)) == nil
}

// phone is the one text that begins like a formula and is none: a plus and digits, in groups.
var phone = regexp.MustCompile(`^\+[0-9]+( [0-9]+)*$`)

// safeCell keeps a spreadsheet from running what a citizen wrote as a formula: an apostrophe makes it text.
// https://owasp.org/www-community/attacks/CSV_Injection
func safeCell(text string) string {
	first := strings.TrimLeft(text, " \t\r\n")
	if first == "" || !strings.ContainsAny(first[:1], "=+-@") && first == text || phone.MatchString(text) {
		return text
	}
	return "'" + text
}
