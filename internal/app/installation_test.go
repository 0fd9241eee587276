// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/programtest"
	"github.com/filodiretto/filodiretto/internal/simulator"
	"github.com/filodiretto/filodiretto/internal/towntest"
)

// TestMain removes the program that the tests have built.
func TestMain(m *testing.M) {
	code := m.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

var folder string // of the built program; "" before it was

// binary builds the program once for all tests.
var binary = sync.OnceValues(func() (file string, err error) {
	if folder, err = os.MkdirTemp("", "filodiretto-bin-"); err != nil {
		return "", err
	}
	return programtest.Build(folder)
})

// installation is the program as an office runs it, beside a simulator, with one municipality and a
// token of it.
type installation struct {
	t       *testing.T
	address string // of the database
	data    string
	listen  string
	url     string
	client  *http.Client
	slug    string
	waba    string

	phoneNumberID string
	appSecret     string
	token         string

	simulator *httptest.Server
	process   *exec.Cmd
	log       *os.File
}

// testFile is the municipality of an installation.
var testFile = towntest.Simulated

func install(t *testing.T, address string) *installation {
	t.Helper()
	sim, err := simulator.New(simulator.Options{Delays: &simulator.Delays{Sent: 5 * time.Millisecond, Delivered: 5 * time.Millisecond, Read: 20 * time.Millisecond,
		Played: -1, Batch: time.Millisecond, Retry: 50 * time.Millisecond, RetryMax: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() { server.Close(); _ = sim.Close() })
	in := &installation{t: t, address: address, data: t.TempDir(), slug: "prova", waba: "200000000000001", phoneNumberID: "100000000000001", appSecret: "simulator",
		simulator: server, client: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	in.listenSomewhere()
	file := filepath.Join(in.data, "prova.yaml")
	if err := os.WriteFile(file, []byte(testFile), 0o600); err != nil {
		t.Fatal(err)
	}
	in.command("apply", file)
	words := strings.Fields(in.command("token", "create", "--municipality", in.slug, "--name", "prova"))
	in.token = words[len(words)-1]
	in.control(http.MethodPut, "webhook", map[string]any{"url": in.url + "/webhooks/whatsapp/" + in.slug, "app_secret": "simulator", "verify_token": "simulator"}, nil)
	log, err := os.Create(filepath.Join(in.data, "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	in.log = log
	t.Cleanup(func() {
		in.kill()
		if t.Failed() {
			in.showLog()
		}
		_ = log.Close()
	})
	return in
}

// showLog prints the end of what the process logged.
func (in *installation) showLog() {
	raw, err := os.ReadFile(in.log.Name())
	if err == nil {
		in.t.Logf("the log ends:\n%s", raw[max(0, len(raw)-4000):])
	}
}

// twin is a second instance over the same database, with an address of its own.
func (in *installation) twin() *installation {
	other := *in
	other.process = nil
	other.listenSomewhere()
	in.t.Cleanup(other.kill)
	return &other
}

// listenSomewhere finds a free port; the process keeps it over restarts.
func (in *installation) listenSomewhere() {
	in.listen = fmt.Sprintf("127.0.0.1:%d", programtest.FreePorts(in.t, 1))
	in.url = "http://" + in.listen
}

func (in *installation) cmd(ctx context.Context, args ...string) *exec.Cmd {
	in.t.Helper()
	file, err := binary()
	if err != nil {
		in.t.Fatal(err)
	}
	c := exec.CommandContext(ctx, file, args...)
	c.Env = append(os.Environ(), "FILODIRETTO_DATABASE="+in.address, "FILODIRETTO_DATA="+in.data, "FILODIRETTO_LISTEN="+in.listen,
		"FILODIRETTO_GRAPH_URL="+in.simulator.URL, "FILODIRETTO_PUBLIC_URL="+in.url, "FILODIRETTO_LOG_LEVEL=info")
	return c
}

// command runs the program to its end and returns what it printed.
func (in *installation) command(args ...string) string {
	in.t.Helper()
	return in.commandWith("", args...)
}

// commandWith is command with something to read.
func (in *installation) commandWith(input string, args ...string) string {
	in.t.Helper()
	var out, problems bytes.Buffer
	c := in.cmd(in.t.Context(), args...)
	c.Stdin = strings.NewReader(input)
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		in.t.Fatalf("filodiretto %v: %v\n%s%s", args, err, out.String(), problems.String())
	}
	return out.String()
}

// start starts serve and waits until it is ready.
func (in *installation) start() {
	in.t.Helper()
	in.process = in.cmd(context.Background(), "serve")
	in.process.Stdout, in.process.Stderr = in.log, in.log
	in.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := in.process.Start(); err != nil {
		in.t.Fatal(err)
	}
	in.until("the desk is ready", func() bool {
		res, err := in.client.Get(in.url + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (in *installation) kill() {
	if in.process == nil {
		return
	}
	_ = in.process.Process.Kill()
	_ = in.process.Wait()
	in.process = nil
}

// stop ends the process as a service manager does, and wants it to end well.
func (in *installation) stop() {
	in.t.Helper()
	if err := in.process.Process.Signal(syscall.SIGTERM); err != nil {
		in.t.Fatal(err)
	}
	if err := in.process.Wait(); err != nil {
		in.t.Errorf("serve ended with %v", err)
	}
	in.process = nil
}

// until waits for what must come true, and fails when it doesn't.
func (in *installation) until(what string, true_ func() bool) {
	in.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for !true_() {
		select {
		case <-tick.C:
		case <-deadline:
			in.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// control calls the simulator's control address.
func (in *installation) control(method, path string, body, into any) {
	in.t.Helper()
	var raw bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&raw).Encode(body); err != nil {
			in.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(in.t.Context(), method, in.simulator.URL+"/simulator/"+path, &raw)
	if err != nil {
		in.t.Fatal(err)
	}
	res, err := in.client.Do(req)
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 {
		in.t.Fatalf("%s /simulator/%s: %s", method, path, res.Status)
	}
	if into != nil {
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			in.t.Fatalf("%s /simulator/%s: %v", method, path, err)
		}
	}
}

// openConversations lets n citizens write from their phones and returns their conversations.
func (in *installation) openConversations(n int) []string {
	in.t.Helper()
	for i := range n {
		phone := fmt.Sprintf("+39333200%04d", i)
		in.control(http.MethodPost, "citizens", map[string]any{"phone": phone, "name": fmt.Sprint("Cittadino ", i)}, nil)
		in.control(http.MethodPost, "citizens/"+phone+"/messages", map[string]any{"number": in.phoneNumberID, "text": "Buongiorno"}, nil)
	}
	var page struct{ Items []struct{ ID string } }
	in.until("the conversations are there", func() bool {
		status, body := in.call(in.t.Context(), http.MethodGet, "/api/v1/conversations?limit=100", nil, "")
		return status == http.StatusOK && json.Unmarshal(body, &page) == nil && len(page.Items) >= n
	})
	var ids []string
	for _, c := range page.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

// settleDown waits until nothing is queued or sending, and the journal is empty.
func (in *installation) settleDown() {
	in.t.Helper()
	d, err := db.Open(in.t.Context(), db.Options{DSN: in.address})
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	count := func(view func(context.Context, func(context.Context, *db.Tx) error) error, query string) (n int) {
		err := view(in.t.Context(), func(ctx context.Context, tx *db.Tx) error { return tx.QueryRowContext(ctx, query).Scan(&n) })
		if err != nil {
			return -1
		}
		return n
	}
	in.until("everything is sent and processed", func() bool {
		return count(d.View, `SELECT count(*) FROM message WHERE stage IN (10, 20)`) == 0 &&
			count(d.ViewJournal, `SELECT count(*) FROM journal_waiting`) == 0
	})
}

func (in *installation) municipalityID(d *db.DB) (id int64) {
	in.t.Helper()
	err := d.View(in.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT municipality_id FROM municipality WHERE slug = $1`, in.slug).Scan(&id)
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return id
}

// sentByCallback counts the send requests that reached Meta, by our id in them.
func (in *installation) sentByCallback() map[string]int {
	in.t.Helper()
	var all struct {
		Items []struct {
			Method, Path string
			Status       int
			Body         struct {
				Callback string `json:"biz_opaque_callback_data"`
			}
		}
	}
	in.control(http.MethodGet, "requests?path=/messages", nil, &all)
	out := make(map[string]int)
	for _, r := range all.Items {
		if r.Body.Callback != "" && (r.Status == 0 || r.Status == http.StatusOK) {
			out[r.Body.Callback]++
		}
	}
	return out
}
