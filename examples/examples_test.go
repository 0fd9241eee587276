// SPDX-License-Identifier: AGPL-3.0-or-later

package examples

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/simulator"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

func shipped(t *testing.T) []whatsapp.TemplateDefinition {
	t.Helper()
	all, err := Templates()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("templates/*")
	if err != nil || len(all) == 0 || len(all) != len(files) {
		t.Fatalf("%d templates of %d files, %v", len(all), len(files), err)
	}
	return all
}

// filled is the template with its own examples.
func filled(t *testing.T, d whatsapp.TemplateDefinition) whatsapp.RenderedTemplate {
	t.Helper()
	var texts []string
	for _, v := range d.Template().Variables() {
		texts = append(texts, v.Example)
	}
	r, err := whatsapp.RenderTemplate(d.Template(), whatsapp.TemplateParameters{Positional: texts})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func reads(r whatsapp.RenderedTemplate) string {
	return strings.TrimSpace(r.Header + "\n\n" + r.Body + "\n\n" + r.Footer)
}

// What a town needs on the first bad night is there, in the category that Meta gives it.
func TestTemplatesAreWhatATownNeeds(t *testing.T) {
	categories := map[string]string{
		"lavori_pubblici": "UTILITY", "interruzione_acqua": "UTILITY", "interruzione_elettricita": "UTILITY", "raccolta_rifiuti": "UTILITY",
		"chiusura_strada": "UTILITY", "allerta_meteo": "UTILITY", "allerta_gialla": "UTILITY", "allerta_arancione": "UTILITY", "allerta_rossa": "UTILITY",
		"fine_allerta": "UTILITY", "esercitazione": "UTILITY", "evento_in_citta": "MARKETING", "scadenza": "UTILITY",
	}
	for _, d := range shipped(t) {
		if d.Category != categories[d.Name] || d.Language != "it" || d.ParameterFormat != "NAMED" {
			t.Errorf("%s is %s in %s, %s", d.Name, d.Category, d.Language, d.ParameterFormat)
		}
		delete(categories, d.Name)
	}
	if len(categories) > 0 {
		t.Errorf("missing: %v", categories)
	}
}

func TestTemplatesReadWell(t *testing.T) {
	for _, d := range shipped(t) {
		r := filled(t, d)
		text := reads(r)
		if n := utf8.RuneCountInString(text); n > 600 {
			t.Errorf("%s has %d characters", d.Name, n)
		}
		if !strings.Contains(r.Footer, "STOP") {
			t.Errorf("%s does not say how to leave", d.Name)
		}
		if strings.Count(text, "https://") > 1 || strings.Contains(text, "http://") {
			t.Errorf("%s has more than one link, or one that is not https", d.Name)
		}
		if !strings.Contains(text, "Comune") && !strings.Contains(text, "comunal") {
			t.Errorf("%s does not say who writes", d.Name)
		}
		for _, sentence := range strings.FieldsFunc(r.Body, func(c rune) bool { return strings.ContainsRune(".:;?!", c) }) {
			if words := len(strings.Fields(sentence)); words > 20 {
				t.Errorf("%s: a sentence of %d words: %s", d.Name, words, sentence)
			}
		}
		for _, word := range []string{"IT-alert", "IT alert", "ITALERT", "ALLARME"} {
			if strings.Contains(strings.ToUpper(text), strings.ToUpper(word)) {
				t.Errorf("%s imitates the national alarm: %q", d.Name, word)
			}
		}
		for _, shouted := range strings.Fields(text) {
			word := strings.Trim(shouted, ".,:;()")
			if utf8.RuneCountInString(word) > 3 && word == strings.ToUpper(word) && strings.ToLower(word) != word && word != "STOP" && word != "SPID" && word != "ESERCITAZIONE" {
				t.Errorf("%s shouts %s", d.Name, word)
			}
		}
	}
}

// An exercise says so before anything else, also in the list of chats; an alert says its colour as a word and
// does not arrive when it is over.
func TestEmergencyTemplates(t *testing.T) {
	for _, d := range shipped(t) {
		text := reads(filled(t, d))
		if exercise := d.Name == "esercitazione"; strings.HasPrefix(text, "ESERCITAZIONE.") != exercise || exercise && !strings.Contains(text, "non devi fare nulla") {
			t.Errorf("%s begins with %.40q", d.Name, text)
		}
		colour, alert := strings.CutPrefix(d.Name, "allerta_")
		if alert && !strings.Contains(text, "112") {
			t.Errorf("%s does not say whom to call", d.Name)
		}
		if alert && d.TTL != 12*60*60 {
			t.Errorf("%s is delivered up to %d seconds later", d.Name, d.TTL)
		}
		if alert && colour != "meteo" && !strings.Contains(text, "Allerta meteo "+colour+" ") {
			t.Errorf("%s does not name its colour: %.60q", d.Name, text)
		}
		if d.Name == "allerta_meteo" && !slices.ContainsFunc(d.Template().Variables(), func(v whatsapp.Variable) bool { return v.Name == "colore" }) {
			t.Error("allerta_meteo has no colour to fill in")
		}
	}
}

// The simulator, which has Meta's rules from another hand, takes every one of them, approves and sends it.
func TestTemplatesAreAccepted(t *testing.T) {
	server, err := simulator.New(simulator.Options{Delays: &simulator.Delays{Review: -1}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	main := simulator.DefaultAccount()
	account := whatsapp.Account{PhoneNumberID: main.PhoneNumberID, WABAID: main.WABA, Token: main.Token}
	client := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: web.URL})
	defer client.CloseIdle()
	for _, d := range shipped(t) {
		made, err := client.CreateTemplate(t.Context(), account, d)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, graphDetails(err))
		}
		if made.Category != d.Category || made.Status != "PENDING" || made.ID == "" {
			t.Errorf("%s is %+v", d.Name, made)
		}
		approve(t, web.URL, d.Name)
		send(t, client, account, d)
		if _, err := client.CreateTemplate(t.Context(), account, d); !exists(err) {
			t.Errorf("%s again: %v", d.Name, err)
		}
	}
}

func exists(err error) bool {
	refused, ok := errors.AsType[*whatsapp.GraphError](err)
	return ok && refused.TemplateExists()
}

func graphDetails(err error) string {
	if refused, ok := errors.AsType[*whatsapp.GraphError](err); ok {
		return refused.Message + " " + refused.Details
	}
	return err.Error()
}

func approve(t *testing.T, address, name string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"name": name, "language": "it", "status": "APPROVED"})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address+"/simulator/templates", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("approve %s: %s", name, response.Status)
	}
}

func send(t *testing.T, client *whatsapp.Client, account whatsapp.Account, d whatsapp.TemplateDefinition) {
	t.Helper()
	parameters := whatsapp.TemplateParameters{}
	for _, v := range d.Template().Variables() {
		parameters.Positional = append(parameters.Positional, v.Example)
	}
	components, err := whatsapp.TemplateComponents(d.Template(), parameters)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Send(t.Context(), account, whatsapp.OutgoingMessage{To: "+393471234567", Type: whatsapp.KindTemplate,
		Template: &whatsapp.OutgoingTemplate{Name: d.Name, Language: d.Language, Components: components}})
	if err != nil {
		t.Errorf("send %s: %v", d.Name, err)
	}
}
