// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// Limits of sending. Source: reference of the messages endpoint, throughput and pair rate pages.
const (
	window       = 24 * time.Hour
	pairInterval = 6 * time.Second
	pairBurst    = 45
	maxCallback  = 512
	readableFor  = 30 * 24 * time.Hour
	typingFor    = 25 * time.Second
)

// message is one message of a chat, in either direction. Its citizen's lock guards what changes.
type message struct {
	ID        string          `json:"id"`
	Number    string          `json:"number"` // phone number id
	Out       bool            `json:"out,omitempty"`
	Type      string          `json:"type"`
	Content   json.RawMessage `json:"content,omitempty"` // what stands under the type's name
	Text      string          `json:"text,omitempty"`    // what a person reads
	ReplyTo   string          `json:"reply_to,omitempty"`
	At        time.Time       `json:"at"`
	Status    status          `json:"status"`
	ReadAt    time.Time       `json:"read_at,omitzero"`
	Callback  string          `json:"callback,omitempty"`  // biz_opaque_callback_data
	ByUserID  bool            `json:"by_user,omitempty"`   // addressed by user id, not by phone
	Category  string          `json:"category,omitempty"`  // of the price
	InWindow  bool            `json:"in_window,omitempty"` // sent while the window was open
	Price     string          `json:"price,omitempty"`     // type of the price, known once sent
	FreeEntry bool            `json:"free_entry,omitempty"`
	FreeUntil time.Time       `json:"free_until,omitzero"`
	Voice     bool            `json:"voice,omitempty"`
	Template  string          `json:"template,omitempty"` // id of the template it is made from
	Paced     bool            `json:"paced,omitempty"`    // held until its template's pacing is settled
	TTL       time.Duration   `json:"ttl,omitempty"`      // how long WhatsApp tries to deliver it; 30 days unless set
	Failure   *graphError     `json:"failure,omitempty"`  // why it fails, known before it is said
	History   []happened      `json:"history,omitempty"`  // of an outgoing message

	citizen *citizen
}

// summary is the line a list of chats shows.
func (m *message) summary() string {
	text := cmp.Or(m.Text, "["+m.Type+"]")
	if utf8.RuneCountInString(text) > 80 {
		return string([]rune(text)[:79]) + "…"
	}
	return text
}

// sendRequest is the body of POST /{phone_number_id}/messages.
type sendRequest struct {
	MessagingProduct string     `json:"messaging_product"`
	RecipientType    string     `json:"recipient_type"`
	To               flexString `json:"to"`
	Recipient        string     `json:"recipient"`
	Type             string     `json:"type"`
	Context          *struct {
		MessageID string `json:"message_id"`
	} `json:"context"`
	Callback string `json:"biz_opaque_callback_data"`
	Category string `json:"category"`
	Identity string `json:"recipient_identity_key_hash"`

	Status    string `json:"status"`
	MessageID string `json:"message_id"`
	Typing    *struct {
		Type string `json:"type"`
	} `json:"typing_indicator"`

	Text        json.RawMessage `json:"text"`
	Image       json.RawMessage `json:"image"`
	Video       json.RawMessage `json:"video"`
	Audio       json.RawMessage `json:"audio"`
	Document    json.RawMessage `json:"document"`
	Sticker     json.RawMessage `json:"sticker"`
	Location    json.RawMessage `json:"location"`
	Contacts    json.RawMessage `json:"contacts"`
	Reaction    json.RawMessage `json:"reaction"`
	Interactive json.RawMessage `json:"interactive"`
	Template    json.RawMessage `json:"template"`
}

// flexString takes what the Graph API takes for an id or a phone: text or a number.
type flexString string

func (f *flexString) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(f))
	}
	var number json.Number
	if err := json.Unmarshal(raw, &number); err != nil {
		return err
	}
	*f = flexString(number)
	return nil
}

