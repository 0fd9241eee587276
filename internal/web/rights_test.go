// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// rule is what an address of the desk promises: who may use it, and what it leaves in the audit trail.
type rule struct {
	may    []staff.Role
	leaves staff.Action // "" leaves nothing
	quiet  string       // why something that writes leaves nothing
	things func(b *browser, m *municipality.Municipality) things
	form   url.Values
}

// things are what an address is about: the id in it, and the words of a citizen that nobody else may see.
type things struct{ id string }

var (
	everybody = staff.Roles()
	converse  = []staff.Role{staff.Operator, staff.Supervisor, staff.Administrator}
	managers  = []staff.Role{staff.Supervisor, staff.Administrator}
	seers     = []staff.Role{staff.Supervisor, staff.Administrator, staff.Auditor}
	admins    = []staff.Role{staff.Administrator}
	auditors  = []staff.Role{staff.Administrator, staff.Auditor}
)

// rules has one for every address under /desk. A new address without a rule fails the tests below.
var rules = map[string]rule{
	"GET /desk/{slug}":              {may: everybody},
	"GET /desk/{slug}/{$}":          {may: everybody},
	"GET /desk/{slug}/preferences":  {may: everybody},
	"POST /desk/{slug}/preferences": {may: everybody, quiet: "how somebody's own pages look", form: url.Values{"language": {"it"}}},
	"GET /desk/{slug}/settings":     {may: everybody},

	"GET /desk/{slug}/events":     {may: converse},
	"GET /desk/{slug}/inbox":      {may: converse},
	"GET /desk/{slug}/inbox/list": {may: converse},
	"GET /desk/{slug}/search":     {may: converse},

	"GET /desk/{slug}/conversations/{id}":              {may: converse, things: chat},
	"GET /desk/{slug}/conversations/{id}/live":         {may: converse, things: chat},
	"GET /desk/{slug}/conversations/{id}/hand-over":    {may: converse, things: chat},
	"GET /desk/{slug}/conversations/{id}/kind":         {may: converse, things: chat},
	"GET /desk/{slug}/conversations/{id}/templates":    {may: converse, things: chat},
	"GET /desk/{slug}/conversations/{id}/place":        {may: converse, things: chat},
	"GET /desk/{slug}/conversations/{id}/offer/{kind}": {may: converse, things: chat},
	"PUT /desk/{slug}/conversations/{id}/draft":        {may: converse, things: chat, quiet: "a draft is nobody's act yet", form: url.Values{"draft": {"d0"}, "mode": {"reply"}, "text": {"bozza"}}},
	"POST /desk/{slug}/conversations/{id}/messages":    {may: converse, things: chat, leaves: "message.queued", form: url.Values{"draft": {"d"}, "mode": {"reply"}, "text": {secretReply}}},
	"POST /desk/{slug}/conversations/{id}/take":        {may: converse, things: chat, leaves: "conversation.taken"},
	"POST /desk/{slug}/conversations/{id}/release":     {may: converse, things: taken, leaves: "conversation.released"},
	"POST /desk/{slug}/conversations/{id}/resolve":     {may: converse, things: chat, leaves: "conversation.resolved", form: url.Values{"reason": {"Doppione di Maria"}}},
	"POST /desk/{slug}/conversations/{id}/reopen":      {may: converse, things: resolved, leaves: "conversation.reopened"},
	"POST /desk/{slug}/conversations/{id}/hand-over":   {may: converse, things: chat, leaves: "conversation.handed_over", form: url.Values{"to": {"office:urp"}, "note": {"Per Maria"}}},
	"POST /desk/{slug}/conversations/{id}/kind":        {may: converse, things: chat, leaves: "conversation.kind_set", form: url.Values{"kind": {"report"}}},

	"POST /desk/{slug}/messages/{id}/resend":   {may: converse, things: failed, leaves: "message.queued"},
	"POST /desk/{slug}/messages/{id}/cancel":   {may: converse, things: queued, leaves: "message.cancelled"},
	"POST /desk/{slug}/messages/{id}/reaction": {may: converse, things: question, leaves: "message.queued", form: url.Values{"emoji": {"🙏"}}},
	"POST /desk/{slug}/citizens/{id}":          {may: converse, things: citizen, leaves: citizenRenamed, form: url.Values{"name": {"Maria Verdi"}, "note": {"Chiamare dopo le 15"}}},
	"GET /desk/{slug}/media/{id}":              {may: converse, things: photoOf},
	"GET /desk/{slug}/media/{id}/thumbnail":    {may: converse, things: photoOf},
	"GET /desk/{slug}/media/{id}/shown":        {may: converse, things: photoOf},
	"GET /desk/{slug}/media/{id}/sound":        {may: converse, things: voiceOf},
	"GET /desk/{slug}/media/{id}/description":  {may: converse, things: photoOf},
	"POST /desk/{slug}/media/{id}/description": {may: converse, things: photoOf, leaves: fileDescribed, form: url.Values{"text": {"La sorella di Maria"}}},

	"GET /desk/{slug}/banners":                        {may: everybody},
	"GET /desk/{slug}/broadcasts":                     {may: seers},
	"GET /desk/{slug}/broadcasts/new":                 {may: managers},
	"POST /desk/{slug}/broadcasts/new":                {may: managers, leaves: broadcast.Created, form: noticeForm},
	"POST /desk/{slug}/broadcasts/preview":            {may: managers, quiet: "shows what would be sent", form: noticeForm},
	"GET /desk/{slug}/broadcasts/{id}":                {may: seers, things: draft},
	"GET /desk/{slug}/broadcasts/{id}/live":           {may: seers, things: draft},
	"GET /desk/{slug}/broadcasts/{id}/edit":           {may: managers, things: draft},
	"POST /desk/{slug}/broadcasts/{id}/edit":          {may: managers, things: draft, leaves: broadcast.Edited, form: noticeForm},
	"GET /desk/{slug}/broadcasts/{id}/confirm/{act}":  {may: managers, things: draft},
	"POST /desk/{slug}/broadcasts/{id}/submit":        {may: managers, things: draft, leaves: broadcast.Submitted},
	"POST /desk/{slug}/broadcasts/{id}/approve":       {may: managers, things: awaiting, leaves: broadcast.Approved},
	"POST /desk/{slug}/broadcasts/{id}/glass":         {may: managers, things: awaiting, leaves: broadcast.Broken, form: url.Values{"reason": {"Il dirigente non risponde"}}},
	"POST /desk/{slug}/broadcasts/{id}/return":        {may: managers, things: awaiting, leaves: broadcast.Returned},
	"POST /desk/{slug}/broadcasts/{id}/pause":         {may: managers, things: going, leaves: broadcast.Stopped},
	"POST /desk/{slug}/broadcasts/{id}/resume":        {may: managers, things: paused, leaves: broadcast.Resumed},
	"POST /desk/{slug}/broadcasts/{id}/cancel":        {may: managers, things: draft, leaves: broadcast.Withdrawn},
	"POST /desk/{slug}/broadcasts/{id}/resend":        {may: managers, things: unheardOf, leaves: broadcast.Resent},
	"GET /desk/{slug}/broadcasts/{id}/recipients":     {may: managers, things: going},
	"GET /desk/{slug}/broadcasts/{id}/recipients.csv": {may: managers, things: going},

	"GET /desk/{slug}/citizens/{id}":              {may: converse, things: citizen},
	"POST /desk/{slug}/citizens/{id}/lists":       {may: converse, things: citizen, leaves: broadcast.ConsentRecorded, form: url.Values{"key": {"k"}, "topic": {"EMERGENZE"}, "reference": {"prot. 4567/2026 di Maria"}}},
	"GET /desk/{slug}/citizens/{id}/consents.csv": {may: converse, things: citizen},

	"POST /desk/{slug}/citizens/{id}/block":   {may: managers, things: blockable, leaves: conversation.CitizenBlocked, form: url.Values{"reason": {"insults"}, "note": {"Segretissimo: insulta Maria"}}},
	"POST /desk/{slug}/citizens/{id}/unblock": {may: managers, things: blocked, leaves: conversation.CitizenUnblocked},
	"GET /desk/{slug}/settings/blocked":       {may: managers},
	"POST /desk/{slug}/settings/blocked":      {may: managers, quiet: "reads from Meta who is blocked"},

	"GET /desk/{slug}/lists":                           {may: managers},
	"GET /desk/{slug}/lists/{keyword}":                 {may: managers},
	"GET /desk/{slug}/lists/{keyword}/subscribers.csv": {may: managers},
	"GET /desk/{slug}/lists/{keyword}/code.svg":        {may: managers},
	"GET /desk/{slug}/figures":                         {may: seers},
	"GET /desk/{slug}/figures/{table}":                 {may: seers},

	"GET /desk/{slug}/settings/staff":               {may: admins},
	"GET /desk/{slug}/settings/staff/new":           {may: admins},
	"POST /desk/{slug}/settings/staff/new":          {may: admins, leaves: staff.MemberAdded, form: url.Values{"name": {"Maria Verdi"}, "email": {"sorella@comune.example"}, "role": {"operator"}}},
	"GET /desk/{slug}/settings/staff/{id}":          {may: admins, things: employee},
	"POST /desk/{slug}/settings/staff/{id}":         {may: admins, things: employee, leaves: staff.RoleChanged, form: url.Values{"role": {"auditor"}}},
	"POST /desk/{slug}/settings/staff/{id}/link":    {may: admins, things: employee, leaves: staff.StaffInvited},
	"POST /desk/{slug}/settings/staff/{id}/disable": {may: admins, things: employee, leaves: staff.StaffDisabled},
	"POST /desk/{slug}/settings/staff/{id}/enable":  {may: admins, things: employee, leaves: staff.StaffEnabled},
	"POST /desk/{slug}/settings/staff/{id}/remove":  {may: admins, things: employee, leaves: staff.MemberRemoved},
	"GET /desk/{slug}/settings/tokens":              {may: admins},
	"POST /desk/{slug}/settings/tokens":             {may: admins, leaves: staff.TokenCreated, form: url.Values{"name": {"Gestionale di Maria"}}},
	"POST /desk/{slug}/settings/tokens/{id}/revoke": {may: admins, things: program, leaves: staff.TokenRevoked},
	"GET /desk/{slug}/settings/numbers":             {may: admins},

	"GET /desk/{slug}/settings/numbers/{id}":                       {may: admins, things: inUseNumber},
	"POST /desk/{slug}/settings/numbers/{id}/pin":                  {may: admins, things: inUseNumber, leaves: pinChanged, form: url.Values{"pin": {"123456"}}},
	"POST /desk/{slug}/settings/numbers/{id}/identity":             {may: admins, things: inUseNumber, leaves: identityCheckChanged, form: url.Values{"on": {"true"}}},
	"POST /desk/{slug}/settings/numbers/{id}/username":             {may: admins, things: inUseNumber, leaves: usernameClaimed, form: url.Values{"username": {"comune.prova"}}},
	"GET /desk/{slug}/settings/numbers/{id}/profile":               {may: admins, things: inUseNumber},
	"POST /desk/{slug}/settings/numbers/{id}/profile":              {may: admins, things: inUseNumber, leaves: profileChanged, form: url.Values{"about": {"Scrivete a Maria"}, "email": {"urp@comune.example"}}},
	"GET /desk/{slug}/settings/numbers/{id}/picture":               {may: admins, things: pictured},
	"POST /desk/{slug}/settings/numbers/{id}/picture":              {may: admins, things: inUseNumber, leaves: pictureChanged, form: url.Values{photoField: {"stemma.jpg"}}},
	"GET /desk/{slug}/settings/numbers/{id}/suggestions":           {may: admins, things: inUseNumber},
	"POST /desk/{slug}/settings/numbers/{id}/suggestions":          {may: admins, things: inUseNumber, leaves: suggestionsChanged, form: url.Values{"prompt": {"Dov’è Maria?"}}},
	"GET /desk/{slug}/settings/numbers/{id}/links":                 {may: admins, things: inUseNumber},
	"POST /desk/{slug}/settings/numbers/{id}/links":                {may: admins, things: inUseNumber, leaves: linkSaved, form: url.Values{"text": {"Vorrei parlare con Maria"}}},
	"GET /desk/{slug}/settings/numbers/{id}/links/{code}/code.svg": {may: admins, things: shortLinked},
	"GET /desk/{slug}/settings/registration":                       {may: admins},
	"POST /desk/{slug}/settings/registration":                      {may: admins, leaves: numberAdded, form: url.Values{"account": {"200001"}, "phone": {"0541 704704"}, "name": {"Comune di Rimini"}}},
	"GET /desk/{slug}/settings/registration/{id}":                  {may: admins, things: added},
	"POST /desk/{slug}/settings/registration/{id}/code":            {may: admins, things: added, leaves: codeRequested, form: url.Values{"method": {"voice"}}},
	"POST /desk/{slug}/settings/registration/{id}/verify":          {may: admins, things: asked, leaves: numberVerified, form: url.Values{"code": {"123-456"}}},
	"POST /desk/{slug}/settings/registration/{id}/register":        {may: admins, things: verified, leaves: numberRegistered, form: url.Values{"pin": {"123456"}}},
	"POST /desk/{slug}/settings/registration/{id}/deregister":      {may: admins, things: verified, leaves: numberDeregistered, form: url.Values{"sure": {"yes"}}},

	"GET /desk/{slug}/settings/quarantine":              {may: admins},
	"POST /desk/{slug}/settings/quarantine/{id}/replay": {may: admins, things: heldBack, leaves: replayAsked},
	"GET /desk/{slug}/settings/log":                     {may: admins},
	"GET /desk/{slug}/settings/audit":                   {may: auditors},
}

