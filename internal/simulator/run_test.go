// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestRunEndsWhenAsked(t *testing.T) {
	address := freeAddress(t)
	server, err := simulator.New(simulator.Options{Listen: address, Data: t.TempDir(), Delays: quick()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	url := "http://" + address
	eventually(t, "the simulator to listen", func() bool {
		resp, err := http.Get(url + "/simulator/clock")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	stream, err := http.Get(url + "/simulator/events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "event: ready") {
		t.Fatalf("the stream begins with %q", lines.Text())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	for lines.Scan() {
		// the stream ends
	}
}

func TestRunTellsThatTheAddressIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server, err := simulator.New(simulator.Options{Listen: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("ended with %v", err)
	}
}
