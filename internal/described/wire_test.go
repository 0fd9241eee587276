// SPDX-License-Identifier: AGPL-3.0-or-later

package described

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/filodiretto/filodiretto/internal/simulator"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

const (
	waba   = "200000000000001"
	number = "100000000000001"
	app    = "300000000000001" // of every token of the simulator
	token  = "simulator"
	maria  = "+393471234567"
)

// wire is a simulator, a client that talks to it, and the record of all that goes between them.
type wire struct {
	t      *testing.T
	url    string
	client *whatsapp.Client
	acc    whatsapp.Account
	sim    *simulator.Server
	desk   *desk

	mu        sync.Mutex
	exchanges []exchange
	nodes     map[string]string // what an id is, in the words of the description's paths
	code      string            // of a short link
}

// exchange is a request with its answer.
type exchange struct {
	method, path string
	query        url.Values
	contentType  string
	request      []byte
	status       int
	answer       []byte
}

func newWire(t *testing.T) *wire {
	t.Helper()
	delays := simulator.Delays{Retry: time.Hour, RetryMax: time.Hour, Review: time.Hour}
	sim, err := simulator.New(simulator.Options{Delays: &delays, WebhookParallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	w := &wire{t: t, url: server.URL, sim: sim, desk: newDesk(t), nodes: map[string]string{waba: "WABA-ID", number: "Phone-Number-ID", app: "Application-ID",
		"400000000000001": "Business-ID", "me": "User-ID"},
		acc: whatsapp.Account{PhoneNumberID: number, WABAID: waba, Token: token}}
	w.client = whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: server.URL, HTTP: &http.Client{Transport: w}})
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	w.control("PUT", "webhook", object{"url": w.desk.URL, "app_secret": "segreto", "verify_token": "segreto"})
	return w
}

// RoundTrip sends what the client sends, and keeps it with what came back.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	e := exchange{method: r.Method, path: r.URL.Path, query: r.URL.Query(), contentType: r.Header.Get("Content-Type")}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		e.request = body
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if e.answer, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	e.status = resp.StatusCode
	resp.Body = io.NopCloser(bytes.NewReader(e.answer))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanges = append(w.exchanges, e)
	return resp, nil
}

// control tells the simulator what to do.
func (w *wire) control(method, path string, body object) object {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/simulator/"+path, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	status, answer := w.do(http.DefaultTransport, req)
	if status/100 != 2 {
		w.t.Fatalf("%s %s answered %d %s", method, path, status, answer)
	}
	var out object
	_ = json.Unmarshal(answer, &out) // a few have no object
	return out
}

// graph makes a request that no method of the client makes.
func (w *wire) graph(method, path string, body any) object {
	w.t.Helper()
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		content = bytes.NewReader(raw)
	}
	return w.ask(method, path, "application/json", content)
}

// form posts a form in parts.
func (w *wire) form(path, name, value string) object {
	w.t.Helper()
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	if err := errors.Join(parts.WriteField(name, value), parts.Close()); err != nil {
		w.t.Fatal(err)
	}
	return w.ask(http.MethodPost, path, parts.FormDataContentType(), &body)
}

func (w *wire) ask(method, path, contentType string, content io.Reader) object {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/v26.0/"+path, content)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if content != nil {
		req.Header.Set("Content-Type", contentType)
	}
	_, raw := w.do(w, req)
	var out object
	if err := json.Unmarshal(raw, &out); err != nil {
		w.t.Fatalf("%s %s answered %q: %v", method, path, raw, err)
	}
	return out
}

func (w *wire) do(over http.RoundTripper, req *http.Request) (int, []byte) {
	w.t.Helper()
	resp, err := over.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, raw
}

// write makes a citizen write; the answer has the message's id.
func (w *wire) write(phone string, content object) string {
	w.t.Helper()
	id, _ := w.control("POST", "citizens/"+phone+"/messages", content)["id"].(string)
	return id
}

