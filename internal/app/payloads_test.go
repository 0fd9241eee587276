// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tidwall/gjson"

	"github.com/filodiretto/filodiretto/internal/api"
	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/inbound"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/towntest"
	"github.com/filodiretto/filodiretto/internal/web"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// windows are the three sides of a municipality in one process: the webhook that Meta calls, the desk and the API.
type windows struct {
	*testing.T
	d         *db.DB
	m         *municipality.Municipality
	directory *municipality.Directory
	processor *inbound.Processor
	server    *httptest.Server
	desk      *http.Client
	token     string
}

func openWindows(t *testing.T, d *db.DB) *windows {
	t.Helper()
	key := towntest.Key(t)
	file := towntest.Parse(t, strings.NewReplacer("simulator", "secret").Replace(testFile))
	w := &windows{T: t, d: d}
	const password = "una frase lunga da ricordare"
	hashed, err := staff.NewPassword(t.Context(), password, "ada@prova.example", "Ada Neri")
	if err != nil {
		t.Fatal(err)
	}
	w.update(func(ctx context.Context, tx *db.Tx) error {
		if w.m, _, err = municipality.Apply(ctx, tx, key, file); err != nil {
			return err
		}
		boss := staff.System("cli")
		if _, _, err := staff.Add(ctx, tx, boss, w.m.ID, staff.New{Email: "ada@prova.example", Name: "Ada Neri", Role: staff.Administrator, Password: hashed}); err != nil {
			return err
		}
		w.token, _, err = staff.CreateToken(ctx, tx, boss, w.m.ID, "gestionale", nil)
		return err
	})
	if w.directory, err = municipality.NewDirectory(t.Context(), d, key); err != nil {
		t.Fatal(err)
	}
	files, err := media.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log, metrics := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	j := journal.New(d, log)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { j.Run(ctx) })
	pages, err := web.New(web.Options{DB: d, Directory: w.directory, Media: files, Key: key, Journal: j, PublicURL: "http://127.0.0.1", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	inbound.NewWebhook(w.directory, j, metrics, log).Routes(mux)
	mux.Handle(api.Prefix+"/", api.New(api.Options{DB: d, Directory: w.directory, Media: files, Journal: j, Log: log, PublicURL: "http://127.0.0.1"}))
	mux.Handle("/", pages)
	w.processor = inbound.NewProcessor(d, w.directory, j, dialogue.New(broadcast.NewKeywords(key, "")), metrics, log)
	w.server = httptest.NewServer(mux)
	t.Cleanup(func() { pages.EndStreams(); w.server.Close(); stop(); running.Wait() })
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.desk = &http.Client{Jar: jar}
	w.ask(w.desk, http.MethodPost, "/desk/prova/sign-in", url.Values{"email": {"ada@prova.example"}, "password": {password}}.Encode(), "application/x-www-form-urlencoded")
	return w
}

func (w *windows) update(f func(ctx context.Context, tx *db.Tx) error) {
	w.Helper()
	if err := w.d.Update(w.Context(), f); err != nil {
		w.Fatal(err)
	}
}

func (w *windows) ask(client *http.Client, method, path, body, contentType string) string {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept-Language", "it")
	r.Header.Set("Authorization", "Bearer "+w.token)
	res, err := client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		w.Fatalf("%s %s answered %d, %v: %.300s", method, path, res.StatusCode, err, text)
	}
	return string(text)
}

// deliver posts a webhook as Meta does, twice, which must be the same as once.
func (w *windows) deliver(body string) {
	w.Helper()
	for range 2 {
		r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.server.URL+"/webhooks/whatsapp/prova", bytes.NewReader([]byte(body)))
		if err != nil {
			w.Fatal(err)
		}
		r.Header.Set("X-Hub-Signature-256", whatsapp.Sign("secret", []byte(body)))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			w.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			w.Fatalf("a webhook was answered %d: %.300s", res.StatusCode, body)
		}
		if err := w.processor.Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
	}
}

// page is what the desk shows at an address, as a reader sees it: without marks, and with single blanks.
func (w *windows) page(path string) string {
	w.Helper()
	source := w.ask(w.desk, http.MethodGet, "/desk/prova"+path, "", "text/html")
	var text strings.Builder
	within := false
	for _, r := range source {
		switch {
		case r == '<':
			within = true
			text.WriteByte(' ')
		case r == '>':
			within = false
		case !within:
			text.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(html.UnescapeString(text.String())), " ")
}

func (w *windows) api(path string) gjson.Result {
	w.Helper()
	return gjson.Parse(w.ask(http.DefaultClient, http.MethodGet, api.Prefix+path, "", "application/json"))
}

// conversation is the id of the conversation with a phone; "" where there is none.
func (w *windows) conversation(phone string) string {
	w.Helper()
	for _, c := range w.api("/conversations?state=open&limit=100").Get("items").Array() {
		if c.Get("contact.phone").Str == "+"+phone {
			return c.Get("id").Str
		}
	}
	return ""
}

// about is a webhook of the field messages of our number.
func about(value string) string { return told("messages", value) }

func told(field, value string) string {
	return fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"200000000000001","changes":[{"field":%q,"value":{
		"messaging_product":"whatsapp","metadata":{"display_phone_number":"390541123456","phone_number_id":"100000000000001"},%s}}]}]}`, field, value)
}

// told of the account: what names no number is routed by the account, and tells its own time.
func toldOfAccount(field, value string, at int64) string {
	return fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"200000000000001","time":%d,"changes":[{"field":%q,"value":%s}]}]}`, at, field, value)
}

// payload is one thing that Meta can send from a citizen, with what the desk and the API make of it. %[1]s is the
// citizen's phone and %[2]s what makes ids of this payload unique.
type payload struct {
	messages string            // the items of messages, without those keys that all have
	desk     []string          // words to be read in the thread
	api      map[string]string // of the last message
}

