// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
)

// setEncryption is POST /{phone_number_id}/whatsapp_business_encryption: the key under which WhatsApp would encrypt what forms
// exchange. Source: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/whatsapp-business-encryption
func (s *Server) setEncryption(n *number, body []byte) (any, *graphError) {
	var in struct {
		Key string `json:"business_public_key"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	block, _ := pem.Decode([]byte(in.Key))
	if block == nil {
		return nil, refuse(100, "Param business_public_key must be a public key in PEM.")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if k, ok := key.(*rsa.PublicKey); err != nil || !ok || k.N.BitLen() != 2048 {
		return nil, refuse(100, "Param business_public_key must be an RSA key of 2048 bits.")
	}
	n.mu.Lock()
	n.state.PublicKey = in.Key
	n.mu.Unlock()
	s.saver.touch()
	return success, nil
}

func (n *number) encryption() any {
	if key := n.snapshot().PublicKey; key != "" {
		return map[string]any{"data": []any{map[string]any{"business_public_key": key, "business_public_key_signature_status": "VALID"}}}
	}
	return map[string]any{"data": []any{}}
}

// reviewName puts a display name that the business asks for before Meta's review, which takes as long as that of
// templates. A name with "reject" is refused.
func (s *Server) reviewName(n *number, name string) {
	n.mu.Lock()
	n.state.NewName, n.state.NewNameStatus = name, "PENDING_REVIEW"
	n.mu.Unlock()
	decision := &accountEvent{Decision: "APPROVED", Name: name}
	if strings.Contains(strings.ToLower(name), "reject") {
		decision.Decision = "REJECTED"
	}
	s.schedule.after(s.delays().Review, func() {
		if n.snapshot().NewName != name { // it was settled, or another was asked for since
			return
		}
		_ = s.decideName(n.account, n, decision) // both decisions are known
	})
}
