// SPDX-License-Identifier: AGPL-3.0-or-later

// Package examples holds the municipality files of five towns, for reading and for the demo.
package examples

import "embed"

// Files are the municipality files: carpi.yaml, pistoia.yaml, arezzo.yaml, montevarchi.yaml, rimini.yaml.
//
//go:embed *.yaml
var Files embed.FS