// citizens is one payload of every kind that the reference lists.
var citizens = map[string]payload{
	"text": {`"type":"text","text":{"body":"A che ora apre l’anagrafe?"}`, []string{"A che ora apre l’anagrafe?"},
		map[string]string{"type": "text", "text": "A che ora apre l’anagrafe?", "content.forwarded": "no"}},
	"image": {`"type":"image","image":{"id":"m1%[2]s","mime_type":"image/jpeg","sha256":"x","url":"https://lookaside.example/1","caption":"La buca"}`, []string{"La buca", "in arrivo"},
		map[string]string{"type": "image", "text": "La buca", "media.0.state": "pending"}},
	"voice of the old type": {`"type":"voice","voice":{"id":"m2%[2]s","mime_type":"audio/ogg"}`, []string{"messaggio vocale"}, map[string]string{"type": "voice"}},
	"voice note":            {`"type":"audio","audio":{"id":"m3%[2]s","mime_type":"audio/ogg","voice":true}`, []string{"messaggio vocale"}, map[string]string{"type": "voice"}},
	"sticker":               {`"type":"sticker","sticker":{"id":"m4%[2]s","mime_type":"image/webp","animated":true}`, []string{"adesivo"}, map[string]string{"type": "sticker"}},
	"document":              {`"type":"document","document":{"id":"m5%[2]s","mime_type":"application/pdf","filename":"modulo.pdf"}`, []string{"modulo.pdf"}, map[string]string{"type": "document", "media.0.name": "modulo.pdf"}},
	"place without a name":  {`"type":"location","location":{"latitude":0,"longitude":0}`, []string{"0.00000, 0.00000", "Apri nella mappa"}, map[string]string{"location.latitude": "0", "location.name": "", "text": ""}},
	"place with everything": {`"type":"location","location":{"latitude":44.0594,"longitude":"12.5683","name":"Ponte di Tiberio","address":"Viale Tiberio","url":"https://example.org/ponte"}`,
		[]string{"Ponte di Tiberio", "Viale Tiberio", "Apri il sito"}, map[string]string{"location.name": "Ponte di Tiberio", "text": "Ponte di Tiberio, Viale Tiberio"}},
	"cards by the dozen": {`"type":"contacts","contacts":[` + strings.TrimSuffix(strings.Repeat(`{"name":{"formatted_name":"Idraulico"},"phones":[{"phone":"0541 1"}]},`, 12), ",") + `,{"phones":[]}]`,
		[]string{"Idraulico", "0541 1"}, map[string]string{"type": "contacts", "content.contacts.#": "13", "content.own_phone": "false"}},
	"own card": {`"type":"contacts","contacts":[{"origin":"contact_request","name":{"formatted_name":"Anna"},"phones":[{"phone":"+%[1]s","wa_id":"%[1]s"}]}]`,
		[]string{"il cittadino ha dato il proprio numero"}, map[string]string{"content.own_phone": "true"}},
	"button": {`"type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"si","title":"Sì"}}`, []string{"scelta da un pulsante", "Sì"},
		map[string]string{"type": "choice", "text": "Sì", "content.choice.id": "si"}},
	"row": {`"type":"interactive","interactive":{"type":"list_reply","list_reply":{"id":"r1","title":"Anagrafe","description":"Carta d’identità"}}`, []string{"Anagrafe", "Carta d’identità"},
		map[string]string{"content.choice.description": "Carta d’identità"}},
	"button of a template, without context": {`"type":"button","button":{"payload":"STOP_NO","text":"Continua"}`, []string{"Continua"}, map[string]string{"type": "choice", "content.choice.id": "STOP_NO"}},
	"form": {`"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"{\"flow_token\":\"abc\",\"ufficio\":\"anagrafe\",\"giorni\":[\"lun\",\"mar\"],\"dove\":{\"via_e_civico\":\"Roma 1\"}}"}}`,
		[]string{"risposta a un modulo", "ufficio: anagrafe", "giorni: lun, mar", "via e civico: Roma 1"}, map[string]string{"type": "form", "content.form.answers.ufficio": "anagrafe"}},
	"form of no object":  {`"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"[\"uno\",2]"}}`, []string{"uno, 2"}, map[string]string{"type": "form", "text": "uno, 2"}},
	"form of no JSON":    {`"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"solo parole"}}`, []string{"solo parole"}, map[string]string{"text": "solo parole", "content.form.answers": ""}},
	"form of a number":   {`"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":7}}`, []string{"risposta a un modulo", "7"}, map[string]string{"type": "form", "text": "7"}},
	"form with nothing":  {`"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent"}}`, []string{"risposta a un modulo"}, map[string]string{"type": "form"}},
	"address":            {`"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"address_message","body":"Via Roma 1","response_json":"{\"values\":{\"city\":\"Rimini\"}}"}}`, []string{"city: Rimini"}, map[string]string{"content.form.name": "address_message"}},
	"calls granted":      {`"type":"interactive","interactive":{"type":"call_permission_reply","call_permission_reply":{"response":"accept","expiration_timestamp":1795600000,"response_source":"user_action"}}`, []string{"Permette di essere chiamato fino a"}, map[string]string{"content.call.granted": "true"}},
	"calls refused":      {`"type":"interactive","interactive":{"type":"call_permission_reply","call_permission_reply":{"response":"reject"}}`, []string{"Non vuole essere chiamato"}, map[string]string{"content.call.granted": "false"}},
	"unknown reply":      {`"type":"interactive","interactive":{"type":"hologram_reply","hologram_reply":{"x":1}}`, []string{"in un modo che questa versione non conosce", "hologram_reply"}, map[string]string{"type": "unsupported", "content.unsupported": "interactive"}},
	"order":              {`"type":"order","order":{"catalog_id":"c9","text":"Grazie","product_items":[{"product_retailer_id":"SKU-1","quantity":"2","item_price":10.5,"currency":"EUR"},{"product_retailer_id":"SKU-2","quantity":1}]}`, []string{"ordine dal catalogo", "2 × SKU-1 10.5 EUR", "1 × SKU-2", "Grazie"}, map[string]string{"type": "order", "content.order.items.0.quantity": "2", "content.order.catalog": "c9"}},
	"forwarded":          {`"context":{"forwarded":true},"type":"text","text":{"body":"Catena"}`, []string{"inoltrato", "Catena"}, map[string]string{"content.forwarded": "yes"}},
	"forwarded often":    {`"context":{"frequently_forwarded":true},"type":"text","text":{"body":"Catena"}`, []string{"inoltrato molte volte", "Catena"}, map[string]string{"content.forwarded": "often"}},
	"from an advert":     {`"referral":{"source_url":"https://fb.example/ad","source_id":"77","source_type":"ad","headline":"Centri estivi","body":"Iscriviti"},"type":"text","text":{"body":"Vorrei iscrivermi"}`, []string{"Arriva da un annuncio", "Centri estivi", "Iscriviti", "Vorrei iscrivermi"}, map[string]string{"content.referral.source": "ad"}},
	"product enquiry":    {`"context":{"referred_product":{"catalog_id":"c9","product_retailer_id":"SKU-3"}},"type":"text","text":{"body":"Quanto costa?"}`, []string{"chiede del prodotto SKU-3"}, map[string]string{"content.product.id": "SKU-3"}},
	"poll":               {`"type":"unsupported","unsupported":{"type":"poll"},"errors":[{"code":131051,"title":"Message type unknown","message":"Message type unknown","error_data":{"details":"Message type is currently not supported."}}]`, []string{"Il cittadino ha mandato un sondaggio", "Come è arrivato"}, map[string]string{"type": "unsupported", "content.unsupported": "poll", "content.problems.0.code": "131051"}},
	"unsupported":        {`"type":"unsupported","errors":[{"code":131051,"details":"Message type is not currently supported","title":"Unsupported message type"}]`, []string{"un contenuto che WhatsApp non ci consegna"}, map[string]string{"content.unsupported": "unsupported", "content.problems.0.detail": "Message type is not currently supported"}},
	"a type of tomorrow": {`"type":"hologram","hologram":{"beam":"x"}`, []string{"un contenuto che WhatsApp non ci consegna", "beam"}, map[string]string{"type": "unsupported", "content.unsupported": "hologram"}},
	"file not fetched":   {`"type":"video","errors":[{"code":131052,"title":"Media download error","message":"Media download error","error_data":{"details":"too big"}}]`, []string{"non è riuscito a consegnarci il file", "Chiedi al cittadino di mandarlo di nuovo"}, map[string]string{"type": "unsupported", "content.unsupported": "video", "content.problems.0.code": "131052"}},
	"file without an id": {`"type":"image","image":{"mime_type":"image/jpeg"}`, []string{"non è riuscito a consegnarci il file"}, map[string]string{"content.unsupported": "image"}},
	"expired at Meta":    {`"type":"unsupported","errors":[{"code":131035,"title":"Message expired"}]`, []string{"il contenuto è perso"}, map[string]string{"content.problems.0.code": "131035"}},
	"text with a doubt":  {`"type":"text","text":{"body":"Metà testo"},"errors":[{"code":131000,"title":"Something went wrong"}]`, []string{"Metà testo", "può mancare qualcosa (codice 131000)"}, map[string]string{"type": "text", "content.problems.0.code": "131000"}},
	"quote of nobody":    {`"context":{"from":"390541123456","id":"wamid.OF.NOBODY"},"type":"text","text":{"body":"Sì, grazie"}`, []string{"messaggio non disponibile", "Sì, grazie"}, map[string]string{"reply_to": ""}},
	"reaction, and removed": {`"type":"text","text":{"body":"Ciao"}},{%[3]s,"id":"wamid.R1.%[2]s","type":"reaction","reaction":{"message_id":"wamid.P.%[2]s","emoji":"👍"}},{%[3]s,"id":"wamid.R2.%[2]s","type":"reaction","reaction":{"message_id":"wamid.P.%[2]s","emoji":""}},{%[3]s,"id":"wamid.R3.%[2]s","type":"reaction","reaction":{"message_id":"wamid.P.%[2]s"}`,
		[]string{"Ciao"}, map[string]string{"type": "reaction", "text": ""}},
	"number changed": {`"type":"text","text":{"body":"Ciao"}},{%[3]s,"id":"wamid.S.%[2]s","type":"system","system":{"type":"user_changed_user_id","body":"x","user_id":"IT.NEW%[2]s","previous_user_id":"IT.OLD%[2]s"}},{%[3]s,"id":"wamid.S2.%[2]s","type":"system","identity":{"acknowledged":false,"created_timestamp":"1795000000","hash":"h"},"system":{"type":"customer_identity_changed","body":"x"}`,
		[]string{"WhatsApp ha dato al cittadino un nuovo codice", "accertati che sia la stessa persona"}, map[string]string{"type": "system", "content.system": "customer_identity_changed"}},
	"welcome":                         {`"type":"text","text":{"body":"Ciao"}},{%[3]s,"id":"wamid.W.%[2]s","type":"request_welcome"`, []string{"Il cittadino ha aperto la chat per la prima volta"}, map[string]string{"type": "system", "content.system": "request_welcome"}},
	"BSUID where the phone should be": {`"from_user_id":"IT.X%[2]s","type":"text","text":{"body":"Chi sono?"}`, []string{"Chi sono?"}, map[string]string{"text": "Chi sono?"}},
	"a time that is none":             {`"type":"text","timestamp":"ieri","text":{"body":"Quando?"}`, []string{"Quando?", "ora di ricezione"}, map[string]string{"text": "Quando?"}},
	"numbers where strings should be": {`"type":"text","text":{"body":12345}`, []string{"12345"}, map[string]string{"text": "12345"}},
}

