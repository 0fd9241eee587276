// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"mime"
	"net/http"
	"os"
	"time"
)

// shown are the types a browser may show by itself. Anything else is only ever saved.
var shown = map[string]bool{
	"image/jpeg": true, "image/png": true, "image/gif": true, "image/webp": true,
	"audio/ogg": true, "audio/mpeg": true, "audio/mp4": true, "audio/aac": true, "audio/amr": true, "audio/x-m4a": true,
	"video/mp4": true, "video/3gpp": true,
}

// ServeContent answers with the content of a file, or its thumbnail. What came from outside never runs
// in the desk's pages: no type is guessed, nothing but pictures, sounds and films is shown, and whatever
// it is stands in a sandbox of its own. The caller has checked who asks, and closes content.
func ServeContent(w http.ResponseWriter, r *http.Request, f File, content *os.File, thumbnail bool) {
	kind, tag := f.MIME, f.SHA256
	if thumbnail {
		kind, tag = "image/jpeg", tag+"-t"
	}
	disposition := "attachment"
	if shown[kind] {
		disposition = "inline"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": f.filename()}))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "private, max-age=86400")
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, content)
}

func (f File) filename() string {
	if f.Name != "" {
		return f.Name
	}
	if endings, err := mime.ExtensionsByType(f.MIME); err == nil && len(endings) > 0 {
		return "file" + endings[0]
	}
	return "file"
}
