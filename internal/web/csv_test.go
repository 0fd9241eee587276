// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"net/http/httptest"
	"testing"
)

func TestCellsAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "",
		"Maria":                "Maria",
		"=1+1":                 "'=1+1",
		"+39 347 123 4567":     "+39 347 123 4567",
		"+1+cmd|' /C calc'!A0": "'+1+cmd|' /C calc'!A0",
		"-2":                   "'-2",
		"@SUM(A1)":             "'@SUM(A1)",
		"\t=1":                 "'\t=1",
		" =1":                  "' =1",
		"a=1":                  "a=1",
	} {
		if got := safeCell(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestATableIsAFile(t *testing.T) {
	w := httptest.NewRecorder()
	file := newCSV(w, "rimini-prova")
	file.row("giorno", "testo")
	file.row("2026-03-02", "con \"virgolette\"; e\na capo")
	if err := file.end(); err != nil {
		t.Fatal(err)
	}
	if got, want := w.Body.String(), "\ufeffgiorno;testo\r\n2026-03-02;\"con \"\"virgolette\"\"; e\r\na capo\"\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="rimini-prova.csv"` {
		t.Errorf("it is sent as %q", got)
	}
}
