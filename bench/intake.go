// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
)

const (
	manyConnections = 64
	leastIntake     = 0.4
	mostMemory      = 200e6 // bytes
)

// measureIntake finds how many webhooks a second can be committed and answered, in turns with how many
// can be verified and answered and nothing else.
func measureIntake(ctx context.Context, b bench) (results []result, err error) {
	limit, stop, err := startLimit(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	err = b.with(ctx, func(in *installation) error {
		past := history{in: in, citizens: writers / 2, messages: writers, span: 365 * 24 * time.Hour, open: .1, answered: conversation.Read}
		if _, err := past.write(ctx); err != nil {
			return err
		}
		c := newCitizens(0, writers)
		var limits, durable rates
		lasting := b.long(2*time.Second, time.Second)
		for range b.many(5, 2) {
			l, err := closedLoop(ctx, limit, manyConnections, lasting, c.next)
			if err := errors.Join(err, l.whole()); err != nil {
				return err
			}
			limits = append(limits, l.rate())
			if l, err = in.receive(ctx, each, func() (load, error) {
				return closedLoop(ctx, in.webhook(), manyConnections, lasting, c.next)
			}); err != nil {
				return err
			}
			durable = append(durable, l.rate())
		}
		ratio := durable.median() / limits.median()
		results = append(results, result{row: "webhook intake, durable, 64 connections", engine: b.engine, figure: durable.String(),
			limit: limits.String(), ratio: fmt.Sprintf("%.2f", ratio), target: fmt.Sprintf("≥ %.1f", leastIntake), met: ratio >= leastIntake})
		most, err := in.memory("VmHWM")
		results = append(results, result{row: "memory of serve in that flood, at most", engine: b.engine, figure: megabytes(most), target: "< 200 MB", met: most < mostMemory})
		return err
	})
	return results, err
}
