// SPDX-License-Identifier: AGPL-3.0-or-later

package contact_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

func blockedOn(t *testing.T, d *db.DB, id int64) (on map[string]time.Time) {
	t.Helper()
	update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
		on, err = contact.BlockedOn(ctx, tx, comune, id)
		return err
	})
	return on
}

func block(t *testing.T, d *db.DB, number string, id int64, on bool) {
	t.Helper()
	update(t, d, func(ctx context.Context, tx *db.Tx) error { return contact.SetBlocked(ctx, tx, comune, number, id, on) })
}

func TestBlocks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ids, _ := resolve(t, d, contact.Person{Phone: "393331234567", Name: "Maria", At: noon}, contact.Person{UserID: "IT.1A", At: noon})
		block(t, d, "11", ids[0], true)
		block(t, d, "11", ids[0], true) // twice is once
		block(t, d, "12", ids[0], true)
		block(t, d, "12", ids[0], false)
		if on := blockedOn(t, d, ids[0]); len(on) != 1 || on["11"].IsZero() {
			t.Errorf("Maria is blocked on %v", on)
		}
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			list, err := contact.Blocks(ctx, tx, comune, contact.Block{}, 10)
			if len(list) != 1 || list[0].Name != "Maria" || list[0].Phone != "+393331234567" || list[0].Number != "11" {
				t.Errorf("the list is %+v", list)
			}
			if list, _ := contact.Blocks(ctx, tx, comune+1, contact.Block{}, 10); len(list) > 0 {
				t.Errorf("another municipality sees %+v", list)
			}
			return err
		})
	})
}

// Two contacts that turn out to be one are blocked where either was.
func TestMergedContactsStayBlocked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		older, _ := resolve(t, d, contact.Person{Phone: "393331234567", At: noon})
		younger, _ := resolve(t, d, contact.Person{UserID: "IT.1A", At: noon})
		block(t, d, "11", older[0], true)
		block(t, d, "11", younger[0], true)
		block(t, d, "12", younger[0], true)
		resolve(t, d, contact.Person{Phone: "393331234567", UserID: "IT.1A", At: noon})
		if on := blockedOn(t, d, older[0]); len(on) != 2 {
			t.Errorf("blocked on %v", on)
		}
		if on := blockedOn(t, d, younger[0]); len(on) != 0 {
			t.Errorf("the younger is still blocked on %v", on)
		}
	})
}

// What Meta says is the truth, but for what was blocked while it was asked.
func TestRefreshingBlocks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ids, _ := resolve(t, d, contact.Person{Phone: "393331234567", At: noon}, contact.Person{UserID: "IT.1A", At: noon}, contact.Person{Phone: "393337654321", At: noon})
		maria, luca, anna := ids[0], ids[1], ids[2]
		block(t, d, "11", maria, true)
		block(t, d, "12", maria, true)
		meta := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			block(t, d, "11", anna, true) // meanwhile
			io.WriteString(w, `{"data":[{"user_id":"IT.1A"},{"wa_id":"39999999999"}]}`)
		}))
		defer meta.Close()
		client := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: meta.URL})
		defer client.CloseIdle()
		if err := conversation.RefreshBlocked(t.Context(), d, client, comune, whatsapp.Account{PhoneNumberID: "11"}); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[int64]string{maria: "12", luca: "11", anna: "11"} {
			if on := blockedOn(t, d, id); len(on) != 1 || on[want].IsZero() {
				t.Errorf("contact %d is blocked on %v, want %s", id, on, want)
			}
		}
	})
}
