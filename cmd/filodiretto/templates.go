// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import "github.com/filodiretto/filodiretto/internal/app"

type templatesCommands struct {
	List   templatesList   `cmd:"" help:"List them and how they stand at Meta."`
	Submit templatesSubmit `cmd:"" help:"Hand them in to Meta for approval, and print its answer to each."`
}

type templatesList struct {
	Municipality string `required:"" placeholder:"SLUG" help:"Whose WhatsApp Business Account is asked."`
}

func (c templatesList) Run(t *terminal) error {
	return app.TemplatesList(t.ctx, t.settings, c.Municipality, t.out, t.quiet())
}

type templatesSubmit struct {
	Municipality string   `required:"" placeholder:"SLUG" help:"To whose WhatsApp Business Account they go."`
	Names        []string `arg:"" optional:"" name:"name" help:"Only these; all when none is named."`
}

func (c templatesSubmit) Run(t *terminal) error {
	return app.TemplatesSubmit(t.ctx, t.settings, c.Municipality, c.Names, t.out, t.quiet())
}
