// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"errors"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/metatest"
	"github.com/filodiretto/filodiretto/internal/simulator"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// metaNames are what the environment holds for a municipality's file.
func metaNames(slug, name string) string {
	one := map[string]string{"rimini": "1", "pistoia": "2"}[slug]
	switch {
	case strings.HasSuffix(name, "WABA_ID"):
		return "20000" + one
	case strings.HasSuffix(name, "_ID"):
		return "10000" + one
	}
	return "secret-" + name
}

// simulate is a Meta with the two municipalities' accounts.
func simulate(t *testing.T) *metatest.Meta {
	t.Helper()
	return metatest.Start(t, simulator.Options{Accounts: []simulator.Account{
		{WABA: "200001", PhoneNumberID: "100001", DisplayNumber: "+39 331 6432314", VerifiedName: "Comune di Rimini", Token: "secret-RIMINI_TOKEN"},
		{WABA: "200002", PhoneNumberID: "100002", DisplayNumber: "+39 0573 371500", VerifiedName: "Comune di Pistoia", Token: "secret-PISTOIA_TOKEN"},
	}})
}

// Every code of Meta's that the administration may meet is told in words with what to do, in both languages.
func TestWhatMetaRefusesIsToldInWords(t *testing.T) {
	for code, word := range map[int]string{
		190: "token", 0: "token", 10: "permission", 210: "permission", 4: "slower", 131000: "busy", 133000: "deregister", 133005: "pin_wrong", 133006: "verify_first",
		133008: "pin_wait", 133009: "pin_wait", 133010: "unregistered", 133015: "just_deleted", 133016: "registrations", 136024: "code", 136025: "code",
		139100: "block_failed", 139101: "block_full", 139102: "busy", 139103: "busy", 147001: "name_taken", 147002: "name_limit", 147003: "name_facebook",
		147004: "name_instagram", 147005: "name_transfer", 999999: "other",
	} {
		err := metaFault(&whatsapp.GraphError{Code: code})
		if !fault.Is(err, fault.Invalid, "desk.meta."+word) {
			t.Errorf("%d is told as %v, want %s", code, err, word)
		}
		for _, l := range []locale.Language{locale.Italian, locale.English} {
			if s := sentenceOf(l, err, ""); s == l.T("error.invalid") || strings.ContainsAny(s, "{}") {
				t.Errorf("%d in %s: %q", code, l, s)
			}
		}
	}
	if err := metaFault(errors.New("reset")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no answer is told as %v", err)
	}
	if !whatsapp.NotDone(whatsapp.BlockError{Code: 131047}) || whatsapp.NotDone(&whatsapp.StatusError{HTTPStatus: 502}) {
		t.Error("what was surely not done, and what is unknown, are mixed up")
	}
}
