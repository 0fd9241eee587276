// SPDX-License-Identifier: AGPL-3.0-or-later

package media_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/towntest"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// expect announces one file, filling in what is not said.
func (k *desk) expect(e media.Expected) (id int64) {
	k.t.Helper()
	k.update(func(ctx context.Context, tx *db.Tx) error {
		e.MediaID, e.MessageID = tx.NewID(), tx.NewID()
		if e.Number == "" {
			e.Number = "1001"
		}
		if e.At.IsZero() {
			e.At = tx.Now()
		}
		return media.Expect(ctx, tx, k.m, []media.Expected{e})
	})
	return e.MediaID
}

func (k *desk) fetch(id int64) error {
	return k.service.Fetch(k.t.Context(), media.FetchArgs{Municipality: k.m, Media: id, Conversation: 77})
}

// next waits for a notice that tells of something, not only to look.
func next(s *db.Subscription) db.Notice {
	for n := range s.C {
		if n.Topic != db.Refresh {
			return n
		}
	}
	return db.Notice{}
}

// The clock of a test, which it may put forward.
type clock struct{ at time.Time }

func (c *clock) option(o *db.Options) { o.Now = func() time.Time { return c.at } }

func TestTheAddressThatCameIsUsedWhileItIsFresh(t *testing.T) {
	c := &clock{at: time.Now()}
	each(t, func(t *testing.T, k *desk) {
		k.host.content["m1"] = photo(t, 10, 10)
		announced := media.Expected{ExternalID: "m1", URL: k.host.URL + "/files/m1", MIME: "image/jpeg"}

		id := k.expect(announced)
		if err := k.fetch(id); err != nil || k.get(id).State != media.Ready || k.host.asked["m1"] != 0 {
			t.Errorf("fresh: %v, %+v, asked %d times", err, k.get(id), k.host.asked["m1"])
		}

		id = k.expect(announced)
		c.at = c.at.Add(10 * time.Minute)
		if err := k.fetch(id); err != nil || k.get(id).State != media.Ready || k.host.asked["m1"] != 1 {
			t.Errorf("old: %v, %+v, asked %d times", err, k.get(id), k.host.asked["m1"])
		}
	}, c.option)
}

func TestAnotherAddressIsAskedForWhenTheOneThatCameIsRefused(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a stranger was asked, with %q", r.Header.Get("Authorization"))
	}))
	defer stranger.Close()
	each(t, func(t *testing.T, k *desk) {
		content := photo(t, 10, 10)
		k.host.content["m1"], k.host.content["other"] = content, []byte("not this")
		for name, address := range map[string]string{
			"expired":        k.host.URL + "/files/expired",
			"a stranger's":   stranger.URL + "/files/m1",
			"of other bytes": k.host.URL + "/files/other",
		} {
			k.host.asked["m1"] = 0
			id := k.expect(media.Expected{ExternalID: "m1", URL: address, MIME: "image/jpeg", SHA256: hashOf(content)})
			err := k.fetch(id)
			if f := k.get(id); err != nil || f.State != media.Ready || f.SHA256 != hashOf(content) || k.host.asked["m1"] != 1 {
				t.Errorf("%s: %v, %+v, asked %d times", name, err, f, k.host.asked["m1"])
			}
		}
	})
}

func TestAnIDThatLivedItsLifeFails(t *testing.T) {
	c := &clock{at: time.Now()}
	each(t, func(t *testing.T, k *desk) {
		told := k.d.Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Conversation })
		defer told.Close()
		k.host.content["m1"] = photo(t, 10, 10)
		k.host.fetch = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		id := k.expect(media.Expected{ExternalID: "m1", MIME: "image/jpeg"})
		for _, later := range []time.Duration{0, time.Hour, 6 * 24 * time.Hour} {
			c.at = c.at.Add(later)
			if err := k.fetch(id); err == nil || k.get(id).State != media.Pending {
				t.Fatalf("after %v: %v, %+v", later, err, k.get(id))
			}
		}
		c.at = c.at.Add(24 * time.Hour)
		if err := k.fetch(id); err != nil {
			t.Fatal(err)
		}
		if f := k.get(id); f.State != media.Failed || f.Reason != media.ReasonExpired {
			t.Errorf("got %+v", f)
		}
		if n := next(told); n.Municipality != k.m || n.ID != 77 {
			t.Errorf("told %+v", n)
		}
	}, c.option)
}

