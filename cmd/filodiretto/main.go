// SPDX-License-Identifier: AGPL-3.0-or-later

// Command filodiretto is the whole program: the desk and everything to install and operate it.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/filodiretto/filodiretto/internal/app"
)

// The exit codes; scripts rely on them.
const (
	ok     = 0
	failed = 1
	usage  = 2
)

type commands struct {
	app.Settings `group:"Settings (flags or environment):"`

	Serve     serveCommand      `cmd:"" help:"Run the desk."`
	Demo      demoCommand       `cmd:"" help:"Try it: the desk with five invented towns and a pretend Meta. Needs nothing."`
	Simulate  simulateCommand   `cmd:"" help:"Run a pretend Meta: its API, its webhooks, and citizens' phones on a page."`
	Apply     applyCommand      `cmd:"" help:"Create or update municipalities from their files, all of them or none."`
	Migrate   migrateCommand    `cmd:"" help:"Bring the database up to date; every other command does so too."`
	Staff     staffCommands     `cmd:"" help:"Who works at the desks."`
	Token     tokenCommands     `cmd:"" help:"Tokens of programs that use the API."`
	Templates templatesCommands `cmd:"" help:"Message templates in Italian that come with the product."`
	Consents  consentsCommands  `cmd:"" help:"The proof of what citizens consented to."`
	Lists     listsCommands     `cmd:"" help:"Lists that citizens subscribe to."`
	Doctor    doctorCommand     `cmd:"" help:"Check the installation and Meta's side of it, and say what to do."`
	Backup    backupCommand     `cmd:"" help:"Write everything but the key to one file, while the desk runs."`
	Restore   restoreCommand    `cmd:"" help:"Bring a backup into an empty installation. Nothing is sent by it."`
	Version   versionCommand    `cmd:"" help:"Print the version."`
}

// terminal is what a command works with.
type terminal struct {
	ctx      context.Context
	settings app.Settings
	in       *os.File
	out      io.Writer
	errors   io.Writer
}

// log is for commands that run on; quiet for those that say themselves what they did.
func (t *terminal) log() *slog.Logger { return t.settings.Logger(t.errors) }

func (t *terminal) quiet() *slog.Logger {
	s := t.settings
	if s.LogLevel == "info" {
		s.LogLevel = "warn"
	}
	return s.Logger(t.errors)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal asks to finish; a second one ends at once
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	var cli commands
	parser, err := kong.New(&cli, kong.Name("filodiretto"), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("A WhatsApp desk for municipalities. Every setting is a flag or an environment variable."))
	if err != nil {
		return fail(err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "filodiretto: %v\nRun \"filodiretto --help\", or the command with --help, to see what there is.\n", err)
		return usage
	}
	t := &terminal{ctx: ctx, settings: cli.Settings, in: os.Stdin, out: os.Stdout, errors: os.Stderr}
	if err := command.Run(t); err != nil {
		return fail(err)
	}
	return ok
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "filodiretto:", app.Explain(err))
	return failed
}