// outside are the addresses that need nobody signed in. They show nothing of citizens.
var outside = []string{
	"GET /assets/{name}", "GET /{$}", "/", "/", "GET /{slug}/lists/{token}", "POST /{slug}/lists/{token}", "GET /desk/{slug}/sign-in", "POST /desk/{slug}/sign-in",
	"GET /desk/{slug}/invitation/{token}", "POST /desk/{slug}/invitation/{token}", "POST /desk/{slug}/sign-out",
}

const (
	secretText  = "Segretissimo: mia sorella sta male"
	secretReply = "Risposta riservata alla sorella"
	secretName  = "Maria Bianchi"
)

// Every address is listed with its rule, and every rule is of an address that there is.
func TestEveryAddressHasARule(t *testing.T) {
	members, others := addresses(t)
	for _, pattern := range members {
		if _, ok := rules[pattern]; !ok {
			t.Errorf("%s has no rule: say in rules who may use it", pattern)
		}
	}
	for pattern, r := range rules {
		if !slices.Contains(members, pattern) {
			t.Errorf("%s has a rule and is no address", pattern)
		}
		if writes := !strings.HasPrefix(pattern, "GET "); writes != (r.leaves != "" || r.quiet != "") {
			t.Errorf("%s: what writes leaves a row in the trail, or says why not; what reads leaves none", pattern)
		}
		if strings.Contains(pattern, "{id}") != (r.things != nil) {
			t.Errorf("%s: the rule must make what its id names", pattern)
		}
	}
	slices.Sort(others)
	want := slices.Clone(outside)
	slices.Sort(want)
	if !slices.Equal(others, want) {
		t.Errorf("addresses that need nobody signed in are %q, want %q", others, want)
	}
}

