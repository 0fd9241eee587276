// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

func TestMediaURL(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v26.0/900001" || r.URL.Query().Get("phone_number_id") != "106500001" || r.Header.Get("Authorization") != "Bearer secret-token" {
			t.Errorf("asked %s", r.URL)
		}
		io.WriteString(w, `{"url":"https://lookaside.fbsbx.com/x","mime_type":"image/jpeg","sha256":"ab","file_size":"303833","id":"900001"}`)
	}))
	defer s.Close()
	got, err := clientFor(t, s.URL).MediaURL(t.Context(), account, "900001")
	want := MediaInfo{ID: "900001", URL: "https://lookaside.fbsbx.com/x", MIME: "image/jpeg", SHA256: "ab", Size: 303833}
	if err != nil || got != want {
		t.Errorf("got %+v, error %v", got, err)
	}
}

func TestMediaURLOfADeadID(t *testing.T) {
	c, _ := answering(t, 400, `{"error":{"code":100,"message":"Object with ID '9' does not exist"}}`)
	_, err := c.MediaURL(t.Context(), account, "9")
	if e, ok := errors.AsType[*GraphError](err); !ok || e.Code != 100 {
		t.Errorf("got %v", err)
	}
	c, _ = answering(t, 200, `{"id":"9"}`)
	if _, err := c.MediaURL(t.Context(), account, "9"); err == nil {
		t.Error("no error without an address")
	}
}

func TestTokenTravelsOnlyToMeta(t *testing.T) {
	meta := NewClient(ClientOptions{MediaHosts: []string{"cache.example:8443", "*.example.net"}})
	local := NewClient(ClientOptions{GraphURL: "http://127.0.0.1:8090"})
	tests := []struct {
		client  *Client
		address string
		want    bool
	}{
		{meta, "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", true},
		{meta, "https://LOOKASIDE.FBSBX.COM/x", true},
		{meta, "https://lookaside.fbsbx.com:443/x", true},
		{meta, "https://scontent.xx.fbcdn.net/x", true},
		{meta, "https://mmg.whatsapp.net/x", true},
		{meta, "https://graph.facebook.com/x", true},
		{meta, "https://cache.example:8443/x", true},
		{meta, "https://a.example.net/x", true},
		{meta, "http://lookaside.fbsbx.com/x", false},
		{meta, "https://lookaside.fbsbx.com:8443/x", false},
		{meta, "https://lookaside.fbsbx.com.evil.example/x", false},
		{meta, "https://evil-lookaside.fbsbx.com/x", false},
		{meta, "https://fbcdn.net/x", false},
		{meta, "https://evilfbcdn.net/x", false},
		{meta, "https://.fbcdn.net/x", false},
		{meta, "https://lookaside.fbsbx.com@evil.example/x", false},
		{meta, "https://user:pass@lookaside.fbsbx.com/x", false},
		{meta, "https://evil.example/?lookaside.fbsbx.com", false},
		{meta, "https://evil.example/x#.fbcdn.net", false},
		{meta, "https://cache.example/x", false},
		{meta, "http://127.0.0.1:8090/media", false},
		{meta, "file:///etc/passwd", false},
		{meta, "//lookaside.fbsbx.com/x", false},
		{meta, "", false},
		{local, "http://127.0.0.1:8090/media/1", true},
		{local, "http://127.0.0.1:8091/media/1", false},
		{local, "https://127.0.0.1:8090/media/1", false},
		{local, "http://localhost:8090/media/1", false},
	}
	for _, test := range tests {
		u, err := url.Parse(test.address)
		if err != nil {
			t.Fatal(err)
		}
		if got := test.client.mayHaveToken(u); got != test.want {
			t.Errorf("%s: got %t", test.address, got)
		}
	}
}

// mediaServer is a Graph whose media host is itself.
func mediaServer(t *testing.T, handler http.HandlerFunc) (*Client, string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return clientFor(t, s.URL), s.URL
}

func TestDownloadMedia(t *testing.T) {
	const file = "a picture of a pothole"
	c, base := mediaServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, file)
	})
	tests := []struct {
		path string
		max  int64
		want error
	}{
		{"/whole", 1000, nil},
		{"/whole", int64(len(file)), nil},
		{"/whole", int64(len(file)) - 1, ErrMediaSize},
		{"/chunked", int64(len(file)), nil},
		{"/chunked", int64(len(file)) - 1, ErrMediaSize},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.path, test.max), func(t *testing.T) {
			var b bytes.Buffer
			n, err := c.DownloadMedia(t.Context(), account, base+test.path, &b, test.max)
			if !errors.Is(err, test.want) {
				t.Fatalf("got error %v", err)
			}
			if err == nil && (b.String() != file || n != int64(len(file))) {
				t.Errorf("got %d bytes: %q", n, b.String())
			}
			if n != int64(b.Len()) || n > test.max {
				t.Errorf("told of %d bytes, wrote %d", n, b.Len())
			}
		})
	}
}

func TestDownloadMediaTellsWhatCameInstead(t *testing.T) {
	c, base := mediaServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/graph":
			w.WriteHeader(401)
			io.WriteString(w, `{"error":{"code":190,"message":"x"}}`)
		case "/gone":
			http.NotFound(w, r)
		case "/part":
			w.WriteHeader(http.StatusPartialContent)
		case "/short":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "too little")
		}
	})
	download := func(path string) error {
		_, err := c.DownloadMedia(t.Context(), account, base+path, io.Discard, 1000)
		return err
	}
	if e, ok := errors.AsType[*GraphError](download("/graph")); !ok || e.Code != 190 {
		t.Errorf("token refused: got %v", e)
	}
	if e, ok := errors.AsType[*StatusError](download("/gone")); !ok || e.HTTPStatus != 404 {
		t.Errorf("address expired: got %v", e)
	}
	if err := download("/part"); err == nil {
		t.Error("a part taken for the whole")
	}
	if err := download("/short"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("file cut short: got %v", err)
	}
}

