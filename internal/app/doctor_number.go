// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// municipality looks at one, number by number; at Meta only if Meta can be reached at all.
func (e *examination) municipality(ctx context.Context, d *db.DB, directory *municipality.Directory, m *municipality.Municipality, reachable bool) {
	say(e.out, "%s (%s)", m.Name, m.Slug)
	e.callbackAnswers(ctx, m)
	e.stops(ctx, d, m)
	e.trail(ctx, d, m)
	if !reachable {
		return
	}
	seen := map[string]bool{}
	for _, n := range m.Numbers {
		v := numberExamination{examination: e, municipality: m, number: n, shared: shared(directory, n.WABAID),
			account: n.Account()}
		if v.token(ctx) && v.state(ctx) && !seen[n.WABAID] {
			seen[n.WABAID] = true
			v.templates(ctx)
		}
	}
}

// trail follows the audit trail: whoever changed a row of it in the database could not hide that.
func (e *examination) trail(ctx context.Context, d *db.DB, m *municipality.Municipality) {
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	var rows int
	var broken *int64
	err := d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		rows, broken, err = staff.VerifyAudit(ctx, tx, m.ID)
		return err
	})
	switch {
	case err != nil:
		e.fail("doctor.trail_unreadable", "error", err)
	case broken != nil:
		e.fail("doctor.trail_broken", "n", *broken)
	default:
		e.well("doctor.trail", "n", rows)
	}
}

// shared tells whether several municipalities have numbers of one business account.
func shared(directory *municipality.Directory, waba string) bool {
	owners := 0
	for _, m := range directory.All() {
		if m.Owns(waba) {
			owners++
		}
	}
	return owners > 1
}

func (e *examination) callback(m *municipality.Municipality) string {
	return e.Public() + "/webhooks/whatsapp/" + m.Slug
}

// callbackAnswers does what Meta does before it accepts an address for webhooks. From inside the
// network it may fail where from outside it does not, so that it is no more than worth a look.
func (e *examination) callbackAnswers(ctx context.Context, m *municipality.Municipality) {
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	challenge := rand.Text()
	query := url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {m.Numbers[0].VerifyToken.Reveal()}, "hub.challenge": {challenge}}
	answer, err := e.fetch(ctx, e.callback(m)+"?"+query.Encode())
	if err == nil && strings.TrimSpace(answer) != challenge {
		err = errors.New(e.lang.T("doctor.callback_other"))
	}
	if err != nil {
		e.warn("doctor.callback_silent", "url", e.callback(m), "error", err)
		return
	}
	e.well("doctor.callback_answers", "url", e.callback(m))
}

func (e *examination) fetch(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", errors.New(e.lang.T("doctor.callback_other"))
	}
	res, err := e.web.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address in it has the verify token
		}
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("HTTP %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	return string(body), err
}

// stops tells of numbers that send nothing because Meta refused what they sent.
func (e *examination) stops(ctx context.Context, d *db.DB, m *municipality.Municipality) {
	var stopped map[string]int
	err := d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		stopped, err = conversation.Stops(ctx, tx, m.ID)
		return err
	})
	if err != nil {
		e.fail("doctor.database_unusable", "error", err)
		return
	}
	for number, code := range stopped {
		if n, ok := m.Number(number); ok {
			e.fail("doctor.number_stopped", "number", n.Display, "reason", e.reason(code))
		}
	}
}

func (e *examination) reason(code int) string {
	return fmt.Sprintf("%s (%d)", e.lang.T(conversation.FailureKey(code), "code", code), code)
}

// numberExamination is the part of the examination that is about one number.
type numberExamination struct {
	*examination
	municipality *municipality.Municipality
	number       municipality.Number
	account      whatsapp.Account
	shared       bool // its business account has numbers of other municipalities too
}

// explain is what Meta refused, or how it could not be asked.
func (v numberExamination) explain(err error) string {
	var g *whatsapp.GraphError
	switch {
	case !errors.As(err, &g):
		return err.Error()
	case conversation.FailureKey(g.Code) != "graph.unknown_error":
		return v.reason(g.Code)
	}
	says := strings.TrimPrefix(cmp.Or(g.UserMessage, g.Message, g.Details), fmt.Sprintf("(#%d) ", g.Code))
	return fmt.Sprintf("Meta: %s (%d)", v.quiet(says), g.Code)
}

// quiet hides the number's secrets in what others say: Meta quotes the addresses it called.
func (v numberExamination) quiet(text string) string {
	for _, secret := range []municipality.Secret{v.number.AccessToken, v.number.AppSecret, v.number.VerifyToken} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret.Reveal(), secret.String())
		}
	}
	return text
}