// Each address answers those who may use it and nobody else; each act leaves its row, and none else does.
func TestEveryAddressKeepsItsRule(t *testing.T) {
	each(t, func(d *desk) {
		people := map[staff.Role]*browser{}
		for role, name := range map[staff.Role]string{staff.Operator: "Olga Uno", staff.Supervisor: "Sara Due", staff.Administrator: "Ada Tre", staff.Auditor: "Ugo Quattro"} {
			people[role] = d.signedIn(d.rimini, d.hire(d.rimini, name, role))
		}
		nobody := d.browser(d.rimini)
		for _, pattern := range slices.Sorted(maps.Keys(rules)) {
			r := rules[pattern]
			for _, role := range staff.Roles() {
				d.named(fmt.Sprint(pattern, " by ", role), func(d *desk) {
					b := people[role].of(d)
					if slices.Contains(r.may, role) {
						target := r.target(b, d.rimini, pattern)
						before := d.trail(d.rimini)
						a := b.try(pattern, target, r.form)
						if a.status >= 400 {
							d.Fatalf("answered %d: %s", a.status, a.body)
						}
						d.left(r, d.trail(d.rimini)[len(before):])
						return
					}
					target := r.target(people[staff.Administrator].of(d), d.rimini, pattern)
					before := d.trail(d.rimini)
					d.refused(b.try(pattern, target, r.form), http.StatusForbidden)
					d.left(rule{}, d.trail(d.rimini)[len(before):])
				})
			}
			d.named(pattern+" by nobody", func(d *desk) {
				target := r.target(people[staff.Administrator].of(d), d.rimini, pattern)
				before := d.trail(d.rimini)
				d.refused(nobody.of(d).try(pattern, target, r.form), http.StatusSeeOther, http.StatusUnauthorized)
				d.left(rule{}, d.trail(d.rimini)[len(before):])
			})
		}
		d.impersonal()
	})
}

