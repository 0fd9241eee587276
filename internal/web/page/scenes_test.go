// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// The scenes are the pages in the states that matter: empty, typical, extreme, and every trouble.

var rome = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		panic(err)
	}
	return zone
}()

var now = time.Date(2026, 3, 2, 10, 45, 0, 0, rome)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func sceneContext(l locale.Language) context.Context {
	return With(context.Background(), Setting{
		Language: l,
		Zone:     rome,
		Now:      now,
		Base:     "/desk/rimini",
		Asset:    func(name string) string { return "/assets/" + name },
	})
}

var anna = Person{
	Name: "Anna Fabbri", Email: "anna.fabbri@comune.rimini.it", Role: "administrator",
	Administers: true, Blocks: true, Audits: true, Converses: true, Broadcasts: true, Figures: true, Theme: "auto", EnterSends: true, SingleKeys: true,
}

func frame(section Section, title string) Desk {
	return Desk{
		Municipality: "Comune di Rimini", Service: "WhatsUrp", Person: anna, Section: section, Title: title,
		Others: []Place{{"carpi", "Comune di Carpi"}, {"pistoia", "Comune di Pistoia"}},
		Open:   true, Hours: "aperto fino alle 13:00", Unread: 3,
	}
}

var rows = []Row{
	{ID: "1", Name: "Maria Bianchi", Preview: Preview{Type: Text, Text: "C’è una buca in via Garibaldi 12, davanti alla scuola: due motorini sono già caduti"}, At: ago(3 * time.Minute), Unread: 2, Kind: "Segnalazione", Holder: "Anna", Mine: true, Closes: now.Add(23 * time.Hour)},
	{ID: "2", Name: "Luca Neri", Preview: Preview{Type: Image, Text: "Ecco la foto"}, At: ago(14 * time.Minute), Unread: 1, Kind: "Segnalazione", Closes: now.Add(23 * time.Hour)},
	{ID: "3", Name: "+39 333 456 7890", Preview: Preview{Type: Voice}, At: ago(26 * time.Minute), Unread: 1, Closes: now.Add(2*time.Hour + 10*time.Minute)},
	{ID: "4", Name: "Giuseppina Montanari Della Torre", Preview: Preview{Type: Text, Text: "Per la carta d’identità serve l’appuntamento, lo prenota qui", Ours: true}, At: ago(50 * time.Minute), Kind: "Informazione", Holder: "Luca", Closes: now.Add(20 * time.Hour)},
	{ID: "5", Name: "Ahmed El Amrani", Preview: Preview{Type: Document, Text: "modulo-tari.pdf"}, At: ago(70 * time.Minute), Kind: "Assistenza", Office: "Ufficio Tributi", Closes: now.Add(19 * time.Hour)},
	{ID: "6", Name: "Sara Conti", Preview: Preview{Type: Text, Text: "Grazie mille, gentilissimi!"}, At: ago(100 * time.Minute), Kind: "Informazione", Holder: "Anna", Mine: true, Draft: true, Closes: now.Add(18 * time.Hour)},
	{ID: "7", Name: "@paolo.gatti", Preview: Preview{Type: Text, Text: "Verificato con il cantiere: riaprono giovedì", Note: true}, At: ago(2 * time.Hour), Kind: "Segnalazione", Holder: "Luca", Closes: now.Add(16 * time.Hour)},
	{ID: "8", Name: "Francesca Righi", Preview: Preview{Type: Text, Text: "Buongiorno, le confermiamo che il mercato si tiene", Ours: true}, At: ago(20 * time.Hour), Kind: "Informazione", Holder: "Anna", Mine: true, Failed: true},
	{ID: "9", Name: "Stefano Zamagni", Preview: Preview{Type: Location}, At: ago(22 * time.Hour), Kind: "Segnalazione", Closes: now.Add(time.Hour + 20*time.Minute)},
	{ID: "10", Name: "Elena Bartolini", Preview: Preview{Type: Text, Text: "A che ora apre l’anagrafe sabato?"}, At: ago(49 * time.Hour), Kind: "Informazione"},
	{ID: "11", Name: "مريم الحسن", Preview: Preview{Type: Text, Text: "مرحبا، هل المكتب مفتوح اليوم؟"}, At: ago(72 * time.Hour), Kind: "Informazione", Holder: "Luca"},
}

