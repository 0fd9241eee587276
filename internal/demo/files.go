// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/filodiretto/filodiretto/internal/media"
)

// The voice notes were spoken by a speech synthesizer (espeak-ng) from words written for the demo.
//
//go:embed files/*.ogg
var recordings embed.FS

// forms are the documents, by what they are called in the dialogues: the title and the blanks to fill in.
var forms = map[string]struct {
	title  string
	fields []string
}{
	"occupazione": {"Occupazione temporanea di suolo pubblico", []string{"Richiedente", "Via e numero", "Dal", "Al", "Metri quadrati", "Motivo"}},
	"assenso":     {"Assenso all'espatrio del minore", []string{"Il genitore", "nato a", "il", "del minore", "nato a", "il"}},
	"residenza":   {"Dichiarazione di residenza", []string{"Cognome e nome", "Proveniente dal Comune di", "Nuovo indirizzo", "Componenti della famiglia", "Targhe dei veicoli"}},
	"nido":        {"Regolamento dei nidi d'infanzia", []string{"Requisiti", "Punteggi", "Graduatoria", "Rette", "Rinunce"}},
	"raccolta":    {"Calendario della raccolta porta a porta", []string{"Organico", "Carta", "Plastica e lattine", "Vetro", "Indifferenziato"}},
	"ztl":         {"Comunicazione di transito in ZTL", []string{"Targa", "Giorno e ora", "Varco", "Motivo", "Allegati"}},
	"matrimonio":  {"Date e tariffe delle sale", []string{"Sala", "Giorno", "Ora", "Residenti", "Non residenti"}},
	"domanda":     {"Domanda di contributo", []string{"Richiedente", "Codice fiscale", "ISEE", "IBAN", "Firma"}},
	"avviso":      {"Avviso di pagamento", []string{"Ente creditore", "Oggetto", "Importo", "Scadenza", "Codice avviso"}},
	"rimborso":    {"Richiesta di rimborso", []string{"Richiedente", "Somma pagata", "Data del pagamento", "Motivo", "IBAN", "Firma"}},
	"ricorso":     {"Come si chiede il riesame di un verbale", []string{"Numero del verbale", "Data", "Motivi", "Allegati"}},
	"guida":       {"Guida al cambio del medico", []string{"Con il fascicolo sanitario", "Allo sportello", "Documenti"}},
}

// content is a file of the dialogues: its name for people, its type and its bytes.
type content struct {
	name string
	mime string
	data []byte
}

// file makes the content of what a dialogue calls photo:NAME, voice:NAME or pdf:NAME.
func file(what string, variant int) (content, error) {
	kind, name, _ := strings.Cut(what, ":")
	switch kind {
	case "photo":
		data, err := picture(name, variant)
		return content{name + ".jpg", "image/jpeg", data}, err
	case "voice":
		data, err := recordings.ReadFile("files/" + name + ".ogg")
		return content{"nota-vocale.ogg", "audio/ogg; codecs=opus", data}, err
	case "pdf":
		form, ok := forms[name]
		if !ok {
			return content{}, fmt.Errorf("there is no form %q", name)
		}
		return content{name + ".pdf", "application/pdf", pdf(form.title, form.fields)}, nil
	}
	return content{}, fmt.Errorf("there is no file %q", what)
}

// pdf is a page with a title and lines to fill in (PDF 1.4; the standard fonts write Latin-1).
func pdf(title string, fields []string) []byte {
	quoted := strings.NewReplacer(`\`, `\\`, `(`, `\(`, `)`, `\)`)
	latin := func(s string) string {
		var b strings.Builder
		for _, r := range quoted.Replace(s) {
			b.WriteByte(byte(min(r, 255)))
		}
		return b.String()
	}
	var page strings.Builder
	fmt.Fprintf(&page, "BT /F2 11 Tf 60 790 Td (%s) Tj ET\n", latin("Comune - documento della dimostrazione, senza valore"))
	fmt.Fprintf(&page, "BT /F1 20 Tf 60 740 Td (%s) Tj ET\n0.12 0.31 0.55 RG 2 w 60 726 m 535 726 l S\n", latin(title))
	for i, field := range fields {
		y := 680 - 46*i
		fmt.Fprintf(&page, "BT /F2 12 Tf 60 %d Td (%s) Tj ET\n0.6 G 0.7 w 230 %d m 535 %d l S\n", y, latin(field), y-3, y-3)
	}
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", page.Len(), page.String()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
	}
	b := bytes.NewBufferString("%PDF-1.4\n")
	starts := make([]int, len(objects))
	for i, object := range objects {
		starts[i] = b.Len()
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	table := b.Len()
	fmt.Fprintf(b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, start := range starts {
		fmt.Fprintf(b, "%010d 00000 n \n", start)
	}
	fmt.Fprintf(b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table)
	return b.Bytes()
}

// fileBox holds every file of the story, each made once, and where it was stored.
type fileBox struct {
	mu     sync.Mutex
	made   map[fileKey]func() (content, error)
	stored map[place]media.File
}

// fileKey names a file.
type fileKey struct {
	what    string
	variant int
}

// place is where a file is stored: each municipality has its own.
type place struct {
	municipality int64
	file         fileKey
}

func newFileBox() *fileBox {
	return &fileBox{made: map[fileKey]func() (content, error){}, stored: map[place]media.File{}}
}

func keyOf(e event) fileKey {
	if strings.HasPrefix(e.file, "photo:") {
		return fileKey{e.file, e.variant}
	}
	return fileKey{e.file, 0}
}

// hasFile tells whether the event shows a file, not a place or a sample of the simulator's.
func (e event) hasFile() bool { return strings.Contains(e.file, ":") && e.file != "place:sede" }

// content makes a file, the first time it is asked for.
func (b *fileBox) content(key fileKey) (content, error) {
	b.mu.Lock()
	make, ok := b.made[key]
	if !ok {
		make = sync.OnceValues(func() (content, error) { return file(key.what, key.variant) })
		b.made[key] = make
	}
	b.mu.Unlock()
	return make()
}

// stock stores what events show in the municipalities, before anything is told: pictures take a while.
func (s *Story) stock(ctx context.Context, events []event) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(4)
	begun := map[place]bool{}
	for _, e := range events {
		where := place{s.desks[s.talks[e.talk].town].m.ID, keyOf(e)}
		if !e.hasFile() || begun[where] {
			continue
		}
		begun[where] = true
		work.Go(func() error { return s.files.store(ctx, s.Store, where) })
	}
	return work.Wait()
}

func (b *fileBox) store(ctx context.Context, store *media.Store, where place) error {
	b.mu.Lock()
	_, done := b.stored[where]
	b.mu.Unlock()
	if done {
		return nil
	}
	c, err := b.content(where.file)
	if err != nil {
		return err
	}
	f, err := store.Add(ctx, where.municipality, c.name, bytes.NewReader(c.data))
	if err != nil {
		return fmt.Errorf("store %s: %w", where.file.what, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stored[where] = f
	return nil
}
