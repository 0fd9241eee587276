// SPDX-License-Identifier: AGPL-3.0-or-later

package walkthrough

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/programtest"
)

// demo is a running `filodiretto demo`, as make run starts it.
type demo struct {
	desk, phones string
	operator     struct{ email, password string }
}

// startDemo builds the program and starts its demo in an empty folder. It ends with the test.
func startDemo(t *testing.T) *demo {
	t.Helper()
	program, err := programtest.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	port := programtest.FreePorts(t, 2)
	d := &demo{
		desk:   fmt.Sprintf("http://127.0.0.1:%d/desk/rimini", port),
		phones: fmt.Sprintf("http://127.0.0.1:%d/", port+1),
	}
	folder := t.TempDir()
	cmd := exec.Command(program, "demo")
	cmd.Dir = folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // a killed test leaves no demo behind
	cmd.Env = append(os.Environ(), fmt.Sprintf("FILODIRETTO_LISTEN=127.0.0.1:%d", port))
	log, err := os.Create(filepath.Join(folder, "demo.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("stop the demo: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo did not stop well: %v", err)
		}
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("the demo said:\n%s", said[max(0, len(said)-8000):])
		}
	})
	d.readWelcome(t, bufio.NewScanner(out))
	return d
}

// readWelcome reads what make run prints until it has told who may sign in as an operator of Rimini.
func (d *demo) readWelcome(t *testing.T, lines *bufio.Scanner) {
	t.Helper()
	var said strings.Builder
	found := make(chan bool, 1)
	login := regexp.MustCompile(`(\S+@\S*rimini\S*)\s+(\S+)`)
	go func() {
		for lines.Scan() {
			said.WriteString(lines.Text() + "\n")
			if m := login.FindStringSubmatch(lines.Text()); m != nil && d.operator.email == "" {
				d.operator.email, d.operator.password = m[1], m[2]
				found <- true
			}
		}
		close(found)
	}()
	select {
	case ok := <-found:
		if !ok {
			t.Fatalf("the demo ended without telling who may sign in:\n%s", said.String())
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the demo does not tell who may sign in")
	}
}

// number is the value in the phone's list of numbers whose text holds name.
func (d *demo) number(t *testing.T, p *browsertest.Page, name string) string {
	t.Helper()
	p.WaitText("#number", name)
	return browsertest.Eval[string](p, `[...document.querySelectorAll("#number option")].find(o => o.textContent.includes("`+name+`")).value`)
}
