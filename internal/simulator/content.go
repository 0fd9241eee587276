// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of contents. Source: section "messages" of Meta's reference, one page a type.
const (
	maxText    = 4096
	maxCaption = 1024
	maxCards   = 257
)

// fill checks what req sends and puts it into m, with the text a person would read.
func (s *Server) fill(n *number, req *sendRequest, to recipient, m *message) *graphError {
	switch req.Type {
	case "text":
		return fillText(req.Text, m)
	case "image", "video", "audio", "document", "sticker":
		return s.fillMedia(n, req, m)
	case "location":
		return fillLocation(req.Location, m)
	case "contacts":
		return fillContacts(req.Contacts, m)
	case "reaction":
		return s.fillReaction(n, req.Reaction, to, m)
	case "interactive":
		return s.fillInteractive(n, req.Interactive, m)
	case "template":
		return s.fillTemplate(n, req.Template, to, m)
	}
	return refuse(100, "Param type must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, STICKER, TEMPLATE, TEXT, VIDEO} - got %q.", req.Type)
}

// decodeContent reads a content object; a key Meta does not know is refused, as Meta does.
func decodeContent(name string, raw json.RawMessage, into any) *graphError {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return refuse(131008, "The parameter %s is required.", name)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		refusal := badJSON(err)
		refusal.Details = "In " + name + ": " + refusal.Details
		return refusal
	}
	return nil
}

// textLimit is how long a parameter may be, in characters.
type textLimit struct {
	param    string
	value    string
	max      int
	optional bool
}

func checkTexts(limits ...textLimit) *graphError {
	for _, l := range limits {
		if l.value == "" && !l.optional {
			return refuse(131008, "The parameter %s is required.", l.param)
		}
		if utf8.RuneCountInString(l.value) > l.max {
			return refuse(100, "Param %s must be at most %d characters long.", l.param, l.max)
		}
	}
	return nil
}

func fillText(raw json.RawMessage, m *message) *graphError {
	var text struct {
		Body       string   `json:"body"`
		PreviewURL flexBool `json:"preview_url"`
	}
	if err := decodeContent("text", raw, &text); err != nil {
		return err
	}
	if strings.TrimSpace(text.Body) == "" {
		return refuse(131008, "The parameter text['body'] is required.")
	}
	m.Content, m.Text = raw, text.Body
	return checkTexts(textLimit{"text['body']", text.Body, maxText, false})
}

// mediaContent is an image, video, audio, document or sticker as a business sends it.
type mediaContent struct {
	ID       flexString `json:"id,omitempty"`
	Link     string     `json:"link,omitempty"`
	Caption  string     `json:"caption,omitempty"`
	Filename string     `json:"filename,omitempty"`
	Voice    bool       `json:"voice,omitempty"`
}

func (s *Server) fillMedia(n *number, req *sendRequest, m *message) *graphError {
	raw := map[string]json.RawMessage{"image": req.Image, "video": req.Video, "audio": req.Audio, "document": req.Document, "sticker": req.Sticker}[req.Type]
	var media mediaContent
	if err := decodeContent(req.Type, raw, &media); err != nil {
		return err
	}
	if err := media.check(req.Type); err != nil {
		return err
	}
	file, err := s.sendable(n, req.Type, &media, m)
	if err != nil {
		return err
	}
	m.Text, m.Voice = media.Caption, media.Voice
	m.Content = storedMedia(media, file)
	return nil
}

func (c *mediaContent) check(kind string) *graphError {
	switch {
	case c.Caption != "" && (kind == "audio" || kind == "sticker"):
		return refuse(100, "Unexpected key \"caption\" on param %q.", kind)
	case c.Filename != "" && kind != "document":
		return refuse(100, "Unexpected key \"filename\" on param %q.", kind)
	case c.Voice && kind != "audio":
		return refuse(100, "Unexpected key \"voice\" on param %q.", kind)
	}
	if err := c.checkSource(kind); err != nil {
		return err
	}
	return checkTexts(textLimit{kind + "['caption']", c.Caption, maxCaption, true})
}

func (c *mediaContent) checkSource(kind string) *graphError {
	if c.ID == "" && c.Link == "" {
		return refuse(131008, "One of %s['id'] and %s['link'] is required.", kind, kind)
	}
	if c.ID != "" && c.Link != "" {
		return refuse(131009, "Only one of %s['id'] and %s['link'] may be given.", kind, kind)
	}
	if c.Link != "" {
		if u, err := url.Parse(c.Link); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return refuse(131009, "Param %s['link'] is not a valid URL.", kind)
		}
	}
	return nil
}

// sendable is the file behind a content; a link is fetched afterwards, so its failure comes as a status.
func (s *Server) sendable(n *number, kind string, c *mediaContent, m *message) (*file, *graphError) {
	if c.Link != "" {
		s.fetchLink(kind, c.Link, m)
		return nil, nil
	}
	f := s.media.get(string(c.ID))
	if f == nil || f.Account != n.account.id || f.expired(s.clock.Now()) {
		return nil, refuse(131009, "Param %s['id']: %q is not a media id of this account, or it has expired.", kind, c.ID)
	}
	if classOf(f.Mime) != kind && !(kind == "document") {
		return nil, refuse(131053, "Media %s is %s, which cannot be sent as %s.", c.ID, f.Mime, kind)
	}
	if c.Voice && baseMime(f.Mime) != "audio/ogg" {
		return nil, refuse(131053, "A voice message must be OGG with the OPUS codec, not %s.", f.Mime)
	}
	return f, nil
}