func inbox(selected string) Inbox {
	return Inbox{
		View: ViewOpen, Open: 12, Mine: 3, Waiting: 5, Rows: rows, Next: "9f3", Selected: selected,
		Offices: []Choice{{ID: "urp", Label: "Ufficio Relazioni con il Pubblico"}, {ID: "tributi", Label: "Ufficio Tributi"}},
	}
}

var maria = Citizen{
	ID: "7", Name: "Maria Bianchi", Profile: "Mary 🌻", Addresses: []string{"+39 347 123 4567", "@maria.bianchi"},
	Since: time.Date(2025, 11, 4, 9, 0, 0, 0, rome), Lists: []string{"Emergenze", "Pubblica utilità"},
	Conversations: []Past{
		{ID: "1", At: ago(3 * time.Minute), Kind: "Segnalazione", Preview: "C’è una buca in via Garibaldi 12", Current: true},
		{ID: "21", At: ago(26 * 24 * time.Hour), Kind: "Informazione", Preview: "Grazie, allora passo mercoledì mattina", Resolved: true},
		{ID: "22", At: ago(118 * 24 * time.Hour), Kind: "Assistenza", Preview: "Il modulo per la mensa non si apre", Resolved: true},
	},
}

func thread(messages ...Message) Thread {
	return Thread{
		ID: "1", Name: "Maria Bianchi", Address: "+39 347 123 4567", View: ViewOpen, Holder: "Anna", Mine: true,
		Kind: "Segnalazione", KindID: "report", Closes: now.Add(21*time.Hour + 12*time.Minute), Messages: messages, Earlier: true,
		Composer: Composer{Draft: "d1", Limit: 4096, Signature: "Anna, URP"},
		Rights:   Rights{Release: true, HandOver: true, Resolve: true},
	}
}

func at0(minutes int) time.Time { return time.Date(2026, 3, 2, 10, minutes, 0, 0, rome) }

var places = RoleForm{Role: "operator", Roles: []string{"operator", "supervisor", "administrator", "auditor"}, Offices: []Choice{{ID: "urp", Label: "Ufficio Relazioni con il Pubblico"}, {ID: "tributi", Label: "Ufficio Tributi"}}, Ticked: []string{"urp"}}

var everyday = []Message{
	{ID: "101", Side: In, Type: Text, At: ago(26 * time.Hour), Text: "Buongiorno, a che ora chiude oggi lo sportello?"},
	{ID: "102", Side: Out, Type: Text, Author: "Luca Neri", At: ago(25*time.Hour + 50*time.Minute), Text: "Buongiorno Maria, oggi siamo aperti fino alle 13:00. Gli orari completi sono qui: https://www.comune.rimini.it/orari.", Status: Read},
	{ID: "103", Side: In, Type: Text, At: at0(20), Text: "C’è una buca in via Garibaldi 12, davanti alla scuola"},
	{ID: "104", Side: In, Type: Image, At: at0(21), Text: "Si vede bene da qui", Media: &Media{ID: "m1", State: MediaReady, Width: 1200, Height: 900, Thumbnail: true}},
	{ID: "105", Side: In, Type: Location, At: at0(22), Location: &Spot{Latitude: 44.05928, Longitude: 12.56836, Name: "Scuola primaria Ferrari", Address: "Via Garibaldi 12, 47921 Rimini"}},
	{ID: "106", Side: Event, At: at0(24), Text: "Anna ha preso la conversazione"},
	{ID: "107", Side: Out, Type: Text, Author: "Anna Fabbri", At: at0(26), Text: "Grazie della segnalazione, è proprio davanti all’ingresso dei bambini?", Status: Read, Quote: &Quote{ID: "103", Author: "Maria Bianchi", Text: "C’è una buca in via Garibaldi 12, davanti alla scuola", Type: Text}},
	{ID: "108", Side: In, Type: Voice, At: at0(30), Media: &Media{ID: "m2", State: MediaReady, Length: 23 * time.Second, MIME: "audio/ogg"}},
	{ID: "109", Side: Note, Type: Text, Author: "Luca Neri", At: at0(33), Text: "Ho sentito la squadra strade: passano domattina, mettono subito un cono."},
	{ID: "110", Side: Out, Type: Text, Author: "Anna Fabbri", At: at0(36), Text: "Abbiamo avvisato la squadra: passano domattina e intanto mettono un cono.", Status: Delivered, Reactions: []Reaction{{Emoji: "🙏", Who: "Maria Bianchi"}}},
	{ID: "111", Side: Out, Type: Document, Author: "Anna Fabbri", At: at0(37), Media: &Media{ID: "m3", State: MediaReady, Name: "ricevuta-segnalazione-2026-0412.pdf", Format: "PDF", Bytes: 184_000}, Status: Delivered},
	{ID: "112", Side: In, Type: Text, At: at0(42), Text: "Grazie! Siete stati velocissimi 👏"},
}