// What is another municipality's is not there: neither at the own desk under its id, nor at its desk.
func TestNoAddressLeadsToAnotherMunicipality(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
		piera := d.signedIn(d.pistoia, d.hire(d.pistoia, "Piera Verdi", staff.Administrator))
		for _, pattern := range slices.Sorted(maps.Keys(rules)) {
			r := rules[pattern]
			d.named(pattern, func(d *desk) {
				target := r.target(piera.of(d), d.pistoia, pattern)
				ours, theirs := len(d.trail(d.rimini)), len(d.trail(d.pistoia))
				if r.things != nil {
					d.refused(ada.of(d).try(pattern, target, r.form), http.StatusNotFound)
				}
				there := ada.of(d)
				there.slug = d.pistoia.Slug
				d.refused(there.try(pattern, target, r.form), http.StatusForbidden)
				if len(d.trail(d.rimini)) != ours || len(d.trail(d.pistoia)) != theirs {
					d.Error("something was done")
				}
			})
		}
	})
}

// Ids of another municipality in a form are as good as none.
func TestNoFormReachesIntoAnotherMunicipality(t *testing.T) {
	each(t, func(d *desk) {
		piera := d.hire(d.pistoia, "Piera Verdi", staff.Administrator)
		theirs := d.signedIn(d.pistoia, piera)
		ada := d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
		foreign, message := chat(theirs, d.pistoia).id, question(theirs, d.pistoia).id
		for name, form := range map[string]url.Values{
			"hand-over": {"to": {"person:" + db.FormatID(piera.ID)}},
			"messages":  {"draft": {"q"}, "mode": {"reply"}, "text": {"ciao"}, "reply_to": {message}},
		} {
			d.named(name, func(d *desk) {
				own := chat(ada.of(d), d.rimini).id
				before := len(d.trail(d.rimini))
				if a := ada.of(d).post("/conversations/"+own+"/"+name, form, byScript); a.status < 400 {
					d.Errorf("answered %d", a.status)
				}
				if len(d.trail(d.rimini)) != before {
					d.Error("something was done")
				}
			})
		}
		own := question(ada, d.rimini).id
		ada.post("/messages/"+own+"/reaction", url.Values{"emoji": {"🙏"}, "open": {foreign}}, byScript).want(http.StatusNotFound).lacks(secretText)
		contact := citizen(ada, d.rimini).id
		ada.post("/citizens/"+contact, url.Values{"name": {"Maria"}, "open": {foreign}}, byScript).want(http.StatusNotFound).lacks(secretText)
	})
}

