// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import "github.com/filodiretto/filodiretto/internal/app"

type consentsCommands struct {
	Verify consentsVerify `cmd:"" help:"Check that nothing in the consent register was changed or removed."`
	Export consentsExport `cmd:"" help:"Write the consent register as CSV to standard output."`
}

type consentsVerify struct {
	Municipality string `required:"" placeholder:"SLUG" help:"Whose register."`
}

func (c consentsVerify) Run(t *terminal) error {
	return app.ConsentsVerify(t.ctx, t.settings, c.Municipality, t.out, t.quiet())
}

type consentsExport struct {
	Municipality string `required:"" placeholder:"SLUG" help:"Whose register."`
}

func (c consentsExport) Run(t *terminal) error {
	return app.ConsentsExport(t.ctx, t.settings, c.Municipality, t.out, t.quiet())
}

type listsCommands struct {
	Import listsImport `cmd:"" help:"Take over a list that was kept elsewhere: CSV with the columns phone, basis, date, reference and, if wanted, name."`
}

type listsImport struct {
	Municipality string `required:"" placeholder:"SLUG" help:"Whose list."`
	List         string `required:"" placeholder:"KEYWORD" help:"The list's keyword in the municipality's file."`
	File         string `arg:"" help:"The file; a bad row refuses it as a whole."`
}

func (c listsImport) Run(t *terminal) error {
	return app.ListsImport(t.ctx, t.settings, c.Municipality, c.List, c.File, t.out, t.quiet())
}
