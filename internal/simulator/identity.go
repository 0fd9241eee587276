// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What a business gets to see of a citizen. Source: business-scoped-user-ids, 7 May 2026.

// shownFor is how long a phone stays visible to a number after the two have last used it.
const shownFor = 30 * 24 * time.Hour

// contactBookSince is when the contact book began to remember phones.
var contactBookSince = time.Date(2026, time.April, 1, 0, 0, 0, 0, time.UTC)

// newCode is what a new citizen's user ids are made from.
func (s *Server) newCode() string { return s.dice.letters("citizen", 12) }

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

// shownPhone is the phone as this business may see it now: somebody with a username hides it, unless the business's
// contact book has it, or the two have used it in the last 30 days.
func (c *citizenState) shownPhone(a *account, ch *chat, now time.Time) string {
	switch {
	case c.Username == "" && !c.BSUIDOnly, c.inContactBook(a):
		return c.Phone
	case !ch.Addressed.IsZero() && now.Sub(ch.Addressed) <= shownFor:
		return c.Phone
	}
	return ""
}

// inContactBook says whether the business's contact book at Meta has the phone. Whoever is "bsuid_only" was never
// known to it.
func (c *citizenState) inContactBook(a *account) bool {
	return !c.BSUIDOnly && !c.Forgotten[a.id] && !a.snapshot().ContactBookOff
}

// usePhone notes that a message went by the phone, in either direction; c must be locked.
func (c *citizen) usePhone(a *account, ch *chat, now time.Time) {
	ch.Addressed = now
	if c.state.Forgotten[a.id] && !now.Before(contactBookSince) {
		delete(c.state.Forgotten, a.id)
	}
}

// identityHash changes with the keys of the citizen's phone.
func (c *citizenState) identityHash() string {
	sum := sha256.Sum256([]byte(c.Code + strconv.Itoa(c.Keys)))
	return base64.StdEncoding.EncodeToString(sum[:9])
}

// checksIdentity says whether the number asked to be told of identities; n must not be locked.
func (n *number) checksIdentity() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	setting, _ := n.state.Settings["user_identity_change"].(map[string]any)
	enabled, _ := setting["enable_identity_key_check"].(bool)
	return enabled
}

// contactEntry is the citizen in the contacts array of a webhook.
func (c *citizenState) contactEntry(n *number, phone string, withUsername bool) json.RawMessage {
	b := append(make([]byte, 0, 160), `{"profile":{`...)
	b = appendField(b, "name", c.Name)
	if withUsername && c.Username != "" {
		b = appendField(b, "username", c.Username)
	}
	b = append(b, '}')
	if phone != "" {
		b = appendField(b, "wa_id", phone)
	}
	b = appendField(b, "user_id", c.userID(n.account))
	if n.checksIdentity() {
		b = appendField(b, "identity_key_hash", c.identityHash())
	}
	return append(b, '}')
}

var userIDShape = regexp.MustCompile(`^[A-Z]{2}\.[A-Za-z0-9]{1,128}$`)

// deleteContact is DELETE /{phone_number_id}/contact_book?bsuid=…: the business forgets a phone. That the book never had
// it is no error: deleted says so.
func (s *Server) deleteContact(g *graphRequest, n *number) (any, *graphError) {
	id := g.query.Get("bsuid")
	if id == "" || g.query.Get("messaging_product") != "whatsapp" {
		return nil, refuse(100, "The parameters messaging_product and bsuid are required.")
	}
	if !userIDShape.MatchString(id) {
		return nil, refuse(100, "Param bsuid: %q is not a business-scoped user id.", id)
	}
	answer := map[string]any{"messaging_product": "whatsapp", "success": true, "deleted": false}
	c, ok := s.byUserID(n.account, id)
	if !ok {
		return answer, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	answer["deleted"] = c.state.inContactBook(n.account)
	if c.state.Forgotten == nil {
		c.state.Forgotten = map[string]bool{}
	}
	c.state.Forgotten[n.account.id] = true
	s.saver.touch()
	return answer, nil
}

// putContactBook is PUT /simulator/contact_book: the switch in the settings of the business.
func (s *Server) putContactBook(r *http.Request) (int, any, error) {
	var in struct {
		WABA string `json:"waba_id"`
		On   bool   `json:"on"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	a, err := s.accountNamed(in.WABA)
	if err != nil {
		return 0, nil, err
	}
	a.mu.Lock()
	a.state.ContactBookOff = !in.On
	a.mu.Unlock()
	if !in.On {
		s.emptyContactBook(a)
	}
	s.saver.touch()
	return http.StatusOK, map[string]any{"on": in.On}, nil
}

// emptyContactBook deletes what the contact book has: switched on again, it begins empty.
func (s *Server) emptyContactBook(a *account) {
	for _, c := range s.codes.values() {
		c.mu.Lock()
		if c.state.Forgotten == nil {
			c.state.Forgotten = map[string]bool{}
		}
		c.state.Forgotten[a.id] = true
		c.mu.Unlock()
	}
}