// A text of 4,096 characters goes out; of one more it does not, and the draft is still there.
func TestLongestReply(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "👩🏽‍🚒 Zoë 🇮🇹", "393471234567", "Buongiorno")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.get(conversationPath(id, "")).want(http.StatusOK).contains("👩🏽‍🚒 Zoë 🇮🇹")
		send := func(n int) answer {
			text := strings.Repeat("è", n)
			b.ask(http.MethodPut, conversationPath(id, "/draft"), url.Values{"draft": {"d1"}, "mode": {"reply"}, "text": {text}}).want(http.StatusNoContent)
			return b.post(conversationPath(id, "/messages"), url.Values{"draft": {"d1"}, "mode": {"reply"}, "text": {text}}, byScript)
		}
		send(4097).want(http.StatusUnprocessableEntity).contains("alert-item")
		if got := d.outgoing(id); len(got) != 0 {
			t.Errorf("%d replies went out", len(got))
		}
		b.get(conversationPath(id, "")).want(http.StatusOK).contains(strings.Repeat("è", 4097))
		send(4096).want(http.StatusOK)
		if got := d.outgoing(id); len(got) != 1 || got[0] != strings.Repeat("è", 4096) {
			t.Errorf("%d replies went out", len(got))
		}
	})
}

// ---- the things that rules are about, of m, made by b

