// SPDX-License-Identifier: AGPL-3.0-or-later

package media_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/simulator"
	"github.com/filodiretto/filodiretto/internal/towntest"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// What a citizen sends by the simulator is a file of each class as WhatsApp has them.
func TestFilesOfEveryClassComeAndGo(t *testing.T) {
	account := whatsapp.Account{PhoneNumberID: "100000000000001", WABAID: "200000000000001", Token: "simulator"}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		sim, err := simulator.New(simulator.Options{})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(sim.Handler())
		t.Cleanup(server.Close)
		k := newDesk(t, d, towntest.Simulated, server.URL)
		write(t, server.URL, "/simulator/citizens", `{"phone":"393331234567","name":"Anna"}`)

		for class, want := range map[string]media.File{
			"image":    {MIME: "image/jpeg", Thumbnail: true, Width: 960, Height: 640},
			"voice":    {MIME: "audio/ogg"},
			"video":    {MIME: "video/mp4", Thumbnail: true, Width: 160, Height: 160},
			"document": {MIME: "application/pdf", Thumbnail: true, Name: "modulo-iscrizione.pdf"},
			"sticker":  {MIME: "image/webp", Thumbnail: true},
		} {
			sent := write(t, server.URL, "/simulator/citizens/393331234567/messages", `{"number":"100000000000001","`+class+`":{}}`)
			id := k.expect(media.Expected{Number: account.PhoneNumberID, ExternalID: sent.Content.ID, MIME: sent.Content.MIME, Name: sent.Content.Filename, SHA256: sent.Content.SHA256})
			if err := k.fetch(id); err != nil {
				t.Errorf("%s: %v", class, err)
				continue
			}
			f := k.get(id)
			if f.State != media.Ready || f.MIME != want.MIME || f.Thumbnail != want.Thumbnail || f.Name != want.Name || f.Size == 0 {
				t.Errorf("%s: got %+v", class, f)
			}
			if want.Width != 0 && (f.Width != want.Width || f.Height != want.Height) || (class == "voice") != (f.Duration > 0) {
				t.Errorf("%s: got %dx%d, %v", class, f.Width, f.Height, f.Duration)
			}
			if class == "voice" {
				k.playsEverywhere(f)
			}
			if uploaded, err := k.service.UploadForSending(t.Context(), account, k.m, id); err != nil || uploaded == "" {
				t.Errorf("%s sent on: %q, %v", class, uploaded, err)
			}
		}
	})
}

// playsEverywhere wants a voice note as AAC in MP4, made once.
func (k *desk) playsEverywhere(f media.File) {
	k.t.Helper()
	var lengths []int
	for range 2 {
		sound, err := k.store.OpenSound(k.t.Context(), k.m, f)
		if err != nil {
			k.t.Fatal(err)
		}
		w := httptest.NewRecorder()
		media.ServeSound(w, httptest.NewRequest(http.MethodGet, "/", nil), f, sound)
		_ = sound.Close()
		if b := w.Body.Bytes(); w.Header().Get("Content-Type") != "audio/mp4" || len(b) < 500 || string(b[4:8]) != "ftyp" || !bytes.Contains(b, []byte("mp4a")) {
			k.t.Errorf("the sound is %d bytes, %v", len(b), w.Header())
		}
		lengths = append(lengths, w.Body.Len())
	}
	if lengths[0] != lengths[1] {
		k.t.Errorf("it has %d bytes", lengths)
	}
}

type written struct {
	Content struct {
		ID       string `json:"id"`
		MIME     string `json:"mime_type"`
		SHA256   string `json:"sha256"`
		Filename string `json:"filename"`
	} `json:"content"`
}

func write(t *testing.T, base, path, body string) (w written) {
	t.Helper()
	resp, err := http.Post(base+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s %s, %v", path, resp.Status, answer, err)
	}
	if err := json.Unmarshal(answer, &w); err != nil {
		t.Fatal(err)
	}
	return w
}
