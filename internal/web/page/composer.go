// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import "slices"

// accepted are the files WhatsApp takes from a business (Meta: Cloud API, supported media types).
const accepted = "image/jpeg,image/png,image/webp,video/mp4,video/3gpp,audio/aac,audio/mp4,audio/mpeg,audio/amr,audio/ogg,text/plain,application/pdf,.doc,.docx,.xls,.xlsx,.ppt,.pptx"

// Emoji tells whether e is one of the reactions that the desk offers.
func Emoji(e string) bool { return slices.Contains(emoji, e) }

// largestFile is the largest document WhatsApp takes, in bytes; smaller limits by type are the server's to tell.
const largestFile = 100_000_000

func quotedID(c Composer) string {
	if c.Quote == nil {
		return ""
	}
	return c.Quote.ID
}