// What citizens change or take back is shown with what it was before, whatever comes first.
func TestEditedAndRevokedMessages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openWindows(t, d)
		now, n := d.Now().Unix(), 0
		item := func(phone, id string, after int64, rest string) string {
			return fmt.Sprintf(`{"from":%q,"id":%q,"timestamp":"%d",%s}`, phone, id, now-100+after, rest)
		}
		edit := func(target, content string) string {
			return fmt.Sprintf(`"type":"edit","edit":{"original_message_id":%q,"message":%s}`, target, content)
		}
		for name, c := range map[string]struct {
			deliveries []string // of phone and target
			desk, not  []string
			api        map[string]string
		}{
			"edited": {[]string{item("%[1]s", "%[2]s", 0, `"type":"text","text":{"body":"C’è una busa"}`), item("%[1]s", "%[2]s.e", 10, edit("%[2]s", `{"type":"text","text":{"body":"C’è una buca"}}`))},
				[]string{"C’è una buca", "Modificato dal cittadino", "C’è una busa"}, nil, map[string]string{"text": "C’è una buca", "earlier.#": "1", "earlier.0.text": "C’è una busa"}},
			"edited before it came": {[]string{item("%[1]s", "%[2]s.e", 10, edit("%[2]s", `{"type":"text","text":{"body":"Due"}}`)), item("%[1]s", "%[2]s", 0, `"type":"text","text":{"body":"Uno"}`)},
				[]string{"Due", "Uno"}, nil, map[string]string{"text": "Due", "earlier.0.text": "Uno"}},
			"edited twice, the later first": {[]string{item("%[1]s", "%[2]s", 0, `"type":"text","text":{"body":"Uno"}`), item("%[1]s", "%[2]s.f", 20, edit("%[2]s", `{"type":"text","text":{"body":"Tre"}}`)), item("%[1]s", "%[2]s.e", 10, edit("%[2]s", `{"type":"text","text":{"body":"Due"}}`))},
				[]string{"Tre"}, nil, map[string]string{"text": "Tre", "earlier.#": "2", "earlier.1.text": "Due"}},
			"a caption edited": {[]string{item("%[1]s", "%[2]s", 0, `"type":"image","image":{"id":"i%[2]s","mime_type":"image/jpeg","caption":"Vecchia"}`), item("%[1]s", "%[2]s.e", 10, edit("%[2]s", `{"type":"image","image":{"id":"i%[2]s","mime_type":"image/jpeg","caption":"Nuova"}}`))},
				[]string{"Nuova", "Vecchia"}, nil, map[string]string{"type": "image", "text": "Nuova", "earlier.0.text": "Vecchia"}},
			"edited into something of tomorrow": {[]string{item("%[1]s", "%[2]s", 0, `"type":"text","text":{"body":"Resta"}`), item("%[1]s", "%[2]s.e", 10, edit("%[2]s", `{"type":"hologram"}`))},
				[]string{"Resta", "Modificato dal cittadino"}, nil, map[string]string{"text": "Resta", "earlier.#": "0"}},
			"revoked": {[]string{item("%[1]s", "%[2]s", 0, `"type":"text","text":{"body":"Ho sbagliato"}`), item("%[1]s", "%[2]s.r", 10, `"type":"revoke","revoke":{"original_message_id":"%[2]s"}`)},
				[]string{"Il cittadino ha eliminato questo messaggio", "Ho sbagliato"}, []string{"Modificato"}, map[string]string{"text": "Ho sbagliato"}},
			"revoked before it came": {[]string{item("%[1]s", "%[2]s.r", 10, `"type":"revoke","revoke":{"original_message_id":"%[2]s"}`), item("%[1]s", "%[2]s", 0, `"type":"text","text":{"body":"Ho sbagliato"}`)},
				[]string{"Il cittadino ha eliminato questo messaggio"}, nil, map[string]string{"text": "Ho sbagliato"}},
			"by somebody else": {[]string{item("%[1]s", "%[2]s", 0, `"type":"text","text":{"body":"Mio"}`), item("393339999999", "%[2]s.e", 10, edit("%[2]s", `{"type":"text","text":{"body":"Tuo"}}`)), item("393339999999", "%[2]s.r", 11, `"type":"revoke","revoke":{"original_message_id":"%[2]s"}`)},
				[]string{"Mio"}, []string{"Tuo", "Modificato", "eliminato"}, map[string]string{"text": "Mio", "edited_at": "", "revoked_at": ""}},
		} {
			n++
			phone, id := fmt.Sprintf("39334%07d", n), fmt.Sprintf("wamid.V%d", n)
			for _, delivery := range c.deliveries {
				w.deliver(about(`"messages":[` + strings.NewReplacer("%[1]s", phone, "%[2]s", id).Replace(delivery) + `]`))
			}
			thread := w.page("/conversations/" + w.conversation(phone) + "/live")
			for _, words := range c.desk {
				if !strings.Contains(thread, words) {
					t.Errorf("%s: the desk does not say %q:\n%s", name, words, thread)
				}
			}
			for _, words := range c.not {
				if strings.Contains(thread, words) {
					t.Errorf("%s: the desk says %q:\n%s", name, words, thread)
				}
			}
			items := w.api("/conversations/" + w.conversation(phone) + "/messages").Get("items").Array()
			if len(items) != 1 {
				t.Fatalf("%s: %d messages", name, len(items))
			}
			for path, want := range c.api {
				if got := items[0].Get(path).String(); got != want {
					t.Errorf("%s: %s is %q, not %q, in %s", name, path, got, want, items[0].Raw)
				}
			}
			words := strings.Fields(c.api["text"])
			found := w.page("/search?q=" + url.QueryEscape(words[len(words)-1]))
			if !strings.Contains(strings.ReplaceAll(found, " ", ""), strings.ReplaceAll(c.api["text"], " ", "")) { // the word found is marked
				t.Errorf("%s: a search for what it says now finds %s", name, found)
			}
		}
	})
}

