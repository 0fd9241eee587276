// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

const (
	clusterVariable = "FILODIRETTO_TEST_POSTGRES"
	templateName    = "filodiretto_template"
	templateLock    = 20150302 // any number that nothing else locks
)

//go:embed cluster.sh
var clusterScript string

// cluster is the throw-away PostgreSQL of the tests.
type cluster struct {
	dsn string
	// lifeline is the input of the script, if the cluster is our own. The cluster ends when this process
	// does, in whatever way, because the system then closes it; held here, it is not collected earlier.
	lifeline io.Closer
}

var theCluster = sync.OnceValues(func() (cluster, error) {
	if dsn := os.Getenv(clusterVariable); dsn != "" {
		return cluster{dsn: dsn}, nil
	}
	return startCluster()
})

func startCluster() (cluster, error) {
	var complaint bytes.Buffer
	cmd := exec.Command("/bin/sh", "-c", clusterScript)
	cmd.Stderr = &complaint
	// A group of its own: a Control-C must reach the tests first, or they would lose their database.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return cluster{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return cluster{}, err
	}
	if err := cmd.Start(); err != nil {
		return cluster{}, fmt.Errorf("start a throw-away PostgreSQL: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		err := cmd.Wait()
		return cluster{}, errors.Join(errors.New(strings.TrimSpace(complaint.String())), err)
	}
	return cluster{dsn: strings.TrimSpace(line), lifeline: in}, nil
}

// template is the name of the migrated database that tests copy.
func template(t testing.TB) string {
	t.Helper()
	if err := templateOnce(); err != nil {
		t.Fatalf("make the PostgreSQL database that tests copy: %v", err)
	}
	return templateName
}

var templateOnce = sync.OnceValue(func() error {
	return makeDatabase(templateName, nil)
})

// makeDatabase makes the migrated database called name, and fills it, unless another package's tests have. It is
// renamed when it is whole, so that one whose maker was killed is never used.
func makeDatabase(name string, fill func(context.Context, *pgx.Conn) error) error {
	ctx := context.Background()
	return asAdmin(ctx, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
			return err
		}
		var exists bool
		if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil || exists {
			return err
		}
		unfinished := name + "_unfinished"
		for _, command := range []string{"DROP DATABASE IF EXISTS " + unfinished + " WITH (FORCE)", "CREATE DATABASE " + unfinished} {
			if _, err := c.Exec(ctx, command); err != nil {
				return err
			}
		}
		dsn, err := dsnOf(unfinished)
		if err != nil {
			return err
		}
		if err := migrate(dsn); err != nil {
			return err
		}
		if fill != nil {
			if err := connected(ctx, dsn, fill); err != nil {
				return err
			}
		}
		_, err = c.Exec(ctx, "ALTER DATABASE "+unfinished+" RENAME TO "+name)
		return err
	})
}

func connected(ctx context.Context, dsn string, f func(context.Context, *pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, c), c.Close(context.WithoutCancel(ctx)))
}

// createPostgres copies template into a new database, which goes when the test ends, and is its address.
func createPostgres(t testing.TB, template string) (dsn string) {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	run := func(ctx context.Context, command string) {
		t.Helper()
		err := asAdmin(ctx, func(c *pgx.Conn) error {
			_, err := c.Exec(ctx, command)
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
	run(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() { run(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)") })
	dsn, err := dsnOf(name)
	if err != nil {
		t.Fatal(err)
	}
	return dsn
}

func asAdmin(ctx context.Context, f func(*pgx.Conn) error) error {
	running, err := theCluster()
	if err != nil {
		return err
	}
	c, err := pgx.Connect(ctx, running.dsn)
	if err != nil {
		return fmt.Errorf("reach the PostgreSQL of the tests: %w", err)
	}
	return errors.Join(f(c), c.Close(context.WithoutCancel(ctx)))
}

// dsnOf is the address of the database called name in the cluster.
func dsnOf(name string) (string, error) {
	running, err := theCluster()
	if err != nil {
		return "", err
	}
	u, err := url.Parse(running.dsn)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", clusterVariable, err)
	}
	u.Path = "/" + name
	return u.String(), nil
}
