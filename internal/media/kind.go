// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"cmp"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// maxSize is the largest file there is on WhatsApp, in bytes.
const maxSize = 100 << 20

// unknown is the type of what can't be told from its bytes.
const unknown = "application/octet-stream"

// sendable are the types WhatsApp takes from a business, and up to how many bytes (Meta: Cloud API,
// supported media types). A WebP goes as a sticker; one that does not move may have stillSticker bytes.
var sendable = map[string]int64{
	"audio/aac": 16 << 20, "audio/amr": 16 << 20, "audio/mpeg": 16 << 20, "audio/mp4": 16 << 20, "audio/ogg": 16 << 20,
	"image/jpeg": 5 << 20, "image/png": 5 << 20, webP: 500 << 10,
	"video/mp4": 16 << 20, "video/3gpp": 16 << 20,
	"text/plain": maxSize, "application/pdf": maxSize,
	"application/msword": maxSize, "application/vnd.ms-excel": maxSize, "application/vnd.ms-powerpoint": maxSize,
	docx: maxSize, xlsx: maxSize, pptx: maxSize,
}

// stillSticker is the most that a sticker which does not move may have, in bytes.
const stillSticker = 100 << 10

const (
	webP = "image/webp"
	docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
)

// office are the types that a file's name may make more precise: bytes alone often tell only the container.
var office = map[string]string{
	".doc": "application/msword", ".xls": "application/vnd.ms-excel", ".ppt": "application/vnd.ms-powerpoint",
	".docx": docx, ".xlsx": xlsx, ".pptx": pptx,
}

// sameAs are other names for a type, or a kind of it that is shown in the same way.
var sameAs = map[string]string{
	"audio/x-m4a": "audio/mp4", "video/x-m4v": "video/mp4", "image/apng": "image/png", "application/ogg": "audio/ogg",
}

// programs are types that run when opened.
var programs = []string{
	"application/vnd.microsoft.portable-executable", "application/x-elf", "application/x-mach-binary", "application/x-ms-installer",
	"application/x-ms-shortcut", "application/java-archive", "application/vnd.android.package-archive", "application/x-java-applet",
	"application/x-chrome-extension", "application/x-shockwave-flash", "application/wasm", "application/x-bytecode.python",
	"application/vnd.debian.binary-package", "application/x-rpm", "application/vnd.ms-htmlhelp",
	"text/x-shellscript", "text/x-php", "text/x-perl", "text/x-python", "text/x-ruby", "text/x-lua", "text/x-tcl",
}

// GoesAs is the type of message in which WhatsApp carries a file of this type: image, sticker, video or audio. What it
// shows in no other way is a document.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
func GoesAs(mime string) string {
	switch kind := class(mime); {
	case mime == webP:
		return "sticker"
	case mime == "image/jpeg", mime == "image/png", kind == "video", kind == "audio":
		return kind
	}
	return "document"
}

// programNames are the ends of names that make a desktop run the file, whatever is in it.
var programNames = strings.Fields(`.exe .com .scr .pif .bat .cmd .msi .msp .msix .appx .cpl .dll .lnk .url .scf .reg .inf
	.js .jse .vbs .vbe .wsf .wsh .ws .hta .ps1 .psm1 .msc .gadget .jar .jnlp .apk .app .command .sh .desktop .chm .hlp
	.iso .img .vhd .vhdx .xll .appref-ms .application`)

// final is a judgement on a file that no further attempt changes.
type final struct {
	state  State
	reason string // one of the Reason…
}

func (f final) Error() string { return "the file is " + string(f.state) + ": " + f.reason }

// typeOf finds the type of content by its bytes, and refuses programs and what is not of the kind that
// its sender declared.
func typeOf(content io.Reader, declared, name string) (string, error) {
	found, err := mimetype.DetectReader(content)
	if err != nil {
		return "", err
	}
	if isProgram(found, name) {
		return "", final{Refused, ReasonDangerous}
	}
	if !plausible(found, declared) {
		return "", final{Refused, ReasonMismatch}
	}
	return canonical(found, declared, name), nil
}

func isProgram(found *mimetype.MIME, name string) bool {
	if slices.Contains(programNames, strings.ToLower(path.Ext(name))) {
		return true
	}
	for m := found; m != nil; m = m.Parent() {
		if slices.ContainsFunc(programs, m.Is) {
			return true
		}
	}
	return false
}

// plausible holds the content against the declared class. Sounds and films have many containers, of
// which some bytes say nothing; these and documents are kept, to be saved and not shown. A picture must
// be a picture, and a PDF a PDF.
func plausible(found *mimetype.MIME, declared string) bool {
	kind, unclear := class(found.String()), found.Is(unknown)
	switch {
	case isText(found) && class(declared) != "application" && class(declared) != "text":
		return class(declared) == "" || declared == "image/svg+xml" && found.Is(declared)
	case class(declared) == "image":
		return kind == "image"
	case class(declared) == "audio", class(declared) == "video":
		return kind == "audio" || kind == "video" || found.Is("application/ogg") || unclear
	case declared == "application/pdf":
		return found.Is(declared) || unclear
	}
	return true
}

// canonical is the type under which the file is kept: as found, or as declared or named where that
// only says more of the same container.
func canonical(found *mimetype.MIME, declared, name string) string {
	base := baseType(found.String())
	for _, precise := range []string{declared, office[strings.ToLower(path.Ext(name))]} {
		if m := mimetype.Lookup(precise); m != nil && base != unknown && isKindOf(m.Parent(), base) {
			base = baseType(m.String())
		}
	}
	base = cmp.Or(sameAs[base], base)
	if rest, ok := strings.CutPrefix(base, "video/"); ok && class(declared) == "audio" {
		return "audio/" + rest // one container serves both
	}
	return base
}

func isKindOf(m *mimetype.MIME, base string) bool {
	for ; m != nil; m = m.Parent() {
		if m.Is(base) {
			return true
		}
	}
	return false
}

// isText tells of text and all that is written in it: HTML, SVG, scripts.
func isText(m *mimetype.MIME) bool { return isKindOf(m, "text/plain") }

func class(mime string) string {
	kind, _, _ := strings.Cut(mime, "/")
	return kind
}
