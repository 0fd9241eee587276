// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/towntest"
)

// A list that is taken over has whole rows only, nobody twice, and is taken as a whole or not at all.
func FuzzReadImport(f *testing.F) {
	for _, file := range []string{
		"phone,basis,date,reference\n+39 347 1234567,modulo firmato,2026-03-02,prot. 12/2026\n",
		"\ufeffPhone;Basis;Date;Reference;Name\r\n3471234567;\"delibera; art. 3\";2026-03-02;n. 4;Anna\r\n",
		"phone,basis,date,reference\n3471234567,a,2026-03-02,r\n+393471234567,a,2026-03-02,r\n",
		"phone,basis,date,reference\n\"3471234567\n,a,2099-01-01,\"\n",
		"phone,phone,basis,date,reference\n1,2\n",
		"phone,basis,date,reference\n\"3471234567",
		"phone\n", "", ";;;;", "\"",
	} {
		f.Add(file)
	}
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, file string) {
		rows, err := broadcast.ReadImport(strings.NewReader(file), now)
		if bad := (broadcast.BadRows)(nil); errors.As(err, &bad) && len(bad) == 0 {
			t.Errorf("refused for no row: %v", err)
		}
		if err != nil && rows != nil {
			t.Errorf("refused, and %d rows of it read", len(rows))
		}
		phones := map[string]bool{}
		for _, r := range rows {
			if r.Phone == "" || r.Basis == "" || r.Reference == "" || r.Date.IsZero() || r.Date.After(now) || r.Line < 2 || phones[r.Phone] {
				t.Errorf("row %+v", r)
			}
			if !utf8.ValidString(r.Basis+r.Reference+r.Name) || strings.ContainsRune(r.Basis+r.Reference+r.Name, 0) {
				t.Errorf("text that no database keeps in %+v", r)
			}
			phones[r.Phone] = true
		}
	})
}

// Nobody makes up the address of a citizen's page.
func FuzzOpenLink(f *testing.F) {
	key := towntest.Key(f)
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	for _, token := range []string{"", "AQ", "x", strings.Repeat("A", 300), broadcast.LinkToken(key, 8, 5, now.Add(time.Hour)), broadcast.LinkToken(key, 7, 5, now)} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := broadcast.OpenLink(key, 7, token, now); err == nil || id != 0 || !errors.Is(err, broadcast.ErrLink) {
			t.Errorf("%q opens %d, %v", token, id, err)
		}
	})
}
