// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/filodiretto/filodiretto/internal/app"
)

type staffCommands struct {
	Add   staffAdd   `cmd:"" help:"Give somebody a place at a desk. Their password is read from standard input if something is piped in; otherwise a link is printed by which they choose one."`
	Reset staffReset `cmd:"" help:"Give somebody a new password, or a link by which they choose one."`
	List  staffList  `cmd:"" help:"List who works at the desks."`
}

type staffAdd struct {
	Municipality string   `required:"" placeholder:"SLUG" help:"Where they work."`
	Email        string   `required:"" help:"What they sign in with."`
	Name         string   `required:"" help:"As colleagues know them."`
	Role         string   `required:"" enum:"operator,supervisor,administrator,auditor" help:"operator, supervisor, administrator or auditor."`
	Office       []string `placeholder:"ID" sep:"none" help:"Restrict to an office; may be repeated."`
	password
}

func (c staffAdd) Run(t *terminal) error {
	plain, err := c.read(t.in)
	if err != nil {
		return err
	}
	n := app.NewStaff{Municipality: c.Municipality, Email: c.Email, Name: c.Name, Role: c.Role, Offices: c.Office, Password: plain}
	return app.StaffAdd(t.ctx, t.settings, n, t.out, t.quiet())
}

type staffReset struct {
	Email string `required:"" help:"What they sign in with."`
	password
}

func (c staffReset) Run(t *terminal) error {
	plain, err := c.read(t.in)
	if err != nil {
		return err
	}
	return app.StaffReset(t.ctx, t.settings, c.Email, plain, t.out, t.quiet())
}

type staffList struct {
	Municipality string `placeholder:"SLUG" help:"Only of this one."`
}

func (c staffList) Run(t *terminal) error {
	return app.StaffList(t.ctx, t.settings, c.Municipality, t.out, t.quiet())
}

// password says where a password comes from: never from an argument, which other users of the machine can see.
type password struct {
	PasswordStdin bool `xor:"password" help:"Read the password from standard input, also from a terminal."`
	Link          bool `xor:"password" help:"Print a one-time link, whatever standard input is."`
}

const maxLine = 4096

// read is the first line of standard input, or nothing where a link is wanted. From a pipe that is
// empty nothing is wanted either: that is how service managers and cron start programs.
func (p password) read(in *os.File) (string, error) {
	if p.Link || !p.PasswordStdin && !piped(in) {
		return "", nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" && p.PasswordStdin {
		return "", errors.New("no password came on standard input")
	}
	return line, nil
}

// piped tells whether something was put before the program: a pipe or a file, not a terminal or /dev/null.
func piped(in *os.File) bool {
	info, err := in.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice == 0
}
