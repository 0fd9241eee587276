// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// citizen is somebody with WhatsApp on the phone, and the chats on it.
type citizen struct {
	mu    sync.Mutex
	state citizenState
	chats map[string]*chat // by phone number id of the business
}

type citizenState struct {
	Code     string   `json:"code"` // what all business-scoped ids of the citizen are made from
	Country  string   `json:"country"`
	Phone    string   `json:"phone,omitempty"` // digits; empty for somebody known by username only
	Name     string   `json:"name"`
	Username string   `json:"username,omitempty"`
	Previous []string `json:"previous,omitempty"` // earlier codes and phones
	citizenTraits
}

// citizenTraits are the ways a citizen's phone may differ from the plain case.
type citizenTraits struct {
	BSUIDOnly        bool `json:"bsuid_only,omitempty"`        // businesses see the username and user id, not the phone
	NotOnWhatsApp    bool `json:"not_on_whatsapp,omitempty"`   // sends fail with 131026
	BlockedUs        bool `json:"blocked_us,omitempty"`        // sends stay "sent" for ever
	Offline          bool `json:"offline,omitempty"`           // sends stay "sent" until online again
	ReceiptsOff      bool `json:"receipts_off,omitempty"`      // never "read"
	ChatOpen         bool `json:"chat_open,omitempty"`         // "read" at once, without "delivered"
	StoppedMarketing bool `json:"stopped_marketing,omitempty"` // marketing templates fail with 131050
	ReadsByHand      bool `json:"reads_by_hand,omitempty"`     // "read" only when the chat is opened
}

// chat is what one citizen and one number of a business have said.
type chat struct {
	LastIn    time.Time  `json:"last_in,omitzero"`    // opens the 24-hour window
	PairUntil time.Time  `json:"pair_until,omitzero"` // what the pair rate has already given away
	Addressed time.Time  `json:"addressed,omitzero"`  // when the business last used the phone: keeps it visible for 30 days
	Messages  []*message `json:"messages"`

	MarketingStopped bool `json:"marketing_stopped,omitempty"` // the citizen has told this business so
}

// maxChat bounds a chat: the oldest messages go first.
const maxChat = 2000

func newCode() string {
	raw := make([]byte, 10)
	_, _ = rand.Read(raw) // never fails
	return base32.StdEncoding.EncodeToString(raw)[:12]
}

// userID is the citizen's business-scoped id at one business: another business sees another one.
func (c *citizenState) userID(a *account) string {
	return c.Country + "." + c.Code + businessTag(a.id, c.Code)
}

func businessTag(business, code string) string {
	sum := sha256.Sum256([]byte(business + "." + code))
	return base32.StdEncoding.EncodeToString(sum[:])[:8]
}

// codeOf takes the citizen's code out of a business-scoped id.
func codeOf(userID string) (code, tag string, ok bool) {
	country, rest, found := strings.Cut(userID, ".")
	if !found || len(country) != 2 || len(rest) != 20 {
		return "", "", false
	}
	return rest[:12], rest[12:], true
}

// byUserID finds whom a business means by a user id; its own ids only.
func (s *Server) byUserID(a *account, userID string) (*citizen, bool) {
	code, tag, ok := codeOf(userID)
	if !ok || tag != businessTag(a.id, code) {
		return nil, false
	}
	return s.codes.get(code)
}

// byAddress finds a citizen by phone (with or without "+"), by any of their user ids or by username.
func (s *Server) byAddress(address string) (*citizen, bool) {
	address = strings.TrimSpace(address)
	if code, _, ok := codeOf(address); ok {
		return s.codes.get(code)
	}
	if strings.HasPrefix(address, "@") {
		return s.byUsername(address)
	}
	return s.phones.get(onlyDigits(address))
}

func (s *Server) byUsername(username string) (*citizen, bool) {
	for _, c := range s.codes.values() {
		if c.snapshot().Username == username {
			return c, true
		}
	}
	return nil, false
}

