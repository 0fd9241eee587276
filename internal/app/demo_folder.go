// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// demoFolder is the data folder of a demo. A file in it says that it is one: without it nothing in the
// folder is ever touched, because it may be somebody's real desk.
type demoFolder string

const (
	demoMarker = "demo-state"
	demoBegun  = "begun\n" // the story is being told; a demo that ended here begins anew
	demoTold   = "told\n"
)

// begin makes the folder ready and reports whether everything in it has been told before.
func (f demoFolder) begin(reset bool) (told bool, err error) {
	state, err := os.ReadFile(f.path(demoMarker))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(f.path("filodiretto.db")); err == nil {
			return false, fmt.Errorf("%s holds a desk that is no demo: choose another folder with --data", string(f))
		}
	case err != nil:
		return false, fmt.Errorf("read the state of the demo: %w", err)
	case string(state) == demoTold && !reset:
		return true, nil
	default:
		if err := f.clear(); err != nil {
			return false, fmt.Errorf("clear the folder of the demo: %w", err)
		}
	}
	return false, f.mark(demoBegun)
}

// finish notes that everything has been told.
func (f demoFolder) finish() error { return f.mark(demoTold) }

func (f demoFolder) mark(state string) error {
	if err := os.WriteFile(f.path(demoMarker), []byte(state), 0o600); err != nil {
		return fmt.Errorf("note the state of the demo: %w", err)
	}
	return nil
}

// clear removes what demos make, and nothing else. The lock stays: it is held.
func (f demoFolder) clear() error {
	databases, err := filepath.Glob(f.path("filodiretto.*"))
	if err != nil {
		return err
	}
	errs := []error{os.RemoveAll(f.path("media")), os.RemoveAll(f.path("simulator"))}
	for _, name := range append(databases, f.path("secret.key")) {
		if strings.HasSuffix(name, ".lock") {
			continue
		}
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (f demoFolder) path(name string) string { return filepath.Join(string(f), name) }
