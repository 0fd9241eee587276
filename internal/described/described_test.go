// SPDX-License-Identifier: AGPL-3.0-or-later

package described

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Everything that the client asks, that the simulator answers and that it tells by webhook is as Meta describes it, but
// for the corrections, each of which is needed.
func TestBothEndsAreAsMetaDescribesThem(t *testing.T) {
	d := document(t)
	if d == nil {
		t.Logf("Meta's description is not beside the project (%s): nothing is held against it", metasDescription)
	}
	w := newWire(t)
	w.callEverything()
	w.askTheRest()
	w.tellEverything()
	w.refuseEverything()
	w.checkAllEdges()
	w.checkUnderstood()
	if d == nil {
		return
	}
	d, err := needed(d, w.operations(d), corrections)
	if err != nil {
		t.Fatal(err)
	}
	whole := w.failures(d, corrections, false)
	for _, failure := range whole {
		t.Error(failure)
	}
	if len(whole) > 0 {
		return
	}
	for i, c := range corrections {
		if len(w.failures(d, slices.Delete(slices.Clone(corrections), i, i+1), true)) == 0 {
			t.Errorf("the correction of %s is not needed: all is described without it", c.at)
		}
	}
}

// failures are what is not as described; only the first one if that is enough to know.
func (w *wire) failures(d object, corrections []correction, first bool) (all []error) {
	d, err := corrected(d, corrections)
	if err != nil {
		return []error{err}
	}
	merged := merger{d}.schemas()
	checker, err := newChecker(merged)
	if err != nil {
		return []error{err}
	}
	holdings, all := w.holdings(merged)
	for _, h := range holdings {
		if first && len(all) > 0 {
			break
		}
		if err := checker.check(h); err != nil {
			all = append(all, err)
		}
	}
	return all
}

// operations are the paths of those that were used.
func (w *wire) operations(d object) map[string]bool {
	used := map[string]bool{webhooks: true}
	for _, e := range w.exchanges {
		o, _ := w.operationOf(d, e)
		used["/{Version}/"+o.path] = true
	}
	return used
}

const webhooks = "/whatsapp/webhooks"

// holdings are what went over the wire, with the schemas it is held against.
func (w *wire) holdings(d object) (all []held, failures []error) {
	met := map[string]bool{}
	for _, e := range w.exchanges {
		o, ok := w.operationOf(d, e)
		if !ok && e.status >= 400 {
			h, err := graphError(e)
			all, failures = append(all, h), append(failures, err...)
			continue
		}
		if name := o.method + " " + o.path; !ok {
			met[name] = true
			if undescribed[name] == "" {
				failures = append(failures, errors.New(name+" is not described"))
			}
			continue
		}
		some, err := holdings(d, o, e)
		if err != nil {
			failures = append(failures, err)
		}
		all = append(all, some...)
	}
	for _, c := range w.desk.changes() {
		if field := c["field"].(string); undescribed["field "+field] != "" {
			met["field "+field] = true
			continue
		}
		body := object{"object": "whatsapp_business_account", "entry": list{object{"id": waba, "changes": list{c}}}}
		all = append(all, held{"webhook", "#/paths/~1whatsapp~1webhooks/post/requestBody/content/application~1json/schema", body})
	}
	for name := range undescribed {
		if !met[name] {
			failures = append(failures, errors.New(name+" is listed as not described, and did not occur or is described"))
		}
	}
	return all, failures
}

