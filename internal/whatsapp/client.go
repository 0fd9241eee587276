// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// Where the Graph API is, unless ClientOptions say otherwise.
const (
	DefaultGraphURL     = "https://graph.facebook.com"
	DefaultGraphVersion = "v26.0"
)

const (
	callTimeout = 10 * time.Second
	maxAnswer   = 1 << 20 // bytes of an answer that are read; media have their own bound
)

// ClientOptions say how to reach Meta; the zero value does.
type ClientOptions struct {
	GraphURL   string        // scheme and host; DefaultGraphURL if empty
	Version    string        // such as "v26.0"; DefaultGraphVersion if empty
	HTTP       *http.Client  // nil for one tuned for many requests at once; only its transport is used, cloned
	Timeout    time.Duration // of a request but for media; 10 s if zero
	MediaHosts []string      // that may see the token beside Meta's: "host", "host:port" or "*.domain"
}

// Account is a business number with what it takes to act for it.
type Account struct {
	PhoneNumberID string
	WABAID        string
	Token         string // of a system user; never logged
}

// Client calls the Graph API. One serves all accounts of a process; it is safe
// for concurrent use.
type Client struct {
	base    string // URL with version, no final slash
	origin  *url.URL
	timeout time.Duration
	stall   time.Duration // longest silence while media are on their way
	api     *http.Client  // follows no redirects
	media   *http.Client  // follows those to hosts that may see the token
	hosts   []string
}

// NewClient returns a client. A GraphURL that is none makes every call fail
// before anything is written.
func NewClient(opts ClientOptions) *Client {
	graph := strings.TrimRight(cmp.Or(opts.GraphURL, DefaultGraphURL), "/")
	origin, err := url.Parse(graph)
	if err != nil {
		origin = &url.URL{}
	}
	c := &Client{
		base:    graph + "/" + cmp.Or(opts.Version, DefaultGraphVersion),
		origin:  origin,
		timeout: cmp.Or(opts.Timeout, callTimeout),
		stall:   stallTimeout,
		hosts:   append([]string{"lookaside.fbsbx.com", "*.fbcdn.net", "*.whatsapp.net"}, opts.MediaHosts...),
	}
	var base http.RoundTripper
	if opts.HTTP != nil {
		base = opts.HTTP.Transport
	}
	shared := transport(base)
	c.api = &http.Client{Transport: shared, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	c.media = &http.Client{Transport: shared, CheckRedirect: c.checkRedirect}
	return c
}

// CloseIdle closes the connections that wait for a next request.
func (c *Client) CloseIdle() { c.api.CloseIdleConnections() }

// GraphError is an error Meta told in so many words, the only kind that
// Classify may be asked about. Its text is free of personal data; Message and
// Details may not be.
type GraphError struct {
	HTTPStatus  int
	Code        int
	Subcode     int
	Type        string
	Message     string
	Details     string
	UserTitle   string // of management calls, for people
	UserMessage string
	TraceID     string
	Transient   bool
	RetryAfter  time.Duration // as the answer asked; mostly 0
}

func (e *GraphError) Error() string {
	s := fmt.Sprintf("Graph error %d (HTTP %d", e.Code, e.HTTPStatus)
	if e.TraceID != "" {
		s += ", trace " + e.TraceID
	}
	return s + ")"
}

// Advice is what to do about the error. Beyond the code it heeds what the
// answer says of a code we do not know.
func (e *GraphError) Advice() Advice {
	a := Classify(e.Code)
	switch {
	case a.Reason != reasonUnknown:
		return a
	case e.HTTPStatus == http.StatusTooManyRequests:
		return Advice{Class: Slow, Reason: "rate_limited"}
	case e.Transient:
		return Advice{Class: Retry, Reason: "meta_unavailable"}
	default:
		return a
	}
}

// StatusError is an answer that is not Graph's: it tells nothing of what was
// done.
type StatusError struct{ HTTPStatus int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("answer is not the Graph API's (HTTP %d)", e.HTTPStatus)
}

// answer is what came back, as far as it came.
type answer struct {
	status int
	header http.Header
	body   gjson.Result // of valid JSON only
}

// graphError returns the error the answer tells of, or nil. Without a code it
// is not Graph's: proxies too answer with an "error".
func (a answer) graphError() *GraphError {
	e := a.body.Get("error")
	code, ok := whole(e.Get("code"))
	if !e.IsObject() || !ok {
		return nil
	}
	return &GraphError{
		HTTPStatus:  a.status,
		Code:        code,
		Subcode:     integer(e.Get("error_subcode")),
		Type:        text(e.Get("type")),
		Message:     text(e.Get("message")),
		Details:     details(e),
		UserTitle:   text(e.Get("error_user_title")),
		UserMessage: text(e.Get("error_user_msg")),
		TraceID:     text(e.Get("fbtrace_id")),
		Transient:   truth(e.Get("is_transient")),
		RetryAfter:  retryAfter(a.header),
	}
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 24*60*60 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 && a.body.IsObject() }

// request is one call: a path below the version, and a body if any.
type request struct {
	method string
	path   string
	query  url.Values
	body   []byte
	token  string
}

// do makes the request and reads the answer, within the time-out. An error
// means that no whole answer came; the witness knows what was written.
func (c *Client) do(ctx context.Context, r request, w *witness) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.newRequest(w.watch(ctx), r)
	if err != nil {
		return answer{}, err
	}
	resp, err := c.api.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	return readAnswer(resp)
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	address := c.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, err
	}
	// Without GetBody net/http cannot send the body a second time on a fresh
	// connection, which would deliver a message twice.
	req.GetBody = nil
	req.Header.Set("Authorization", "Bearer "+r.token)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// readAnswer reads an answer within bounds. One that breaks off may still be
// whole JSON, and then says what it says.
func readAnswer(resp *http.Response) (answer, error) {
	a := answer{status: resp.StatusCode, header: resp.Header}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if json.Valid(body) {
		a.body = gjson.Parse(strings.ToValidUTF8(string(body), "\uFFFD"))
		return a, nil
	}
	return a, err
}

// call makes a request that may be repeated without harm, and returns the
// body of its success. Errors are *GraphError, *StatusError or of the network.
func (c *Client) call(ctx context.Context, r request) (gjson.Result, error) {
	a, err := c.do(ctx, r, &witness{})
	if err != nil {
		return gjson.Result{}, err
	}
	return a.success()
}

// success is the body of an answer that says that it was done, or the error that it says.
func (a answer) success() (gjson.Result, error) {
	if e := a.graphError(); e != nil {
		return gjson.Result{}, e
	}
	if !a.ok() {
		return gjson.Result{}, &StatusError{HTTPStatus: a.status}
	}
	return a.body, nil
}

func (c *Client) get(ctx context.Context, acc Account, path, fields string) (gjson.Result, error) {
	query := url.Values{}
	if fields != "" {
		query.Set("fields", fields)
	}
	return c.call(ctx, request{method: http.MethodGet, path: path, query: query, token: acc.Token})
}

// node is the path of a Graph object and what hangs on it.
func node(id string, edge ...string) string {
	path := "/" + url.PathEscape(id)
	for _, e := range edge {
		path += "/" + e
	}
	return path
}