// sendAnswer says a message was accepted, which is not to say delivered.
type sendAnswer struct {
	MessagingProduct string          `json:"messaging_product"`
	Contacts         []answerContact `json:"contacts"`
	Messages         []answerMessage `json:"messages"`
}

type answerContact struct {
	Input  string `json:"input"`
	WaID   string `json:"wa_id,omitempty"`
	UserID string `json:"user_id,omitempty"`
}

type answerMessage struct {
	ID     string `json:"id"`
	Status string `json:"message_status,omitempty"`
}

// recipient is whom a request addresses and how.
type recipient struct {
	citizen  *citizen
	input    string
	phone    string // digits, when addressed by phone
	userID   string // when addressed by user id
	nobody   bool   // no such phone anywhere: the send fails later
	toNumber *number
}

func (s *Server) postMessages(n *number, body []byte) (any, *graphError) {
	var req sendRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, badJSON(err)
	}
	req.unwrap()
	if req.MessagingProduct != "whatsapp" {
		return nil, refuse(100, "The parameter messaging_product is required and must be whatsapp.")
	}
	if st := n.status(); st != "CONNECTED" {
		return nil, refuse(133010, "The number is %s: register it first.", st)
	}
	if req.Status != "" {
		return s.markRead(n, &req)
	}
	return s.send(n, &req)
}

// unwrap takes contents out of the texts in which some clients write them, also within JSON.
func (req *sendRequest) unwrap() {
	for _, content := range []*json.RawMessage{&req.Text, &req.Image, &req.Video, &req.Audio, &req.Document, &req.Sticker,
		&req.Location, &req.Contacts, &req.Reaction, &req.Interactive, &req.Template} {
		var text string
		if json.Unmarshal(*content, &text) != nil {
			continue
		}
		if inside, ok := parameter(text).(json.RawMessage); ok {
			*content = inside
		}
	}
}

func (s *Server) send(n *number, req *sendRequest) (any, *graphError) {
	req.Type = cmp.Or(req.Type, "text") // what Meta takes a message for that does not say
	if err := req.checkEnvelope(); err != nil {
		return nil, err
	}
	to, err := s.resolve(n, req)
	if err != nil {
		return nil, err
	}
	if err := n.checkAllowed(to); err != nil {
		return nil, err
	}
	m := &message{ID: s.dice.messageID(cmp.Or(to.phone, to.userID)), Number: n.id, Out: true, Type: req.Type, Callback: req.Callback,
		Status: statusAccepted, ByUserID: to.userID != "", citizen: to.citizen, Category: "service"}
	if req.Context != nil && req.Type != "reaction" {
		m.ReplyTo = req.Context.MessageID
	}
	if err := s.fill(n, req, to, m); err != nil {
		return nil, err
	}
	if to.toNumber == n {
		return nil, refuse(131021, "Sender and recipient phone number must be different.")
	}
	if current := to.citizen.snapshot(); req.Identity != "" && req.Identity != current.identityHash() {
		m.Failure = refuse(137000, "The recipient's identity is not the one of recipient_identity_key_hash.")
	}
	if refusal := s.faults.refusal(to.input); refusal != nil {
		if !refusal.later {
			return nil, refusal.err
		}
		m.Failure = refusal.err
	}
	now := s.clock.Now()
	if !n.take(now, false) {
		return nil, refuse(130429, "Cloud API message throughput has been reached.")
	}
	answer := answerMessage{ID: m.ID, Status: s.hold(n, m)}
	if err := s.accept(n, to, m, now); err != nil {
		return nil, err
	}
	contact := answerContact{Input: to.input, WaID: to.phone, UserID: to.userID}
	return sendAnswer{MessagingProduct: "whatsapp", Contacts: []answerContact{contact}, Messages: []answerMessage{answer}}, nil
}

