// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality/store"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// News is something that Meta told of the account, a number or a template, or that reached a number without being a
// citizen's message to it.
type News struct {
	ID      int64
	Key     string // of what it says: told twice it is kept once
	WABA    string
	Field   string // of the webhook
	Event   string // Meta's word for what happened
	Subject string // a template's name and language, a number's digits; "" is the account
	Facts   map[string]string
	Body    string // as it came, possibly cut
	At      time.Time
}

// maxNewsBody bounds what is kept of one webhook: those with a history hold thousands of messages.
const maxNewsBody = 64 << 10

// AddNews keeps what is told and reports which of it is fresh: what was told before is not.
func AddNews(ctx context.Context, tx *db.Tx, municipality int64, told []News) (fresh []bool, err error) {
	rows := make([][]any, len(told))
	for i, n := range told {
		facts, err := db.ToJSON(n.Facts)
		if err != nil {
			return nil, err
		}
		body := strings.ToValidUTF8(n.Body[:min(len(n.Body), maxNewsBody)], "")
		rows[i] = []any{municipality, tx.NewID(), n.Key, n.WABA, n.Field, n.Event, n.Subject, facts, body, n.At}
	}
	order := make([]int, len(rows)) // by key: two instances with the same news must not wait for each other in a circle
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(told[a].Key, told[b].Key) })
	sorted := make([][]any, len(rows))
	for i, at := range order {
		sorted[i] = rows[at]
	}
	n, err := tx.Exec(ctx, `INSERT INTO news (municipality_id, news_id, key, waba_id, field, event, subject, facts, body, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`, sorted)
	if err != nil {
		return nil, fmt.Errorf("keep news: %w", err)
	}
	fresh = make([]bool, len(told))
	for i, at := range order {
		fresh[at] = n[i] > 0
	}
	return fresh, nil
}

// latest tells whether nothing later is known of the same: webhooks come in any order.
func latest(ctx context.Context, tx *db.Tx, municipality int64, n News) (bool, error) {
	var later bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM news
		WHERE municipality_id = $1 AND waba_id = $2 AND field = $3 AND subject = $4 AND at > $5)`, municipality, n.WABA, n.Field, n.Subject, n.At.UTC()).Scan(&later)
	if err != nil {
		return false, fmt.Errorf("look for later news: %w", err)
	}
	return !later, nil
}

// NewsPage returns news, the newest first, after the one with this time and id; none begins.
func NewsPage(ctx context.Context, tx *db.Tx, municipality int64, before time.Time, id int64, limit int) ([]News, error) {
	var out []News
	err := tx.Query(ctx, `SELECT news_id, key, waba_id, field, event, subject, facts, body, at FROM news
		WHERE municipality_id = $1 AND (at, news_id) < ($2, CAST($3 AS bigint)) ORDER BY at DESC, news_id DESC LIMIT $4`,
		[][]any{{municipality, before.UTC(), id, limit}}, func(_ int, row db.Scanner) error {
			var n News
			var facts db.JSON
			if err := row.Scan(&n.ID, &n.Key, &n.WABA, &n.Field, &n.Event, &n.Subject, &facts, &n.Body, &n.At); err != nil {
				return err
			}
			n.At = n.At.UTC()
			out = append(out, n)
			return facts.Into(&out[len(out)-1].Facts)
		})
	if err != nil {
		return nil, fmt.Errorf("news of municipality %d: %w", municipality, err)
	}
	return out, nil
}

// GetNews returns one piece of news; ok is false when there is none.
func GetNews(ctx context.Context, tx *db.Tx, municipality, id int64) (at time.Time, ok bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT at FROM news WHERE municipality_id = $1 AND news_id = $2`, municipality, id).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return at.UTC(), err == nil, err
}

// keepNews is how long news stay: some hold what an office wrote to a citizen from the app on its phone.
const keepNews = 400 * 24 * time.Hour