// undescribed is what there is though the description has it not, and why it is not held against anything.
var undescribed = map[string]string{
	"get attachments/":                           "the address of a file is whole in the answer to GET /{Media-ID}; described is only that it is fetched",
	"get debug_token":                            "belongs to the Graph API as a whole",
	"get app":                                    "the same",
	"get {User-ID}":                              "the same",
	"get {User-ID}/businesses":                   "the same",
	"post {Application-ID}/uploads":              "the same: resumable uploads (graph-api/guides/upload)",
	"post upload:":                               "the same",
	"get {Phone-Number-ID}/username":             "newer than the description (business-usernames)",
	"post {Phone-Number-ID}/username":            "the same",
	"delete {Phone-Number-ID}/username":          "the same",
	"get {Phone-Number-ID}/username_suggestions": "the same",
	"delete {Phone-Number-ID}/contact_book":      "newer than the description (business-scoped-user-ids)",

	"field account_alerts":                  "the description has no webhooks but those of messages and groups (webhooks/reference/account_alerts)",
	"field account_review_update":           "the same (webhooks/reference/account_review_update)",
	"field account_update":                  "the same (webhooks/reference/account_update)",
	"field business_capability_update":      "the same (webhooks/reference/business_capability_update)",
	"field message_template_quality_update": "the same (webhooks/reference/message_template_quality_update)",
	"field phone_number_name_update":        "the same (webhooks/reference/phone_number_name_update)",
	"field phone_number_quality_update":     "the same (webhooks/reference/phone_number_quality_update)",
	"field security":                        "the same (webhooks/reference/security)",
	"field message_template_status_update":  "the same (webhooks/reference/message_template_status_update)",
	"field template_category_update":        "the same (webhooks/reference/template_category_update)",
	"field user_preferences":                "the same (webhooks/reference/user_preferences)",
}

// call is a method of the client in use.
type call struct {
	method string
	use    func(c *whatsapp.Client) error
}

// callEverything uses every method of the client, and each in every form.
func (w *wire) callEverything() {
	w.t.Helper()
	w.prepare()
	all := w.calls()
	for _, c := range all {
		if err := c.use(w.client); err != nil {
			w.t.Errorf("%s: %v", c.method, err)
		}
	}
	client := reflect.TypeFor[*whatsapp.Client]()
	for i := range client.NumMethod() {
		name := client.Method(i).Name
		if !slices.ContainsFunc(all, func(c call) bool { return c.method == name }) {
			w.t.Errorf("Client.%s is not used here: what it asks must be held against Meta's description too", name)
		}
	}
}

// prepare lets the windows open and makes the templates and files that calls speak of.
func (w *wire) prepare() {
	w.control("POST", "citizens", object{"phone": maria, "name": "Maria Rossi", "username": "maria.rossi"})
	w.control("POST", "accounts", object{"waba_id": waba, "phone_number_id": number, "display_number": "+39 0541 123456", "templates": list{
		object{"id": "310000000000001", "name": "foto", "language": "it", "category": "UTILITY", "parameter_format": "NAMED", "components": list{
			object{"type": "HEADER", "format": "IMAGE"},
			object{"type": "BODY", "text": "Chiusa {{via}} fino alle {{ora}} di oggi."},
			object{"type": "FOOTER", "text": "Comune di Prova"},
			object{"type": "BUTTONS", "buttons": list{
				object{"type": "URL", "text": "Dettagli", "url": "https://comune.example/{{1}}", "example": list{"a"}},
				object{"type": "QUICK_REPLY", "text": "Basta"}}}}},
		object{"id": "310000000000002", "name": "luogo", "language": "it", "category": "UTILITY", "components": list{
			object{"type": "HEADER", "format": "LOCATION"}, object{"type": "BODY", "text": "Siamo qui."}}},
		object{"id": "310000000000003", "name": "modulo", "language": "it", "category": "UTILITY", "components": list{
			object{"type": "HEADER", "format": "DOCUMENT"}, object{"type": "BODY", "text": "Ecco il modulo."}}},
		object{"id": "310000000000004", "name": "film", "language": "it", "category": "MARKETING", "components": list{
			object{"type": "HEADER", "format": "VIDEO"}, object{"type": "BODY", "text": "Ecco il film."}}},
	}})
	for i := range 4 {
		w.nodes["31000000000000"+string(rune('1'+i))] = "TEMPLATE_ID"
	}
}

