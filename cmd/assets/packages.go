// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// installPackages runs npm ci when the lock file is not the one installed last.
func installPackages() error {
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		return fmt.Errorf("reading the lock file (run from the root of the repository): %w", err)
	}
	sum := sha256.Sum256(lock)
	stamp := filepath.Join(modules, ".lock-installed")
	if last, err := os.ReadFile(stamp); err == nil && bytes.Equal(last, sum[:]) {
		return nil
	}
	if err := run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		return err
	}
	return os.WriteFile(stamp, sum[:], 0o644)
}

func run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	output, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is missing: install Node 20 or later with npm", name)
	}
	if err != nil {
		return fmt.Errorf("running %s %v: %w\n%s", name, args, err, output)
	}
	return nil
}
