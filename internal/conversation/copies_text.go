// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"strings"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
)

// CopyText is what the copies of a broadcast say.
type CopyText struct {
	Broadcast int64
	Template  Template
	Text      string // of the template, filled in
	Free      string // of those that go as text
}

// NamePlace stands in a broadcast's text where each citizen reads their own name.
const NamePlace = "{name}"

// SetCopyText keeps what the copies of a broadcast say, before there are any.
func SetCopyText(ctx context.Context, tx *db.Tx, municipality int64, c CopyText) error {
	detail, err := db.ToJSON(Detail{Template: &c.Template})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO broadcast_content (municipality_id, broadcast_id, text, detail, free) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (municipality_id, broadcast_id) DO UPDATE SET text = excluded.text, detail = excluded.detail, free = excluded.free`,
		municipality, c.Broadcast, c.Text, detail, c.Free)
	if err != nil {
		return fmt.Errorf("keep the text of broadcast %d: %w", c.Broadcast, err)
	}
	return nil
}

// fillCopies gives copies what their broadcast says, with the citizen's name in its places.
func fillCopies(ctx context.Context, tx *db.Tx, municipality int64, found []Message) error {
	contents, err := contentsOf(ctx, tx, municipality, found)
	if err != nil || len(contents) == 0 {
		return err
	}
	names, err := namesFor(ctx, tx, municipality, found, contents)
	if err != nil {
		return err
	}
	for i := range found {
		if c, ok := contents[found[i].BroadcastID]; ok {
			c.fill(&found[i], names[found[i].ContactID])
		}
	}
	return nil
}

func contentsOf(ctx context.Context, tx *db.Tx, municipality int64, found []Message) (map[int64]CopyText, error) {
	contents := make(map[int64]CopyText)
	var rows [][]any
	for _, m := range found {
		if _, seen := contents[m.BroadcastID]; m.BroadcastID != 0 && !seen {
			contents[m.BroadcastID] = CopyText{}
			rows = append(rows, []any{municipality, m.BroadcastID})
		}
	}
	err := tx.Query(ctx, `SELECT broadcast_id, text, detail, free FROM broadcast_content WHERE municipality_id = $1 AND broadcast_id = $2`, rows,
		func(_ int, row db.Scanner) error {
			var c CopyText
			var column db.JSON
			if err := row.Scan(&c.Broadcast, &c.Text, &column, &c.Free); err != nil {
				return err
			}
			var detail Detail
			err := column.Into(&detail)
			if detail.Template != nil {
				c.Template = *detail.Template
			}
			contents[c.Broadcast] = c
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("load what broadcasts say: %w", err)
	}
	return contents, nil
}

func namesFor(ctx context.Context, tx *db.Tx, municipality int64, found []Message, contents map[int64]CopyText) (map[int64]string, error) {
	names := make(map[int64]string)
	var rows [][]any
	for _, m := range found {
		if contents[m.BroadcastID].personal() {
			rows = append(rows, []any{municipality, m.ContactID})
		}
	}
	err := tx.Query(ctx, `SELECT contact_id, name FROM contact WHERE municipality_id = $1 AND contact_id = $2`, rows, func(_ int, row db.Scanner) error {
		var id int64
		var name string
		err := row.Scan(&id, &name)
		names[id] = name
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the names of recipients: %w", err)
	}
	return names, nil
}

func (c CopyText) personal() bool {
	return strings.Contains(c.Text, NamePlace) || strings.Contains(c.Free, NamePlace)
}

func (c CopyText) fill(m *Message, name string) {
	if first, again := strings.CutPrefix(m.ClientKey, resendPrefix); again {
		m.Detail.ResendOf, _ = db.ParseID(first)
	}
	if m.Type == TypeText {
		m.MediaID = 0 // that stands above the template
		m.Text = Personal(c.Free, name, c.Template.Language)
		return
	}
	t := c.Template
	t.Texts = nil
	for _, text := range c.Template.Texts {
		t.Texts = append(t.Texts, Personal(text, name, c.Template.Language))
	}
	m.Text, m.Detail.Template = Personal(c.Text, name, c.Template.Language), &t
}

// maxGreeted bounds a name in a text: profiles hold all sorts of things.
const maxGreeted = 40

// Personal puts a citizen's name in its places; who has none is greeted without, in the language of the template.
func Personal(text, name, language string) string {
	if !strings.Contains(text, NamePlace) {
		return text
	}
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > maxGreeted {
		name = strings.TrimSpace(string(runes[:maxGreeted]))
	}
	if name == "" {
		name = locale.Match(strings.ReplaceAll(language, "_", "-")).T("citizen.nameless")
	}
	return strings.ReplaceAll(text, NamePlace, name)
}
