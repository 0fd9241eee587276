// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// purged is where the used part of bootstrap-italia's style sheet goes; desk.css imports it.
const purged = modules + "/.purged/bootstrap-italia.min.css"

// purgeBootstrap keeps of bootstrap-italia's 600 KB of CSS the rules whose words the pages contain.
func purgeBootstrap() error {
	if err := os.MkdirAll(filepath.Dir(purged), 0o755); err != nil {
		return err
	}
	return run("node", modules+"/purgecss/bin/purgecss.js",
		"--css", modules+"/bootstrap-italia/dist/css/bootstrap-italia.min.css",
		"--content", pages+"/*.templ",
		"--variables", "--keyframes", "--font-face",
		"--output", filepath.Dir(purged))
}

// bundle builds desk.css and desk.js with what they import. Fonts go first,
// because the style sheet names them by their hashed names.
func bundle(out *output) error {
	fonts := map[string]string{}
	for _, weight := range []string{"regular", "600"} {
		content, err := os.ReadFile(modules + "/bootstrap-italia/dist/fonts/Titillium_Web/titillium-web-v10-latin-ext_latin-" + weight + ".woff2")
		if err != nil {
			return err
		}
		name := "titillium-" + weight + ".woff2"
		if fonts[name], err = out.add(name, content); err != nil {
			return err
		}
	}
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{sources + "/desk.css", sources + "/desk.js"},
		Outdir:            dist,
		Bundle:            true,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Format:            api.FormatIIFE,
		Target:            api.ES2022,
		External:          []string{"*.woff2"},
		LegalComments:     api.LegalCommentsNone,
		LogLevel:          api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return fmt.Errorf("bundling: %s", result.Errors[0].Text)
	}
	for _, f := range result.OutputFiles {
		text := string(f.Contents)
		for name, hashed := range fonts {
			text = strings.ReplaceAll(text, name, hashed)
		}
		if _, err := out.add(filepath.Base(f.Path), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// joinLibraries puts htmx and its extensions in one classic script: they share a global,
// and bundled as modules the extensions silently do nothing.
func joinLibraries(out *output) error {
	var joined bytes.Buffer
	for _, path := range []string{
		"htmx.org/dist/htmx.min.js",
		"htmx-ext-sse/dist/sse.min.js",
		"idiomorph/dist/idiomorph-ext.min.js",
	} {
		script, err := os.ReadFile(filepath.Join(modules, path))
		if err != nil {
			return err
		}
		joined.Write(script)
		joined.WriteString("\n;\n")
	}
	_, err := out.add("libraries.js", joined.Bytes())
	return err
}
