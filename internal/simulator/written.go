// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
)

// writeInput is what a citizen writes: exactly one content, to a number of a business.
type writeInput struct {
	Number  string `json:"number"` // phone number id; the default account's unless set
	ReplyTo string `json:"reply_to"`

	Text        *textInput      `json:"text"`
	Image       *mediaInput     `json:"image"`
	Audio       *mediaInput     `json:"audio"`
	Voice       *mediaInput     `json:"voice"` // an audio recorded in the chat
	Video       *mediaInput     `json:"video"`
	Document    *mediaInput     `json:"document"`
	Sticker     *mediaInput     `json:"sticker"`
	Location    *placeInput     `json:"location"`
	Contacts    json.RawMessage `json:"contacts"`
	Reaction    *reactionInput  `json:"reaction"`
	ButtonReply *choiceInput    `json:"button_reply"` // tap on a reply button
	ListReply   *choiceInput    `json:"list_reply"`   // choice from a list
	Button      *buttonInput    `json:"button"`       // tap on a template's quick reply
	SharePhone  bool            `json:"share_phone"`  // the phone, as a contact request asks for it
	Referral    json.RawMessage `json:"referral"`     // beside a content: the advertisement the citizen comes from; true for one at hand
	Raw         json.RawMessage `json:"raw"`          // a whole message object; id, from and timestamp are added where missing
}

// textInput is plain text, or {"body": …} as Meta writes it.
type textInput string

func (t *textInput) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*t = textInput(text)
		return nil
	}
	var object struct {
		Body string `json:"body"`
	}
	err := json.Unmarshal(raw, &object)
	*t = textInput(object.Body)
	return err
}

// mediaInput is a file: true or "sample" for a built-in one, or {data (base64), mime, filename, caption}.
type mediaInput struct {
	Data     []byte `json:"data"`
	Mime     string `json:"mime"`
	MimeType string `json:"mime_type"`
	Filename string `json:"filename"`
	Caption  string `json:"caption"`
	Voice    *bool  `json:"voice"`
	Sample   bool   `json:"sample"`
	Animated bool   `json:"animated"`
}

func (m *mediaInput) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] != '{' {
		m.Sample = true
		return nil
	}
	type plain mediaInput
	return json.Unmarshal(raw, (*plain)(m))
}

type placeInput struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
}

type reactionInput struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji,omitempty"` // empty removes the reaction
}

type choiceInput struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

type buttonInput struct {
	Payload string `json:"payload"`
	Text    string `json:"text"`
}

// writtenMessage is a citizen's message before it is on its way.
type writtenMessage struct {
	kind    string
	content any
	text    string
	voice   bool
	raw     map[string]json.RawMessage // keys of a raw message beside those set here

	sharesPhone bool // the content is the citizen's own card
}

// written reads the one content of in.
func (s *Server) written(n *number, in *writeInput) (*writtenMessage, error) {
	switch {
	case in.Text != nil:
		return &writtenMessage{kind: "text", content: map[string]any{"body": string(*in.Text)}, text: string(*in.Text)}, nil
	case in.Location != nil:
		return &writtenMessage{kind: "location", content: in.Location, text: strings.TrimSpace(in.Location.Name + " " + in.Location.Address)}, nil
	case in.Contacts != nil:
		return &writtenMessage{kind: "contacts", content: othersCards(in.Contacts)}, nil
	case in.SharePhone:
		return &writtenMessage{kind: "contacts", sharesPhone: true}, nil
	case in.Reaction != nil:
		return &writtenMessage{kind: "reaction", content: in.Reaction, text: in.Reaction.Emoji}, nil
	case in.ButtonReply != nil:
		return &writtenMessage{kind: "interactive", text: in.ButtonReply.Title, content: map[string]any{"type": "button_reply", "button_reply": in.ButtonReply}}, nil
	case in.ListReply != nil:
		return &writtenMessage{kind: "interactive", text: in.ListReply.Title, content: map[string]any{"type": "list_reply", "list_reply": in.ListReply}}, nil
	case in.Button != nil:
		return &writtenMessage{kind: "button", content: in.Button, text: in.Button.Text}, nil
	case in.Raw != nil:
		return writtenRaw(in.Raw)
	}
	return s.writtenMedia(n, in)
}

