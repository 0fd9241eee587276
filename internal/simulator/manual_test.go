// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

const manual = "../../docs/simulator.md"

// command is a line of the manual: what to run, and what its answer must have.
type command struct {
	words []string
	want  string
}

func readManual(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// commands are the lines of the manual that begin with curl.
func commands(t *testing.T) (all []command) {
	t.Helper()
	for line := range strings.Lines(readManual(t)) {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		call, want, found := strings.Cut(strings.TrimSpace(line), "# → ")
		if !found || want == "" {
			t.Errorf("the manual does not say what %s answers", line)
		}
		all = append(all, command{shellWords(call), want})
	}
	return all
}

var shellWord = regexp.MustCompile(`'([^']*)'|(\S+)`)

// shellWords takes a line apart as a shell does, as far as the manual goes: blanks, and single quotes around words.
func shellWords(line string) (words []string) {
	for _, m := range shellWord.FindAllStringSubmatch(line, -1) {
		words = append(words, m[1]+m[2])
	}
	return words
}

// request is what curl makes of its words.
func (c command) request(t *testing.T) *http.Request {
	t.Helper()
	method, url, body := "", "", ""
	header := http.Header{}
	for i := 1; i < len(c.words); i++ {
		switch word := c.words[i]; word {
		case "-s":
		case "-X", "-d", "-H":
			i++
			value := c.words[i]
			switch word {
			case "-X":
				method = value
			case "-d":
				body = value
			default:
				name, rest, _ := strings.Cut(value, ": ")
				header.Set(name, rest)
			}
		default:
			if strings.HasPrefix(word, "-") || url != "" {
				t.Fatalf("the test does not know %q of %v", word, c.words)
			}
			url = word
		}
	}
	if method == "" && body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	if body != "" && header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl does
	}
	return r
}

func TestManualIsTrue(t *testing.T) {
	s, d := start(t, simulator.Options{}), newDesk(t)
	all := commands(t)
	if len(all) < 30 {
		t.Fatalf("the manual has only %d commands", len(all))
	}
	for _, c := range all {
		for i := range c.words {
			c.words[i] = strings.NewReplacer("http://127.0.0.1:8090", s.url, "http://127.0.0.1:8080/webhook", d.URL).Replace(c.words[i])
		}
		resp, err := http.DefaultClient.Do(c.request(t))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), c.want) {
			t.Errorf("%s\nanswers %d %s\nwithout %s", strings.Join(c.words, " "), resp.StatusCode, raw, c.want)
		}
	}
}

func TestManualNamesEveryFaultAndDelay(t *testing.T) {
	text := readManual(t)
	for field := range reflect.TypeFor[simulator.Faults]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "reorder_within" && !strings.Contains(text, name) {
			t.Errorf("the manual does not name the fault %s", name)
		}
	}
	delays := start(t, simulator.Options{}).ok("GET", "/simulator/delays", nil)
	for name := range delays {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the manual does not name the delay %s", name)
		}
	}
	source, err := os.ReadFile("server.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`"(GET|PUT|POST) /simulator/([^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(delays) < 5 || len(routes) < 20 {
		t.Fatalf("only %d delays and %d routes were found: the test looks in the wrong place", len(delays), len(routes))
	}
	for _, route := range routes {
		path := strings.NewReplacer("{number}", "{id}").Replace(route[2])
		noun := path[strings.LastIndex(path, "/")+1:]
		if !strings.Contains(text, path) && !strings.Contains(text, "/"+noun) {
			t.Errorf("the manual does not name %s %s", route[1], path)
		}
	}
}