// calls are in the order in which they are made.
func (w *wire) calls() []call {
	ctx := w.t.Context()
	written := w.write(maria, object{"text": "Buongiorno"})
	w.await("Maria's message", func(c object) bool { return c["field"] == "messages" })
	photo := w.control("POST", "citizens/"+maria+"/messages", object{"image": true})
	picture := w.pictureOf(photo)
	w.nodes[picture] = "Media-ID"
	send := func(m whatsapp.OutgoingMessage) call {
		return call{"Send", func(c *whatsapp.Client) error {
			if m.To == "" && m.Recipient == "" {
				m.To = maria
			}
			if m.Reaction != nil {
				m.Reaction.MessageID = written
			}
			_, err := c.Send(ctx, w.acc, m)
			return err
		}}
	}
	file := func(kind whatsapp.MessageKind, mime, name string, sample string) call {
		return call{"UploadMedia", func(c *whatsapp.Client) error {
			id, err := c.UploadMedia(ctx, w.acc, mime, name, bytes.NewReader(w.sample(sample)))
			if err != nil {
				return err
			}
			w.nodes[id] = "Media-ID"
			m := whatsapp.OutgoingMessage{To: maria, Type: kind, Media: &whatsapp.OutgoingMedia{ID: id}, ReplyTo: written, CallbackData: "1"}
			switch kind {
			case whatsapp.KindDocument:
				m.Media.Filename, m.Media.Caption = name, "Il modulo"
			case whatsapp.KindImage, whatsapp.KindVideo:
				m.Media.Caption = "La buca"
			}
			if _, err := c.Send(ctx, w.acc, m); err != nil || kind == whatsapp.KindVoice || kind == whatsapp.KindAudio || kind == whatsapp.KindSticker {
				return err
			}
			return w.sendFileInTemplate(c, kind, id)
		}}
	}
	all := []call{
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindText, Text: "Buongiorno", PreviewURL: true, ReplyTo: written, CallbackData: "2"}),
		send(whatsapp.OutgoingMessage{Recipient: w.userID(), Type: whatsapp.KindText, Text: "Buongiorno"}),
		file(whatsapp.KindImage, "image/jpeg", "buca.jpg", "image"),
		file(whatsapp.KindVideo, "video/mp4", "film.mp4", "video"),
		file(whatsapp.KindAudio, "audio/ogg", "suono.ogg", "voice"),
		file(whatsapp.KindVoice, "audio/ogg", "voce.ogg", "voice"),
		file(whatsapp.KindDocument, "application/pdf", "modulo.pdf", "document"),
		file(whatsapp.KindSticker, "image/webp", "sorriso.webp", "sticker"),
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindImage, Media: &whatsapp.OutgoingMedia{Link: "https://comune.example/buca.jpg", Caption: "La buca"}}),
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindSticker, Media: &whatsapp.OutgoingMedia{Link: "https://comune.example/sorriso.webp"}}),
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindDocument, Media: &whatsapp.OutgoingMedia{Link: "https://comune.example/modulo.pdf", Filename: "modulo.pdf"}}),
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindLocation, Location: &whatsapp.Location{Latitude: 44.0594, Longitude: 12.5683, Name: "Municipio", Address: "Piazza Cavour 27"}}),
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindLocation, Location: &whatsapp.Location{}}),
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindReaction, Reaction: &whatsapp.Reaction{Emoji: "👍"}}),
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindReaction, Reaction: &whatsapp.Reaction{}}),
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindContacts, Contacts: []whatsapp.ContactCard{card}}),
	}
	for _, i := range interactive {
		form, err := i.MarshalJSON()
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, send(whatsapp.OutgoingMessage{Type: whatsapp.KindInteractive, Interactive: form}))
	}
	all = append(all, send(whatsapp.OutgoingMessage{Type: whatsapp.KindInteractive, Interactive: []byte(flow)}))
	all = append(all, w.administration()...)
	return append(all,
		send(whatsapp.OutgoingMessage{Type: whatsapp.KindTemplate, Template: &whatsapp.OutgoingTemplate{Name: "hello_world", Language: "en_US"}}),
		call{"Templates", w.sendTemplate("avviso", whatsapp.TemplateParameters{Positional: []string{"strada chiusa"}})},
		call{"Templates", w.sendTemplate("luogo", whatsapp.TemplateParameters{Location: &whatsapp.Location{Latitude: 44.0594, Longitude: 12.5683, Name: "Municipio", Address: "Piazza Cavour 27"}})},
		call{"MarkRead", func(c *whatsapp.Client) error { return c.MarkRead(ctx, w.acc, written, false) }},
		call{"MarkRead", func(c *whatsapp.Client) error { return c.MarkRead(ctx, w.acc, written, true) }},
		call{"MediaURL", func(c *whatsapp.Client) error { _, err := c.MediaURL(ctx, w.acc, picture); return err }},
		call{"DownloadMedia", func(c *whatsapp.Client) error {
			info, err := c.MediaURL(ctx, w.acc, picture)
			if err != nil {
				return err
			}
			_, err = c.DownloadMedia(ctx, w.acc, info.URL, &bytes.Buffer{}, 1<<20)
			return err
		}},
		call{"PhoneNumber", func(c *whatsapp.Client) error { _, err := c.PhoneNumber(ctx, w.acc); return err }},
		call{"WABA", func(c *whatsapp.Client) error { _, err := c.WABA(ctx, w.acc); return err }},
		call{"CheckToken", func(c *whatsapp.Client) error { return c.CheckToken(ctx, w.acc) }},
		call{"SubscribeApp", func(c *whatsapp.Client) error { return c.SubscribeApp(ctx, w.acc, nil) }},
		call{"SubscribeApp", func(c *whatsapp.Client) error {
			return c.SubscribeApp(ctx, w.acc, &whatsapp.CallbackOverride{URL: w.desk.URL, VerifyToken: "segreto"})
		}},
		call{"SubscribedApps", func(c *whatsapp.Client) error { _, err := c.SubscribedApps(ctx, w.acc); return err }},
		call{"CreateTemplate", func(c *whatsapp.Client) error {
			for _, raw := range definitions(w.t) {
				d, err := whatsapp.ParseTemplateDefinition(raw)
				if err != nil {
					return err
				}
				created, err := c.CreateTemplate(ctx, w.acc, d)
				if err != nil {
					return err
				}
				w.nodes[created.ID] = "TEMPLATE_ID"
			}
			return nil
		}},
		call{"CloseIdle", func(c *whatsapp.Client) error { c.CloseIdle(); return nil }},
	)
}

