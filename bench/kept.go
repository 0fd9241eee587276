// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/filodiretto/filodiretto/internal/db"
)

// kept runs f on the installation of so many messages in the folder of -keep, which it fills if it isn't there; it stays
// there for the next time. A database on PostgreSQL stays in its cluster, which must be the same then.
func (b bench) kept(ctx context.Context, s size, f func(*office) error) (err error) {
	name := fmt.Sprintf("bench_kept_%d", s.messages)
	in, err := prepareInstallation(b.binary, b.engine, 1)
	defer func() { err = errors.Join(err, in.leave()) }()
	if err != nil {
		return err
	}
	if in.dir, err = filepath.Abs(filepath.Join(b.keep, name+"_"+b.engine)); err != nil {
		return err
	}
	o := &office{in: in, years: &years{size: s, report: b.say}}
	_, missing := os.Stat(filepath.Join(in.dir, "filled"))
	if missing == nil {
		return b.again(ctx, o, name, f)
	}
	if err := os.MkdirAll(in.dir, 0o700); err != nil {
		return err
	}
	if err := in.place(ctx, b.cluster, name); err != nil {
		return err
	}
	if err := in.setUp(ctx); err != nil {
		return err
	}
	if err := in.openDoor(ctx); err != nil {
		return err
	}
	if _, err := in.start(ctx); err != nil {
		return err
	}
	if err := o.fill(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(in.dir, "filled"), []byte(in.token), 0o600); err != nil {
		return err
	}
	return o.opened(ctx, f)
}

// again is kept for one that is there.
func (b bench) again(ctx context.Context, o *office, name string, f func(*office) error) (err error) {
	in := o.in
	if in.address, err = in.addressOf(b.cluster, name); err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(in.dir, "filled"))
	if err != nil {
		return err
	}
	in.token = string(token)
	if err := in.openDoor(ctx); err != nil {
		return err
	}
	if o.years.town, err = in.town(ctx); err != nil {
		return err
	}
	if err := o.years.recall(ctx); err != nil {
		return err
	}
	return o.opened(ctx, f)
}

func (o *office) opened(ctx context.Context, f func(*office) error) error {
	if err := o.open(ctx); err != nil {
		return errors.Join(err, o.in.complaints())
	}
	return f(o)
}

// recall reads what live has written.
func (y *years) recall(ctx context.Context) error {
	var contacts []int64
	for _, ids := range []struct {
		query string
		into  *[]int64
	}{
		{`SELECT contact_id FROM contact WHERE municipality_id = $1 ORDER BY contact_id`, &contacts},
		{`SELECT media_id FROM media WHERE municipality_id = $1 ORDER BY media_id`, &y.media},
		{`SELECT broadcast_id FROM broadcast WHERE municipality_id = $1 AND completed_at IS NOT NULL ORDER BY broadcast_id`, &y.broadcasts},
	} {
		all, err := y.town.in.ids(ctx, ids.query)
		if err != nil {
			return err
		}
		*ids.into = all
	}
	under, err := y.town.in.ids(ctx, `SELECT broadcast_id FROM broadcast WHERE municipality_id = $1 AND started_at IS NOT NULL AND completed_at IS NULL`)
	if err != nil || len(under) == 0 {
		return errors.Join(err, errors.New("no broadcast is under way"))
	}
	y.underWay = under[0]
	for _, id := range contacts {
		y.people = append(y.people, person{contact: id})
	}
	return nil
}

// ids are what query finds for the municipality.
func (in *installation) ids(ctx context.Context, query string) (ids []int64, err error) {
	err = in.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		ids = nil
		return tx.Query(ctx, query, [][]any{{in.municipality}}, func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	return ids, err
}

// place makes the empty database called name.
func (in *installation) place(ctx context.Context, c *cluster, name string) (err error) {
	if in.engine == "postgresql" {
		for _, command := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
			if err := c.run(ctx, command); err != nil {
				return err
			}
		}
	}
	in.address, err = in.addressOf(c, name)
	return err
}

func (in *installation) addressOf(c *cluster, name string) (string, error) {
	if in.engine != "postgresql" {
		return "sqlite:" + filepath.Join(in.dir, "filodiretto.db"), nil
	}
	u, err := url.Parse(c.dsn)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}