// storedMedia is a media content as chats keep it: with the file's type and size beside what was sent.
func storedMedia(c mediaContent, f *file) json.RawMessage {
	kept := map[string]any{}
	if c.Link != "" {
		kept["link"] = c.Link
	}
	if f != nil {
		kept["id"], kept["mime_type"], kept["size"] = f.ID, f.Mime, f.Size
	}
	if c.Caption != "" {
		kept["caption"] = c.Caption
	}
	if c.Filename != "" {
		kept["filename"] = c.Filename
	}
	if c.Voice {
		kept["voice"] = true
	}
	return marshal(kept)
}

// fetchLink looks at a linked file before the message goes on its way; when it cannot be had, the message fails with 131053.
func (s *Server) fetchLink(kind, link string, m *message) {
	if err := s.linkProblem(kind, link); err != nil {
		m.Failure = err
	}
}

func (s *Server) linkProblem(kind, link string) *graphError {
	ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return refuse(131053, "Downloading media from weblink failed.")
	}
	resp, err := s.callbacks.Do(req)
	if err != nil {
		return refuse(131053, "Downloading media from weblink failed.")
	}
	defer resp.Body.Close()
	size, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 101<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return refuse(131053, "Downloading media from weblink failed with http code %d.", resp.StatusCode)
	}
	mime := resp.Header.Get("Content-Type")
	limit, ok := sendLimits[baseMime(mime)]
	if !ok || classOf(mime) != kind && kind != "document" {
		return refuse(131053, "Unsupported media type %q behind the link.", mime)
	}
	if size > limit {
		return refuse(131053, "The file behind the link has more than %d bytes.", limit)
	}
	return nil
}

func fillLocation(raw json.RawMessage, m *message) *graphError {
	var place struct {
		Latitude  flexString `json:"latitude"`
		Longitude flexString `json:"longitude"`
		Name      string     `json:"name"`
		Address   string     `json:"address"`
	}
	if err := decodeContent("location", raw, &place); err != nil {
		return err
	}
	if place.Latitude == "" || place.Longitude == "" {
		return refuse(131008, "The parameters location['latitude'] and location['longitude'] are required.")
	}
	if !within(string(place.Latitude), 90) || !within(string(place.Longitude), 180) {
		return refuse(131009, "Param location: latitude must lie between -90 and 90, longitude between -180 and 180.")
	}
	m.Content, m.Text = raw, strings.TrimSpace(place.Name+" "+place.Address)
	return nil
}

func within(text string, limit float64) bool {
	v, err := strconv.ParseFloat(text, 64)
	return err == nil && v >= -limit && v <= limit
}

func fillContacts(raw json.RawMessage, m *message) *graphError {
	type named struct {
		Name *struct {
			FormattedName string `json:"formatted_name"`
			FirstName     string `json:"first_name"`
			LastName      string `json:"last_name"`
			MiddleName    string `json:"middle_name"`
			Prefix        string `json:"prefix"`
			Suffix        string `json:"suffix"`
		} `json:"name"`
		Addresses []json.RawMessage `json:"addresses"`
		Birthday  string            `json:"birthday"`
		Emails    []json.RawMessage `json:"emails"`
		Org       json.RawMessage   `json:"org"`
		Phones    []json.RawMessage `json:"phones"`
		URLs      []json.RawMessage `json:"urls"`
	}
	var cards []named
	if err := decodeContent("contacts", raw, &cards); err != nil {
		return err
	}
	if len(cards) == 0 || len(cards) > maxCards {
		return refuse(131009, "Param contacts must have 1 to %d contacts.", maxCards)
	}
	names := []string{}
	for _, card := range cards {
		if card.Name == nil || card.Name.FormattedName == "" {
			return refuse(131008, "The parameter contacts['name']['formatted_name'] is required.")
		}
		if n := card.Name; n.FirstName+n.LastName+n.MiddleName+n.Prefix+n.Suffix == "" {
			return refuse(131009, "Param contacts['name'] needs another part of the name beside formatted_name.")
		}
		names = append(names, card.Name.FormattedName)
	}
	m.Content, m.Text = raw, strings.Join(names, ", ")
	return nil
}

// fillReaction checks a reaction. A target that cannot be reacted to is told by a failed status, not by the answer.
func (s *Server) fillReaction(n *number, raw json.RawMessage, to recipient, m *message) *graphError {
	var reaction struct {
		MessageID string  `json:"message_id"`
		Emoji     *string `json:"emoji"`
	}
	if err := decodeContent("reaction", raw, &reaction); err != nil {
		return err
	}
	if reaction.MessageID == "" || reaction.Emoji == nil {
		return refuse(131008, "The parameters reaction['message_id'] and reaction['emoji'] are required.")
	}
	if utf8.RuneCountInString(*reaction.Emoji) > 16 || strings.ContainsAny(*reaction.Emoji, " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return refuse(131009, "Param reaction['emoji'] must be one emoji, or empty to remove the reaction.")
	}
	m.Content, m.Text = raw, *reaction.Emoji
	target, ok := s.messages.get(reaction.MessageID)
	if !ok || target.citizen != to.citizen || target.Number != n.id || target.Type == "reaction" || s.clock.Now().Sub(target.At) > readableFor {
		m.Failure = refuse(131009, "The message reacted to is unknown, deleted, older than 30 days or itself a reaction.")
	}
	return nil
}
