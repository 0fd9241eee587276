// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/examples"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/outbound"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// submitFor bounds all calls to Meta for one template.
const submitFor = 30 * time.Second

// TemplatesList prints the templates that come with the product and what Meta says of each for the
// municipality's accounts.
func TemplatesList(ctx context.Context, s Settings, slug string, out io.Writer, log *slog.Logger) error {
	return withTemplates(ctx, s, slug, nil, log, func(t *templateWork) error {
		table := newTable(out, "TEMPLATE", "LANGUAGE", "CATEGORY", "ACCOUNT", "AT META")
		for _, account := range t.accounts {
			there, err := t.graph.Templates(ctx, account)
			if err != nil {
				return err
			}
			for _, d := range t.definitions {
				state := "not submitted"
				if known, ok := find(there, d); ok {
					state = describeTemplate(known.Status, known.Category, d.Category)
				}
				table.row(d.Name, d.Language, d.Category, account.WABAID, state)
			}
		}
		return table.Flush()
	})
}

// TemplatesSubmit hands the templates with these names, or all, in to Meta for the municipality's accounts and
// prints what Meta says to each. Those already there stay as they are.
func TemplatesSubmit(ctx context.Context, s Settings, slug string, names []string, out io.Writer, log *slog.Logger) error {
	return withTemplates(ctx, s, slug, names, log, func(t *templateWork) error {
		failed := 0
		for _, account := range t.accounts {
			there, err := t.graph.Templates(ctx, account)
			if err != nil {
				return err
			}
			for _, d := range t.definitions {
				line, err := t.submit(ctx, account, there, d)
				if err != nil {
					failed++
					line = err.Error()
				}
				say(out, "%s: %s", d.Name, line)
			}
		}
		if err := t.g.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			return tx.Enqueue(ctx, outbound.SyncArgs{Municipality: t.m.ID}, nil)
		}); err != nil {
			return fmt.Errorf("ask for the templates of %s to be read again: %w", slug, err)
		}
		if failed > 0 {
			return fmt.Errorf("%d of %d templates were not submitted", failed, len(t.definitions)*len(t.accounts))
		}
		return nil
	})
}

// templateWork is what both commands work with.
type templateWork struct {
	g           *ground
	m           *municipality.Municipality
	graph       *whatsapp.Client
	accounts    []whatsapp.Account // one for each WABA of the municipality
	definitions []whatsapp.TemplateDefinition
}

func withTemplates(ctx context.Context, s Settings, slug string, names []string, log *slog.Logger, f func(*templateWork) error) error {
	definitions, err := shipped(names)
	if err != nil {
		return err
	}
	return withGround(ctx, s, log, func(g *ground) error {
		m, err := g.municipality(ctx, slug)
		if err != nil {
			return err
		}
		t := &templateWork{g: g, m: m, definitions: definitions, accounts: accountsOf(m),
			graph: whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: s.GraphURL, Version: s.GraphVersion})}
		defer t.graph.CloseIdle()
		return f(t)
	})
}

// shipped are the templates with these names, or all where none is named.
func shipped(names []string) ([]whatsapp.TemplateDefinition, error) {
	all, err := examples.Templates()
	if err != nil || len(names) == 0 {
		return all, err
	}
	var chosen []whatsapp.TemplateDefinition
	for _, name := range names {
		i := slices.IndexFunc(all, func(d whatsapp.TemplateDefinition) bool { return d.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no template %q: there are %s", name, strings.Join(namesOf(all), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func namesOf(all []whatsapp.TemplateDefinition) []string {
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = d.Name
	}
	return names
}

func accountsOf(m *municipality.Municipality) []whatsapp.Account {
	var accounts []whatsapp.Account
	for _, n := range m.Numbers {
		if !slices.ContainsFunc(accounts, func(a whatsapp.Account) bool { return a.WABAID == n.WABAID }) {
			accounts = append(accounts, n.Account())
		}
	}
	return accounts
}

func find(there []whatsapp.Template, d whatsapp.TemplateDefinition) (whatsapp.Template, bool) {
	i := slices.IndexFunc(there, func(t whatsapp.Template) bool { return t.Name == d.Name && t.Language == d.Language })
	if i < 0 {
		return whatsapp.Template{}, false
	}
	return there[i], true
}

// submit hands one template in and says what came of it.
func (t *templateWork) submit(ctx context.Context, account whatsapp.Account, there []whatsapp.Template, d whatsapp.TemplateDefinition) (string, error) {
	if known, ok := find(there, d); ok {
		return "is there already: " + describeTemplate(known.Status, known.Category, d.Category), nil
	}
	ctx, cancel := context.WithTimeout(ctx, submitFor)
	defer cancel()
	created, err := t.graph.CreateTemplate(ctx, account, d)
	if refused, ok := errors.AsType[*whatsapp.GraphError](err); ok {
		if refused.TemplateExists() {
			return "is there already, or was deleted less than 30 days ago", nil
		}
		return "", fmt.Errorf("refused by Meta: %s (%d): %s", cmp.Or(refused.UserMessage, refused.Message, "no reason told"), refused.Code, refused.Details)
	}
	if err != nil {
		return "", err
	}
	return describeTemplate(created.Status, created.Category, d.Category), nil
}

// describeTemplate says how a template stands, and that Meta has made another category of it, which
// changes its price and who may get it.
func describeTemplate(status, category, asked string) string {
	if category == asked {
		return fmt.Sprintf("%s, %s", status, category)
	}
	return fmt.Sprintf("%s, %s (Meta's choice, not %s)", status, category, asked)
}
