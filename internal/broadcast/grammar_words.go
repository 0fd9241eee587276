// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

// These are the words that mean the same in every municipality. Case, accents, apostrophes and spaces make no
// difference, here as in a file; {notices} is any of notices.

// manner is how a phrase is meant.
type manner int

const (
	meant   manner = iota
	softly         // the lists only from somebody who is on one
	askable        // it may end in a question mark
	alone          // never written together with another word, which would be a third
)

// saying is a number of phrases with one manner.
type saying struct {
	manner  manner
	phrases []string
}

// sayings are what a verb is said by beside the file's phrases. Nobody joins by a word that the file does not have.
var sayings = map[Verb][]saying{
	Leave:  {{meant, leaving}, {softly, leavingSoftly}},
	Status: {{askable, asking}},
	Yes:    {{alone, agreeing}},
	No:     {{alone, refusing}},
}

var leaving = []string{
	"STOP", "STOP {notices}", "STOP ISCRIZIONE", "STOP ISCRIZIONI", "STOPALL",
	"ISCRIZIONE OFF", "DISISCRIZIONE", "DISISCRIVI", "DISISCRIVIMI", "DISISCRIVETEMI", "DISISCRIVERE", "DISISCRIVERMI", "MI DISISCRIVO",
	"VOGLIO DISISCRIVERMI", "VORREI DISISCRIVERMI", "MI VOGLIO DISISCRIVERE",
	"CANCELLAMI", "CANCELLATEMI", "CANCELLARMI", "VOGLIO CANCELLARMI", "VORREI CANCELLARMI",
	"CANCELLA ISCRIZIONE", "CANCELLA L'ISCRIZIONE", "CANCELLA LA ISCRIZIONE", "CANCELLA LA MIA ISCRIZIONE",
	"CANCELLA MIA ISCRIZIONE", "CANCELLA ISCRIZIONI", "CANCELLA LE MIE ISCRIZIONI", "CANCELLATE LA MIA ISCRIZIONE",
	"ANNULLA ISCRIZIONE", "ANNULLA L'ISCRIZIONE", "ANNULLA LA MIA ISCRIZIONE",
	"CANCELLA {list}", "CANCELLA {district}",
	"REVOCA CONSENSO", "REVOCA IL CONSENSO", "REVOCO CONSENSO", "REVOCO IL CONSENSO", "REVOCO IL MIO CONSENSO", "RITIRO IL CONSENSO", "RITIRO IL MIO CONSENSO",
	"BASTA {list}", "BASTA {district}", "BASTA {notices}",
	"NON VOGLIO PIU {list}", "NON VOGLIO PIU {notices}",
	"NON VOGLIO PIU RICEVERE {list}", "NON VOGLIO PIU RICEVERE {notices}",
	"NON VOGLIO RICEVERE {list}", "NON VOGLIO RICEVERE {notices}",
	"NON VOGLIO RICEVERE PIU {list}", "NON VOGLIO RICEVERE PIU {notices}",
	"NON DESIDERO PIU RICEVERE {list}", "NON DESIDERO PIU RICEVERE {notices}",
	"NON INVIATEMI PIU {notices}", "NON INVIARMI PIU {notices}", "NON MANDATEMI PIU {notices}", "NON MANDARMI PIU {notices}",
	"RIMUOVIMI", "RIMUOVETEMI", "ELIMINAMI", "ELIMINATEMI", "MI CANCELLO", "MI VOGLIO CANCELLARE",
	"TOGLIMI {notices}", "TOGLIETEMI {notices}", "TOGLIMI LISTA", "TOGLIMI LISTE", "TOGLIETEMI LISTA", "TOGLIETEMI LISTE", "TOGLIMI {list}", "TOGLIETEMI {list}",
	"TOGLIMI DALLA LISTA", "TOGLIMI DALLE LISTE", "TOGLIETEMI DALLA LISTA", "TOGLIETEMI DALLE LISTE",
	"NON VOGLIO ESSERE ISCRITTO", "NON VOGLIO ESSERE ISCRITTA", "NON VOGLIO PIU ESSERE ISCRITTO", "NON VOGLIO PIU ESSERE ISCRITTA",
	"UNSUBSCRIBE", "UNSUBSCRIBE ME", "OPT OUT", "NO MORE {list}", "NO MORE {notices}", "STOP SENDING ME {notices}",
}