var card = whatsapp.ContactCard{
	Name:      whatsapp.CardName{Formatted: "Ufficio Anagrafe", First: "Anagrafe", Last: "Comune"},
	Phones:    []whatsapp.CardPhone{{Phone: "+390541704704", Type: "WORK", WaID: "390541704704"}},
	Emails:    []whatsapp.CardEmail{{Email: "anagrafe@comune.example", Type: "WORK"}},
	URLs:      []whatsapp.CardURL{{URL: "https://comune.example", Type: "WORK"}},
	Addresses: []whatsapp.CardAddress{{Street: "Piazza Cavour 27", City: "Rimini", State: "RN", Zip: "47921", Country: "Italia", CountryCode: "it", Type: "WORK"}},
	Org:       &whatsapp.CardOrg{Company: "Comune", Department: "Anagrafe", Title: "Sportello"},
	Birthday:  "1990-01-31",
}

// interactive are the forms that the client builds.
var interactive = []whatsapp.Interactive{
	{Kind: whatsapp.InteractiveButtons, Body: "Vuole gli avvisi?", Footer: "Comune di Prova", Choices: []whatsapp.Choice{{ID: "si", Title: "Sì"}, {ID: "no", Title: "No"}}},
	{Kind: whatsapp.InteractiveButtons, Body: "È questa la buca?", File: &whatsapp.OutgoingMedia{Link: "https://comune.example/buca.jpg"}, FileAs: whatsapp.KindImage, Choices: []whatsapp.Choice{{ID: "si", Title: "Sì"}}},
	{Kind: whatsapp.InteractiveList, Header: "Liste", Body: "Scelga una lista", Footer: "Comune di Prova", Button: "Liste", Choices: []whatsapp.Choice{{ID: "a", Title: "Emergenze", Description: "Allerte"}, {ID: "b", Title: "Scuola"}}},
	{Kind: whatsapp.InteractiveLink, Header: "Modulo", Body: "Apra il modulo", Footer: "URP", Button: "Apri", URL: "https://comune.example/modulo"},
	{Kind: whatsapp.InteractiveLink, File: &whatsapp.OutgoingMedia{Link: "https://comune.example/modulo.pdf", Filename: "modulo.pdf"}, FileAs: whatsapp.KindDocument, Body: "Apra il modulo", Button: "Apri", URL: "https://comune.example/modulo"},
	{Kind: whatsapp.InteractiveLocation, Body: "Dov'è la buca?"},
	{Kind: whatsapp.InteractiveContact, Body: "Ci lascia il numero?"},
}