func (req *sendRequest) checkEnvelope() *graphError {
	switch {
	case req.RecipientType != "" && req.RecipientType != "individual":
		return refuse(131009, "recipient_type must be individual: this number has no groups.")
	case req.To == "" && req.Recipient == "":
		return refuse(131008, "The parameter to (or recipient) is required.")
	case utf8.RuneCountInString(req.Callback) > maxCallback:
		return refuse(100, "Param biz_opaque_callback_data must be at most %d characters long.", maxCallback)
	case req.Category != "":
		return refuse(100, "Param category: Direct Send is not enabled for this account.")
	case req.Context != nil && req.Context.MessageID == "":
		return refuse(131008, "The parameter context.message_id is required.")
	}
	return nil
}

// resolve finds the citizen addressed; "to" wins over "recipient".
func (s *Server) resolve(n *number, req *sendRequest) (recipient, *graphError) {
	if req.To == "" {
		return s.resolveUser(n, req.Recipient)
	}
	input := string(req.To)
	digits, known := s.dialled(n, input)
	if digits == "" {
		return recipient{}, refuse(131009, "Param to: %q is not a phone number.", input)
	}
	to := recipient{input: input, phone: digits, nobody: !known, toNumber: s.dir.byDigits(digits)}
	to.citizen = s.ensureCitizen(digits)
	return to, nil
}

func (s *Server) resolveUser(n *number, userID string) (recipient, *graphError) {
	c, ok := s.byUserID(n.account, userID)
	if !ok {
		return recipient{}, refuse(131009, "Param recipient: %q is not a user id of this business.", userID)
	}
	return recipient{citizen: c, input: userID, userID: userID}, nil
}

// dialled reads "to" as Meta does: without "+" the country code of the sending number goes before it, unless
// only the number as it stands makes sense. known is false when the number cannot exist.
func (s *Server) dialled(n *number, input string) (digits string, known bool) {
	if strings.Trim(input, "+-() 0123456789\u00a0") != "" {
		return "", false
	}
	digits = onlyDigits(input)
	if len(digits) < 4 || len(digits) > 15 {
		return "", false
	}
	if !strings.HasPrefix(strings.TrimSpace(input), "+") {
		return s.nationalOrNot(n, digits)
	}
	return digits, s.exists(digits)
}

func (s *Server) nationalOrNot(n *number, digits string) (string, bool) {
	if _, ok := s.phones.get(digits); ok {
		return digits, true
	}
	if with := countryCode(n.digits()) + digits; len(with) <= 15 && s.exists(with) {
		return with, true
	}
	return digits, s.exists(digits)
}

func (s *Server) exists(digits string) bool {
	if _, ok := s.phones.get(digits); ok {
		return true
	}
	number, err := phonenumbers.Parse("+"+digits, "")
	return err == nil && phonenumbers.IsPossibleNumber(number)
}

func countryCode(digits string) string {
	number, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return ""
	}
	return strconv.Itoa(int(number.GetCountryCode()))
}

func (n *number) status() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.Status
}

// accept puts the message into the chat if window and pace allow it, and sets its way to the phone going.
func (s *Server) accept(n *number, to recipient, m *message, now time.Time) *graphError {
	c := to.citizen
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.chat(n.id)
	m.At = now
	m.InWindow = now.Sub(ch.LastIn) < window && !s.faults.windowClosed()
	if err := s.checkTroubles(n, ch, m); err != nil {
		return err
	}
	if err := s.checkWindow(m); err != nil {
		return err
	}
	if !ch.takePair(now) {
		return refuse(131056, "Too many messages sent from this phone number to the same recipient in a short period of time.")
	}
	if to.phone != "" {
		c.usePhone(n.account, ch, now)
	}
	if m.Failure == nil {
		m.Failure = c.state.failure(n, ch, to, m)
	}
	if err := s.checkReach(n, m); err != nil {
		return err
	}
	if m.Type != "reaction" {
		ch.enter(now)
	}
	m.FreeEntry, m.FreeUntil = now.Before(ch.FreeUntil), ch.FreeUntil
	s.keep(ch, m)
	s.forward(m)
	return nil
}

