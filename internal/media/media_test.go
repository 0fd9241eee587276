// SPDX-License-Identifier: AGPL-3.0-or-later

package media_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/towntest"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// host is Graph and the host of the files in one, which knows what it holds by id.
type host struct {
	*httptest.Server
	mu       sync.Mutex // of the counts and of who answers
	content  map[string][]byte
	asked    map[string]int // how often a file's address was asked for
	fetched  int
	uploaded int
	received []byte                                            // of the last upload
	fetch    func(w http.ResponseWriter, r *http.Request) bool // answers in place of the host when it says so
	answer   func(w http.ResponseWriter)                       // answers in place of Graph
}

func newHost(t *testing.T) *host {
	h := &host{content: make(map[string][]byte), asked: make(map[string]int)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v26.0/{id}", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		h.mu.Lock()
		h.asked[id]++
		answer := h.answer
		h.mu.Unlock()
		if answer != nil {
			answer(w)
			return
		}
		content, ok := h.content[id]
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"message":"Unsupported get request","type":"GraphMethodException","code":100}}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"messaging_product":"whatsapp","id":%q,"url":%q,"mime_type":"image/jpeg","file_size":"%d"}`, id, h.URL+"/files/"+id, len(content))
	})
	mux.HandleFunc("GET /files/{id}", func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.fetched++
		fetch := h.fetch
		h.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if fetch != nil && fetch(w, r) {
			return
		}
		body, ok := h.content[r.PathValue("id")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(body)
	})
	mux.HandleFunc("POST /v26.0/{number}/media", func(w http.ResponseWriter, r *http.Request) {
		h.uploaded++
		h.received, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"id":"up1"}`)
	})
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

// behaves changes who answers, between requests.
func (h *host) behaves(fetch func(w http.ResponseWriter, r *http.Request) bool, answer func(w http.ResponseWriter)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fetch, h.answer = fetch, answer
}

type desk struct {
	t       *testing.T
	d       *db.DB
	m       int64
	host    *host
	dir     string
	store   *media.Store
	service *media.Service

	directory *municipality.Directory
}

func each(t *testing.T, f func(t *testing.T, k *desk), options ...dbtest.Option) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHost(t)
		k := newDesk(t, d, towntest.File, h.URL)
		k.host = h
		f(t, k)
	}, options...)
}

// newDesk is a municipality whose files come from graph.
func newDesk(t *testing.T, d *db.DB, text, graph string) *desk {
	t.Helper()
	key := towntest.Key(t)
	k := &desk{t: t, d: d, m: towntest.Apply(t, d, key, text).ID, dir: t.TempDir()}
	var err error
	if k.directory, err = municipality.NewDirectory(t.Context(), d, key); err != nil {
		t.Fatal(err)
	}
	if k.store, err = media.NewStore(k.dir); err != nil {
		t.Fatal(err)
	}
	client := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: graph, Timeout: 5 * time.Second})
	k.service = media.NewService(media.Options{DB: d, Store: k.store, Client: client, Directory: k.directory, Log: slog.New(slog.DiscardHandler)})
	return k
}

func (k *desk) update(f func(ctx context.Context, tx *db.Tx) error) {
	k.t.Helper()
	if err := k.d.Update(k.t.Context(), f); err != nil {
		k.t.Fatal(err)
	}
}

// arrives announces content declared as mime and fetches it.
func (k *desk) arrives(id, mime, hash string, content []byte) (media.File, error) {
	k.t.Helper()
	if content != nil {
		k.host.content[id] = content
	}
	var file int64
	k.update(func(ctx context.Context, tx *db.Tx) error {
		file = tx.NewID()
		return media.Expect(ctx, tx, k.m, []media.Expected{{MediaID: file, MessageID: tx.NewID(), Number: "1001", ExternalID: id, MIME: mime, SHA256: hash, At: tx.Now()}})
	})
	err := k.service.Fetch(k.t.Context(), media.FetchArgs{Municipality: k.m, Media: file})
	return k.get(file), err
}

