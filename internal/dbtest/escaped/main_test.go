// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPiecesOfSQL(t *testing.T) {
	pieces, err := piecesOf("x.go", "package x\nvar a, b, c = `SELECT one FROM two\n\tWHERE three = $1`, \"hello\", `UPDATE %s SET four = 4 WHERE five`")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range pieces {
		got = append(got, p.text)
	}
	if want := []string{"SELECT one FROM two WHERE three = $1", "SET four = 4 WHERE five"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestStatementsSeenByTests(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "1.jsonl"), []byte("\"SELECT  1\\n FROM a\"\n\"SELECT 1 FROM a\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := seen(dir)
	if err != nil || !slices.Equal(all, []string{"SELECT 1 FROM a"}) {
		t.Errorf("seen %q, %v", all, err)
	}
}
