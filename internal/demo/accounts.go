// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/filodiretto/filodiretto/examples"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Account is what a town has at Meta, here at the simulator. All of it is invented.
type Account struct {
	WABA          string
	PhoneNumberID string
	DisplayNumber string // international
	Token         string
	AppSecret     string
	VerifyToken   string
}

// Account is the town's account.
func (t Town) Account() Account {
	return Account{WABA: "2000000000000" + strconv.Itoa(t.number), PhoneNumberID: "1000000000000" + strconv.Itoa(t.number), DisplayNumber: t.display,
		Token: "demo-token-" + t.Slug, AppSecret: "demo-app-secret-" + t.Slug, VerifyToken: "demo-verify-token-" + t.Slug}
}

// File is the town's municipality file of examples/, its ${…} filled in from the account.
func (t Town) File() (*municipality.File, error) {
	name := t.Slug + ".yaml"
	data, err := examples.Files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	a, prefix := t.Account(), strings.ToUpper(t.Slug)+"_"
	values := map[string]string{prefix + "PHONE_NUMBER_ID": a.PhoneNumberID, prefix + "WABA_ID": a.WABA, prefix + "TOKEN": a.Token,
		prefix + "APP_SECRET": a.AppSecret, prefix + "VERIFY_TOKEN": a.VerifyToken}
	return municipality.ParseFile("examples/"+name, data, func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	})
}

// Template is a message that Meta has approved for the town's account.
type Template struct {
	Name       string
	Language   string
	Category   string
	Body       string   // with {{1}}, {{2}}
	Examples   []string // one for each variable
	Footer     string
	QuickReply string // a button, if any
}

// Templates are what a Comune has approved from the start.
func Templates() []Template {
	return []Template{
		{Name: "appuntamento_promemoria", Language: "it", Category: "UTILITY",
			Body:     "Promemoria: il suo appuntamento è {{1}} alle {{2}}, {{3}}. Se non può venire risponda a questo messaggio: liberiamo il posto per un'altra persona.",
			Examples: []string{"giovedì 26 novembre", "10:15", "piazza Cavour 27"}, QuickReply: "Confermo"},
		{Name: "segnalazione_aggiornamento", Language: "it", Category: "UTILITY",
			Body:     "Buongiorno {{1}}, abbiamo novità sulla sua segnalazione: {{2}}. Se ha domande risponda pure qui.",
			Examples: []string{"Maria", "il lampione di via Roma è stato riparato"}},
		{Name: "riprendi_conversazione", Language: "it", Category: "UTILITY",
			Body:     "Buongiorno {{1}}, abbiamo letto il suo messaggio e abbiamo la risposta. Risponda qui quando vuole: le scriviamo subito.",
			Examples: []string{"Maria"}, QuickReply: "Sì, eccomi"},
		{Name: "documento_pronto", Language: "it", Category: "UTILITY",
			Body:     "Il documento che ha chiesto ({{1}}) è pronto. Può ritirarlo {{2}} con un documento d'identità.",
			Examples: []string{"certificato di residenza", "allo sportello, dal lunedì al venerdì 9-13"}, Footer: "Messaggio del Comune"},
		{Name: "avviso_chiusura", Language: "it", Category: "UTILITY",
			Body:     "Avviso: {{1}} resta chiuso {{2}}. Per urgenze: {{3}}. La prossima apertura è scritta sul sito del Comune.",
			Examples: []string{"lo sportello al cittadino", "venerdì 7 agosto", "la Polizia locale"}, Footer: "Messaggio del Comune"},
	}
}

// Components are the parts of the template as the Cloud API writes them.
func (t Template) Components() json.RawMessage {
	type part map[string]any
	body := part{"type": "BODY", "text": t.Body}
	if len(t.Examples) > 0 {
		body["example"] = part{"body_text": [][]string{t.Examples}}
	}
	parts := []part{body}
	if t.Footer != "" {
		parts = append(parts, part{"type": "FOOTER", "text": t.Footer})
	}
	if t.QuickReply != "" {
		parts = append(parts, part{"type": "BUTTONS", "buttons": []part{{"type": "QUICK_REPLY", "text": t.QuickReply}}})
	}
	raw, err := json.Marshal(parts)
	if err != nil { // texts always marshal
		panic(err)
	}
	return raw
}

// render is what the citizen reads.
func (t Template) render(variables []string) string {
	text := t.Body
	for i, v := range variables {
		text = strings.ReplaceAll(text, "{{"+strconv.Itoa(i+1)+"}}", v)
	}
	if t.Footer != "" {
		text += "\n\n" + t.Footer
	}
	return text
}
