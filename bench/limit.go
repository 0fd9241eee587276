// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// serveLimit is the least that a webhook may do: it reads, verifies and answers. It is the limit that
// the intake is measured against, in a process of its own as serve is.
func serveLimit() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 3<<20))
		switch {
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
		case !whatsapp.VerifySignature(appSecret, body, r.Header.Get("X-Hub-Signature-256")):
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
}

// startLimit starts this very program as the limit and returns where it listens.
func startLimit(ctx context.Context) (to target, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return target{}, nil, err
	}
	cmd := exec.CommandContext(ctx, self, limitArgument)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return target{}, nil, err
	}
	if err := cmd.Start(); err != nil {
		return target{}, nil, fmt.Errorf("start the limit: %w", err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return target{}, nil, fmt.Errorf("start the limit: %w", err)
	}
	return target{host: strings.TrimSpace(line), path: webhookPath}, stop, nil
}
