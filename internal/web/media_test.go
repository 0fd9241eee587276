// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// generated has FFmpeg make a file.
func generated(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("ffmpeg", append(append([]string{"-nostdin", "-loglevel", "error", "-f", "lavfi"}, args...), file)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s (scripts/install-test-tools.sh installs what the tests need)", err, out)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func voiceNote(t *testing.T) []byte {
	return generated(t, "nota.ogg", "-i", "sine=frequency=330:duration=2", "-ac", "1", "-c:a", "libopus")
}

func film(t *testing.T) []byte {
	return generated(t, "buca.mp4", "-i", "testsrc=size=480x270:duration=1", "-c:v", "libx264", "-pix_fmt", "yuv420p")
}

// where is what a phone writes into a photo.
const where = "44.0594 N, 12.5683 E"

// located is a photo that tells where it was taken, on a phone that was held upright: 600 wide, 900 high.
func located(t *testing.T) []byte {
	plain := photo(t)
	exif := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00" + where
	out := append(bytes.Clone(plain[:2]), 0xFF, 0xE1, 0, byte(len(exif)+2))
	return append(append(out, exif...), plain[2:]...)
}

// parcel is what a citizen sends: a file that came, or the reason for which it did not.
type parcel struct {
	kind, name string
	content    []byte
	reason     string
}

// receives has a citizen send files.
func (d *desk) receives(phone string, parcels ...parcel) (conversationID int64, mediaIDs []int64) {
	d.Helper()
	var messages []conversation.Message
	for i, p := range parcels {
		id := d.db.IDs.New()
		mediaIDs = append(mediaIDs, id)
		messages = append(messages, conversation.Message{Type: p.kind, MediaID: id, At: d.db.Now().Add(time.Duration(i-len(parcels)) * time.Second)})
	}
	conversationID = d.sends(d.rimini, "Maria Bianchi", phone, messages...)
	for i, p := range parcels {
		f := media.File{Name: p.name, Direction: media.In, State: media.Ready}
		if p.content != nil {
			var err error
			if f, err = d.pages.Media.Add(d.Context(), d.rimini.ID, p.name, bytes.NewReader(p.content)); err != nil {
				d.Fatal(err)
			}
		}
		f.ID = mediaIDs[i]
		d.update(func(ctx context.Context, tx *db.Tx) error {
			if err := media.Save(ctx, tx, d.rimini.ID, f); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `UPDATE media SET message_id = (SELECT message_id FROM message WHERE municipality_id = $1 AND media_id = $2) WHERE municipality_id = $1 AND media_id = $2`, d.rimini.ID, f.ID)
			if err == nil && p.reason != "" {
				_, err = tx.ExecContext(ctx, `UPDATE media SET state = 'failed', reason = $3 WHERE municipality_id = $1 AND media_id = $2`, d.rimini.ID, f.ID, p.reason)
			}
			return err
		})
	}
	return conversationID, mediaIDs
}

func parcels(t *testing.T) []parcel {
	return []parcel{
		{kind: conversation.TypeImage, name: "buca.jpg", content: located(t)},
		{kind: conversation.TypeVoice, name: "nota.ogg", content: voiceNote(t)},
		{kind: conversation.TypeVideo, name: "buca.mp4", content: film(t)},
		{kind: conversation.TypeDocument, name: "modulo.pdf", content: form(t)},
	}
}

