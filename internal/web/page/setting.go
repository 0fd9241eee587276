// SPDX-License-Identifier: AGPL-3.0-or-later

// Package page draws the desk: what a page needs is in plain structs, how it looks in templ components.
// It reads no database and knows no request.
package page

import (
	"context"
	"net/url"
	"time"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// Setting is what every component of one page shares.
type Setting struct {
	Language locale.Language
	Zone     *time.Location           // the municipality's
	Now      time.Time                // one instant for the whole page
	Base     string                   // "/desk/rimini"
	Asset    func(name string) string // the address of a built file: "desk.css" → "/assets/desk-….css"
}

type settingKey struct{}

// With makes s the setting of what is drawn with the returned context.
func With(ctx context.Context, s Setting) context.Context {
	return context.WithValue(ctx, settingKey{}, s)
}

// setting panics without With: a page drawn without its setting is a mistake of the program.
func setting(ctx context.Context) Setting { return ctx.Value(settingKey{}).(Setting) }

func language(ctx context.Context) locale.Language { return setting(ctx).Language }

func t(ctx context.Context, key locale.Key, args ...any) string {
	return language(ctx).T(key, args...)
}

func n(ctx context.Context, key locale.Key, count int, args ...any) string {
	return language(ctx).N(key, count, args...)
}

func number(ctx context.Context, count int) string { return language(ctx).Number(int64(count)) }

func asset(ctx context.Context, name string) string { return setting(ctx).Asset(name) }

// local brings at to the municipality's clock.
func local(ctx context.Context, at time.Time) time.Time { return at.In(setting(ctx).Zone) }

func clock(ctx context.Context, at time.Time) string {
	return language(ctx).Clock(local(ctx, at))
}

func when(ctx context.Context, at time.Time) string {
	return language(ctx).When(local(ctx, at), local(ctx, setting(ctx).Now))
}

func moment(ctx context.Context, at time.Time) string {
	return language(ctx).Moment(local(ctx, at), local(ctx, setting(ctx).Now))
}

func day(ctx context.Context, at time.Time) string {
	return language(ctx).Day(local(ctx, at), local(ctx, setting(ctx).Now))
}

func left(ctx context.Context, until time.Time) string {
	return language(ctx).Duration(until.Sub(setting(ctx).Now))
}

func size(ctx context.Context, bytes int64) string { return language(ctx).Size(bytes) }

// machine writes a time for programs, in a <time> element.
func machine(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// at makes an address under the desk of this municipality; every part is one segment of the path.
func at(ctx context.Context, parts ...string) string {
	address := setting(ctx).Base
	for _, p := range parts {
		address += "/" + url.PathEscape(p)
	}
	return address
}
