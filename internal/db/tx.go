// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// Tx is a transaction, or a View of PostgreSQL, with a clock in it. It is all that code inside View and Update may reach:
// no network, no other transaction, no time but its own.
type Tx struct {
	Engine Engine

	on      handle
	tx      *sql.Tx // nil in a View of PostgreSQL
	conn    *sql.Conn
	stmts   *statements
	d       *DB
	now     time.Time
	notices []Notice
}

// handle is where the statements of a Tx go.
type handle interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

type inside struct{}

var errNested = errors.New("a transaction was opened inside another one")

// View lets f read, and only read. On SQLite it sees one moment of the database throughout; on PostgreSQL each
// statement sees its own, as it would in any transaction that is not isolated further, and needs none around it.
func (d *DB) View(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return d.view(ctx, d.reads, f)
}

// ViewJournal is View over the journal's tables.
func (d *DB) ViewJournal(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return d.view(ctx, d.jreads, f)
}

func (d *DB) view(ctx context.Context, pool *sql.DB, f func(ctx context.Context, tx *Tx) error) (err error) {
	if ctx.Value(inside{}) != nil {
		return errNested
	}
	if d.Engine == SQLite {
		return d.run(ctx, pool, nil, &sql.TxOptions{ReadOnly: true}, f)
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return f(context.WithValue(ctx, inside{}, true), &Tx{Engine: d.Engine, on: conn, conn: conn, d: d, now: d.Now()})
}

// Update runs f in a transaction, commits it, and then publishes the notices f left.
// f may run again (deadlock, serialisation, busy), so it must have no effect outside the Tx.
func (d *DB) Update(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return d.update(ctx, &d.gate, false, d.main, &d.stmts, f)
}

// UpdateLater is Update for batches that can wait. On SQLite a person's write goes first; on PostgreSQL only a few of
// them run at once, so that a person's finds a core free, but none waits long for another.
func (d *DB) UpdateLater(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return d.update(ctx, &d.gate, true, d.main, &d.stmts, f)
}

// UpdateJournal is Update over the journal's tables, which on SQLite are a file of their own
// with its own writer, so that nothing else ever delays what arrives.
func (d *DB) UpdateJournal(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return d.update(ctx, &d.jgate, false, d.journal, &d.jstmt, f)
}

// Append runs one statement over the journal's tables that commits by itself, and then publishes n. It is for
// PostgreSQL, where a transaction around a single statement is two more trips.
func (d *DB) Append(ctx context.Context, n Notice, statement string, args ...any) error {
	if ctx.Value(inside{}) != nil {
		return errNested
	}
	if d.Engine != PostgreSQL {
		return errors.New("append to the journal: only PostgreSQL commits a statement by itself")
	}
	if d.watch != nil {
		d.watch(statement, args)
	}
	if _, err := d.journal.ExecContext(ctx, statement, args...); err != nil {
		return err
	}
	d.publish([]Notice{n})
	return nil
}

// updateTime bounds a write, its wait for the writer and its repetitions.
const updateTime = 60 * time.Second

func (d *DB) update(ctx context.Context, g *gate, later bool, pool *sql.DB, st *statements, f func(context.Context, *Tx) error) error {
	if ctx.Value(inside{}) != nil {
		return errNested
	}
	// A connection that hangs must not hold a loop for as long as the kernel is patient.
	ctx, cancel := context.WithTimeout(ctx, updateTime)
	defer cancel()
	if d.Engine == SQLite || later {
		leave, err := g.enter(ctx, later)
		if err != nil {
			return fmt.Errorf("wait for the turn to write: %w", err)
		}
		defer leave()
	}
	if d.Engine == SQLite {
		st.prepare(ctx)
	}
	const tries = 5
	for i := range tries {
		err := d.run(ctx, pool, st, nil, f)
		if err == nil || !again(err) || i == tries-1 {
			return err
		}
		wait := time.Duration(1<<i)*5*time.Millisecond + rand.N(5*time.Millisecond)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
	return nil
}

func (d *DB) run(ctx context.Context, pool *sql.DB, st *statements, opts *sql.TxOptions, f func(context.Context, *Tx) error) (err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	sqlTx, err := conn.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			_ = sqlTx.Rollback()
			panic(p)
		}
	}()
	if d.Engine == PostgreSQL {
		st = nil // pgx keeps its own statement cache
	}
	tx := &Tx{Engine: d.Engine, on: sqlTx, tx: sqlTx, conn: conn, stmts: st, d: d, now: d.Now()}
	if err := f(context.WithValue(ctx, inside{}, true), tx); err != nil {
		return errors.Join(err, rollback(sqlTx))
	}
	if opts != nil && opts.ReadOnly {
		return rollback(sqlTx)
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	d.publish(tx.notices)
	return nil
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// Now is the one time of this transaction, UTC in whole microseconds.
func (t *Tx) Now() time.Time { return t.now }

// NewID makes a new time-ordered id.
func (t *Tx) NewID() int64 { return t.d.IDs.New() }

// NewIDs makes a block of n ids; see IDs.Block.
func (t *Tx) NewIDs(n int) int64 { return t.d.IDs.Block(n) }

// Notify publishes n once the transaction has committed.
func (t *Tx) Notify(n Notice) { t.notices = append(t.notices, n) }

// Enqueue leaves a background job that commits with the transaction. Jobs carry ids only, written as
// strings (`json:",string"`): on PostgreSQL a number passes through a float and loses its last digits.
func (t *Tx) Enqueue(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) error {
	if _, err := t.d.jobs.InsertTx(ctx, t.tx, args, opts); err != nil {
		return fmt.Errorf("enqueue %s: %w", args.Kind(), err)
	}
	return nil
}

func (t *Tx) observe(query string, args []any) {
	if t.d.watch != nil {
		t.d.watch(query, args)
	}
}

// EnqueueMany is Enqueue for many jobs at once.
func (t *Tx) EnqueueMany(ctx context.Context, args []river.JobArgs) error {
	if len(args) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(args))
	for i, a := range args {
		params[i] = river.InsertManyParams{Args: a}
	}
	if _, err := t.d.jobs.InsertManyFastTx(ctx, t.tx, params); err != nil {
		return fmt.Errorf("enqueue %d jobs: %w", len(args), err)
	}
	return nil
}

// ExecContext, PrepareContext, QueryContext and QueryRowContext make Tx what the generated queries ask for.
func (t *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	t.observe(query, args)
	if s := t.stmts.get(query); s != nil {
		return t.tx.StmtContext(ctx, s).ExecContext(ctx, args...)
	}
	return t.on.ExecContext(ctx, query, args...)
}

// PrepareContext prepares query for the life of the transaction.
func (t *Tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := t.stmts.get(query); s != nil {
		return t.tx.StmtContext(ctx, s), nil
	}
	return t.on.PrepareContext(ctx, query)
}

// QueryContext runs a query that answers rows.
func (t *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	t.observe(query, args)
	if s := t.stmts.get(query); s != nil {
		return t.tx.StmtContext(ctx, s).QueryContext(ctx, args...)
	}
	return t.on.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a query that answers one row.
func (t *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	t.observe(query, args)
	if s := t.stmts.get(query); s != nil {
		return t.tx.StmtContext(ctx, s).QueryRowContext(ctx, args...)
	}
	return t.on.QueryRowContext(ctx, query, args...)
}

// statements keeps the writer's queries prepared. A query met for the first time runs as it is and
// is prepared before the next transaction: preparing inside one would wait for its own connection.
type statements struct {
	db    *sql.DB
	mu    sync.Mutex
	ready map[string]*sql.Stmt
	wish  []string
}

const maxStatements = 400

func (s *statements) get(query string) *sql.Stmt {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st, known := s.ready[query]
	if !known && len(s.ready) < maxStatements {
		if s.ready == nil {
			s.ready = make(map[string]*sql.Stmt)
		}
		s.ready[query] = nil
		s.wish = append(s.wish, query)
	}
	return st
}

func (s *statements) prepare(ctx context.Context) {
	s.mu.Lock()
	wish := s.wish
	s.wish = nil
	s.mu.Unlock()
	for _, q := range wish {
		st, err := s.db.PrepareContext(ctx, q)
		if ctx.Err() != nil { // for the next one
			s.mu.Lock()
			s.wish = append(s.wish, q)
			s.mu.Unlock()
			continue
		}
		if err != nil {
			continue // it runs unprepared, and says then what is wrong with it
		}
		s.mu.Lock()
		s.ready[q] = st
		s.mu.Unlock()
	}
}

// gate lets so many writers in at a time, and those who cannot wait before those who can; but not for ever:
// after a few of the first it is the turn of one who waits.
type gate struct {
	mu           sync.Mutex
	free         int           // places
	patience     time.Duration // after which a writer goes in without a place; 0 is never
	streak       int           // of those who could not wait, while somebody waited
	first, later []chan struct{}
}

const maxStreak = 4

// enter waits for a place; leave gives it back.
func (g *gate) enter(ctx context.Context, later bool) (leave func(), err error) {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return g.leave, nil
	}
	turn := make(chan struct{})
	if later {
		g.later = append(g.later, turn)
	} else {
		g.first = append(g.first, turn)
	}
	g.mu.Unlock()
	var over <-chan time.Time
	if g.patience > 0 {
		over = time.After(g.patience)
	}
	select {
	case <-turn:
		return g.leave, nil
	case <-over:
		g.giveUp(turn)
		return func() {}, nil
	case <-ctx.Done():
		g.giveUp(turn)
		return nil, ctx.Err()
	}
}

// giveUp leaves the queue, or passes on the turn that came at the same moment.
func (g *gate) giveUp(turn chan struct{}) {
	g.mu.Lock()
	for _, q := range []*[]chan struct{}{&g.first, &g.later} {
		for i, c := range *q {
			if c == turn {
				*q = append((*q)[:i], (*q)[i+1:]...)
				g.mu.Unlock()
				return
			}
		}
	}
	g.mu.Unlock()
	g.leave()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := &g.first
	if len(g.first) == 0 || len(g.later) > 0 && g.streak >= maxStreak {
		next = &g.later
	}
	switch {
	case len(*next) == 0:
		g.free++
		return
	case next == &g.later, len(g.later) == 0:
		g.streak = 0
	default:
		g.streak++
	}
	turn := (*next)[0]
	*next = (*next)[1:]
	close(turn)
}
