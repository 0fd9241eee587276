// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// wire is one keep-alive connection that posts webhooks. It speaks just enough HTTP to cost the two
// cores, which it shares with what it measures, as little as it can.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	host string
	path string
}

func dial(host, path string) (*wire, error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, fmt.Errorf("reach %s: %w", host, err)
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), host: host, path: path}, nil
}

// post sends a signed body and returns the status of the answer.
func (w *wire) post(d delivery) (status int, err error) {
	w.out = append(w.out[:0], "POST "...)
	w.out = append(w.out, w.path...)
	w.out = append(w.out, " HTTP/1.1\r\nHost: "...)
	w.out = append(w.out, w.host...)
	w.out = append(w.out, "\r\nUser-Agent: facebookexternalua\r\nContent-Type: application/json\r\nX-Hub-Signature-256: "...)
	w.out = append(w.out, d.signature...)
	w.out = append(w.out, "\r\nContent-Length: "...)
	w.out = strconv.AppendInt(w.out, int64(len(d.body)), 10)
	w.out = append(w.out, "\r\n\r\n"...)
	w.out = append(w.out, d.body...)
	if _, err := w.conn.Write(w.out); err != nil {
		return 0, err
	}
	return w.answer()
}

func (w *wire) answer() (status int, err error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, fmt.Errorf("the answer begins with %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("the answer begins with %q", line)
	}
	length := 0
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) == 2 {
			_, err := w.in.Discard(length)
			return status, err
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
}

func (w *wire) close() { _ = w.conn.Close() }

// load is what a generator has done.
type load struct {
	sent      times // latencies of what was answered 200
	refused   int
	lasted    time.Duration
	firstFail error
}

func (l load) rate() float64 { return float64(len(l.sent)) / l.lasted.Seconds() }

// whole fails unless everything was answered 200: a figure with refusals in it means nothing.
func (l load) whole() error {
	if l.firstFail != nil {
		return l.firstFail
	}
	if l.refused > 0 {
		return fmt.Errorf("%d of %d requests were not answered 200", l.refused, l.refused+len(l.sent))
	}
	return nil
}

// target is where a generator sends.
type target struct{ host, path string }

// closedLoop lets each of n connections send the next request as soon as the last is answered.
func closedLoop(ctx context.Context, to target, n int, lasting time.Duration, next func() delivery) (load, error) {
	end := time.Now().Add(lasting)
	return generate(ctx, to, n, func(w *wire, part *load) error {
		for d := next(); ctx.Err() == nil && time.Now().Before(end); d = next() {
			if err := part.post(w, d, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// openLoop sends perSecond requests whatever becomes of them. The latency of each counts from the moment
// it was due, so that one which had to wait for a connection is not told faster than it was.
func openLoop(ctx context.Context, to target, n int, perSecond float64, lasting time.Duration, next func() delivery) (load, error) {
	total := int64(perSecond * lasting.Seconds())
	start := time.Now()
	var taken atomic.Int64
	return generate(ctx, to, n, func(w *wire, part *load) error {
		for i := taken.Add(1) - 1; i < total && ctx.Err() == nil; i = taken.Add(1) - 1 {
			due := start.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
			d := next()
			time.Sleep(time.Until(due))
			if err := part.post(w, d, due); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *load) post(w *wire, d delivery, due time.Time) error {
	status, err := w.post(d)
	switch {
	case err != nil:
		return fmt.Errorf("post a webhook: %w", err)
	case status != 200:
		l.refused++
	default:
		l.sent = append(l.sent, time.Since(due))
	}
	return nil
}

// generate runs work on n connections at once and adds up what they did.
func generate(ctx context.Context, to target, n int, work func(w *wire, part *load) error) (load, error) {
	wires := make([]*wire, 0, n)
	defer func() {
		for _, w := range wires {
			w.close()
		}
	}()
	for range n {
		w, err := dial(to.host, to.path)
		if err != nil {
			return load{}, err
		}
		wires = append(wires, w)
	}
	stop := context.AfterFunc(ctx, func() { // wakes those that wait for an answer
		for _, w := range wires {
			w.close()
		}
	})
	defer stop()
	start := time.Now()
	parts := make([]load, n)
	var running sync.WaitGroup
	for i, w := range wires {
		running.Go(func() { parts[i].firstFail = work(w, &parts[i]) })
	}
	running.Wait()
	all := load{lasted: time.Since(start)}
	for _, p := range parts {
		all.sent = append(all.sent, p.sent...)
		all.refused += p.refused
		if p.firstFail != nil && !errors.Is(p.firstFail, io.ErrClosedPipe) {
			all.firstFail = p.firstFail
		}
	}
	return all, ctx.Err()
}
