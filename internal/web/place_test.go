// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import "testing"

func TestPlacesAsPeoplePasteThem(t *testing.T) {
	for text, want := range map[string][2]float64{
		"44.0594, 12.5683": {44.0594, 12.5683},
		" 44.0594 12.5683": {44.0594, 12.5683},
		"https://www.openstreetmap.org/#map=19/44.05940/12.56830":             {44.0594, 12.5683},
		"https://www.openstreetmap.org/?mlat=44.0594&mlon=12.5683#map=19/1/2": {44.0594, 12.5683},
		"https://maps.example/maps/place/x/@44.0594,12.5683,17z":              {44.0594, 12.5683},
		"-33.86, 151.21": {-33.86, 151.21},
	} {
		latitude, longitude, err := placeOf(text)
		if err != nil || latitude != want[0] || longitude != want[1] {
			t.Errorf("%s: %v %v, %v", text, latitude, longitude, err)
		}
	}
	for _, text := range []string{"", "piazza Cavour 27", "44, 12", "94.0594, 12.5683", "44.0594, 192.5683", "12.5683"} {
		if latitude, longitude, err := placeOf(text); err == nil {
			t.Errorf("%q is at %v %v", text, latitude, longitude)
		}
	}
}
