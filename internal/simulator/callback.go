// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// target is the callback: of the number, else of the account, else of the app.
func (h *hooks) target(numberID string) string {
	if n := h.s.dir.number(numberID); n != nil {
		if own := n.override(); own != "" {
			return own
		}
	}
	st := h.a.snapshot()
	if st.OverrideURL != "" {
		return st.OverrideURL
	}
	return st.CallbackURL
}

func (n *number) override() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.OverrideURL
}

// sign is the value of X-Hub-Signature-256 for body.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// ensureVerified repeats a verification that failed when the callback was set, so that a desk started later
// still sees the GET before the first POST. A callback that answers wrongly gets its webhooks all the same and
// is asked again a minute later.
func (h *hooks) ensureVerified(ctx context.Context, st accountState, target string) error {
	if st.Verified || target != st.CallbackURL || !h.mayAsk() {
		return nil
	}
	err := h.s.verifyCallback(ctx, target, st.VerifyToken)
	if errors.Is(err, errCallbackDown) {
		return err
	}
	h.mu.Lock()
	h.asked = time.Now()
	h.mu.Unlock()
	h.a.mu.Lock()
	h.a.state.Verified = err == nil && h.a.state.CallbackURL == target
	h.a.mu.Unlock()
	return nil
}

func (h *hooks) mayAsk() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.asked) > time.Minute
}

var errCallbackDown = errors.New("callback cannot be reached")

// verifyCallback does Meta's verification GET: the callback must answer 200 with the challenge as its whole body.
func (s *Server) verifyCallback(ctx context.Context, callback, token string) error {
	u, err := url.Parse(callback)
	if err != nil {
		return fmt.Errorf("verify callback %q: %w", callback, err)
	}
	challenge := s.dice.id("challenge")[:10]
	q := u.Query()
	q.Set("hub.mode", "subscribe")
	q.Set("hub.challenge", challenge)
	q.Set("hub.verify_token", token)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("verify callback %q: %w", callback, err)
	}
	resp, err := s.callbacks.Do(req)
	if err != nil {
		if address, ok := errors.AsType[*url.Error](err); ok {
			err = address.Err // the address has the verify token in it
		}
		return fmt.Errorf("verify callback: %w: %w", errCallbackDown, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return fmt.Errorf("verify callback: read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("verify callback: HTTP Status Code = %d; HTTP Message = %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if subtle.ConstantTimeCompare(answer, []byte(challenge)) != 1 {
		return errors.New("verify callback: the answer is not the challenge")
	}
	return nil
}

func checkCallback(callback string) error {
	u, err := url.Parse(callback)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("url %q must be an http or https address", callback)
	}
	if len(callback) > 200 {
		return errors.New("url may have 200 characters at most")
	}
	return nil
}

func (s *Server) putWebhook(r *http.Request) (int, any, error) {
	var hook struct {
		WABA        string  `json:"waba_id"`
		URL         *string `json:"url"`
		Version     *string `json:"version"` // of the Graph API that webhooks are written by, like v23.0
		AppSecret   *string `json:"app_secret"`
		VerifyToken *string `json:"verify_token"`
	}
	if err := readControl(r, &hook); err != nil {
		return 0, nil, err
	}
	a, err := s.accountNamed(hook.WABA)
	if err != nil {
		return 0, nil, err
	}
	if hook.URL != nil && *hook.URL != "" {
		if err := checkCallback(*hook.URL); err != nil {
			return 0, nil, badRequest("%v", err)
		}
	}
	if hook.Version != nil && !versionSegment.MatchString(*hook.Version) {
		return 0, nil, badRequest("version must be like v23.0, not %q", *hook.Version)
	}
	a.mu.Lock()
	a.state.Verified = false
	setIf(&a.state.CallbackURL, hook.URL)
	setIf(&a.state.WebhookVersion, hook.Version)
	setIf(&a.state.AppSecret, hook.AppSecret)
	setIf(&a.state.VerifyToken, hook.VerifyToken)
	a.mu.Unlock()
	s.saver.touch()
	return http.StatusOK, s.verifyWebhook(r.Context(), a), nil
}

// verifyWebhook asks the callback once and says how it went. A desk that is not up yet is asked again before
// the first delivery, so the order in which the two are started does not matter.
func (s *Server) verifyWebhook(ctx context.Context, a *account) map[string]any {
	st := a.snapshot()
	view := map[string]any{"waba_id": a.id, "url": st.CallbackURL, "verified": false}
	if st.CallbackURL == "" {
		return view
	}
	err := s.verifyCallback(ctx, st.CallbackURL, st.VerifyToken)
	a.mu.Lock()
	a.state.Verified = err == nil
	a.mu.Unlock()
	view["verified"] = err == nil
	if err != nil {
		view["error"] = err.Error()
	}
	a.hooks.retryNow()
	return view
}