// Only Graph's own word is the end: a wrong setting, a token that was revoked or a proxy must not cost files.
func TestWhatIsNoWordOfGraphsIsNotTheEnd(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"404 of a proxy": func(w http.ResponseWriter) { http.Error(w, "<html>not found</html>", http.StatusNotFound) },
		"token revoked": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"code":190,"message":"x"}}`)
		},
		"no address": func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"id":"m1"}`) },
		"garbage":    func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"url":`) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, k *desk) {
				k.host.answer = answer
				id := k.expect(media.Expected{ExternalID: "m1", MIME: "image/jpeg"})
				if err := k.fetch(id); err == nil || k.get(id).State != media.Pending {
					t.Errorf("%v, %+v", err, k.get(id))
				}
			})
		})
	}
}

// A file that can't be seen by the token of the moment is not given up at once: ids live for days.
func TestNoRightToAFileIsNotTheEndAtOnce(t *testing.T) {
	c := &clock{at: time.Now()}
	each(t, func(t *testing.T, k *desk) {
		k.host.answer = func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"code":100,"error_subcode":33,"message":"x"}}`)
		}
		id := k.expect(media.Expected{ExternalID: "m1", MIME: "image/jpeg"})
		if err := k.fetch(id); err == nil || k.get(id).State != media.Pending {
			t.Errorf("at once: %v, %+v", err, k.get(id))
		}
		c.at = c.at.Add(3 * time.Hour)
		if err := k.fetch(id); err != nil || k.get(id).State != media.Failed {
			t.Errorf("after three hours: %v, %+v", err, k.get(id))
		}
	}, c.option)
}

func TestLargerThanWhatsAppAllowsIsRefused(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		k.host.content["m1"] = []byte("x")
		k.host.answer = func(w http.ResponseWriter) {
			_, _ = fmt.Fprintf(w, `{"url":%q,"file_size":104857601}`, k.host.URL+"/files/m1")
		}
		announced := k.expect(media.Expected{ExternalID: "m1", MIME: "video/mp4"})
		if err := k.fetch(announced); err != nil || k.host.fetched != 0 {
			t.Errorf("announced: %v, fetched %d times", err, k.host.fetched)
		}

		k.host.behaves(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "104857601")
			return true
		}, nil)
		sent := k.expect(media.Expected{ExternalID: "m1", MIME: "video/mp4"})
		if err := k.fetch(sent); err != nil {
			t.Errorf("sent: %v", err)
		}
		for _, id := range []int64{announced, sent} {
			if f := k.get(id); f.State != media.Refused || f.Reason != media.ReasonTooLarge {
				t.Errorf("got %+v", f)
			}
		}
	})
}

// A host that says nothing is left by the client, and the file stays to be fetched.
func TestAHostThatHangsIsLeft(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		k.host.content["m1"] = photo(t, 10, 10)
		k.host.fetch = func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}
		hasty := &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: 50 * time.Millisecond}}
		client := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: k.host.URL, HTTP: hasty})
		service := media.NewService(media.Options{DB: k.d, Store: k.store, Client: client, Directory: k.directory, Log: slog.New(slog.DiscardHandler)})
		id := k.expect(media.Expected{ExternalID: "m1", MIME: "image/jpeg"})
		if err := service.Fetch(t.Context(), media.FetchArgs{Municipality: k.m, Media: id}); err == nil || k.get(id).State != media.Pending {
			t.Errorf("%v, %+v", err, k.get(id))
		}
	})
}

