// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"context"
	"encoding/csv"
	"regexp"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
)

var withLists = testFile + `
lists:
  - {keyword: EMERGENZE, name: Emergenze, kind: emergency}
`

// A list is taken over whole or not at all, and what was done about consent can be exported, and can't be changed
// unnoticed.
func TestImportAndProof(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.try("", "apply", in.file("prova.yaml", withLists)).want(t, 0, "prova: updated")
		take := func(file string) result {
			return in.try("", "lists", "import", "--municipality", "prova", "--list", "EMERGENZE", file)
		}
		bad := "phone;basis;date;reference;name\n+39 347 1234567;modulo;2025-09-14;prot. 1;Anna\n347;modulo;2025-09-14;prot. 2;\n" +
			"+39 347 1234568;;2025-09-14;prot. 3;\n+39 347 1234569;modulo;14/9/2025;prot. 4;\n+39 347 1234560;modulo;2999-01-01;prot. 5;\n" +
			"+39 347 1234561;modulo;2025-09-14;;\n3471234567;modulo;2025-09-14;prot. 7;\n"
		take(in.file("bad.csv", bad)).want(t, 1, "nothing was imported", "line 3: the phone", "line 4: it states no basis", "line 5: the date", "line 6: the date is in the future",
			"line 7: it has no reference", "line 8: the phone is in line 2 already")
		take(in.file("columns.csv", "phone,basis\n+39 347 1234567,modulo\n")).want(t, 1, `no column "date"`)
		good := in.file("good.csv", "phone,basis,date,reference,name\n+39 347 1234567,\"consenso scritto, modulo A\",2025-09-14,prot. 1,Anna\n3471234568,consenso scritto,2025-09-15,prot. 2,\n")
		take(good).want(t, 0, "2 subscribed to EMERGENZE, 0 were on it already")
		take(good).want(t, 0, "0 subscribed to EMERGENZE, 2 were on it already")
		in.try("", "lists", "import", "--municipality", "prova", "--list", "NIENTE", good).want(t, 1, "NIENTE")

		exported := in.try("", "consents", "export", "--municipality", "prova")
		rows, err := csv.NewReader(strings.NewReader(exported.out)).ReadAll()
		if err != nil || len(rows) != 3 || rows[1][3] != "imported" || rows[1][18] != "consenso scritto, modulo A · prot. 1" || rows[1][12] != "" {
			t.Errorf("the export is %q, %v", rows, err)
		}
		verify := func() result { return in.try("", "consents", "verify", "--municipality", "prova") }
		verify().want(t, 0, "2 consents of Comune di Prova are as they were written")

		inside := in.inside()
		change := func(query string) {
			t.Helper()
			if err := inside.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.ExecContext(ctx, query)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		change(`UPDATE consent SET reference = 'prot. 9' WHERE consent_id = ` + rows[1][0])
		verify().want(t, 1, "Changed since they were written: "+rows[1][0])
		change(`DELETE FROM consent WHERE consent_id = ` + rows[2][0])
		r := verify()
		r.want(t, 1, "gone from the register: "+rows[2][0])
		if regexp.MustCompile(`347`).MatchString(r.out + r.problems) {
			t.Error("a phone is told")
		}
	})
}
