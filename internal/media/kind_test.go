// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"archive/zip"
	"bytes"
	"errors"
	"image"
	"strings"
	"testing"
	"unicode/utf8"
)

func zipOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		w, err := z.Create(n)
		if err == nil {
			_, err = w.Write([]byte("x"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTypeOfContent(t *testing.T) {
	photo := jpegOf(t, image.NewGray(image.Rect(0, 0, 4, 4)))
	pdf := []byte("%PDF-1.7\n%âãÏÓ\n1 0 obj\n")
	html := []byte("<!DOCTYPE html><html><body>x</body></html>")
	svg := []byte(`<svg xmlns="http://www.w3.org/2000/svg"></svg>`)
	exe := append([]byte("MZ\x90\x00"), make([]byte, 60)...)
	opus := opusHead(0)
	mp4 := append([]byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"), make([]byte, 40)...)
	odd := []byte{0x01, 0x02, 0x00, 0x9C, 0xFE, 0x11, 0x00, 0x80}
	ole := append([]byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}, make([]byte, 600)...)
	mismatch, dangerous := final{Refused, ReasonMismatch}, final{Refused, ReasonDangerous}
	for name, c := range map[string]struct {
		content        []byte
		declared, name string
		want           string
		err            error
	}{
		"photo":                     {photo, "image/jpeg", "", "image/jpeg", nil},
		"photo of another format":   {photo, "image/png", "", "image/jpeg", nil},
		"photo as document":         {photo, "application/octet-stream", "foto.jpg", "image/jpeg", nil},
		"photo as film":             {photo, "video/mp4", "", "", mismatch},
		"page as photo":             {html, "image/jpeg", "", "", mismatch},
		"page as voice":             {html, "audio/ogg", "", "", mismatch},
		"page as PDF":               {html, "application/pdf", "modulo.pdf", "", mismatch},
		"page as page":              {html, "text/html", "", "text/html", nil},
		"drawing as photo":          {svg, "image/png", "", "", mismatch},
		"drawing as drawing":        {svg, "image/svg+xml", "", "image/svg+xml", nil},
		"nonsense as photo":         {odd, "image/jpeg", "", "", mismatch},
		"nonsense as sound":         {odd, "audio/mpeg", "", unknown, nil},
		"signed document":           {odd, "application/pkcs7-mime", "delega.pdf.p7m", unknown, nil},
		"voice":                     {opus, "audio/ogg", "", "audio/ogg", nil},
		"voice as document":         {opus, "", "nota.ogg", "audio/ogg", nil},
		"sound in a film's box":     {mp4, "audio/mp4", "", "audio/mp4", nil},
		"film":                      {mp4, "video/mp4", "", "video/mp4", nil},
		"film as 3GPP":              {mp4, "video/3gpp", "", "video/3gpp", nil},
		"PDF":                       {pdf, "application/pdf", "", "application/pdf", nil},
		"PDF as photo":              {pdf, "image/jpeg", "", "", mismatch},
		"word":                      {zipOf(t, "[Content_Types].xml", "word/document.xml"), docx, "", docx, nil},
		"word told by name":         {zipOf(t, "a"), "", "Modulo.DOCX", docx, nil},
		"word told by type":         {zipOf(t, "a"), docx, "", docx, nil},
		"old word told by name":     {ole, "application/octet-stream", "a.doc", "application/msword", nil},
		"zip":                       {zipOf(t, "a"), "application/zip", "a.zip", "application/zip", nil},
		"zip under a PDF's name":    {zipOf(t, "a"), "application/pdf", "", "", mismatch},
		"text":                      {[]byte("Buongiorno"), "text/plain", "a.txt", "text/plain", nil},
		"table":                     {[]byte("a;b\n1;2\n"), "text/plain", "a.csv", "text/plain", nil},
		"program":                   {exe, "application/octet-stream", "", "", dangerous},
		"program as photo":          {exe, "image/jpeg", "", "", dangerous},
		"program by name":           {[]byte("MsgBox 1"), "text/plain", "bolletta.pdf.VBS", "", dangerous},
		"shortcut by name":          {odd, "", "foto.jpg.lnk", "", dangerous},
		"script":                    {[]byte("#!/bin/sh\nrm -rf ~\n"), "text/plain", "", "", dangerous},
		"a photo with a page in it": {append(bytes.Clone(photo), html...), "image/jpeg", "", "image/jpeg", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := typeOf(bytes.NewReader(c.content), c.declared, c.name)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

func TestWhatAFileGoesAs(t *testing.T) {
	for mime, want := range map[string]string{"image/jpeg": "image", "image/png": "image", "image/webp": "sticker", "image/gif": "document", "video/mp4": "video",
		"video/x-msvideo": "video", "audio/ogg": "audio", "application/pdf": "document", "text/plain": "document", "": "document"} {
		if got := GoesAs(mime); got != want {
			t.Errorf("%q goes as %q, want %q", mime, got, want)
		}
	}
}

func TestSafeName(t *testing.T) {
	long := strings.Repeat("è", 300)
	for name, want := range map[string]string{
		"modulo.pdf":             "modulo.pdf",
		"../../etc/passwd":       "passwd",
		`C:\Users\anna\foto.jpg`: "foto.jpg",
		"a\x00b\r\n.pdf":         "ab.pdf",
		"fattura\u202Egpj.exe":   "fatturagpj.exe",
		" .nascosto. ":           "nascosto",
		"\xff\xfe.pdf":           "pdf",
		"..":                     "",
		"":                       "",
		long + ".pdf":            long[:2*196] + ".pdf",
		"Perché sì 👍.txt":        "Perché sì 👍.txt",
	} {
		got := safeName(name)
		if got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
		if utf8.RuneCountInString(got) > maxName {
			t.Errorf("%q is too long", got)
		}
	}
}

func TestBaseType(t *testing.T) {
	for declared, want := range map[string]string{
		"audio/ogg; codecs=opus": "audio/ogg", "IMAGE/JPEG": "image/jpeg", "image/jpeg; =": "image/jpeg", "": "", "no type at all": "", "a/\x00": "", "text/plain;charset=utf-8": "text/plain",
	} {
		if got := baseType(declared); got != want {
			t.Errorf("%q became %q, want %q", declared, got, want)
		}
	}
}
