// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed web
var phoneFiles embed.FS

// phonePolicy is the page's content security policy: everything comes from here, nothing inline.
const phonePolicy = "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// page serves one of the pages: the citizens' phones, or the traffic.
func page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { servePage(w, r, name) }
}

func servePage(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	h.Set("Content-Security-Policy", phonePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "microphone=(self)")
	h.Set("Cache-Control", "no-cache")
	http.ServeFileFS(w, r, phoneFiles, "web/"+name)
}

func phoneAssets() http.Handler {
	files, err := fs.Sub(phoneFiles, "web")
	if err != nil {
		panic("simulator: the embedded page is missing: " + err.Error())
	}
	serve := http.StripPrefix("/phone/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		serve.ServeHTTP(w, r)
	})
}
