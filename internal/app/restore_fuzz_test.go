// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"path/filepath"
	"strings"
	"testing"
)

// An archive that somebody tampered with writes nowhere but into the two folders made for it.
func FuzzPlaceOf(f *testing.F) {
	for _, name := range []string{"media/ab/cd", "media/../../x", "media", "media/", "/media/x", "database/x", "database/../x", "database/a/b", `database\..\x`, "", "..", "media/\x00"} {
		f.Add(name)
	}
	s := &staged{folder: "/srv/data/.restore-1", databaseFolder: "/srv/data/.restore-2"}
	f.Fuzz(func(t *testing.T, name string) {
		place, err := s.placeOf(name)
		if err != nil {
			return
		}
		for _, folder := range []string{s.folder, s.databaseFolder} {
			if in, ok := strings.CutPrefix(place, folder+"/"); ok && filepath.Clean(place) == place && in != "" {
				return
			}
		}
		t.Errorf("%q is written to %q", name, place)
	})
}
