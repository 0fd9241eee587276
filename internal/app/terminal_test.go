// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// result is what a command did.
type result struct {
	out, problems string
	code          int
}

// try runs a command to its end, with something piped into it, and in English.
func (in *installation) try(input string, args ...string) result {
	in.t.Helper()
	var out, problems bytes.Buffer
	c := in.cmd(in.t.Context(), args...)
	c.Env = append(c.Env, "LC_ALL=C.UTF-8")
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &out, &problems
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		in.t.Fatal(err)
	}
	return result{out.String(), problems.String(), c.ProcessState.ExitCode()}
}

// want fails unless the command ended with code and said all of the words, wherever.
func (r result) want(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d; it said:\n%s%s", r.code, code, r.out, r.problems)
	}
	for _, w := range words {
		if !strings.Contains(r.out+r.problems, w) {
			t.Errorf("it does not say %q but:\n%s%s", w, r.out, r.problems)
		}
	}
}

// file writes a file for a command and returns its name.
func (in *installation) file(name, content string) string {
	in.t.Helper()
	path := filepath.Join(in.data, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		in.t.Fatal(err)
	}
	return path
}

// second is testFile for another municipality, with a number of its own.
var second = strings.NewReplacer("slug: prova", "slug: seconda", "Comune di Prova", "Comune di Seconda", "100000000000001", "100000000000002").Replace(testFile)

// each runs f over an installation on each engine.
func each(t *testing.T, f func(t *testing.T, in *installation)) {
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) { f(t, install(t, address)) })
	}
}

func TestExitCodes(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	tests := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"version"}, 0, "filodiretto "},
		{[]string{"--help"}, 0, "FILODIRETTO_DATABASE"},
		{[]string{"migrate"}, 0, "up to date"},
		{nil, 2, "--help"},
		{[]string{"fly"}, 2, "fly"},
		{[]string{"apply"}, 2, "file"},
		{[]string{"backup"}, 2, "file"},
		{[]string{"token", "create", "--name", "x"}, 2, "municipality"},
		{[]string{"staff", "add", "--municipality", "prova", "--email", "a@b.it", "--name", "Anna", "--role", "boss"}, 2, "role"},
		{[]string{"--log-format", "xml", "version"}, 2, "log-format"},
		{[]string{"apply", "nowhere.yaml"}, 1, "nowhere.yaml"},
		{[]string{"token", "create", "--municipality", "altrove", "--name", "x"}, 1, "there are prova"},
		{[]string{"restore", "nowhere.tar"}, 1, "not empty"},
		{[]string{"--database", "mysql:x", "migrate"}, 1, "sqlite: or postgres://"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			in.t = t
			in.try("", test.args...).want(t, test.code, test.says)
		})
	}
}

// No command ever prints a secret, nor does any file it writes for others hold one.
func TestSecretsAreNeverPrinted(t *testing.T) {
	secrets := []string{"EAAtokenTOKENtoken", "0123456789abcdefSECRET", "verifyVERIFYverify", "giraffa-telefono-lago"}
	file := strings.NewReplacer(`access_token: "simulator"`, "access_token: "+secrets[0], `app_secret: "simulator"`, "app_secret: "+secrets[1],
		`verify_token: "simulator"`, "verify_token: "+secrets[2]).Replace(second)
	each(t, func(t *testing.T, in *installation) {
		name := in.file("seconda.yaml", file)
		archive := filepath.Join(in.data, "backup.tar")
		var said strings.Builder
		run := func(input string, args ...string) {
			r := in.try(input, append([]string{"--log-level", "debug"}, args...)...)
			said.WriteString(r.out + r.problems)
		}
		run("", "apply", name)
		run("", "apply", in.file("again.yaml", strings.ReplaceAll(file, secrets[0], secrets[0]+"2")))
		run(secrets[3], "staff", "add", "--municipality", "seconda", "--email", "anna@example.it", "--name", "Anna", "--role", "operator")
		run("", "staff", "list")
		run("", "token", "list")
		run("", "doctor")
		run("", "doctor", "--fix")
		run("", "backup", archive)
		if !strings.Contains(said.String(), "whatsapp[main].access_token changed") {
			t.Errorf("a changed secret is not told:\n%s", said.String())
		}
		written, err := os.ReadFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		key, err := os.ReadFile(filepath.Join(in.data, "secret.key"))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range append(secrets, strings.TrimSpace(string(key))) {
			if strings.Contains(said.String(), s) {
				t.Errorf("%q was printed", s)
			}
			if bytes.Contains(written, []byte(s)) {
				t.Errorf("%q is in the backup", s)
			}
		}
	})
}
