// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"context"
	"io"
	"log/slog"
)

// Migrate brings the database up to date, as every command that opens it does, and says so.
func Migrate(ctx context.Context, s Settings, out io.Writer, log *slog.Logger) error {
	return withGround(ctx, s, log, func(g *ground) error {
		say(out, "The database (%s) is up to date.", g.d.Engine)
		return nil
	})
}