var oddities = []Message{
	{ID: "201", Side: Out, Type: Text, Automatic: true, At: at0(1), Text: "Grazie, abbiamo ricevuto il tuo messaggio. Ora l’ufficio è chiuso: riapre lunedì 2 marzo alle 09:00.", Status: Delivered},
	{ID: "202", Side: In, Type: Sticker, At: at0(2), Media: &Media{ID: "s1", State: MediaReady, Width: 512, Height: 512}},
	{ID: "203", Side: In, Type: Video, At: at0(8), Text: "Il video della fontana", Forwarded: true, Media: &Media{ID: "v1", State: MediaReady, MIME: "video/mp4"}},
	{ID: "204", Side: In, Type: Image, At: at0(9), Media: &Media{ID: "i2", State: MediaWaiting}},
	{ID: "205", Side: In, Type: Document, At: at0(10), Media: &Media{ID: "i3", State: MediaFailed, Name: "planimetria.dwg"}},
	{ID: "206", Side: In, Type: Document, At: at0(11), Media: &Media{ID: "i4", State: MediaRefused, Name: "fattura.pdf.exe"}},
	{ID: "207", Side: In, Type: Contacts, At: at0(12), Cards: []Card{{Name: "Amministratore Condominio", Organisation: "Studio Gatti", Lines: []string{"+39 0541 704704", "studio@gatti.example"}}}},
	{ID: "208", Side: In, Type: ListReply, At: at0(18), Title: "Anagrafe"},
	{ID: "209", Side: In, Type: Unsupported, At: at0(19), Problem: "Il cittadino ha mandato un sondaggio, che WhatsApp non ci consegna. Chiedigli di scriverlo come messaggio.", Raw: "{\n  \"type\": \"unsupported\"\n}"},
	{ID: "231", Side: In, Type: Text, At: at0(19), Text: "C’è una buca in via Po", Edited: at0(20), Earlier: []Version{{At: at0(19), Text: "C’è una busa in via Po"}}},
	{ID: "232", Side: In, Type: Text, At: at0(19), Text: "Ho sbagliato chat", Revoked: at0(20)},
	{ID: "233", Side: In, Type: Order, At: at0(19), Text: "2 × SKU-1 10.5 EUR", Labels: []string{"inoltrato molte volte", "chiede del prodotto SKU-3 del catalogo"}, Advert: &Advert{Title: "Centri estivi", Body: "Iscriviti entro maggio", Address: "https://example.org/estate"}},
	{ID: "234", Side: In, Type: Form, At: at0(19), Text: "ufficio: anagrafe\ngiorno: lunedì"},
	{ID: "210", Side: In, Type: Text, At: at0(19), Text: "نعم، شكرا جزيلا لكم", Doubtful: true},
	{ID: "211", Side: Event, At: at0(20), Text: "Luca ha passato la conversazione all’Ufficio Tributi"},
	{ID: "220", Side: Out, Type: Text, Automatic: true, At: at0(21), Text: "Vuoi ricevere gli avvisi Emergenze del Comune di Rimini?", Taps: &Taps{Kind: TapButtons, Choices: []Tap{{Title: "SÌ"}, {Title: "NO"}}}, Status: Read},
	{ID: "212", Side: Out, Type: Template, Title: "avviso", Author: "Anna Fabbri", At: at0(21), Text: "Buongiorno, le scriviamo per la sua richiesta: la pratica è pronta.", Status: Sent},
	{ID: "213", Side: Out, Type: Text, Author: "Anna Fabbri", At: at0(25), Text: "La chiamo domani mattina.", Status: Failed, Reason: "Il messaggio non si può consegnare: il numero non è su WhatsApp, o l’app è troppo vecchia. Contatta il cittadino per un’altra via.", Resend: true},
	{ID: "214", Side: Out, Type: Text, Author: "Anna Fabbri", At: at0(28), Text: "Può venire allo sportello 4 dalle 9 alle 13.", Status: Uncertain, Resend: true},
	{ID: "215", Side: Out, Type: Text, Author: "Anna Fabbri", At: at0(40), Text: "A domani!", Status: Queued},
}

