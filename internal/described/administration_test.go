// SPDX-License-Identifier: AGPL-3.0-or-later

package described

import (
	"bytes"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// administration are the calls about numbers, in the order in which one is set up.
func (w *wire) administration() []call {
	ctx := w.t.Context()
	landline := w.acc
	anna := whatsapp.Person{Phone: "+393471111111"}
	w.control("POST", "citizens", object{"phone": anna.Phone, "name": "Anna"})
	w.write(anna.Phone, object{"text": "Buongiorno"})
	return []call{
		{"AddNumber", func(c *whatsapp.Client) error {
			id, err := c.AddNumber(ctx, w.acc, "39", "0541704704", "Comune di Prova")
			landline.PhoneNumberID, w.nodes[id] = id, "Phone-Number-ID"
			return err
		}},
		{"Numbers", func(c *whatsapp.Client) error { _, err := c.Numbers(ctx, w.acc); return err }},
		{"PhoneNumber", func(c *whatsapp.Client) error { _, err := c.PhoneNumber(ctx, landline); return err }},
		{"RequestCode", func(c *whatsapp.Client) error { return c.RequestCode(ctx, landline, whatsapp.ByVoice, "it") }},
		{"VerifyCode", func(c *whatsapp.Client) error { return c.VerifyCode(ctx, landline, "123456") }},
		{"StoreIn", func(c *whatsapp.Client) error { return c.StoreIn(ctx, landline, "DE") }},
		{"Register", func(c *whatsapp.Client) error { return c.Register(ctx, landline, "123456") }},
		{"PhoneNumber", func(c *whatsapp.Client) error { _, err := c.PhoneNumber(ctx, landline); return err }},
		{"SetPIN", func(c *whatsapp.Client) error { return c.SetPIN(ctx, landline, "654321") }},
		{"NumberSettings", func(c *whatsapp.Client) error { _, err := c.NumberSettings(ctx, landline); return err }},
		{"Deregister", func(c *whatsapp.Client) error { return c.Deregister(ctx, landline) }},
		{"SetIdentityCheck", func(c *whatsapp.Client) error { return c.SetIdentityCheck(ctx, w.acc, true) }},
		{"NumberSettings", func(c *whatsapp.Client) error { _, err := c.NumberSettings(ctx, w.acc); return err }},
		{"SetIdentityCheck", func(c *whatsapp.Client) error { return c.SetIdentityCheck(ctx, w.acc, false) }},
		{"SetBusinessProfile", func(c *whatsapp.Client) error {
			return c.SetBusinessProfile(ctx, w.acc, whatsapp.BusinessProfile{About: "Il Comune", Address: "Piazza Cavour 27", Description: "Il servizio del Comune",
				Email: "urp@comune.example", Websites: []string{"https://comune.example"}, Vertical: whatsapp.Government})
		}},
		{"SetBusinessProfile", func(c *whatsapp.Client) error {
			return c.SetBusinessProfile(ctx, w.acc, whatsapp.BusinessProfile{About: "Il Comune"})
		}},
		{"Upload", w.setPicture},
		{"SetProfilePicture", w.setPicture},
		{"BusinessProfile", func(c *whatsapp.Client) error { _, err := c.BusinessProfile(ctx, w.acc); return err }},
		{"App", func(c *whatsapp.Client) error { _, err := c.App(ctx, w.acc); return err }},
		{"SetSuggestions", func(c *whatsapp.Client) error {
			return c.SetSuggestions(ctx, w.acc, whatsapp.Suggestions{Prompts: []string{"Orari", "Uffici", "Avvisi", "Tributi"},
				Commands: []whatsapp.Command{{Name: "liste", Hint: "Elenco delle liste"}}})
		}},
		{"SetSuggestions", func(c *whatsapp.Client) error { return c.SetSuggestions(ctx, w.acc, whatsapp.Suggestions{}) }},
		{"Suggestions", func(c *whatsapp.Client) error { _, err := c.Suggestions(ctx, w.acc); return err }},
		{"UsernameSuggestions", func(c *whatsapp.Client) error { _, err := c.UsernameSuggestions(ctx, w.acc); return err }},
		{"SetUsername", func(c *whatsapp.Client) error { return c.SetUsername(ctx, w.acc, "comune.prova") }},
		{"Username", func(c *whatsapp.Client) error { _, err := c.Username(ctx, w.acc); return err }},
		{"DeleteUsername", func(c *whatsapp.Client) error { return c.DeleteUsername(ctx, w.acc) }},
		{"Block", func(c *whatsapp.Client) error { return c.Block(ctx, w.acc, anna) }},
		{"Blocked", func(c *whatsapp.Client) error {
			people, err := c.Blocked(ctx, w.acc)
			if err == nil && len(people) != 1 {
				return fmt.Errorf("%d are blocked", len(people))
			}
			return err
		}},
		{"Unblock", func(c *whatsapp.Client) error { return c.Unblock(ctx, w.acc, anna) }},
		{"Block", func(c *whatsapp.Client) error { return c.Block(ctx, w.acc, whatsapp.Person{UserID: w.userID()}) }},
		{"Unblock", func(c *whatsapp.Client) error { return c.Unblock(ctx, w.acc, whatsapp.Person{UserID: w.userID()}) }},
		{"ForgetContact", func(c *whatsapp.Client) error { return c.ForgetContact(ctx, w.acc, w.userID()) }},
		{"SaveLink", func(c *whatsapp.Client) error {
			link, err := c.SaveLink(ctx, w.acc, "", "ISCRIZIONE ON")
			w.code = link.Code
			return err
		}},
		{"SaveLink", func(c *whatsapp.Client) error { _, err := c.SaveLink(ctx, w.acc, w.code, "ISCRIZIONE OFF"); return err }},
		{"Links", func(c *whatsapp.Client) error { _, err := c.Links(ctx, w.acc); return err }},
		{"DeleteLink", func(c *whatsapp.Client) error {
			link, err := c.SaveLink(ctx, w.acc, "", "ISCRIZIONE ON")
			if err != nil {
				return err
			}
			return c.DeleteLink(ctx, w.acc, link.Code)
		}},
	}
}

// setPicture uploads a picture and makes it the profile's.
func (w *wire) setPicture(c *whatsapp.Client) error {
	content := w.sample("image")
	handle, err := c.Upload(w.t.Context(), w.acc, "stemma.jpg", "image/jpeg", int64(len(content)), bytes.NewReader(content))
	if err != nil {
		return err
	}
	return c.SetProfilePicture(w.t.Context(), w.acc, handle)
}