// Whatever a citizen can send, in every shape that the platform gives it, is shown at the desk and by the API, once.
func TestEveryPayloadOfACitizenIsShown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openWindows(t, d)
		n := 0
		for name, p := range citizens {
			n++
			phone, own := fmt.Sprintf("39333000%04d", n), fmt.Sprintf("N%d", n)
			common := fmt.Sprintf(`"from":%q,"timestamp":"%d"`, phone, d.Now().Unix())
			first := common
			if strings.Contains(p.messages, `"timestamp"`) {
				first = fmt.Sprintf(`"from":%q`, phone)
			}
			messages := strings.NewReplacer("%[1]s", phone, "%[2]s", own, "%[3]s", common).Replace(p.messages)
			w.deliver(about(fmt.Sprintf(`"contacts":[{"wa_id":%q,"profile":{"name":"Anna"}}],"messages":[{%s,"id":"wamid.P.%s",%s}]`, phone, first, own, messages)))
			id := w.conversation(phone)
			if id == "" {
				t.Errorf("%s: no conversation", name)
				continue
			}
			shown := w.page("/conversations/" + id + "/live")
			for _, words := range p.desk {
				if !strings.Contains(shown, words) {
					t.Errorf("%s: the desk does not say %q:\n%s", name, words, shown)
				}
			}
			items := w.api("/conversations/" + id + "/messages?limit=100").Get("items").Array()
			if len(items) == 0 {
				t.Errorf("%s: the API has no message", name)
				continue
			}
			last := items[len(items)-1]
			for path, want := range p.api {
				if got := last.Get(path).String(); got != want {
					t.Errorf("%s: %s is %q, not %q, in %s", name, path, got, want, last.Raw)
				}
			}
		}
		if bad := w.api("/quarantine").Get("items"); len(bad.Array()) != 0 {
			t.Errorf("in quarantine: %s", bad)
		}
	})
}

// All shapes in which a status comes move the message alike, and its price is counted once.
func TestEveryStatusIsUnderstood(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openWindows(t, d)
		now := d.Now().Unix()
		const phone = "393335550001"
		w.deliver(about(fmt.Sprintf(`"messages":[{"from":%q,"id":"wamid.Q","timestamp":"%d","type":"text","text":{"body":"Ciao"}}]`, phone, now-200)))
		chat := w.conversation(phone)
		who := fmt.Sprintf(`"recipient_id":%q`, phone)
		priced := `"pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}`
		n := 0
		for name, c := range map[string]struct {
			statuses []string // without id
			status   string
			pricing  string
		}{
			"sent, delivered and read in good order":   {[]string{`"status":"sent",` + who + `,` + priced, `"status":"delivered",` + who + `,` + priced, `"status":"read",` + who}, "read", "utility regular"},
			"in bad order, priced by the last to come": {[]string{`"status":"read",` + who, `"status":"delivered",` + who, `"status":"sent",` + who + `,` + priced}, "read", "utility regular"},
			"read only":                     {[]string{`"status":"read",` + who + `,` + priced}, "read", "utility regular"},
			"played":                        {[]string{`"status":"played",` + who + `,` + priced, `"status":"delivered",` + who}, "played", "utility regular"},
			"an integer time":               {[]string{`"status":"delivered","timestamp":` + fmt.Sprint(now) + `,` + who}, "delivered", ""},
			"milliseconds":                  {[]string{`"status":"delivered","timestamp":"` + fmt.Sprint(now*1000) + `",` + who}, "delivered", ""},
			"no time":                       {[]string{`"status":"delivered","timestamp":"domani",` + who}, "delivered", ""},
			"no recipient":                  {[]string{`"status":"delivered","recipient_user_id":"IT.ABC"`}, "delivered", ""},
			"the price of before July 2025": {[]string{`"status":"delivered",` + who + `,"conversation":{"id":"c1","expiration_timestamp":"1795000000","origin":{"type":"service"}},"pricing":{"billable":false,"pricing_model":"CBP","category":"service"}`}, "delivered", "service free"},
			"a category with hyphens":       {[]string{`"status":"delivered",` + who + `,"pricing":{"type":"free_customer_service","category":"authentication-international"}`}, "delivered", "authentication_international free_customer_service"},
			"a category of tomorrow":        {[]string{`"status":"delivered",` + who + `,"pricing":{"type":"auction","category":"general_purpose_ai"}`}, "delivered", "general_purpose_ai auction"},
			"failed":                        {[]string{`"status":"failed",` + who + `,"errors":[{"code":131026,"title":"Undeliverable"}]`}, "failed", ""},
			"failed, and then it came":      {[]string{`"status":"failed",` + who + `,"errors":[{"code":131000}]`, `"status":"delivered",` + who + `,` + priced}, "delivered", "utility regular"},
			"an unknown one":                {[]string{`"status":"sent",` + who, `"status":"warning",` + who, `"status":"deleted",` + who}, "sent", ""},
			"errors that are no array":      {[]string{`"status":"failed",` + who + `,"errors":{"code":"131047","details":"late"}`}, "failed", ""},
			"a pricing that is no object":   {[]string{`"status":"delivered",` + who + `,"pricing":"free"`}, "delivered", ""},
		} {
			n++
			external := fmt.Sprintf("wamid.OUT%d", n)
			message := w.replied(chat, external)
			for _, s := range c.statuses {
				if !strings.Contains(s, `"timestamp"`) {
					s += fmt.Sprintf(`,"timestamp":"%d"`, now)
				}
				w.deliver(about(fmt.Sprintf(`"contacts":[{"wa_id":%q,"profile":{"name":"Anna"}}],"statuses":[{"id":%q,%s}]`, phone, external, s)))
			}
			got := w.api("/messages/" + message)
			price := strings.TrimSpace(got.Get("pricing.category").Str + " " + got.Get("pricing.type").Str)
			if got.Get("status").Str != c.status || price != c.pricing {
				t.Errorf("%s: %s, priced %q, in %s", name, got.Get("status"), price, got)
			}
		}
		numbers := w.page("/settings/numbers")
		for _, words := range []string{"Utilità a pagamento 5", "Risposte libere gratuiti 1", "Autenticazione internazionale gratuiti 1", "general_purpose_ai costo non comunicato 1"} {
			if !strings.Contains(numbers, words) {
				t.Errorf("the page of the numbers does not say %q:\n%s", words, numbers)
			}
		}
	})
}

