// SPDX-License-Identifier: AGPL-3.0-or-later

// Package programtest builds the program for tests that run it as people do, and finds it a place to listen.
package programtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build makes the program in a folder and returns its path.
func Build(folder string) (program string, err error) {
	program = filepath.Join(folder, "filodiretto")
	out, err := exec.Command("go", "build", "-o", program, "github.com/filodiretto/filodiretto/cmd/filodiretto").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return program, nil
}

// FreePorts finds so many ports that are free, one after the other, and returns the first. The program keeps them
// over restarts.
func FreePorts(t testing.TB, count int) int {
	t.Helper()
	for range 100 {
		if port, ok := tryPorts(count); ok {
			return port
		}
	}
	t.Fatalf("no %d free ports, one after the other", count)
	return 0
}

// The ports that are tried lie below those that kernels give to connections: one of these could take a port between its
// being found free and the program's listening there.
const lowestPort, highestPort = 10_000, 32_000

// tryPorts tries ports from anywhere on, and lets go of all of them.
func tryPorts(count int) (port int, ok bool) {
	port = lowestPort + rand.IntN(highestPort-lowestPort-count)
	for next := port; next < port+count; next++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", next))
		if err != nil {
			return 0, false
		}
		defer func() { _ = l.Close() }()
	}
	return port, true
}
