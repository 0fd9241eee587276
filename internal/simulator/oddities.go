// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"regexp"
)

// Oddities that have been seen in webhooks, or may come any day, and that must not upset a client.

var (
	secondsPattern    = regexp.MustCompile(`"timestamp":("?)(\d{10})("?)`)
	hiddenFromPattern = regexp.MustCompile(`\{"from_user_id":"([^"]+)"`)
	profilePattern    = regexp.MustCompile(`"profile":\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\},?`)
	hiddenWaIDPattern = regexp.MustCompile(`\},"user_id":"([^"]+)"`)
)

// unknownEntry is a change of a field that nobody knows yet.
const unknownEntry = `{"id":"0","time":0,"changes":[{"value":{"new_thing":{"nested":[1,2,3]}},"field":"field_of_tomorrow"}]}`

// disfigure makes a webhook as odd as the faults say.
func (b *faultBox) disfigure(body []byte) []byte {
	f := b.get()
	if f.WebhookMilliseconds {
		body = secondsPattern.ReplaceAll(body, []byte(`"timestamp":${1}${2}000${3}`))
	}
	if f.WebhookIDAsPhone {
		body = hiddenFromPattern.ReplaceAll(body, []byte(`{"from":"$1","from_user_id":"$1"`))
		body = hiddenWaIDPattern.ReplaceAll(body, []byte(`},"wa_id":"$1","user_id":"$1"`))
	}
	if f.WebhookBareContacts {
		body = profilePattern.ReplaceAll(body, nil)
	}
	if f.WebhookUnknown {
		body = bytes.ReplaceAll(body, []byte(`"metadata":{`), []byte(`"key_of_tomorrow":{"a":null},"metadata":{"unheard_of":true,`))
		body = append(bytes.TrimSuffix(body, []byte(`]}`)), `,`+unknownEntry+`]}`...)
	}
	return body
}