// A program that stops takes nothing with it.
func TestStoppingIsNoFailureOfTheFile(t *testing.T) {
	c := &clock{at: time.Now()}
	each(t, func(t *testing.T, k *desk) {
		k.host.content["m1"] = photo(t, 10, 10)
		ctx, stop := context.WithCancel(t.Context())
		k.host.fetch = func(_ http.ResponseWriter, r *http.Request) bool {
			stop()
			<-r.Context().Done()
			return true
		}
		id := k.expect(media.Expected{ExternalID: "m1", MIME: "image/jpeg"})
		c.at = c.at.Add(8 * 24 * time.Hour)
		if err := k.service.Fetch(ctx, media.FetchArgs{Municipality: k.m, Media: id}); err == nil || k.get(id).State != media.Pending {
			t.Errorf("%v, %+v", err, k.get(id))
		}
		if left, err := os.ReadDir(filepath.Join(k.dir, "incoming")); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}, c.option)
}

// The number of another municipality never lends its token.
func TestAnotherMunicipalitysNumberFetchesNothing(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		k.host.content["m1"] = photo(t, 10, 10)
		towntest.Apply(t, k.d, towntest.Key(t), strings.NewReplacer("prova", "altra", `"1001"`, `"1002"`, `"token"`, `"theirs"`).Replace(towntest.File))
		id := k.expect(media.Expected{ExternalID: "m1", Number: "1002", MIME: "image/jpeg"})
		_ = k.directory.Refresh(t.Context()) // the other one's key is another: it may stay unreadable
		if err := k.fetch(id); err == nil || k.host.fetched != 0 || k.host.asked["m1"] != 0 {
			t.Errorf("%v, asked %d times", err, k.host.asked["m1"])
		}
	})
}

func TestTwoAtOnceStoreOnce(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		content := photo(t, 300, 200)
		var once sync.WaitGroup
		once.Add(2)
		k.host.content["m1"] = content
		k.host.fetch = func(w http.ResponseWriter, _ *http.Request) bool {
			once.Done()
			once.Wait() // both are at it
			_, _ = w.Write(content)
			return true
		}
		id := k.expect(media.Expected{ExternalID: "m1", MIME: "image/jpeg"})
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := k.fetch(id); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		stored, err := filepath.Glob(filepath.Join(k.dir, "*", "??", "*"))
		if f := k.get(id); f.State != media.Ready || err != nil || len(stored) != 2 {
			t.Errorf("%+v, stored %v, %v", f, stored, err)
		}
	})
}

// What a citizen may write into a name or a type must not stop the messages beside it.
func TestAnyNameIsExpected(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.expect(media.Expected{ExternalID: "m\x001", URL: "http://\xff", MIME: "image/\x00\xff", Name: "../a\x00\xff\u202e" + strings.Repeat("è", 400) + ".pdf",
			SHA256: "\x00", At: k.d.Now().Add(1000 * time.Hour)})
		f := k.get(id)
		if f.State != media.Pending || f.At.After(k.d.Now()) || !strings.HasSuffix(f.Name, "è.pdf") || strings.ContainsAny(f.Name, "/\x00\u202e") {
			t.Errorf("got %+v", f)
		}
	})
}

// The whole way: the transaction leaves a job, which a worker takes.
func TestAFileIsFetchedByItsJob(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		told := k.d.Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Conversation })
		defer told.Close()
		workers := river.NewWorkers()
		k.service.Workers(workers)
		client, err := k.d.Workers(workers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Stop(context.WithoutCancel(t.Context())) }()

		k.host.content["m1"] = photo(t, 10, 10)
		conversation := k.d.IDs.New() // of all its digits
		id := k.expect(media.Expected{ExternalID: "m1", ConversationID: conversation, MIME: "image/jpeg"})
		if n := next(told); n.Municipality != k.m || n.ID != conversation {
			t.Errorf("told %+v", n)
		}
		if f := k.get(id); f.State != media.Ready {
			t.Errorf("got %+v", f)
		}
	})
}

func TestNothingIsExpectedOfATransactionThatFails(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		var id int64
		broken := errors.New("broken")
		err := k.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			id = tx.NewID()
			if err := media.Expect(ctx, tx, k.m, []media.Expected{{MediaID: id, Number: "1001", ExternalID: "m1", At: tx.Now()}}); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		err = k.d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := media.Get(ctx, tx, k.m, id)
			return err
		})
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("got %v", err)
		}
		if err := k.fetch(id); err != nil {
			t.Errorf("a job without its row: %v", err)
		}
	})
}

