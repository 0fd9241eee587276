// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

var account = whatsapp.Account{PhoneNumberID: "100000000000001", WABAID: "200000000000001", Token: "simulator"}

// meta is a simulator and a client of it.
type meta struct {
	*testing.T
	url string
	*whatsapp.Client
}

func simulate(t *testing.T, accounts ...simulator.Account) *meta {
	t.Helper()
	s, err := simulator.New(simulator.Options{Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	client := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: web.URL})
	t.Cleanup(func() {
		client.CloseIdle()
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &meta{t, web.URL, client}
}

// done fails the test on an error.
func (m *meta) done(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// control asks something of the simulator itself.
func (m *meta) control(path string, body any) {
	m.Helper()
	encoded, err := json.Marshal(body)
	m.done(err)
	resp, err := http.Post(m.url+"/simulator/"+path, "application/json", bytes.NewReader(encoded))
	m.done(err)
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		answer, _ := io.ReadAll(resp.Body)
		m.Fatalf("%s answered %d: %s", path, resp.StatusCode, answer)
	}
}

// writes makes a citizen write to the number.
func (m *meta) writes(phone string) {
	m.Helper()
	m.control("citizens/"+phone+"/messages", map[string]string{"text": "Buongiorno"})
}

// userID is a citizen's, as the account knows them.
func (m *meta) userID(phone string) string {
	m.Helper()
	resp, err := http.Get(m.url + "/simulator/citizens/" + phone)
	m.done(err)
	defer resp.Body.Close()
	var citizen struct {
		UserID string `json:"user_id"`
	}
	m.done(json.NewDecoder(resp.Body).Decode(&citizen))
	return citizen.UserID
}

// refused fails unless err is a Graph error of the code.
func (m *meta) refused(err error, code int) {
	m.Helper()
	e, ok := errors.AsType[*whatsapp.GraphError](err)
	if !ok || e.Code != code {
		m.Errorf("got %v, want Graph error %d", err, code)
	}
}

func TestBusinessProfile(t *testing.T) {
	m := simulate(t)
	want := whatsapp.BusinessProfile{About: "Sportello del Comune", Address: "Corso d’Augusto 154", Description: "Rispondiamo negli orari d’ufficio",
		Email: "urp@comune.example", Websites: []string{"https://www.comune.example"}, Vertical: whatsapp.Government}
	m.done(m.SetBusinessProfile(t.Context(), account, want))
	got, err := m.BusinessProfile(t.Context(), account)
	m.done(err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	want.Websites, want.Email = nil, ""
	m.done(m.SetBusinessProfile(t.Context(), account, want))
	if got, _ = m.BusinessProfile(t.Context(), account); len(got.Websites) > 0 || got.Email != "" {
		t.Errorf("what was emptied is %+v", got)
	}
}

func TestProfileProblems(t *testing.T) {
	long := strings.Repeat("è", 600)
	for _, c := range []struct {
		change     func(p *whatsapp.BusinessProfile)
		field, why string
	}{
		{func(p *whatsapp.BusinessProfile) {}, "", ""},
		{func(p *whatsapp.BusinessProfile) { p.About = strings.Repeat("è", 139) }, "", ""},
		{func(p *whatsapp.BusinessProfile) { p.About = long[:280] }, "about", "long"},
		{func(p *whatsapp.BusinessProfile) { p.About = "" }, "about", "required"},
		{func(p *whatsapp.BusinessProfile) { p.Address = long }, "address", "long"},
		{func(p *whatsapp.BusinessProfile) { p.Description = long }, "description", "long"},
		{func(p *whatsapp.BusinessProfile) { p.Email = "urp" }, "email", "invalid"},
		{func(p *whatsapp.BusinessProfile) { p.Email = "URP <urp@comune.example>" }, "email", "invalid"},
		{func(p *whatsapp.BusinessProfile) { p.Websites = []string{"www.comune.example"} }, "websites", "invalid"},
		{func(p *whatsapp.BusinessProfile) { p.Websites = []string{"javascript:alert(1)"} }, "websites", "invalid"},
		{func(p *whatsapp.BusinessProfile) {
			p.Websites = []string{"https://a.it", "https://b.it", "https://c.it"}
		}, "websites", "long"},
	} {
		p := whatsapp.BusinessProfile{About: "Sportello", Email: "urp@comune.example", Websites: []string{"https://comune.example"}}
		c.change(&p)
		if field, why := p.Problem(); field != c.field || why != c.why {
			t.Errorf("%+v: got %q %q, want %q %q", p, field, why, c.field, c.why)
		}
	}
}

func TestPictureByResumableUpload(t *testing.T) {
	m := simulate(t)
	picture := image.NewNRGBA(image.Rect(0, 0, 640, 640))
	picture.Set(1, 1, color.White)
	var file bytes.Buffer
	m.done(png.Encode(&file, picture))
	handle, err := m.Upload(t.Context(), account, "stemma.png", "image/png", int64(file.Len()), bytes.NewReader(file.Bytes()))
	m.done(err)
	if !strings.HasPrefix(handle, "4::") {
		t.Errorf("handle %q", handle)
	}
	m.done(m.SetProfilePicture(t.Context(), account, handle))
	p, err := m.BusinessProfile(t.Context(), account)
	m.done(err)
	var back bytes.Buffer
	if _, err := m.DownloadMedia(t.Context(), account, p.Picture, &back, 1<<20); err != nil || !bytes.Equal(back.Bytes(), file.Bytes()) {
		t.Errorf("%d of %d bytes came back, error %v", back.Len(), file.Len(), err)
	}
	m.refused(m.SetProfilePicture(t.Context(), account, "4::none"), 100)
	_, err = m.Upload(t.Context(), account, "falso.png", "image/png", 5, strings.NewReader("falso"))
	m.refused(err, 100)
	_, err = m.Upload(t.Context(), whatsapp.Account{Token: "nobody"}, "x.png", "image/png", 5, strings.NewReader("falso"))
	m.refused(err, 190)
}

// What Meta calls a session is never followed to another host, nor out of the Graph API.
func TestUploadSessionStaysBelowTheGraphAPI(t *testing.T) {
	var asked []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.EscapedPath())
		if strings.HasSuffix(r.URL.Path, "/app") {
			io.WriteString(w, `{"id":"300"}`)
			return
		}
		io.WriteString(w, `{"id":"https://evil.example/upload:1"}`)
	}))
	defer web.Close()
	c := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: web.URL})
	defer c.CloseIdle()
	if _, err := c.Upload(t.Context(), account, "x.png", "image/png", 1, strings.NewReader("x")); err == nil {
		t.Error("a session elsewhere was taken")
	}
	if want := []string{"/v26.0/app", "/v26.0/300/uploads"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestRegistrationOfANumber(t *testing.T) {
	m := simulate(t)
	ctx := t.Context()
	id, err := m.AddNumber(ctx, account, "39", "0573123456", "Comune di Pistoia")
	m.done(err)
	landline := whatsapp.Account{PhoneNumberID: id, WABAID: account.WABAID, Token: account.Token}
	m.refused(m.Register(ctx, landline, "123456"), 133006)
	m.done(m.RequestCode(ctx, landline, whatsapp.ByVoice, "it"))
	m.refused(m.VerifyCode(ctx, landline, "000000"), 136024)
	m.done(m.VerifyCode(ctx, landline, "123-456"))
	if r, err := m.PhoneNumber(ctx, landline); err != nil || !r.Verified() || r.Connected() || r.PIN {
		t.Errorf("verified: %+v, error %v", r, err)
	}
	m.done(m.StoreIn(ctx, landline, "DE"))
	m.done(m.Register(ctx, landline, "123456"))
	r, err := m.PhoneNumber(ctx, landline)
	if err != nil || !r.Connected() || !r.PIN || r.DisplayPhone != "+39 0573 123456" || r.VerifiedName != "Comune di Pistoia" {
		t.Errorf("connected: %+v, error %v", r, err)
	}
	if s, err := m.NumberSettings(ctx, landline); err != nil || !s.LocalStorage() || s.StorageRegion != "DE" {
		t.Errorf("settings %+v, error %v", s, err)
	}
	m.done(m.SetPIN(ctx, landline, "654321"))
	m.done(m.Deregister(ctx, landline))
	m.refused(m.Register(ctx, landline, "123456"), 133005)
	m.done(m.Register(ctx, landline, "654321"))
	numbers, err := m.Numbers(ctx, account)
	if err != nil || len(numbers) != 2 || !slices.ContainsFunc(numbers, func(n whatsapp.PhoneNumber) bool { return n.ID == id && n.Connected() }) {
		t.Errorf("numbers %+v, error %v", numbers, err)
	}
	_, err = m.AddNumber(ctx, account, "39", "0573123456", "Comune di Pistoia")
	m.refused(err, 100)
}

func TestNumberSettings(t *testing.T) {
	m := simulate(t)
	if s, err := m.NumberSettings(t.Context(), account); err != nil || s.LocalStorage() || s.IdentityCheck {
		t.Errorf("at first %+v, error %v", s, err)
	}
	m.done(m.SetIdentityCheck(t.Context(), account, true))
	if s, err := m.NumberSettings(t.Context(), account); err != nil || !s.IdentityCheck {
		t.Errorf("then %+v, error %v", s, err)
	}
}

func TestSuggestions(t *testing.T) {
	m := simulate(t)
	want := whatsapp.Suggestions{Prompts: []string{"ISCRIZIONE ON EMERGENZE"}, Commands: []whatsapp.Command{{Name: "liste", Hint: "Le sue iscrizioni"}}}
	m.done(m.SetSuggestions(t.Context(), account, want))
	if got, err := m.Suggestions(t.Context(), account); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v", got, err)
	}
	m.done(m.SetSuggestions(t.Context(), account, whatsapp.Suggestions{}))
	if got, err := m.Suggestions(t.Context(), account); err != nil || len(got.Prompts)+len(got.Commands) > 0 {
		t.Errorf("emptied %+v, error %v", got, err)
	}
	for _, c := range []struct {
		s    whatsapp.Suggestions
		what string
	}{
		{whatsapp.Suggestions{Prompts: make([]string, 5)}, "prompts"},
		{whatsapp.Suggestions{Prompts: []string{strings.Repeat("è", 81)}}, "prompt"},
		{whatsapp.Suggestions{Prompts: []string{"Aiuto 🚒"}}, "prompt"},
		{whatsapp.Suggestions{Commands: make([]whatsapp.Command, 31)}, "commands"},
		{whatsapp.Suggestions{Commands: []whatsapp.Command{{Name: "le liste", Hint: "x"}}}, "command"},
		{whatsapp.Suggestions{Commands: []whatsapp.Command{{Name: "liste", Hint: "x"}, {Name: "liste", Hint: "y"}}}, "command"},
		{whatsapp.Suggestions{Commands: []whatsapp.Command{{Name: "liste"}}}, "hint"},
	} {
		if what, _ := c.s.Problem(); what != c.what {
			t.Errorf("%+v: got %q, want %q", c.s, what, c.what)
		}
	}
}

