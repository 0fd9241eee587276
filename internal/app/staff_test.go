// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

const goodPassword = "giraffa telefono lago"

func TestStaffIsAddedListedAndReset(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.try("", "apply", in.file("seconda.yaml", second)).want(t, 0)
		add := func(input, slug, email, role string, more ...string) result {
			args := append([]string{"staff", "add", "--municipality", slug, "--email", email, "--name", "Anna Rossi", "--role", role}, more...)
			return in.try(input, args...)
		}
		add(goodPassword+"\n", "prova", "Anna@Example.it", "administrator").want(t, 0, "anna@example.it", in.url+"/desk/prova")
		add("short\n", "prova", "luca@example.it", "operator").want(t, 1, "at least 12 characters")
		add("", "prova", "anna@example.it", "operator").want(t, 1, "already works for this municipality", "staff reset")
		add("", "prova", "luca@example.it", "operator", "--office", "anagrafe").want(t, 1, `no office "anagrafe"`, "urp")
		add("", "prova", "luca", "operator").want(t, 1, "not valid")

		// An account that is there joins the other municipality; its password stays.
		r := add("another password here\n", "seconda", "anna@example.it", "auditor")
		r.want(t, 0, "stay as they are")
		if strings.Contains(r.out, "One-time link") {
			t.Errorf("an account with a password was invited: %s", r.out)
		}
		r = add("", "prova", "luca@example.it", "operator", "--office", "urp")
		r.want(t, 0, "One-time link")
		if got := in.invited(linkIn(t, in, r.out)); got != "luca@example.it" {
			t.Errorf("the link is for %q", got)
		}
		r = in.try("", "staff", "list")
		r.want(t, 0)
		for _, line := range []string{`prova +anna@example.it +Anna Rossi +administrator +all +active`, `prova +luca@example.it +Anna Rossi +operator +urp +invited`,
			`seconda +anna@example.it +Anna Rossi +auditor +all +active`} {
			if !regexp.MustCompile(line).MatchString(r.out) {
				t.Errorf("no line is like %q in\n%s", line, r.out)
			}
		}
		r = in.try("", "staff", "reset", "--email", "ANNA@example.it")
		r.want(t, 0, "One-time link")
		if got := in.invited(linkIn(t, in, r.out)); got != "anna@example.it" {
			t.Errorf("the link is for %q", got)
		}
		in.try("a long and different one\n", "staff", "reset", "--email", "anna@example.it", "--password-stdin").want(t, 0, "new password")
		if got := in.invited(linkIn(t, in, r.out)); got != "" {
			t.Error("a link works after the password was set")
		}
		in.try("", "staff", "reset", "--email", "nobody@example.it").want(t, 1)
	})
}

// linkIn is the token of the one-time link, which is the last word.
func linkIn(t *testing.T, in *installation, out string) string {
	t.Helper()
	words := strings.Fields(out)
	token, ok := strings.CutPrefix(words[len(words)-1], in.url+"/desk/prova/invitation/")
	if !ok || len(token) < 40 {
		t.Errorf("the last word is no link: %s", out)
	}
	return token
}

// invited is the e-mail of the account that a one-time link is for.
func (in *installation) invited(token string) (email string) {
	in.t.Helper()
	d, err := db.Open(in.t.Context(), db.Options{DSN: in.address})
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	err = d.View(in.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		a, err := staff.Invitation(ctx, tx, token)
		email = a.Email
		return err
	})
	if err != nil && email != "" {
		in.t.Fatal(err)
	}
	return email
}
