// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"bytes"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// forEachScene draws every scene in every language.
func forEachScene(t *testing.T, f func(t *testing.T, markup string)) {
	t.Helper()
	for _, l := range locale.Languages() {
		ctx := sceneContext(l)
		all := scenes(ctx)
		if len(all) < 20 {
			t.Fatalf("only %d scenes", len(all))
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			t.Run(name+" in "+string(l), func(t *testing.T) {
				var b bytes.Buffer
				if err := all[name].Render(ctx, &b); err != nil {
					t.Fatal(err)
				}
				f(t, b.String())
			})
		}
	}
}

var missing = regexp.MustCompile(`\b(desk|page|status|role|kind|error|graph)\.[a-z_]+(\.[a-z_0-9]+)*\b`)

func TestNoTextIsMissing(t *testing.T) {
	forEachScene(t, func(t *testing.T, markup string) {
		for _, key := range missing.FindAllString(markup, -1) {
			if key != "desk.css" && key != "desk.js" {
				t.Errorf("no text for %s", key)
			}
		}
		if strings.Contains(markup, "%!") {
			t.Error("a value is badly formatted")
		}
	})
}

// The content security policy allows neither style nor script inside a page.
func TestNothingTheBrowserRefuses(t *testing.T) {
	forEachScene(t, func(t *testing.T, markup string) {
		walk(t, markup, func(n *html.Node) {
			if n.Data == "style" {
				t.Error("a style element")
			}
			if n.Data == "script" && attribute(n, "src") == "" && attribute(n, "type") != "application/json" {
				t.Error("a script inside the page")
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") {
					t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
				}
			}
		})
	})
}

func TestEveryIDIsOnce(t *testing.T) {
	forEachScene(t, func(t *testing.T, markup string) {
		seen, headings := map[string]bool{}, 0
		walk(t, markup, func(n *html.Node) {
			if id := attribute(n, "id"); id != "" && seen[id] {
				t.Errorf("two elements are %q", id)
			} else if id != "" {
				seen[id] = true
			}
			if n.Data == "h1" {
				headings++
			}
		})
		if headings > 1 {
			t.Errorf("%d first headings", headings)
		}
	})
}

