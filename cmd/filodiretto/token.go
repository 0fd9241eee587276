// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import "github.com/filodiretto/filodiretto/internal/app"

type tokenCommands struct {
	Create tokenCreate `cmd:"" help:"Make a token and print it, this once."`
	Revoke tokenRevoke `cmd:"" help:"End a token for good."`
	List   tokenList   `cmd:"" help:"List the tokens, never what they are."`
}

type tokenCreate struct {
	Municipality string   `required:"" placeholder:"SLUG" help:"What the program may use."`
	Name         string   `required:"" help:"The program's; it is the author of what it writes."`
	Office       []string `placeholder:"ID" sep:"none" help:"Restrict to an office; may be repeated."`
}

func (c tokenCreate) Run(t *terminal) error {
	return app.TokenCreate(t.ctx, t.settings, c.Municipality, c.Name, c.Office, t.out, t.quiet())
}

type tokenRevoke struct {
	Municipality string `required:"" placeholder:"SLUG" help:"Whose token it is."`
	Name         string `required:"" help:"Its name, or its id from the list."`
}

func (c tokenRevoke) Run(t *terminal) error {
	return app.TokenRevoke(t.ctx, t.settings, c.Municipality, c.Name, t.out, t.quiet())
}

type tokenList struct {
	Municipality string `placeholder:"SLUG" help:"Only of this one."`
}

func (c tokenList) Run(t *terminal) error {
	return app.TokenList(t.ctx, t.settings, c.Municipality, t.out, t.quiet())
}
