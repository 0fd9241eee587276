// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// What messages cost, by the day they are sent. Source: pricing pages of Meta's documentation, 2 March and 1 July 2026.
var (
	perMessageSince  = time.Date(2025, time.July, 1, 0, 0, 0, 0, time.UTC)    // before, conversations of 24 hours were paid for
	endOfFreeReplies = time.Date(2026, time.October, 1, 0, 0, 0, 0, time.UTC) // since, replies and utility templates in the window cost money
)

const (
	freeServiceMessages = 1000           // those a number has free in a calendar month since endOfFreeReplies
	freeEntry           = 72 * time.Hour // a chat that began at an advertisement is free so long after the first answer
	conversationsUntil  = 24             // the version of the Graph API since which only free entry points tell a conversation
)

// enter begins the free entry point: the citizen came by an advertisement, and this is the answer within a day.
func (ch *chat) enter(now time.Time) {
	if !ch.Referred.IsZero() && now.Sub(ch.Referred) < window {
		ch.FreeUntil = now.Add(freeEntry)
	}
	ch.Referred = time.Time{}
}

func (ch *chat) entersFree(now time.Time) bool {
	return now.Before(ch.FreeUntil) || !ch.Referred.IsZero() && now.Sub(ch.Referred) < window
}

// wouldCharge says whether a message will cost money; the citizen must be locked.
func (n *number) wouldCharge(ch *chat, m *message) bool {
	switch {
	case m.Type == "reaction" || ch.entersFree(m.At):
		return false
	case m.Category == "service":
		return !m.At.Before(endOfFreeReplies) && !n.hasFree(m.At)
	case m.Category == "utility" && m.InWindow:
		return !m.At.Before(endOfFreeReplies)
	}
	return true
}

// price is the type of a message's price at a time.
func (n *number) price(m *message, now time.Time) string {
	switch {
	case m.FreeEntry:
		return "free_entry_point"
	case m.Category == "service":
		if now.Before(endOfFreeReplies) || n.takeFree(now) {
			return "free_customer_service"
		}
	case m.Category == "utility" && m.InWindow && now.Before(endOfFreeReplies):
		return "free_customer_service"
	}
	return "regular"
}

func (n *number) hasFree(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.FreeMonth != now.UTC().Format("2006-01") || n.state.FreeUsed < freeServiceMessages
}

func (n *number) takeFree(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if month := now.UTC().Format("2006-01"); n.state.FreeMonth != month {
		n.state.FreeMonth, n.state.FreeUsed = month, 0
	}
	n.state.FreeUsed++
	return n.state.FreeUsed <= freeServiceMessages
}

// appendPricing adds the price, which comes with sent and with one of delivered and read, and the conversation.
func (s *Server) appendPricing(b []byte, n *number, m *message, to status, now time.Time) []byte {
	if m.Type == "reaction" || to == statusPlayed || to == statusRead && m.Price != "" && !m.citizen.state.ChatOpen {
		return b
	}
	if m.Price == "" {
		m.Price = n.price(m, now)
	}
	b = n.appendConversation(b, m, to)
	category := m.Category
	if m.FreeEntry {
		category = "referral_conversion"
	}
	b = append(b, `,"pricing":{"billable":`...)
	b = strconv.AppendBool(b, !strings.HasPrefix(m.Price, "free"))
	if m.At.Before(perMessageSince) {
		b = appendField(b, "pricing_model", "CBP")
	} else {
		b = appendField(b, "pricing_model", "PMP")
		b = appendField(b, "type", m.Price)
	}
	b = appendField(b, "category", category)
	return append(b, '}')
}

// appendConversation adds the conversation object: a conversation of 24 hours while they were paid for, then one of each
// message, and since version 24.0 of the webhooks only the free entry point.
func (n *number) appendConversation(b []byte, m *message, to status) []byte {
	if !m.FreeEntry && n.account.snapshot().webhookMajor() >= conversationsUntil {
		return b
	}
	name, origin, expires := m.ID, m.Category, m.At.Add(window)
	switch {
	case m.FreeEntry:
		name, origin, expires = "entry"+m.citizen.state.Code+n.id+unixText(m.FreeUntil), "referral_conversion", m.FreeUntil
	case m.At.Before(perMessageSince):
		name = m.citizen.state.Code + n.id + m.Category + m.At.UTC().Format(time.DateOnly)
	}
	sum := sha256.Sum256([]byte(name))
	b = append(b, `,"conversation":{`...)
	b = appendField(b, "id", hex.EncodeToString(sum[:16]))
	if to == statusSent {
		b = appendField(b, "expiration_timestamp", unixText(expires))
	}
	b = append(b, `,"origin":{`...)
	b = appendField(b, "type", origin)
	return append(b, '}', '}')
}

// webhookMajor is the version of the Graph API that webhooks are written by.
func (st accountState) webhookMajor() int {
	if v := versionSegment.FindStringSubmatch(st.WebhookVersion); v != nil {
		major, _ := strconv.Atoi(v[1])
		return major
	}
	return latestVersion
}
