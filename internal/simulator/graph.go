// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxGraphBody bounds a request of the Graph API that is no upload.
const maxGraphBody = 2 << 20

var versionSegment = regexp.MustCompile(`^v(\d{1,2})\.(\d)$`)

// latestVersion of the Graph API known here (v26.0, 29 July 2026); older ones down to 1 are answered like Meta
// does, by the oldest still in use.
const latestVersion = 26

// graphRequest is a request of the Graph API taken apart: /{version}/{object}/{edge}.
type graphRequest struct {
	*http.Request
	version string
	object  string
	edge    string
	rest    string // what follows the edge
	body    []byte
	query   url.Values
	granted []*account
	scopes  []string // permissions of the token; nil: all
	asApp   bool     // the token is the app's own
}

// graph answers everything under the Graph API's paths.
func (s *Server) graph(w http.ResponseWriter, r *http.Request) {
	rec := record{at: s.clock.Now(), method: r.Method, path: r.URL.Path, query: queryWithoutTokens(r.URL.RawQuery)}
	defer func() { s.recorder.add(rec) }()
	body, err := readGraphBody(w, r)
	rec.body = keptBody(withoutToken(r.Header, body))
	if delay := s.faults.answerDelay(); delay > 0 && !pause(r.Context(), delay) {
		return
	}
	breach := s.faults.breach(r.URL.Path)
	if breach != nil && !breach.Processed {
		rec.status = s.breakAnswer(w, r, breach, nil)
		return
	}
	var answer any
	if err == nil {
		answer, err = s.graphAnswer(w, r, body)
	}
	raw, status := s.encodeAnswer(answer, err)
	if breach != nil {
		rec.status = s.breakAnswer(w, r, breach, raw)
		return
	}
	rec.status = status
	s.writeGraph(w, status, raw)
}

// readGraphBody reads what is no upload; uploads are read part by part.
func readGraphBody(w http.ResponseWriter, r *http.Request) ([]byte, *graphError) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		r.Body = http.MaxBytesReader(w, r.Body, maxUpload+1<<20)
		return nil, nil
	}
	if isUpload(r) {
		return readUpload(w, r)
	}
	limit := int64(maxGraphBody)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, refuse(1, "The request is larger than %d bytes.", limit)
		}
		return nil, refuse(1, "The request broke off.")
	}
	return body, nil
}

func keptBody(body []byte) []byte {
	if len(body) > maxRecordedBody {
		return bytes.Clone(body[:maxRecordedBody])
	}
	return body
}

func (s *Server) encodeAnswer(answer any, err *graphError) ([]byte, int) {
	if err != nil {
		answer = err.body(s.dice.trace())
	}
	return marshal(answer), answerStatus(err)
}

func (s *Server) writeGraph(w http.ResponseWriter, status int, raw []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Cache-Control", "private, no-cache, no-store, must-revalidate")
	h.Set("Facebook-Api-Version", "v"+strconv.Itoa(latestVersion)+".0")
	h.Set("X-Fb-Trace-Id", s.dice.trace())
	h.Set("X-App-Usage", `{"call_count":1,"total_cputime":1,"total_time":1}`)
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `OAuth "Facebook Platform" "invalid_token" "Invalid OAuth access token"`)
	}
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the client sees whether it arrived
}

// breakAnswer gives an answer no Graph API should give, and returns the status to record. raw is the right answer where there is one.
func (s *Server) breakAnswer(w http.ResponseWriter, r *http.Request, b *Breach, raw []byte) int {
	switch b.Kind {
	case "status":
		status := b.Status
		if status < 200 || status > 599 {
			status = http.StatusInternalServerError
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		return status
	case "garbage":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>Sorry, something went wrong.</body></html>")
		return http.StatusOK
	case "empty":
		return http.StatusOK
	case "half":
		if raw == nil {
			raw = []byte(`{"messaging_product":"whatsapp","contacts":[{"input":"`)
		}
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(raw)+20))
		_, _ = w.Write(raw[:len(raw)/2])
		_ = http.NewResponseController(w).Flush() // the half that is written must leave before the cut
		panic(http.ErrAbortHandler)
	case "hang":
		s.hang(r, timeOf(b.Delay))
	}
	panic(http.ErrAbortHandler) // drop, and a hang that ended: cut the connection
}

