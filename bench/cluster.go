// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is the throw-away PostgreSQL whose address is in FILODIRETTO_TEST_POSTGRES, as make bench
// starts it; without it, one of our own. Every commit waits for the disk.
type cluster struct {
	dsn      string
	lifeline io.Closer // the cluster ends with it
	made     int
}

func startCluster() (*cluster, error) {
	if dsn := os.Getenv("FILODIRETTO_TEST_POSTGRES"); dsn != "" {
		return &cluster{dsn: dsn, lifeline: io.NopCloser(nil)}, nil
	}
	cmd := exec.Command("internal/dbtest/cluster.sh", "durable")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a throw-away PostgreSQL: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(errors.New("a throw-away PostgreSQL did not start"), cmd.Wait())
	}
	return &cluster{dsn: strings.TrimSpace(line), lifeline: in}, nil
}

func (c *cluster) close() error { return c.lifeline.Close() }

// create makes an empty database and returns its address and what removes it.
func (c *cluster) create(ctx context.Context) (dsn string, drop func() error, err error) {
	c.made++
	name := fmt.Sprintf("bench_%d_%d", os.Getpid(), c.made)
	if err := c.run(ctx, "CREATE DATABASE "+name); err != nil {
		return "", func() error { return nil }, err
	}
	drop = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return c.run(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
	}
	u, err := url.Parse(c.dsn)
	if err != nil {
		return "", drop, err
	}
	u.Path = "/" + name
	return u.String(), drop, nil
}

func (c *cluster) run(ctx context.Context, command string) error { return execute(ctx, c.dsn, command) }

// execute runs a command that no transaction may hold.
func execute(ctx context.Context, dsn, command string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("reach the throw-away PostgreSQL: %w", err)
	}
	_, err = conn.Exec(ctx, command)
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}
