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
// in the desk's pages: no type is guessed, only thumbnails, sounds and films are shown, everything else is
// saved (a picture is shown by ServeShown), and whatever it is stands in a sandbox of its own. The caller has checked who asks, may have
// set Cache-Control, and closes content.
func ServeContent(w http.ResponseWriter, r *http.Request, f File, content *os.File, thumbnail bool) {
	if thumbnail {
		answer(w, r, content, pictureType(content), f.SHA256+"-thumbnail", "inline")
		return
	}
	contentType := harmless(f.MIME)
	disposition := "attachment"
	if class(contentType) == "audio" || class(contentType) == "video" {
		disposition = "inline"
	}
	answer(w, r, content, contentType, f.SHA256, mime.FormatMediaType(disposition, map[string]string{"filename": f.filename()}))
}

// ServeShown answers with what OpenShown opened, as ServeContent does.
func ServeShown(w http.ResponseWriter, r *http.Request, f File, content *os.File) {
	answer(w, r, content, pictureType(content), f.SHA256+shownSuffix, "inline")
}

// ServeSound answers with what OpenSound opened, as ServeContent does.
func ServeSound(w http.ResponseWriter, r *http.Request, f File, content *os.File) {
	answer(w, r, content, soundType, f.SHA256+soundSuffix, "inline")
}

func answer(w http.ResponseWriter, r *http.Request, content *os.File, contentType, tag, disposition string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", disposition)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("ETag", `"`+tag+`"`)
	h.Set("Cache-Control", "private, no-cache") // kept, and shown only to who may still see it
	http.ServeContent(w, r, "", time.Time{}, content)
}

// harmless is the type to send. What is written in text may be a page or a script, under whatever name:
// it is sent as bytes to save.
func harmless(contentType string) string {
	if m := mimetype.Lookup(contentType); m == nil || isText(m) {
		return unknown
	}
	return contentType
}

// pictureType is the type of a picture that we made.
func pictureType(content *os.File) string {
	var mark [1]byte
	_, _ = content.ReadAt(mark[:], 0) // a broken one shows as such
	switch mark[0] {
	case pngSignature[0]:
		return "image/png"
	case 'R': // RIFF
		return "image/webp"
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
