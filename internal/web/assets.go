// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// assets are the files that pages load, built by cmd/assets. Their names carry a hash of their
// content: a browser may keep each for ever.
type assets struct {
	files     fs.FS
	addresses map[string]string // by the name without hash
}

func openAssets() (*assets, error) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	list, err := fs.ReadFile(files, "manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("this program was built without its pages' files: run go run ./cmd/assets, then build again")
	}
	if err != nil {
		return nil, fmt.Errorf("read the list of assets: %w", err)
	}
	a := &assets{files: files}
	if err := json.Unmarshal(list, &a.addresses); err != nil {
		return nil, fmt.Errorf("read the list of assets: %w", err)
	}
	for name, hashed := range a.addresses {
		a.addresses[name] = "/assets/" + hashed
	}
	return a, nil
}

// address is where the file called name is.
func (a *assets) address(name string) string { return a.addresses[name] }

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if strings.HasPrefix(name, ".") || path.Ext(name) == ".json" || path.Ext(name) == ".gz" {
		http.NotFound(w, r)
		return
	}
	if _, err := fs.Stat(a.files, name); err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", assetTypes[path.Ext(name)])
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if _, err := fs.Stat(a.files, name+".gz"); err == nil {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Vary", "Accept-Encoding")
			name += ".gz"
		}
	}
	http.ServeFileFS(w, r, a.files, name)
}

var assetTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
}
