// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"net/url"
	"time"
)

// soon is how long before its end an unanswered window is shown as closing.
const soon = 4 * time.Hour

func closesSoon(ctx context.Context, r Row) bool {
	now := setting(ctx).Now
	return !r.Resolved && !r.Preview.Ours && r.Closes.After(now) && r.Closes.Sub(now) < soon
}

func viewAddress(ctx context.Context, v View, office string) string {
	return at(ctx, "inbox") + query("view", string(v), "office", office)
}

// listAddress is where the list alone is fetched again.
func listAddress(ctx context.Context, box Inbox) string {
	return at(ctx, "inbox", "list") + query("view", string(box.View), "office", box.Office)
}

func moreAddress(ctx context.Context, box Inbox) string {
	return at(ctx, "inbox", "list") + query("view", string(box.View), "office", box.Office, "cursor", box.Next)
}

func conversationAddress(ctx context.Context, id string, box Inbox) string {
	return at(ctx, "conversations", id) + query("view", string(box.View), "office", box.Office)
}

// query writes pairs of name and value that are not empty; "open", the usual view, is left out.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" && pairs[i+1] != string(ViewOpen) {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}