func extreme() []Message {
	long := strings.Repeat("Il sottoscritto chiede di sapere quando sarà riparata la strada. ", 62)
	return []Message{
		{ID: "301", Side: In, Type: Text, At: at0(1), Text: long},
		{ID: "302", Side: In, Type: Text, At: at0(2), Text: strings.Repeat("Aaaaaaah", 120)},
		{ID: "303", Side: In, Type: Image, At: at0(3), Media: &Media{ID: "tall", State: MediaReady, Width: 600, Height: 2400}},
		{ID: "304", Side: In, Type: Document, At: at0(4), Media: &Media{ID: "x", State: MediaReady, Name: strings.Repeat("documento_molto_lungo_", 9) + ".pdf", Format: "PDF", Bytes: 99_000_000}},
		{ID: "305", Side: Out, Type: Text, Author: "Massimiliano Bartolomeo Quondamatteo della Rovere", At: at0(6), Text: strings.Repeat("Gentile signora, la strada sarà riparata. ", 40), Status: Read},
	}
}

func many() Inbox {
	box := inbox("")
	box.Rows = nil
	for i := range 200 {
		r := rows[i%len(rows)]
		r.ID = fmt.Sprint(1000 + i)
		r.Name = fmt.Sprintf("%s %d", strings.Repeat("Massimiliana ", 1+i%4), i)
		box.Rows = append(box.Rows, r)
	}
	return box
}

func blocked(b Block, th Thread) Thread {
	th.Composer.Block = b
	return th
}

