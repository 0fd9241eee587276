// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// deed is something done at Meta, as the audit trail tells it: ids and code words only.
type deed struct {
	action   staff.Action
	kind, id string
	detail   map[string]any
}

// unknownOutcome marks a deed that Meta may have done or not: no clear answer came.
const unknownOutcome = "unknown"

// ask has Meta do something and then writes the deed into the trail, with what else changes here. What Meta refuses in
// so many words has changed nothing and leaves no row; where no clear answer came the row says so. It goes on when the
// browser has left: what Meta did must be written.
func (s *Server) ask(r *http.Request, v *visit, d deed, do func(ctx context.Context) error, and ...func(ctx context.Context, tx *db.Tx) error) error {
	ctx := context.WithoutCancel(r.Context())
	failed := do(ctx)
	if whatsapp.NotDone(failed) {
		return metaFault(failed)
	}
	if failed != nil {
		s.Log.Warn("Meta gave no clear answer", "action", string(d.action), "error", failed)
		detail := map[string]any{"outcome": unknownOutcome}
		for key, value := range d.detail {
			detail[key] = value
		}
		d.detail, and = detail, nil
	}
	err := s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, f := range and {
			if err := f(ctx, tx); err != nil {
				return err
			}
		}
		return staff.Record(ctx, tx, v.actor, d.action, d.kind, d.id, d.detail)
	})
	if err != nil {
		return err
	}
	return metaFault(failed)
}

// metaFault is what a person is told of a failed call: what happened and what to do.
func metaFault(err error) error {
	switch graph, ok := errors.AsType[*whatsapp.GraphError](err); {
	case err == nil:
		return nil
	case ok && graph.Code == 100 && graph.Subcode == 33: // what is not there, or may not be seen: Meta does not tell which
		return fault.New(fault.Invalid, "desk.meta.permission", "code", graph.Code).With(err)
	case ok:
		return fault.New(fault.Invalid, "desk.meta."+metaWord(graph.Code), "code", graph.Code).With(err)
	}
	if block, ok := errors.AsType[whatsapp.BlockError](err); ok {
		return fault.New(fault.Invalid, "desk.meta."+metaWord(block.Code), "code", block.Code).With(err)
	}
	if _, ok := errors.AsType[*whatsapp.LimitError](err); ok {
		return fault.New(fault.Invalid, "desk.meta.invalid", "code", 100).With(err)
	}
	return fault.New(fault.Unavailable, "desk.meta.silent").With(err)
}

// metaWord is the text for one of Meta's codes, after "desk.meta.". A code without words of its own is told as it is.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
func metaWord(code int) string {
	switch {
	case code >= 200 && code <= 299:
		return "permission"
	case code >= 136000 && code <= 136999:
		return "code"
	}
	if word, ok := metaWords[code]; ok {
		return word
	}
	return "other"
}

var metaWords = map[int]string{
	0: "token", 190: "token",
	3: "permission", 10: "permission", 33: "permission", 131005: "permission",
	1: "busy", 2: "busy", 131000: "busy", 131016: "busy", 133004: "busy", 139102: "busy", 139103: "busy",
	4: "slower", 613: "slower", 80007: "slower",
	100: "invalid", 131008: "invalid", 131009: "invalid",
	368: "account", 131031: "account",
	131047: "block_window",
	133000: "deregister", 133005: "pin_wrong", 133006: "verify_first", 133008: "pin_wait", 133009: "pin_wait", 133010: "unregistered",
	133015: "just_deleted", 133016: "registrations",
	139100: "block_failed", 139101: "block_full",
	147001: "name_taken", 147002: "name_limit", 147003: "name_facebook", 147004: "name_instagram", 147005: "name_transfer",
}

// inWords is the sentence of a failed call, for a page that shows it beside what was written.
func inWords(v *visit, err error) string { return sentenceOf(v.language, err, "") }

// told tells whether a page can show err beside its form: anything else is a failure of its own.
func told(err error) bool {
	kind := fault.KindOf(err)
	return kind == fault.Invalid || kind == fault.Unavailable || kind == fault.Conflict
}
