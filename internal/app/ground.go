// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/secret"
)

// ground is what every command stands on: the open database and the key.
type ground struct {
	Settings
	d   *db.DB
	key *secret.Key
	log *slog.Logger
}

// open opens the database, migrates it, and reads or makes the key.
func open(ctx context.Context, s Settings, log *slog.Logger) (*ground, error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	key, err := secret.Load(s.KeyFile())
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	d, err := db.Open(ctx, db.Options{DSN: s.Database, Log: log.With("part", "database")})
	if err != nil {
		return nil, err
	}
	return &ground{Settings: s, d: d, key: key, log: log}, nil
}

func (g *ground) close() {
	if err := g.d.Close(); err != nil {
		g.log.Warn("the database did not close cleanly", "error", err)
	}
}
