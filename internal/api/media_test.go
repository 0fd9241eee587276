// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
)

// picture is a small PNG.
func (d *desk) picture() []byte {
	d.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		d.Fatal(err)
	}
	return b.Bytes()
}

// keep is the id of a picture that a town's office attached.
func (d *desk) keep(to *town) string {
	d.Helper()
	return d.keepFile(to, "buca.png", d.picture())
}

func (d *desk) keepFile(to *town, name string, content []byte) (id string) {
	d.Helper()
	f, err := d.files.Add(d.Context(), to.ID, name, bytes.NewReader(content))
	if err != nil {
		d.Fatal(err)
	}
	d.update(func(ctx context.Context, tx *db.Tx) error {
		f.ID = tx.NewID()
		id = db.FormatID(f.ID)
		return media.Save(ctx, tx, to.ID, f)
	})
	return id
}

// announces is a citizen sending a picture that has not been fetched yet.
func (d *desk) announces(to *town, phone string) (who citizen, file string) {
	d.Helper()
	const id = 4242
	who = d.sends(to, phone, conversation.Message{Type: conversation.TypeImage, Text: "La buca", MediaID: id})
	message, _ := db.ParseID(who.messages[0])
	d.update(func(ctx context.Context, tx *db.Tx) error {
		return media.Expect(ctx, tx, to.ID, []media.Expected{{MediaID: id, MessageID: message, ConversationID: who.conversation, Number: to.number,
			ExternalID: "1234567890", MIME: "image/jpeg", At: tx.Now()}})
	})
	return who, db.FormatID(id)
}

func (d *desk) setState(file string, state media.State) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		id, _ := db.ParseID(file)
		_, err := tx.ExecContext(ctx, `UPDATE media SET state = $1 WHERE media_id = $2`, string(state), id)
		return err
	})
}

func TestMedia(t *testing.T) {
	each(t, func(d *desk) {
		want := d.picture()
		id := d.keep(d.rimini)
		a := d.get("/media/" + id).want(http.StatusOK)
		if a.raw != string(want) {
			t.Errorf("%d bytes are not the %d of the picture", len(a.raw), len(want))
		}
		for name, value := range map[string]string{"Content-Type": "image/png", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; sandbox", "Content-Disposition": "attachment; filename=buca.png"} {
			equal(t, name, a.header.Get(name), value)
		}
		if c := a.header.Get("Cache-Control"); !strings.HasPrefix(c, "private") {
			t.Errorf("Cache-Control is %q", c)
		}
		part := d.get("/media/"+id, header{"Range", "bytes=1-3"}).want(http.StatusPartialContent)
		equal(t, "a part", part.raw, "PNG")
		d.get("/media/"+id, header{"If-None-Match", a.header.Get("ETag")}).want(http.StatusNotModified)
		head := d.ask(http.MethodHead, "/media/"+id, "").want(http.StatusOK)
		equal(t, "Content-Length", head.header.Get("Content-Length"), fmt.Sprint(len(want)))
	})
}

func TestMediaThatIsNotThere(t *testing.T) {
	each(t, func(d *desk) {
		anna, id := d.announces(d.rimini, "393471234567")
		a := d.get("/messages/" + anna.messages[0]).want(http.StatusOK)
		for name, want := range map[string]any{"id": id, "mime": "image/jpeg", "name": "", "size": 0.0, "state": "pending", "description": ""} {
			equal(t, name, a.at("media", 0, name), want)
		}
		equal(t, "text", a.at("text"), any("La buca"))
		d.get("/media/"+id).problem(http.StatusConflict, "media_pending")
		d.post(anna.path("/messages"), `{"media_id":"`+id+`"}`).problem(http.StatusUnprocessableEntity, "media_not_ready")
		for _, state := range []media.State{media.Failed, media.Refused} {
			d.setState(id, state)
			d.get("/media/"+id).problem(http.StatusNotFound, "media_gone")
			d.post(anna.path("/messages"), `{"media_id":"`+id+`"}`).problem(http.StatusUnprocessableEntity, "media_not_ready")
		}
		d.get("/media/1").problem(http.StatusNotFound, "media_not_found")

		lost := d.keep(d.rimini)
		if err := os.RemoveAll(d.filesDir); err != nil {
			t.Fatal(err)
		}
		d.get("/media/"+lost).problem(http.StatusNotFound, "media_gone")
		if log := d.log.String(); !strings.Contains(log, "media="+lost) {
			t.Errorf("the lost file is not in the log: %s", log)
		}
	})
}

func TestSendingFiles(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Com’è messa la strada?")
		picture, text := d.keep(d.rimini), d.keepFile(d.rimini, "orari.txt", []byte("Aperti dalle 8:30 alle 13."))
		a := d.post(anna.path("/messages"), `{"media_id":"`+picture+`","caption":"Così","reply_to":"`+anna.messages[0]+`"}`).want(http.StatusAccepted)
		equal(t, "type", a.at("type"), any("image"))
		equal(t, "text", a.at("text"), any("Così"))
		equal(t, "media", a.at("media", 0, "id"), any(picture))
		equal(t, "state", a.at("media", 0, "state"), any("ready"))
		equal(t, "reply_to", a.at("reply_to"), any(anna.messages[0]))
		a = d.post(anna.path("/messages"), `{"media_id":"`+text+`"}`).want(http.StatusAccepted)
		equal(t, "type", a.at("type"), any("document"))
		equal(t, "name", a.at("media", 0, "name"), any("orari.txt"))
		sound := d.keepFile(d.rimini, "voce.amr", append([]byte("#!AMR\n"), make([]byte, 64)...))
		d.post(anna.path("/messages"), `{"media_id":"`+sound+`","caption":"Ascolta"}`).problem(http.StatusUnprocessableEntity, "audio_caption")
		equal(t, "type", d.post(anna.path("/messages"), `{"media_id":"`+sound+`"}`).want(http.StatusAccepted).at("type"), any("audio"))
		d.post(anna.path("/messages"), `{"media_id":"`+picture+`","caption":"`+strings.Repeat("è", 1025)+`"}`).problem(http.StatusUnprocessableEntity, "caption_too_long")
	})
}

// A token of some offices sees the files of the messages it sees.
func TestMediaOfSomeOffices(t *testing.T) {
	each(t, func(d *desk) {
		anna, id := d.announces(d.rimini, "393471234567")
		token, _ := d.newToken(d.rimini.ID, "urp")
		d.get("/media/"+id, bearer(token)).problem(http.StatusNotFound, "media_not_found")
		d.get("/media/"+d.keep(d.rimini), bearer(token)).problem(http.StatusNotFound, "media_not_found")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			return conversation.HandOverToOffice(ctx, tx, d.rimini.operator, anna.conversation, "urp")
		})
		d.get("/media/"+id, bearer(token)).problem(http.StatusConflict, "media_pending")
	})
}

// What the office wrote of a file goes with it.
func TestDescriptionsOfFiles(t *testing.T) {
	each(t, func(d *desk) {
		anna, file := d.announces(d.rimini, "393471234567")
		d.setState(file, media.Ready)
		id, _ := db.ParseID(file)
		d.update(func(ctx context.Context, tx *db.Tx) error {
			_, _, err := media.Describe(ctx, tx, d.rimini.ID, id, media.Author{ID: 1, Name: "Ada"}, "Una buca davanti al civico 3")
			return err
		})
		equal(t, "description", d.get("/messages/"+anna.messages[0]).want(http.StatusOK).at("media", 0, "description"), any("Una buca davanti al civico 3"))
	})
}