func (k *desk) get(id int64) (f media.File) {
	k.t.Helper()
	k.update(func(ctx context.Context, tx *db.Tx) (err error) {
		f, err = media.Get(ctx, tx, k.m, id)
		return err
	})
	return f
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func photo(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAPhotoIsFetchedOnceAndStoredOnce(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		content := photo(t, 1200, 800)
		sum := sha256.Sum256(content)
		first, err := k.arrives("m1", "image/jpeg", base64.StdEncoding.EncodeToString(sum[:]), content)
		if err != nil || first.State != media.Ready || first.Width != 1200 || first.Height != 800 || !first.Thumbnail || first.SHA256 != hex.EncodeToString(sum[:]) {
			t.Fatalf("%+v, %v", first, err)
		}
		if err := k.service.Fetch(t.Context(), media.FetchArgs{Municipality: k.m, Media: first.ID}); err != nil || k.host.fetched != 1 {
			t.Errorf("a replay fetched again: %d times, %v", k.host.fetched, err)
		}
		second, err := k.arrives("m2", "image/jpeg", hex.EncodeToString(sum[:]), content)
		if err != nil || second.SHA256 != first.SHA256 {
			t.Fatalf("%+v, %v", second, err)
		}
		files, err := filepath.Glob(filepath.Join(k.dir, "*", "??", "*"))
		if err != nil || len(files) != 2 { // the content and its thumbnail
			t.Errorf("stored %v, %v", files, err)
		}
		small, err := k.store.Open(k.m, first, true)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = small.Close() }()
		config, err := jpeg.DecodeConfig(small)
		if err != nil || config.Width != 640 || config.Height != 426 {
			t.Errorf("the thumbnail is %dx%d, %v", config.Width, config.Height, err)
		}
	})
}

func TestWhatIsNotWhatItSaysIsRefused(t *testing.T) {
	elf := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 200)...)
	for name, c := range map[string]struct {
		mime, reason string
		content      []byte
	}{
		"page as photo":       {"image/jpeg", media.ReasonMismatch, []byte("<!DOCTYPE html><html><script>alert(1)</script></html>")},
		"program as voice":    {"audio/ogg", media.ReasonDangerous, elf},
		"program as document": {"application/pdf", media.ReasonDangerous, elf},
		"bomb":                {"image/png", media.ReasonPixels, bomb(t)},
		"nothing":             {"image/jpeg", media.ReasonEmpty, []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, k *desk) {
				f, err := k.arrives("m1", c.mime, "", c.content)
				if err != nil || f.State != media.Refused || f.Reason != c.reason {
					t.Errorf("%+v, %v", f, err)
				}
				if _, err := k.store.Open(k.m, f, false); fault.KindOf(err) != fault.NotFound {
					t.Errorf("its content can be opened: %v", err)
				}
			})
		})
	}
}

// bomb is a small PNG that says it is 60,000 pixels wide and high.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	binary.BigEndian.PutUint32(raw[16:], 60000)
	binary.BigEndian.PutUint32(raw[20:], 60000)
	binary.BigEndian.PutUint32(raw[29:], crc32.ChecksumIEEE(raw[12:29]))
	return raw
}

func TestAnotherHashIsTriedAgainAndThenRefused(t *testing.T) {
	now := time.Now()
	each(t, func(t *testing.T, k *desk) {
		f, err := k.arrives("m1", "image/jpeg", strings.Repeat("00", 32), photo(t, 10, 10))
		if err == nil || f.State != media.Pending {
			t.Fatalf("%+v, %v", f, err)
		}
		now = now.Add(2 * time.Hour)
		if err := k.service.Fetch(t.Context(), media.FetchArgs{Municipality: k.m, Media: f.ID}); err != nil {
			t.Fatal(err)
		}
		if f := k.get(f.ID); f.State != media.Refused || f.Reason != media.ReasonDamaged {
			t.Errorf("%+v", f)
		}
	}, func(o *db.Options) { o.Now = func() time.Time { return now } })
}

func TestAHostInTroubleIsAskedAgain(t *testing.T) {
	for name, trouble := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"500": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		},
		"404": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusNotFound); return true },
		"half": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "999999")
			_, _ = w.Write([]byte("x"))
			return true
		},
		"cut": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, k *desk) {
				k.host.fetch = trouble
				f, err := k.arrives("m1", "image/jpeg", "", photo(t, 10, 10))
				if err == nil || f.State != media.Pending {
					t.Fatalf("%+v, %v", f, err)
				}
				k.host.behaves(nil, nil)
				if err := k.service.Fetch(t.Context(), media.FetchArgs{Municipality: k.m, Media: f.ID}); err != nil {
					t.Fatal(err)
				}
				if f := k.get(f.ID); f.State != media.Ready {
					t.Errorf("%+v", f)
				}
				left, err := os.ReadDir(filepath.Join(k.dir, "incoming"))
				if err != nil || len(left) != 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			})
		})
	}
}

func TestADeadIDIsSaid(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		f, err := k.arrives("gone", "image/jpeg", "", nil)
		if err != nil || f.State != media.Failed || f.Reason != media.ReasonExpired {
			t.Errorf("%+v, %v", f, err)
		}
	})
}

