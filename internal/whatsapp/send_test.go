// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	account = Account{PhoneNumberID: "106500001", WABAID: "102200001", Token: "secret-token"}
	hello   = OutgoingMessage{To: "+393331234567", Type: KindText, Text: "Buongiorno", CallbackData: "m:1"}
)

const acceptedBody = `{"messaging_product":"whatsapp","contacts":[{"input":"+393331234567","wa_id":"393331234567"}],` +
	`"messages":[{"id":"wamid.SIM0001","message_status":"accepted"}]}`

// answering starts a Graph that answers every request alike.
func answering(t *testing.T, status int, body string) (*Client, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return clientFor(t, s.URL), &requests
}

func clientFor(t *testing.T, url string) *Client {
	t.Helper()
	c := NewClient(ClientOptions{GraphURL: url})
	t.Cleanup(c.CloseIdle)
	return c
}

func sendError(t *testing.T, err error) *SendError {
	t.Helper()
	e, ok := errors.AsType[*SendError](err)
	if !ok {
		t.Fatalf("got %v, want a *SendError", err)
	}
	if (e.Outcome == Refused) != (e.Graph != nil) {
		t.Errorf("outcome %v with Graph error %v", e.Outcome, e.Graph)
	}
	return e
}

func TestSendIsAccepted(t *testing.T) {
	tests := []struct {
		name, body string
		want       Sent
	}{
		{"by phone", acceptedBody, Sent{ID: "wamid.SIM0001", WaID: "393331234567"}},
		{"by user id", `{"contacts":[{"input":"IT.1A","user_id":"IT.1A"}],"messages":[{"id":"wamid.2"}]}`, Sent{ID: "wamid.2", UserID: "IT.1A"}},
		{"held", `{"messages":[{"id":"wamid.3","message_status":"held_for_quality_assessment"}]}`, Sent{ID: "wamid.3", Held: true}},
		{"with keys of tomorrow", `{"x":1,"messages":[{"y":2,"id":"wamid.4"}]}`, Sent{ID: "wamid.4"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, _ := answering(t, 200, test.body)
			got, err := c.Send(t.Context(), account, hello)
			if err != nil || got != test.want {
				t.Errorf("got %+v, error %v", got, err)
			}
		})
	}
}

func TestSendWritesWhatMetaExpects(t *testing.T) {
	type seen struct{ path, auth, kind, body string }
	got := make(chan seen, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Method + " " + r.URL.EscapedPath(), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}
		io.WriteString(w, acceptedBody)
	}))
	defer s.Close()
	if _, err := clientFor(t, s.URL+"/").Send(t.Context(), account, hello); err != nil {
		t.Fatal(err)
	}
	want := seen{"POST /v26.0/106500001/messages", "Bearer secret-token", "application/json",
		`{"messaging_product":"whatsapp","recipient_type":"individual","to":"+393331234567","type":"text",` +
			`"biz_opaque_callback_data":"m:1","text":{"body":"Buongiorno","preview_url":false}}`}
	if seen := <-got; seen != want {
		t.Errorf("got  %+v\nwant %+v", seen, want)
	}
}

