// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/staff"
)

func photo(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 900, 600)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload sends the composer's form with files, by name and content.
func (b *browser) upload(path string, form map[string]string, files map[string][]byte) answer {
	b.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range form {
		if err := w.WriteField(name, value); err != nil {
			b.Fatal(err)
		}
	}
	for name, content := range files {
		part, err := w.CreateFormFile("files", name)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := part.Write(content); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return b.do(http.MethodPost, path, &body, header{"Content-Type", w.FormDataContentType()}, byScript)
}

var mediaAddress = regexp.MustCompile(`/desk/rimini/media/\d+`)

func TestAPhotoGoesOutWithItsCaptionAndIsServedToStaffOnly(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Com’è la piazza?")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		form := map[string]string{"draft": "p1", "mode": "reply", "text": "Eccola"}
		sent := b.upload(conversationPath(id, "/messages"), form, map[string][]byte{"piazza.jpg": photo(t)}).want(http.StatusOK)
		sent.contains("Eccola", `width="400" height="266"`)
		if got := d.outgoing(id); len(got) != 1 || got[0] != "Eccola" {
			t.Errorf("sent %q", got)
		}
		address := strings.TrimPrefix(mediaAddress.FindString(sent.body), "/desk/rimini")
		whole := b.get(address).want(http.StatusOK)
		if h := whole.header; h.Get("Content-Type") != "image/jpeg" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("served with %v", h)
		}
		if small := b.get(address + "/thumbnail").want(http.StatusOK); len(small.body) == 0 {
			t.Error("an empty thumbnail")
		}
		d.browser(d.rimini).get(address).want(http.StatusSeeOther)
		elsewhere := d.signedIn(d.pistoia, d.hire(d.pistoia, "Piera Verdi", staff.Administrator))
		elsewhere.get(address).want(http.StatusNotFound)
	})
}

func TestAFileThatWhatsAppDoesNotTakeIsRefused(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		form := map[string]string{"draft": "p1", "mode": "reply", "text": "Ecco"}
		b.upload(conversationPath(id, "/messages"), form, map[string][]byte{"programma.jpg": append([]byte("MZ"), make([]byte, 300)...)}).want(http.StatusUnprocessableEntity).contains("alert-item")
		if got := d.outgoing(id); len(got) != 0 {
			t.Errorf("sent %q", got)
		}
	})
}

func TestAFailedMessageIsReallySentAgainOnce(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.post(conversationPath(id, "/messages"), url.Values{"draft": {"d1"}, "text": {"Buongiorno a lei"}}).want(http.StatusSeeOther)
		d.settle(id, conversation.Failed)
		again := regexp.MustCompile(`/messages/\d+/resend`).FindString(b.get(conversationPath(id, "")).want(http.StatusOK).contains("Invia di nuovo").body)
		b.post(again, nil, byScript).want(http.StatusOK).contains("in coda")
		b.post(again, nil, byScript).want(http.StatusOK)
		if got := d.outgoing(id); len(got) != 2 {
			t.Errorf("sent %q", got)
		}
	})
}

func TestAQueuedMessageCanBeTakenBack(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.post(conversationPath(id, "/messages"), url.Values{"draft": {"d1"}, "text": {"Sbagliato"}}).want(http.StatusSeeOther)
		back := regexp.MustCompile(`/messages/\d+/cancel`).FindString(b.get(conversationPath(id, "")).body)
		b.post(back, nil, byScript).want(http.StatusOK).contains("annullato").lacks("Annulla l’invio")
		b.post(back, nil, byScript).want(http.StatusConflict)
	})
}

func TestAReactionStandsUnderItsMessage(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Grazie!")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		to := regexp.MustCompile(`/messages/\d+/reaction`).FindString(b.get(conversationPath(id, "")).body)
		b.post(to, url.Values{"emoji": {"🙏"}}, byScript).want(http.StatusOK).contains(`<ul class="reactions"`, "Comune di Rimini")
		b.post(to, url.Values{"emoji": {"<b>"}}, byScript).want(http.StatusUnprocessableEntity)
	})
}

