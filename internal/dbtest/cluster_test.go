// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest

import (
	"bufio"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const childVariable = "FILODIRETTO_TEST_CHILD"

// A test run that is killed must leave no database behind, or a day of work would fill the machine.
func TestClusterEndsWithItsProcess(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		holdCluster(t)
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestClusterEndsWithItsProcess$")
	child.Env = append(os.Environ(), childVariable+"=1", clusterVariable+"=")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child did not start a cluster: %v", err)
	}
	address, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	folder := address.Query().Get("host")
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("the folder of the child's cluster: %v", err)
	}

	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed, and says so

	deadline := time.After(30 * time.Second)
	for {
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s is still there", folder)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// holdCluster starts a cluster, tells its address and waits to be killed.
func holdCluster(t *testing.T) {
	running, err := theCluster()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString(running.dsn + "\n")
	select {}
}