func employee(b *browser, m *municipality.Municipality) things {
	b.Helper()
	name := "nino" + db.FormatID(b.desk.db.IDs.New()) + " Cinque"
	return things{db.FormatID(b.hire(m, name, staff.Operator).ID)}
}

func program(b *browser, m *municipality.Municipality) (t things) {
	b.Helper()
	b.update(func(ctx context.Context, tx *db.Tx) error {
		_, token, err := staff.CreateToken(ctx, tx, staff.System("test"), m.ID, "gestionale", nil)
		t.id = db.FormatID(token.ID)
		return err
	})
	return t
}

func chat(b *browser, m *municipality.Municipality) things {
	b.Helper()
	phone := "39347" + db.FormatID(int64(1000000+b.desk.db.IDs.New()%8999999))
	return things{db.FormatID(b.writes(m, secretName, phone, secretText))}
}

func taken(b *browser, m *municipality.Municipality) things {
	b.Helper()
	c := chat(b, m)
	b.post("/conversations/"+c.id+"/take", nil).want(http.StatusSeeOther)
	return c
}

func resolved(b *browser, m *municipality.Municipality) things {
	b.Helper()
	c := chat(b, m)
	b.post("/conversations/"+c.id+"/resolve", url.Values{"reason": {"Doppione"}}).want(http.StatusSeeOther)
	return c
}

func queued(b *browser, m *municipality.Municipality) things {
	b.Helper()
	c := chat(b, m)
	b.post("/conversations/"+c.id+"/messages", url.Values{"draft": {"made-" + c.id}, "mode": {"reply"}, "text": {secretReply}}).want(http.StatusSeeOther)
	return things{db.FormatID(b.message(m, c.id, conversation.Out).ID)}
}

func failed(b *browser, m *municipality.Municipality) things {
	b.Helper()
	made := queued(b, m)
	id, _ := db.ParseID(made.id)
	b.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.ApplyStatuses(ctx, tx, m.ID, []conversation.Change{{Number: m.Numbers[0].PhoneNumberID, MessageID: id,
			ExternalID: "wamid." + made.id, Status: conversation.Failed, At: tx.Now(), ErrorCode: 131026}})
		return err
	})
	return made
}

func question(b *browser, m *municipality.Municipality) things {
	b.Helper()
	return things{db.FormatID(b.message(m, chat(b, m).id, conversation.In).ID)}
}

func citizen(b *browser, m *municipality.Municipality) things {
	b.Helper()
	return things{db.FormatID(b.message(m, chat(b, m).id, conversation.In).ContactID)}
}

func photoOf(b *browser, m *municipality.Municipality) things {
	b.Helper()
	c := chat(b, m)
	b.upload("/conversations/"+c.id+"/messages", map[string]string{"draft": "made-" + c.id, "mode": "reply"}, map[string][]byte{"foto.jpg": photo(b.T)}).want(http.StatusOK)
	return things{db.FormatID(b.message(m, c.id, conversation.Out).MediaID)}
}

