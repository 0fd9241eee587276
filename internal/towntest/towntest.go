// SPDX-License-Identifier: AGPL-3.0-or-later

// Package towntest makes municipalities for tests, as the command apply does.
package towntest

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
)

// File is a town that sends nothing by itself and has one office and one number.
const File = `
slug: prova
name: Comune di Prova
locale: it
whatsapp:
  display_number: "+39 0541 123456"
  phone_number_id: "1001"
  waba_id: "2001"
  access_token: "token"
  app_secret: "secret"
  verify_token: "verify"
access: open
automation: none
offices:
  - {id: urp, name: URP}
calendars:
  whatsapp:
    weekly:
      - {days: [mon], open: "09:00", close: "13:00"}
policy: {version: "1", text: "Informativa di prova."}
`

// Simulated is the town of File on the account that every simulator starts with.
var Simulated = strings.NewReplacer(`"1001"`, `"100000000000001"`, `"2001"`, `"200000000000001"`,
	`"token"`, `"simulator"`, `"secret"`, `"simulator"`, `"verify"`, `"simulator"`).Replace(File)

// Key is a new key, as an installation makes one.
func Key(t testing.TB) *secret.Key {
	t.Helper()
	key, err := secret.Load(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Parse reads a file that takes nothing from the environment.
func Parse(t testing.TB, text string) *municipality.File {
	t.Helper()
	f, err := municipality.ParseFile("prova.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Apply makes the municipality of a file, or brings it to what the file says.
func Apply(t testing.TB, d *db.DB, key *secret.Key, text string) *municipality.Municipality {
	t.Helper()
	f := Parse(t, text)
	var m *municipality.Municipality
	err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		m, _, err = municipality.Apply(ctx, tx, key, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