// form is a PDF of one page.
func form(t *testing.T) []byte {
	t.Helper()
	const drawing = "BT /F1 28 Tf 60 740 Td (Modulo di iscrizione) Tj ET 60 700 475 1 re f 60 640 475 1 re f"
	objects := []string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
		fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(drawing), drawing)}
	out := []byte("%PDF-1.4\n")
	for i, o := range objects {
		out = fmt.Appendf(out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	return append(out, "trailer<</Root 1 0 R/Size 5>>\n%%EOF\n"...)
}

func TestFilesAreShownToPeople(t *testing.T) {
	all := parcels(t)
	each(t, func(d *desk) {
		id, files := d.receives("393471234567", all...)
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		at := func(i int, rest string) string { return "/media/" + db.FormatID(files[i]) + rest }
		thread := b.get(conversationPath(id, "")).want(http.StatusOK)
		for _, address := range []string{at(0, "/shown"), at(0, "/thumbnail"), at(1, "/sound"), at(2, "/thumbnail"), at(3, "/thumbnail"), at(0, "") + `" download`} {
			thread.contains(address)
		}
		thread.contains(`alt="Foto inviata nella chat"`, `poster="`, `type="audio/ogg; codecs=opus"`, `type="audio/mp4"`)

		shown := b.get(at(0, "/shown")).want(http.StatusOK)
		m, err := jpeg.Decode(strings.NewReader(shown.body))
		if err != nil || m.Bounds().Dx() != 600 || m.Bounds().Dy() != 900 || strings.Contains(shown.body, where) {
			t.Errorf("the photo is shown as %d bytes, %v", len(shown.body), err)
		}
		original := b.get(at(0, "")).want(http.StatusOK)
		if original.body != string(all[0].content) || !strings.HasPrefix(original.header.Get("Content-Disposition"), "attachment") {
			t.Errorf("the original comes as %v", original.header)
		}
		if h := b.get(at(1, "/sound")).want(http.StatusOK).header; h.Get("Content-Type") != "audio/mp4" {
			t.Errorf("the sound comes as %v", h)
		}
		for _, address := range []string{at(1, "/shown"), at(0, "/sound"), at(3, "/description")} {
			b.get(address).want(http.StatusNotFound)
		}
	})
}

func TestADescriptionIsReadInTheThread(t *testing.T) {
	all := parcels(t)[:2]
	each(t, func(d *desk) {
		id, files := d.receives("393471234567", all...)
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		address := "/media/" + db.FormatID(files[0]) + "/description"
		b.get(address).want(http.StatusOK).contains("Descrivi la foto")
		b.get("/media/" + db.FormatID(files[1]) + "/description").want(http.StatusOK).contains("Riassumi il vocale")
		b.post(address, url.Values{"text": {"Una buca <larga> al n. 12"}}, byScript).want(http.StatusOK).
			contains(`alt="Una buca &lt;larga&gt; al n. 12"`, "<p dir=\"auto\">Una buca &lt;larga&gt; al n. 12</p>", "Luca Neri, ")
		b.get(address).want(http.StatusOK).contains("Una buca &lt;larga&gt; al n. 12</textarea>")
		b.get("/search?q=buche+larghe").want(http.StatusOK).contains(conversationPath(id, ""), "<mark>larga</mark>")
		b.post(address, url.Values{"text": {strings.Repeat("x", media.MaxDescription+1)}}, byScript).want(http.StatusUnprocessableEntity).contains("1000")
		b.post(address, url.Values{"text": {" "}}, byScript).want(http.StatusOK).contains(`alt="Foto inviata nella chat"`)
		b.get(conversationPath(id, "")).want(http.StatusOK).lacks("larga")
		b.get("/search?q=buche+larghe").want(http.StatusOK).lacks(conversationPath(id, ""))
	})
}

// What is lost says why, and the text that asks for it is only for who may write.
func TestALostFileIsAskedForAgain(t *testing.T) {
	each(t, func(d *desk) {
		lost := []parcel{
			{kind: conversation.TypeImage, reason: media.ReasonExpired},
			{kind: conversation.TypeVideo, reason: media.ReasonTooLarge},
			{kind: conversation.TypeDocument, reason: media.ReasonDangerous},
		}
		id, _ := d.receives("393471234567", lost...)
		d.sends(d.rimini, "Maria Bianchi", "393471234567", conversation.Message{Type: conversation.TypeUnsupported,
			Detail: conversation.Detail{Kind: conversation.TypeVideo, Problems: []conversation.Problem{{Code: codeMedia}}}})
		luca := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		thread := luca.get(conversationPath(id, "")).want(http.StatusOK).
			contains("Può mandarcelo di nuovo", "Può mandarcene uno più piccolo", "come foto o come PDF", "non più disponibile su WhatsApp", "non è riuscito a consegnarci il file")
		if n := strings.Count(thread.body, "data-ask="); n != 4 {
			t.Errorf("%d files are asked for", n)
		}
		anna := d.signedIn(d.rimini, d.hire(d.rimini, "Anna Fabbri", staff.Operator))
		anna.post(conversationPath(id, "/take"), nil).want(http.StatusSeeOther)
		luca.get(conversationPath(id, "")).want(http.StatusOK).lacks("data-ask=")
	})
}

func TestFilesInTheBrowser(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Luca Neri", staff.Operator)
	all := append(parcels(t), parcel{kind: conversation.TypeImage, reason: media.ReasonExpired})
	id, files := d.receives("393471234567", all...)
	p := d.enter("luca")
	p.Click(row(id))
	p.WaitFor(".ask-again")
	p.Until("play the voice note", `(() => { const a = document.querySelector(".voice audio"); if (a.readyState === 0) a.load(), a.preload = "auto"; return a.duration > 1.5 })()`)
	sound := "/desk/rimini/media/" + db.FormatID(files[1]) + "/sound"
	p.Until("play it as others hear it", `(() => { window.other ||= new Audio("`+sound+`"); return window.other.duration > 1.5 })()`)
	p.Until("show every picture", `document.querySelector("#messages img") && [...document.querySelectorAll("#messages img")].every((i) => (i.loading = "eager", i.complete && i.naturalWidth > 0))`)

	p.Click(".bubble-in:has(.picture) .bubble-menu summary")
	p.Click(`.bubble-in:has(.picture) [hx-get$="/description"]`)
	p.WaitFor("#dialog textarea")
	p.Axe()
	p.Screenshot("media-description")
	p.Fill("#dialog textarea", "Una buca davanti al n. 12")
	p.Click("#dialog .btn-primary")
	p.WaitText(".described", "Una buca davanti al n. 12")
	p.Until("close the dialog", `!document.getElementById("dialog").open`)
	p.Axe()
	p.Screenshot("media-thread")

	p.Fill("#text", "Gentile Maria,")
	p.Click(".ask-again")
	p.Until("put the text behind what is written", `document.getElementById("text").value.startsWith("Gentile Maria,\n\nBuongiorno, purtroppo")`)
	p.Click(".ask-again")
	if got := p.Value("#text"); strings.Count(got, "Buongiorno") != 1 {
		t.Errorf("the text is %q", got)
	}
	p.WaitText("#draft-state", "bozza salvata")
	if got := d.outgoing(id); len(got) != 0 {
		t.Errorf("sent %q", got)
	}
	p.Screenshot("media-asked-again")
	p.Viewport(360, 740)
	p.Prefer("prefers-color-scheme", "dark")
	p.Screenshot("media-narrow-dark")
}