var leavingSoftly = []string{
	"BASTA", "CANCELLA", "TOGLIMI", "TOGLIETEMI", "NON INVIATEMI PIU", "NON MANDATEMI PIU", "NON SCRIVETEMI PIU", "NON SCRIVERMI PIU", "NON CONTATTATEMI PIU",
}

var notices = []string{
	"MESSAGGI", "AVVISI", "NOTIFICHE", "COMUNICAZIONI", "ALLERTE", "INFORMAZIONI", "NOTIZIE", "SMS", "NEWSLETTER", "NULLA", "NIENTE",
	"MESSAGES", "NOTICES", "ALERTS", "NOTIFICATIONS", "UPDATES",
}

var asking = []string{
	"LE MIE LISTE", "QUALI SONO LE MIE LISTE", "LE MIE ISCRIZIONI", "A COSA SONO ISCRITTO", "A COSA SONO ISCRITTA",
	"A CHE COSA SONO ISCRITTO", "A CHE COSA SONO ISCRITTA", "A QUALI LISTE SONO ISCRITTO", "A QUALI LISTE SONO ISCRITTA",
	"MY LISTS", "MY SUBSCRIPTIONS",
}

var agreeing = []string{
	"SI", "SII", "SIII", "SISI", "YES", "YEP", "OK", "OKAY", "OKEY", "CONFERMO", "LO CONFERMO", "CONFERMO ISCRIZIONE", "CONFERMO L'ISCRIZIONE",
	"CONFERMO LA ISCRIZIONE", "CONFERMO LA MIA ISCRIZIONE", "ACCETTO", "ACCONSENTO", "VA BENE", "D'ACCORDO", "CERTO",
	"CONFIRM", "I CONFIRM", "I ACCEPT", "I AGREE", thumbUp,
}

var refusing = []string{
	"NO", "NOPE", "RIFIUTO", "NON CONFERMO", "NON ACCETTO", "NON VOGLIO", "NO THANKS", thumbDown,
}

// The two emoji that say something by themselves; all others are decoration.
const (
	thumbUp   = "👍"
	thumbDown = "👎"
)

// What a word around a phrase adds to it.
const (
	plain      = iota // nothing
	everything        // all lists are meant
)

var courtesies = []string{
	"BUONGIORNO", "BUONGIORNO A TUTTI", "BUON POMERIGGIO", "BUONASERA", "BUONASERA A TUTTI", "BUONANOTTE", "BUONDI",
	"CIAO", "CIAO A TUTTI", "SALVE", "SALVE A TUTTI", "EHI",
	"GRAZIE", "GRAZIE MILLE", "MILLE GRAZIE", "GRAZIE A TUTTI", "TANTE GRAZIE", "MOLTE GRAZIE", "GRAZIE TANTE", "GRAZIE ANTICIPATAMENTE", "GRAZIE IN ANTICIPO",
	"PER FAVORE", "PER PIACERE", "PER CORTESIA", "CORTESEMENTE", "GENTILMENTE", "PREGO",
	"SALUTI", "UN SALUTO", "CORDIALI SALUTI", "DISTINTI SALUTI", "BUONA GIORNATA", "BUONA SERATA", "BUON LAVORO", "ARRIVEDERCI",
	"HELLO", "HI", "GOOD MORNING", "GOOD AFTERNOON", "GOOD EVENING", "PLEASE", "THANKS", "THANK YOU", "MANY THANKS", "REGARDS", "KIND REGARDS",
	thumbUp,
}

var articles = []string{"IL", "LO", "LA", "L", "I", "GLI", "LE", "MIE", "THE", "MY"}

var links = []string{
	"LISTA", "LISTE", "AVVISO", "AVVISI", "MESSAGGI", "NOTIFICHE", "COMUNICAZIONI", "CANALE", "SERVIZIO", "HASHTAG",
	"ZONA", "ZONE", "QUARTIERE", "QUARTIERI", "FRAZIONE", "FRAZIONI",
	"IL", "LO", "LA", "L", "I", "GLI", "LE", "A", "AL", "ALLO", "ALLA", "AI", "AGLI", "ALLE",
	"DI", "DEL", "DELLO", "DELLA", "DELL", "DEI", "DEGLI", "DELLE", "SU", "SUL", "SULLA", "SUI", "SUGLI", "SULLE", "PER",
	"E", "ED", "ANCHE", "PURE", "SOLO", "SOLTANTO",
	"LIST", "LISTS", "ALERTS", "NOTICES", "MESSAGES", "THE", "TO", "FOR", "OF", "AND", "ALSO", "ONLY",
}