// graphAnswer finds what the request is about and who may ask.
func (s *Server) graphAnswer(w http.ResponseWriter, r *http.Request, body []byte) (any, *graphError) {
	if strings.HasSuffix(r.URL.Path, "/oauth/access_token") {
		return s.oauth(r, body)
	}
	g, err := s.parseGraph(r, body)
	if err != nil {
		return nil, err
	}
	if g.object == "app" || g.object == appID {
		return s.appNode(g)
	}
	if g.object == "debug_token" {
		return s.debugToken(g)
	}
	if g.object == "me" {
		return s.userNode(g)
	}
	if err := g.permit(); err != nil {
		return nil, err
	}
	if err := s.spend(w, g); err != nil {
		return nil, err
	}
	if g.object == businessID {
		return s.businessNode(g)
	}
	if n := s.dir.number(g.object); n != nil && g.sees(n.account) {
		return s.numberNode(g, n)
	}
	if a := s.dir.account(g.object); a != nil && g.sees(a) {
		return s.accountNode(g, a)
	}
	if a, ok := s.templates.get(g.object); ok && g.sees(a) && (g.edge == "" || g.edge == "unpause") {
		return s.templateNode(g, a)
	}
	if f := s.media.get(g.object); f != nil && s.seesFile(g, f) && g.edge == "" {
		return s.mediaNode(g, f)
	}
	if strings.HasPrefix(g.object, uploadPrefix) {
		return s.uploadNode(g)
	}
	if m := s.historyOf(g); m != nil {
		return s.messageEvents(g, m)
	}
	return nil, unknownObject(r.Method, g.object)
}

func (s *Server) parseGraph(r *http.Request, body []byte) (*graphRequest, *graphError) {
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	g := &graphRequest{Request: r, version: "v" + strconv.Itoa(latestVersion) + ".0", body: body, query: r.URL.Query()}
	if v := versionSegment.FindStringSubmatch(segments[0]); v != nil {
		if major, _ := strconv.Atoi(v[1]); major > latestVersion || major == 0 {
			return nil, &graphError{Code: 2500, Details: "Unknown version " + segments[0] + "."}
		}
		g.version, segments = segments[0], segments[1:]
	}
	token, wrong := g.takeParameters()
	if err := s.admit(g, token); err != nil {
		return nil, err
	}
	if wrong != nil {
		return nil, wrong
	}
	if err := g.checkProof(token, g.query.Get("appsecret_proof")); err != nil {
		return nil, err
	}
	if len(segments) > 0 {
		g.object = segments[0]
	}
	if len(segments) > 1 {
		g.edge = segments[1]
	}
	if len(segments) > 2 {
		g.rest = strings.Join(segments[2:], "/")
	}
	s.baseURL(r)
	return g, nil
}

func (g *graphRequest) sees(a *account) bool { return slices.Contains(g.granted, a) }

func (s *Server) seesFile(g *graphRequest, f *file) bool {
	a := s.dir.account(f.Account)
	if a == nil || !g.sees(a) || f.expired(s.clock.Now()) {
		return false
	}
	wanted := g.query.Get("phone_number_id")
	return wanted == "" || a.hasNumber(s.dir.number(wanted))
}

func (s *Server) mediaNode(g *graphRequest, f *file) (any, *graphError) {
	switch g.Method {
	case http.MethodGet:
		return project(s.mediaFields(f, s.baseURL(g.Request)), g.query.Get("fields"), []string{"messaging_product", "url", "mime_type", "sha256", "file_size"}), nil
	case http.MethodDelete:
		s.media.remove(f.ID)
		s.saver.touch()
		return map[string]any{"success": true}, nil
	}
	return nil, unsupported(g)
}

