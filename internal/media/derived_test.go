// SPDX-License-Identifier: AGPL-3.0-or-later

package media_test

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// where is what a phone writes into a photo.
const where = "44.0594 N, 12.5683 E"

// located is a photo that tells where it was taken, on a phone that was held upright.
func located(t *testing.T) []byte {
	t.Helper()
	plain := photo(t, 200, 100)
	exif := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00" + where
	out := append(bytes.Clone(plain[:2]), 0xFF, 0xE1, 0, byte(len(exif)+2))
	return append(append(out, exif...), plain[2:]...)
}

// The office has the photo as it came; who looks at it, and who gets it, has it upright and without the place.
func TestAPhotoIsShownAndSentWithoutItsPlace(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		original := located(t)
		f, err := k.arrives("m1", "image/jpeg", "", original)
		if err != nil || f.Width != 100 || f.Height != 200 {
			t.Fatalf("%+v, %v", f, err)
		}
		kept, err := k.store.Open(k.m, f, false)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = kept.Close() }()
		if b, err := io.ReadAll(kept); err != nil || !bytes.Equal(b, original) {
			t.Errorf("the original is another one, %v", err)
		}
		for range 2 { // made, then kept
			shown, err := k.store.OpenShown(t.Context(), k.m, f)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			media.ServeShown(w, httptest.NewRequest(http.MethodGet, "/", nil), f, shown)
			_ = shown.Close()
			m, err := jpeg.Decode(bytes.NewReader(w.Body.Bytes()))
			if err != nil || m.Bounds().Size() != (image.Point{X: 100, Y: 200}) || strings.Contains(w.Body.String(), where) {
				t.Errorf("shown is %d bytes, %v", w.Body.Len(), err)
			}
			if h := w.Header(); h.Get("Content-Type") != "image/jpeg" || h.Get("Content-Disposition") != "inline" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
				t.Errorf("it comes as %v", h)
			}
		}
		account := whatsapp.Account{PhoneNumberID: "1001", Token: "token"}
		if _, err := k.service.UploadForSending(t.Context(), account, k.m, f.ID); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(k.host.received, []byte(where)) || !bytes.Contains(k.host.received, []byte("\xFF\xD8")) {
			t.Error("what was sent tells where it was taken, or is no photo")
		}
	})
}

func TestWhatCannotBeShownIsKept(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		broken := photo(t, 200, 100)[:300]
		f, err := k.arrives("m1", "image/jpeg", "", broken)
		if err != nil || f.State != media.Ready || f.Thumbnail {
			t.Fatalf("%+v, %v", f, err)
		}
		if _, err := k.store.OpenShown(t.Context(), k.m, f); fault.KindOf(err) != fault.NotFound {
			t.Errorf("shown: %v", err)
		}
		if _, err := k.store.Add(t.Context(), k.m, "foto.jpg", bytes.NewReader(broken)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("attached: %v", err)
		}
	})
}

// A sound that is none ends in nothing, and so does one where the program is not installed.
func TestSoundsThatCannotBeMade(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		f, err := k.arrives("m1", "audio/ogg", "", append([]byte("OggS\x00\x02"), make([]byte, 200)...))
		if err != nil || f.MIME != "audio/ogg" || !k.store.Transcodes(f) {
			t.Fatalf("%+v, %v", f, err)
		}
		if _, err := k.store.OpenSound(t.Context(), k.m, f); fault.KindOf(err) != fault.NotFound {
			t.Errorf("it is %v", err)
		}
		t.Setenv("PATH", t.TempDir())
		without, err := media.NewStore(k.dir)
		if err != nil {
			t.Fatal(err)
		}
		if without.Transcodes(f) {
			t.Error("a sound is promised")
		}
		if _, err := without.OpenSound(t.Context(), k.m, f); fault.KindOf(err) != fault.NotFound {
			t.Errorf("without the program it is %v", err)
		}
		left, err := os.ReadDir(filepath.Join(k.dir, "incoming"))
		if err != nil || len(left) != 0 {
			t.Errorf("%d are left, %v", len(left), err)
		}
	})
}

func TestADescriptionIsKeptWithItsAuthor(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		f, err := k.arrives("m1", "image/jpeg", "", photo(t, 20, 10))
		if err != nil {
			t.Fatal(err)
		}
		describe := func(municipality int64, text string) (changed bool, err error) {
			_ = k.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, changed, err = media.Describe(ctx, tx, municipality, f.ID, media.Author{ID: 7, Name: "Anna Fabbri"}, text)
				return err
			})
			return changed, err
		}
		for i, text := range []string{"  Una buca\x00 davanti al n. 12 ", "Una buca davanti al n. 12"} { // the same twice
			if changed, err := describe(k.m, text); err != nil || changed != (i == 0) {
				t.Errorf("%q: %t, %v", text, changed, err)
			}
		}
		got := k.get(f.ID).Description
		if got.Text != "Una buca davanti al n. 12" || got.By != "Anna Fabbri" || got.At.IsZero() {
			t.Errorf("it is %+v", got)
		}
		if _, err := describe(k.m, strings.Repeat("è", media.MaxDescription+1)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("too long: %v", err)
		}
		if _, err := describe(k.m+1, "x"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("of another municipality: %v", err)
		}
		if changed, err := describe(k.m, ""); err != nil || !changed || k.get(f.ID).Description.Text != "" {
			t.Errorf("taken away: %v", err)
		}
	})
}
