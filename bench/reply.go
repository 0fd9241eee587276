// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

const (
	repliesPerSecond = 20
	probesPerSecond  = 10
	pageGathers      = 50 * time.Millisecond // what live.js waits for more before it fetches
)

// measureReply times, while 300 messages a second come in, how long a reply takes from the click to the
// wire, and a message from its webhook to another operator's list.
func measureReply(ctx context.Context, b bench) (results []result, err error) {
	lasting := b.long(20*time.Second, 5*time.Second)
	err = b.with(ctx, func(in *installation) error {
		anna, luca, err := in.twoOperators(ctx)
		if err != nil {
			return err
		}
		answered := int(lasting.Seconds()) * repliesPerSecond
		conversations, err := in.openConversations(ctx, answered)
		if err != nil {
			return err
		}
		wire, shown, err := in.underLoad(ctx, lasting, anna, luca, conversations)
		results = []result{
			{row: "reply click → on the wire", engine: b.engine, figure: wire.String(), target: "p99 < 30 ms", met: wire.p99() < 30*time.Millisecond},
			{row: "webhook → in another operator's list", engine: b.engine, figure: shown.String(), target: "p99 < 150 ms", met: shown.p99() < 150*time.Millisecond},
		}
		return err
	})
	return results, err
}

func (in *installation) twoOperators(ctx context.Context) (anna, luca *http.Client, err error) {
	if anna, err = in.signIn(ctx, operators[0]); err != nil {
		return nil, nil, err
	}
	luca, err = in.signIn(ctx, operators[1])
	return anna, luca, err
}

// The citizens of the row: those who get replies, those whose messages are timed, those who make the noise.
const (
	firstAnswered = 0
	firstProbe    = 500_000
	firstNoise    = 600_000
)

// openConversations lets n citizens write, and returns their conversations.
func (in *installation) openConversations(ctx context.Context, n int) (ids []string, err error) {
	c, next := newCitizens(firstAnswered, n), firstAnswered-1
	var mu sync.Mutex
	_, err = in.receive(ctx, each, func() (load, error) {
		return openLoop(ctx, in.webhook(), 16, 1000, time.Duration(n)*time.Millisecond, func() delivery {
			mu.Lock()
			defer mu.Unlock()
			next++
			return c.write(next, prose(10))
		})
	})
	if err != nil {
		return nil, err
	}
	err = in.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		return tx.Query(ctx, `SELECT conversation_id FROM conversation WHERE municipality_id = $1 AND state = 'open'`, [][]any{{in.municipality}},
			func(_ int, row db.Scanner) error {
				var id int64
				err := row.Scan(&id)
				ids = append(ids, db.FormatID(id))
				return err
			})
	})
	if err == nil && len(ids) < n {
		err = fmt.Errorf("%d conversations are open, of %d", len(ids), n)
	}
	return ids, err
}

// underLoad measures both ways at once, as an office at work has them.
func (in *installation) underLoad(ctx context.Context, lasting time.Duration, anna, luca *http.Client, conversations []string) (wire, shown times, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	noise := newCitizens(firstNoise, writers)
	_, err = in.receive(ctx, func(l load) int64 { return int64(len(l.sent) + len(shown)) }, func() (l load, err error) {
		var running sync.WaitGroup
		var clicked, looked error
		running.Go(func() { wire, clicked = in.clickReplies(ctx, anna, conversations) })
		running.Go(func() { shown, looked = in.lookOn(ctx, luca, int(lasting.Seconds())*probesPerSecond) })
		l, err = openLoop(ctx, in.webhook(), 32, messagesPerSecond, lasting, noise.next)
		running.Wait()
		return l, errors.Join(err, clicked, looked)
	})
	return wire, shown, err
}

// clickReplies sends a reply in each conversation, at an even pace.
func (in *installation) clickReplies(ctx context.Context, browser *http.Client, conversations []string) (times, error) {
	var all times
	pace := time.NewTicker(time.Second / repliesPerSecond)
	defer pace.Stop()
	for i, id := range conversations {
		<-pace.C
		took, err := in.clickReply(ctx, browser, id, fmt.Sprintf("Risposta numero %d: provvediamo al più presto, grazie.", i))
		if err != nil {
			return all, err
		}
		all = append(all, took)
	}
	return all, nil
}

// clickReply posts the composer's form and returns how long it took until the message was on the wire.
func (in *installation) clickReply(ctx context.Context, browser *http.Client, conversation, text string) (time.Duration, error) {
	form := url.Values{"text": {text}, "draft": {rand.Text()}, "mode": {"reply"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.url(desk+"/conversations/"+conversation+"/messages"), strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("HX-Request", "true")
	onTheWire := in.graph.expect(text)
	click := time.Now()
	if _, err := fetch(browser, req); err != nil {
		return 0, fmt.Errorf("send a reply: %w", err)
	}
	select {
	case at := <-onTheWire:
		return at.Sub(click), nil
	case <-time.After(30 * time.Second):
		return 0, errors.New("a reply was not on the wire after 30 s")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// fetch returns the whole body of an answer that went well.
func fetch(browser *http.Client, req *http.Request) (string, error) {
	res, err := browser.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", req.Method, req.URL.Path, res.Status)
	}
	return string(body), err
}

// lookOn is a browser that shows the inbox: it hears what changed, gathers for a moment, and fetches the
// list. It times messages from the moment their webhook is sent until they are in a list it has.
func (in *installation) lookOn(ctx context.Context, browser *http.Client, probes int) (times, error) {
	changes, err := in.hear(ctx, browser)
	if err != nil {
		return nil, err
	}
	w, err := dial(in.listen, webhookPath)
	if err != nil {
		return nil, err
	}
	defer w.close()
	c := newCitizens(firstProbe, probes)
	var all times
	pace := time.NewTicker(time.Second / probesPerSecond)
	defer pace.Stop()
	for i := range probes {
		<-pace.C
		text := "sonda " + rand.Text()
		drain(changes)
		start := time.Now()
		if status, err := w.post(c.write(firstProbe+i, text)); err != nil || status != http.StatusOK {
			return all, fmt.Errorf("post a webhook: %d, %w", status, err)
		}
		if err := in.appears(ctx, browser, changes, text); err != nil {
			return all, err
		}
		all = append(all, time.Since(start))
	}
	return all, nil
}

// appears follows the changes until the list shows text.
func (in *installation) appears(ctx context.Context, browser *http.Client, changes <-chan struct{}, text string) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		select {
		case <-changes:
		case <-ctx.Done():
			return ctx.Err()
		}
		time.Sleep(pageGathers)
		drain(changes)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, in.url(desk+"/inbox/list?rows=50"), nil)
		if err != nil {
			return err
		}
		req.Header.Set("HX-Request", "true")
		list, err := fetch(browser, req)
		if err != nil {
			return err
		}
		if strings.Contains(list, text) {
			return nil
		}
	}
	return errors.New("a message was not in the list after 30 s")
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// hear opens the live stream; something comes over the channel when anything has changed.
func (in *installation) hear(ctx context.Context, browser *http.Client) (<-chan struct{}, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, in.url(desk+"/events"), nil)
	if err != nil {
		return nil, err
	}
	res, err := browser.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return nil, fmt.Errorf("open the live stream: %s", res.Status)
	}
	changes := make(chan struct{}, 1)
	go func() {
		defer func() { _ = res.Body.Close() }()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "event: conversation") || strings.HasPrefix(lines.Text(), "event: refresh") {
				select {
				case changes <- struct{}{}:
				default:
				}
			}
		}
	}()
	return changes, nil
}
