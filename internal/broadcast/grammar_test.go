// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/filodiretto/filodiretto/examples"
	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Towns with words of their own, as files and nothing else.
var townWords = map[string]string{
	"cascina": `
name: Comune di Cascina
lists: [{keyword: AVVISI, name: Avvisi ai cittadini, kind: notice}, {keyword: METEO, name: Allerta meteo, kind: emergency}]
subscription: {join: [Iscrizione], leave: [Cancellazione], status: [Stato]}`,
	"urbino": `
name: Comune di Urbino
lists: [{keyword: INFO, name: Informazioni, kind: notice}]
subscription: {join: [Iscrivimi], leave: [Cancellami]}`,
	"castegnato": `
name: Comune di Castegnato
lists: [{keyword: NOTIZIE, name: Notizie dal Comune, kind: notice}, {keyword: CIVILE, name: Protezione civile, kind: emergency}]
subscription: {join: ["ATTIVA {name}"], leave: [DISATTIVA]}`,
	"valle": `
name: Unione dei Comuni dell'Alta Valle
lists: [{keyword: PIENE, name: Piene del fiume, kind: emergency}]
districts: [{keyword: NORD, name: Zona nord}, {keyword: CENTRO, name: Centro storico}, {keyword: PO, name: Riva del Po}, {keyword: OLTRE, name: Santa Maria d'Oltre}]
subscription: {join: ["ALLERTA {district}", "ALLERTA {list}"], leave: ["FINE ALLERTA", "FINE ALLERTA {district}"]}`,
	"sangiorgio": `
name: Città di San Giorgio
service: San Giorgio in chat
lists: [{keyword: STRADE, name: Strade e lavori, kind: notice}]
subscription: {join: ["{town} ON"], leave: ["{town} OFF"]}`,
	"laquila": `
name: Comune dell'Aquila
lists: [{keyword: SISMA, name: Sisma, kind: emergency}]
subscription: {join: ["ISCRIVIMI A {town} {list}"], leave: [ESCI]}`,
	"trevi": `
name: Comune di Trevi
lists: [{keyword: EVENTI, name: Eventi, kind: notice}, {keyword: EMERGENZE, name: Emergenze, kind: emergency}]
subscription: {join: [TREVI ON], leave: [TREVI OFF], plain: all}`,
	"alert": `
name: Comune di Prato Alto
lists: [{keyword: EMERGENZE, name: Emergenze, kind: emergency}, {keyword: SCUOLE, name: Scuole, kind: notice}]
subscription: {join: [ALERT EMERGENZE ON, "{list} ON"], leave: [ALERT EMERGENZE OFF, "{list} OFF"]}`,
	"lists": `
name: Comune di Pieve
lists: [{keyword: NEVE, name: Piano neve, kind: emergency}, {keyword: TEATRO, name: Stagione teatrale, kind: notice}]
subscription: {join: ["{list}"], leave: ["{list} NO"], status: []}`,
	"own": `
name: Comune di Borgo
lists: [{keyword: BANDI, name: Bandi, kind: notice}, {keyword: GARE, name: Bandi, kind: notice}]
subscription: {join: [ACCETTO, OK BANDI], leave: [NO], status: [CERTO, SI]}`,
	"strassen": `
name: Gemeinde Steinach
lists: [{keyword: STRASSEN, name: Straßen und Verkehr, kind: notice}]
subscription: {join: [Anmelden], leave: [Abmelden], status: [Status]}`,
	"silent": `
name: Comune di Silenzio
districts: [{keyword: NORD, name: Nord}]
subscription: {join: [Iscrivimi]}`,
}

const townFrame = `slug: prova
whatsapp: {display_number: "+39 0541 123456", phone_number_id: "1", waba_id: "2", access_token: a, app_secret: b, verify_token: c}
access: open
automation: keywords
offices: [{id: urp, name: URP}]
calendars: {whatsapp: {weekly: [{days: [mon], open: "09:00", close: "13:00"}]}}
policy: {version: "1", text: Prova}
`