func scenes(ctx context.Context) map[string]templ.Component {
	box := frame(SectionInbox, language(ctx).T("desk.section.inbox"))
	settings := frame(SectionSettings, language(ctx).T("desk.section.settings"))
	one := inbox("1")
	everydayThread, odd, long := thread(everyday...), thread(oddities...), thread(extreme()...)
	everydayThread.Composer.Text = "Di nulla! Se "

	held := thread(everyday...)
	held.Mine, held.Holder, held.Rights = false, "Luca Neri", Rights{Take: true}
	closed := thread(everyday...)
	closed.Closes = time.Time{}
	free := thread(everyday[:5]...)
	free.Mine, free.Holder, free.Kind, free.Rights = false, "", "", Rights{Take: true, Resolve: true}
	free.Composer.NoAutomation = true
	solved := thread(everyday...)
	solved.Resolved, solved.Reason, solved.Rights = true, "Ringraziamento, non serve risposta", Rights{Reopen: true}

	all := map[string]templ.Component{
		"sign-in":         SignInPage(SignIn{Municipality: "Comune di Rimini", Service: "WhatsUrp"}),
		"sign-in-wrong":   SignInPage(SignIn{Municipality: "Comune di Rimini", Service: "WhatsUrp", Email: "anna@comune.rimini.it", Problem: language(ctx).T("error.credentials")}),
		"new-password":    NewPasswordPage(NewPassword{Municipality: "Comune di Rimini", Service: "WhatsUrp", Email: "anna@comune.rimini.it", Least: 12}),
		"inbox":           InboxPage(box, inbox(""), nil, nil),
		"inbox-empty":     InboxPage(box, Inbox{View: ViewOpen}, nil, nil),
		"inbox-many":      InboxPage(box, many(), nil, nil),
		"thread":          InboxPage(box, one, &everydayThread, &maria),
		"thread-odd":      InboxPage(box, one, &odd, &maria),
		"thread-extreme":  InboxPage(box, many(), &long, &maria),
		"thread-held":     InboxPage(box, one, new(blocked(BlockHeld, held)), &maria),
		"thread-closed":   InboxPage(box, one, new(blocked(BlockWindow, closed)), &maria),
		"thread-free":     InboxPage(box, one, &free, &maria),
		"thread-resolved": InboxPage(box, one, new(blocked(BlockSolved, solved)), &maria),
		"thread-role":     InboxPage(box, one, new(blocked(BlockRole, thread(everyday...))), &maria),
		"resolve":         DialogPage(box, ResolveDialog(Resolve{Conversation: "1", Name: "Maria Bianchi"})),
		"hand-over":       DialogPage(box, HandOverDialog(HandOver{Conversation: "1", Offices: []Choice{{ID: "trib", Label: "Ufficio Tributi", Hint: "aperto fino alle 13:00"}, {ID: "str", Label: "Strade e verde"}}, People: []Choice{{ID: "2", Label: "Luca Neri", Hint: "operatore"}, {ID: "3", Label: "Chiara Zanni", Hint: "supervisore"}}})),
		"kind":            DialogPage(box, KindDialog(Kinds{Conversation: "1", Current: "report", Kinds: []Choice{{ID: "information", Label: "Informazione", Key: "i"}, {ID: "report", Label: "Segnalazione", Key: "r"}, {ID: "assistance", Label: "Assistenza", Key: "a"}, {ID: "other", Label: "Altro", Key: "o"}}})),
		"templates":       DialogPage(box, TemplateDialog(Templates{Conversation: "1", Draft: "d", Paused: []string{"promemoria"}, Templates: []TemplateChoice{{Name: "avviso", Language: "it", Category: "UTILITY", Low: true, Body: "Buongiorno, le scriviamo per la sua richiesta: {{1}}", Whole: "Buongiorno, le scriviamo per la sua richiesta: {{1}}\n\nComune di Rimini", Variables: []Variable{{Key: "1", Name: "1"}}}}})),
		"search":          SearchPage(box, Found{Query: "buca", Citizens: []Hit{{Conversation: "1", Name: "Mario Bucaneve", Address: "+39 347 000 1111"}}, Messages: []Hit{{Conversation: "1", Message: "103", Name: "Maria Bianchi", At: at0(20), Parts: []Part{{Text: "C’è una "}, {Text: "buca", Match: true}, {Text: " in via Garibaldi 12, davanti alla scuola"}}}, {Conversation: "2", Message: "3", Name: "Luca Neri", At: ago(50 * time.Hour), Ours: true, Parts: []Part{{Text: "La "}, {Text: "buca", Match: true}, {Text: " è stata chiusa ieri."}}}}, Next: "x"}),
		"search-none":     SearchPage(box, Found{Query: "unicorno"}),
		"preferences":     PreferencesPage(settings, true),
		"staff":           StaffPage(settings, []Member{{Name: "Anna Fabbri", Email: anna.Email, Role: "administrator", LastSeen: now}, {Name: "Luca Neri", Email: "luca.neri@comune.rimini.it", Role: "operator", Offices: []string{"Ufficio Tributi", "URP"}, LastSeen: ago(20 * time.Hour)}, {Name: "Chiara Zanni", Email: "chiara@comune.rimini.it", Role: "supervisor"}, {Name: "Ugo Rossi", Email: "ugo@comune.rimini.it", Role: "auditor", Disabled: true}}),
		"staff-new":       NewMemberPage(settings, NewMember{Name: "Nina", Email: "nina", RoleForm: places, Problem: language(ctx).T("error.staff_email")}),
		"staff-member":    MemberPage(settings, MemberFile{Member: Member{ID: "12", Name: "Nina Quattro", Email: "nina@comune.rimini.it", Role: "operator", Invited: true}, RoleForm: places, Hours: 72, Link: "https://filodiretto.comune.rimini.it/desk/rimini/invitation/mZ3kP0dXq8sT1vY5wLrB7nC2hJ6gF9aE4uKiOoQe0Rt"}),
		"tokens":          TokensPage(settings, Tokens{Made: "Gestionale", Secret: "fd_mZ3kP0dXq8sT1vY5wLrB7nC2hJ6gF9aE4uKiOoQe0Rt", Offices: places.Offices, List: []Token{{ID: "1", Name: "Gestionale", Created: now}, {ID: "2", Name: "Protocollo", Offices: []string{"URP"}, Created: ago(900 * time.Hour), Used: ago(time.Hour), Revoked: now}}}),
		"numbers":         NumbersPage(settings, []Line{{Display: "+39 331 643 2314", Office: "URP", Quality: "GREEN", Month: now, Replies: 812, Allowance: 1000, Costs: []Priced{{Category: "Utilità", Price: "a pagamento", Count: 4120}, {Category: "Risposte libere", Price: "gratuiti", Count: 812}}, Checked: ago(10 * time.Minute)}, {Display: "+39 0541 704704", Quality: "", Month: now, Replies: 12, Stopped: language(ctx).T("graph.token_invalid")}}),
		"quarantine":      QuarantinePage(settings, []HeldBack{{ID: "7311", At: ago(3 * time.Hour), Reason: "Non è JSON", Excerpt: `{"object":"whatsapp_business_account","entry":[{"id":`, Bytes: 2048}}, "next"),
		"quarantine-none": QuarantinePage(settings, nil, ""),
		"log":             NewsPage(settings, []News{{ID: "8001", At: ago(time.Hour), Text: "Meta ha sospeso il modello «avviso» (it): gli avvisi che lo usano sono in pausa", Facts: []NewsFact{{Label: "Motivo", Value: "sospetta truffa"}}, Bad: true, Field: "message_template_status_update", Raw: "{\n  \"event\": \"PAUSED\"\n}"}, {ID: "8000", At: ago(30 * time.Hour), Text: "Meta ha approvato l’account", Field: "account_review_update", Raw: "{}"}}, "next"),
		"log-none":        NewsPage(settings, nil, ""),
		"audit":           AuditPage(settings, []Act{{At: ago(time.Minute), Who: "Anna Fabbri", What: "ha preso la conversazione", On: Subject{Label: "conversazione con Maria Bianchi", Address: "/desk/rimini/conversations/1"}, Seal: 4127}, {At: now, Who: "Luca Neri", What: "è entrato"}}, "", Trail{Verified: true, Rows: 4127}, Kept{Messages: Span{24, "m"}, Media: Span{6, "m"}, Consents: Span{5, "y"}, Ran: ago(time.Hour)}),
		"failure":         FailurePage(&box, Failure{Status: 404, Title: "404", Sentence: language(ctx).T("error.not_found"), Home: "/desk/rimini/inbox"}),
		"failure-out":     FailurePage(nil, Failure{Status: 500, Title: "500", Sentence: language(ctx).T("error.internal", "code", "K3F9"), Code: "K3F9"}),
	}
	maps.Copy(all, listScenes(ctx))
	maps.Copy(all, broadcastScenes(ctx))
	return all
}