func (s *Server) templateNode(g *graphRequest, a *account) (any, *graphError) {
	switch {
	case g.edge == "unpause" && g.Method == http.MethodPost:
		return s.moveTemplates(a, []string{g.object}, "PAUSED", "APPROVED")
	case g.edge != "":
		return nil, unsupported(g)
	}
	switch g.Method {
	case http.MethodGet:
		health := a.healthEntities(s.clock.Now())
		a.mu.Lock()
		defer a.mu.Unlock()
		t, ok := a.templates[g.object]
		if !ok {
			return nil, unknownObject(g.Method, g.object)
		}
		return projected("MessageTemplate", t.node(health), g, []string{"name", "parameter_format", "components", "language", "status", "category"})
	case http.MethodPost:
		return s.editTemplate(a, g.object, g.body)
	}
	return nil, unsupported(g)
}

func (s *Server) accountNode(g *graphRequest, a *account) (any, *graphError) {
	switch g.Method + " " + g.edge {
	case "GET ":
		node, err := s.expandedAccount(g, a, g.query.Get("fields"))
		if err != nil {
			return nil, err
		}
		return projected("WhatsAppBusinessAccount", node, g, accountUsual)
	case "GET message_templates":
		return s.listTemplates(a, g.query, s.baseURL(g.Request)+g.URL.Path)
	case "POST message_templates":
		return s.postTemplates(g, a)
	case "DELETE message_templates":
		return s.deleteTemplates(a, g.query)
	case "GET phone_numbers":
		return s.listNumbers(a, g.query, s.baseURL(g.Request)+g.URL.Path)
	case "POST phone_numbers":
		return s.createNumber(a, g.body)
	case "GET subscribed_apps":
		return a.subscriptions(g.query, s.baseURL(g.Request)+g.URL.Path)
	case "POST subscribed_apps":
		return s.subscribe(g, a)
	case "DELETE subscribed_apps":
		return s.unsubscribe(a)
	}
	return nil, unsupported(g)
}

func (s *Server) numberNode(g *graphRequest, n *number) (any, *graphError) {
	switch g.edge {
	case "message_qrdls":
		return s.links(g, n)
	case "username", "username_suggestions":
		return s.usernames(g, n)
	}
	switch g.Method + " " + g.edge {
	case "POST messages":
		return s.postMessages(n, g.body)
	case "POST media":
		return s.upload(n, g.Request)
	case "GET ":
		return projected("WhatsAppBusinessPhoneNumber", s.numberFields(n), g, []string{"verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type", "throughput", "last_onboarded_time"})
	case "POST ":
		return s.changeNumber(g, n)
	case "POST request_code":
		return s.requestCode(n, g.body)
	case "POST verify_code":
		return s.verifyCode(n, g.body)
	case "POST register":
		return s.register(n, g.body)
	case "POST deregister":
		return s.deregister(n)
	case "GET whatsapp_business_profile":
		return s.profileWithPicture(g, n), nil
	case "POST whatsapp_business_profile":
		return s.setProfile(n, g.body)
	case "GET whatsapp_business_encryption":
		return n.encryption(), nil
	case "POST whatsapp_business_encryption":
		return s.setEncryption(n, g.body)
	case "GET settings":
		return n.settings(), nil
	case "POST settings":
		return s.setSettings(n, g.body)
	case "POST conversational_automation":
		return s.setAutomation(n, g.body)
	case "GET message_history":
		return s.messageHistory(g, n)
	case "DELETE contact_book":
		return s.deleteContact(g, n)
	case "GET block_users":
		return s.listBlocked(g, n)
	case "POST block_users":
		return s.blockUsers(n, g.body)
	case "DELETE block_users":
		return s.unblockUsers(n, g.body)
	}
	return nil, unsupported(g)
}

// unsupported is Meta's answer to an edge that does not exist or takes another method.
func unsupported(g *graphRequest) *graphError {
	if g.edge == "" {
		return unknownObject(g.Method, g.object)
	}
	return &graphError{Code: 2500, Title: "Unknown path components: /" + strings.TrimSuffix(g.edge+"/"+g.rest, "/")}
}