func (c *citizen) snapshot() citizenState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// chat returns the citizen's chat with a number; c must be locked.
func (c *citizen) chat(numberID string) *chat {
	ch, ok := c.chats[numberID]
	if !ok {
		ch = &chat{}
		c.chats[numberID] = ch
	}
	return ch
}

func (ch *chat) add(m *message) (dropped *message) {
	ch.Messages = append(ch.Messages, m)
	if len(ch.Messages) > maxChat {
		dropped = ch.Messages[0]
		ch.Messages = slices.Delete(ch.Messages, 0, 1)
	}
	return dropped
}

// shownPhone is the phone as this business may see it now: somebody with a username hides it, unless the
// business has used it in the last 30 days. Source: business-scoped-user-ids, 7 May 2026.
func (c *citizenState) shownPhone(ch *chat, now time.Time) string {
	if c.BSUIDOnly && (ch.Addressed.IsZero() || now.Sub(ch.Addressed) > 30*24*time.Hour) {
		return ""
	}
	return c.Phone
}

// ensureCitizen finds or makes whoever has this phone: every valid number has WhatsApp here unless told otherwise.
func (s *Server) ensureCitizen(digits string) *citizen {
	c, made := s.phones.getOrPut(digits, func() *citizen {
		return newCitizen(citizenState{Code: newCode(), Country: countryOf(digits), Phone: digits, Name: inventedName(digits)})
	})
	if made {
		s.codes.put(c.state.Code, c)
	}
	return c
}

func newCitizen(st citizenState) *citizen {
	return &citizen{state: st, chats: map[string]*chat{}}
}

func displayed(digits string) string {
	number, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return "+" + digits
	}
	return phonenumbers.Format(number, phonenumbers.INTERNATIONAL)
}

func countryOf(digits string) string {
	number, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return "IT"
	}
	if region := phonenumbers.GetRegionCodeForNumber(number); len(region) == 2 && region != "ZZ" {
		return region
	}
	return "IT"
}

func inventedName(digits string) string {
	first := []string{"Anna", "Luca", "Giulia", "Marco", "Sara", "Paolo", "Elena", "Andrea", "Chiara", "Davide", "Marta", "Franco", "Irene", "Nicola", "Teresa", "Bruno"}
	last := []string{"Rossi", "Bianchi", "Ferrari", "Gallo", "Costa", "Fontana", "Conti", "Esposito", "Ricci", "Bruno", "Greco", "Marino", "Lombardi", "Moretti", "Barbieri", "Riva"}
	h := fnv.New32a()
	_, _ = h.Write([]byte(digits)) // never fails
	sum := h.Sum32()
	return first[sum%16] + " " + last[sum/16%16]
}

// ---- control: /simulator/citizens

type citizenInput struct {
	Phone    string  `json:"phone"`
	Name     string  `json:"name"`
	Username *string `json:"username"`
	traitInput
}

type traitInput struct {
	BSUIDOnly        *bool `json:"bsuid_only"`
	NotOnWhatsApp    *bool `json:"not_on_whatsapp"`
	BlockedUs        *bool `json:"blocked_us"`
	Offline          *bool `json:"offline"`
	ReceiptsOff      *bool `json:"receipts_off"`
	ChatOpen         *bool `json:"chat_open"`
	StoppedMarketing *bool `json:"stopped_marketing"`
	ReadsByHand      *bool `json:"reads_by_hand"`
}

func (t traitInput) apply(to *citizenTraits) {
	setIf(&to.BSUIDOnly, t.BSUIDOnly)
	setIf(&to.NotOnWhatsApp, t.NotOnWhatsApp)
	setIf(&to.BlockedUs, t.BlockedUs)
	setIf(&to.Offline, t.Offline)
	setIf(&to.ReceiptsOff, t.ReceiptsOff)
	setIf(&to.ChatOpen, t.ChatOpen)
	setIf(&to.StoppedMarketing, t.StoppedMarketing)
	setIf(&to.ReadsByHand, t.ReadsByHand)
}

