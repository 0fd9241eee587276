// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import "github.com/filodiretto/filodiretto/internal/app"

type serveCommand struct{}

func (serveCommand) Run(t *terminal) error { return app.Serve(t.ctx, t.settings, t.log(), nil) }

type demoCommand struct {
	Reset bool `help:"Begin anew."`
}

func (c demoCommand) Run(t *terminal) error {
	return app.Demo(t.ctx, t.settings, app.DemoOptions{Reset: c.Reset}, t.out, t.quiet())
}

type simulateCommand struct {
	Listen string `name:"simulator-listen" env:"FILODIRETTO_SIMULATOR_LISTEN" default:"127.0.0.1:8090" help:"Address of the simulator."`
	Seed   uint64 `name:"simulator-seed" env:"FILODIRETTO_SIMULATOR_SEED" help:"Seed of its ids and delays, so that the same calls give the same results; 0: another one each time."`
}

func (c simulateCommand) Run(t *terminal) error {
	return app.Simulate(t.ctx, t.settings, c.Listen, c.Seed, t.out, t.log())
}

type applyCommand struct {
	Files []string `arg:"" name:"file" help:"Municipality files, see docs/municipality-file.md."`
}

func (c applyCommand) Run(t *terminal) error {
	return app.Apply(t.ctx, t.settings, c.Files, t.out, t.quiet())
}

type migrateCommand struct{}

func (migrateCommand) Run(t *terminal) error {
	return app.Migrate(t.ctx, t.settings, t.out, t.quiet())
}

type doctorCommand struct {
	Fix bool `help:"Set the address at Meta that webhooks go to, where it is another."`
}

func (c doctorCommand) Run(t *terminal) error {
	return app.Doctor(t.ctx, t.settings, app.DoctorOptions{Fix: c.Fix}, t.out, t.quiet())
}

type backupCommand struct {
	File string `arg:"" help:"File to write."`
}

func (c backupCommand) Run(t *terminal) error {
	return app.Backup(t.ctx, t.settings, c.File, t.out, t.quiet())
}

type restoreCommand struct {
	File string `arg:"" help:"File that backup wrote."`
}

func (c restoreCommand) Run(t *terminal) error {
	return app.Restore(t.ctx, t.settings, c.File, t.out, t.quiet())
}

type versionCommand struct{}

func (versionCommand) Run(t *terminal) error { return app.PrintVersion(t.out) }