// TestSendAnswers holds invariant 4 for every answer that comes whole.
func TestSendAnswers(t *testing.T) {
	graph := func(code int) string {
		return fmt.Sprintf(`{"error":{"message":"(#%d) words","type":"OAuthException","code":%d,"fbtrace_id":"Ab1",`+
			`"error_data":{"messaging_product":"whatsapp","details":"why"}}}`, code, code)
	}
	tests := []struct {
		name   string
		status int
		body   string
		want   Outcome
		class  Class
	}{
		{"window closed", 400, graph(131047), Refused, NeedTemplate},
		{"throughput", 400, graph(130429), Refused, Slow},
		{"pair rate, as 429", 429, graph(131056), Refused, Pair},
		{"token expired", 401, graph(190), Refused, Stop},
		{"Meta's own fault", 500, graph(131000), Refused, Retry},
		{"unknown code", 400, graph(999999), Refused, Fix},
		{"unknown code at 429", 429, graph(999999), Refused, Slow},
		{"unknown code said to pass", 500, `{"error":{"code":999999,"is_transient":true}}`, Refused, Retry},
		{"code as a string", 400, `{"error":{"code":"131026","message":"x"}}`, Refused, Dead},
		{"code 0", 401, `{"error":{"code":0,"message":"x"}}`, Refused, Stop},
		{"Graph error with status 200", 200, graph(131026), Refused, Dead},
		{"details as plain words", 400, `{"error":{"code":100,"error_data":"why"}}`, Refused, Fix},

		{"bare 500", 500, ``, Unknown, 0},
		{"500 of a proxy", 502, `<html>Bad Gateway</html>`, Unknown, 0},
		{"500 with other JSON", 503, `{"error":"unavailable"}`, Unknown, 0},
		{"error without code", 500, `{"error":{"message":"oops"}}`, Unknown, 0},
		{"error with a code that is none", 500, `{"error":{"code":"E42"}}`, Unknown, 0},
		{"error with a code beyond reason", 500, `{"error":{"code":1e99}}`, Unknown, 0},
		{"bare 429", 429, ``, Unknown, 0},
		{"bare 400", 400, ``, Unknown, 0},
		{"200 with nothing", 200, ``, Unknown, 0},
		{"200 with garbage", 200, `OK`, Unknown, 0},
		{"200 with half an answer", 200, acceptedBody[:60], Unknown, 0},
		{"200 without id", 200, `{"messages":[{}]}`, Unknown, 0},
		{"200 with an empty id", 200, `{"messages":[{"id":""}]}`, Unknown, 0},
		{"200 with an array", 200, `[` + acceptedBody + `]`, Unknown, 0},
		{"200 beyond the bound", 200, `{"pad":"` + strings.Repeat("x", maxAnswer) + `",` + acceptedBody[1:], Unknown, 0},
		{"an id, but an error status", 500, acceptedBody, Unknown, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, requests := answering(t, test.status, test.body)
			_, err := c.Send(t.Context(), account, hello)
			e := sendError(t, err)
			if e.Outcome != test.want || e.HTTPStatus != test.status {
				t.Errorf("got %v, HTTP %d", e.Outcome, e.HTTPStatus)
			}
			if e.Outcome == Refused && e.Advice().Class != test.class {
				t.Errorf("got class %v of %v", e.Advice().Class, e.Graph)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("sent %d times", n)
			}
			for _, secret := range []string{"secret-token", "393331234567", "Buongiorno"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells %q: %v", secret, err)
				}
			}
		})
	}
}

func TestSendReadsTheGraphErrorWhole(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(400)
		io.WriteString(w, `{"error":{"message":"(#131047) Re-engagement message","type":"OAuthException","code":131047,`+
			`"error_subcode":2494055,"fbtrace_id":"AbC","error_user_title":"T","error_user_msg":"M","is_transient":true,`+
			`"error_data":{"details":"More than 24 hours."}}}`)
	}))
	defer s.Close()
	_, err := clientFor(t, s.URL).Send(t.Context(), account, hello)
	e, ok := errors.AsType[*GraphError](err)
	want := GraphError{
		HTTPStatus: 400, Code: 131047, Subcode: 2494055, Type: "OAuthException", Message: "(#131047) Re-engagement message",
		Details: "More than 24 hours.", UserTitle: "T", UserMessage: "M", TraceID: "AbC", Transient: true, RetryAfter: 30 * time.Second,
	}
	if !ok || *e != want {
		t.Errorf("got %+v", e)
	}
}

// wire is a listener whose connections are handled by hand. It counts whole
// requests, which is how often a citizen would have been written to.
type wire struct {
	net.Listener
	requests atomic.Int64
	handlers sync.WaitGroup
}

// listen serves the nth connection, from 0, with handle.
func listen(t *testing.T, handle func(n int, conn net.Conn, w *wire)) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l}
	w.handlers.Go(func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { conn.Close() })
			w.handlers.Go(func() {
				defer conn.Close()
				handle(n, conn, w)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.handlers.Wait()
	})
	return w
}

func (w *wire) url() string { return "http://" + w.Addr().String() }