// replied is a reply that Meta has accepted under an id; it returns ours.
func (w *windows) replied(conversationID, external string) string {
	w.Helper()
	ada := staff.Actor{Kind: staff.OperatorKind, ID: 1, Name: "Ada", Role: staff.Operator, Municipality: w.m.ID}
	id, _ := db.ParseID(conversationID)
	var m conversation.Message
	w.update(func(ctx context.Context, tx *db.Tx) (err error) {
		m, err = conversation.Send(ctx, tx, ada, id, conversation.Outgoing{Type: conversation.TypeText, Text: "Ecco", ClientKey: external})
		return err
	})
	number := w.m.Numbers[0].PhoneNumberID
	w.update(func(ctx context.Context, tx *db.Tx) error {
		if _, err := conversation.Claim(ctx, tx, w.m.ID, number, conversation.Reply, conversation.Reply, 1); err != nil {
			return err
		}
		return conversation.Settle(ctx, tx, w.m.ID, number, []conversation.Outcome{{MessageID: m.ID, Attempt: 1, Written: true, Status: conversation.Accepted, ExternalID: external}})
	})
	return db.FormatID(m.ID)
}

// accountNews is what Meta tells of the account, with what the log says of it.
var accountNews = []struct {
	field, value string
	log          []string
}{
	{"message_template_status_update", `{"event":"APPROVED","message_template_id":9,"message_template_name":"nuovo","message_template_language":"it","reason":"NONE"}`, []string{"Meta ha approvato il modello «nuovo» (it)"}},
	{"message_template_status_update", `{"event":"REJECTED","message_template_id":9,"message_template_name":"brutto","message_template_language":"it","reason":"PROMOTIONAL"}`, []string{"Meta ha respinto il modello «brutto»", "Motivo: contenuto promozionale"}},
	{"message_template_status_update", `{"event":"REJECTED","message_template_id":9,"message_template_name":"brutto2","message_template_language":"it","reason":null,"rejection_info":{"reason":"SCAM","recommendation":"Say who you are"}}`, []string{"Motivo: sospetta truffa", "Spiegazione di Meta: Say who you are"}},
	{"message_template_status_update", `{"event":"DISABLED","message_template_id":9,"message_template_name":"vecchio","message_template_language":"it","disable_info":{"disable_date":1795000000}}`, []string{"Meta ha disattivato il modello «vecchio»", "Quando:"}},
	{"message_template_status_update", `{"event":"HIBERNATED","message_template_id":9,"message_template_name":"vecchio","message_template_language":"it"}`, []string{"ha un nuovo stato: HIBERNATED"}},
	{"message_template_quality_update", `{"previous_quality_score":"GREEN","new_quality_score":"YELLOW","message_template_id":9,"message_template_name":"nuovo","message_template_language":"it"}`, []string{"La qualità del modello «nuovo» (it) passa da alta a media"}},
	{"message_template_components_update", `{"message_template_id":9,"message_template_name":"nuovo","message_template_language":"it","message_template_element":"Testo rifatto"}`, []string{"Il testo del modello «nuovo» (it) è cambiato", "Testo nuovo: Testo rifatto"}},
	{"template_category_update", `{"message_template_id":9,"message_template_name":"nuovo","message_template_language":"it","new_category":"UTILITY","correct_category":"MARKETING","category_update_timestamp":1795000000}`, []string{"Meta cambierà la categoria del modello «nuovo» (it) da Utilità a Marketing"}},
	{"template_category_update", `{"message_template_id":9,"message_template_name":"nuovo","message_template_language":"it","previous_category":"UTILITY","new_category":"MARKETING"}`, []string{"Meta ha cambiato la categoria del modello «nuovo» (it) da Utilità a Marketing"}},
	{"phone_number_quality_update", `{"display_phone_number":"390541123456","event":"ONBOARDING","max_daily_conversations_per_business":"TIER_250"}`, []string{"Il numero +39 0541 123456 è attivo", "250 persone al giorno"}},
	{"phone_number_quality_update", `{"display_phone_number":"+39 0541 123456","event":"THROUGHPUT_UPGRADE","current_limit":"TIER_UNLIMITED"}`, []string{"può ora scambiare 1.000 messaggi al secondo"}},
	{"phone_number_name_update", `{"display_phone_number":"390541123456","decision":"REJECTED","requested_verified_name":"Il Sindaco","rejection_reason":"NAME_POLICY"}`, []string{"Meta ha respinto il nome «Il Sindaco» del numero +39 0541 123456", "NAME_POLICY"}},
	{"business_capability_update", `{"max_daily_conversations_per_business":2000,"max_phone_numbers_per_business":20}`, []string{"per tutti i numeri: 2.000 persone al giorno", "Numeri che si possono avere: 20"}},
	{"account_update", `{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"restriction_type":"RESTRICTED_BIZ_INITIATED_MESSAGING","expiration":1795000000},{"restriction_type":"RESTRICTED_ADD_PHONE_NUMBER_ACTION"}]}`, []string{"Meta ha limitato l’account", "non si può scrivere per primi ai cittadini fino a", "non si possono aggiungere numeri"}},
	{"account_update", `{"event":"ACCOUNT_VIOLATION","violation_info":{"violation_type":"SCAM"}}`, []string{"Meta contesta una violazione", "Violazione: sospetta truffa"}},
	{"account_update", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"SCHEDULE_FOR_DISABLE","waba_ban_date":"December 5, 2026"}}`, []string{"Blocco: sarà bloccato", "December 5, 2026"}},
	{"account_update", `{"event":"PARTNER_ADDED"}`, []string{"Novità sull’account: PARTNER_ADDED"}},
	{"account_review_update", `{"decision":"APPROVED"}`, []string{"Meta ha approvato l’account"}},
	{"account_alerts", `{"entity_type":"BUSINESS","entity_id":"1","alert_info":{"alert_severity":"CRITICAL","alert_status":"ACTIVE","alert_type":"OBA_REJECTED","alert_description":"Not notable"}}`, []string{"Meta non ha dato la spunta", "Gravità: grave", "Not notable"}},
	{"account_alerts", `{"entity_type":"BUSINESS","entity_id":"2","alert_severity":"WARNING","alert_type":"PROFILE_PICTURE_LOST"}`, []string{"La foto del profilo è andata persa"}},
	{"business_username_update", `{"display_phone_number":"390541123456","username":"comune.prova","status":"approved"}`, []string{"Il nome utente «comune.prova» del numero +39 0541 123456 è approvato"}},
	{"security", `{"display_phone_number":"390541123456","event":"PIN_RESET_REQUEST","requester":"44444"}`, []string{"Qualcuno ha chiesto di azzerare il PIN", "44444"}},
	{"message_template_status_update", `{"event":"approved","message_template_id":9,"message_template_name":"piccolo","message_template_language":"pt-BR"}`, []string{"Meta ha approvato il modello «piccolo» (pt_BR)"}},
	{"template_correct_category_detection", `{"message_template_id":9,"message_template_name":"nuovo","message_template_language":"it","category":"UTILITY","correct_category":"MARKETING"}`, []string{"Secondo Meta quello che si manda con il modello «nuovo» (it)"}},
	{"account_update", `{"event":"PARTNER_REMOVED","waba_info":{"waba_id":"200000000000001","owner_business_id":"3"},"disconnection_info":{"reason":"PRIMARY_INACTIVITY","initiated_by":"SYSTEM"}}`, []string{"Novità sull’account: PARTNER_REMOVED", "Motivo: PRIMARY_INACTIVITY"}},
	{"phone_number_quality_update", `{"display_phone_number":"390541123456","event":"ONBOARDING","current_limit":"TIER_NOT_SET"}`, []string{"limite per chi non ci ha scritto: non comunicato"}},
	{"flows", `{"event":"FLOW_STATUS_CHANGE","message":"Flow Prenota changed","flow_id":"6","new_status":"PUBLISHED"}`, []string{"Novità di Meta su un modulo in chat", "Flow Prenota changed"}},
	{"standby", `{"metadata":{"display_phone_number":"390541123456"},"messages":[]}`, []string{"Un’altra applicazione sta rispondendo ai cittadini sul numero +39 0541 123456"}},
	{"account_settings_update", `{"type":"phone_number_settings"}`, []string{"Sono cambiate le impostazioni di un numero presso Meta"}},
	{"field_of_tomorrow", `{"a":1}`, []string{"Meta ha mandato una novità che questa versione non conosce: field_of_tomorrow"}},
	{"message_template_status_update", `{"event":{"no":"word"},"message_template_name":7}`, []string{"Il modello «7» (?) ha un nuovo stato"}},
}

// What Meta tells of the account is in the log, each once however often it comes, the newest first.
func TestNewsOfTheAccountAreInTheLog(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openWindows(t, d)
		now := d.Now().Unix()
		for i, n := range accountNews {
			w.deliver(toldOfAccount(n.field, n.value, now-1000+int64(i)))
		}
		w.deliver(told("smb_message_echoes", `"message_echoes":[{"from":"390541123456","to":"393330001111","id":"wamid.E","timestamp":"1795000000","type":"text","text":{"body":"Dall’app"}}]`))
		w.deliver(told("calls", `"calls":[{"id":"wacid.1","from":"393330001111","event":"connect"}]`))
		w.deliver(told("history", `"history":[{"metadata":{"phase":0},"threads":[]}]`))
		w.deliver(about(`"errors":[{"code":131000,"title":"Something went wrong"}]`))
		w.deliver(about(`"messages":[{"from":"393330001111","group_id":"g1","id":"wamid.G","timestamp":"1795000000","type":"text","text":{"body":"Al gruppo"}}]`))
		w.deliver(about(`"statuses":[{"id":"wamid.X","status":"warning","timestamp":"1795000000"}]`))
		w.deliver(about(`"statuses":[{"id":"wamid.Y","status":"warning","timestamp":"1795000000"}]`))
		log := w.page("/settings/log")
		for _, n := range accountNews {
			for _, words := range n.log {
				if !strings.Contains(log, words) {
					t.Errorf("%s: the log does not say %q", n.field, words)
				}
			}
		}
		for words, times := range map[string]int{
			"Come è arrivato": len(accountNews) + 4, "Dall’app WhatsApp Business del numero +39 0541 123456": 1, "Dall’app\"": 1, "un messaggio di gruppo": 1,
			"uno stato che questa versione non conosce: warning": 1, "Meta segnala l’errore 131000": 1, "wacid.1": 0,
		} {
			if got := strings.Count(log, words); got != times {
				t.Errorf("%q stands in the log %d times, not %d:\n%s", words, got, times, log)
			}
		}
		if strings.Index(log, "field_of_tomorrow") > strings.Index(log, "Meta ha approvato il modello «nuovo»") {
			t.Error("the newest does not come first")
		}
		if items := w.api("/conversations?limit=100").Get("items").Array(); len(items) != 0 {
			t.Errorf("conversations came of it: %v", items)
		}
	})
}

// News are applied where they matter: templates, broadcasts on their way, what numbers may send. What comes late does
// not undo what came after it.
func TestNewsOfTheAccountAreApplied(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openWindows(t, d)
		now := d.Now().Unix() + 10 // after the templates were synchronised
		w.update(func(ctx context.Context, tx *db.Tx) error {
			if err := municipality.SaveTemplates(ctx, tx, w.m.ID, "200000000000001", []municipality.Template{{WABA: "200000000000001", Template: whatsapp.Template{ID: "9", Name: "avviso", Language: "it",
				Status: "APPROVED", Category: "UTILITY", Quality: "GREEN", ParameterFormat: "POSITIONAL", Components: []byte(`[{"type":"HEADER","format":"TEXT","text":"Avviso"},{"type":"BODY","text":"Prima {{1}}"}]`)}}}); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO broadcast (municipality_id, broadcast_id, state, emergency, exercise, lists, districts, exclude, template, reads, category, free,
				author_kind, author_id, author_name, created_at, updated_at, written_at, prepared) VALUES ($1, $2, $3, false, false, '[]', '[]', '[]', $4, '', 'UTILITY', '',
				'operator', 1, 'Ada', $5, $5, $5, $6)`, [][]any{
				{w.m.ID, 77, "sending", `{"name":"avviso","language":"it"}`, tx.Now(), true},
				{w.m.ID, 78, "scheduled", `{"name":"avviso","language":"it"}`, tx.Now(), false},
				{w.m.ID, 79, "draft", `{"name":"avviso","language":"it"}`, tx.Now(), false},
				{w.m.ID, 80, "scheduled", `{"name":"avviso","language":"de"}`, tx.Now(), false},
			})
			return err
		})
		template := func() municipality.Template {
			var t municipality.Template
			w.update(func(ctx context.Context, tx *db.Tx) (err error) {
				t, err = municipality.TemplateOf(ctx, tx, w.m.ID, "200000000000001", "avviso", "it")
				return err
			})
			return t
		}
		tell := func(field, value string, at int64) {
			w.deliver(toldOfAccount(field, strings.Replace(value, "{", `{"message_template_id":9,"message_template_name":"avviso","message_template_language":"it",`, 1), at))
		}
		tell("message_template_status_update", `{"event":"FLAGGED"}`, now-3)
		if got := template(); got.Quality != "RED" || got.Status != "APPROVED" {
			t.Errorf("flagged, the template is %s of quality %s", got.Status, got.Quality)
		}
		tell("message_template_quality_update", `{"previous_quality_score":"RED","new_quality_score":"YELLOW"}`, now-2)
		tell("message_template_quality_update", `{"previous_quality_score":"GREEN","new_quality_score":"RED"}`, now+5)
		tell("message_template_components_update", `{"message_template_element":"Dopo {{1}}","message_template_title":"Attenzione"}`, now)
		tell("template_category_update", `{"previous_category":"UTILITY","new_category":"MARKETING"}`, now)
		tell("template_category_update", `{"new_category":"UTILITY","correct_category":"AUTHENTICATION"}`, now-1)
		got := template()
		if got.Quality != "RED" || got.Category != "MARKETING" || got.Status != "APPROVED" || got.Unfilled().Body != "Dopo {{1}}" || got.Unfilled().Header != "Attenzione" {
			t.Errorf("the template is %+v: %s", got, got.Components)
		}
		tell("message_template_quality_update", `{"previous_quality_score":"RED","new_quality_score":"GREEN"}`, now+6)
		tell("message_template_status_update", `{"event":"FLAGGED"}`, now+1) // late
		if got := template(); got.Quality != "GREEN" || got.Status != "APPROVED" {
			t.Errorf("the template is %s of quality %s", got.Status, got.Quality)
		}
		tell("message_template_status_update", `{"event":"PAUSED"}`, now+3)
		tell("message_template_status_update", `{"event":"APPROVED"}`, now+2)   // late
		tell("message_template_status_update", `{"event":"PENDING"}`, now-3600) // of before the synchronisation
		if got := template().Status; got != "PAUSED" {
			t.Errorf("the template is %s", got)
		}
		w.update(func(ctx context.Context, tx *db.Tx) error {
			for id, want := range map[int64]broadcast.State{77: broadcast.Paused, 78: broadcast.Paused, 79: broadcast.Draft, 80: broadcast.Scheduled} {
				b, err := broadcast.Get(ctx, tx, w.m.ID, id)
				if err != nil {
					return err
				}
				if b.State != want || want == broadcast.Paused && b.PauseCode != 132015 {
					t.Errorf("broadcast %d is %s by %d", id, b.State, b.PauseCode)
				}
			}
			return nil
		})
		tell("message_template_status_update", `{"event":"UNARCHIVED"}`, now+4)
		if got := template().Status; got != "APPROVED" {
			t.Errorf("the template is %s again", got)
		}
		w.deliver(toldOfAccount("business_capability_update", `{"max_daily_conversations_per_business":"TIER_10K"}`, now+1))
		w.deliver(toldOfAccount("business_capability_update", `{"max_daily_conversations_per_business":250}`, now)) // late
		w.deliver(toldOfAccount("phone_number_quality_update", `{"display_phone_number":"390541123456","event":"THROUGHPUT_UPGRADE"}`, now))
		w.deliver(toldOfAccount("phone_number_quality_update", `{"display_phone_number":"390549999999","event":"ONBOARDING","max_daily_conversations_per_business":"TIER_250"}`, now))
		if err := w.directory.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		m, _ := w.directory.BySlug("prova")
		if h := m.Health(m.Numbers[0].PhoneNumberID); h.PeopleADay() != 10_000 || h.Rate() != 1000 {
			t.Errorf("the number is %+v", h)
		}
	})
}