func TestTheOfficeSendsWhatWhatsAppTakes(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		for name, c := range map[string]struct {
			content []byte
			want    error
		}{
			"buca.jpg":   {photo(t, 20, 20), nil},
			"modulo.pdf": {[]byte("%PDF-1.4\n1 0 obj\n<<>>\nendobj\n"), nil},
			"pagina.jpg": {[]byte("<html><script>x</script></html>"), media.ErrType},
			"vuoto.pdf":  {nil, media.ErrEmpty},
			"grande.png": {append(photo(t, 10, 10), make([]byte, 6<<20)...), media.ErrTooLarge},
		} {
			f, err := k.store.Add(t.Context(), k.m, name, bytes.NewReader(c.content))
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			if c.want != nil {
				continue
			}
			f.ID = k.d.IDs.New()
			k.update(func(ctx context.Context, tx *db.Tx) error { return media.Save(ctx, tx, k.m, f) })
			account := whatsapp.Account{PhoneNumberID: "1001", Token: "token"}
			before := k.host.uploaded
			for range 2 {
				if id, err := k.service.UploadForSending(t.Context(), account, k.m, f.ID); err != nil || id != "up1" {
					t.Errorf("%s: uploaded as %q, %v", name, id, err)
				}
			}
			if n := k.host.uploaded - before; n != 1 {
				t.Errorf("%s was uploaded %d times", name, n)
			}
			uploads := func(number string) (id string) {
				k.update(func(ctx context.Context, tx *db.Tx) error {
					all, err := media.Uploads(ctx, tx, k.m, number, []int64{f.ID})
					id = all[f.ID]
					return err
				})
				return id
			}
			if uploads("1001") != "up1" || uploads("1002") != "" {
				t.Errorf("%s: an upload is good for its own number", name)
			}
			if _, err := k.service.UploadForSending(t.Context(), whatsapp.Account{PhoneNumberID: "1002", Token: "token"}, k.m, f.ID); err != nil {
				t.Errorf("%s: upload for another number: %v", name, err)
			}
			if uploads("1001") == "" || uploads("1002") == "" {
				t.Errorf("%s: one number's upload took the other's away", name)
			}
		}
	})
}

func TestAnotherMunicipalityHasNothing(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		f, err := k.arrives("m1", "image/jpeg", "", photo(t, 10, 10))
		if err != nil {
			t.Fatal(err)
		}
		k.update(func(ctx context.Context, tx *db.Tx) error {
			if _, err := media.Get(ctx, tx, k.m+1, f.ID); fault.KindOf(err) != fault.NotFound {
				t.Errorf("got it: %v", err)
			}
			if files, err := media.ByIDs(ctx, tx, k.m+1, []int64{f.ID}); err != nil || len(files) != 0 {
				t.Errorf("got %v, %v", files, err)
			}
			return nil
		})
		if _, err := k.store.Open(k.m+1, f, false); fault.KindOf(err) != fault.NotFound {
			t.Errorf("opened it: %v", err)
		}
	})
}

func TestServedSafely(t *testing.T) {
	content := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(content, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mime, disposition := range map[string]string{"image/jpeg": "attachment", "video/mp4": "inline", "audio/ogg": "inline", "application/pdf": "attachment", "text/html": "attachment", "image/svg+xml": "attachment"} {
		file, err := os.Open(content)
		if err != nil {
			t.Fatal(err)
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Range", "bytes=2-3")
		media.ServeContent(w, r, media.File{MIME: mime, Name: "a\"b\r\n.html", SHA256: "abc"}, file, false)
		_ = file.Close()
		h := w.Header()
		if w.Code != http.StatusPartialContent || w.Body.String() != "23" || !strings.HasPrefix(h.Get("Content-Disposition"), disposition) ||
			h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || strings.ContainsAny(h.Get("Content-Disposition"), "\r\n") {
			t.Errorf("%s: %d %q %v", mime, w.Code, w.Body.String(), h)
		}
	}
}

// A file whose job was lost gets another one; one that still has its own doesn't.
func TestALostJobIsFound(t *testing.T) {
	now := time.Now()
	each(t, func(t *testing.T, k *desk) {
		jobs := func() (n int) {
			t.Helper()
			k.update(func(ctx context.Context, tx *db.Tx) error {
				return tx.QueryRowContext(ctx, `SELECT count(*) FROM river_job WHERE kind = 'fetch_media'`).Scan(&n)
			})
			return n
		}
		lookAgain := func() {
			t.Helper()
			k.update(func(ctx context.Context, tx *db.Tx) error { return media.LookAgain(ctx, tx, k.m) })
		}
		k.update(func(ctx context.Context, tx *db.Tx) error {
			return media.Expect(ctx, tx, k.m, []media.Expected{{MediaID: tx.NewID(), MessageID: tx.NewID(), ConversationID: 9, Number: "1001", ExternalID: "m1", At: tx.Now()}})
		})
		now = now.Add(3 * time.Hour)
		if lookAgain(); jobs() != 1 {
			t.Errorf("%d jobs for a file that has one", jobs())
		}
		k.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM river_job WHERE kind = 'fetch_media'`)
			return err
		})
		if lookAgain(); jobs() != 1 {
			t.Errorf("%d jobs for a file whose own was lost", jobs())
		}
	}, func(o *db.Options) { o.Now = func() time.Time { return now } })
}