// postCitizen makes a citizen, or changes the one who has the phone.
func (s *Server) postCitizen(r *http.Request) (int, any, error) {
	var in citizenInput
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	c, err := s.citizenFor(in)
	if err != nil {
		return 0, nil, err
	}
	c.mu.Lock()
	c.state.Name = cmp.Or(strings.TrimSpace(in.Name), c.state.Name)
	if in.Username != nil {
		c.state.Username = atSign(*in.Username)
	}
	in.apply(&c.state.citizenTraits)
	c.mu.Unlock()
	s.continueStatuses(c)
	s.events.publish(pageEvent{Kind: "citizens"})
	s.saver.touch()
	return http.StatusCreated, s.citizenView(c), nil
}

func (s *Server) citizenFor(in citizenInput) (*citizen, error) {
	if strings.TrimSpace(in.Phone) == "" {
		if in.Username == nil || in.BSUIDOnly == nil || !*in.BSUIDOnly {
			return nil, badRequest("phone is needed, like \"+393331234567\" (or username with bsuid_only for somebody without)")
		}
		if c, ok := s.byUsername(atSign(*in.Username)); ok {
			return c, nil
		}
		c := newCitizen(citizenState{Code: newCode(), Country: "IT", Name: cmp.Or(in.Name, *in.Username)})
		s.codes.put(c.state.Code, c)
		return c, nil
	}
	digits := onlyDigits(in.Phone)
	if len(digits) < 4 || len(digits) > 15 {
		return nil, badRequest("phone %q must have 4 to 15 digits with the country code, like \"+393331234567\"", in.Phone)
	}
	if s.dir.byDigits(digits) != nil {
		return nil, badRequest("%s is a number of a business", in.Phone)
	}
	return s.ensureCitizen(digits), nil
}

func atSign(username string) string {
	if username == "" {
		return ""
	}
	return "@" + strings.TrimPrefix(username, "@")
}

func (s *Server) getCitizens(*http.Request) (int, any, error) {
	items := []citizenSummary{}
	for _, c := range s.codes.values() {
		items = append(items, s.citizenView(c))
	}
	slices.SortFunc(items, func(a, b citizenSummary) int {
		return cmp.Or(b.LastAt.Compare(a.LastAt), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Address, b.Address))
	})
	if len(items) > 500 {
		items = items[:500] // the page's column; nobody scrolls through a broadcast's audience
	}
	return http.StatusOK, map[string]any{"items": items}, nil
}

// citizenSummary is a citizen as control calls and the page see them.
type citizenSummary struct {
	Address  string            `json:"address"` // what the paths take: phone with "+", or a user id
	Phone    string            `json:"phone,omitempty"`
	Display  string            `json:"display,omitempty"` // the phone as people write it
	Name     string            `json:"name"`
	Username string            `json:"username,omitempty"`
	UserID   string            `json:"user_id"`  // as the default account knows them
	UserIDs  map[string]string `json:"user_ids"` // by WABA
	LastAt   time.Time         `json:"last_at,omitzero"`
	LastText string            `json:"last_text,omitempty"`
	Numbers  []string          `json:"numbers,omitempty"` // phone number ids there is a chat with
	Stopped  []string          `json:"stopped,omitempty"` // of them, those whose marketing they have stopped
	citizenTraits
}

func (s *Server) citizenView(c *citizen) citizenSummary {
	accounts := s.dir.allAccounts()
	c.mu.Lock()
	defer c.mu.Unlock()
	v := citizenSummary{Name: c.state.Name, Username: c.state.Username, UserIDs: map[string]string{}, citizenTraits: c.state.citizenTraits}
	for _, a := range accounts {
		v.UserIDs[a.id] = c.state.userID(a)
	}
	v.UserID = v.UserIDs[DefaultAccount().WABA]
	if c.state.Phone != "" {
		v.Phone, v.Display = "+"+c.state.Phone, displayed(c.state.Phone)
	}
	v.Address = cmp.Or(v.Phone, v.UserID)
	for id, ch := range c.chats {
		if ch.MarketingStopped {
			v.Stopped = append(v.Stopped, id)
		}
		if len(ch.Messages) == 0 {
			continue
		}
		v.Numbers = append(v.Numbers, id)
		if last := ch.Messages[len(ch.Messages)-1]; last.At.After(v.LastAt) {
			v.LastAt, v.LastText = last.At, last.summary()
		}
	}
	slices.Sort(v.Numbers)
	slices.Sort(v.Stopped)
	return v
}

