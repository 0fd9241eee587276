// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/programtest"
	"github.com/filodiretto/filodiretto/internal/secret"
)

// show is a running demo in a folder of its own.
type show struct {
	t       *testing.T
	folder  string
	port    int
	process *exec.Cmd
	said    string
	log     bytes.Buffer
}

// begin starts the demo and waits until it has said who may sign in.
func (s *show) begin(args ...string) {
	s.t.Helper()
	program, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	s.port = programtest.FreePorts(s.t, 2)
	s.process = exec.Command(program, append([]string{"demo"}, args...)...)
	s.process.Dir = s.folder
	s.process.Env = append(os.Environ(), fmt.Sprintf("FILODIRETTO_LISTEN=127.0.0.1:%d", s.port), "LANG=C", "LC_ALL=C")
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.process.Stderr = &s.log
	out, err := s.process.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	s.t.Cleanup(func() { _ = s.process.Process.Kill() })
	s.said = ""
	late := time.After(2 * time.Minute)
	for !strings.Contains(s.said, "Control-C") {
		select {
		case line, ok := <-lines:
			if !ok {
				_ = s.process.Wait()
				s.t.Fatalf("the demo ended:\n%s%s", s.said, s.log.String())
			}
			s.said += line + "\n"
		case <-late:
			_ = s.process.Process.Kill()
			s.t.Fatalf("the demo does not say that it is ready:\n%s", s.said)
		}
	}
}

func (s *show) end() {
	s.t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.process.Wait(); err != nil {
		s.t.Fatalf("the demo did not stop well: %v", err)
	}
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "level=ERROR") && !strings.Contains(line, "context canceled") { // what a stop cuts off is no complaint
			s.t.Errorf("the demo complained: %s", line)
		}
	}
}

// picture is what is on the desks of a demo.
type picture struct {
	messages map[string]int // by municipality, in both directions
	open     map[string]int
	resolved map[string]int
	statuses map[conversation.Status]int
}