func (v numberExamination) token(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	if err := v.graph.CheckToken(ctx, v.account); err != nil {
		v.fail("doctor.token_refused", "number", v.number.Display, "waba", v.account.WABAID, "reason", v.explain(err))
		return false
	}
	v.well("doctor.token", "number", v.number.Display, "waba", v.account.WABAID)
	return true
}

func (v numberExamination) state(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	p, err := v.graph.PhoneNumber(ctx, v.account)
	if err != nil {
		v.fail("doctor.number_refused", "number", v.number.Display, "id", v.account.PhoneNumberID, "reason", v.explain(err))
		return false
	}
	v.health(p)
	v.subscription(ctx, p)
	return true
}

func (v numberExamination) health(p whatsapp.PhoneNumber) {
	name := v.number.Display
	switch p.Status {
	case "CONNECTED":
		v.well("doctor.number_connected", "number", name, "name", p.VerifiedName)
	default:
		v.fail("doctor.number_not_connected", "number", name, "status", p.Status)
	}
	switch p.Quality {
	case "YELLOW", "RED":
		v.warn("doctor.number_quality", "number", name, "quality", p.Quality)
	}
	for _, entity := range p.Health.Entities {
		why := entity.Info
		for _, x := range entity.Errors {
			why = append(why, strings.TrimSpace(x.Description+" "+x.Solution))
		}
		switch entity.CanSend {
		case "BLOCKED":
			v.fail("doctor.health_blocked", "entity", entity.Type, "why", strings.Join(why, "; "))
		case "LIMITED":
			v.warn("doctor.health_limited", "entity", entity.Type, "why", strings.Join(why, "; "))
		}
	}
}

// subscription looks whether what citizens write comes here, and sets it so if asked to.
func (v numberExamination) subscription(ctx context.Context, p whatsapp.PhoneNumber) {
	apps, err := v.graph.SubscribedApps(ctx, v.account)
	if err != nil {
		v.fail("doctor.subscription_unknown", "waba", v.account.WABAID, "reason", v.explain(err))
		return
	}
	want := v.callback(v.municipality)
	switch is := cmp.Or(p.Callback.Effective(), v.lang.T("doctor.nowhere")); {
	case len(apps) > 0 && is == want:
		v.well("doctor.callback", "number", v.number.Display)
	case v.options.Fix && !v.shared:
		v.subscribe(ctx, want)
	case v.shared:
		v.fail("doctor.callback_shared", "number", v.number.Display, "is", is, "want", want)
	case len(apps) == 0:
		v.fail("doctor.not_subscribed", "waba", v.account.WABAID)
	default:
		v.fail("doctor.callback_wrong", "number", v.number.Display, "is", is, "want", want)
	}
}

// subscribe sets the callback of the business account. Meta calls it before it accepts it.
func (v numberExamination) subscribe(ctx context.Context, want string) {
	override := &whatsapp.CallbackOverride{URL: want, VerifyToken: v.number.VerifyToken.Reveal()}
	if err := v.graph.SubscribeApp(ctx, v.account, override); err != nil {
		v.fail("doctor.fix_refused", "number", v.number.Display, "want", want, "reason", v.explain(err))
		return
	}
	p, err := v.graph.PhoneNumber(ctx, v.account)
	if err != nil || p.Callback.Effective() != want { // the number has an override of its own
		v.fail("doctor.fix_overridden", "number", v.number.Display, "is", p.Callback.Effective(), "want", want)
		return
	}
	v.well("doctor.fixed", "number", v.number.Display, "want", want)
}

// templates counts what can be sent outside of the 24 hours, and names what Meta took away.
func (v numberExamination) templates(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	all, err := v.graph.Templates(ctx, v.account)
	if err != nil {
		v.fail("doctor.templates_unknown", "waba", v.account.WABAID, "reason", v.explain(err))
		return
	}
	approved := 0
	var unusable []string
	for _, t := range all {
		switch t.Status {
		case "APPROVED":
			approved++
		case "ARCHIVED", "PAUSED", "DISABLED", "REJECTED", "LOCKED":
			unusable = append(unusable, fmt.Sprintf("%s (%s, %s)", t.Name, t.Language, t.Status))
		}
	}
	if approved == 0 {
		v.warn("doctor.templates_none", "waba", v.account.WABAID)
	} else {
		v.well("doctor.templates", "waba", v.account.WABAID, "n", approved)
	}
	if len(unusable) > 0 {
		v.warn("doctor.templates_unusable", "names", strings.Join(unusable, ", "))
	}
}