func TestUsername(t *testing.T) {
	m := simulate(t, simulator.Account{WABA: "77", PhoneNumberID: "78", DisplayNumber: "+39 0573 371500", VerifiedName: "Comune di Pistoia", Token: "pistoia"})
	if u, err := m.Username(t.Context(), account); err != nil || u.Name != "" {
		t.Errorf("at first %+v, error %v", u, err)
	}
	names, err := m.UsernameSuggestions(t.Context(), account)
	if err != nil || !slices.Contains(names, "comune.di.prova") {
		t.Errorf("suggested %q, error %v", names, err)
	}
	m.done(m.SetUsername(t.Context(), account, "comune.di.prova"))
	if u, err := m.Username(t.Context(), account); err != nil || u.Name != "comune.di.prova" {
		t.Errorf("then %+v, error %v", u, err)
	}
	m.refused(m.SetUsername(t.Context(), whatsapp.Account{PhoneNumberID: "78", WABAID: "77", Token: "pistoia"}, "comune.di.prova"), 147001)
	m.done(m.DeleteUsername(t.Context(), account))
	if u, _ := m.Username(t.Context(), account); u.Name != "" {
		t.Errorf("after giving it up %+v", u)
	}
	for name, want := range map[string]string{"comune.rimini": "", "ab": "short", strings.Repeat("a", 36): "long", "Comune": "letters", "123": "letters",
		".comune": "shape", "comune.": "shape", "comune..rimini": "shape", "www.comune": "shape", "comune.it": "shape"} {
		if got := whatsapp.UsernameProblem(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	m := simulate(t)
	made, err := m.SaveLink(t.Context(), account, "", "ISCRIZIONE ON EMERGENZE")
	if err != nil || made.Code == "" || !strings.HasSuffix(made.Address, "/"+made.Code) {
		t.Fatalf("made %+v, error %v", made, err)
	}
	if _, err := m.SaveLink(t.Context(), account, made.Code, "ISCRIZIONE ON SCUOLE"); err != nil {
		t.Error(err)
	}
	links, err := m.Links(t.Context(), account)
	if err != nil || len(links) != 1 || links[0].Text != "ISCRIZIONE ON SCUOLE" || links[0].Code != made.Code {
		t.Errorf("links %+v, error %v", links, err)
	}
	m.done(m.DeleteLink(t.Context(), account, made.Code))
	m.refused(m.DeleteLink(t.Context(), account, made.Code), 100)
	if _, err := m.SaveLink(t.Context(), account, "", strings.Repeat("è", 141)); err == nil {
		t.Error("a text of 141 characters was sent")
	}
}

func TestBlockingCitizens(t *testing.T) {
	m := simulate(t)
	maria := whatsapp.Person{Phone: "+393471234567"}
	err := m.Block(t.Context(), account, maria)
	if e, ok := errors.AsType[whatsapp.BlockError](err); !ok || e.Code != 131047 {
		t.Errorf("who has not written: %v", err)
	}
	m.writes(maria.Phone)
	m.done(m.Block(t.Context(), account, maria))
	people, err := m.Blocked(t.Context(), account)
	if err != nil || len(people) != 1 || people[0].Phone != maria.Phone || people[0].UserID == "" {
		t.Errorf("blocked %+v, error %v", people, err)
	}
	m.refused(m.Block(t.Context(), account, whatsapp.Person{UserID: "IT.ENT.1A2B"}), 100)
	m.done(m.Unblock(t.Context(), account, whatsapp.Person{UserID: people[0].UserID}))
	if people, _ := m.Blocked(t.Context(), account); len(people) > 0 {
		t.Errorf("still blocked %+v", people)
	}
}

// A mixed result is HTTP 400 with what was done beside the error.
func TestBlockedBesideAnError(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"messaging_product":"whatsapp","block_users":{"added_users":[{"input":"+39347"}],"failed_users":[]},"error":{"code":139100}}`)
	}))
	defer web.Close()
	c := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: web.URL})
	defer c.CloseIdle()
	if err := c.Block(t.Context(), account, whatsapp.Person{Phone: "+39347"}); err != nil {
		t.Error(err)
	}
}

func TestBlockListOfManyPages(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") == "" {
			io.WriteString(w, `{"data":[{"wa_id":"391"},{"user_id":"IT.A"}],"paging":{"cursors":{"after":"x"},"next":"https://evil.example"}}`)
			return
		}
		io.WriteString(w, `{"data":[{"block_users":[{"wa_id":"392","user_id":"IT.B"}]}],"paging":{"cursors":{"after":"y"}}}`)
	}))
	defer web.Close()
	c := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: web.URL})
	defer c.CloseIdle()
	got, err := c.Blocked(t.Context(), account)
	if want := []whatsapp.Person{{Phone: "+391"}, {UserID: "IT.A"}, {Phone: "+392", UserID: "IT.B"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, error %v", got, err)
	}
}

func TestForgetContact(t *testing.T) {
	m := simulate(t)
	m.writes("+393471234567")
	m.done(m.ForgetContact(t.Context(), account, m.userID("+393471234567")))
	m.done(m.ForgetContact(t.Context(), account, "IT.1A2B3C")) // nobody: not in the book either
	m.refused(m.ForgetContact(t.Context(), account, ""), 100)
}
