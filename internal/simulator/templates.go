// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Template is a message approved beforehand, in one language.
// Source: templates overview and components of Meta's documentation.
type Template struct {
	ID              string          `json:"id,omitempty"`
	Name            string          `json:"name"`
	Language        string          `json:"language"`
	Category        string          `json:"category"`                   // UTILITY, MARKETING or AUTHENTICATION
	Status          string          `json:"status,omitempty"`           // APPROVED unless set
	ParameterFormat string          `json:"parameter_format,omitempty"` // POSITIONAL (default) or NAMED
	Components      json.RawMessage `json:"components"`
	TTL             int             `json:"message_send_ttl_seconds,omitempty"`
}

// template is a Template with its history; its account's lock guards it.
type template struct {
	Template
	PreviousCategory string    `json:"previous_category,omitempty"`
	RejectedReason   string    `json:"rejected_reason,omitempty"`
	Quality          string    `json:"quality,omitempty"`
	Pauses           int       `json:"pauses,omitempty"` // for its quality
	PausedUntil      time.Time `json:"paused_until,omitzero"`
	NextCategory     string    `json:"next_category,omitempty"` // announced for NextCategoryAt
	NextCategoryAt   time.Time `json:"next_category_at,omitzero"`
	Edits            []int64   `json:"edits,omitempty"` // unix seconds, last 30 days
	Created          time.Time `json:"created"`

	parts []templateComponent // Components, read once
}

type templateComponent struct {
	Type    string           `json:"type"`
	Format  string           `json:"format"`
	Text    string           `json:"text"`
	Buttons []templateButton `json:"buttons"`
	Example json.RawMessage  `json:"example"`

	vars []string
}

type templateButton struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	URL   string `json:"url"`
	Phone string `json:"phone_number"`

	vars []string
}

// startingTemplates are in every account.
func startingTemplates() []Template {
	return []Template{
		{Name: "hello_world", Language: "en_US", Category: "UTILITY", Components: json.RawMessage(
			`[{"type":"HEADER","format":"TEXT","text":"Hello World"},{"type":"BODY","text":"Welcome and congratulations. This message shows that your desk can send through WhatsApp."},{"type":"FOOTER","text":"Sent by the simulator"}]`)},
		{Name: "avviso", Language: "it", Category: "UTILITY", Components: json.RawMessage(
			`[{"type":"BODY","text":"Avviso del Comune: {{1}}. Per informazioni risponda a questo messaggio.","example":{"body_text":[["chiusura di via Garibaldi fino alle 18"]]}}]`)},
	}
}

