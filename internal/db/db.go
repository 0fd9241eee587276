// SPDX-License-Identifier: AGPL-3.0-or-later

// Package db opens the one database of an installation and hides which engine runs it.
//
// The domain packages write their SQL once, in PostgreSQL's words, and reach it only through
// View and Update. What differs by engine (search, locking clauses, batches, notices) lives here.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Engine is the database that runs underneath.
type Engine int

// The engines.
const (
	SQLite Engine = iota
	PostgreSQL
)

func (e Engine) String() string {
	if e == PostgreSQL {
		return "postgresql"
	}
	return "sqlite"
}

// Options say what to open.
type Options struct {
	DSN   string           // sqlite:FILE or postgres://…
	Now   func() time.Time // the clock of every transaction; nil is the machine's
	Log   *slog.Logger     // nil discards
	Owner string           // who holds this process's leases; empty makes a random one

	Observe func(query string, args []any) // is shown every statement of a Tx; for tests that read its plan
}

// DB is an open database. All of its methods may be used at once from many goroutines.
type DB struct {
	Engine Engine
	Hub    *Hub
	IDs    *IDs

	dsn   string
	owner string
	now   func() time.Time
	log   *slog.Logger
	jobs  *river.Client[*sql.Tx]
	watch func(query string, args []any)

	main    *sql.DB // SQLite: the single writer connection of the main file
	reads   *sql.DB // SQLite: a pool the size of the cores
	journal *sql.DB // SQLite: the single writer connection of the journal's own file; PostgreSQL: main
	jreads  *sql.DB // PostgreSQL: reads

	gate  gate
	jgate gate
	stmts statements
	jstmt statements

	stop context.CancelFunc
	done sync.WaitGroup
}

// Open opens the database named by o.DSN, brings its schema up to date under a lock, and takes
// the lease of an instance number for ids. Close gives it back.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Owner == "" {
		o.Owner = newOwner()
	}
	d := &DB{dsn: o.DSN, owner: o.Owner, now: o.Now, log: o.Log, watch: o.Observe, Hub: newHub()}
	if err := d.open(); err != nil {
		return nil, err
	}
	if err := d.migrate(ctx); err != nil {
		d.closePools()
		return nil, fmt.Errorf("migrate %s: %w", d.Engine, err)
	}
	if err := d.openJobs(); err != nil {
		d.closePools()
		return nil, err
	}
	run, stop := context.WithCancel(context.Background())
	d.stop = stop
	if err := d.leaseIDs(ctx, run); err != nil {
		stop()
		d.closePools()
		return nil, err
	}
	if d.Engine == PostgreSQL {
		d.startNotices(run)
	}
	return d, nil
}

func (d *DB) open() error {
	switch {
	case strings.HasPrefix(d.dsn, "sqlite:"):
		return d.openSQLite(strings.TrimPrefix(d.dsn, "sqlite:"))
	case strings.HasPrefix(d.dsn, "postgres://"), strings.HasPrefix(d.dsn, "postgresql://"):
		return d.openPostgres()
	}
	return fmt.Errorf("database %q: it must begin with sqlite: or postgres://", redact(d.dsn))
}

// JournalFile is the file beside the main SQLite file that holds what arrived.
func JournalFile(main string) string {
	return strings.TrimSuffix(main, ".db") + ".journal.db"
}

func (d *DB) openSQLite(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make the folder of the database: %w", err)
	}
	d.Engine = SQLite
	d.gate.free, d.jgate.free = 1, 1
	d.main = openFile(file, 1)
	d.journal = openFile(JournalFile(file), 1)
	d.reads = openFile(file, max(2, runtime.NumCPU()), "query_only(1)")
	d.jreads = openFile(JournalFile(file), 1, "query_only(1)")
	d.stmts.db, d.jstmt.db = d.main, d.journal
	for _, p := range []*sql.DB{d.main, d.journal} { // the files exist before anybody only reads them
		if err := p.Ping(); err != nil {
			d.closePools()
			return fmt.Errorf("open %s: %w", file, err)
		}
	}
	return nil
}

// address writes a path so that nothing in it is taken for a part of the address.
var address = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")

