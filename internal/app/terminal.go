// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// commandLine is who acts in the audit trail when a command is run.
var commandLine = staff.System("cli")

// Explain is what a person at a terminal is told of err: where it holds a failure with a sentence for
// people, that sentence in the language of the terminal.
func Explain(err error) string {
	text := err.Error()
	var f *fault.Error
	if errors.As(err, &f) {
		text = strings.Replace(text, f.Error(), terminalLanguage(os.Getenv).T(locale.Key(f.Key), f.Args...), 1)
	}
	return text
}

// terminalLanguage is Italian where the terminal is (POSIX, environment variables), otherwise English.
func terminalLanguage(env func(string) string) locale.Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := env(name); value != "" {
			if strings.HasPrefix(value, "it") {
				return locale.Italian
			}
			return locale.English
		}
	}
	return locale.English
}

// withGround runs f on the open database and closes it.
func withGround(ctx context.Context, s Settings, log *slog.Logger, f func(*ground) error) error {
	g, err := open(ctx, s, log)
	if err != nil {
		return err
	}
	defer g.close()
	return f(g)
}

// municipality finds one by its slug.
func (g *ground) municipality(ctx context.Context, slug string) (*municipality.Municipality, error) {
	found, err := g.municipalities(ctx, slug)
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// municipalities are the one with the slug, or all where it is empty.
func (g *ground) municipalities(ctx context.Context, slug string) ([]*municipality.Municipality, error) {
	directory, err := municipality.NewDirectory(ctx, g.d, g.key)
	if err != nil {
		return nil, err
	}
	if slug == "" {
		return directory.All(), nil
	}
	if m, ok := directory.BySlug(slug); ok {
		return []*municipality.Municipality{m}, nil
	}
	var known []string
	for _, m := range directory.All() {
		known = append(known, m.Slug)
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("there is no municipality %q, nor any other: apply its file first", slug)
	}
	return nil, fmt.Errorf("there is no municipality %q: there are %s", slug, strings.Join(known, ", "))
}

// checkOffices keeps a misspelt office from locking somebody out of everything.
func checkOffices(m *municipality.Municipality, offices []string) error {
	var known []string
	for _, o := range m.File.Offices {
		known = append(known, o.ID)
	}
	for _, o := range offices {
		if !slices.Contains(known, o) {
			return fmt.Errorf("%s has no office %q: it has %s", m.Slug, o, strings.Join(known, ", "))
		}
	}
	return nil
}

// say writes lines for a person; that a terminal went away is no failure of the work.
func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}

// table prints columns.
type table struct{ *tabwriter.Writer }

func newTable(out io.Writer, heads ...string) table {
	t := table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	t.row(heads...)
	return t
}

func (t table) row(cells ...string) { say(t, "%s", strings.Join(cells, "\t")) }