// flow is a form that the client passes on and does not build.
const flow = `{"type":"flow","body":{"text":"Prenoti lo sportello"},"action":{"name":"flow","parameters":{"flow_message_version":"3","flow_id":"777001","flow_cta":"Prenota","flow_token":"t-1","mode":"published","flow_action":"navigate","flow_action_payload":{"screen":"START","data":{"ufficio":"anagrafe"}}}}}`

// sendTemplate reads a template and sends it filled.
func (w *wire) sendTemplate(name string, params whatsapp.TemplateParameters) func(c *whatsapp.Client) error {
	return func(c *whatsapp.Client) error {
		templates, err := c.Templates(w.t.Context(), w.acc)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(templates, func(t whatsapp.Template) bool { return t.Name == name })
		components, err := whatsapp.TemplateComponents(templates[i], params)
		if err != nil {
			return err
		}
		_, err = c.Send(w.t.Context(), w.acc, whatsapp.OutgoingMessage{To: maria, Type: whatsapp.KindTemplate,
			Template: &whatsapp.OutgoingTemplate{Name: name, Language: "it", Components: components}})
		return err
	}
}

func (w *wire) sendFileInTemplate(c *whatsapp.Client, kind whatsapp.MessageKind, id string) error {
	params := whatsapp.TemplateParameters{Header: &whatsapp.OutgoingMedia{ID: id}}
	switch kind {
	case whatsapp.KindImage:
		params.Named = map[string]string{"via": "via Po", "ora": "18", "button0": "avviso-42"}
		params.Payloads = map[int]string{1: "unsub:emergenze"}
		return w.sendTemplate("foto", params)(c)
	case whatsapp.KindVideo:
		return w.sendTemplate("film", params)(c)
	}
	params.Header.Filename = "modulo.pdf"
	return w.sendTemplate("modulo", params)(c)
}