func openFile(file string, conns int, pragmas ...string) *sql.DB {
	// Times are whole microseconds, so that they sort and survive the way in and out.
	dsn := "file:" + address.Replace(file) + "?_txlock=immediate&_time_integer_format=unix_micro&_inttotime=1" +
		"&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
		"&_pragma=temp_store(2)&_pragma=cache_size(-8000)&_pragma=wal_autocheckpoint(2000)"
	for _, p := range pragmas {
		dsn += "&_pragma=" + p
	}
	pool, err := sql.Open("sqlite", dsn)
	if err != nil { // only an unregistered driver can do this
		panic(err)
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool
}

func (d *DB) openPostgres() error {
	cfg, err := pgx.ParseConfig(d.dsn)
	if err != nil {
		return fmt.Errorf("read the address of PostgreSQL %q: %w", redact(d.dsn), errors.New("not a valid address"))
	}
	cfg.RuntimeParams["application_name"] = "filodiretto"
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.RuntimeParams["lock_timeout"] = "20s"
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = "60s"
	// A plan is kept with its connection, and one made while a table was nearly empty reads all of it for ever after.
	cfg.RuntimeParams["enable_seqscan"] = "off"
	cfg.RuntimeParams["jit"] = "off"                           // what must be read whole looks so dear then that it would be compiled first
	cfg.RuntimeParams["max_parallel_workers_per_gather"] = "0" // a count has one core, and people have the others
	d.Engine = PostgreSQL
	d.gate.free, d.gate.patience = max(1, runtime.NumCPU()/2), batchPatience
	d.main = openPool(*cfg)
	d.reads = openPool(*cfg, stdlib.OptionAfterConnect(onlyRead))
	d.journal, d.jreads = d.main, d.reads
	return nil
}

// onlyRead is said once connected: an address that asks for a server that can be written would refuse a connection
// that begins by it.
func onlyRead(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SET default_transaction_read_only = on")
	return err
}

// maxConnections is how many a pool of PostgreSQL has at most. There are two, of which one only reads; docs/operate.md
// tells their sum, with the one that listens.
const maxConnections = 12

func openPool(cfg pgx.ConnConfig, options ...stdlib.OptionOpenDB) *sql.DB {
	pool := stdlib.OpenDB(cfg, options...)
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return pool
}

// batchPatience is how long a batch waits for its turn on PostgreSQL, where it could also run at once: one that hangs must
// not keep the others.
const batchPatience = time.Second

// redact keeps the password of an address out of errors and logs.
func redact(dsn string) string {
	dsn, _, _ = strings.Cut(dsn, "?") // a password may stand there too
	if at := strings.LastIndexByte(dsn, '@'); at >= 0 {
		return "postgres://…" + dsn[at:]
	}
	return dsn
}

// Close gives back the leases and closes every connection.
func (d *DB) Close() error {
	d.stop()
	d.done.Wait()
	d.releaseLeases()
	return d.closePools()
}

func (d *DB) closePools() error {
	var errs []error
	for _, p := range []*sql.DB{d.reads, d.jreads, d.main, d.journal} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
}

// Ping tells whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.reads.PingContext(ctx); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	return nil
}

// Now is the time of the clock that also runs the transactions.
func (d *DB) Now() time.Time { return d.now().UTC().Truncate(time.Microsecond) }

// Owner names this process in leases.
func (d *DB) Owner() string { return d.owner }

// Unavailable reports whether err says that the database can't be reached or written just now,
// so that trying again later may help.
func Unavailable(err error) bool {
	if errors.Is(err, ErrAgain) { // lost five races in a row
		return true
	}
	var se *sqlite.Error
	if errors.As(err, &se) {
		switch se.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
			return true
		}
		return false
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		switch pe.Code[:2] {
		case "08", "53", "57", "40", "58":
			return true
		}
		return false
	}
	var ce *pgconn.ConnectError
	return errors.As(err, &ce) || errors.Is(err, sql.ErrConnDone) || pgconn.SafeToRetry(err) || errors.Is(err, context.DeadlineExceeded)
}

// ErrAgain asks Update to run the transaction once more: another one committed first what this one
// was about to write, and will be seen now.
var ErrAgain = errors.New("another transaction was first")

// again reports whether a transaction that failed with err may simply run once more.
func again(err error) bool {
	if errors.Is(err, ErrAgain) {
		return true
	}
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()&0xff == sqlite3.SQLITE_BUSY
	}
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == "40001" || pe.Code == "40P01")
}