func walk(t *testing.T, markup string, f func(*html.Node)) {
	t.Helper()
	tree, err := html.Parse(strings.NewReader(markup))
	if err != nil {
		t.Fatal(err)
	}
	for n := range tree.Descendants() {
		if n.Type == html.ElementNode {
			f(n)
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestWhatCitizensWriteStaysText(t *testing.T) {
	const nasty = `<script>alert(1)</script>"onmouseover="x`
	ctx := sceneContext(locale.Italian)
	th := thread(
		Message{ID: "1", Side: In, Type: Text, At: now, Text: nasty},
		Message{ID: "2", Side: In, Type: Document, At: now, Media: &Media{ID: "1", State: MediaReady, Name: nasty}},
		Message{ID: "3", Side: In, Type: Location, At: now, Location: &Spot{Name: nasty, Address: nasty}},
		Message{ID: "4", Side: In, Type: Contacts, At: now, Cards: []Card{{Name: nasty, Lines: []string{nasty}}}},
		Message{ID: "5", Side: In, Type: Text, At: now, Text: "javascript:alert(1) https://ok.example/" + nasty, Quote: &Quote{Author: nasty, Text: nasty}, Reactions: []Reaction{{Emoji: nasty, Who: nasty}}},
	)
	th.Name, th.Composer.Text = nasty, "</textarea>"+nasty
	c := maria
	c.Name = nasty
	var b bytes.Buffer
	if err := InboxPage(frame(SectionInbox, nasty), inbox("1"), &th, &c).Render(ctx, &b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "&lt;script&gt;alert(1)"); n < 8 {
		t.Errorf("what citizens wrote is shown %d times", n)
	}
	walk(t, b.String(), func(n *html.Node) {
		if n.Data == "script" && attribute(n, "src") == "" && attribute(n, "id") != "words" {
			t.Error("a citizen's script is a script")
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "onmouse") || a.Key == "href" && strings.HasPrefix(a.Val, "javascript:") {
				t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	})
}

func TestMessagesAreGrouped(t *testing.T) {
	at := func(minute int, side Side, author string, status Status) Message {
		return Message{Side: side, Author: author, At: at0(minute), Status: status}
	}
	for _, test := range []struct {
		name     string
		messages []Message
		want     []int
	}{
		{"by author and five minutes", []Message{at(0, In, "", ""), at(4, In, "", ""), at(9, In, "", "")}, []int{2, 1}},
		{"not across sides", []Message{at(0, In, "", ""), at(1, Out, "Anna", Read), at(2, In, "", "")}, []int{1, 1, 1}},
		{"not across authors", []Message{at(0, Out, "Anna", Read), at(1, Out, "Luca", Read)}, []int{1, 1}},
		{"not after one that failed", []Message{at(0, Out, "Anna", Failed), at(1, Out, "Anna", Read)}, []int{1, 1}},
		{"sent and read share a foot", []Message{at(0, Out, "Anna", Sent), at(1, Out, "Anna", Read)}, []int{2}},
		{"events stand alone", []Message{at(0, Event, "", ""), at(0, Event, "", "")}, []int{1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []int
			for _, d := range arrange(sceneContext(locale.Italian), test.messages) {
				for _, g := range d.groups {
					got = append(got, len(g.messages))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("groups of %v, want %v", got, test.want)
			}
		})
	}
}

func TestAddressesInTexts(t *testing.T) {
	for text, want := range map[string][]string{
		"niente":                    nil,
		"vedi https://a.example/x.": {"https://a.example/x"},
		"(https://a.example/x) e http://b.example,": {"https://a.example/x", "http://b.example"},
		"HTTPS://A.EXAMPLE":                         {"HTTPS://A.EXAMPLE"},
		"javascript:alert(1)":                       nil,
	} {
		var got []string
		whole := ""
		for _, p := range pieces(text) {
			whole += p.text
			if p.address != "" {
				got = append(got, p.address)
			}
		}
		if !slices.Equal(got, want) || whole != text {
			t.Errorf("%q: %q in %q", text, got, whole)
		}
	}
}

func TestPicturesKeepTheirRatioWithinTheThread(t *testing.T) {
	for _, test := range []struct{ width, height, wantWidth, wantHeight int }{
		{1200, 900, 400, 300}, {600, 2400, 80, 320}, {100, 50, 100, 50}, {0, 0, 320, 240}, {1, 100000, 1, 320},
	} {
		m := Media{Width: test.width, Height: test.height}
		if m.shownWidth() != test.wantWidth || m.shownHeight() != test.wantHeight {
			t.Errorf("%d × %d is shown %d × %d", test.width, test.height, m.shownWidth(), m.shownHeight())
		}
	}
}

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{"Anna Fabbri": "AF", "anna": "A", "Maria Grazia De Rossi": "MR", "+39 347": "", "🌻": "", "Élodie": "É", "مريم": "م"} {
		if got := initials(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestThe24HoursAreTold(t *testing.T) {
	th := thread()
	for _, test := range []struct {
		closes time.Time
		want   string
	}{
		{now.Add(21 * time.Hour), "finestra aperta ancora 21 h (fino a domani 07:45)"},
		{now.Add(-time.Minute), "finestra chiusa"},
		{time.Time{}, "finestra chiusa"},
	} {
		th.Closes = test.closes
		var b bytes.Buffer
		if err := window(th).Render(sceneContext(locale.Italian), &b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), test.want) {
			t.Errorf("%v: %s", test.closes, b.String())
		}
	}
}

func TestDrawingWithoutASettingIsAMistakeThatShows(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("drawn without a setting")
		}
	}()
	var b bytes.Buffer
	_ = FailurePage(nil, Failure{}).Render(context.Background(), &b)
}

func TestFirstNames(t *testing.T) {
	for name, want := range map[string]string{"Maria Bianchi": "Maria", "🌻 Zoë 👩‍👩‍👧 Müller": "Zoë", "+39 347 123 4567": "+39 347 123 4567", "@paolo.gatti": "@paolo.gatti", "مريم الحسن": "مريم", "👍": "👍", "": ""} {
		if got := firstName(name); got != want {
			t.Errorf("%q is addressed as %q, want %q", name, got, want)
		}
	}
}