func TestDownloadMediaRedirects(t *testing.T) {
	var leaked atomic.Int64
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { leaked.Add(1) }))
	defer stranger.Close()
	c, base := mediaServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, stranger.URL, http.StatusFound)
		case "/near":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			io.WriteString(w, "file")
		}
	})
	for path, want := range map[string]error{"/away": ErrMediaHost, "/near": nil, "/round": ErrMediaHost} {
		_, err := c.DownloadMedia(t.Context(), account, base+path, io.Discard, 1000)
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if _, err := c.DownloadMedia(t.Context(), account, stranger.URL, io.Discard, 1000); !errors.Is(err, ErrMediaHost) {
		t.Errorf("stranger: got %v", err)
	}
	if leaked.Load() != 0 {
		t.Error("a stranger was asked")
	}
}

func TestDownloadMediaFromAHostThatHangs(t *testing.T) {
	for name, start := range map[string]string{
		"before the answer":   "",
		"within the header":   "HTTP/1.1 200 OK\r\n",
		"within the file":     "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
		"within a long error": "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf",
	} {
		t.Run(name, func(t *testing.T) {
			w := listen(t, func(_ int, conn net.Conn, w *wire) {
				w.request(conn)
				io.WriteString(conn, start)
				untilClosed(conn)
			})
			c := clientFor(t, w.url())
			c.stall = 100 * time.Millisecond
			_, err := c.DownloadMedia(t.Context(), account, w.url()+"/x", io.Discard, 1000)
			if _, status := errors.AsType[*StatusError](err); !errors.Is(err, ErrMediaStall) && !status {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestDownloadMediaSlowlyIsNoStall: a file that keeps coming may take longer
// than the longest silence.
func TestDownloadMediaSlowlyIsNoStall(t *testing.T) {
	guard := guardStall(t.Context(), time.Hour)
	defer guard.release()
	guard.timer.Reset(0)
	<-guard.ctx.Done()
	if err := guard.explain(context.Canceled); !errors.Is(err, ErrMediaStall) {
		t.Errorf("silence: got %v", err)
	}

	alive := guardStall(t.Context(), time.Hour)
	defer alive.release()
	alive.timer.Stop()
	r := alive.reader(iotest.OneByteReader(strings.NewReader("ab")))
	if _, err := r.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if !alive.timer.Stop() {
		t.Error("a byte did not wind the timer up again")
	}
}

func TestDownloadErrorsDoNotTellTheAddress(t *testing.T) {
	w := listen(t, func(_ int, conn net.Conn, w *wire) { w.request(conn) })
	_, err := clientFor(t, w.url()).DownloadMedia(t.Context(), account, w.url()+"/x?hash=key-to-the-file", io.Discard, 1000)
	if err == nil || strings.Contains(err.Error(), "key-to-the-file") {
		t.Errorf("got %v", err)
	}
}

func TestUploadMedia(t *testing.T) {
	content := strings.Repeat("modulo ", 100_000)
	c, _ := mediaServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v26.0/106500001/media" || r.Header.Get("Authorization") != "Bearer secret-token" {
			t.Errorf("asked %s", r.URL)
		}
		file, header, err := r.FormFile("file")
		if err != nil {
			t.Errorf("read the form: %v", err)
			return
		}
		got, _ := io.ReadAll(file)
		if string(got) != content || header.Filename != `modulo "A".pdf` || header.Header.Get("Content-Type") != "application/pdf" {
			t.Errorf("got %d bytes as %s", len(got), header.Header)
		}
		if r.FormValue("messaging_product") != "whatsapp" || r.FormValue("type") != "application/pdf" {
			t.Errorf("form: %v", r.Form)
		}
		io.WriteString(w, `{"id":"900001"}`)
	})
	id, err := c.UploadMedia(t.Context(), account, "application/pdf", `modulo "A".pdf`, strings.NewReader(content))
	if err != nil || id != "900001" {
		t.Errorf("got %q, error %v", id, err)
	}
}

func TestUploadMediaFails(t *testing.T) {
	upload := func(c *Client, r io.Reader) error {
		_, err := c.UploadMedia(t.Context(), account, "image/png", "x.png", r)
		return err
	}
	c, _ := answering(t, 400, `{"error":{"code":131053,"message":"x"}}`)
	if e, ok := errors.AsType[*GraphError](upload(c, strings.NewReader("x"))); !ok || e.Code != 131053 {
		t.Errorf("refused: got %v", e)
	}
	c, _ = answering(t, 200, `{}`)
	if err := upload(c, strings.NewReader("x")); err == nil {
		t.Error("no error without id")
	}
	c, _ = answering(t, 503, `<html>`)
	if e, ok := errors.AsType[*StatusError](upload(c, strings.NewReader("x"))); !ok || e.HTTPStatus != 503 {
		t.Errorf("bare error: got %v", e)
	}
	unreadable := errors.New("disk gone")
	if err := upload(c, iotest.ErrReader(unreadable)); !errors.Is(err, unreadable) {
		t.Errorf("unreadable file: got %v", err)
	}
	w := listen(t, func(_ int, conn net.Conn, w *wire) { untilClosed(conn) })
	c = clientFor(t, w.url())
	c.stall = 100 * time.Millisecond
	if err := upload(c, strings.NewReader("x")); !errors.Is(err, ErrMediaStall) {
		t.Errorf("silence: got %v", err)
	}
}
