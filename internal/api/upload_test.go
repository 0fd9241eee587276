// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

const formBoundary = "the-files-boundary"

// fileForm is a form with a file, as curl -F file=@name sends it.
func fileForm(name, content string) string {
	return "--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nignored\r\n" +
		"--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\nContent-Type: application/octet-stream\r\n\r\n" +
		content + "\r\n--" + formBoundary + "--\r\n"
}

func TestUploadingAFileAndSendingIt(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Com’è messa la strada?")
		picture := string(d.picture())
		a := d.post("/media", fileForm("buca.png", picture)).want(http.StatusCreated)
		id := a.at("id").(string)
		for name, want := range map[string]any{"mime": "image/png", "name": "buca.png", "size": float64(len(picture)), "state": "ready"} {
			equal(t, name, a.at(name), want)
		}
		equal(t, "Location", a.header.Get("Location"), Prefix+"/media/"+id)
		equal(t, "the content", d.get("/media/"+id).want(http.StatusOK).raw, picture)
		for range 2 { // a file may be sent any number of times
			m := d.post(anna.path("/messages"), `{"media_id":"`+id+`","caption":"Così"}`).want(http.StatusAccepted)
			equal(t, "type", m.at("type"), any("image"))
			equal(t, "file", m.at("media", 0, "id"), any(id))
		}
	})
}

// What the desk would not attach is not taken here either, and nothing of it is kept.
func TestWhatIsNoFileToSend(t *testing.T) {
	each(t, func(d *desk) {
		multipart := header{"Content-Type", "multipart/form-data; boundary=" + formBoundary}
		for name, c := range map[string]struct {
			body, code string
			status     int
			headers    []header
		}{
			"a program":           {body: fileForm("orari.txt", "MZ\x90\x00"+strings.Repeat("\x00", 200)), code: "file_type", status: http.StatusUnprocessableEntity},
			"a page":              {body: fileForm("orari.html", "<!DOCTYPE html><html><script>alert(1)</script></html>"), code: "file_type", status: http.StatusUnprocessableEntity},
			"nothing in it":       {body: fileForm("orari.txt", ""), code: "file_empty", status: http.StatusUnprocessableEntity},
			"no file":             {body: "--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--" + formBoundary + "--\r\n", code: "upload_form", status: http.StatusUnprocessableEntity},
			"JSON":                {body: `{"file":"x"}`, code: "upload_type", status: http.StatusUnprocessableEntity},
			"no boundary":         {body: "x", headers: []header{{"Content-Type", "multipart/form-data"}}, code: "upload_type", status: http.StatusUnprocessableEntity},
			"cut off":             {body: strings.TrimSuffix(fileForm("orari.txt", "Aperti"), "\r\n--"+formBoundary+"--\r\n"), code: "body_unread", status: http.StatusUnprocessableEntity},
			"not a form":          {body: "hello", headers: []header{multipart}, code: "body_unread", status: http.StatusUnprocessableEntity},
			"too large a picture": {body: fileForm("buca.png", string(d.picture())+strings.Repeat("\x00", 6<<20)), code: "too_large", status: http.StatusRequestEntityTooLarge},
		} {
			d.named(name, func(d *desk) {
				before := len(d.trail())
				d.post("/media", c.body, append(c.headers, key("k-"+strings.ReplaceAll(name, " ", "-")))...).problem(c.status, c.code)
				equal(d.T, "rows of the trail", len(d.trail()), before)
			})
		}
	})
}

// A form of any size is not read into memory, and not beyond what WhatsApp takes.
func TestAnUploadIsBounded(t *testing.T) {
	each(t, func(d *desk) {
		body := io.MultiReader(strings.NewReader(strings.TrimSuffix(fileForm("orari.txt", ""), "\r\n--"+formBoundary+"--\r\n")), io.LimitReader(spaces{}, 2*maxFile))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.server.URL+Prefix+"/media", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "multipart/form-data; boundary="+formBoundary)
		r.Header.Set("Authorization", "Bearer "+d.rimini.token)
		w, err := d.server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Body.Close() }()
		raw, _ := io.ReadAll(w.Body)
		if w.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(raw), `"too_large"`) {
			t.Errorf("answered %d %s", w.StatusCode, raw)
		}
	})
}

type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// The same file with the same key is one file, whatever its form's boundary; another with the key is refused.
func TestAnUploadIsDoneOnce(t *testing.T) {
	each(t, func(d *desk) {
		form := fileForm("orari.txt", "Aperti dalle 8:30 alle 13.")
		first := d.post("/media", form, key("f1")).want(http.StatusCreated)
		other := strings.ReplaceAll(form, formBoundary, "another-boundary")
		again := d.post("/media", other, key("f1"), header{"Content-Type", "multipart/form-data; boundary=another-boundary"}).want(http.StatusCreated)
		equal(t, "the answer again", again.raw, first.raw)
		d.post("/media", fileForm("orari.txt", "Chiusi."), key("f1")).problem(http.StatusUnprocessableEntity, "idempotency")
	})
}

// A token of some offices uses its own files, and no other's before a message that it sees has them.
func TestFilesByRight(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		urp, _ := d.newToken(d.rimini.ID, "urp")
		other, _ := d.newToken(d.rimini.ID, "urp")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			return conversation.HandOverToOffice(ctx, tx, d.rimini.operator, anna.conversation, "urp")
		})
		own := d.post("/media", fileForm("orari.txt", "Aperti."), bearer(urp)).want(http.StatusCreated).at("id").(string)
		d.get("/media/"+own, bearer(urp)).want(http.StatusOK)
		for _, stranger := range []string{other, d.carpi.token} {
			d.get("/media/"+own, bearer(stranger)).problem(http.StatusNotFound, "media_not_found")
		}
		d.post(anna.path("/messages"), `{"media_id":"`+own+`"}`, bearer(other)).problem(http.StatusUnprocessableEntity, "media_unknown")
		d.post(anna.path("/messages"), `{"media_id":"`+own+`"}`, bearer(urp)).want(http.StatusAccepted)
		d.get("/media/"+own, bearer(other)).want(http.StatusOK)
	})
}