// desk takes webhooks and keeps them.
type desk struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []object
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, r.URL.Query().Get("hub.challenge"))
			return
		}
		var body object
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("a webhook that is not JSON: %v", err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.bodies = append(d.bodies, body)
	}))
	t.Cleanup(d.Close)
	return d
}

// changes are those of all webhooks so far.
func (d *desk) changes() (all []object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, body := range d.bodies {
		for _, entry := range body["entry"].(list) {
			for _, change := range entry.(object)["changes"].(list) {
				all = append(all, change.(object))
			}
		}
	}
	return all
}

// await waits until a change is as it must be.
func (w *wire) await(what string, is func(change object) bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !slices.ContainsFunc(w.desk.changes(), is) {
		if time.Now().After(deadline) {
			w.t.Fatalf("no webhook tells of %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// operation is a path of the description, without its version, and a method.
type operation struct{ path, method string }

// operationOf finds the operation of a request: edges go by their names, and ids by what they are.
func (w *wire) operationOf(d object, e exchange) (operation, bool) {
	parts := strings.Split(strings.TrimPrefix(e.path, "/"), "/")[1:]
	if kind, ok := w.nodes[parts[0]]; ok {
		parts[0] = "{" + kind + "}"
	}
	if strings.HasPrefix(parts[0], "upload:") {
		parts[0] = "upload:"
	}
	if len(parts) == 3 && parts[1] == "message_qrdls" {
		parts[2] = "{QR-Code-ID}"
	}
	o := operation{strings.Join(parts, "/"), strings.ToLower(e.method)}
	item, _ := d["paths"].(object)["/{Version}/"+o.path].(object)
	_, described := item[o.method].(object)
	return o, described
}

// holdings are what of an exchange is held against which schema.
func holdings(d object, o operation, e exchange) ([]held, error) {
	item := d["paths"].(object)["/{Version}/"+o.path].(object)
	op := item[o.method].(object)
	what := fmt.Sprintf("%s %s (%d)", e.method, e.path, e.status)
	var out []held
	if e.status < 400 {
		asked, err := parameters(what, o, item, op, e.query)
		if err != nil {
			return nil, err
		}
		out = asked
		body, err := requestBody(what, o, op, e)
		if err != nil {
			return nil, err
		}
		out = append(out, body...)
	}
	status := fmt.Sprint(e.status)
	if _, ok := op["responses"].(object)[status].(object); !ok {
		if e.status < 400 {
			return nil, fmt.Errorf("%s: this status is not described", what)
		}
		h, err := graphError(e)
		return append(out, h), errors.Join(err...)
	}
	answer, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.answer))
	if err != nil {
		return nil, fmt.Errorf("%s: the answer is not JSON: %w", what, err)
	}
	place := operationAt(o.path, o.method+"/responses/"+status)
	if ref, ok := op["responses"].(object)[status].(object)["$ref"].(string); ok {
		place = ref
	}
	return append(out, held{what + ": answer", place + "/content/application~1json/schema", answer}), nil
}

// graphError holds a refusal against the one schema there is: it is described at some operations only, and the same at
// all.
func graphError(e exchange) (held, []error) {
	what := fmt.Sprintf("%s %s (%d): error", e.method, e.path, e.status)
	answer, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.answer))
	if err != nil {
		return held{}, []error{fmt.Errorf("%s: it is not JSON: %w", what, err)}
	}
	return held{what, schemaAt("GraphAPIError"), answer}, nil
}