// Fields move, miss and change their type in real life. What can be understood is; what cannot is put aside alone, with
// its reason, and holds back none of its neighbours; Meta gets its 200 for all of it.
func TestOddShapesAreUnderstoodOrPutAside(t *testing.T) {
	const phone, good = "393336660001", `{"from":"393336660001","id":"wamid.GOOD%d","timestamp":"1764000000","type":"text","text":{"body":"Buono"}}`
	for name, c := range map[string]struct {
		value  string // of messages
		text   string // what is understood beside the good one
		reason string // or why not
	}{
		"a text without its object":    {`"messages":[{"from":"393336660001","id":"wamid.O","type":"text","text":"Nudo"},GOOD]`, "Nudo", ""},
		"no type":                      {`"messages":[{"from":"393336660001","id":"wamid.O","text":{"body":"Senza tipo"}},GOOD]`, "Senza tipo", ""},
		"a type that is an object":     {`"messages":[{"from":"393336660001","id":"wamid.O","type":{},"text":{"body":"Tipo strano"}},GOOD]`, "Tipo strano", ""},
		"a reply without its type":     {`"messages":[{"from":"393336660001","id":"wamid.O","type":"interactive","interactive":{"button_reply":{"id":"1","title":"Scelta"}}},GOOD]`, "Scelta", ""},
		"a sender that is a number":    {`"messages":[{"from":393336660001,"id":"wamid.O","type":"text","text":{"body":"Numero"}},GOOD]`, "Numero", ""},
		"a sender only in contacts":    {`"contacts":{"wa_id":"393336660001"},"messages":[{"id":"wamid.O","type":"text","text":{"body":"Da contacts"}}]`, "Da contacts", ""},
		"a user id where the phone is": {`"contacts":[{"user_id":"IT.ODD","wa_id":"393336660001"}],"messages":[{"from":"IT.ODD","id":"wamid.O","type":"text","text":{"body":"Codice"}},GOOD]`, "Codice", ""},
		"ids in both places":           {`"contacts":[{"wa_id":"393336660001","user_id":"IT.ODD","profile":{"name":"Anna"}}],"messages":[{"from":"393336660001","from_user_id":"IT.ODD","id":"wamid.O","type":"text","text":{"body":"Tutti e due"}},GOOD]`, "Tutti e due", ""},
		"contacts without a wa_id":     {`"contacts":[{"profile":{"name":"Anna"}}],"messages":[{"from":"393336660001","id":"wamid.O","type":"text","text":{"body":"Senza"}},GOOD]`, "Senza", ""},
		"contacts that are a word":     {`"contacts":"none","messages":[{"from":"393336660001","id":"wamid.O","type":"text","text":{"body":"Parola"}},GOOD]`, "Parola", ""},
		"messages that are one":        {`"messages":{"from":"393336660001","id":"wamid.O","type":"text","text":{"body":"Uno solo"}}`, "Uno solo", ""},
		"a time that is an object":     {`"messages":[{"from":"393336660001","id":"wamid.O","timestamp":{},"type":"text","text":{"body":"Tempo"}},GOOD]`, "Tempo", ""},
		"a context that is a word":     {`"messages":[{"from":"393336660001","id":"wamid.O","context":"x","type":"text","text":{"body":"Contesto"}},GOOD]`, "Contesto", ""},
		"errors that are a word":       {`"messages":[{"from":"393336660001","id":"wamid.O","errors":"x","type":"text","text":{"body":"Errori"}},GOOD]`, "Errori", ""},
		"an id that is an object":      {`"messages":[{"from":"393336660001","id":{},"type":"text","text":{"body":"x"}},GOOD]`, "", "Messaggio senza identificativo"},
		"nobody":                       {`"messages":[{"from":"anna","id":"wamid.O","type":"text","text":{"body":"x"}},GOOD]`, "", "Mittente non riconoscibile"},
		"a message that is a word":     {`"messages":["ciao",GOOD]`, "", "Messaggio scritto in modo sbagliato"},
		"a place that is none":         {`"messages":[{"from":"393336660001","id":"wamid.O","type":"location","location":{"latitude":"qui","longitude":4}},GOOD]`, "", "Contenuto scritto in modo sbagliato"},
		"messages that are a word":     {`"messages":"ciao"`, "", "Elenco scritto in modo sbagliato"},
		"a status without its word":    {`"messages":[GOOD],"statuses":[{"id":"wamid.S"}]`, "", "Stato di consegna che non dice quale"},
		"an edit of nothing":           {`"messages":[{"from":"393336660001","id":"wamid.O","type":"edit","edit":{"message":{"type":"text","text":{"body":"x"}}}},GOOD]`, "", "Contenuto scritto in modo sbagliato"},
	} {
		t.Run(name, func(t *testing.T) {
			w := openWindows(t, dbtest.SQLite(t))
			value := strings.ReplaceAll(c.value, "GOOD", fmt.Sprintf(good, 1))
			w.deliver(about(value))
			var texts []string
			if id := w.conversation(phone); id != "" {
				for _, m := range w.api("/conversations/" + id + "/messages").Get("items").Array() {
					texts = append(texts, m.Get("text").Str)
				}
			}
			var want []string
			if strings.Contains(c.value, "GOOD") {
				want = append(want, "Buono")
			}
			if c.text != "" {
				want = append(want, c.text)
			}
			if strings.Join(texts, ",") != strings.Join(want, ",") {
				t.Errorf("understood %v, not %v", texts, want)
			}
			quarantine := w.page("/settings/quarantine")
			if c.reason != "" != strings.Contains(quarantine, "Ripeti") || !strings.Contains(quarantine, c.reason) {
				t.Errorf("the quarantine does not say %q:\n%s", c.reason, quarantine)
			}
		})
	}
}

