// SPDX-License-Identifier: AGPL-3.0-or-later

// Package demo invents the daily life of five municipalities: their staff, their citizens, a month of
// conversations and this morning's, so that a newcomer sees the desk as it is on a working day.
//
// Streets and squares are real, so that a place on the map lies where it says; people, phones, requests
// and answers are invented. The same day always gives the same demo.
package demo

// Town is a municipality of the demo.
type Town struct {
	Slug string
	Name string // as people say it

	number        int    // makes its ids
	display       string // the WhatsApp number, international
	conversations int    // of the last month
	latitude      float64
	longitude     float64
	seat          string // where the office is
	hours         string // a sentence
	hall          string // where people marry
	streets       []string
	squares       []string
	parks         []string
	schools       []string
	nursery       []string
	quarters      []string
	offices       map[string]string // id of the office for a role of the dialogues: strade, sociale
}

// Towns are the five of examples/, in the order in which the demo names them.
func Towns() []Town {
	return []Town{
		{Slug: "rimini", Name: "Rimini", number: 11, display: "+39 331 6432314", conversations: 112, latitude: 44.0594, longitude: 12.5683,
			seat: "piazza Cavour 27", hall: "la Sala degli Arazzi e la Rocca",
			hours:    "Lo sportello è aperto lunedì, mercoledì e venerdì 9-13, martedì e giovedì 9-17, sabato 9-13.",
			streets:  []string{"via Marecchiese", "corso d'Augusto", "viale Regina Elena", "via Flaminia", "via Covignano", "viale Tripoli", "via Euterpe", "via Popilia", "via Garibaldi", "viale Valturio", "via della Fiera", "via Dario Campana", "via Sacramora", "via Pascoli"},
			squares:  []string{"piazza Cavour", "piazza Tre Martiri", "piazzale Fellini", "piazza Ferrari"},
			parks:    []string{"parco Marecchia", "parco Cervi", "parco Ausa", "parco Pertini"},
			schools:  []string{"Ferrari", "Toti", "Montessori", "Gaiofana"},
			nursery:  []string{"Aquilone", "Cucciolo", "Isola Blu"},
			quarters: []string{"San Giuliano", "Viserba", "Miramare", "Borgo Sant'Andrea", "Padulli"},
			offices:  map[string]string{"strade": "protezione-civile"}},
		{Slug: "carpi", Name: "Carpi", number: 12, display: "+39 059 649213", conversations: 88, latitude: 44.7835, longitude: 10.8846,
			seat: "corso Alberto Pio 91", hall: "la Sala dei Mori e il Palazzo dei Pio",
			hours:    "Lo sportello è aperto lunedì, martedì, giovedì, venerdì e sabato 9-13, e il martedì anche 15-18.",
			streets:  []string{"corso Alberto Pio", "via Berengario", "viale Carducci", "via Peruzzi", "via Nuova Ponente", "via Cattani", "via Roosevelt", "via Guastalla", "viale Manzoni", "via Catellani", "via Molinari", "via Cuneo"},
			squares:  []string{"piazza Martiri", "piazza Garibaldi", "piazzale Re Astolfo"},
			parks:    []string{"parco delle Rimembranze", "parco Magazzeno", "parco della Cappuccina"},
			schools:  []string{"Fanti", "Pascoli", "Focherini", "Sassi"},
			nursery:  []string{"Flauto Magico", "Scarabocchio", "Pettirosso"},
			quarters: []string{"Cibeno", "Quartirolo", "Budrione", "Fossoli"},
			offices:  map[string]string{"strade": "manutenzioni", "sociale": "anagrafe"}},
		{Slug: "pistoia", Name: "Pistoia", number: 13, display: "+39 0573 123456", conversations: 76, latitude: 43.9333, longitude: 10.9167,
			seat: "piazza del Duomo 13", hall: "la Sala Maggiore e Villa Puccini",
			hours:    "In chat rispondiamo dal lunedì al venerdì 9-13; lo sportello è aperto dal lunedì al sabato 9-13 e il martedì anche 15-18.",
			streets:  []string{"via Cavour", "corso Gramsci", "via Dalmazia", "viale Adua", "via Sestini", "via Atto Vannucci", "corso Silvano Fedi", "via della Madonna", "via Macallè", "viale Petrocchi", "via Desideri"},
			squares:  []string{"piazza del Duomo", "piazza della Sala", "piazza Mazzini", "piazza della Resistenza"},
			parks:    []string{"parco di Monteoliveto", "parco della Resistenza", "parco Puccini"},
			schools:  []string{"Frosini", "Cino da Pistoia", "Marconi", "Roncalli"},
			nursery:  []string{"Lago Mago", "Il Faro", "Mirò"},
			quarters: []string{"Bottegone", "San Biagio", "Candeglia", "le Fornaci"}},
		{Slug: "arezzo", Name: "Arezzo", number: 14, display: "+39 342 7777361", conversations: 94, latitude: 43.4633, longitude: 11.8797,
			seat: "piazza Fanfani 1", hall: "la Sala Rosa e la Fortezza",
			hours:    "Lo Sportello Unico è aperto dal lunedì al venerdì 8:30-13:30, martedì e giovedì anche 15-17:30.",
			streets:  []string{"corso Italia", "via Romana", "via Garibaldi", "viale Michelangelo", "via Crispi", "via Vittorio Veneto", "via Fiorentina", "viale Mecenate", "via Anconetana", "via Setteponti", "via Petrarca", "via Tarlati"},
			squares:  []string{"piazza Guido Monaco", "piazza Grande", "piazza San Jacopo", "piazza della Badia"},
			parks:    []string{"parco Pertini", "parco Il Prato", "parco Arno", "parco Foro Boario"},
			schools:  []string{"Vasari", "Cesalpino", "Piero della Francesca", "Masaccio"},
			nursery:  []string{"Cucciolo", "Peter Pan", "Il Matto"},
			quarters: []string{"Saione", "Pescaiola", "San Leo", "Giotto", "Tortaia"},
			offices:  map[string]string{"strade": "lavori-pubblici"}},
		{Slug: "montevarchi", Name: "Montevarchi", number: 15, display: "+39 055 1234567", conversations: 64, latitude: 43.5283, longitude: 11.5697,
			seat: "piazza Varchi 5", hall: "la Ginestra e il chiostro di Cennano",
			hours:    "Rispondiamo dal lunedì al sabato 8:30-13:30, martedì e giovedì anche 15:30-17:30. Allo sportello solo su appuntamento.",
			streets:  []string{"via Roma", "viale Diaz", "via Isidoro Del Lungo", "viale Matteotti", "via Marzia", "via Amendola", "via Dante", "via Leona", "via Aretina", "via dei Mille"},
			squares:  []string{"piazza Varchi", "piazza Vittorio Veneto", "piazza XX Settembre"},
			parks:    []string{"parco degli Alpini", "parco La Ginestra", "parco della Gora"},
			schools:  []string{"Petrarca", "Mochi", "Magiotti", "Don Milani"},
			nursery:  []string{"La Farfalla", "Il Bruco", "Raggio di Sole"},
			quarters: []string{"Pestello", "Levane", "Levanella", "Caposelvi"},
			offices:  map[string]string{"sociale": "sociale"}},
	}
}