// request reads one request from a connection, and tells whether it came whole.
func (w *wire) request(conn net.Conn) bool {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return false
	}
	w.requests.Add(1)
	return true
}

func reset(conn net.Conn) {
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// untilClosed waits for the other side to hang up.
func untilClosed(conn net.Conn) { io.Copy(io.Discard, conn) }

// TestSendFaults holds invariant 4 for every answer that does not come whole.
func TestSendFaults(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	tests := []struct {
		name   string
		handle func(n int, conn net.Conn, w *wire)
		want   Outcome
	}{
		{"closes after the request", func(_ int, conn net.Conn, w *wire) { w.request(conn) }, Unknown},
		{"resets after the request", func(_ int, conn net.Conn, w *wire) { w.request(conn); reset(conn) }, Unknown},
		{"half a status line", func(_ int, conn net.Conn, w *wire) { w.request(conn); io.WriteString(conn, "HTTP/1.") }, Unknown},
		{"no HTTP", func(_ int, conn net.Conn, w *wire) { w.request(conn); io.WriteString(conn, "SSH-2.0-x\r\n\r\n") }, Unknown},
		{"half the header", func(_ int, conn net.Conn, w *wire) { w.request(conn); io.WriteString(conn, head) }, Unknown},
		{"half the body", func(_ int, conn net.Conn, w *wire) {
			w.request(conn)
			fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head, len(acceptedBody), acceptedBody[:50])
		}, Unknown},
		{"half the body, then reset", func(_ int, conn net.Conn, w *wire) {
			w.request(conn)
			fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", head, len(acceptedBody), acceptedBody[:50])
			reset(conn)
		}, Unknown},
		{"half a Graph error", func(_ int, conn net.Conn, w *wire) {
			w.request(conn)
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 90\r\n\r\n"+`{"error":{"code":131047,"mess`)
		}, Unknown},
		{"a header without end", func(_ int, conn net.Conn, w *wire) {
			w.request(conn)
			io.WriteString(conn, head)
			for {
				if _, err := io.WriteString(conn, "X: "+strings.Repeat("y", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, Unknown},
		{"silence", func(_ int, conn net.Conn, w *wire) { w.request(conn); untilClosed(conn) }, Unknown},
		{"silence within the body", func(_ int, conn net.Conn, w *wire) {
			w.request(conn)
			io.WriteString(conn, head+"Content-Length: 500\r\n\r\n{")
			untilClosed(conn)
		}, Unknown},
		{"an answer before the request was read whole", func(_ int, conn net.Conn, w *wire) {
			conn.Read(make([]byte, 1))
			io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
			untilClosed(conn)
		}, Unknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := listen(t, test.handle)
			c := NewClient(ClientOptions{GraphURL: w.url(), Timeout: 300 * time.Millisecond})
			defer c.CloseIdle()
			_, err := c.Send(t.Context(), account, hello)
			if e := sendError(t, err); e.Outcome != test.want {
				t.Errorf("got %v", err)
			}
			if n := w.requests.Load(); n > 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
}

// TestSendSurvivesATruncatedEnd: an answer that breaks off after its JSON was
// whole has said that the message was accepted.
func TestSendSurvivesATruncatedEnd(t *testing.T) {
	w := listen(t, func(_ int, conn net.Conn, w *wire) {
		w.request(conn)
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(acceptedBody)+10, acceptedBody)
	})
	sent, err := clientFor(t, w.url()).Send(t.Context(), account, hello)
	if err != nil || sent.ID != "wamid.SIM0001" {
		t.Errorf("got %+v, error %v", sent, err)
	}
}

func TestSendNothingWritten(t *testing.T) {
	unused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + unused.Addr().String()
	unused.Close()

	plain := listen(t, func(_ int, conn net.Conn, w *wire) { w.request(conn) })
	silent := listen(t, func(_ int, conn net.Conn, w *wire) { untilClosed(conn) })
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	t.Cleanup(stranger.Close)

	for name, graph := range map[string]string{
		"connection refused":       refusing,
		"no such host":             "http://graph.invalid",
		"no TLS on the other side": "https://" + plain.Addr().String(),
		"TLS handshake hangs":      "https://" + silent.Addr().String(),
		"certificate not trusted":  stranger.URL,
		"no address":               "://",
		"no scheme":                "graph.facebook.com",
	} {
		t.Run(name, func(t *testing.T) {
			c := NewClient(ClientOptions{GraphURL: graph, Timeout: 500 * time.Millisecond})
			_, err := c.Send(t.Context(), account, hello)
			if e := sendError(t, err); e.Outcome != NotSent {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := plain.requests.Load(); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestSendWithAContextThatIsOver(t *testing.T) {
	c, requests := answering(t, 200, acceptedBody)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Send(ctx, account, hello)
	if e := sendError(t, err); e.Outcome != NotSent || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if requests.Load() != 0 {
		t.Error("something was sent")
	}
}

func TestSendCancelledWhileWaitingForTheAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := listen(t, func(_ int, conn net.Conn, w *wire) {
		w.request(conn)
		cancel()
		untilClosed(conn)
	})
	_, err := clientFor(t, w.url()).Send(ctx, account, hello)
	if e := sendError(t, err); e.Outcome != Unknown {
		t.Errorf("got %v", err)
	}
}

func TestSendFollowsNoRedirect(t *testing.T) {
	elsewhere, requests := answering(t, 200, acceptedBody)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.RedirectHandler(elsewhere.base, status))
		_, err := clientFor(t, s.URL).Send(t.Context(), account, hello)
		if e := sendError(t, err); e.Outcome != Unknown || e.HTTPStatus != status {
			t.Errorf("%d: got %v", status, err)
		}
		s.Close()
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("followed %d times", n)
	}
}

// TestSendIsNeverRepeatedOnADeadConnection: net/http repeats requests on
// connections that died while idle when it believes that safe. A message must
// not be repeated whatever it believes.
func TestSendIsNeverRepeatedOnADeadConnection(t *testing.T) {
	for name, end := range map[string]func(net.Conn){"close": func(net.Conn) {}, "reset": reset} {
		t.Run(name, func(t *testing.T) {
			w := listen(t, func(_ int, conn net.Conn, w *wire) {
				if w.request(conn) {
					fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(acceptedBody), acceptedBody)
				}
				w.request(conn) // a second one is read whole, and never answered
				end(conn)
			})
			c := clientFor(t, w.url())
			if _, err := c.Send(t.Context(), account, hello); err != nil {
				t.Fatal(err)
			}
			_, err := c.Send(t.Context(), account, hello)
			if e := sendError(t, err); e.Outcome != Unknown {
				t.Errorf("got %v", err)
			}
			if n := w.requests.Load(); n != 2 {
				t.Errorf("%d requests for 2 messages", n)
			}
		})
	}
}

// TestSendOnAConnectionClosedWhileIdle: whatever the race between our write
// and the other side's closing ends in, each message arrives at most once, and
// what is said not to have been sent did not arrive.
func TestSendOnAConnectionClosedWhileIdle(t *testing.T) {
	w := listen(t, func(_ int, conn net.Conn, w *wire) {
		if w.request(conn) {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(acceptedBody), acceptedBody)
		}
	})
	c := clientFor(t, w.url())
	var accepted, unknown int64
	const messages = 300
	for range messages {
		switch _, err := c.Send(t.Context(), account, hello); {
		case err == nil:
			accepted++
		case sendError(t, err).Outcome == Unknown:
			unknown++
		}
	}
	if n := w.requests.Load(); n < accepted || n > accepted+unknown {
		t.Errorf("%d requests arrived for %d accepted and %d unknown", n, accepted, unknown)
	}
}

func TestSendOverTLSCountsBytesOfRequests(t *testing.T) {
	var answer atomic.Bool
	answer.Store(true)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if !answer.Load() {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, acceptedBody)
	}))
	defer s.Close()
	c := NewClient(ClientOptions{GraphURL: s.URL, HTTP: s.Client()})
	defer c.CloseIdle()
	for range 2 {
		if _, err := c.Send(t.Context(), account, hello); err != nil {
			t.Fatal(err)
		}
	}
	answer.Store(false)
	_, err := c.Send(t.Context(), account, hello)
	if e := sendError(t, err); e.Outcome != Unknown {
		t.Errorf("got %v", err)
	}
}

// TestSendThroughAForeignTransport: where bytes cannot be counted, a request
// that got a connection is uncertain.
func TestSendThroughAForeignTransport(t *testing.T) {
	w := listen(t, func(_ int, conn net.Conn, w *wire) { w.request(conn) })
	foreign := roundTripper(func(r *http.Request) (*http.Response, error) { return http.DefaultTransport.RoundTrip(r) })
	c := NewClient(ClientOptions{GraphURL: w.url(), HTTP: &http.Client{Transport: foreign}})
	_, err := c.Send(t.Context(), account, hello)
	if e := sendError(t, err); e.Outcome != Unknown {
		t.Errorf("got %v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSendRefusesWithoutTheWire(t *testing.T) {
	c, requests := answering(t, 200, acceptedBody)
	tests := []struct {
		name    string
		account Account
		message OutgoingMessage
		code    int
	}{
		{"no token", Account{PhoneNumberID: "1"}, hello, 190},
		{"token with a line break", Account{PhoneNumberID: "1", Token: "t\n"}, hello, 190},
		{"no number", Account{Token: "t"}, hello, 33},
		{"too long", account, OutgoingMessage{To: "+393331234567", Type: KindText, Text: strings.Repeat("a", 4097)}, 100},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.Send(t.Context(), test.account, test.message)
			e := sendError(t, err)
			if e.Outcome != Refused || e.Graph.Code != test.code || e.HTTPStatus != 0 || e.Graph.Details == "" {
				t.Errorf("got %+v, Graph %+v", e, e.Graph)
			}
		})
	}
	if requests.Load() != 0 {
		t.Error("something was sent")
	}
}

func TestSendManyAtOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			ID string `json:"biz_opaque_callback_data"`
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		mu.Lock()
		seen[m.ID]++
		mu.Unlock()
		fmt.Fprintf(w, `{"messages":[{"id":"wamid.%s"}]}`, m.ID)
	}))
	defer s.Close()
	c := clientFor(t, s.URL)
	var senders sync.WaitGroup
	for i := range 20 {
		senders.Go(func() {
			for j := range 25 {
				m := hello
				m.CallbackData = fmt.Sprintf("%d-%d", i, j)
				sent, err := c.Send(t.Context(), account, m)
				if err != nil || sent.ID != "wamid."+m.CallbackData {
					t.Errorf("message %s: got %+v, error %v", m.CallbackData, sent, err)
				}
			}
		})
	}
	senders.Wait()
	if len(seen) != 500 {
		t.Errorf("%d messages arrived", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("message %s arrived %d times", id, n)
		}
	}
}

func TestMarkRead(t *testing.T) {
	bodies := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
		io.WriteString(w, `{"success":true}`)
	}))
	defer s.Close()
	c := clientFor(t, s.URL)
	for typing, want := range map[bool]string{
		false: `{"messaging_product":"whatsapp","status":"read","message_id":"wamid.IN1"}`,
		true:  `{"messaging_product":"whatsapp","status":"read","message_id":"wamid.IN1","typing_indicator":{"type":"text"}}`,
	} {
		if err := c.MarkRead(t.Context(), account, "wamid.IN1", typing); err != nil {
			t.Fatal(err)
		}
		if got := <-bodies; got != want {
			t.Errorf("got %s", got)
		}
	}
}

func TestMarkReadTellsWhy(t *testing.T) {
	c, _ := answering(t, 400, `{"error":{"code":131009,"message":"x"}}`)
	if e, ok := errors.AsType[*GraphError](c.MarkRead(t.Context(), account, "x", false)); !ok || e.Code != 131009 {
		t.Errorf("got %v", e)
	}
	c, _ = answering(t, 502, `<html>`)
	if e, ok := errors.AsType[*StatusError](c.MarkRead(t.Context(), account, "x", false)); !ok || e.HTTPStatus != 502 {
		t.Errorf("got %v", e)
	}
}