// sampleReferral is an advertisement for those who have none at hand.
const sampleReferral = `{"source_url":"https://fb.me/simulator","source_id":"120200000000001","source_type":"ad","headline":"Sportello del Comune","body":"Scrivici su WhatsApp","media_type":"image","image_url":"https://scontent.example/ad.jpg","ctwa_clid":"sim-clid","welcome_message":{"text":"Buongiorno"}}`

// refer says that an advertisement led to the message.
func (w *writtenMessage) refer(referral json.RawMessage) {
	if referral[0] != '{' {
		referral = json.RawMessage(sampleReferral)
	}
	if w.raw == nil {
		w.raw = map[string]json.RawMessage{}
	}
	w.raw["referral"] = escapeASCII(referral)
}

func writtenRaw(raw json.RawMessage) (*writtenMessage, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, badRequest("raw must be a message object: %v", err)
	}
	w := &writtenMessage{kind: "unknown", raw: keys}
	_ = json.Unmarshal(keys["type"], &w.kind) // a type that is no text is sent as it is
	return w, nil
}

func (s *Server) writtenMedia(n *number, in *writeInput) (*writtenMessage, error) {
	kind, media := in.media()
	if media == nil {
		return nil, badRequest("one of text, image, audio, voice, video, document, sticker, location, contacts, share_phone, reaction, button_reply, list_reply, button or raw is needed")
	}
	if kind == "voice" {
		isVoice := true
		kind, media.Voice = "audio", &isVoice
	}
	data, contentType, name := media.Data, cmp.Or(media.Mime, media.MimeType), media.Filename
	if len(data) == 0 {
		sample := sampleFor(kind)
		data, contentType, name = sample.data, cmp.Or(contentType, sample.mime), cmp.Or(name, sample.name)
	}
	contentType = cmp.Or(contentType, http.DetectContentType(data))
	voice := kind == "audio" && (media.Voice == nil || *media.Voice)
	if voice {
		data, contentType = asVoiceNote(data, contentType)
	}
	now := s.clock.Now()
	f := &file{Account: n.account.id, Mime: contentType, Name: name, Stored: now, Expires: now.Add(incomingLife)}
	if err := s.media.add(f, data); err != nil {
		return nil, err
	}
	return &writtenMessage{kind: kind, content: s.incomingMedia(kind, f, media, voice, name), text: media.Caption, voice: voice}, nil
}

// asVoiceNote gives a recording the form WhatsApp gives it, if it is Opus; anything else stays as it is.
func asVoiceNote(data []byte, contentType string) ([]byte, string) {
	const voiceNote = "audio/ogg; codecs=opus"
	switch baseMime(contentType) {
	case "audio/ogg":
		return data, voiceNote
	case "audio/webm":
		if ogg, err := oggFromWebM(data); err == nil {
			return ogg, voiceNote
		}
	}
	return data, contentType
}

func (in *writeInput) media() (kind string, media *mediaInput) {
	for _, m := range []struct {
		kind  string
		media *mediaInput
	}{{"image", in.Image}, {"audio", in.Audio}, {"voice", in.Voice}, {"video", in.Video}, {"document", in.Document}, {"sticker", in.Sticker}} {
		if m.media != nil {
			return m.kind, m.media
		}
	}
	return "", nil
}

// incomingMedia is a medium as the webhook tells it; sha256 is base64 there, hex on the media call.
func (s *Server) incomingMedia(kind string, f *file, in *mediaInput, voice bool, name string) map[string]any {
	content := map[string]any{"id": f.ID, "mime_type": f.Mime, "sha256": hexToBase64(f.SHA256)}
	if base := s.knownBase(); base != "" {
		content["url"] = s.downloadURL(f, base)
	}
	if in.Caption != "" && kind != "audio" && kind != "sticker" {
		content["caption"] = in.Caption
	}
	switch kind {
	case "audio":
		content["voice"] = voice
	case "document":
		content["filename"] = cmp.Or(name, "documento")
	case "sticker":
		content["animated"] = in.Animated
	}
	return content
}
