// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
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

// postCitizenMessage is POST /simulator/citizens/{phone}/messages: the citizen writes.
func (s *Server) postCitizenMessage(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	var in writeInput
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	n := s.numberNamed(in.Number)
	if n == nil {
		return 0, nil, notFound("number %q is not known: it must be a phone number id", in.Number)
	}
	w, err := s.written(n, &in)
	if err != nil {
		return 0, nil, err
	}
	if in.Referral != nil {
		w.refer(in.Referral)
	}
	m, err := s.write(c, n, w, in.ReplyTo)
	if err != nil {
		return 0, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return http.StatusCreated, m.view(), nil
}

// numberNamed finds a number by its id, or by its digits for people.
func (s *Server) numberNamed(name string) *number {
	name = cmp.Or(name, DefaultAccount().PhoneNumberID)
	if n := s.dir.number(name); n != nil {
		return n
	}
	return s.dir.byDigits(onlyDigits(name))
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

// write puts what the citizen wrote into the chat and tells the business.
func (s *Server) write(c *citizen, n *number, w *writtenMessage, replyTo string) (*message, error) {
	now := s.clock.Now()
	n.take(now, true)
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.sharesPhone && c.state.Phone == "" {
		return nil, badRequest("this citizen has no phone to share")
	}
	if w.sharesPhone {
		w.content, w.text = []any{c.state.ownCard()}, displayed(c.state.Phone)
		c.usePhone(n.account, c.chat(n.id), now)
	}
	code := c.state.Code
	m := &message{ID: s.dice.messageID(cmp.Or(c.state.Phone, code)), Number: n.id, Type: w.kind, Text: w.text, Voice: w.voice, ReplyTo: replyTo, At: now,
		Status: statusSent, citizen: c}
	if w.content != nil {
		m.Content = marshal(w.content)
	}
	ch := c.chat(n.id)
	phone := c.state.shownPhone(n.account, ch, now)
	body := s.incomingBody(c, n, ch, m, w, phone)
	if id := textOf(body["id"]); id != "" {
		m.ID = id
	}
	if old, exists := s.messages.get(m.ID); exists && old.citizen != c {
		return nil, badRequest("message id %s is another citizen's", m.ID)
	}
	if n.blocks(code) {
		m.Status, m.Failure = statusFailed, refuse(131026, "The business has blocked this citizen.")
		s.keep(ch, m)
		return m, nil
	}
	ch.LastIn = now
	if w.raw["referral"] != nil {
		ch.Referred = now
	}
	if phone != "" {
		c.usePhone(n.account, ch, now)
	}
	s.keep(ch, m)
	n.account.hooks.add(update{Number: n.id, Field: messagesField, At: now.Unix(), Message: marshal(body), Incoming: m.ID,
		Contact: c.state.contactEntry(n, phone, true)})
	return m, nil
}

// incomingBody is the message object of the webhook.
func (s *Server) incomingBody(c *citizen, n *number, ch *chat, m *message, w *writtenMessage, phone string) map[string]json.RawMessage {
	body := map[string]json.RawMessage{
		"id": marshal(m.ID), "timestamp": marshal(unixText(m.At)), "type": marshal(w.kind), "from_user_id": marshal(c.state.userID(n.account)),
	}
	if phone != "" {
		body["from"] = marshal(phone)
	}
	if m.Content != nil {
		body[w.kind] = m.Content
	}
	if replied := cmp.Or(m.ReplyTo, ch.asked(w)); replied != "" && w.kind != "reaction" {
		m.ReplyTo = replied
		body["context"] = marshal(map[string]any{"from": s.authorOf(replied, n, phone), "id": replied})
	}
	maps.Copy(body, w.raw)
	return body
}

// authorOf is the phone of whoever wrote a message that is replied to.
func (s *Server) authorOf(id string, n *number, citizenPhone string) string {
	if m, ok := s.messages.get(id); ok && !m.Out {
		return citizenPhone
	}
	return n.digits()
}

// asked finds the message whose button was tapped or list chosen from, for callers that do not name it.
func (ch *chat) asked(w *writtenMessage) string {
	if w.kind != "interactive" && w.kind != "button" && !w.sharesPhone {
		return ""
	}
	for i := len(ch.Messages) - 1; i >= 0; i-- {
		if m := ch.Messages[i]; m.Out && (m.Type == "interactive" || m.Type == "template") {
			return m.ID
		}
	}
	return ""
}

func (n *number) blocks(code string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, blocked := n.state.Blocked[code]
	return blocked
}

func (c *citizen) wroteTo(numberID string, since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chat(numberID).LastIn.After(since)
}

func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// messageView is a message as control calls and the page see it; direction as the business sees it.
type messageView struct {
	ID        string          `json:"id"`
	Direction string          `json:"direction"` // in: from the citizen; out: from the business
	Number    string          `json:"number"`    // phone number id
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Content   json.RawMessage `json:"content,omitempty"` // what stands under the type's name
	Media     string          `json:"media,omitempty"`   // path of the file on this server
	ReplyTo   string          `json:"reply_to,omitempty"`
	Voice     bool            `json:"voice,omitempty"`
	Status    status          `json:"status"`
	Error     *webhookError   `json:"error,omitempty"`
	At        time.Time       `json:"at"`
	Callback  string          `json:"biz_opaque_callback_data,omitempty"`
}

// view shows a message; its citizen must be locked.
func (m *message) view() messageView {
	v := messageView{ID: m.ID, Direction: "in", Number: m.Number, Type: m.Type, Text: m.Text, Content: m.Content, ReplyTo: m.ReplyTo,
		Voice: m.Voice, Status: m.Status, At: m.At.UTC(), Callback: m.Callback}
	if m.Out {
		v.Direction = "out"
	}
	if m.Failure != nil && m.Status == statusFailed {
		e := m.Failure.webhook()
		v.Error = &e
	}
	if id := m.mediaID(); id != "" {
		v.Media = "/simulator/media/" + id
	}
	return v
}

func (m *message) mediaID() string {
	var content struct {
		ID    flexString `json:"id"`
		Media *struct {
			ID flexString `json:"id"`
		} `json:"media"`
	}
	if m.Content == nil || m.Type == "interactive" || json.Unmarshal(m.Content, &content) != nil {
		return ""
	}
	if m.Type == "template" && content.Media != nil {
		return string(content.Media.ID)
	}
	if classes[m.Type] {
		return string(content.ID)
	}
	return ""
}

var classes = map[string]bool{"image": true, "video": true, "audio": true, "document": true, "sticker": true}

// getCitizenMessages lists what was said on the citizen's phone, oldest first; ?number= for one business only.
func (s *Server) getCitizenMessages(r *http.Request) (int, any, error) {
	c, ok := s.byAddress(r.PathValue("phone"))
	if !ok {
		return http.StatusOK, map[string]any{"items": []messageView{}}, nil
	}
	limit := maxChat
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return 0, nil, badRequest("limit %q is not a positive number", text)
		}
		limit = n
	}
	items := c.views(r.URL.Query().Get("number"))
	if len(items) > limit {
		items = items[len(items)-limit:]
	}
	return http.StatusOK, map[string]any{"items": items}, nil
}

