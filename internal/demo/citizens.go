// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// citizen is somebody who writes.
type citizen struct {
	profile  string // the name on WhatsApp, whatever people put there
	first    string // what an operator would call them; empty when nobody can tell
	full     string
	phone    string // digits; empty for somebody known by username only
	userID   string
	username string
}

// crowd invents the citizens of a town, none twice.
type crowd struct {
	rng    *rand.Rand
	town   int
	serial int
	odd    []odd
}

// odd is a profile name as it comes in real life.
type odd struct{ profile, first, full string }

func newCrowd(rng *rand.Rand, town Town) *crowd {
	c := &crowd{rng: rng, town: town.number % 10, odd: []odd{
		{"✨Giulia✨", "Giulia", "Giulia Fabbri"},
		{"nonna Pina 👵", "Pina", "Giuseppina Casadei"},
		{"Maria Antonietta Bentivoglio Montefeltro della Rovere", "Maria Antonietta", "Maria Antonietta Bentivoglio Montefeltro della Rovere"},
		{"M.", "", "Marta Zoli"},
		{"Ale_87", "", "Alessandro Neri"},
		{"Nicolò D'Agostino", "Nicolò", "Nicolò D'Agostino"},
		{"Zoë Müller-Rossi", "Zoë", "Zoë Müller-Rossi"},
		{"Bar Sport di Lino e Carla snc", "", "Lino Baldi"},
		{"José Ángel Muñoz", "José", "José Ángel Muñoz"},
		{"🌻🌻", "", "Loredana Tonini"},
		{"Condominio Le Rose - amministratore", "", "Paolo Amati"},
		{"Ștefania Popescu", "Ștefania", "Ștefania Popescu"},
		{"Aïssatou Ndiaye", "Aïssatou", "Aïssatou Ndiaye"},
		{"Łukasz Wiśniewski", "Łukasz", "Łukasz Wiśniewski"},
		{"Arben Hoxha", "Arben", "Arben Hoxha"},
		{"MAMMA DI TOMMASO", "", "Sara Gori"},
	}}
	rng.Shuffle(len(c.odd), func(i, j int) { c.odd[i], c.odd[j] = c.odd[j], c.odd[i] })
	return c
}

var firstNames = strings.Fields(`Maria Luca Giulia Marco Francesca Andrea Chiara Matteo Sara Davide Elena Simone Martina Alessandro
	Federica Stefano Silvia Paolo Valentina Roberto Laura Giorgio Cristina Fabio Barbara Michele Ilaria Antonio Monica Giovanni Anna
	Enrico Paola Daniele Elisa Riccardo Beatrice Filippo Lucia Tommaso Alice Gianluca Noemi Massimo Ginevra Pietro Rosa Vincenzo
	Caterina Franca Bruno Irene Claudio Teresa Salvatore Nadia Emanuele Carla Mirko Giuseppina Domenico Loretta Walter Ornella`)

var lastNames = strings.Fields(`Bianchi Neri Rossi Ferrari Fabbri Ricci Gallo Conti Bruni Mancini Costa Giordano Rinaldi Lombardi Moretti
	Barbieri Fontana Santoro Mariani Casadei Vandi Semprini Zanotti Benedetti Pellegrini Palmieri Bernardi Martinelli Tosi Baldini
	Innocenti Nesi Landi Cecchi Bartolini Tesi Vannucci Gori Mugnai Bonci Sestini Fabbrini Magrini Pieroni Lotti Gualdi Malagoli
	Righi Bellelli Saltini Losi Gasparini Amadei Fantini Tonelli Venturi Grassi Serra Monti Villa Caruso Esposito De-Luca Di-Stefano`)

// speakers are the citizens who write in another language, by it.
var speakers = map[string][]odd{
	"en": {{"Emily Carter", "Emily", "Emily Carter"}, {"James O'Connor", "James", "James O'Connor"}, {"Priya Natarajan", "Priya", "Priya Natarajan"}, {"Oliver 🚐", "Oliver", "Oliver Hughes"}},
	"de": {{"Familie Schröder", "", "Jürgen Schröder"}, {"Annelie Weiß", "Annelie", "Annelie Weiß"}},
	"ro": {{"Mihaela Ionescu", "Mihaela", "Mihaela Ionescu"}, {"Cătălin Dumitru", "Cătălin", "Cătălin Dumitru"}},
	"ar": {{"أمينة بن علي", "", "Amina Ben Ali"}, {"يوسف المنصوري", "", "Youssef El Mansouri"}},
	"uk": {{"Олена Шевченко", "", "Olena Shevchenko"}, {"Наталія 🇺🇦", "", "Natalija Kovalenko"}},
	"zh": {{"陈伟", "", "Chen Wei"}, {"林小红", "", "Lin Xiaohong"}},
}

// next invents somebody who speaks the language who; empty is Italian.
func (c *crowd) next(who string) citizen {
	c.serial++
	person := c.name(who)
	one := citizen{profile: person.profile, first: person.first, full: person.full, phone: c.phone(who)}
	if who == "bsuid" || who == "" && c.serial%23 == 0 {
		one.phone, one.userID = "", fmt.Sprintf("IT.DEMO%d%015d", c.town, c.serial)
		one.username = "@" + strings.ToLower(strings.ReplaceAll(strings.Fields(one.full)[0], "'", "")) + fmt.Sprint(40+c.serial%60)
	}
	return one
}

func (c *crowd) name(who string) odd {
	if names := speakers[who]; names != nil {
		return names[c.serial%len(names)]
	}
	if who == "" && c.serial%7 == 0 && len(c.odd) > 0 {
		one := c.odd[0]
		c.odd = c.odd[1:]
		return one
	}
	first, last := pick(c.rng, firstNames), strings.ReplaceAll(pick(c.rng, lastNames), "-", " ")
	return odd{first + " " + last, first, first + " " + last}
}

// phone is a number nobody has: the ranges that regulators keep for films, and for Italy, which keeps
// none, numbers that all begin with 555 after the operator's prefix.
func (c *crowd) phone(who string) string {
	n := c.town*1000 + c.serial
	switch who {
	case "en":
		return fmt.Sprintf("447700900%03d", (c.town*200+c.serial%200)%1000) // Ofcom, numbers for use in drama
	case "de":
		return fmt.Sprintf("4917139200%02d", (c.town*20+c.serial%20)%100) // Bundesnetzagentur, media numbers
	}
	prefix := []string{"347", "333", "320", "338", "349", "366", "392", "328"}[c.serial%8]
	return fmt.Sprintf("39%s555%04d", prefix, n)
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
