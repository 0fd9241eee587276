// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/locale"
)

func TestShots(t *testing.T) {
	if os.Getenv("SCENES") == "" {
		t.Skip()
	}
	manifest := map[string]string{}
	b, _ := os.ReadFile("../dist/manifest.json")
	json.Unmarshal(b, &manifest)
	mux := http.NewServeMux()
	mux.HandleFunc("/assets/", func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Base(r.URL.Path)
		if m := manifest[name]; m != "" {
			name = m
		}
		http.ServeFile(w, r, "../dist/"+name)
	})
	mux.HandleFunc("/scene/{lang}/{name}", func(w http.ResponseWriter, r *http.Request) {
		ctx := sceneContext(locale.Language(r.PathValue("lang")))
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := scenes(ctx)[r.PathValue("name")].Render(ctx, w); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/desk/rimini/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write([]byte("event: hello\ndata: x\n\n"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/desk/rimini/media/", func(w http.ResponseWriter, r *http.Request) {
		wd, ht := 400, 300
		if strings.Contains(r.URL.Path, "tall") {
			wd, ht = 80, 320
		}
		im := image.NewRGBA(image.Rect(0, 0, wd, ht))
		for y := range ht {
			for x := range wd {
				im.Set(x, y, color.RGBA{uint8(80 + y/3), uint8(110 + x/8), uint8(140), 255})
			}
		}
		w.Header().Set("Content-Type", "image/png")
		png.Encode(w, im)
	})
	srv := httptest.NewServer(mux)
	defer func() { srv.CloseClientConnections(); srv.Close() }()
	p := browsertest.Open(t)
	for _, shot := range strings.Fields(os.Getenv("SCENES")) {
		part := strings.Split(shot, ":") // name:size:theme:lang:click
		for len(part) < 5 {
			part = append(part, "")
		}
		wh := map[string][2]int64{"": {1366, 768}, "L": {1920, 1080}, "S": {360, 740}, "M": {1024, 768}}[part[1]]
		p.Viewport(wh[0], wh[1])
		theme := "light"
		if part[2] == "D" {
			theme = "dark"
		}
		p.Prefer("prefers-color-scheme", theme)
		lang := "it"
		if part[3] != "" {
			lang = part[3]
		}
		p.Go(srv.URL + "/scene/" + lang + "/" + part[0])
		browsertest.Eval[bool](p, "document.fonts.ready.then(() => new Promise(r => setTimeout(() => r(true), 150)))")
		if part[4] != "" {
			browsertest.Eval[bool](p, part[4])
		}
		p.Screenshot(strings.ReplaceAll(strings.Join(part[:4], "_"), ":", "_"))
		if os.Getenv("AXE") != "" {
			for _, v := range p.Violations() {
				t.Errorf("%s: %s", shot, v)
			}
		}
	}
}
