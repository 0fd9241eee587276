// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Exec runs one statement for every row of arguments, in order: a prepared loop on SQLite, one
// pipelined round trip on PostgreSQL. It returns the rows each one affected.
// Sort rows that update by id first, so that two batches never wait for each other in a circle.
func (t *Tx) Exec(ctx context.Context, query string, rows [][]any) ([]int64, error) {
	affected := make([]int64, len(rows))
	if len(rows) == 0 {
		return affected, nil
	}
	t.observe(query, rows[0])
	if t.Engine == PostgreSQL {
		err := t.pipeline(ctx, query, rows, func(i int, br pgx.BatchResults) error {
			tag, err := br.Exec()
			affected[i] = tag.RowsAffected()
			return err
		})
		return affected, err
	}
	st, err := t.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare a batch: %w", err)
	}
	for i, args := range rows {
		res, err := st.ExecContext(ctx, args...)
		if err != nil {
			return nil, fmt.Errorf("row %d of a batch: %w", i, err)
		}
		if affected[i], err = res.RowsAffected(); err != nil {
			return nil, err
		}
	}
	return affected, nil
}

// Scanner is one row to read.
type Scanner interface{ Scan(dest ...any) error }

// Query runs one query for every row of arguments and hands each answered row to scan, with the
// place of its arguments.
func (t *Tx) Query(ctx context.Context, query string, rows [][]any, scan func(i int, row Scanner) error) error {
	if len(rows) == 0 {
		return nil
	}
	t.observe(query, rows[0])
	if t.Engine == PostgreSQL {
		return t.pipeline(ctx, query, rows, func(i int, br pgx.BatchResults) error {
			rs, err := br.Query()
			if err != nil {
				return err
			}
			defer rs.Close()
			for rs.Next() {
				if err := scan(i, rs); err != nil {
					return err
				}
			}
			return rs.Err()
		})
	}
	st, err := t.PrepareContext(ctx, query)
	if err != nil {
		return fmt.Errorf("prepare a batch: %w", err)
	}
	for i, args := range rows {
		rs, err := st.QueryContext(ctx, args...)
		if err != nil {
			return fmt.Errorf("row %d of a batch: %w", i, err)
		}
		for rs.Next() {
			if err := scan(i, rs); err != nil {
				return errors.Join(err, rs.Close())
			}
		}
		if err := errors.Join(rs.Err(), rs.Close()); err != nil {
			return fmt.Errorf("row %d of a batch: %w", i, err)
		}
	}
	return nil
}

func (t *Tx) pipeline(ctx context.Context, query string, rows [][]any, each func(int, pgx.BatchResults) error) error {
	return t.conn.Raw(func(dc any) error {
		b := &pgx.Batch{}
		for _, args := range rows {
			b.Queue(query, args...)
		}
		br := dc.(*stdlib.Conn).Conn().SendBatch(ctx, b)
		for i := range rows {
			if err := each(i, br); err != nil {
				return errors.Join(fmt.Errorf("row %d of a batch: %w", i, err), br.Close())
			}
		}
		return br.Close()
	})
}