var variable = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\s*\}\}`)

func variables(text string) []string {
	var names []string
	for _, match := range variable.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, match[1]) {
			names = append(names, match[1])
		}
	}
	return names
}

// prepare reads the components once, so that a send does not.
func (t *template) prepare() error {
	if err := json.Unmarshal(t.Components, &t.parts); err != nil {
		return fmt.Errorf("read components of template %s: %w", t.Name, err)
	}
	for i := range t.parts {
		part := &t.parts[i]
		part.Type, part.Format = strings.ToUpper(part.Type), strings.ToUpper(part.Format)
		if part.Type == "BODY" && t.Category == "AUTHENTICATION" && part.Text == "" {
			part.Text = "{{1}} is your verification code."
		}
		part.vars = variables(part.Text)
		for j := range part.Buttons {
			part.Buttons[j].Type = strings.ToUpper(part.Buttons[j].Type)
			part.Buttons[j].vars = variables(part.Buttons[j].URL)
		}
	}
	return nil
}

func (t *template) part(kind string) *templateComponent {
	for i := range t.parts {
		if t.parts[i].Type == kind {
			return &t.parts[i]
		}
	}
	return nil
}

func (t *template) buttons() []templateButton {
	if part := t.part("BUTTONS"); part != nil {
		return part.Buttons
	}
	return nil
}

func (t *template) named() bool { return t.ParameterFormat == "NAMED" }

// ensureTemplate adds a template unless the account has it already.
func (s *Server) ensureTemplate(a *account, spec Template) error {
	t := &template{Template: spec, Quality: "UNKNOWN", Created: s.clock.Now()}
	t.ID = cmp.Or(t.ID, s.dice.id("template"))
	t.Status = cmp.Or(t.Status, "APPROVED")
	t.ParameterFormat = cmp.Or(t.ParameterFormat, "POSITIONAL")
	if err := t.prepare(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.findTemplate(t.Name, t.Language) == nil {
		a.templates[t.ID] = t
		s.templates.put(t.ID, a)
	}
	return nil
}

// findTemplate looks a template up; a must be locked.
func (a *account) findTemplate(name, language string) *template {
	for _, t := range a.templates {
		if t.Name == name && t.Language == language && t.Status != "DELETED" {
			return t
		}
	}
	return nil
}

var (
	templateName  = regexp.MustCompile(`^[a-z0-9_]{1,512}$`)
	languageCode  = regexp.MustCompile(`^[a-z]{2,3}(_[A-Z]{2,3})?$`)
	positional    = regexp.MustCompile(`^[1-9][0-9]*$`)
	sideBySide    = regexp.MustCompile(`\}\}\s*\{\{`)
	namedVariable = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	categories    = []string{"UTILITY", "MARKETING", "AUTHENTICATION"}
)

// createTemplate is POST /{waba_id}/message_templates: the template waits for its review.
func (s *Server) createTemplate(a *account, body []byte) (any, *graphError) {
	var spec Template
	if err := json.Unmarshal(body, &spec); err != nil {
		return nil, badJSON(err)
	}
	spec.ID, spec.Status = s.dice.id("template"), "PENDING"
	spec.Category = strings.ToUpper(spec.Category)
	spec.ParameterFormat = cmp.Or(strings.ToUpper(spec.ParameterFormat), "POSITIONAL")
	t := &template{Template: spec, Quality: "UNKNOWN", Created: s.clock.Now()}
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := s.storeTemplate(a, t); err != nil {
		return nil, err
	}
	s.review(a, t) // which may decide at once: from here on t is read under the account's lock only
	return map[string]any{"id": spec.ID, "status": spec.Status, "category": spec.Category}, nil
}

// postTemplates is POST /{waba_id}/message_templates, and its /archive and /unarchive.
func (s *Server) postTemplates(g *graphRequest, a *account) (any, *graphError) {
	from, to := "APPROVED", "ARCHIVED"
	switch g.rest {
	case "":
		return s.createTemplate(a, g.body)
	case "archive":
	case "unarchive":
		from, to = to, from
	default:
		return nil, unsupported(g)
	}
	var in struct {
		IDs string `json:"hsm_ids"`
	}
	if err := json.Unmarshal(g.body, &in); err != nil {
		return nil, badJSON(err)
	}
	return s.moveTemplates(a, strings.Split(in.IDs, ","), from, to)
}

// moveTemplates brings templates from one status to another, all of them or none.
func (s *Server) moveTemplates(a *account, ids []string, from, to string) (any, *graphError) {
	a.mu.Lock()
	for _, id := range ids {
		if t := a.templates[id]; t == nil || t.Status != from {
			a.mu.Unlock()
			return nil, refuse(100, "Template %s is not %s.", id, from)
		}
	}
	var updates []update
	for _, id := range ids {
		changed := *a.templates[id] // a send may be reading it
		changed.Status = to
		a.templates[id] = &changed
		updates = append(updates, s.templateUpdate(&changed))
	}
	a.mu.Unlock()
	a.hooks.add(updates...)
	s.saver.touch()
	return success, nil
}

func (s *Server) storeTemplate(a *account, t *template) *graphError {
	now := s.clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state.Creations = slices.DeleteFunc(a.state.Creations, func(at int64) bool { return now.Unix()-at > 3600 })
	switch {
	case len(a.state.Creations) >= 100:
		return refuse(80007, "More than 100 templates were created in an hour.")
	case a.findTemplate(t.Name, t.Language) != nil:
		return &graphError{Code: 100, Subcode: 2388024, Details: "Content in this language already exists: there is already a template named " + t.Name + " in " + t.Language + "."}
	case len(a.templates) >= 250:
		return refuse(2388019, "The account has reached its limit of 250 templates.")
	}
	a.state.Creations = append(a.state.Creations, now.Unix())
	a.templates[t.ID] = t
	s.templates.put(t.ID, a)
	s.saver.touch()
	return nil
}

// check holds a new template against Meta's rules and prepares it.
func (t *template) check() *graphError {
	switch {
	case !templateName.MatchString(t.Name):
		return refuse(100, "Param name must have 1 to 512 lowercase letters, digits or underscores.")
	case !languageCode.MatchString(t.Language):
		return refuse(100, "Param language %q is not a language code like it or en_US.", t.Language)
	case !slices.Contains(categories, t.Category):
		return refuse(100, "Param category must be one of {UTILITY, MARKETING, AUTHENTICATION}.")
	case t.ParameterFormat != "POSITIONAL" && t.ParameterFormat != "NAMED":
		return refuse(100, "Param parameter_format must be POSITIONAL or NAMED.")
	case len(t.Components) == 0:
		return refuse(100, "The parameter components is required.")
	case t.TTL != 0 && !t.ttlAllowed():
		return refuse(100, "Param message_send_ttl_seconds must be 30 to 900 for authentication, 30 to 43200 for utility, or -1.")
	}
	if err := t.prepare(); err != nil {
		return refuse(100, "Param components is not a list of components.")
	}
	return t.checkParts()
}

func (t *template) ttlAllowed() bool {
	longest := map[string]int{"AUTHENTICATION": 900, "UTILITY": 43200}[t.Category]
	return longest > 0 && (t.TTL == -1 || t.TTL >= 30 && t.TTL <= longest)
}

func (t *template) checkParts() *graphError {
	seen := map[string]bool{}
	for i := range t.parts {
		part := &t.parts[i]
		if seen[part.Type] {
			return refuse(100, "Component %s is there twice.", part.Type)
		}
		seen[part.Type] = true
		if err := t.checkPart(part); err != nil {
			return err
		}
	}
	if !seen["BODY"] {
		return refuse(100, "A template needs a BODY component.")
	}
	return nil
}

func (t *template) checkPart(part *templateComponent) *graphError {
	switch part.Type {
	case "HEADER":
		return t.checkHeader(part)
	case "BODY":
		if t.Category == "AUTHENTICATION" {
			return nil // its text is WhatsApp's own
		}
		if err := limitField(part.Text, 1024); err != nil {
			return err
		}
		return t.checkVariables(part, 0)
	case "FOOTER":
		if len(part.vars) > 0 {
			return refuse(2388073, "A footer has no variables.")
		}
		return limitField(part.Text, 60)
	case "BUTTONS":
		return checkTemplateButtons(part.Buttons)
	}
	return refuse(100, "Component type %q is not supported.", part.Type)
}

func limitField(text string, longest int) *graphError {
	if n := utf8.RuneCountInString(text); n == 0 || n > longest {
		return refuse(2388040, "The field must have 1 to %d characters.", longest)
	}
	return nil
}

func (t *template) checkHeader(part *templateComponent) *graphError {
	switch part.Format {
	case "TEXT":
		if err := limitField(part.Text, 60); err != nil {
			return err
		}
		return t.checkVariables(part, 1)
	case "IMAGE", "VIDEO", "DOCUMENT":
		if len(part.Example) == 0 {
			return refuse(100, "A header of format %s needs example.header_handle.", part.Format)
		}
		return nil
	case "LOCATION":
		return nil
	}
	return refuse(2388047, "Header format must be TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION.")
}

// checkVariables holds the variables of a text against the format, their place and their examples; most is 0 for any number.
func (t *template) checkVariables(part *templateComponent, most int) *graphError {
	if len(part.vars) == 0 {
		return nil
	}
	text := strings.TrimSpace(part.Text)
	switch {
	case most > 0 && len(part.vars) > most:
		return refuse(2388047, "A header has one variable at most.")
	case part.Type == "BODY" && (strings.HasPrefix(text, "{{") || strings.HasSuffix(text, "}}")):
		return refuse(2388299, "Variables can't be at the start or end of the template.")
	case sideBySide.MatchString(text):
		return refuse(2388299, "Variables can't be next to each other.")
	case part.Type == "BODY" && len(strings.Fields(variable.ReplaceAllString(text, ""))) < 2*len(part.vars):
		return refuse(2388293, "There are too many variables for the length of the text.")
	}
	for i, name := range part.vars {
		if t.named() && !namedVariable.MatchString(name) {
			return refuse(2388072, "Variable {{%s}} must have lowercase letters, digits and underscores.", name)
		}
		if !t.named() && (!positional.MatchString(name) || name != strconv.Itoa(i+1)) {
			return refuse(2388072, "Variables must be {{1}}, {{2}} and so on, in order.")
		}
	}
	return t.checkExamples(part)
}

// checkExamples wants an example for each variable, in the shape of the template's format, and for nothing else.
func (t *template) checkExamples(part *templateComponent) *graphError {
	var sample struct {
		HeaderText []string       `json:"header_text"`
		BodyText   [][]string     `json:"body_text"`
		HeaderName []namedExample `json:"header_text_named_params"`
		BodyName   []namedExample `json:"body_text_named_params"`
	}
	if len(part.Example) == 0 || json.Unmarshal(part.Example, &sample) != nil {
		return refuse(2388043, "Every variable needs an example.")
	}
	texts, byName := sample.HeaderText, sample.HeaderName
	if part.Type == "BODY" {
		texts, byName = nil, sample.BodyName
		if len(sample.BodyText) > 0 {
			texts = sample.BodyText[0]
		}
	}
	if t.named() {
		texts = nil
		for _, name := range part.vars {
			if i := slices.IndexFunc(byName, func(e namedExample) bool { return e.Name == name }); i >= 0 {
				texts = append(texts, byName[i].Example)
			}
		}
		if len(byName) != len(part.vars) {
			texts = nil
		}
	}
	if len(texts) != len(part.vars) || slices.Contains(texts, "") {
		return refuse(2388043, "Every variable needs an example, and nothing else has one.")
	}
	return nil
}

type namedExample struct {
	Name    string `json:"param_name"`
	Example string `json:"example"`
}

func checkTemplateButtons(buttons []templateButton) *graphError {
	if len(buttons) == 0 || len(buttons) > 10 {
		return refuse(100, "A template has 1 to 10 buttons.")
	}
	count, changes := map[string]int{}, 0
	for i, b := range buttons {
		count[b.Type]++
		if i > 0 && (b.Type == "QUICK_REPLY") != (buttons[i-1].Type == "QUICK_REPLY") {
			changes++
		}
		if err := b.check(); err != nil {
			return err
		}
	}
	if changes > 1 {
		return refuse(100, "Quick replies and other buttons must form two groups.")
	}
	if count["URL"] > 2 || count["PHONE_NUMBER"] > 1 || count["COPY_CODE"] > 1 {
		return refuse(100, "At most two URL buttons, one PHONE_NUMBER and one COPY_CODE.")
	}
	return nil
}

func (b templateButton) check() *graphError {
	switch b.Type {
	case "URL":
		u, err := url.Parse(variable.ReplaceAllString(b.URL, "x"))
		if err != nil || u.Host == "" || len(b.URL) > 2000 || len(b.vars) > 1 || len(b.vars) == 1 && !strings.HasSuffix(b.URL, "}}") {
			return refuse(100, "A URL button needs a url of 2,000 characters at most, with one variable at its end at most.")
		}
	case "QUICK_REPLY", "PHONE_NUMBER", "COPY_CODE", "FLOW", "OTP", "REQUEST_CONTACT_INFO", "VOICE_CALL":
	default:
		return refuse(100, "Button type %q is not supported.", b.Type)
	}
	if b.Type == "COPY_CODE" || b.Type == "OTP" {
		return nil
	}
	return limitField(b.Text, 25)
}

// review decides on a template after a while. A name with "reject" is refused, so that this can be tried too.
func (s *Server) review(a *account, t *template) {
	s.schedule.after(s.delays().Review, func() { s.decide(a, t) })
}

func (s *Server) decide(a *account, t *template) {
	a.mu.Lock()
	if t.Status != "PENDING" || a.templates[t.ID] != t {
		a.mu.Unlock()
		return
	}
	t.Status = "APPROVED"
	if strings.Contains(t.Name, "reject") {
		t.Status, t.RejectedReason = "REJECTED", "INVALID_FORMAT"
	}
	u := s.templateUpdate(t)
	a.mu.Unlock()
	a.hooks.add(u)
	s.saver.touch()
}

// templateUpdate is the webhook about a template's status; its account must be locked.
func (s *Server) templateUpdate(t *template) update {
	id, _ := strconv.ParseInt(t.ID, 10, 64) // our own ids are numbers
	value := map[string]any{
		"event": t.Status, "message_template_id": id, "message_template_name": t.Name, "message_template_language": t.Language,
		"message_template_category": t.Category, "reason": cmp.Or(t.RejectedReason, "NONE"),
	}
	if t.Status == "PAUSED" {
		value["other_info"] = map[string]any{"title": "FIRST_PAUSE", "description": "Your WhatsApp message template has been paused for 3 hours because it had issues with quality."}
		if t.Pauses == 2 {
			value["other_info"] = map[string]any{"title": "SECOND_PAUSE", "description": "Your WhatsApp message template has been paused for 6 hours because it had issues with quality."}
		}
	}
	return update{Field: "message_template_status_update", At: s.clock.Now().Unix(), Value: marshal(value)}
}

// editTemplate is POST /{template_id}.
func (s *Server) editTemplate(a *account, id string, body []byte) (any, *graphError) {
	var change struct {
		Category   string          `json:"category"`
		Components json.RawMessage `json:"components"`
		TTL        *int            `json:"message_send_ttl_seconds"`
	}
	if err := json.Unmarshal(body, &change); err != nil {
		return nil, badJSON(err)
	}
	a.mu.Lock()
	t := a.templates[id]
	if t == nil {
		a.mu.Unlock()
		return nil, unknownObject("POST", id)
	}
	edited, err := t.edited(change.Category, change.Components, change.TTL, s.clock.Now())
	if err != nil {
		a.mu.Unlock()
		return nil, err
	}
	a.templates[id] = edited
	a.mu.Unlock()
	s.review(a, edited)
	s.saver.touch()
	return map[string]any{"success": true, "id": id, "name": edited.Name, "category": edited.Category}, nil
}

// edited is the template after an allowed edit, back in review.
func (t *template) edited(category string, components json.RawMessage, ttl *int, now time.Time) (*template, *graphError) {
	if !slices.Contains([]string{"APPROVED", "REJECTED", "PAUSED"}, t.Status) {
		return nil, refuse(100, "A template that is %s cannot be edited.", t.Status)
	}
	if category != "" && category != t.Category && t.Status == "APPROVED" {
		return nil, refuse(100, "The category of an approved template is fixed.")
	}
	edits := slices.DeleteFunc(slices.Clone(t.Edits), func(at int64) bool { return now.Unix()-at > 30*24*3600 })
	if t.Status == "APPROVED" && (len(edits) >= 10 || len(edits) > 0 && now.Unix()-edits[len(edits)-1] < 24*3600) {
		return nil, refuse(100, "An approved template can be edited once in 24 hours and ten times in 30 days.")
	}
	e := *t
	e.Edits, e.parts = append(edits, now.Unix()), nil
	e.Category = cmp.Or(strings.ToUpper(category), t.Category)
	if len(components) > 0 {
		e.Components = components
	}
	setIf(&e.TTL, ttl)
	e.Status, e.RejectedReason = "PENDING", ""
	return &e, e.check()
}

// deleteTemplates is DELETE /{waba_id}/message_templates: one by hsm_id, or every language of a name.
func (s *Server) deleteTemplates(a *account, q url.Values) (any, *graphError) {
	name, id := q.Get("name"), q.Get("hsm_id")
	if name == "" && id == "" {
		return nil, refuse(100, "The parameter name is required.")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var gone []*template
	for _, t := range a.templates {
		if (name == "" || t.Name == name) && (id == "" || t.ID == id) {
			gone = append(gone, t)
		}
	}
	if len(gone) == 0 {
		return nil, &graphError{Code: 100, Subcode: 2593002, Details: "The template was not found."}
	}
	for _, t := range gone {
		if t.Status == "DISABLED" {
			return nil, refuse(100, "A disabled template cannot be deleted.")
		}
		delete(a.templates, t.ID)
		s.templates.remove(t.ID)
	}
	s.saver.touch()
	return map[string]any{"success": true}, nil
}

// listTemplates is GET /{waba_id}/message_templates.
func (s *Server) listTemplates(a *account, q url.Values, base string) (any, *graphError) {
	health := a.healthEntities(s.clock.Now())
	a.mu.Lock()
	var items []listed
	for _, t := range a.templates {
		if t.matches(q) {
			items = append(items, listed{key: t.ID, node: t.node(health)})
		}
	}
	total := len(a.templates)
	a.mu.Unlock()
	slices.SortFunc(items, func(x, y listed) int { return cmp.Compare(x.key, y.key) })
	page, err := paginate(items, q, base, []string{"name", "parameter_format", "components", "language", "status", "category", "id"})
	if err != nil {
		return nil, err
	}
	if strings.Contains(q.Get("summary"), "total_count") || strings.Contains(q.Get("summary"), "message_template") || q.Get("summary") == "true" {
		page["summary"] = map[string]any{"total_count": total, "message_template_count": total, "message_template_limit": 250, "are_translations_complete": false}
	}
	return page, nil
}

func (t *template) matches(q url.Values) bool {
	fits := func(param, value string) bool {
		wanted := q.Get(param)
		return wanted == "" || strings.EqualFold(wanted, value)
	}
	return fits("name", t.Name) && fits("status", t.Status) && fits("category", t.Category) && fits("language", t.Language) &&
		strings.Contains(t.Name, q.Get("name_or_content"))
}

// node is a template with every field that can be asked for; account is how its account is.
func (t *template) node(account []map[string]any) map[string]any {
	n := map[string]any{
		"id": t.ID, "name": t.Name, "language": t.Language, "status": t.Status, "category": t.Category,
		"parameter_format": t.ParameterFormat, "components": t.Components, "rejected_reason": cmp.Or(t.RejectedReason, "NONE"),
		"quality_score": map[string]any{"score": cmp.Or(t.Quality, "UNKNOWN"), "date": t.Created.Unix()},
		"health_status": healthOf(append([]map[string]any{t.health()}, account...)...),
	}
	if t.PreviousCategory != "" {
		n["previous_category"] = t.PreviousCategory
	}
	if t.TTL != 0 {
		n["message_send_ttl_seconds"] = t.TTL
	}
	return n
}

// timeToLive is how long a message of the template is tried to be delivered.
func (t *template) timeToLive() time.Duration {
	switch {
	case t.TTL > 0:
		return time.Duration(t.TTL) * time.Second
	case t.TTL == 0 && t.Category == "AUTHENTICATION":
		return 10 * time.Minute
	}
	return longestTTL
}

// templateStatuses are those a template may be put into by hand.
var templateStatuses = []string{"PENDING", "APPROVED", "REJECTED", "PAUSED", "DISABLED", "IN_APPEAL", "ARCHIVED", "LOCKED"}

// putTemplate does to a template what Meta does by itself: pause, disable, archive, recategorise.
func (s *Server) putTemplate(r *http.Request) (int, any, error) {
	var in struct {
		WABA     string  `json:"waba_id"`
		Name     string  `json:"name"`
		Language string  `json:"language"`
		Status   *string `json:"status"`
		Category *string `json:"category"`
		Announce bool    `json:"announce"` // the category changes in a day, and that is told now
		Quality  *string `json:"quality"`
		Reason   *string `json:"reason"`
		Pacing   *pacing `json:"pacing"` // {"first": 10}: from the eleventh message on they are held
		Held     string  `json:"held"`   // release or drop: what becomes of those held, which ends the pacing
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Status != nil && !slices.Contains(templateStatuses, *in.Status) {
		return 0, nil, badRequest("status must be one of %s", strings.Join(templateStatuses, ", "))
	}
	if in.Category != nil && !slices.Contains(categories, *in.Category) {
		return 0, nil, badRequest("category must be one of %s", strings.Join(categories, ", "))
	}
	if in.Held != "" && in.Held != "release" && in.Held != "drop" {
		return 0, nil, badRequest("held must be release or drop, not %q", in.Held)
	}
	if in.Pacing != nil && in.Pacing.First < 0 {
		return 0, nil, badRequest("pacing.first must not be negative")
	}
	if in.Held == "drop" {
		in.Status = new("PAUSED")
	}
	a, err := s.accountNamed(in.WABA)
	if err != nil {
		return 0, nil, err
	}
	health := a.healthEntities(s.clock.Now())
	a.mu.Lock()
	t := a.findTemplate(in.Name, in.Language)
	if t == nil {
		a.mu.Unlock()
		return 0, nil, notFound("template %s in %s is not known", in.Name, in.Language)
	}
	changed := *t // a send may be reading t
	if in.Status != nil {
		changed.Status, changed.PausedUntil = *in.Status, time.Time{}
	}
	setIf(&changed.RejectedReason, in.Reason)
	var updates []update
	if in.Quality != nil && *in.Quality != t.Quality {
		updates = append(updates, s.rate(a, &changed, *in.Quality))
	}
	switch {
	case in.Category == nil || *in.Category == t.Category:
	case in.Announce:
		updates = append(updates, s.announceCategory(a, &changed, *in.Category))
	default:
		changed.PreviousCategory, changed.Category = t.Category, *in.Category
		updates = append(updates, s.categoryUpdate(&changed))
	}
	if changed.Status != t.Status {
		updates = append(updates, s.templateUpdate(&changed))
	}
	a.templates[t.ID] = &changed
	view := changed.node(health)
	a.pace(t.ID, in.Pacing, in.Held != "")
	a.mu.Unlock()
	a.hooks.add(updates...)
	if in.Held != "" {
		s.settleHeld(a, changed.ID, in.Held == "drop")
	}
	s.saver.touch()
	return http.StatusOK, view, nil
}

// categoryUpdate is the webhook about a category that Meta has changed.
func (s *Server) categoryUpdate(t *template) update {
	id, _ := strconv.ParseInt(t.ID, 10, 64) // our own ids are numbers
	return update{Field: "template_category_update", At: s.clock.Now().Unix(), Value: marshal(map[string]any{
		"message_template_id": id, "message_template_name": t.Name, "message_template_language": t.Language,
		"previous_category": t.PreviousCategory, "new_category": t.Category,
	})}
}