func townFile(t testing.TB, town string) *municipality.File {
	t.Helper()
	data := []byte(townFrame + townWords[town])
	if townWords[town] == "" {
		var err error
		if data, err = examples.Files.ReadFile(town + ".yaml"); err != nil {
			t.Fatal(err)
		}
	}
	f, err := municipality.ParseFile(town+".yaml", data, func(name string) (string, bool) { return fmt.Sprint(len(name)), true })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// spoken writes a command as the table does.
func spoken(c broadcast.Command, ok bool) string {
	if !ok {
		return "person"
	}
	verbs := map[broadcast.Verb]string{broadcast.Join: "join", broadcast.Leave: "leave", broadcast.Status: "status", broadcast.Yes: "yes", broadcast.No: "no"}
	words := append([]string{verbs[c.Verb]}, c.Topics...)
	for _, unknown := range c.Unknown {
		words = append(words, "?"+unknown)
	}
	if c.Name != "" {
		words = append(words, "as "+c.Name)
	}
	if c.Soft {
		words = append(words, "softly")
	}
	return strings.Join(words, " ")
}

// saidTo are messages to a town and what they mean there.
type saidTo struct {
	town  string
	words [][2]string
}

var sayings = []saidTo{
	{"rimini", [][2]string{
		// RIM-07: plain and by list.
		{"ISCRIZIONE ON", "join"},
		{"ISCRIZIONE ON #EMERGENZE", "join EMERGENZE"},
		{"ISCRIZIONE ON #PUBBLICAUTILITA'", "join PUBBLICAUTILITA"},
		// RIM-10: tolerant in form.
		{"iscrizione on", "join"},
		{"Iscrizione On.", "join"},
		{"  ISCRIZIONE   ON  ", "join"},
		{"ISCRIZIONE\nON", "join"},
		{"ISCRIZIONEON", "join"},
		{"“ISCRIZIONE ON”", "join"},
		{"'ISCRIZIONE ON'", "join"},
		{"«iscrizione on»", "join"},
		{"*ISCRIZIONE ON*", "join"},
		{"_Iscrizione on_", "join"},
		{"ISCRIZIONE-ON", "join"},
		{"ISCRIZIONE – ON!!!", "join"},
		{"ISCRIZIONE: ON", "join"},
		{"#ISCRIZIONE ON", "join"},
		{"#ISCRIZIONE #ON #EMERGENZE", "join EMERGENZE"},
		{"#IscrizioneOn", "join"},
		{"ISCRIZIONE ON 🙏", "join"},
		{"🚨 Iscrizione ON 🚨", "join"},
		{"ISCRIZIONE ON 👍🏽", "join"},
		{"ISCRIZIONE ON ❤️", "join"},
		{"\u200eISCRIZIONE\u00a0ON\u200b", "join"},
		{"\ufeffISCRIZIONE ON", "join"},
		{"ＩＳＣＲＩＺＩＯＮＥ　ＯＮ", "join"},
		{"𝐈𝐒𝐂𝐑𝐈𝐙𝐈𝐎𝐍𝐄 𝐎𝐍", "join"},
		{"Ìscrizióne òn", "join"},
		{"ISCRIZIONE%20ON%20%23EMERGENZE", "join EMERGENZE"},
		{"ISCRIZIONE+ON+EMERGENZE", "join EMERGENZE"},
		{"ISCRIZIONE ON EMERGENZE", "join EMERGENZE"},
		{"ISCRIZIONE ON#EMERGENZE", "join EMERGENZE"},
		{"ISCRIZIONEONEMERGENZE", "join EMERGENZE"},
		{"ISCRIZIONE ON # EMERGENZE", "join EMERGENZE"},
		{"ISCRIZIONE ON ＃EMERGENZE", "join EMERGENZE"},
		{"ISCRIZIONE ON #️⃣EMERGENZE", "join EMERGENZE"},
		{"iscrizione on emergenze.", "join EMERGENZE"},
		{"#EMERGENZE ISCRIZIONE ON", "join EMERGENZE"},
		{"Emergenze: iscrizione on", "join EMERGENZE"},
		{"emergenze iscrizione on grazie", "join EMERGENZE"},
		{"ISCRIZIONE ON #PUBBLICAUTILITA’", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PUBBLICAUTILITA`", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PUBBLICAUTILITA´", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PUBBLICAUTILITAʼ", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PUBBLICAUTILITÀ", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PUBBLICAUTILITÁ", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PubblicaUtilita\u0300", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PUBBLICAUTILITA", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON PUBBLICA UTILITA'", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PUBBLICA_UTILITA", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PUBBLICA UTILITÀ", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON pubblica-utilità", "join PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #EMERGENZE #PUBBLICAUTILITA'", "join EMERGENZE PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #PUBBLICAUTILITA' #EMERGENZE", "join EMERGENZE PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #EMERGENZE#PUBBLICAUTILITA", "join EMERGENZE PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #EMERGENZE, #PUBBLICAUTILITA", "join EMERGENZE PUBBLICAUTILITA"},
		{"ISCRIZIONE ON EMERGENZE/PUBBLICA UTILITÀ", "join EMERGENZE PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #EMERGENZE\nISCRIZIONE ON #PUBBLICAUTILITA'", "join EMERGENZE PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #EMERGENZE E #PUBBLICAUTILITA", "join EMERGENZE PUBBLICAUTILITA"},
		{"#EMERGENZE iscrizione on #EMERGENZE", "join EMERGENZE"},
		{"Iscrizione on alle liste Emergenze ed anche Pubblica utilità, per favore", "join EMERGENZE PUBBLICAUTILITA"},
		{"Buongiorno, ISCRIZIONE ON alla lista #EMERGENZE. Grazie mille!", "join EMERGENZE"},
		{"Ciao iscrizione on", "join"},
		{"Salve a tutti, ISCRIZIONE ON #EMERGENZE", "join EMERGENZE"},
		{"Hello, ISCRIZIONE ON the list EMERGENZE please, thank you", "join EMERGENZE"},
		{"ISCRIZIONE ON WhatsUrp", "join"},
		{"ISCRIZIONE ON Comune di Rimini", "join"},
		{"ISCRIZIONE ON #Rimini", "join"},
		{"ISCRIZIONE ON tutte le liste", "join EMERGENZE PUBBLICAUTILITA"},
		{"ISCRIZIONE ON #TUTTE", "join EMERGENZE PUBBLICAUTILITA"},
		{"iscrizione on a tutte e solo le emergenze", "join EMERGENZE"},
		{"ISCRIZIONE ON ALL", "join EMERGENZE PUBBLICAUTILITA"},
		{"ISCRIZIONE ON all'EMERGENZE", "join EMERGENZE"},
		// Hashtags that are nothing here.
		{"ISCRIZIONE ON #SCUOLA", "join ?SCUOLA"},
		{"ISCRIZIONE ON #Scuola_Bus, #EMERGENZE", "join EMERGENZE ?SCUOLABUS"},
		{"ISCRIZIONE ON #SCUOLA #SCUOLA #MÚSICA", "join ?SCUOLA ?MUSICA"},
		{"ISCRIZIONE ON #EMERGENZESCUOLA", "join ?EMERGENZESCUOLA"},
		{"ISCRIZIONE OFF #SCUOLA", "leave ?SCUOLA"},
		{"ISCRIZIONE ON #STOP", "person"},
		{"ISCRIZIONE ON SCUOLA", "person"},
		{"ISCRIZIONE ON EMERGENZA", "person"},
		// RIM-08, RIM-09: leaving.
		{"ISCRIZIONE OFF", "leave"},
		{"iscrizione off.", "leave"},
		{"IscrizioneOff", "leave"},
		{"ISCRIZIONE OFF #EMERGENZE", "leave EMERGENZE"},
		{"ISCRIZIONE OFF #PUBBLICA UTILITA'", "leave PUBBLICAUTILITA"},
		{"ISCRIZIONE OFF dalla lista emergenze", "leave EMERGENZE"},
		{"ISCRIZIONE OFF tutte", "leave"},
		{"ISCRIZIONE OFF #EMERGENZE e tutte le altre", "person"},
		{"ISCRIZIONE OFF tutte, anche EMERGENZE e #SCUOLA", "leave"},
		{"ISCRIZIONE OFF?", "leave"},
		{"STOP", "leave"},
		{"stop", "leave"},
		{"Stop!!!", "leave"},
		{"S T O P", "leave"},
		{"STOP 🛑", "leave"},
		{"STOP 👎", "leave"},
		{"STOP?", "leave"},
		{"stop grazie", "leave"},
		{"ok stop", "leave"},
		{"STOP per ora", "leave"},
		{"STOP EMERGENZE", "leave EMERGENZE"},
		{"STOP #EMERGENZE", "leave EMERGENZE"},
		{"#STOPEMERGENZE", "leave EMERGENZE"},
		{"#emergenze stop", "leave EMERGENZE"},
		{"Buongiorno a tutti, STOP #EMERGENZE", "leave EMERGENZE"},
		{"STOP EMERGENZE E PUBBLICA UTILITÀ", "leave EMERGENZE PUBBLICAUTILITA"},
		{"stop a tutto", "leave"},
		{"STOP TUTTI GLI AVVISI", "leave"},
		{"STOP MESSAGGI", "leave"},
		{"stop ai messaggi", "leave"},
		{"stop iscrizione", "leave"},
		{"STOP all", "leave"},
		{"BASTA MESSAGGI", "leave"},
		{"Basta con questi messaggi!", "leave"},
		{"BASTA #EMERGENZE", "leave EMERGENZE"},
		{"basta con tutte le emergenze", "leave"},
		{"stop all’emergenze", "leave EMERGENZE"},
		{"NON VOGLIO PIÙ RICEVERE MESSAGGI", "leave"},
		{"non voglio piu' ricevere i vostri avvisi, grazie", "leave"},
		{"Non voglio più emergenze", "leave EMERGENZE"},
		{"UNSUBSCRIBE", "leave"},
		{"unsubscribe me please", "leave"},
		{"DISISCRIVI", "leave"},
		{"Disiscrivimi", "leave"},
		{"disiscrivimi da tutte le liste", "leave"},
		{"DISISCRIZIONE EMERGENZE", "leave EMERGENZE"},
		{"vorrei disiscrivermi", "leave"},
		{"CANCELLA ISCRIZIONE", "leave"},
		{"Cancella l'iscrizione", "leave"},
		{"cancella la mia iscrizione a Emergenze", "leave EMERGENZE"},
		{"Cancellami dalla lista Emergenze", "leave EMERGENZE"},
		{"CANCELLA EMERGENZE", "leave EMERGENZE"},
		{"Revoco il consenso", "leave"},
		{"BASTA", "leave softly"},
		{"basta!!!", "leave softly"},
		{"Basta, grazie", "leave softly"},
		{"cancella", "leave softly"},
		{"non scrivetemi più", "leave softly"},
		// One's lists.
		{"LISTE", "status"},
		{"liste", "status"},
		{"#LISTE", "status"},
		{"Le liste, per favore", "status"},
		{"LE MIE LISTE", "status"},
		{"A cosa sono iscritto", "status"},
		{"a cosa sono iscritta?", "status"},
		{"my lists", "status"},
		{"LISTE?", "status"},
		{"LISTE EMERGENZE", "person"},
		{"liste d'attesa", "person"},
		// Answers.
		{"SI", "yes"},
		{"SÌ", "yes"},
		{"Sì!", "yes"},
		{"si'", "yes"},
		{"SI’ grazie", "yes"},
		{"sii", "yes"},
		{"si si", "yes"},
		{"Yes, please", "yes"},
		{"OK", "yes"},
		{"Ok 👍", "yes"},
		{"👍", "yes"},
		{"👍🏿👍🏿", "yes"},
		{"CONFERMO", "yes"},
		{"Sì, confermo l'iscrizione", "yes"},
		{"accetto", "yes"},
		{"va bene", "yes"},
		{"D’accordo", "yes"},
		{"NO", "no"},
		{"No grazie", "no"},
		{"no, grazie!", "no"},
		{"rifiuto", "no"},
		{"Non confermo", "no"},
		{"👎🏻", "no"},
		{"SI?", "person"},
		{"sì ma quando", "person"},
		{"SI NO", "person"},
		{"nono", "person"},
		{"okno", "person"},
		{"S1", "person"},
		// Strict in meaning: a person reads it.
		{"", "person"},
		{"?", "person"},
		{"🙂", "person"},
		{"...", "person"},
		{"Buongiorno", "person"},
		{"grazie", "person"},
		{"EMERGENZE", "person"},
		{"#EMERGENZE", "person"},
		{"#EMERGENZE #PUBBLICAUTILITA'", "person"},
		{"#SCUOLA", "person"},
		{"lista emergenze", "person"},
		{"ISCRIZIONE", "person"},
		{"ON", "person"},
		{"OFF", "person"},
		{"ISCRIZIONE ON?", "person"},
		{"ISCRIZIONE ON ❓", "person"},
		{"Come funziona ISCRIZIONE ON?", "person"},
		{"Ho scritto ISCRIZIONE ON ma non arriva niente", "person"},
		{"Cosa succede se scrivo ISCRIZIONE ON", "person"},
		{"non voglio ISCRIZIONE ON", "person"},
		{"NO ISCRIZIONE ON", "person"},
		{"ISCRIZIONE ON NO", "person"},
		{"ISCRIZIONE ON 👎", "person"},
		{"SI ISCRIZIONE ON", "person"},
		{"ISCRIZIONE ON ISCRIZIONE OFF", "person"},
		{"ISCRIZIONE ON / OFF", "person"},
		{"ISCRIZIONE ON STOP", "person"},
		{"ISCRIZIONE ON #EMERGENZE STOP #PUBBLICAUTILITA", "person"},
		{"ISCRIZIONE EMERGENZE ON", "person"},
		{"ISCRIZIONE ON EMERGENZE O PUBBLICA UTILITÀ", "person"},
		{"ISCRIZIONE ONE EMERGENZE", "person"},
		{"ISCRIZIONE ON 2", "person"},
		{"ISCRIZIONE 0N", "person"},
		{"ISCRIZIONE ON 100%", "person"},
		{"iscrizione online al nido", "person"},
		{"ISCRIZIONE ON LINE", "person"},
		{"iscrizione on asilo", "person"},
		{"Preiscrizione on", "person"},
		{"Vorrei fare l'iscrizione on line a scuola", "person"},
		{"iscrivimi", "person"},
		{"Scrivi ISCRIZIONE ON al 331 6432314", "person"},
		{"https://wa.me/393316432314?text=ISCRIZIONE%20ON", "person"},
		{"Inoltrato: ISCRIZIONE ON #EMERGENZE per ricevere gli avvisi del Comune", "person"},
		{"mi date lo stop ai lavori", "person"},
		{"stop ai lavori", "person"},
		{"c'è uno stop rotto in via Roma", "person"},
		{"bus stop", "person"},
		{"non stop", "person"},
		{"NO STOP", "person"},
		{"autostop", "person"},
		{"stoppino", "person"},
		{"STOP SI", "person"},
		{"basta rumori in via Roma", "person"},
		{"quanto basta", "person"},
		{"cancella l'appuntamento", "person"},
		{"non voglio più ricevere la multa", "person"},
		{"non voglio più", "person"},
		{"non voglio disiscrivermi", "person"},
		{"C'è un'emergenza in via Roma", "person"},
		{"Emergenze? Chi devo chiamare", "person"},
		{"ok ci vediamo domani", "person"},
		{"no, il lampione è ancora spento", "person"},
		{"ISCRIZIONE ON " + strings.Repeat("grazie ", 30), "person"},
		{strings.Repeat("STOP ", 50), "person"},
	}},
	{"arezzo", [][2]string{
		{"Iscrivimi", "join"},
		{"ISCRIVIMI!", "join"},
		{"iscrivi mi", "join"},
		{"Salve, iscrivimi per favore", "join"},
		{"iscrivimi al servizio", "join"},
		{"Iscrivimi Comune di Arezzo", "join"},
		{"Cancellami", "leave"},
		{"cancellami dalle liste", "leave"},
		{"Liste", "status"},
		{"iscrivimi a scuola", "person"},
		{"iscrivimi al corso di nuoto", "person"},
		{"puoi iscrivimi", "person"},
		{"mi iscrivi?", "person"},
		{"cancellami l'appuntamento di lunedì", "person"},
	}},
	{"cascina", [][2]string{
		{"Iscrizione", "join"},
		{"iscrizione meteo", "join METEO"},
		{"Iscrizione #meteo #avvisi", "join AVVISI METEO"},
		{"Iscrizione Allerta Meteo e Avvisi ai cittadini", "join AVVISI METEO"},
		{"Iscrizione avvisi", "join AVVISI"},
		{"Cancellazione", "leave"},
		{"CANCELLAZIONE METEO", "leave METEO"},
		{"cancellazione dagli avvisi", "leave AVVISI"},
		{"STOP iscrizione", "leave"},
		{"Iscrizione off", "leave"},
		{"Stato", "status"},
		{"iscrizione alla mensa", "person"},
		{"iscrizione all'asilo nido", "person"},
		{"iscrizione anagrafe", "person"},
		{"cancellazione anagrafica", "person"},
		{"Iscrizione Cancellazione", "person"},
		{"iscrizione no", "person"},
		{"ISCRIZIONE?", "person"},
	}},
	{"urbino", [][2]string{
		{"ISCRIVIMI", "join"},
		{"Iscrivimi #info", "join INFO"},
		{"Iscrivimi alle informazioni", "join INFO"},
		{"CANCELLAMI", "leave"},
		{"cancellami info", "leave INFO"},
		{"STOP INFO", "leave INFO"},
		{"LISTE", "status"}, // where the file says nothing
		{"info", "person"},
		{"iscrivimi info orari", "person"},
	}},
	{"castegnato", [][2]string{
		{"ATTIVA Mario Rossi", "join as Mario Rossi"},
		{"attiva mario rossi", "join as mario rossi"},
		{"Attiva: Maria Grazia D’Angelo", "join as Maria Grazia D’Angelo"},
		{"ATTIVA Nicolò De' Medici-Rossi.", "join as Nicolò De' Medici-Rossi"},
		{"ATTIVA  De  Rossi\nAnna", "join as De Rossi Anna"},
		{"ATTIVA Gian Luca della Valle", "join as Gian Luca della Valle"},
		{"ATTIVA Rossi", "join as Rossi"},
		{"Buongiorno, ATTIVA Mario Rossi, grazie", "join as Mario Rossi"},
		{"ATTIVA Mario Rossi buona giornata", "join as Mario Rossi"},
		{"ATTIVA Mario Rossi 🙂", "join as Mario Rossi"},
		{"ATTIVA Mario Rossi #CIVILE", "join CIVILE as Mario Rossi"},
		{"ATTIVA Mario Rossi protezione civile", "join CIVILE as Mario Rossi"},
		{"NOTIZIE: ATTIVA Mario Rossi", "join NOTIZIE as Mario Rossi"},
		{"ATTIVA Żółć Ærø", "join as Żółć Ærø"},
		{"ATTIVA Mario Rossi ATTIVA Mario Rossi", "join as Mario Rossi"},
		{"DISATTIVA", "leave"},
		{"disattiva notizie", "leave NOTIZIE"},
		{"ATTIVA", "person"},
		{"attiva?", "person"},
		{"ATTIVA Mario Rossi?", "person"},
		{"ATTIVAZIONE", "person"},
		{"ATTIVAMario Rossi", "person"},
		{"ATTIVA Nome Cognome", "person"},
		{"attiva la linea", "person"},
		{"attiva il servizio", "person"},
		{"attiva la sirena", "person"},
		{"ATTIVA la mia iscrizione", "person"},
		{"attiva quando", "person"},
		{"attiva lo SPID di mio padre", "person"},
		{"ATTIVA Mario Rossi via Roma 3", "person"},
		{"ATTIVA Mario Rossi 1980", "person"},
		{"ATTIVA M4rio", "person"},
		{"ATTIVA Mario Rossi ATTIVA Anna Bianchi", "person"},
		{"ATTIVA Mario e Anna Rossi", "person"},
		{"ATTIVA uno due tre quattro cinque sei", "person"},
		{"ATTIVA Mario De", "person"},
		{"ATTIVA NOTIZIE", "person"},
		{"ATTIVA #SCUOLA", "person"},
		{"non attiva Mario Rossi", "person"},
		{"ATTIVA DISATTIVA", "person"},
		{"ATTIVA Mario Rossi STOP", "person"},
		{"Mario Rossi", "person"},
	}},
	{"valle", [][2]string{
		{"ALLERTA NORD", "join NORD"},
		{"allerta #nord", "join NORD"},
		{"Allerta zona nord", "join NORD"},
		{"ALLERTA quartiere NORD", "join NORD"},
		{"ALLERTANORD", "join NORD"},
		{"Allerta Centro Storico", "join CENTRO"},
		{"allerta santa maria d’oltre", "join OLTRE"},
		{"ALLERTA SANTA MARIA D OLTRE", "join OLTRE"},
		{"ALLERTA nord e centro", "join NORD CENTRO"},
		{"ALLERTA PIENE", "join PIENE"},
		{"ALLERTA NORD PIENE", "join PIENE NORD"},
		{"ALLERTA PO", "join PO"},
		{"ALLERTA #SUD", "join ?SUD"},
		{"FINE ALLERTA", "leave"},
		{"fine allerta nord", "leave NORD"},
		{"stop nord", "leave NORD"},
		{"ALLERTA", "person"},
		{"NORD ALLERTA", "person"},
		{"ALLERTAPO", "person"},
		{"allerta sud", "person"},
		{"allerta meteo", "person"},
		{"c'è un'allerta a nord?", "person"},
	}},
	{"sangiorgio", [][2]string{
		{"SAN GIORGIO ON", "join"},
		{"sangiorgio on", "join"},
		{"#SanGiorgioOn", "join"},
		{"Città di San Giorgio ON", "join"},
		{"CITTA' DI SAN GIORGIO ON #STRADE", "join STRADE"},
		{"Strade e lavori: San Giorgio on", "join STRADE"},
		{"SAN GIORGIO OFF", "leave"},
		{"San Giorgio", "person"},
		{"ON", "person"},
		{"la festa di San Giorgio on the road", "person"},
	}},
	{"laquila", [][2]string{
		{"Iscrivimi a L'Aquila Sisma", "join SISMA"},
		{"ISCRIVIMI A AQUILA #SISMA", "join SISMA"},
		{"iscrivimi a Comune dell’Aquila sisma", "join SISMA"},
		{"ESCI", "leave"},
		{"Iscrivimi a L'Aquila", "person"},
		{"Iscrivimi sisma", "person"},
	}},
	{"trevi", [][2]string{
		{"TREVI ON", "join"},
		{"Trevi on!", "join"},
		{"TreviOn #eventi", "join EVENTI"},
		{"TREVI ON Trevi", "join"},
		{"TREVI OFF", "leave"},
		{"Trevi", "person"},
		{"Trevi on air", "person"},
	}},
	{"alert", [][2]string{
		{"ALERT EMERGENZE ON", "join"},
		{"alert-emergenze-on", "join"},
		{"Alert emergenze on, scuole", "join SCUOLE"},
		{"EMERGENZE ON", "join EMERGENZE"},
		{"#SCUOLE ON", "join SCUOLE"},
		{"SCUOLEON", "join SCUOLE"},
		{"#SPORT ON", "join ?SPORT"},
		{"EMERGENZE ON SCUOLE ON", "join EMERGENZE SCUOLE"},
		{"ALERT EMERGENZE OFF", "leave"},
		{"scuole off", "leave SCUOLE"},
		{"ALERT EMERGENZE", "person"},
		{"EMERGENZE ON SCUOLE OFF", "person"},
		{"ALERT ON", "person"},
	}},
	{"lists", [][2]string{
		{"NEVE", "join NEVE"},
		{"#neve", "join NEVE"},
		{"Piano neve, grazie", "join NEVE"},
		{"neve e teatro", "join NEVE TEATRO"},
		{"#calcio", "join ?CALCIO"},
		{"NEVE NO", "leave NEVE"},
		{"stop neve", "leave NEVE"},
		{"le mie liste", "status"},
		{"liste", "person"},
		{"calcio", "person"},
		{"neve?", "person"},
		{"non NEVE", "person"},
		{"c'è neve", "person"},
	}},
	{"own", [][2]string{
		{"ACCETTO", "join"},
		{"ok bandi", "join"},
		{"NO", "leave"},
		{"CERTO", "status"},
		{"sì", "status"},
		{"OK", "yes"},
		{"rifiuto", "no"},
		{"ACCETTO gare", "join GARE"},
		{"NO BANDI", "leave BANDI"}, // a name that two lists have is neither's, the keyword is
	}},
	{"strassen", [][2]string{
		{"ANMELDEN #STRASSEN", "join STRASSEN"},
		{"Anmelden Straßen", "join STRASSEN"},
		{"anmelden strassen und verkehr", "join STRASSEN"},
		{"Abmelden STRAẞEN", "leave STRASSEN"},
	}},
	{"silent", [][2]string{
		{"Iscrivimi", "person"},
		{"STOP", "person"},
		{"SI", "person"},
	}},
	{"carpi", [][2]string{
		{"ISCRIVIMI", "person"},
		{"STOP", "person"},
	}},
}

func TestGrammar(t *testing.T) {
	spellings, people, seen := 0, 0, map[string]bool{}
	for _, s := range sayings {
		g := broadcast.NewGrammar(townFile(t, s.town))
		for _, w := range s.words {
			if got := spoken(g.Parse(w[0])); got != w[1] {
				t.Errorf("%s: %q is %q, not %q", s.town, w[0], got, w[1])
			}
			if seen[s.town+w[0]] {
				t.Errorf("%s: %q is there twice", s.town, w[0])
			}
			seen[s.town+w[0]] = true
			spellings++
			if w[1] == "person" {
				people++
			}
		}
	}
	if spellings-people < 150 || people < 50 {
		t.Errorf("%d spellings are commands and %d for a person: at least 150 and 50 are due", spellings-people, people)
	}
}

// A file and a text that are written to take long take no longer than others.
func TestGrammarIsBounded(t *testing.T) {
	f := townFile(t, "rimini")
	f.Lists = append(f.Lists, municipality.List{Keyword: "AAAA", Name: "AAAAA"}, municipality.List{Keyword: "AAAAAA", Name: "AAAAAAA"})
	f.Subscription.Join = append(f.Subscription.Join, strings.Repeat("{list}", 16)+"!B")
	g := broadcast.NewGrammar(f)
	for _, text := range []string{
		"ISCRIZIONE ON " + strings.Repeat("a", 180) + " C",
		"ISCRIZIONE ON " + strings.Repeat("ciao a tutti ", 14) + "C",
		strings.Repeat("#a", 99),
		strings.Repeat("ﷺ", 200),
	} {
		if c, ok := g.Parse(text); ok {
			t.Errorf("%q is %+v", text, c)
		}
	}
}

func TestGrammarServesMany(t *testing.T) {
	g := broadcast.NewGrammar(townFile(t, "rimini"))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if got := spoken(g.Parse("ISCRIZIONE ON #EMERGENZE")); got != "join EMERGENZE" {
					t.Error(got)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkGrammar(b *testing.B) {
	g := broadcast.NewGrammar(townFile(b, "rimini"))
	for name, text := range map[string]string{
		"sentence": "Buongiorno, vorrei sapere quando è aperto lo sportello dell'anagrafe per la carta d'identità, grazie mille!",
		"long":     strings.Repeat("Buongiorno, c'è una buca in via Roma. ", 20),
		"command":  "Buongiorno, ISCRIZIONE ON #EMERGENZE e #PUBBLICAUTILITA' grazie",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.Parse(text)
			}
		})
	}
}
