// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func toolStore(t *testing.T) *Store {
	t.Helper()
	s, err := NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// script runs a shell as the program, which no file can make us do: it does what a program led astray would.
func script(t *testing.T, s *Store, limit time.Duration, text string, use func(folder string) error) error {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	return s.run(t.Context(), limit, shell, func(string) []string { return []string{"-c", text} }, use)
}

func TestAProgramSeesNothingOfOurs(t *testing.T) {
	t.Setenv("FILODIRETTO_DATABASE", "postgres://secret")
	s := toolStore(t)
	var folder string
	err := script(t, s, time.Minute, `{ export; pwd; ls -a; } > seen`, func(in string) error {
		folder = in
		seen, err := os.ReadFile(filepath.Join(in, "seen"))
		if strings.Contains(string(seen), "secret") || !strings.Contains(string(seen), in) {
			t.Errorf("it sees\n%s", seen)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is still there: %v", err)
	}
}

func TestAProgramIsBounded(t *testing.T) {
	s := toolStore(t)
	if s.tools.Prlimit == "" {
		t.Fatal("prlimit is missing: scripts/install-test-tools.sh installs it")
	}
	never := func(string) error { t.Error("what it made is used"); return nil }
	for name, text := range map[string]string{
		"a file that is too large": `head -c 80000000 /dev/zero > large`,
		"too much memory":          `head -c 3000000000 /dev/zero | tail -c 2500000000 > /dev/null; exit $?`,
		"it fails":                 `exit 3`,
	} {
		if err := script(t, s, time.Minute, text, never); err == nil {
			t.Errorf("%s: it went well", name)
		}
	}
	left, err := os.ReadDir(filepath.Join(s.dir, incomingDir))
	if err != nil || len(left) != 0 {
		t.Errorf("%d are left, %v", len(left), err)
	}
}

// What hangs is ended with what it started, and does not hold up who waits.
func TestAProgramThatHangsIsEnded(t *testing.T) {
	s := toolStore(t)
	err := script(t, s, 50*time.Millisecond, `sleep 1000 & sleep 1000`, func(string) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
}

func TestAProgramThatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := toolStore(t)
	if s.tools != (Tools{}) {
		t.Fatalf("found %+v", s.tools)
	}
	if err := s.run(t.Context(), time.Minute, s.tools.FFmpeg, nil, nil); !errors.Is(err, errNoTool) {
		t.Errorf("it ended with %v", err)
	}
}

// A program's folder that a crash left has files in it.
func TestTheFolderOfADeadProgramIsSweptAway(t *testing.T) {
	s := toolStore(t)
	left := filepath.Join(s.dir, incomingDir, "tool-1")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "frame.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.sweep(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
