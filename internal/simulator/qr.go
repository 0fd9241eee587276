// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of short links. Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/qr-codes
const (
	maxLinks       = 2000
	maxLinkMessage = 140
)

// link is a short address, also as a QR code, that opens a chat with a text written already.
type link struct {
	Code      string `json:"code"`
	Prefilled string `json:"prefilled_message"`
}

// links is /{phone_number_id}/message_qrdls and one of them below it.
func (s *Server) links(g *graphRequest, n *number) (any, *graphError) {
	switch {
	case g.Method == http.MethodPost:
		return s.putLink(n, g.rest, g.body, s.baseURL(g.Request))
	case g.Method == http.MethodGet:
		return n.listLinks(g.rest, g.query, s.baseURL(g.Request), g.URL.Path)
	case g.Method == http.MethodDelete && g.rest != "":
		return s.deleteLink(n, g.rest)
	}
	return nil, unsupported(g)
}

// putLink makes a link, or changes the text of the one whose code is told, in the address or in the body.
func (s *Server) putLink(n *number, code string, body []byte, base string) (any, *graphError) {
	var in struct {
		link
		Image string `json:"generate_qr_image"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	in.Code, in.Image = cmp.Or(code, in.Code), strings.ToUpper(in.Image)
	switch length := utf8.RuneCountInString(in.Prefilled); {
	case length == 0 || length > maxLinkMessage:
		return nil, refuse(100, "Param prefilled_message must have 1 to %d characters.", maxLinkMessage)
	case in.Image != "" && in.Image != "SVG" && in.Image != "PNG":
		return nil, refuse(100, "Param generate_qr_image must be one of {PNG, SVG}.")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.state.Links, func(l link) bool { return l.Code == in.Code })
	switch {
	case in.Code != "" && i < 0:
		return nil, refuse(100, "There is no code %s.", in.Code)
	case i >= 0:
		n.state.Links = slices.Clone(n.state.Links) // who reads them has the list as it was
		n.state.Links[i] = in.link
	case len(n.state.Links) >= maxLinks:
		return nil, refuse(100, "A number has %d codes at most.", maxLinks)
	default:
		in.Code = s.dice.letters("link", 14)
		n.state.Links = append(slices.Clip(n.state.Links), in.link)
	}
	s.saver.touch()
	return in.node(base, in.Image), nil
}

func (n *number) listLinks(code string, q url.Values, base, path string) (any, *graphError) {
	var items []listed
	for _, l := range n.snapshot().Links {
		if code == "" || l.Code == code {
			items = append(items, listed{key: l.Code, node: l.node(base, pictureFormat(q.Get("fields")))})
		}
	}
	if code != "" && len(items) == 0 {
		return nil, refuse(100, "There is no code %s.", code)
	}
	page, err := paginate(items, q, base+path, []string{"code", "prefilled_message", "deep_link_url"})
	if code != "" { // a list of one has no pages
		delete(page, "paging")
	}
	return page, err
}

func (s *Server) deleteLink(n *number, code string) (any, *graphError) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := len(n.state.Links)
	n.state.Links = slices.DeleteFunc(slices.Clone(n.state.Links), func(l link) bool { return l.Code == code })
	if len(n.state.Links) == before {
		return nil, refuse(100, "There is no code %s.", code)
	}
	s.saver.touch()
	return success, nil
}