// parameters holds the query against what is described.
func parameters(what string, o operation, item, op object, query url.Values) ([]held, error) {
	var out []held
	known := map[string]bool{}
	for _, level := range []struct {
		at     string
		holder object
	}{{"", item}, {o.method + "/", op}} {
		all, _ := level.holder["parameters"].(list)
		for i, p := range all {
			name, _ := p.(object)["name"].(string)
			if p.(object)["in"] != "query" {
				continue
			}
			known[name] = true
			if !query.Has(name) {
				if p.(object)["required"] == true {
					return nil, fmt.Errorf("%s: the parameter %s is required", what, name)
				}
				continue
			}
			out = append(out, held{what + ": parameter " + name, operationAt(o.path, fmt.Sprintf("%sparameters/%d/schema", level.at, i)), typed(p.(object)["schema"], query.Get(name))})
		}
	}
	for name := range query {
		if !known[name] {
			return nil, fmt.Errorf("%s: the parameter %s is not described", what, name)
		}
	}
	return out, nil
}

// typed is a parameter's text as the kind of value that is described.
func typed(schema any, text string) any {
	if s, _ := schema.(object); s["type"] == "integer" || s["type"] == "boolean" {
		if v, err := jsonschema.UnmarshalJSON(strings.NewReader(text)); err == nil {
			return v
		}
	}
	return text
}

func requestBody(what string, o operation, op object, e exchange) ([]held, error) {
	described, _ := op["requestBody"].(object)
	if len(e.request) == 0 {
		if described["required"] == true {
			return nil, fmt.Errorf("%s: a body is required", what)
		}
		return nil, nil
	}
	contentType, params, err := mime.ParseMediaType(e.contentType)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	content, _ := described["content"].(object)
	if content[contentType] == nil {
		return nil, fmt.Errorf("%s: no body of type %s is described", what, contentType)
	}
	value, err := decoded(contentType, params["boundary"], e.request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	schema := operationAt(o.path, o.method+"/requestBody/content/"+strings.ReplaceAll(contentType, "/", "~1")+"/schema")
	return []held{{what + ": request", schema, value}}, nil
}

func decoded(contentType, boundary string, body []byte) (any, error) {
	if contentType != "multipart/form-data" {
		return jsonschema.UnmarshalJSON(bytes.NewReader(body))
	}
	form, err := multipart.NewReader(bytes.NewReader(body), boundary).ReadForm(1 << 20)
	if err != nil {
		return nil, err
	}
	out := object{}
	for name, values := range form.Value {
		out[name] = values[0]
	}
	for name := range form.File {
		out[name] = "a file"
	}
	return out, nil
}

// changes of the field messages are told a value at a time.
func values(changes []object) (all []object) {
	for _, c := range changes {
		if c["field"] == "messages" {
			all = append(all, c["value"].(object))
		}
	}
	return all
}

// userID is Maria's, as the account sees it.
func (w *wire) userID() string {
	for _, v := range values(w.desk.changes()) {
		for _, m := range asList(v["messages"]) {
			if id, ok := m["from_user_id"].(string); ok {
				return id
			}
		}
	}
	w.t.Fatal("no message tells Maria's user id")
	return ""
}

// pictureOf is the id of the file of a written message.
func (w *wire) pictureOf(written object) (id string) {
	w.await("the photo", func(c object) bool {
		for _, m := range asList(c["value"].(object)["messages"]) {
			if m["id"] == written["id"] {
				id = m["image"].(object)["id"].(string)
				return true
			}
		}
		return false
	})
	return id
}

func asList(v any) (all []object) {
	items, _ := v.(list)
	for _, item := range items {
		all = append(all, item.(object))
	}
	return all
}

// sample is a small file of the simulator's own, as a citizen sends it.
func (w *wire) sample(kind string) []byte {
	w.t.Helper()
	id := w.write(maria, object{kind: true})
	var address string
	w.await("a sample", func(c object) bool {
		for _, m := range asList(c["value"].(object)["messages"]) {
			if content, ok := m[m["type"].(string)].(object); ok && m["id"] == id {
				address = content["url"].(string)
				return true
			}
		}
		return false
	})
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	status, content := w.do(http.DefaultTransport, req)
	if status != http.StatusOK {
		w.t.Fatalf("the sample %s: %d", kind, status)
	}
	return content
}