// postRead opens the citizen's chat: everything that has arrived is read.
func (s *Server) postRead(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Number string `json:"number"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	n := s.numberNamed(in.Number)
	if n == nil {
		return 0, nil, notFound("number %q is not known", in.Number)
	}
	read := 0
	for _, m := range c.arrived(n.id) {
		if s.progress(m, statusRead) {
			read++
		}
	}
	return http.StatusOK, map[string]any{"read": read}, nil
}

// arrived are the messages on the phone that were not read yet; none when receipts are off.
func (c *citizen) arrived(numberID string) []*message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var unread []*message
	if c.state.ReceiptsOff || c.state.Offline || c.state.BlockedUs {
		return nil
	}
	for _, m := range c.chat(numberID).Messages {
		if m.Out && m.Type != "reaction" && m.Status == statusDelivered {
			unread = append(unread, m)
		}
	}
	return unread
}

// postPlayed plays a voice note of the business.
func (s *Server) postPlayed(r *http.Request) (int, any, error) {
	m, ok := s.messages.get(r.PathValue("id"))
	if !ok || !m.Out || !m.Voice {
		return 0, nil, notFound("there is no voice note %s", r.PathValue("id"))
	}
	return http.StatusOK, map[string]any{"played": s.progress(m, statusPlayed)}, nil
}