// A change of number, by its name of today and of before, is told in the thread, which the new number goes on.
func TestAChangeOfNumberIsTold(t *testing.T) {
	for name, system := range map[string]string{
		"today":  `"system":{"type":"user_changed_number","body":"User Anna changed","wa_id":"393339876543","user_id":"IT.NEW","previous_user_id":"IT.OLD"}`,
		"before": `"system":{"type":"customer_changed_number","body":"User Anna changed","new_wa_id":"393339876543"}`,
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := openWindows(t, d)
				now := d.Now().Unix()
				w.deliver(about(fmt.Sprintf(`"messages":[{"from":"393331112222","from_user_id":"IT.OLD","id":"wamid.1","timestamp":"%d","type":"text","text":{"body":"Prima"}}]`, now-60)))
				w.deliver(about(fmt.Sprintf(`"messages":[{"from":"393331112222","id":"wamid.2","timestamp":"%d","type":"system",%s}]`, now-50, system)))
				w.deliver(about(fmt.Sprintf(`"messages":[{"from":"393339876543","id":"wamid.3","timestamp":"%d","type":"text","text":{"body":"Dopo"}}]`, now-40)))
				thread := w.page("/conversations/" + w.conversation("393339876543") + "/live")
				for _, words := range []string{"Prima", "Il cittadino ha cambiato numero: ora è +39 333 987 6543", "Dopo"} {
					if !strings.Contains(thread, words) {
						t.Errorf("the thread does not say %q:\n%s", words, thread)
					}
				}
				if all := w.api("/conversations?limit=10").Get("items").Array(); len(all) != 1 {
					t.Errorf("%d conversations", len(all))
				}
			})
		})
	}
}

