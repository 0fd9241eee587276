// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"rsc.io/qr"
)

// picturePath is where pictures of short links are; as at Meta, whoever has the address needs no token.
const picturePath = "/whatsapp_business/qr/"

// pictureField finds the picture that is asked for as a field, such as qr_image_url.format(PNG).
var pictureField = regexp.MustCompile(`qr_image_url(?:\.format\((\w+)\))?`)

// pictureFormat is SVG or PNG, in capitals; "" where no picture is asked for.
func pictureFormat(fields string) string {
	asked := pictureField.FindStringSubmatch(fields)
	switch {
	case asked == nil:
		return ""
	case strings.EqualFold(asked[1], "PNG"):
		return "PNG"
	}
	return "SVG"
}

// node is a link as it is told, with the address of its picture if one is asked for.
func (l link) node(base, format string) map[string]any {
	node := map[string]any{"code": l.Code, "prefilled_message": l.Prefilled, "deep_link_url": l.address()}
	if format != "" {
		node["qr_image_url"] = base + picturePath + l.Code + "." + strings.ToLower(format)
	}
	return node
}

func (l link) address() string { return "https://wa.me/message/" + l.Code }

// getPicture draws the QR code of a link.
func (s *Server) getPicture(w http.ResponseWriter, r *http.Request) {
	code, format, _ := strings.Cut(r.PathValue("file"), ".")
	known := slices.ContainsFunc(s.dir.allNumbers(), func(n *number) bool {
		return slices.ContainsFunc(n.snapshot().Links, func(l link) bool { return l.Code == code })
	})
	drawn, err := qr.Encode(link{Code: code}.address(), qr.M)
	if !known || err != nil {
		http.NotFound(w, r)
		return
	}
	switch format {
	case "png":
		drawn.Scale = 12
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(drawn.PNG())
	case "svg":
		w.Header().Set("Content-Type", "image/svg+xml")
		_, _ = w.Write(vector(drawn))
	default:
		http.NotFound(w, r)
	}
}

// quiet is the white edge around a code, in modules, without which cameras do not find it.
const quiet = 4

func vector(code *qr.Code) []byte {
	size := code.Size + 2*quiet
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, size, size, size, size)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return []byte(b.String())
}
