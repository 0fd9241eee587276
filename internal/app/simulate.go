// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// Simulate runs the simulator of Meta on the address listen, with a seed unless it is 0, until ctx ends. Its state lasts in the
// data folder.
func Simulate(ctx context.Context, s Settings, listen string, seed uint64, out io.Writer, log *slog.Logger) error {
	if err := s.prepare(); err != nil {
		return err
	}
	server, err := simulator.New(simulator.Options{Listen: listen, Seed: seed, Data: filepath.Join(s.Data, "simulator"), Log: log})
	if err != nil {
		return err
	}
	say(out, "The phones are at http://%s/ and the Graph API too: set FILODIRETTO_GRAPH_URL to it.", listen)
	return server.Run(ctx)
}
