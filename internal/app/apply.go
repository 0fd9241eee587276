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

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/outbound"
)

// Apply creates or updates the municipalities that the files describe, all of them or none, and prints
// to out what changed. Whatever is wrong in any of the files is in the error, a line each.
func Apply(ctx context.Context, s Settings, files []string, out io.Writer, log *slog.Logger) error {
	parsed, err := parseFiles(files)
	if err != nil {
		return err
	}
	return withGround(ctx, s, log, func(g *ground) error {
		report, err := g.apply(ctx, parsed)
		if err == nil {
			_, _ = io.WriteString(out, report)
		}
		return err
	})
}

// apply returns what to print: what changed is told only once it is committed.
func (g *ground) apply(ctx context.Context, files []*municipality.File) (report string, err error) {
	err = g.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		var lines strings.Builder
		for _, f := range files {
			m, changes, err := municipality.Apply(ctx, tx, g.key, f)
			if err != nil {
				return err
			}
			describe(&lines, f.Slug, changes)
			if len(changes) == 0 {
				continue
			}
			if err := tx.Enqueue(ctx, outbound.SyncArgs{Municipality: m.ID}, nil); err != nil {
				return err
			}
		}
		report = lines.String()
		return nil
	})
	return report, err
}

func describe(out io.Writer, slug string, changes []municipality.Change) {
	switch {
	case len(changes) == 0:
		say(out, "%s: no change", slug)
	case slices.ContainsFunc(changes, func(c municipality.Change) bool { return c.Path == "slug" }):
		say(out, "%s: created", slug)
	default:
		say(out, "%s: updated", slug)
	}
	for _, c := range changes {
		say(out, "  %s", c)
	}
}

const maxMunicipalityFile = 1<<20 + 1 // bytes: one more than ParseFile takes, so that it can say so

// parseFiles reads all files before anything is opened, so that all that is wrong is told at once.
func parseFiles(names []string) ([]*municipality.File, error) {
	var files []*municipality.File
	var problems []error
	by := map[string]string{}
	for _, name := range names {
		f, err := parseFile(name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if other, twice := by[f.Slug]; twice {
			problems = append(problems, fmt.Errorf("%s: describes %s, as %s does: apply one of them", name, f.Slug, other))
		}
		by[f.Slug] = name
		files = append(files, f)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("nothing was applied:\n%w", errors.Join(problems...))
	}
	return files, nil
}

func parseFile(name string) (_ *municipality.File, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, maxMunicipalityFile))
	if err != nil {
		return nil, err
	}
	return municipality.ParseFile(name, data, os.LookupEnv)
}