func voiceOf(b *browser, m *municipality.Municipality) things {
	b.Helper()
	c := chat(b, m)
	b.upload("/conversations/"+c.id+"/messages", map[string]string{"draft": "made-" + c.id, "mode": "reply"}, map[string][]byte{"nota.ogg": voiceNote(b.T)}).want(http.StatusOK)
	return things{db.FormatID(b.message(m, c.id, conversation.Out).MediaID)}
}

// heldBack is something in quarantine.
func heldBack(b *browser, m *municipality.Municipality) things {
	b.Helper()
	j := b.pages.Journal
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() {
		j.Run(ctx)
		close(ended)
	}()
	err := j.Append(ctx, m.ID, []byte(secretText))
	stop()
	<-ended
	if err != nil {
		b.Fatal(err)
	}
	_, err = j.Process(b.Context(), 100, func(_ context.Context, _ *db.Tx, entries []journal.Entry) (bad []journal.Bad, err error) {
		for _, e := range entries {
			bad = append(bad, journal.Bad{Municipality: e.Municipality, Entry: e.ID, Reason: "not_a_webhook", Detail: "It is no JSON.", Body: e.Body})
		}
		return bad, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	var id int64
	b.update(func(ctx context.Context, tx *db.Tx) error {
		items, err := journal.Unsolved(ctx, tx, m.ID, 0, 1)
		if err == nil {
			id = items[0].ID
		}
		return err
	})
	return things{db.FormatID(id)}
}

// message is the latest one of a conversation in a direction.
func (b *browser) message(m *municipality.Municipality, conversationID string, direction conversation.Direction) (found conversation.Message) {
	b.Helper()
	id, _ := db.ParseID(conversationID)
	b.update(func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, m.ID, id)
		if err != nil {
			return err
		}
		list, _, err := conversation.Messages(ctx, tx, m.ID, c, conversation.Position{}, 100)
		for _, message := range list {
			if message.Direction == direction {
				found = message
			}
		}
		return err
	})
	if found.ID == 0 {
		b.Fatalf("the conversation has no message %s", direction)
	}
	return found
}

// target is the path of an address below its desk, about things made by b.
func (r rule) target(b *browser, m *municipality.Municipality, pattern string) string {
	b.Helper()
	_, path, _ := strings.Cut(pattern, " ")
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/desk/{slug}"), "{$}")
	if r.things != nil {
		path = strings.Replace(strings.Replace(path, "{id}/links/{code}", "{id}", 1), "{id}", r.things(b, m).id, 1)
	}
	return strings.NewReplacer("{act}", "submit", "{kind}", "buttons", "{keyword}", "EMERGENZE", "{table}", "movements.csv").Replace(path)
}

// try asks as a pattern says. Of a stream only the beginning is waited for.
func (b *browser) try(pattern, target string, form url.Values) answer {
	b.Helper()
	method, _, _ := strings.Cut(pattern, " ")
	if name := form.Get(photoField); name != "" {
		return b.upload(target, nil, map[string][]byte{name: photo(b.T)})
	}
	if !strings.HasSuffix(pattern, "/events") {
		return b.ask(method, target, form)
	}
	ctx, leave := context.WithCancel(b.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, method, b.server.URL+"/desk/"+b.slug+target, nil)
	if err != nil {
		b.Fatal(err)
	}
	w, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	var body []byte
	if w.StatusCode != http.StatusOK {
		body, _ = io.ReadAll(w.Body) // an answer that ends early is looked at as far as it goes
	}
	return answer{T: b.T, status: w.StatusCode, header: w.Header, body: string(body), log: b.log}
}

// named runs f as a subtest over the same desk.
func (d *desk) named(name string, f func(d *desk)) {
	d.Helper()
	outer := d.T
	outer.Run(name, func(t *testing.T) {
		inner := *d
		inner.T = t
		f(&inner)
	})
}

// of is b within the test of d.
func (b *browser) of(d *desk) *browser { return &browser{desk: d, client: b.client, slug: b.slug} }