// citizenOf is the citizen in the path, made if it is a phone nobody has used yet.
func (s *Server) citizenOf(r *http.Request) (*citizen, error) {
	address := r.PathValue("phone")
	if c, ok := s.byAddress(address); ok {
		return c, nil
	}
	digits := onlyDigits(address)
	if len(digits) < 4 || len(digits) > 15 || strings.ContainsAny(address, "@.") {
		return nil, notFound("citizen %s is not known", address)
	}
	return s.citizenFor(citizenInput{Phone: address})
}

func (s *Server) getCitizen(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.citizenView(c), nil
}

// postChangeNumber gives the citizen another phone: WhatsApp tells every business they have a chat with,
// and their business-scoped ids change too.
func (s *Server) postChangeNumber(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Phone    string `json:"phone"`
		NewPhone string `json:"new_phone"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	digits := onlyDigits(cmp.Or(in.NewPhone, in.Phone))
	if len(digits) < 4 || len(digits) > 15 {
		return 0, nil, badRequest("phone must be the new number, like \"+393331234567\"")
	}
	if _, made := s.phones.getOrPut(digits, func() *citizen { return c }); !made {
		return 0, nil, badRequest("+%s belongs to another citizen", digits)
	}
	before, after := c.renumber(digits)
	s.phones.remove(before.Phone)
	s.codes.put(after.Code, c)
	s.codes.remove(before.Code)
	s.announceChange(c, before, after)
	s.events.publish(pageEvent{Kind: "citizens"})
	s.saver.touch()
	return http.StatusOK, s.citizenView(c), nil
}

func (c *citizen) renumber(digits string) (before, after citizenState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.state
	c.state.Previous = append(c.state.Previous, before.Phone, before.Code)
	c.state.Phone, c.state.Code = digits, newCode()
	return before, c.state
}

// announceChange sends each business the system message about the new number.
func (s *Server) announceChange(c *citizen, before, after citizenState) {
	now := s.clock.Now()
	for _, id := range c.numbersChattedWith() {
		n := s.dir.number(id)
		if n == nil {
			continue
		}
		system := map[string]any{
			"type": "user_changed_number", "body": fmt.Sprintf("User %s changed from %s to %s", after.Name, before.Phone, after.Phone),
			"wa_id": after.Phone, "user_id": after.userID(n.account), "previous_user_id": before.userID(n.account),
		}
		message := map[string]any{"id": newMessageID(after.Phone), "from": before.Phone, "timestamp": unixText(now), "type": "system", "system": system}
		if before.Phone == "" {
			delete(message, "from")
		}
		n.account.hooks.add(update{Number: id, Field: messagesField, At: now.Unix(), Message: marshal(message)})
	}
}

func (c *citizen) numbersChattedWith() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for id, ch := range c.chats {
		if len(ch.Messages) > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// contactEntry is the citizen in the contacts array of a webhook.
func (c *citizenState) contactEntry(a *account, phone string, withUsername bool) json.RawMessage {
	b := append(make([]byte, 0, 160), `{"profile":{`...)
	b = appendField(b, "name", c.Name)
	if withUsername && c.Username != "" {
		b = appendField(b, "username", c.Username)
	}
	b = append(b, '}')
	if phone != "" {
		b = appendField(b, "wa_id", phone)
	}
	b = appendField(b, "user_id", c.userID(a))
	return append(b, '}')
}

// views are the messages of one chat, or of all of them by time.
func (c *citizen) views(numberID string) []messageView {
	c.mu.Lock()
	defer c.mu.Unlock()
	items := []messageView{}
	for id, ch := range c.chats {
		if numberID != "" && id != numberID {
			continue
		}
		for _, m := range ch.Messages {
			items = append(items, m.view())
		}
	}
	slices.SortStableFunc(items, func(a, b messageView) int { return a.At.Compare(b.At) })
	return items
}