// A change that names no number is of the only number of its account, or put aside.
func TestAChangeWithoutItsNumber(t *testing.T) {
	w := openWindows(t, dbtest.SQLite(t))
	w.deliver(toldOfAccount("messages", `{"messages":[{"from":"393336660001","id":"wamid.N","timestamp":"1764000000","type":"text","text":{"body":"A chi?"}}]}`, 1795000000))
	got := w.api("/conversations?limit=10").Get("items.0")
	if got.Get("number").Str != "100000000000001" {
		t.Errorf("it is a conversation of %s", got)
	}
}

// The log comes in pages, the newest first, and one page goes on where the other ended.
func TestTheLogComesInPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openWindows(t, d)
		var told []municipality.News
		for i := range 70 { // several at once: the id decides
			told = append(told, municipality.News{Key: fmt.Sprint("k", i), Field: "account_update", Event: fmt.Sprintf("EVENT_%03d_", i), At: d.Now().Add(time.Duration(i/10) * time.Second)})
		}
		for _, n := range told {
			w.update(func(ctx context.Context, tx *db.Tx) error {
				_, err := municipality.AddNews(ctx, tx, w.m.ID, []municipality.News{n})
				return err
			})
		}
		source := w.ask(w.desk, http.MethodGet, "/desk/prova/settings/log", "", "text/html")
		_, next, _ := strings.Cut(source, "/desk/prova/settings/log?cursor=")
		next, _, _ = strings.Cut(next, `"`)
		first, second := w.page("/settings/log"), w.page("/settings/log?cursor="+next)
		for i := range 70 {
			event := fmt.Sprintf("EVENT_%03d_", i)
			if got := [2]bool{strings.Contains(first, event), strings.Contains(second, event)}; got != [2]bool{i >= 20, i < 20} {
				t.Errorf("%s is on pages %v", event, got)
			}
		}
	})
}
