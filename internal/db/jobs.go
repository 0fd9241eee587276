// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

func (d *DB) jobDriver() riverdriver.Driver[*sql.Tx] {
	if d.Engine == PostgreSQL {
		return riverdatabasesql.New(d.main)
	}
	return riversqlite.New(d.main)
}

// openJobs makes the client that only inserts jobs; Workers makes the one that works them.
func (d *DB) openJobs() error {
	c, err := river.NewClient(d.jobDriver(), &river.Config{Logger: d.log})
	if err != nil {
		return fmt.Errorf("open the jobs: %w", err)
	}
	d.jobs = c
	return nil
}

// jobTimeout bounds a job; one that was at work when its process was killed is taken up again a minute later.
const jobTimeout = 13 * time.Minute

// SlowQueue is for jobs that take minutes and are in no hurry: one at a time in each process.
const SlowQueue = "slow"

// Workers makes a client that works background jobs (media, schedules, retention): what may wait.
// The road of a message does not go through it.
func (d *DB) Workers(workers *river.Workers, periodic []*river.PeriodicJob) (*river.Client[*sql.Tx], error) {
	c, err := river.NewClient(d.jobDriver(), &river.Config{
		Logger:               d.log,
		Workers:              workers,
		PeriodicJobs:         periodic,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 8}, SlowQueue: {MaxWorkers: 1}},
		FetchPollInterval:    200 * time.Millisecond,
		FetchCooldown:        50 * time.Millisecond,
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: jobTimeout + time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("open the workers: %w", err)
	}
	return c, nil
}

// DropJobs removes the jobs of a kind, done or not.
func (t *Tx) DropJobs(ctx context.Context, kind string) error {
	_, err := t.ExecContext(ctx, `DELETE FROM river_job WHERE kind = $1`, kind)
	return err
}