// DropNews forgets what is older than a year and a month.
func DropNews(ctx context.Context, tx *db.Tx, municipality int64) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM news WHERE municipality_id = $1 AND at < $2`, municipality, tx.Now().Add(-keepNews))
	if err != nil {
		return fmt.Errorf("drop old news: %w", err)
	}
	return nil
}

// ApplyTemplateNews brings the template to what n tells of it and returns its status now, "" of one that is not known
// here. News older than what is known of the template change nothing.
func ApplyTemplateNews(ctx context.Context, tx *db.Tx, municipality int64, n News, t whatsapp.TemplateNews) (status string, err error) {
	if tx.Engine == db.PostgreSQL { // two pieces of news of one template are applied one after the other
		_, err := tx.ExecContext(ctx, `SELECT 1 FROM template WHERE municipality_id = $1 AND waba_id = $2 AND name = $3 AND language = $4 FOR UPDATE`,
			municipality, n.WABA, t.Name, t.Language)
		if err != nil {
			return "", fmt.Errorf("lock template %s (%s): %w", t.Name, t.Language, err)
		}
	}
	q := store.New(tx)
	row, err := q.Template(ctx, store.TemplateParams{MunicipalityID: municipality, WabaID: n.WABA, Name: t.Name, Language: t.Language})
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil // the next synchronisation brings it
	}
	if err != nil {
		return "", fmt.Errorf("read template %s (%s): %w", t.Name, t.Language, err)
	}
	last, err := latest(ctx, tx, municipality, n)
	if err != nil || !last || n.At.Before(row.SyncedAt.Truncate(time.Second)) {
		return row.Status, err
	}
	set := func(value *string, to string) {
		if to != "" {
			*value = to
		}
	}
	set(&row.Status, t.Status)
	set(&row.Category, t.Category)
	n.Field = whatsapp.FieldTemplateQuality // news of the status may tell of the quality too
	if last, err = latest(ctx, tx, municipality, n); err != nil {
		return "", err
	}
	if last {
		set(&row.Quality, t.Quality)
	}
	err = q.SetTemplate(ctx, store.SetTemplateParams{Status: row.Status, Category: row.Category, Quality: row.Quality, Components: rewritten(row.Components, t),
		MunicipalityID: municipality, WabaID: n.WABA, Name: t.Name, Language: t.Language})
	if err != nil {
		return "", fmt.Errorf("set template %s (%s): %w", t.Name, t.Language, err)
	}
	return row.Status, nil
}

// rewritten are the components of a template with its new texts. What it can't place waits for the next synchronisation.
func rewritten(components db.JSON, t whatsapp.TemplateNews) db.JSON {
	if t.Body == "" && t.Header == "" && t.Footer == "" && len(t.Buttons) == 0 {
		return components
	}
	var parts []map[string]any
	if json.Unmarshal(components, &parts) != nil {
		return components
	}
	set := func(part map[string]any, key, to string) {
		if to != "" && part != nil {
			part[key] = to
		}
	}
	for _, part := range parts {
		switch kind, _ := part["type"].(string); {
		case kind == "BODY":
			set(part, "text", t.Body)
		case kind == "HEADER" && part["format"] == "TEXT":
			set(part, "text", t.Header)
		case kind == "FOOTER":
			set(part, "text", t.Footer)
		case kind == "BUTTONS":
			buttons, _ := part["buttons"].([]any)
			for i, b := range buttons {
				if button, ok := b.(map[string]any); ok && len(buttons) == len(t.Buttons) {
					set(button, "text", t.Buttons[i].Text)
					set(button, "url", t.Buttons[i].URL)
					set(button, "phone_number", t.Buttons[i].Phone)
				}
			}
		}
	}
	out, err := db.ToJSON(parts)
	if err != nil { // it was JSON before
		return components
	}
	return out
}

// ApplyNumberNews brings what is known of the numbers that n is about to what it tells: of one number, or, where it
// names none, of all of the account. News older than what is known of a number change nothing.
func ApplyNumberNews(ctx context.Context, tx *db.Tx, m *Municipality, n News, told Health) error {
	last, err := latest(ctx, tx, m.ID, n)
	if err != nil || !last {
		return err
	}
	for _, number := range m.Numbers {
		if number.WABAID != n.WABA || n.Subject != "" && n.Subject != strings.TrimPrefix(number.E164, "+") {
			continue
		}
		known, err := store.New(tx).NumberHealth(ctx, store.NumberHealthParams{MunicipalityID: m.ID, PhoneNumberID: number.PhoneNumberID})
		if err != nil {
			return fmt.Errorf("read the health of number %s: %w", number.PhoneNumberID, err)
		}
		h := Health{Throughput: known.Throughput, Quality: known.Quality, MessagingLimit: known.MessagingLimit}
		if told.Throughput != "" {
			h.Throughput = told.Throughput
		}
		if told.MessagingLimit != "" {
			h.MessagingLimit = told.MessagingLimit
		}
		if err := SetNumberHealth(ctx, tx, m.ID, number.PhoneNumberID, h); err != nil {
			return err
		}
	}
	return nil
}
