// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

var (
	iconUse = regexp.MustCompile(`"(it-[a-z-]+)"`)
	symbol  = regexp.MustCompile(`<symbol id="(it-[a-z-]+)".*?</symbol>`)
)

// pickIcons makes a sprite of bootstrap-italia's icons that the pages name, and fails on a name it does not have.
func pickIcons(out *output) error {
	used, err := iconsUsed()
	if err != nil {
		return err
	}
	sprite, err := os.ReadFile(modules + "/bootstrap-italia/dist/svg/sprites.svg")
	if err != nil {
		return err
	}
	found := map[string][]byte{}
	for _, m := range symbol.FindAllSubmatch(sprite, -1) {
		found[string(m[1])] = m[0]
	}
	var picked bytes.Buffer
	picked.WriteString(`<svg xmlns="http://www.w3.org/2000/svg">`)
	for _, id := range used {
		if found[id] == nil {
			return fmt.Errorf("no icon %q in bootstrap-italia", id)
		}
		picked.Write(found[id])
	}
	picked.WriteString("</svg>\n")
	_, err = out.add("icons.svg", picked.Bytes())
	return err
}

func iconsUsed() ([]string, error) {
	files, err := filepath.Glob(pages + "/*.templ")
	if err != nil {
		return nil, err
	}
	goFiles, err := filepath.Glob(pages + "/*.go")
	if err != nil {
		return nil, err
	}
	var used []string
	for _, f := range append(files, goFiles...) {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		for _, m := range iconUse.FindAllSubmatch(text, -1) {
			used = append(used, string(m[1]))
		}
	}
	slices.Sort(used)
	return slices.Compact(used), nil
}

// copyPictures takes the project's own pictures as they are.
func copyPictures(out *output) error {
	pictures, err := filepath.Glob(sources + "/*.svg")
	if err != nil {
		return err
	}
	for _, p := range pictures {
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if _, err := out.add(filepath.Base(p), content); err != nil {
			return err
		}
	}
	return nil
}
