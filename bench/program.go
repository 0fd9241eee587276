// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// measureProgram looks at what the program weighs: its file, its memory, its start, its pages.
func measureProgram(ctx context.Context, b bench) (results []result, err error) {
	add := func(row, figure, target string, met bool) {
		results = append(results, result{row: row, engine: b.engine, figure: figure, target: target, met: met})
	}
	file, err := os.Stat(b.binary)
	if err != nil {
		return nil, err
	}
	err = b.with(ctx, func(in *installation) error {
		add("the program's file", megabytes(file.Size()), "< 60 MB", file.Size() < 60e6)
		starts, err := in.starts(ctx, b.many(7, 3))
		if err != nil {
			return err
		}
		add("start until ready", fmt.Sprintf("%s ms (%s–%s)", ms(starts.p50()), ms(slices.Min(starts)), ms(starts.max())), "< 500 ms", starts.p50() < 500*time.Millisecond)
		time.Sleep(b.long(10*time.Second, 3*time.Second))
		idle, err := in.memory("VmRSS")
		if err != nil {
			return err
		}
		add("memory of serve, idle", megabytes(idle), "< 60 MB", idle < 60e6)
		first, later, err := in.weighPages(ctx)
		if err != nil {
			return err
		}
		add("first page with all it loads", fmt.Sprintf("%.0f KB", float64(first)/1e3), "< 200 KB", first < 200e3)
		add("later page (inbox, 50 rows)", fmt.Sprintf("%.0f KB", float64(later)/1e3), "< 30 KB", later < 30e3)
		return nil
	})
	return results, err
}

func (in *installation) starts(ctx context.Context, n int) (times, error) {
	var all times
	for range n {
		if err := in.stop(); err != nil {
			return nil, err
		}
		took, err := in.start(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
	return all, nil
}

var (
	loadedByPage  = regexp.MustCompile(`(?:src|href)="(/assets/[^"#]+)`)
	loadedByStyle = regexp.MustCompile(`url\(["']?([^"')]+\.woff2)`)
)

// weighPages returns the bytes that come over the line for the first page, with everything it loads,
// and for a page after it.
func (in *installation) weighPages(ctx context.Context) (first, later int, err error) {
	if _, err := in.openConversations(ctx, 60); err != nil {
		return 0, 0, err
	}
	browser, err := in.signIn(ctx, operators[0])
	if err != nil {
		return 0, 0, err
	}
	page, later, err := in.weigh(ctx, browser, desk+"/inbox")
	if err != nil {
		return 0, 0, err
	}
	first = later
	waiting := addresses(loadedByPage, page)
	seen := make(map[string]bool)
	for len(waiting) > 0 {
		address := waiting[0]
		waiting = waiting[1:]
		if seen[address] {
			continue
		}
		seen[address] = true
		content, weight, err := in.weigh(ctx, browser, address)
		if err != nil {
			return 0, 0, err
		}
		first += weight
		if strings.HasSuffix(address, ".css") {
			waiting = append(waiting, addresses(loadedByStyle, content)...)
		}
	}
	return first, later, nil
}

func addresses(pattern *regexp.Regexp, content string) []string {
	var out []string
	for _, m := range pattern.FindAllStringSubmatch(content, -1) {
		address := m[1]
		if !strings.HasPrefix(address, "/") {
			address = "/assets/" + strings.TrimPrefix(address, "./")
		}
		out = append(out, address)
	}
	return out
}

// weigh fetches an address twice: as it comes over the line, to weigh it, and plain, to read it.
func (in *installation) weigh(ctx context.Context, browser *http.Client, address string) (content string, weight int, err error) {
	for _, encoding := range []string{"gzip", "identity"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, in.url(address), nil)
		if err != nil {
			return "", 0, err
		}
		req.Header.Set("Accept-Encoding", encoding)
		if content, err = fetch(browser, req); err != nil {
			return "", 0, err
		}
		if encoding == "gzip" {
			weight = len(content)
		}
	}
	return content, weight, nil
}
