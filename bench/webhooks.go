// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// The account of the municipality that is measured.
const (
	slug          = "prova"
	phoneNumberID = "100000000000001"
	list          = "AVVISI"
	emergencies   = "EMERGENZE"
	events        = "EVENTI"
	district      = "CENTRO"
	templateName  = "avviso"
	wabaID        = "200000000000001"
	appSecret     = "secret-of-the-benchmark"
)

// delivery is a webhook as Meta posts it.
type delivery struct {
	body      []byte
	signature string
}

func sign(body string) delivery {
	raw := []byte(body)
	return delivery{body: raw, signature: whatsapp.Sign(appSecret, raw)}
}

// change wraps the inner part of a webhook of the field messages, about one of the municipality's numbers.
func change(number, inner string) string {
	return `{"object":"whatsapp_business_account","entry":[{"id":"` + wabaID + `","changes":[{"value":{"messaging_product":"whatsapp",` +
		`"metadata":{"display_phone_number":"390541123456","phone_number_id":"` + number + `"},` + inner + `},"field":"messages"}]}]}`
}

// numberID is the id of a number of the municipality, from 0 on.
func numberID(i int) string { return phoneNumberID[:len(phoneNumberID)-2] + fmt.Sprintf("%02d", i+1) }

// citizens write. Each message of theirs is new; who writes is one of them at random.
type citizens struct {
	first, count int // their phones are numbered from first
	numbers      int // of the municipality, which they write to in turn
	run          string
	written      atomic.Int64
}

// newCitizens are count people whom no other generator uses.
func newCitizens(first, count int) *citizens {
	return &citizens{first: first, count: count, numbers: 1, run: strconv.FormatInt(time.Now().UnixNano(), 36)}
}

func phone(i int) string { return fmt.Sprintf("3933%08d", i) }

// personName is a name that nobody else of a hundred thousand has: when all last names are used up, the next
// citizens have them with an ending, and then with two.
func personName(i int) string {
	last := lastNames[i/len(firstNames)%len(lastNames)]
	for more := i / (len(firstNames) * len(lastNames)); more > 0; more = (more - 1) / len(endings) {
		last = last[:len(last)-1] + endings[(more-1)%len(endings)]
	}
	return firstNames[i%len(firstNames)] + " " + last
}

var endings = strings.Fields(`ini etti elli oni acci ucci otti azzi ani`)

// next is a message of somebody, about 1.4 KB as it comes over the wire.
func (c *citizens) next() delivery {
	return c.write(c.first+rand.IntN(c.count), prose(wordsWritten))
}

// wordsWritten are the words of a citizen's message, and referred what is kept of the post that brought them.
const (
	wordsWritten = 45
	referred     = `{"referral":{"url":"https://www.facebook.com/comune.di.prova/posts/pfbid02abcdefghijklmnopqrstuvwxyz0123456789","headline":"Scrivi al Comune",` +
		`"body":"Informazioni, segnalazioni e assistenza: un solo numero per tutti gli uffici, tutti i giorni","source":"post","source_id":"120210000000000000"}}`
)

// write is a message of the citizen i.
func (c *citizens) write(i int, text string) delivery {
	n := c.written.Add(1)
	from, user := phone(i), "IT."+strconv.Itoa(1000000000000000+i)
	return sign(change(numberID(int(n)%c.numbers), `"contacts":[{"profile":{"name":"`+personName(i)+`"},"wa_id":"`+from+`","user_id":"`+user+`"}],`+
		`"messages":[{"from":"`+from+`","from_user_id":"`+user+`","id":"wamid.HBgM`+c.run+`VAgASGBQz`+fmt.Sprintf("%032d", n)+`","timestamp":"`+
		strconv.FormatInt(time.Now().Unix(), 10)+`","type":"text","text":{"body":"`+text+`"},`+
		`"referral":{"source_url":"https://www.facebook.com/comune.di.prova/posts/pfbid02abcdefghijklmnopqrstuvwxyz0123456789","source_id":"120210000000000000",`+
		`"source_type":"post","headline":"Scrivi al Comune","body":"Informazioni, segnalazioni e assistenza: un solo numero per tutti gli uffici, tutti i giorni",`+
		`"media_type":"image","image_url":"https://scontent.xx.fbcdn.net/v/t45.1-4/abcdefghijklmnopqrstuvwxyz0123456789_n.jpg"}}]`))
}