// keep stores and saves a file, as who attaches one does.
func keep(t *testing.T, s *media.Store, d *db.DB, municipality int64, name string, r io.Reader) (media.File, error) {
	t.Helper()
	f, err := s.Add(t.Context(), municipality, name, r)
	if err != nil {
		return f, err
	}
	f.ID = d.IDs.New()
	return f, d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error { return media.Save(ctx, tx, municipality, f) })
}

func TestKeptOnlyForThisUser(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		f, err := keep(t, k.store, k.d, k.m, "foto.jpg", bytes.NewReader(photo(t, 20, 10)))
		if err != nil {
			t.Fatal(err)
		}
		if got := k.get(f.ID); got.State != media.Ready || got.Direction != media.Out || got.Name != "foto.jpg" || got.Width != 20 || !got.Thumbnail || got.SHA256 != f.SHA256 {
			t.Errorf("got %+v", got)
		}
		err = filepath.WalkDir(k.dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || path == k.dir {
				return err
			}
			info, err := e.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s is %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestAStoreForgetsWhatNeverArrived(t *testing.T) {
	dir := t.TempDir()
	if _, err := media.NewStore(dir); err != nil {
		t.Fatal(err)
	}
	old, recent := filepath.Join(dir, "incoming", "old"), filepath.Join(dir, "incoming", "recent")
	for _, name := range []string{old, recent} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := media.NewStore(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old one: %v", err)
	}
	if _, err := os.Stat(recent); err != nil {
		t.Errorf("one that may still arrive: %v", err)
	}
}

func TestOnlyHashesAreOpened(t *testing.T) {
	dir := t.TempDir()
	store, err := media.NewStore(filepath.Join(dir, "media"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sha := range []string{"", "ab", "../../key", "..", strings.Repeat("/", 64), strings.Repeat("a", 64)} {
		f, err := store.Open(1, media.File{State: media.Ready, SHA256: sha}, false)
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("%q: %v, %v", sha, f, err)
		}
	}
}

func TestAFileServedAgainIsNotSentAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		store, err := media.NewStore(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		f, err := keep(t, store, d, 1, "", bytes.NewReader(photo(t, 700, 10)))
		if err != nil {
			t.Fatal(err)
		}
		tags := map[string]bool{}
		for _, small := range []bool{false, true} {
			content, err := store.Open(1, f, small)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = content.Close() }()
			first := httptest.NewRecorder()
			media.ServeContent(first, httptest.NewRequest(http.MethodGet, "/", nil), f, content, small)
			h := first.Header()
			if first.Code != http.StatusOK || h.Get("Content-Type") != "image/jpeg" || !strings.HasPrefix(h.Get("Cache-Control"), "private") ||
				h.Get("Content-Disposition") != map[bool]string{false: `attachment; filename=` + db.FormatID(f.ID) + ".jpg", true: "inline"}[small] {
				t.Errorf("%d %v", first.Code, h)
			}
			tags[h.Get("ETag")] = true
			again, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("If-None-Match", h.Get("ETag"))
			media.ServeContent(again, r, f, content, small)
			if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
				t.Errorf("again: %d, %d bytes", again.Code, again.Body.Len())
			}
		}
		if len(tags) != 2 {
			t.Errorf("a picture and its thumbnail share a tag: %v", tags)
		}
	})
}

// A backup takes the files that the database tells of.
func TestEveryHashIsListed(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		want := make(map[string]bool)
		for _, width := range []int{20, 30} {
			f, err := keep(t, k.store, k.d, k.m, "foto.jpg", bytes.NewReader(photo(t, width, 10)))
			if err != nil {
				t.Fatal(err)
			}
			want[f.SHA256] = true
		}
		k.expect(media.Expected{ExternalID: "500", MIME: "image/jpeg"}) // nothing of it is here yet
		got := make(map[string]bool)
		k.update(func(ctx context.Context, tx *db.Tx) error {
			return media.EachHash(ctx, tx, func(sha256 string) { got[sha256] = true })
		})
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
