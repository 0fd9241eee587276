// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"

	"github.com/filodiretto/filodiretto/internal/locale"
)

func key(k string) locale.Key { return locale.Key(k) }

func hitAddress(ctx context.Context, h Hit) string {
	address := at(ctx, "conversations", h.Conversation)
	if h.Message != "" {
		address += query("message", h.Message) + "#m-" + h.Message
	}
	return address
}
