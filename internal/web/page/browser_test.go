// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"encoding/json"
	"image"
	"image/png"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/locale"
)

// stage serves the scenes at /scene/LANGUAGE/NAME under the desk's content security policy.
func stage(t *testing.T) *httptest.Server {
	t.Helper()
	var files map[string]string
	list, err := os.ReadFile(filepath.Join("..", "dist", "manifest.json"))
	if err != nil {
		t.Fatalf("the assets are not built, go run ./cmd/assets does it: %v", err)
	}
	if err := json.Unmarshal(list, &files); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{name}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if hashed, ok := files[name]; ok {
			name = hashed
		}
		http.ServeFile(w, r, filepath.Join("..", "dist", path.Base(name)))
	})
	mux.HandleFunc("GET /scene/{language}/{name}", func(w http.ResponseWriter, r *http.Request) {
		ctx := sceneContext(locale.Language(r.PathValue("language")))
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'")
		if err := scenes(ctx)[r.PathValue("name")].Render(ctx, w); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /desk/rimini/media/", func(w http.ResponseWriter, r *http.Request) {
		if err := png.Encode(w, image.NewGray(image.Rect(0, 0, 400, 300))); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /desk/rimini/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /desk/rimini/inbox/list", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// tablesCut are tables, hidden or not, that have to be moved sideways to be read. The numbers of a chart are left out: they
// may have a column for each of many lists.
const tablesCut = `[...document.querySelectorAll(".table-scroll:not(.chart-scroll)")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText.slice(0, 80))`

// tablesAskew are tables that are seen, with a cell beside the column it is of.
const tablesAskew = `[...document.querySelectorAll("table.data")].filter(t => t.checkVisibility() && t.tHead?.clientHeight > 1 && [...t.tHead.rows[0].cells].some((c, i) => {
	const cell = t.tBodies[0].rows[0].cells[i].getBoundingClientRect(), head = c.getBoundingClientRect();
	return cell.left !== head.left || cell.width !== head.width;
})).map(t => t.innerText.slice(0, 80))`

// Every page in every state is accessible and fits: light on a desk's screen, dark on a phone.
func TestEverySceneIsAccessible(t *testing.T) {
	server := stage(t)
	p := browsertest.Open(t)
	for _, look := range []struct {
		theme         string
		language      locale.Language
		width, height int64
	}{
		{"light", locale.Italian, 1366, 768},
		{"dark", locale.English, 360, 740},
	} {
		p.Viewport(look.width, look.height)
		p.Prefer("prefers-color-scheme", look.theme)
		for _, name := range slices.Sorted(maps.Keys(scenes(sceneContext(look.language)))) {
			p.Go(server.URL + "/scene/" + string(look.language) + "/" + name)
			for _, v := range p.Violations() {
				t.Errorf("%s, %s, %d pixels: %s", name, look.theme, look.width, v)
			}
			if wide := browsertest.Eval[int64](p, `document.documentElement.scrollWidth`); wide > look.width {
				t.Errorf("%s is %d pixels wide on a screen of %d", name, wide, look.width)
			}
			if browsertest.Eval[bool](p, `document.body.matches(".desk") && document.documentElement.scrollHeight > innerHeight`) {
				t.Errorf("%s: the window itself can be scrolled, and its bar with it", name)
			}
			if look.width < 600 {
				if cut := browsertest.Eval[[]string](p, tablesCut); len(cut) > 0 {
					t.Errorf("%s: a table goes on beyond the screen: %q", name, cut)
				}
			}
			if askew := browsertest.Eval[[]string](p, tablesAskew); look.width > 600 && len(askew) > 0 {
				t.Errorf("%s: a column does not stand under its name: %q", name, askew)
			}
			p.Screenshot("scene-" + name + "-" + look.theme)
		}
	}
}
