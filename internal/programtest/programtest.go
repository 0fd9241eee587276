// SPDX-License-Identifier: AGPL-3.0-or-later

// Package programtest builds the program for tests that run it as people do, and finds it a place to listen.
package programtest

import (
	"fmt"
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
		if port, ok := tryPorts(t, count); ok {
			return port
		}
	}
	t.Fatalf("no %d free ports, one after the other", count)
	return 0
}

// tryPorts takes any free port, tries those after it, and lets go of all of them.
func tryPorts(t testing.TB, count int) (port int, ok bool) {
	t.Helper()
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	port = first.Addr().(*net.TCPAddr).Port
	for next := port + 1; next < port+count; next++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", next))
		if err != nil {
			return 0, false
		}
		defer func() { _ = l.Close() }()
	}
	return port, true
}