func (s *show) look() picture {
	s.t.Helper()
	ctx := s.t.Context()
	d, err := db.Open(ctx, db.Options{DSN: "sqlite:" + filepath.Join(s.folder, "data/demo/filodiretto.db")})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	key, err := secret.Load(filepath.Join(s.folder, "data/demo/secret.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	towns, err := municipality.NewDirectory(ctx, d, key)
	if err != nil {
		s.t.Fatal(err)
	}
	p := picture{messages: map[string]int{}, open: map[string]int{}, resolved: map[string]int{}, statuses: map[conversation.Status]int{}}
	err = d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, m := range towns.All() {
			open, _, err := conversation.List(ctx, tx, m.ID, conversation.Filter{Box: conversation.BoxOpen}, conversation.Cursor{}, 1000)
			if err != nil {
				return err
			}
			resolved, _, err := conversation.List(ctx, tx, m.ID, conversation.Filter{Box: conversation.BoxResolved}, conversation.Cursor{}, 1000)
			if err != nil {
				return err
			}
			p.open[m.Slug], p.resolved[m.Slug] = len(open), len(resolved)
			for _, c := range append(open, resolved...) {
				page, _, err := conversation.Messages(ctx, tx, m.ID, c, conversation.Position{}, 1000)
				if err != nil {
					return err
				}
				p.messages[m.Slug] += len(page)
				for _, one := range page {
					p.statuses[one.Status]++
				}
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// inside reads the database of the demo for one municipality.
func (s *show) inside(slug string, read func(ctx context.Context, tx *db.Tx, municipality int64) error) {
	s.t.Helper()
	d, err := db.Open(s.t.Context(), db.Options{DSN: "sqlite:" + filepath.Join(s.folder, "data/demo/filodiretto.db")})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	err = d.View(s.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		var id int64
		if err := tx.QueryRowContext(ctx, `SELECT municipality_id FROM municipality WHERE slug = $1`, slug).Scan(&id); err != nil {
			return err
		}
		return read(ctx, tx, id)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// subscribers counts those on the list of emergencies.
func (s *show) subscribers(slug string) (n int) {
	s.t.Helper()
	s.inside(slug, func(ctx context.Context, tx *db.Tx, id int64) error {
		counts, err := broadcast.CountSubscribers(ctx, tx, id)
		n = counts["EMERGENZE"]
		return err
	})
	return n
}

// castsAreThere looks for what a newcomer should see among the broadcasts of Rimini, and that all proof of consent is whole.
func (s *show) castsAreThere() {
	s.t.Helper()
	s.inside("rimini", func(ctx context.Context, tx *db.Tx, id int64) error {
		all, _, err := broadcast.List(ctx, tx, id, 0, 100)
		if err != nil {
			return err
		}
		found := map[string]bool{}
		for _, b := range all {
			found["exercise"] = found["exercise"] || b.Exercise && b.State == broadcast.Completed
			found["emergency with four eyes"] = found["emergency with four eyes"] || b.Emergency && !b.Exercise && !b.Ends && b.ApproverID != 0 && b.ApproverID != b.Author.ID
			found["all-clear"] = found["all-clear"] || b.Ends && b.Follows != 0
			found["notice"] = found["notice"] || !b.Emergency && b.State == broadcast.Completed && b.Reach.Read > 50 && b.Reach.Failed > 0
			found["draft"] = found["draft"] || b.State == broadcast.Draft
			if out, err := broadcast.Count(ctx, tx, id, b.ID); err != nil || out.Open() > 0 || out.Audience() != b.Recipients {
				s.t.Errorf("a broadcast has outcomes %+v of %d recipients, %v", out, b.Recipients, err)
			}
		}
		if len(all) < 5 {
			s.t.Errorf("there are %d broadcasts", len(all))
		}
		for what, there := range found {
			if !there {
				s.t.Errorf("there is no %s", what)
			}
		}
		proofs, err := broadcast.VerifyConsents(ctx, tx, id)
		if proofs.Count < 300 || !proofs.Sound() {
			s.t.Errorf("the proofs of consent are %+v", proofs)
		}
		return err
	})
}

// phone asks the simulator of the demo.
func (s *show) phone(method, path string, body, into any) {
	s.t.Helper()
	question, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d/simulator/%s", s.port+1, path), bytes.NewReader(question))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 400 {
		s.t.Fatalf("%s %s: %d %s %v", method, path, response.StatusCode, answer, err)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		s.t.Fatal(err)
	}
}

func TestDemoNeedsNothingAndGoesOn(t *testing.T) {
	s := &show{t: t, folder: t.TempDir()}
	s.begin()
	first := s.look()
	for _, slug := range []string{"arezzo", "carpi", "montevarchi", "pistoia", "rimini"} {
		if first.open[slug] < 8 || first.resolved[slug] < 50 {
			t.Errorf("%s has %d open and %d resolved conversations", slug, first.open[slug], first.resolved[slug])
		}
		if !strings.Contains(s.said, "anna@"+slug+".example") || !strings.Contains(s.said, "/desk/"+slug) {
			t.Errorf("nobody is told how to sign in at %s:\n%s", slug, s.said)
		}
	}
	for _, status := range []conversation.Status{conversation.Read, conversation.Delivered, conversation.Failed, conversation.Uncertain} {
		if first.statuses[status] == 0 {
			t.Errorf("no message is %s", status)
		}
	}
	if n := first.statuses[conversation.Queued] + first.statuses[conversation.Sending]; n > 0 {
		t.Errorf("%d messages are still on their way", n)
	}

	for slug, least := range map[string]int{"rimini": 200, "arezzo": 150, "carpi": 0} {
		if n := s.subscribers(slug); n < least || least == 0 && n > 0 {
			t.Errorf("%d are on the lists of %s", n, slug)
		}
	}
	s.castsAreThere()
	s.phone("POST", "citizens/+393475559999/messages", map[string]string{"number": "100000000000011", "text": "ISCRIZIONE ON #EMERGENZE"}, &struct{}{})
	s.until("the desk answers a keyword on the phone", func() bool {
		var chat struct {
			Items []struct{ Direction, Text string }
		}
		s.phone("GET", "citizens/+393475559999/messages", nil, &chat)
		return len(chat.Items) == 2 && strings.Contains(chat.Items[1].Text, "Emergenze")
	})
	first = s.look()

	var citizens struct{ Items []struct{ Address string } }
	s.phone("GET", "citizens", nil, &citizens)
	if len(citizens.Items) < 40 {
		t.Errorf("only %d phones have chats", len(citizens.Items))
	}
	var written struct{ ID string }
	s.phone("POST", "citizens/+393475550000/messages", map[string]string{"number": "100000000000011", "text": "Una domanda in più"}, &written)
	s.until("the new message is on the desk", func() bool { return s.look().messages["rimini"] == first.messages["rimini"]+1 })
	s.end()

	s.begin()
	if strings.Contains(s.said, "Preparing") {
		t.Error("a second start tells the story again")
	}
	if second := s.look(); second.messages["rimini"] != first.messages["rimini"]+1 {
		t.Errorf("a second start has %d messages in Rimini, the first ended with %d", second.messages["rimini"], first.messages["rimini"]+1)
	}
	s.end()

	s.begin("--reset")
	if third := s.look(); third.messages["rimini"] == 0 || third.messages["rimini"] > first.messages["rimini"] {
		t.Errorf("--reset begins with %d messages in Rimini, the first start had %d", third.messages["rimini"], first.messages["rimini"])
	}
	s.end()
}

func (s *show) until(what string, happened func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// A folder that holds a real desk is never touched, whatever is asked.
func TestDemoLeavesRealDesksAlone(t *testing.T) {
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if out, err := exec.Command(program, "migrate", "--data", folder, "--database", "sqlite:"+folder+"/filodiretto.db").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	before, err := os.ReadFile(filepath.Join(folder, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "demo", "--reset", "--data", folder, "--listen", fmt.Sprintf("127.0.0.1:%d", programtest.FreePorts(t, 2))).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no demo") {
		t.Errorf("the demo ran in a real desk's folder: %v: %s", err, out)
	}
	after, err := os.ReadFile(filepath.Join(folder, "secret.key"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key was touched: %v", err)
	}
}