func TestTheCitizensNameAndNote(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Mary 🌻", "393471234567", "Buongiorno")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		to := regexp.MustCompile(`/citizens/\d+`).FindString(b.get(conversationPath(id, "")).body)
		b.post(to, url.Values{"name": {"Maria Bianchi"}, "note": {"Chiamare al mattino"}}).want(http.StatusSeeOther)
		b.get(conversationPath(id, "")).contains("Maria Bianchi", "Chiamare al mattino").lacks("Mary")
		elsewhere := d.signedIn(d.pistoia, d.hire(d.pistoia, "Piera Verdi", staff.Operator))
		elsewhere.post(to, url.Values{"name": {"Altra"}}).want(http.StatusNotFound)
	})
}

// No automation is said where replies are written.
func TestNoAutomationIsShown(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.pistoia, "Carla Gialli", "393470000001", "Buongiorno")
		b := d.signedIn(d.pistoia, d.hire(d.pistoia, "Piera Verdi", staff.Operator))
		b.get(conversationPath(id, "")).want(http.StatusOK).contains("Nessun automatismo")
	})
}

func TestEveryActLeavesARow(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
		b.post(conversationPath(id, "/take"), nil)
		b.post(conversationPath(id, "/kind"), url.Values{"kind": {"report"}})
		b.post(conversationPath(id, "/messages"), url.Values{"draft": {"a"}, "mode": {"note"}, "text": {"Nota"}})
		b.post(conversationPath(id, "/messages"), url.Values{"draft": {"b"}, "text": {"Provvediamo"}})
		b.post(conversationPath(id, "/resolve"), nil)
		b.get("/settings/audit").want(http.StatusOK).contains("è entrato", "ha preso una conversazione", "ha indicato il tipo di richiesta",
			"ha aggiunto una nota", "ha inviato un messaggio", "ha risolto una conversazione").lacks("Provvediamo", "desk.act_word")
	})
}

func TestTheListLoadsOn(t *testing.T) {
	each(t, func(d *desk) {
		for i := range 60 {
			d.writes(d.rimini, "Cittadino", "39347"+db.FormatID(int64(1000000+i)), "Buongiorno")
		}
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		first := b.get("/inbox").want(http.StatusOK)
		if rows := strings.Count(first.body, `id="row-`); rows != 50 {
			t.Errorf("%d rows at first", rows)
		}
		more := regexp.MustCompile(`hx-get="/desk/rimini(/inbox/list[^"]+)"`).FindStringSubmatch(first.body)
		if more == nil {
			t.Fatal("nothing loads the rows that follow")
		}
		rest := b.get(more[1], byScript).want(http.StatusOK)
		if rows := strings.Count(rest.body, `id="row-`); rows != 10 {
			t.Errorf("%d rows follow", rows)
		}
		for id := range strings.SplitSeq(rest.body, `id="row-`) {
			if id, _, _ := strings.Cut(id, `"`); len(id) < 30 && strings.Contains(first.body, "row-"+id+`"`) {
				t.Errorf("row %s comes twice", id)
			}
		}
	})
}

// A stream says what changed and nothing else, only of its own municipality, and ends with the server.
func TestTheStreamOfChanges(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		r, err := http.NewRequestWithContext(d.Context(), http.MethodGet, d.server.URL+"/desk/rimini/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		w, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Body.Close() }()
		read := func(want string) {
			t.Helper()
			part := make([]byte, len(want))
			for n := 0; n < len(part); {
				more, err := w.Body.Read(part[n:])
				if err != nil {
					t.Fatalf("after %q: %v", part[:n], err)
				}
				n += more
			}
			if string(part) != want {
				t.Fatalf("the stream says %q, want %q", part, want)
			}
		}
		read("event: hello\ndata: \n\n")
		d.writes(d.pistoia, "Carla Gialli", "393470000001", "Segreto")
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		read("event: conversation\ndata: " + db.FormatID(id) + "\n\n")
		d.pages.EndStreams()
		if n, err := w.Body.Read(make([]byte, 1)); err == nil {
			t.Errorf("the stream went on with %d bytes", n)
		}
	})
}