// ALL is English for all lists, but in STOP ALL'EMERGENZE an article: to leave, where nothing named is all, it adds nothing.
var leavingLinks = []string{
	"ALL", "DA", "DAL", "DALLO", "DALLA", "DALL", "DAI", "DAGLI", "DALLE", "MIA", "MIE", "MIEI", "VOSTRI", "VOSTRE", "QUESTI", "QUESTE", "CON", "COI",
	"SUBITO", "ORA", "ADESSO", "OK", "FROM", "MY", "NOW", thumbDown,
}

var all = []string{"TUTTE", "TUTTI", "TUTTO", "ENTRAMBE", "ENTRAMBI", "ALL", "BOTH", "EVERYTHING"}

// particles stand in surnames, but do not end them.
var particles = []string{
	"DI", "DE", "DEL", "DELLO", "DELLA", "DELL", "DEI", "DEGLI", "DELLE", "D", "DA", "DAL", "DALLA", "LA", "LO", "LI", "LE", "L", "EL", "AL", "VAN", "VON", "SAN",
}

// A town's name is what stands after one of bodies and one of joints.
var (
	bodies = []string{"COMUNE", "CITTA", "MUNICIPIO", "UNIONE", "PROVINCIA", "MUNICIPALITY", "CITY", "TOWN"}
	joints = []string{"DI", "D", "DEL", "DELLO", "DELLA", "DELL", "DEI", "DEGLI", "DELLE", "DE", "OF"}
)

// strangers follow a phrase with {name} where no name is meant.
var strangers = []string{
	"NON", "MI", "TI", "CI", "VI", "SI", "NO", "MIO", "MIA", "MIEI", "MIE", "TUO", "TUA", "SUO", "SUA", "NOSTRO", "NOSTRA", "VOSTRO", "VOSTRA",
	"UN", "UNO", "UNA", "IL", "I", "GLI", "CHE", "CHI", "COME", "QUANDO", "DOVE", "PERCHE", "QUALE", "QUALI", "QUANTO", "QUANTI", "COSA",
	"VORREI", "VOGLIO", "VOLEVO", "DEVO", "DEVE", "POSSO", "PUO", "POTETE", "PUOI", "CHIEDO", "SONO", "SEI", "SIAMO", "SIETE", "ERA", "HO", "HAI", "HA", "ABBIAMO", "AVETE", "HANNO",
	"PER", "CON", "SU", "IN", "A", "AD", "AI", "ALLA", "ALLE", "E", "ED", "O", "MA", "SE", "ANCHE", "GIA", "PIU", "MENO", "POI", "PURE", "SUBITO", "ORA", "ADESSO", "OGGI", "DOMANI",
	"QUESTO", "QUESTA", "QUESTI", "QUESTE", "QUELLO", "QUELLA", "QUELLI", "TUTTO", "TUTTA", "TUTTI", "TUTTE", "OGNI", "NUOVO", "NUOVA", "ALTRO", "ALTRA",
	"NOME", "COGNOME", "NOMINATIVO", "SIGNOR", "SIGNORA", "SIG", "UTENTE", "CITTADINO", "FAMIGLIA",
	"LINEA", "SERVIZIO", "SERVIZI", "ISCRIZIONE", "ISCRIZIONI", "ABBONAMENTO", "CONTRATTO", "UTENZA", "ACCOUNT", "PROFILO", "PRATICA", "DOMANDA", "RICHIESTA", "PROCEDURA",
	"LISTA", "LISTE", "AVVISO", "AVVISI", "MESSAGGIO", "MESSAGGI", "NOTIFICA", "NOTIFICHE", "ALLERTA", "ALLERTE", "ALLARME", "ALERT", "COMUNICAZIONI", "NEWSLETTER", "CANALE", "GRUPPO",
	"WHATSAPP", "TELEGRAM", "SMS", "EMAIL", "MAIL", "NUMERO", "TELEFONO", "CELLULARE", "SIM", "APP", "SITO", "LINK", "WIFI", "INTERNET", "FIBRA", "MODEM",
	"SPID", "CIE", "PEC", "CARTA", "TESSERA", "IDENTITA", "DIGITALE", "FIRMA", "RESIDENZA", "LUCE", "GAS", "ACQUA", "CORRENTE", "CONTATORE", "MENSA", "SCUOLABUS",
	"THE", "AN", "MY", "YOUR", "THIS", "THAT", "ME", "IT", "PLEASE", "SERVICE", "NAME", "SURNAME",
}