// project keeps the fields asked for, or the usual ones; the id, where there is one, always.
func project(node map[string]any, fields string, usual []string) map[string]any {
	wanted := usual
	if fields != "" {
		wanted = fieldNames(fields)
	}
	out := map[string]any{}
	for _, name := range append([]string{"id"}, wanted...) {
		if v, ok := node[name]; ok {
			out[name] = v
		}
	}
	return out
}

// fieldNames splits "a,b{c,d},e.limit(2)" at the outer commas and drops subfields and what follows a dot.
func fieldNames(fields string) []string {
	var names []string
	for _, field := range splitOutside(fields) {
		names = append(names, fieldName(field))
	}
	return names
}

func fieldName(field string) string {
	if i := strings.IndexAny(field, "{."); i >= 0 {
		field = field[:i]
	}
	return strings.TrimSpace(field)
}

// subfields are what stands in the braces of a field: "c,d" of b in "a,b{c,d}"; asked says whether the field is there.
func subfields(fields, of string) (inner string, asked bool) {
	for _, field := range splitOutside(fields) {
		if fieldName(field) == of {
			_, inner, _ := strings.Cut(field, "{")
			return strings.TrimSuffix(strings.TrimSpace(inner), "}"), true
		}
	}
	return "", false
}

// splitOutside splits at the commas that are in no braces and no parentheses.
func splitOutside(fields string) []string {
	var parts []string
	depth, start := 0, 0
	for i, r := range fields + "," {
		switch {
		case r == '{' || r == '(':
			depth++
		case r == '}' || r == ')':
			depth--
		case r == ',' && depth == 0:
			parts = append(parts, fields[start:i])
			start = i + 1
		}
	}
	return parts
}

// listed is an item of a listing with its place in it.
type listed struct {
	key  string
	node map[string]any
}

// paginate cuts a page out of sorted items, with Graph's cursors: a cursor is the key of the item it stands at.
func paginate(items []listed, q url.Values, self string, usual []string) (map[string]any, *graphError) {
	limit := 25
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, refuse(100, "Param limit must be a positive number.")
		}
		limit = min(n, 1000)
	}
	from, to := 0, len(items)
	if after := q.Get("after"); after != "" {
		i := slices.IndexFunc(items, func(it listed) bool { return cursor(it.key) == after })
		if i < 0 {
			return nil, refuse(131059, "The cursor after is not valid any more: begin again.")
		}
		from = i + 1
	} else if before := q.Get("before"); before != "" {
		i := slices.IndexFunc(items, func(it listed) bool { return cursor(it.key) == before })
		if i < 0 {
			return nil, refuse(131059, "The cursor before is not valid any more: begin again.")
		}
		from, to = max(0, i-limit), i
	}
	end := min(from+limit, to)
	data := []map[string]any{}
	for _, it := range items[from:end] {
		data = append(data, project(it.node, q.Get("fields"), usual))
	}
	page := map[string]any{"data": data}
	if len(data) == 0 {
		return page, nil
	}
	paging := map[string]any{"cursors": map[string]any{"before": cursor(items[from].key), "after": cursor(items[end-1].key)}}
	if end < len(items) {
		paging["next"] = pageURL(self, q, "after", cursor(items[end-1].key))
	}
	if from > 0 {
		paging["previous"] = pageURL(self, q, "before", cursor(items[from].key))
	}
	page["paging"] = paging
	return page, nil
}

// pageURL is the address of a neighbouring page. Unlike Meta's it carries no token: it would end up in logs.
func pageURL(self string, q url.Values, direction, at string) string {
	next := url.Values{}
	for key, values := range q {
		if key != "after" && key != "before" && key != "access_token" {
			next[key] = values
		}
	}
	next.Set(direction, at)
	return self + "?" + next.Encode()
}

func cursor(key string) string { return "QVFI" + strings.ToUpper(hexOf(key)) }