// refused fails unless the answer has one of the statuses and shows nothing of the citizen.
func (d *desk) refused(a answer, statuses ...int) {
	d.Helper()
	if !slices.Contains(statuses, a.status) {
		d.Errorf("answered %d, want %d: %s", a.status, statuses, a.body)
	}
	a.wanted = true
	a.lacks(secretName, secretText, secretReply)
}

// trace is one row of the audit trail, with all that it holds.
type trace struct{ action, all string }

func (d *desk) trail(m *municipality.Municipality) (rows []trace) {
	d.Helper()
	err := d.db.View(d.Context(), func(ctx context.Context, tx *db.Tx) error {
		list, err := tx.QueryContext(ctx, `SELECT action, actor_kind, actor_name, object_kind, object_id, CAST(detail AS text)
			FROM audit WHERE municipality_id = $1 ORDER BY audit_id`, m.ID)
		if err != nil {
			return err
		}
		defer list.Close()
		for list.Next() {
			var action, kind, name, object, id, detail string
			if err := list.Scan(&action, &kind, &name, &object, &id, &detail); err != nil {
				return err
			}
			rows = append(rows, trace{action, strings.Join([]string{action, kind, name, object, id, detail}, " ")})
		}
		return list.Err()
	})
	if err != nil {
		d.Fatal(err)
	}
	return rows
}

// left fails unless the rows are those of the rule.
func (d *desk) left(r rule, rows []trace) {
	d.Helper()
	found := slices.ContainsFunc(rows, func(w trace) bool { return w.action == string(r.leaves) })
	if found != (r.leaves != "") || r.leaves == "" && len(rows) > 0 {
		d.Errorf("the trail has %v, want %q", rows, cmp.Or(string(r.leaves), "nothing"))
	}
}

// ofAPerson finds the names, telephones and words of this test's people. Names are whole words: the trail also holds
// hashes, and among their letters is an "ada" now and then.
var ofAPerson = regexp.MustCompile(`(?i)\b(maria|bianchi|verdi|olga|sara|ada)\b|39347\d{7}|segret|sorella|@|doppione|chiamare`)

// impersonal fails where the trail holds anything of a person, or is not whole once sealed.
func (d *desk) impersonal() {
	d.Helper()
	rows := d.trail(d.rimini)
	for _, w := range rows {
		if personal := ofAPerson.FindString(w.all); personal != "" {
			d.Errorf("the trail says %q: %s", personal, w.all)
		}
	}
	if _, err := staff.Seal(d.Context(), d.db); err != nil {
		d.Fatal(err)
	}
	d.update(func(ctx context.Context, tx *db.Tx) error {
		count, broken, err := staff.VerifyAudit(ctx, tx, d.rimini.ID)
		if count != len(rows) || broken != nil {
			d.Errorf("%d of %d rows are as they were written", count, len(rows))
		}
		return err
	})
}

// addresses are the patterns of routes.go: those for members of a desk, and the others.
func addresses(t *testing.T) (members, others []string) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), "routes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if len(n.Names) == 1 && len(n.Values) == 1 {
				if text, ok := textOf(n.Values[0], constants); ok {
					constants[n.Names[0].Name] = text
				}
			}
		case *ast.CallExpr:
			into := &others
			switch called(n) {
			case "member":
				into = &members
			case "outside", "mux.Handle", "mux.HandleFunc":
			default:
				return true
			}
			if name, ok := n.Args[0].(*ast.Ident); ok && name.Name == "pattern" {
				return true // inside of member and outside themselves
			}
			text, ok := textOf(n.Args[0], constants)
			if !ok {
				t.Fatal("routes.go has a pattern that this test can't read")
			}
			*into = append(*into, text)
		}
		return true
	})
	if len(members) == 0 || len(others) == 0 {
		t.Fatal("no address found: the test looks in the wrong place")
	}
	return members, others
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if of, ok := f.X.(*ast.Ident); ok {
			return of.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// textOf is a string made of literals and constants.
func textOf(e ast.Expr, constants map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.Ident:
		text, ok := constants[e.Name]
		return text, ok
	case *ast.BinaryExpr:
		left, ok := textOf(e.X, constants)
		right, also := textOf(e.Y, constants)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}
