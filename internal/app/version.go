// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"io"
	"runtime/debug"
)

// version is set by the linker for a release.
var version = ""

// Version is the release, or the commit it was built from.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

// PrintVersion prints the version.
func PrintVersion(out io.Writer) error {
	say(out, "filodiretto %s", Version())
	return nil
}
