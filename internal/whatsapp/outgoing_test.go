// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

const citizen = "+393331234567"

func TestOutgoingMessageIsMetasJSON(t *testing.T) {
	const to = `{"messaging_product":"whatsapp","recipient_type":"individual","to":"+393331234567",`
	tests := []struct {
		name    string
		message OutgoingMessage
		want    string
	}{
		{"text with preview and quote", OutgoingMessage{To: citizen, Type: KindText, Text: "v. https://comune.example", PreviewURL: true, ReplyTo: "wamid.IN"},
			to + `"type":"text","context":{"message_id":"wamid.IN"},"text":{"body":"v. https://comune.example","preview_url":true}}`},
		{"to a user id", OutgoingMessage{Recipient: "IT.1A2B3C", Type: KindText, Text: "ciao"},
			`{"messaging_product":"whatsapp","recipient_type":"individual","recipient":"IT.1A2B3C","type":"text","text":{"body":"ciao","preview_url":false}}`},
		{"phone wins, and only one is named", OutgoingMessage{To: citizen, Recipient: "IT.1A2B3C", Type: KindText, Text: "ciao"},
			to + `"type":"text","text":{"body":"ciao","preview_url":false}}`},
		{"image by id", OutgoingMessage{To: citizen, Type: KindImage, Media: &OutgoingMedia{ID: "9", Caption: "Mappa"}},
			to + `"type":"image","image":{"id":"9","caption":"Mappa"}}`},
		{"video by link", OutgoingMessage{To: citizen, Type: KindVideo, Media: &OutgoingMedia{Link: "https://comune.example/v.mp4"}},
			to + `"type":"video","video":{"link":"https://comune.example/v.mp4"}}`},
		{"sound", OutgoingMessage{To: citizen, Type: KindAudio, Media: &OutgoingMedia{ID: "9"}}, to + `"type":"audio","audio":{"id":"9"}}`},
		{"voice note", OutgoingMessage{To: citizen, Type: KindVoice, Media: &OutgoingMedia{ID: "9"}}, to + `"type":"audio","audio":{"id":"9","voice":true}}`},
		{"document", OutgoingMessage{To: citizen, Type: KindDocument, Media: &OutgoingMedia{ID: "9", Filename: "modulo.pdf"}},
			to + `"type":"document","document":{"id":"9","filename":"modulo.pdf"}}`},
		{"sticker", OutgoingMessage{To: citizen, Type: KindSticker, Media: &OutgoingMedia{ID: "9"}}, to + `"type":"sticker","sticker":{"id":"9"}}`},
		{"place at 0, 0", OutgoingMessage{To: citizen, Type: KindLocation, Location: &Location{}},
			to + `"type":"location","location":{"latitude":"0","longitude":"0"}}`},
		{"place", OutgoingMessage{To: citizen, Type: KindLocation, Location: &Location{Latitude: 44.0594, Longitude: -0.00001, Name: "Municipio", Address: "Piazza 1"}},
			to + `"type":"location","location":{"latitude":"44.0594","longitude":"-0.00001","name":"Municipio","address":"Piazza 1"}}`},
		{"reaction", OutgoingMessage{To: citizen, Type: KindReaction, Reaction: &Reaction{MessageID: "wamid.X", Emoji: "👍"}},
			to + `"type":"reaction","reaction":{"message_id":"wamid.X","emoji":"👍"}}`},
		{"reaction taken away", OutgoingMessage{To: citizen, Type: KindReaction, Reaction: &Reaction{MessageID: "wamid.X"}},
			to + `"type":"reaction","reaction":{"message_id":"wamid.X","emoji":""}}`},
		{"template without variables", OutgoingMessage{To: citizen, Type: KindTemplate, Template: &OutgoingTemplate{Name: "hello_world", Language: "en_US"}},
			to + `"type":"template","template":{"name":"hello_world","language":{"code":"en_US"}}}`},
		{"template", OutgoingMessage{To: citizen, Type: KindTemplate, CallbackData: "m:1",
			Template: &OutgoingTemplate{Name: "avviso", Language: "it", Components: json.RawMessage(`[{"type":"body"}]`)}},
			to + `"type":"template","biz_opaque_callback_data":"m:1","template":{"name":"avviso","language":{"code":"it"},"components":[{"type":"body"}]}}`},
		{"contact card", OutgoingMessage{To: citizen, Type: KindContacts, Contacts: []ContactCard{{Name: CardName{Formatted: "URP", First: "URP"},
			Phones: []CardPhone{{Phone: "+390541704704", Type: "WORK"}}}}},
			to + `"type":"contacts","contacts":[{"name":{"formatted_name":"URP","first_name":"URP"},"phones":[{"phone":"+390541704704","type":"WORK"}]}]}`},
		{"interactive", OutgoingMessage{To: citizen, Type: KindInteractive, Interactive: must(json.Marshal(Interactive{Kind: InteractiveButtons, Body: "Vuole?", Choices: []Choice{{ID: "y", Title: "Sì"}}}))},
			to + `"type":"interactive","interactive":{"action":{"buttons":[{"reply":{"id":"y","title":"Sì"},"type":"reply"}]},"body":{"text":"Vuole?"},"type":"button"}}`},
		{"photo above buttons", OutgoingMessage{To: citizen, Type: KindInteractive, Interactive: must(json.Marshal(Interactive{Kind: InteractiveButtons, Body: "È questa?",
			File: &OutgoingMedia{ID: "9"}, FileAs: KindImage, Choices: []Choice{{ID: "y", Title: "Sì"}}}))},
			to + `"type":"interactive","interactive":{"action":{"buttons":[{"reply":{"id":"y","title":"Sì"},"type":"reply"}]},"body":{"text":"È questa?"},"header":{"image":{"id":"9"},"type":"image"},"type":"button"}}`},
		{"link under a title", OutgoingMessage{To: citizen, Type: KindInteractive, Interactive: must(json.Marshal(Interactive{Kind: InteractiveLink, Header: "Modulo",
			Body: "Lo compili", Button: "Apri", URL: "https://comune.example/m"}))},
			to + `"type":"interactive","interactive":{"action":{"name":"cta_url","parameters":{"display_text":"Apri","url":"https://comune.example/m"}},"body":{"text":"Lo compili"},"header":{"text":"Modulo","type":"text"},"type":"cta_url"}}`},
		{"number asked for", OutgoingMessage{To: citizen, Type: KindInteractive, Interactive: must(json.Marshal(Interactive{Kind: InteractiveContact, Body: "Ci lascia il numero?"}))},
			to + `"type":"interactive","interactive":{"action":{"name":"request_contact_info"},"body":{"text":"Ci lascia il numero?"},"type":"contact_request"}}`},
		{"content of another type stays behind", OutgoingMessage{To: citizen, Type: KindText, Text: "ciao", Media: &OutgoingMedia{ID: "9"}},
			to + `"type":"text","text":{"body":"ciao","preview_url":false}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := json.Marshal(test.message)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func must(raw json.RawMessage, err error) json.RawMessage {
	if err != nil {
		panic(err)
	}
	return raw
}

func TestOutgoingMessageLimits(t *testing.T) {
	text := func(s string) OutgoingMessage { return OutgoingMessage{To: citizen, Type: KindText, Text: s} }
	to := func(phone string) OutgoingMessage { return OutgoingMessage{To: phone, Type: KindText, Text: "ciao"} }
	user := func(id string) OutgoingMessage { return OutgoingMessage{Recipient: id, Type: KindText, Text: "ciao"} }
	media := func(kind MessageKind, m OutgoingMedia) OutgoingMessage {
		return OutgoingMessage{To: citizen, Type: kind, Media: &m}
	}
	place := func(latitude, longitude float64) OutgoingMessage {
		return OutgoingMessage{To: citizen, Type: KindLocation, Location: &Location{Latitude: latitude, Longitude: longitude}}
	}
	template := func(t OutgoingTemplate) OutgoingMessage {
		return OutgoingMessage{To: citizen, Type: KindTemplate, Template: &t}
	}
	tests := []struct {
		name    string
		message OutgoingMessage
		field   string // "" when it may go
	}{
		{"4,096 characters", text(strings.Repeat("à", 4096)), ""},
		{"one more", text(strings.Repeat("à", 4097)), "text.body"},
		{"empty", text(""), "text.body"},
		{"blank", text(" \n\t"), "text.body"},
		{"short number", to("+4455"), ""},
		{"number without +", to("393331234567"), "to"},
		{"number with blanks", to("+39 333 1234567"), "to"},
		{"number too short", to("+123"), "to"},
		{"number too long", to("+1234567890123456"), "to"},
		{"number with two +", to("++393331234567"), "to"},
		{"a user id as number", to("IT.1A"), "to"},
		{"nobody", to(""), "recipient"},
		{"user id", user("IT.1A2B3C"), ""},
		{"a phone as user id", user("393331234567"), "recipient"},
		{"user id in small letters", user("it.1A"), "recipient"},
		{"callback data", OutgoingMessage{To: citizen, Type: KindText, Text: "a", CallbackData: strings.Repeat("x", 512)}, ""},
		{"callback data too long", OutgoingMessage{To: citizen, Type: KindText, Text: "a", CallbackData: strings.Repeat("x", 513)}, "biz_opaque_callback_data"},
		{"no type", OutgoingMessage{To: citizen, Text: "a"}, "type"},
		{"a type that only comes in", OutgoingMessage{To: citizen, Type: KindSystem}, "type"},
		{"caption", media(KindImage, OutgoingMedia{ID: "1", Caption: strings.Repeat("à", 1024)}), ""},
		{"caption too long", media(KindImage, OutgoingMedia{ID: "1", Caption: strings.Repeat("à", 1025)}), "image.caption"},
		{"caption of a voice note", media(KindVoice, OutgoingMedia{ID: "1", Caption: "x"}), "audio.caption"},
		{"caption of a sticker", media(KindSticker, OutgoingMedia{ID: "1", Caption: "x"}), "sticker.caption"},
		{"file name of an image", media(KindImage, OutgoingMedia{ID: "1", Filename: "x.png"}), "image.filename"},
		{"neither id nor link", media(KindImage, OutgoingMedia{}), "image"},
		{"id and link", media(KindImage, OutgoingMedia{ID: "1", Link: "https://x"}), "image"},
		{"link that is none", media(KindImage, OutgoingMedia{Link: "/etc/passwd"}), "image.link"},
		{"no media", OutgoingMessage{To: citizen, Type: KindImage}, "image"},
		{"North Pole", place(90, 180), ""},
		{"beyond", place(90.1, 0), "location"},
		{"nowhere", place(math.NaN(), 0), "location"},
		{"endless", place(0, math.Inf(1)), "location"},
		{"no place", OutgoingMessage{To: citizen, Type: KindLocation}, "location"},
		{"reaction to nothing", OutgoingMessage{To: citizen, Type: KindReaction, Reaction: &Reaction{Emoji: "👍"}}, "reaction.message_id"},
		{"reaction as a reply", OutgoingMessage{To: citizen, Type: KindReaction, Reaction: &Reaction{MessageID: "w"}, ReplyTo: "w"}, "context"},
		{"template without name", template(OutgoingTemplate{Language: "it"}), "template.name"},
		{"template without language", template(OutgoingTemplate{Name: "avviso"}), "template.language.code"},
		{"template with an object", template(OutgoingTemplate{Name: "a", Language: "it", Components: json.RawMessage(`{}`)}), "template.components"},
		{"template with half JSON", template(OutgoingTemplate{Name: "a", Language: "it", Components: json.RawMessage(`[`)}), "template.components"},
		{"no template", OutgoingMessage{To: citizen, Type: KindTemplate}, "template.name"},
		{"no cards", OutgoingMessage{To: citizen, Type: KindContacts}, "contacts"},
		{"257 cards", OutgoingMessage{To: citizen, Type: KindContacts, Contacts: cards(257)}, ""},
		{"one more card", OutgoingMessage{To: citizen, Type: KindContacts, Contacts: cards(258)}, "contacts"},
		{"card without name", OutgoingMessage{To: citizen, Type: KindContacts, Contacts: []ContactCard{{}}}, "contacts[0].name.formatted_name"},
		{"card with one name", OutgoingMessage{To: citizen, Type: KindContacts, Contacts: []ContactCard{{Name: CardName{Formatted: "URP"}}}}, "contacts[0].name"},
		{"no interactive", OutgoingMessage{To: citizen, Type: KindInteractive}, "interactive"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantLimit(t, test.message.Validate(), test.field) })
	}
}

func cards(n int) []ContactCard {
	list := make([]ContactCard, n)
	for i := range list {
		list[i].Name = CardName{Formatted: "URP", First: "URP"}
	}
	return list
}

func wantLimit(t *testing.T, err error, field string) {
	t.Helper()
	got := ""
	if e, ok := errors.AsType[*LimitError](err); ok {
		got = e.Field
	} else if err != nil {
		t.Fatalf("got %v, want a *LimitError", err)
	}
	if got != field {
		t.Errorf("got %v, want a fault of %q", err, field)
	}
}

func choices(n int) []Choice {
	list := make([]Choice, n)
	for i := range list {
		list[i] = Choice{ID: fmt.Sprint(i), Title: fmt.Sprintf("Scelta %d", i)}
	}
	return list
}

func TestInteractiveLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("à", n) }
	buttons := func(c ...Choice) func() (json.RawMessage, error) {
		return func() (json.RawMessage, error) {
			return json.Marshal(Interactive{Kind: InteractiveButtons, Body: "Vuole?", Footer: "URP", Choices: c})
		}
	}
	list := func(c ...Choice) func() (json.RawMessage, error) {
		return func() (json.RawMessage, error) {
			return json.Marshal(Interactive{Kind: InteractiveList, Body: "Scelga", Footer: "URP", Button: "Mostra liste", Choices: c})
		}
	}
	build := func(i Interactive) func() (json.RawMessage, error) {
		return func() (json.RawMessage, error) { return json.Marshal(i) }
	}
	link := func(i Interactive) func() (json.RawMessage, error) {
		i.Kind, i.Body = InteractiveLink, "Apra il modulo"
		return build(i)
	}
	raw := func(s string) func() (json.RawMessage, error) {
		return func() (json.RawMessage, error) { return nil, checkInteractive(json.RawMessage(s)) }
	}
	const inButtons, inRows = "interactive.action.buttons", "interactive.action.sections.rows"
	tests := []struct {
		name  string
		build func() (json.RawMessage, error)
		field string
	}{
		{"three buttons", buttons(choices(3)...), ""},
		{"four buttons", buttons(choices(4)...), inButtons},
		{"no buttons", buttons(), inButtons},
		{"button title of 20", buttons(Choice{ID: "1", Title: long(20)}), ""},
		{"button title of 21", buttons(Choice{ID: "1", Title: long(21)}), inButtons + ".title"},
		{"button id of 257", buttons(Choice{ID: long(257), Title: "Sì"}), inButtons + ".id"},
		{"same ids", buttons(Choice{ID: "1", Title: "Sì"}, Choice{ID: "1", Title: "No"}), inButtons},
		{"same titles", buttons(Choice{ID: "1", Title: "Sì"}, Choice{ID: "2", Title: "Sì"}), inButtons},
		{"body of buttons", func() (json.RawMessage, error) {
			return json.Marshal(Interactive{Kind: InteractiveButtons, Body: long(1025), Footer: "", Choices: choices(1)})
		}, "interactive.body.text"},
		{"footer", func() (json.RawMessage, error) {
			return json.Marshal(Interactive{Kind: InteractiveButtons, Body: "a", Footer: long(61), Choices: choices(1)})
		}, "interactive.footer.text"},
		{"ten rows", list(choices(10)...), ""},
		{"eleven rows", list(choices(11)...), "interactive.action.sections"},
		{"no rows", list(), "interactive.action.sections"},
		{"row title of 24", list(Choice{ID: "1", Title: long(24)}), ""},
		{"row title of 25", list(Choice{ID: "1", Title: long(25)}), inRows + ".title"},
		{"row description of 73", list(Choice{ID: "1", Title: "a", Description: long(73)}), inRows + ".description"},
		{"row id of 201", list(Choice{ID: long(201), Title: "a"}), inRows + ".id"},
		{"rows in two sections", list(Choice{ID: "1", Title: "a", Section: long(24)}, Choice{ID: "2", Title: "b", Section: "Uffici"}), ""},
		{"section title of 25", list(Choice{ID: "1", Title: "a", Section: long(25)}), "interactive.action.sections.title"},
		{"a section without title", list(Choice{ID: "1", Title: "a", Section: "Uffici"}, Choice{ID: "2", Title: "b"}), "interactive.action.sections.title"},
		{"same row ids", list(Choice{ID: "1", Title: "a"}, Choice{ID: "1", Title: "b"}), inRows},
		{"list body of 4,096", func() (json.RawMessage, error) {
			return json.Marshal(Interactive{Kind: InteractiveList, Body: long(4096), Button: "Mostra", Choices: choices(1)})
		}, ""},
		{"list body of 4,097", func() (json.RawMessage, error) {
			return json.Marshal(Interactive{Kind: InteractiveList, Body: long(4097), Button: "Mostra", Choices: choices(1)})
		}, "interactive.body.text"},
		{"list label of 21", func() (json.RawMessage, error) {
			return json.Marshal(Interactive{Kind: InteractiveList, Body: "a", Button: long(21), Choices: choices(1)})
		}, "interactive.action.button"},
		{"eleven rows over two sections", raw(sections(6, 5)), "interactive.action.sections"},
		{"ten rows over two sections", raw(sections(6, 4)), ""},
		{"not JSON", raw(`{`), "interactive"},
		{"no type", raw(`{"body":{"text":"a"}}`), "interactive.type"},
		{"header", raw(`{"type":"button","header":{"type":"text","text":"` + long(61) + `"},"body":{"text":"a"}}`), "interactive.header.text"},
		{"link", link(Interactive{Header: "Modulo", Button: "Apri", URL: "https://comune.example/modulo"}), ""},
		{"link label of 21", link(Interactive{Button: long(21), URL: "https://comune.example/"}), "interactive.action.parameters.display_text"},
		{"link to nowhere", link(Interactive{Button: "Apri", URL: "comune.example"}), "interactive.action.parameters.url"},
		{"link that runs", link(Interactive{Button: "Apri", URL: "javascript:alert(1)"}), "interactive.action.parameters.url"},
		{"link of 2,001", link(Interactive{Button: "Apri", URL: "https://comune.example/" + strings.Repeat("a", 1978)}), "interactive.action.parameters.url"},
		{"place asked for", build(Interactive{Kind: InteractiveLocation, Body: "Dove?"}), ""},
		{"place asked for under a header", build(Interactive{Kind: InteractiveLocation, Header: "Buca", Body: "Dove?"}), "interactive.header"},
		{"number asked for", build(Interactive{Kind: InteractiveContact, Body: "Ci lascia il numero?"}), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.build()
			wantLimit(t, err, test.field)
		})
	}
}

// sections is a list message with so many rows in each section.
func sections(counts ...int) string {
	var all []any
	id := 0
	for i, n := range counts {
		var rows []any
		for range n {
			id++
			rows = append(rows, object{"id": fmt.Sprint(id), "title": "Riga"})
		}
		all = append(all, object{"title": fmt.Sprintf("Sezione %d", i), "rows": rows})
	}
	b, err := json.Marshal(object{"type": "list", "body": object{"text": "a"}, "action": object{"button": "Mostra", "sections": all}})
	if err != nil {
		panic(err)
	}
	return string(b)
}