// definitions are the templates that the project hands in itself.
func definitions(t *testing.T) (all [][]byte) {
	t.Helper()
	const folder = "../../examples/templates/"
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(folder + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	return all
}

// askTheRest asks what the simulator answers and no method of the client asks.
func (w *wire) askTheRest() {
	w.t.Helper()
	w.graph("POST", number, object{"webhook_configuration": object{"override_callback_uri": w.desk.URL, "verify_token": "segreto"}})
	w.graph("GET", number, nil)
	w.graph("GET", number+"/message_history?limit=2&fields=id,message_id,events{id,delivery_status,timestamp,webhook_update_state,application,webhook_uri}", nil)
	w.graph("GET", w.historyEntry()+"/events?limit=2&fields=cursor,node{id,delivery_status,occurrence_timestamp,status_timestamp,application}", nil)
	w.graph("GET", waba+"/phone_numbers?limit=1", nil)
	w.graph("GET", number+"/message_qrdls/"+w.code, nil)
	w.graph("GET", "310000000000001", nil)
	w.graph("POST", "310000000000001", object{"category": "MARKETING", "components": list{object{"type": "BODY", "text": "Chiusa la strada."}}})
	w.graph("GET", waba+"/message_templates?name=avviso", nil)
	w.graph("DELETE", waba+"/message_templates?name=film", nil)
	w.graph("GET", "debug_token?input_token="+token, nil)
	w.graph("GET", "me", nil)
	w.graph("GET", "me/businesses", nil)
	w.graph("GET", "me/assigned_whatsapp_business_accounts", nil)
	w.graph("GET", "400000000000001", nil)
	w.graph("GET", "400000000000001/owned_whatsapp_business_accounts", nil)
	w.graph("GET", "400000000000001/client_whatsapp_business_accounts", nil)
	w.form(number+"/whatsapp_business_encryption", "business_public_key", w.publicKey())
	w.graph("GET", number+"/whatsapp_business_encryption", nil)
	w.graph("DELETE", waba+"/subscribed_apps", nil)
	w.graph("POST", waba+"/subscribed_apps", nil)
}

// publicKey is one such as forms are encrypted with.
func (w *wire) publicKey() string {
	w.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		w.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// historyEntry is the id of a message in the history.
func (w *wire) historyEntry() string {
	w.t.Helper()
	page := w.graph("GET", number+"/message_history?limit=1", nil)
	id, _ := page["data"].([]any)[0].(map[string]any)["id"].(string)
	w.nodes[id] = "Message-History-ID"
	return id
}

// tellEverything makes the simulator send a webhook of every kind.
func (w *wire) tellEverything() {
	w.t.Helper()
	sent := w.graph("POST", number+"/messages", object{"messaging_product": "whatsapp", "recipient_type": "individual", "to": maria, "type": "interactive",
		"interactive": object{"type": "button", "body": object{"text": "Vuole gli avvisi?"}, "action": object{"buttons": list{object{"type": "reply", "reply": object{"id": "si", "title": "Sì"}}}}}})
	answered := sent["messages"].(list)[0].(object)["id"].(string)
	for _, content := range []object{
		{"text": "Buongiorno"},
		{"text": "E ancora", "reply_to": answered},
		{"image": object{"sample": true, "caption": "La buca"}},
		{"voice": true}, {"video": true}, {"document": true}, {"sticker": true},
		{"location": object{"latitude": 44.0594, "longitude": 12.5683, "name": "Municipio", "address": "Piazza Cavour 27"}},
		{"location": object{"latitude": 0, "longitude": 0}},
		{"contacts": list{object{"name": object{"formatted_name": "Anna Bianchi", "first_name": "Anna"}, "phones": list{object{"phone": "+39 333 1234567", "wa_id": "393331234567", "type": "CELL"}}}}},
		{"reaction": object{"message_id": answered, "emoji": "👍"}},
		{"reaction": object{"message_id": answered}},
		{"button_reply": object{"id": "si", "title": "Sì"}, "reply_to": answered},
		{"list_reply": object{"id": "a", "title": "Emergenze", "description": "Allerte"}, "reply_to": answered},
		{"list_reply": object{"id": "b", "title": "Scuola"}, "reply_to": answered},
		{"button": object{"payload": "basta", "text": "Basta"}, "reply_to": answered},
		{"raw": object{"type": "order", "order": object{"catalog_id": "194836987003835", "text": "", "product_items": list{
			object{"product_retailer_id": "sacchi-blu", "quantity": 2, "item_price": 1.5, "currency": "EUR"}}}}},
		{"raw": object{"type": "unsupported", "errors": list{object{"code": 131051, "title": "Message type unknown", "message": "Message type unknown",
			"error_data": object{"details": "Message type is currently not supported."}}}, "unsupported": object{"type": "poll"}}},
	} {
		w.write(maria, content)
	}
	last := w.write(maria, object{"text": "Ultimo"})
	w.await("the last message", func(c object) bool {
		return slices.ContainsFunc(asList(c["value"].(object)["messages"]), func(m object) bool { return m["id"] == last })
	})
	w.control("POST", "citizens/"+maria+"/preferences", object{"marketing": "stop"})
	w.control("POST", "citizens/"+maria+"/preferences", object{"marketing": "resume"})
	w.control("PUT", "templates", object{"name": "avviso", "language": "it", "status": "PAUSED"})
	w.control("PUT", "templates", object{"name": "luogo", "language": "it", "category": "MARKETING"})
	w.control("PUT", "templates", object{"name": "modulo", "language": "it", "quality": "YELLOW"})
	w.hear("delivered", object{})
	w.hear("read", object{})
	w.hear("failed", object{"not_on_whatsapp": true})
	w.playVoice()
	w.control("POST", "citizens", object{"phone": "+393479999999", "name": "Piera", "bsuid_only": true, "username": "piera"})
	w.write("+393479999999", object{"text": "Buongiorno"})
	w.await("a message without a phone", func(c object) bool {
		return slices.ContainsFunc(asList(c["value"].(object)["messages"]), func(m object) bool {
			if m["from"] == nil && m["from_user_id"] != nil {
				w.graph("POST", number+"/messages", object{"messaging_product": "whatsapp", "recipient_type": "individual", "recipient": m["from_user_id"], "type": "text", "text": object{"body": "Buongiorno"}})
				return true
			}
			return false
		})
	})
	w.await("a status without a phone", func(c object) bool {
		return slices.ContainsFunc(asList(c["value"].(object)["statuses"]), func(s object) bool { return s["recipient_id"] == nil })
	})
	w.tellTogether()
	w.tellEvents()
	w.graph("POST", number+"/settings", object{"user_identity_change": object{"enable_identity_key_check": true}})
	w.write(maria, object{"text": "Con identità"})
	w.control("POST", "citizens/"+maria+"/change_identity", nil)
	w.control("POST", "citizens/"+maria+"/change_user_id", nil)
	w.control("POST", "citizens/"+maria+"/change_number", object{"phone": "+393478888888"})
	for _, field := range w.fields() {
		w.await(field, func(c object) bool { return c["field"] == field })
	}
	for _, kind := range []string{"user_changed_number", "user_changed_user_id", "customer_identity_changed"} {
		w.await(kind, func(c object) bool {
			return slices.ContainsFunc(asList(c["value"].(object)["messages"]), func(m object) bool {
				system, _ := m["system"].(object)
				return system["type"] == kind
			})
		})
	}
}

// tellEvents makes Meta do to the account whatever it may, and undo what would be in the way.
func (w *wire) tellEvents() {
	w.t.Helper()
	w.control("PUT", "delays", object{"upgrade": "1ms"})
	for _, event := range []object{
		{"event": "messaging_limit", "limit": "TIER_2K"}, {"event": "messaging_limit"},
		{"event": "throughput_upgrade"},
		{"event": "restriction", "for": "3d"}, {"event": "restriction", "end": true},
		{"event": "violation"},
		{"event": "ban"}, {"event": "ban", "end": true},
		{"event": "payment_failure"}, {"event": "payment_failure", "end": true},
		{"event": "maintenance"}, {"event": "maintenance", "end": true},
		{"event": "token", "type": "restored"},
		{"event": "name", "name": "Comune di Prova", "decision": "REJECTED"}, {"event": "name", "name": "Comune di Prova"},
		{"event": "security"},
		{"event": "alert"},
		{"event": "review"},
	} {
		w.control("POST", "events", event)
	}
}

// tellTogether makes messages and statuses gather in one webhook.
func (w *wire) tellTogether() {
	w.t.Helper()
	w.control("PUT", "delays", object{"batch": "100ms"})
	defer w.control("PUT", "delays", object{"batch": "0s"})
	mixed := func(c object) bool {
		v := c["value"].(object)
		return v["messages"] != nil && v["statuses"] != nil
	}
	for range 50 {
		w.write(maria, object{"text": "Ancora"})
		w.graph("POST", number+"/messages", object{"messaging_product": "whatsapp", "recipient_type": "individual", "to": maria, "type": "text", "text": object{"body": "Buongiorno"}})
		if slices.ContainsFunc(w.desk.changes(), mixed) {
			return
		}
	}
	w.await("messages and statuses together", mixed)
}

// hear sends to a citizen with traits until a status comes.
func (w *wire) hear(status string, traits object) {
	w.t.Helper()
	phone := "+3934700000" + []string{"00", "01", "02", "03"}[len(status)%4]
	traits["phone"], traits["name"] = phone, "Carlo"
	w.control("POST", "citizens", traits)
	w.write(phone, object{"text": "Buongiorno"})
	w.graph("POST", number+"/messages", object{"messaging_product": "whatsapp", "recipient_type": "individual", "to": phone, "type": "text", "text": object{"body": "Buongiorno"}, "biz_opaque_callback_data": status})
	w.await(status, func(c object) bool {
		return slices.ContainsFunc(asList(c["value"].(object)["statuses"]), func(s object) bool { return s["status"] == status && s["biz_opaque_callback_data"] == status })
	})
}

// playVoice lets Maria play a voice note she was sent.
func (w *wire) playVoice() {
	w.t.Helper()
	chat := w.control("GET", "citizens/"+maria+"/messages", nil)
	for _, m := range asList(chat["items"]) {
		if m["direction"] == "out" && m["voice"] == true {
			w.control("POST", "messages/"+m["id"].(string)+"/played", object{})
		}
	}
	w.await("a voice note played", func(c object) bool {
		return slices.ContainsFunc(asList(c["value"].(object)["statuses"]), func(s object) bool { return s["status"] == "played" })
	})
}

// refuseEverything asks what the simulator refuses, in each way it has.
func (w *wire) refuseEverything() {
	w.t.Helper()
	send := func(content object) {
		m := object{"messaging_product": "whatsapp", "recipient_type": "individual", "to": "+393471230000", "type": "text", "text": object{"body": "Buongiorno"}}
		maps.Copy(m, content)
		if answer := w.graph("POST", number+"/messages", m); answer["error"] == nil {
			w.t.Errorf("%v is not refused: %v", content, answer)
		}
	}
	send(object{})
	send(object{"messaging_product": "sms"})
	send(object{"text": object{}})
	send(object{"type": "poll"})
	send(object{"type": "template", "template": object{"name": "niente", "language": object{"code": "it"}}})
	send(object{"type": "image", "image": object{"id": "1"}})
	w.graph("GET", "1", nil)
	w.graph("GET", number+"/niente", nil)
	w.graph("POST", number+"/block_users", object{"messaging_product": "whatsapp", "block_users": list{object{"user": "+393471230000"}}})
	w.graph("POST", number+"/register", object{"messaging_product": "whatsapp", "pin": "1"})
	w.graph("POST", waba+"/message_templates", object{"name": "Maiuscolo"})
	w.graph("POST", waba+"/subscribed_apps", object{"override_callback_uri": "http://127.0.0.1:1", "verify_token": "x"})
	acc := w.acc
	acc.Token = "another"
	if err := w.client.CheckToken(w.t.Context(), acc); err == nil {
		w.t.Error("a wrong token opens")
	}
}

var edge = regexp.MustCompile(`case "(GET|POST|DELETE) ([a-z_]*)":`)

// checkAllEdges asks that each edge that the simulator answers at has been asked, well.
func (w *wire) checkAllEdges() {
	w.t.Helper()
	met := map[string]bool{}
	for _, e := range w.exchanges {
		parts := strings.Split(strings.Trim(e.path, "/"), "/")
		if e.status == http.StatusOK && len(parts) > 1 {
			met[e.method+" "+strings.Join(parts[2:], "/")] = true
		}
	}
	var missing []string
	for _, m := range edge.FindAllStringSubmatch(w.source(), -1) {
		if !met[m[1]+" "+m[2]] {
			missing = append(missing, m[1]+" "+m[2])
		}
	}
	if len(missing) > 0 {
		w.t.Errorf("never asked of the simulator, or always refused: %v", missing)
	}
}

var field = regexp.MustCompile(`(?:Field:\s+|s\.tell\(a, )"([a-z_]+)"`)

// fields are those of whose webhooks the simulator's source speaks.
func (w *wire) fields() (names []string) {
	w.t.Helper()
	for _, m := range field.FindAllStringSubmatch(w.source(), -1) {
		names = append(names, m[1])
	}
	if len(names) == 0 {
		w.t.Fatal("the simulator's source speaks of no webhooks")
	}
	return names
}

// checkUnderstood asks that the client understands whatever the simulator tells, and all of it.
func (w *wire) checkUnderstood() {
	w.t.Helper()
	for _, change := range w.desk.changes() {
		raw, err := json.Marshal(object{"object": "whatsapp_business_account", "entry": list{object{"id": waba, "changes": list{change}}}})
		if err != nil {
			w.t.Fatal(err)
		}
		hook, err := whatsapp.ParseWebhook(raw)
		if err != nil {
			w.t.Fatal(err)
		}
		c := hook.Changes[0]
		for _, bad := range c.Bad {
			w.t.Errorf("not understood: %s: %s", bad.Detail, raw)
		}
		if told := c.News(); c.Field != "messages" && c.Field != "user_preferences" && told.Event == "" && len(told.Facts) == 0 {
			w.t.Errorf("nothing is understood of %s", raw)
		}
	}
}

// source is all of the simulator's.
func (w *wire) source() string {
	w.t.Helper()
	files, err := filepath.Glob("../simulator/*.go")
	if err != nil || len(files) == 0 {
		w.t.Fatalf("%d files, %v", len(files), err)
	}
	var all strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			w.t.Fatal(err)
		}
		all.Write(raw)
	}
	return all.String()
}
