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

// gap stands in a template's text where v goes.
func gap(ctx context.Context, v Variable) string {
	if _, err := strconv.Atoi(v.Name); err == nil {
		return "[" + t(ctx, "desk.template.place", "n", v.Name) + "]"
	}
	return "[" + readable(v.Name) + "]"
}

// gaps is a template's text with gaps in it that people can read.
func gaps(ctx context.Context, text string, variables []Variable) string {
	for _, v := range variables {
		text = strings.ReplaceAll(text, "{{"+v.Name+"}}", gap(ctx, v))
	}
	return text
}

// languageName is in what language a template is.
func languageName(ctx context.Context, code string) string {
	switch base, _, _ := strings.Cut(code, "_"); base {
	case "it":
		return t(ctx, "desk.template.language_it")
	case "en":
		return t(ctx, "desk.template.language_en")
	default:
		return code
	}
}

// about is what is said of a template beside its name; its language only where there are several.
func (p Templates) about(ctx context.Context, c TemplateChoice) string {
	for _, other := range p.Templates {
		if other.Language != c.Language {
			return languageName(ctx, c.Language) + " · " + t(ctx, categoryKey(c.Category))
		}
	}
	return t(ctx, categoryKey(c.Category))
}

func variableLabel(ctx context.Context, v Variable) string {
	if _, err := strconv.Atoi(v.Name); err == nil {
		return t(ctx, "desk.template.place", "n", v.Name)
	}
	return t(ctx, "desk.template.variable", "name", readable(v.Name))
}
