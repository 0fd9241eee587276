// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"errors"
	"image"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// What is kept under a class that the desk shows is of that class, whatever its sender says it is; and no name makes a
// desktop run it.
func FuzzTypeOf(f *testing.F) {
	f.Add(jpegOf(f, image.NewGray(image.Rect(0, 0, 4, 4))), "image/jpeg", "foto.jpg")
	f.Add([]byte("%PDF-1.7\n1 0 obj\n"), "application/pdf", "modulo.pdf")
	f.Add([]byte("<!DOCTYPE html><html><body>x</body></html>"), "audio/ogg", "a\u202egpj.exe")
	f.Add([]byte(`<svg xmlns="http://www.w3.org/2000/svg"></svg>`), "image/svg+xml", `..\..\x.svg`)
	f.Add(opusHead(0), "audio/ogg; codecs=opus", "")
	f.Add([]byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"), "video/mp4", "x.mp4")
	f.Add([]byte("MZ\x90\x00"), "application/octet-stream", ".exe")
	f.Add([]byte("PK\x03\x04"), docx, "x.docx")
	f.Fuzz(func(t *testing.T, content []byte, declared, name string) {
		name = safeName(name)
		if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsAny(name, `/\`) || strings.ContainsFunc(name, unicode.IsControl) || safeName(name) != name {
			t.Errorf("the name %q, made safe again %q", name, safeName(name))
		}
		mime, err := typeOf(bytes.NewReader(content), baseType(declared), name)
		if judgement := (final{}); err != nil {
			if !errors.As(err, &judgement) {
				t.Fatal(err)
			}
			return
		}
		if slices.Contains(programNames, strings.ToLower(path.Ext(name))) || slices.Contains(programs, mime) {
			t.Errorf("a program is kept: %s %q", mime, name)
		}
		if strings.ContainsAny(mime, "; \r\n") || !strings.Contains(mime, "/") {
			t.Errorf("no type: %q", mime)
		}
	})
}
