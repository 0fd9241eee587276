// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Control calls under /simulator/citizens.

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
		c := newCitizen(citizenState{Code: s.newCode(), Country: "IT", Name: cmp.Or(in.Name, *in.Username)})
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
