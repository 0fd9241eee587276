// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/secret"
)

// LinkLasts is how long the link to a citizen's page works.
const LinkLasts = 7 * 24 * time.Hour

// ErrLink is the failure for a link that is not ours, or has expired.
var ErrLink = fault.New(fault.NotFound, "error.lists_link")

// LinkToken is the end of the address of a citizen's page: it says whose it is and until when, sealed, so that nobody
// makes one up or reads it.
func LinkToken(key *secret.Key, municipality, contact int64, until time.Time) string {
	sealed := key.Seal(strconv.FormatInt(contact, 36)+" "+strconv.FormatInt(until.Unix(), 36), linkOf(municipality))
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// OpenLink is the contact that a token was made for. It fails with ErrLink for what is no token of this municipality,
// or of an earlier time.
func OpenLink(key *secret.Key, municipality int64, token string, now time.Time) (contact int64, err error) {
	const longest = 200
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(token) > longest {
		return 0, ErrLink
	}
	plain, err := key.Open(sealed, linkOf(municipality))
	if err != nil {
		return 0, ErrLink
	}
	whose, until, _ := strings.Cut(plain, " ")
	contact, err = strconv.ParseInt(whose, 36, 64)
	if err != nil {
		return 0, ErrLink
	}
	ends, err := strconv.ParseInt(until, 36, 64)
	if err != nil || !now.Before(time.Unix(ends, 0)) {
		return 0, ErrLink
	}
	return contact, nil
}

func linkOf(municipality int64) string { return "lists/" + strconv.FormatInt(municipality, 10) }