func (s *Server) checkWindow(m *message) *graphError {
	if m.InWindow || m.Type == "template" {
		return nil
	}
	closed := refuse(131047, "More than 24 hours have passed since the recipient last replied to the sender number.")
	if s.faults.refusesLater() {
		m.Failure = closed
		return nil
	}
	return closed
}

// takePair counts a message against the pair's rate: one in six seconds, 45 at once borrowed from the future.
func (ch *chat) takePair(now time.Time) bool {
	if ch.PairUntil.Before(now) {
		ch.PairUntil = now
	}
	if ch.PairUntil.Sub(now) > (pairBurst-1)*pairInterval {
		return false
	}
	ch.PairUntil = ch.PairUntil.Add(pairInterval)
	return true
}

// failure is why a message that was accepted will not reach this citizen; nil if it will.
func (c *citizenState) failure(n *number, ch *chat, to recipient, m *message) *graphError {
	n.mu.Lock()
	_, blocked := n.state.Blocked[c.Code]
	n.mu.Unlock()
	switch {
	case to.nobody || c.NotOnWhatsApp || to.toNumber != nil:
		return refuse(131026, "Message Undeliverable.")
	case blocked:
		return refuse(131026, "The recipient is on the block list of this number.")
	case (c.StoppedMarketing || ch.MarketingStopped) && m.Category == "marketing":
		return refuse(131050, "User has stopped marketing messages from the business.")
	}
	return nil
}

// keep adds the message to its chat and index; the citizen must be locked.
func (s *Server) keep(ch *chat, m *message) {
	if dropped := ch.add(m); dropped != nil {
		s.messages.remove(dropped.ID)
	}
	s.messages.put(m.ID, m)
	s.saver.touch()
	s.events.message(m)
}

// markRead marks a citizen's message and the earlier ones of its chat read, and may show that somebody is typing.
func (s *Server) markRead(n *number, req *sendRequest) (any, *graphError) {
	if req.Status != "read" {
		return nil, refuse(131009, "Param status must be read.")
	}
	if req.MessageID == "" {
		return nil, refuse(131008, "The parameter message_id is required.")
	}
	if req.Typing != nil && req.Typing.Type != "text" {
		return nil, refuse(131009, "Param typing_indicator['type'] must be text.")
	}
	m, ok := s.messages.get(req.MessageID)
	if !ok || m.Out || m.Number != n.id {
		return nil, refuse(100, "Invalid parameter: message_id is not a message received by this number.")
	}
	now := s.clock.Now()
	if now.Sub(m.At) > readableFor {
		return nil, refuse(131009, "The message is older than 30 days.")
	}
	s.readUpTo(m, now)
	if req.Typing != nil {
		s.events.typing(m.citizen, n.id, typingFor)
	}
	return map[string]any{"success": true}, nil
}

func (s *Server) readUpTo(m *message, now time.Time) {
	m.citizen.mu.Lock()
	defer m.citizen.mu.Unlock()
	for _, earlier := range m.citizen.chat(m.Number).Messages {
		if !earlier.Out && earlier.Status != statusFailed && !earlier.At.After(m.At) && earlier.Status != statusRead {
			earlier.Status, earlier.ReadAt = statusRead, now
			s.events.status(earlier)
		}
	}
	s.saver.touch()
}

func badJSON(err error) *graphError {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return refuse(100, "Param %s must be %s, not %s.", wrong.Field, jsonName(wrong.Type.Kind().String()), wrong.Value)
	}
	if unknown, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		return refuse(100, "Unexpected key %s.", unknown)
	}
	return refuse(100, "Invalid parameter: the body is not the JSON expected.")
}

func jsonName(kind string) string {
	switch kind {
	case "struct", "map":
		return "an object"
	case "slice":
		return "an array"
	case "bool":
		return "a boolean"
	case "string":
		return "a string"
	default:
		return "a number"
	}
}

// answerStatus is the HTTP status of a Graph answer.
func answerStatus(err *graphError) int {
	if err == nil {
		return http.StatusOK
	}
	return err.status()
}