// stages are what Meta tells of a message that goes well.
var stages = []string{"sent", "delivered", "read"}

// status is what Meta tells of one of our messages.
func status(m sentMessage, stage string, at time.Time) delivery {
	return sign(change(cmp.Or(m.number, phoneNumberID), `"contacts":[{"profile":{"name":"`+personName(m.citizen)+`"},"wa_id":"`+phone(m.citizen)+`"}],`+
		`"statuses":[{"id":"`+m.external+`","status":"`+stage+`","timestamp":"`+strconv.FormatInt(at.Unix(), 10)+`","recipient_id":"`+phone(m.citizen)+
		`","biz_opaque_callback_data":"`+m.id+`","conversation":{"id":"`+m.external[len(m.external)-20:]+`","origin":{"type":"service"}},`+
		`"pricing":{"billable":false,"pricing_model":"PMP","category":"service","type":"free_customer_service"}}]`))
}

// prose is n words as citizens write them: a few of them very often, most of them rarely.
func prose(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word())
	}
	return b.String()
}

// word is common three times in four; else a street with its number, or the number of a file.
func word() string {
	switch r := rand.Float64(); {
	case r < .75:
		return words[int(float64(len(words))*rand.Float64()*rand.Float64()*rand.Float64())]
	case r < .95:
		return words[rand.IntN(len(words))]
	case r < .99:
		return "via " + lastNames[rand.IntN(len(lastNames))] + " " + strconv.Itoa(1+rand.IntN(200))
	}
	return "pratica " + strconv.Itoa(10000+rand.IntN(90000))
}

// The commonest words come first.
var words = strings.Fields(`buongiorno il la di per che non un è e a in una si della vorrei grazie come del con sono ho mi al da
	sapere posso quando dove orari ufficio comune anagrafe carta identità appuntamento rifiuti raccolta strada buca lampione acqua scuola
	mensa iscrizione modulo domanda certificato residenza pagamento tassa multa parcheggio permesso disco zona autobus fermata biblioteca
	prestito libro mostra teatro piscina palestra parco giochi panchina albero radici marciapiede scivolo rampa disabili anziani assistenza
	casa contributo affitto bando graduatoria scadenza ricevuta bolletta contatore idrico perdita tubo fognatura tombino odore zanzare
	trattamento derattizzazione cane microchip gatto colonia cimitero lampada votiva concessione matrimonio sala celebrante pubblicazione
	nascita dichiarazione atto copia estratto storico stato famiglia cambio indirizzo elettorale tessera seggio scrutatore presidente
	rimborso sportello telefono risponde nessuno ieri oggi domani lunedì martedì mercoledì giovedì venerdì sabato mattina pomeriggio sera
	urgente pericolo caduta ferito motorino semaforo rotto spento incrocio rotatoria segnaletica divieto sosta rimozione carro attrezzi
	cantiere lavori polvere rumore notte musica locale schiamazzi vigili pattuglia verbale ricorso prefetto giudice pace mercato banco
	ambulante licenza occupazione suolo dehors tavolini insegna pubblicità affissione manifesto volantino spiaggia libera doccia passerella
	bagnino mare bandiera alghe pulizia cestino cassonetto vetro carta plastica umido verde ingombranti ritiro prenotazione isola ecologica
	compostiera sconto asilo nido retta isee centro estivo educatore pulmino trasporto scolastico linea ritardo abbonamento agevolazione
	studente universitario wifi password spid cie credenziali accesso portale errore schermata allegato pdf firma digitale marca bollo`)

var firstNames = strings.Fields(`Anna Marco Giulia Luca Sara Paolo Elena Andrea Chiara Matteo Laura Davide Francesca Stefano Maria
	Giovanni Silvia Roberto Valentina Antonio Federica Simone Martina Fabio Alice Giorgio Elisa Daniele Sofia Pietro`)

var lastNames = strings.Fields(`Rossi Bianchi Ferrari Russo Gallo Conti Esposito Ricci Bruno Greco Marino Costa Fontana Rizzo Moretti
	Barbieri Lombardi Giordano Colombo Mancini Longo Leone Martinelli Marchetti Martini Galli Gatti Mariani Ferrara Santoro Marini Bianco
	Conte Serra Farina Gentile Caruso Morelli Ferri Testa Ferraro Pellegrini Grassi Rossetti Bernardi Mazza Rinaldi Silvestri Neri Parisi`)
