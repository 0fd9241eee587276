// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

func TestTokensWorkUntilRevoked(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		create := func(name string) string {
			r := in.try("", "token", "create", "--municipality", "prova", "--name", name, "--office", "urp")
			r.want(t, 0, name)
			words := strings.Fields(r.out)
			return words[len(words)-1]
		}
		raw := create("portale")
		if actor, err := in.authenticate(raw); err != nil || actor.Name != "portale" || len(actor.Offices) != 1 {
			t.Errorf("the token is of %+v, %v", actor, err)
		}
		in.try("", "token", "create", "--municipality", "prova", "--name", "x", "--office", "altro").want(t, 1, `no office "altro"`)
		list := in.try("", "token", "list", "--municipality", "prova")
		list.want(t, 0, "portale", "urp", "works")
		if strings.Contains(list.out, raw) {
			t.Error("the list shows a token")
		}
		in.try("", "token", "revoke", "--municipality", "prova", "--name", "portale").want(t, 0, "revoked")
		if _, err := in.authenticate(raw); !errors.Is(err, staff.ErrToken) {
			t.Errorf("a revoked token is answered %v", err)
		}
		in.try("", "token", "revoke", "--municipality", "prova", "--name", "portale").want(t, 1, "no working token")
		create("twin")
		raw = create("twin")
		in.try("", "token", "revoke", "--municipality", "prova", "--name", "twin").want(t, 1, "2 working tokens")
		ids := regexp.MustCompile(`(\d+) +twin`).FindAllStringSubmatch(in.try("", "token", "list").out, -1)
		in.try("", "token", "revoke", "--municipality", "prova", "--name", ids[1][1]).want(t, 0, "twin")
		if _, err := in.authenticate(raw); !errors.Is(err, staff.ErrToken) {
			t.Errorf("the token revoked by its id is answered %v", err)
		}
	})
}

func (in *installation) authenticate(raw string) (actor staff.Actor, err error) {
	in.t.Helper()
	d, err := db.Open(in.t.Context(), db.Options{DSN: in.address})
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return staff.Authenticate(context.WithoutCancel(in.t.Context()), d, raw)
}
