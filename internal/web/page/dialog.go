// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"strconv"
	"strings"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// resolveReasons are the usual reasons to close without a reply; any other is written.
var resolveReasons = []locale.Key{
	"desk.resolve.thanks",
	"desk.resolve.elsewhere",
	"desk.resolve.duplicate",
	"desk.resolve.unwanted",
}

// readable writes a template's name, which Meta allows in lower case and underscores only, as words.
func readable(name string) string { return strings.ReplaceAll(name, "_", " ") }

// templateNames are the names of templates in a sentence.
func templateNames(ctx context.Context, names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = readable(name)
	}
	return language(ctx).List(words)
}

func categoryKey(category string) locale.Key {
	return locale.Key("desk.template.category." + strings.ToLower(category))
}

func variableLabel(ctx context.Context, v Variable) string {
	if _, err := strconv.Atoi(v.Name); err == nil {
		return t(ctx, "desk.template.place", "n", v.Name)
	}
	return t(ctx, "desk.template.variable", "name", readable(v.Name))
}
