// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"

	"golang.org/x/image/webp"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// sampleOf is a built-in file, got by letting a citizen send it.
func sampleOf(s *sim, kind string) []byte {
	s.t.Helper()
	m := s.ok("POST", "/simulator/citizens/+393330000001/messages", object{kind: true})
	status, data := s.raw("GET", m["media"].(string), nil)
	if status != http.StatusOK {
		s.t.Fatalf("sample %s: %d", kind, status)
	}
	return data
}

func (s *sim) upload(mime, name string, data []byte) (int, object) {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for k, v := range map[string]string{"messaging_product": "whatsapp", "type": mime} {
		if err := form.WriteField(k, v); err != nil {
			s.t.Fatal(err)
		}
	}
	part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename=%q`, name)}, "Content-Type": {mime}})
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = part.Write(data)
	form.Close()
	req, _ := http.NewRequest(http.MethodPost, s.url+"/v26.0/"+number+"/media", &body)
	req.Header.Set("Authorization", "Bearer simulator")
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer object
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func (s *sim) uploaded(mime, name string, data []byte) string {
	s.t.Helper()
	status, answer := s.upload(mime, name, data)
	if status != http.StatusOK {
		s.t.Fatalf("upload: %d %v", status, answer)
	}
	return answer["id"].(string)
}

// fetch gets a media url with or without the token.
func (s *sim) fetch(url, token string) (int, []byte) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, data
}

func TestUploads(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	jpeg := sampleOf(s, "image")
	tests := []struct {
		name, mime string
		data       []byte
		code       int
	}{
		{"photo", "image/jpeg", jpeg, 0},
		{"voice", "audio/ogg", sampleOf(s, "audio"), 0},
		{"video", "video/mp4", sampleOf(s, "video"), 0},
		{"PDF", "application/pdf", sampleOf(s, "document"), 0},
		{"sticker", "image/webp", sampleOf(s, "sticker"), 0},
		{"text", "text/plain", []byte("Buongiorno"), 0},
		{"type not allowed", "image/gif", jpeg, 100},
		{"not what it claims", "image/png", jpeg, 131053},
		{"text that claims to be a photo", "image/jpeg", []byte("Buongiorno"), 131053},
		{"too large", "image/jpeg", append(bytes.Clone(jpeg), make([]byte, 5<<20)...), 131053},
		{"empty", "image/jpeg", nil, 131008},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, answer := s.upload(test.mime, "file", test.data); code(answer) != test.code {
				t.Errorf("answered %v, want code %d", answer, test.code)
			}
		})
	}
}

func TestMediaLife(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	data := sampleOf(s, "image")
	id := s.uploaded("image/jpeg", "foto.jpg", data)
	info := s.ok("GET", "/v26.0/"+id+"?phone_number_id="+number, nil)
	sum := sha256.Sum256(data)
	if info["mime_type"] != "image/jpeg" || info["sha256"] != hex.EncodeToString(sum[:]) || info["file_size"] != float64(len(data)) {
		t.Errorf("media %v", info)
	}
	url := info["url"].(string)
	if status, got := s.fetch(url, "simulator"); status != 200 || !bytes.Equal(got, data) {
		t.Errorf("download: %d, %d bytes", status, len(got))
	}
	if status, _ := s.fetch(url, ""); status != 401 {
		t.Errorf("download without token: %d", status)
	}
	if status, _ := s.fetch(strings.Replace(url, "hash=", "hash=0", 1), "simulator"); status != 404 {
		t.Errorf("download with a forged url: %d", status)
	}
	s.ok("POST", "/simulator/clock", object{"advance": "5m"})
	if status, _ := s.fetch(url, "simulator"); status != 404 {
		t.Errorf("download after five minutes: %d", status)
	}
	s.ok("POST", "/simulator/clock", object{"advance": "29d"})
	s.ok("GET", "/v26.0/"+id, nil)
	s.ok("POST", "/simulator/clock", object{"advance": "1d"})
	if status, answer := s.call("GET", "/v26.0/"+id, nil); status != 400 || code(answer) != 100 {
		t.Errorf("after 30 days: %d %v", status, answer)
	}
	other := s.uploaded("image/jpeg", "foto.jpg", data)
	s.ok("DELETE", "/v26.0/"+other, nil)
	if status, _ := s.call("GET", "/v26.0/"+other, nil); status != 400 {
		t.Errorf("after deletion: %d", status)
	}
}

func TestMediaOfCitizens(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("GET", "/v26.0/"+number, nil) // from here on the simulator knows its own address
	s.write(maria, object{"voice": true})
	eventually(t, "the voice note", func() bool { return len(d.items(t, "messages")) == 1 })
	audio := d.items(t, "messages")[0]["audio"].(object)
	if audio["voice"] != true || audio["mime_type"] != "audio/ogg; codecs=opus" {
		t.Errorf("audio %v", audio)
	}
	status, data := s.fetch(audio["url"].(string), "simulator")
	sum := sha256.Sum256(data)
	if status != 200 || audio["sha256"] != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("download %d, sha256 %v", status, audio["sha256"])
	}
	id := audio["id"].(string)
	s.ok("POST", "/simulator/clock", object{"advance": "6d"})
	s.ok("GET", "/v26.0/"+id, nil)
	s.ok("POST", "/simulator/clock", object{"advance": "1d"})
	if status, _ := s.call("GET", "/v26.0/"+id, nil); status != 400 {
		t.Errorf("after seven days: %d", status)
	}
}

func TestVoiceNotesArePlayed(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.write(maria, object{"text": "Salve"})
	voice := s.uploaded("audio/ogg", "nota.ogg", sampleOf(s, "audio"))
	s.sent(object{"type": "audio", "audio": object{"id": voice, "voice": true}})
	eventually(t, "played", func() bool {
		items := d.items(t, "statuses")
		return len(items) == 4 && items[3]["status"] == "played" && items[3]["pricing"] == nil
	})
}

func TestLinkedMedia(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	photo := sampleOf(s, "image")
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mappa.jpg" {
			w.Header().Set("Content-Type", "image/jpeg")
			_, _ = w.Write(photo)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(host.Close)
	s.write(maria, object{"text": "Salve"})
	s.sent(object{"type": "image", "image": object{"link": host.URL + "/mappa.jpg"}})
	s.sent(object{"type": "image", "image": object{"link": host.URL + "/niente.jpg"}})
	eventually(t, "both outcomes", func() bool { return len(d.items(t, "statuses")) == 4 })
	failed := 0
	for _, st := range d.items(t, "statuses") {
		if st["status"] == "failed" && st["errors"].([]any)[0].(object)["code"] == 131053.0 {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d failures in %v", failed, d.items(t, "statuses"))
	}
}

func TestMediaFaults(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	data := sampleOf(s, "image")
	id := s.uploaded("image/jpeg", "foto.jpg", data)
	url := s.ok("GET", "/v26.0/"+id, nil)["url"].(string)
	s.ok("PUT", "/simulator/faults", object{"media_hang": true})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		req.Header.Set("Authorization", "Bearer simulator")
		_, err := http.DefaultClient.Do(req)
		ended <- err
	}()
	s.ok("GET", "/v26.0/"+id, nil)
	select {
	case err := <-ended:
		t.Errorf("a host that hangs has answered: %v", err)
	default:
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a host that hangs: %v", err)
	}
	s.ok("PUT", "/simulator/faults", object{"media_wrong": true})
	if status, got := s.fetch(url, "simulator"); status != 200 || bytes.Equal(got, data) {
		t.Errorf("wrong content: %d, %d bytes", status, len(got))
	}
}

func TestSamplesAreWhatTheyClaim(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	if picture, format, err := image.Decode(bytes.NewReader(sampleOf(s, "image"))); err != nil || format != "jpeg" || picture.Bounds().Dx() != 960 {
		t.Errorf("photo: %s %v", format, err)
	}
	sticker := sampleOf(s, "sticker")
	picture, err := webp.Decode(bytes.NewReader(sticker))
	if err != nil || picture.Bounds().Dx() != 512 || len(sticker) > 100<<10 {
		t.Fatalf("sticker of %d bytes: %v", len(sticker), err)
	}
	_, _, _, corner := picture.At(0, 0).RGBA()
	_, _, _, centre := picture.At(256, 256).RGBA()
	if corner != 0 || centre == 0 {
		t.Errorf("sticker: alpha %d in the corner, %d in the centre", corner, centre)
	}
}
