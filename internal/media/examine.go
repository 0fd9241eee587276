// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"image"
	_ "image/gif"  // reads the sizes and pictures of GIF,
	_ "image/jpeg" // JPEG
	_ "image/png"  // and PNG
	"io"
	"strings"

	"github.com/gabriel-vasile/mimetype"
	_ "golang.org/x/image/webp" // and WebP
)

// maxPixels is more than phones take; a picture that claims more is a bomb.
const maxPixels = 60_000_000

// examine finds out what the content is, whatever it was said to be.
func (in *incoming) examine(f *File) error {
	if in.size == 0 {
		return ErrEmpty
	}
	if in.size > MaxFile {
		return ErrTooLarge
	}
	if _, err := in.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	found, err := mimetype.DetectReader(in.file)
	if err != nil {
		return err
	}
	f.MIME, _, _ = strings.Cut(found.String(), ";")
	switch {
	case class(f.MIME) == "image":
		return in.measure(f)
	case f.MIME == "audio/ogg" || f.MIME == "application/ogg":
		f.MIME = "audio/ogg"
		f.Duration = oggDuration(in.file, in.size)
	}
	return nil
}

// measure reads the size of a picture without decoding it, and refuses what would fill the memory.
func (in *incoming) measure(f *File) error {
	if _, err := in.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	config, _, err := image.DecodeConfig(in.file)
	if err != nil {
		return nil // a kind of picture we can't draw: it is kept, without a size
	}
	if config.Width <= 0 || config.Height <= 0 || config.Width > maxPixels/config.Height {
		return errBomb
	}
	f.Width, f.Height = config.Width, config.Height
	if orientation(in.file).sideways() {
		f.Width, f.Height = f.Height, f.Width
	}
	return nil
}

// class is the part of a type that must not change: what is sent as a picture must be one.
func class(mime string) string {
	kind, _, _ := strings.Cut(mime, "/")
	return kind
}

// programs are never stored, whatever they come as.
var programs = map[string]bool{
	"application/vnd.microsoft.portable-executable": true,
	"application/x-elf":                             true,
	"application/x-executable":                      true,
	"application/x-sharedlib":                       true,
	"application/x-object":                          true,
	"application/x-mach-binary":                     true,
	"application/jar":                               true,
	"application/x-java-applet":                     true,
	"application/vnd.android.package-archive":       true,
	"application/x-ms-installer":                    true,
	"application/x-chrome-extension":                true,
}

// mismatch is the reason to refuse content that is not what was declared, "" if it is.
func mismatch(declared, found string) string {
	declared, _, _ = strings.Cut(strings.ToLower(declared), ";")
	want, have := class(declared), class(found)
	switch {
	case programs[found]:
		return "media.dangerous"
	case want != "image" && want != "audio" && want != "video":
		return "" // documents are of any kind, and are never shown by us
	case want == have:
		return ""
	case (want == "audio" || want == "video") && (have == "audio" || have == "video"):
		return "" // the containers are the same
	case found == "application/octet-stream" && want != "image":
		return "" // an old sound format that has no mark
	}
	return "media.not_as_declared"
}

// accepted are the types WhatsApp takes from us, and their largest size in bytes.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
var accepted = map[string]int64{
	"audio/aac": 16 << 20, "audio/amr": 16 << 20, "audio/mpeg": 16 << 20, "audio/mp4": 16 << 20, "audio/x-m4a": 16 << 20, "audio/ogg": 16 << 20,
	"image/jpeg": 5 << 20, "image/png": 5 << 20,
	"video/mp4": 16 << 20, "video/3gpp": 16 << 20,
	"text/plain": MaxFile, "application/pdf": MaxFile, "application/msword": MaxFile, "application/vnd.ms-excel": MaxFile, "application/vnd.ms-powerpoint": MaxFile,
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   MaxFile,
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         MaxFile,
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": MaxFile,
}

func sendable(f File) error {
	most, ok := accepted[f.MIME]
	if !ok {
		return ErrType
	}
	if f.Size > most {
		return ErrTooLarge
	}
	return nil
}
