// SPDX-License-Identifier: AGPL-3.0-or-later

// Package examples holds the municipality files of five towns, for reading and for the demo, and the
// message templates that a Comune can hand in to Meta as they are.
package examples

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Files are the municipality files: carpi.yaml, pistoia.yaml, arezzo.yaml, montevarchi.yaml, rimini.yaml.
//
//go:embed *.yaml
var Files embed.FS

//go:embed templates/*.json
var templates embed.FS

// Templates are the message templates of templates/, by name, in the form in which Meta takes them.
func Templates() ([]whatsapp.TemplateDefinition, error) {
	names, err := fs.Glob(templates, "templates/*.json") // in order
	if err != nil {
		return nil, err
	}
	all := make([]whatsapp.TemplateDefinition, len(names))
	for i, name := range names {
		data, err := templates.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if all[i], err = whatsapp.ParseTemplateDefinition(data); err != nil {
			return nil, fmt.Errorf("examples/%s: %w", name, err)
		}
	}
	return all, nil
}
