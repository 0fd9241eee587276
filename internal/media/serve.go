// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"mime"
	"net/http"
	"os"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"github.com/filodiretto/filodiretto/internal/db"
)

// ServeContent answers with the content of a file, or its thumbnail. What came from outside never runs
// in the desk's pages: no type is guessed, only pictures, sounds and films are shown, everything else is
// saved, and whatever it is stands in a sandbox of its own. The caller has checked who asks, may have
// set Cache-Control, and closes content.
func ServeContent(w http.ResponseWriter, r *http.Request, f File, content *os.File, thumbnail bool) {
	contentType, tag := f.MIME, f.SHA256
	if thumbnail {
		contentType, tag = thumbnailType(content), tag+"-thumbnail"
	}
	contentType = harmless(contentType)
	disposition := "attachment"
	if shown(contentType) {
		disposition = "inline"
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": f.filename()}))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("ETag", `"`+tag+`"`)
	h.Set("Cache-Control", "private, no-cache") // kept, and shown only to who may still see it
	http.ServeContent(w, r, "", time.Time{}, content)
}

// shown are the types a browser may show by itself.
func shown(contentType string) bool {
	_, picture := decoders[contentType]
	return picture || class(contentType) == "audio" || class(contentType) == "video"
}

// harmless is the type to send. What is written in text may be a page or a script, under whatever name:
// it is sent as bytes to save.
func harmless(contentType string) string {
	if m := mimetype.Lookup(contentType); m == nil || isText(m) {
		return unknown
	}
	return contentType
}

// thumbnailType is the type of one of our own thumbnails.
func thumbnailType(content *os.File) string {
	var mark [1]byte
	if _, err := content.ReadAt(mark[:], 0); err == nil && mark[0] == 0x89 { // PNG's first byte
		return "image/png"
	}
	return "image/jpeg"
}

// filename is under which name the file is saved.
func (f File) filename() string {
	if f.Name != "" {
		return f.Name
	}
	if m := mimetype.Lookup(f.MIME); m != nil {
		return db.FormatID(f.ID) + m.Extension()
	}
	return db.FormatID(f.ID)
}