func TestADisabledAccountLosesItsPageAtOnce(t *testing.T) {
	each(t, func(d *desk) {
		luca := d.hire(d.rimini, "Luca Neri", staff.Operator)
		b := d.signedIn(d.rimini, luca)
		b.get("/inbox").want(http.StatusOK)
		d.update(func(ctx context.Context, tx *db.Tx) error {
			return staff.Remove(ctx, tx, staff.System("cli"), d.rimini.ID, luca.ID)
		})
		b.get("/inbox").want(http.StatusForbidden).lacks("Luca")
	})
}

// rename takes a table away from the program, or gives it back.
func (d *desk) rename(table, to string) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "ALTER TABLE "+table+" RENAME TO "+to)
		return err
	})
}

func TestWhatTheLogHolds(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Una cosa privata")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.post(conversationPath(id, "/messages"), url.Values{"draft": {"d"}, "text": {"Risposta privata"}}).want(http.StatusSeeOther)
		b.get("/search?q=privata").want(http.StatusOK).contains("Una cosa")
		d.rename("draft", "draft_gone")
		b.ask(http.MethodPut, conversationPath(id, "/draft"), url.Values{"draft": {"d2"}, "mode": {"reply"}, "text": {"Bozza privata"}}, byScript).want(http.StatusInternalServerError)
		d.rename("draft_gone", "draft")
		if d.log.String() == "" {
			d.Fatal("nothing is logged")
		}
		for _, secret := range []string{"privata", "Maria", "39347", password} {
			if strings.Contains(d.log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

// What was sent under an id keeps anything else from being taken for it, and the composer gets another id.
func TestAUsedDraftIsRefusedWithAFreshOne(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.post(conversationPath(id, "/messages"), url.Values{"draft": {"d1"}, "text": {"Uno"}}, byScript).want(http.StatusOK)
		for _, a := range []answer{
			b.ask(http.MethodPut, conversationPath(id, "/draft"), url.Values{"draft": {"d1"}, "mode": {"reply"}, "text": {"Uno e due"}}, byScript),
			b.post(conversationPath(id, "/messages"), url.Values{"draft": {"d1"}, "text": {"Due"}}, byScript),
		} {
			fresh := a.want(http.StatusConflict).contains("questo testo invece no").header.Get(freshDraft)
			if fresh == "" || fresh == "d1" {
				t.Errorf("the next id is %q", fresh)
			}
		}
		if got := d.outgoing(id); len(got) != 1 {
			t.Errorf("sent %q", got)
		}
	})
}

// A file knows the message it went with: those who see the message see the file.
func TestAnAttachedFileKnowsItsMessage(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.upload(conversationPath(id, "/messages"), map[string]string{"draft": "p1", "mode": "reply"}, map[string][]byte{"foto.jpg": photo(t)}).want(http.StatusOK)
		m := b.message(d.rimini, db.FormatID(id), conversation.Out)
		var f media.File
		d.update(func(ctx context.Context, tx *db.Tx) (err error) {
			f, err = media.Get(ctx, tx, d.rimini.ID, m.MediaID)
			return err
		})
		if f.MessageID != m.ID {
			t.Errorf("the file is of message %d, not %d", f.MessageID, m.ID)
		}
	})
}

func TestAnAuditorVerifiesTheTrail(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Bea Sei", staff.Auditor))
		if _, err := staff.Seal(t.Context(), d.db); err != nil {
			t.Fatal(err)
		}
		b.get("/settings/audit").want(http.StatusOK).contains("settings/audit?verify=1").lacks("Il registro è integro")
		b.get("/settings/audit?verify=1").want(http.StatusOK).contains("Il registro è integro")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE audit SET actor_name = 'Nessuno' WHERE municipality_id = $1 AND seq = 1`, d.rimini.ID)
			return err
		})
		b.get("/settings/audit?verify=1").want(http.StatusOK).contains("Il registro non è integro: la riga n. 1")
	})
}
