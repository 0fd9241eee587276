// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// FailureKey is the sentence that says what an error code of Meta's means and what to do. The sentences
// may hold {code}.
func FailureKey(code int) locale.Key { return locale.Key("graph." + whatsapp.Classify(code).Reason) }
