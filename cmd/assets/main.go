// SPDX-License-Identifier: AGPL-3.0-or-later

// Command assets builds what the pages load: one style sheet, two scripts, the icons and the fonts,
// from npm's packages and internal/web/assets into internal/web/dist, which the binary embeds.
// Run it from the root of the repository: go run ./cmd/assets
package main

import (
	"fmt"
	"os"
)

const (
	modules = "node_modules"
	sources = "internal/web/assets"
	pages   = "internal/web/page"
	dist    = "internal/web/dist"
)

func main() {
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1)
	}
}

func build() error {
	if err := installPackages(); err != nil {
		return err
	}
	out, err := newOutput(dist)
	if err != nil {
		return err
	}
	if err := purgeBootstrap(); err != nil {
		return err
	}
	if err := bundle(out); err != nil {
		return err
	}
	if err := joinLibraries(out); err != nil {
		return err
	}
	if err := pickIcons(out); err != nil {
		return err
	}
	if err := copyPictures(out); err != nil {
		return err
	}
	return out.close()
}
