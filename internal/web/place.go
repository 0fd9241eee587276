// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// maxPlace is the longest name or address of a place, in characters.
const maxPlace = 200

var errPlace = fault.New(fault.Invalid, "error.place")

// coordinates finds "44.0594, 12.5683" as people copy it from a map, or in the address of a map's page:
// …#map=19/44.05940/12.56830, …/@44.0594,12.5683,17z, …?mlat=44.0594&mlon=12.5683.
var coordinates = regexp.MustCompile(`(-?\d{1,2}\.\d{2,})(?:\s*[,;/ ]\s*|&m?lon=|&lng=)(-?\d{1,3}\.\d{2,})`)

// placeOf reads where a place is.
func placeOf(text string) (latitude, longitude float64, err error) {
	found := coordinates.FindStringSubmatch(text)
	if found == nil {
		return 0, 0, errPlace
	}
	latitude, errLatitude := strconv.ParseFloat(found[1], 64)
	longitude, errLongitude := strconv.ParseFloat(found[2], 64)
	if errLatitude != nil || errLongitude != nil || latitude < -90 || latitude > 90 || longitude < -180 || longitude > 180 {
		return 0, 0, errPlace
	}
	return latitude, longitude, nil
}

func (s *Server) placeDialog(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		return err
	})
	if err != nil {
		return err
	}
	return s.dialog(w, r, v, page.PlaceDialog(page.PlaceForm{Conversation: db.FormatID(conversationID), Draft: rand.Text()}))
}

func (s *Server) sendPlace(r *http.Request, v *visit, conversationID int64, key string) error {
	location, err := writtenPlace(r.PostForm)
	if err != nil {
		return err
	}
	return s.sendOne(r, v, conversationID, conversation.Outgoing{Type: conversation.TypeLocation, Location: location, ClientKey: key})
}

// writtenPlace is the place that a form names.
func writtenPlace(form url.Values) (*conversation.Location, error) {
	latitude, longitude, err := placeOf(form.Get("place"))
	if err != nil {
		return nil, err
	}
	name, address := strings.TrimSpace(form.Get("name")), strings.TrimSpace(form.Get("address"))
	if utf8.RuneCountInString(name) > maxPlace || utf8.RuneCountInString(address) > maxPlace {
		return nil, errPlace
	}
	return &conversation.Location{Latitude: latitude, Longitude: longitude, Name: name, Address: address}, nil
}
