// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Tools are the programs that are used where they are installed, as paths; one that is missing is "".
type Tools struct {
	FFmpeg   string // sounds that every browser plays, pictures of films
	PDFToPPM string // first pages
	Prlimit  string // bounds the other two
}

// FindTools looks for the programs on the PATH.
func FindTools() Tools {
	return Tools{FFmpeg: onPath("ffmpeg"), PDFToPPM: onPath("pdftoppm"), Prlimit: onPath("prlimit")}
}

func onPath(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	path, err = filepath.Abs(path) // it runs in another folder
	if err != nil {
		return ""
	}
	return path
}

// What a program may take. It reads what strangers sent: if it is led astray, it must not get far.
const (
	toolMemory = 2 << 30  // bytes of address space, most of which is never used
	toolFile   = 64 << 20 // bytes of what it writes
	toolFiles  = 64       // open at once
)

var errNoTool = errors.New("the program is not installed")

// run lets a program make files in a folder of its own, which use then reads and which is removed. No shell is
// between, the names it gets are ours, and nothing of our environment reaches it. After limit it and what it
// started are ended.
func (s *Store) run(ctx context.Context, limit time.Duration, program string, args func(folder string) []string, use func(folder string) error) error {
	if program == "" {
		return errNoTool
	}
	folder, err := os.MkdirTemp(filepath.Join(s.dir, incomingDir), "tool-") // 0700
	if err != nil {
		return fmt.Errorf("make a folder for a program: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }() // what stays is swept away
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	name, bounded := s.tools.limited(limit, program, args(folder))
	cmd := exec.CommandContext(ctx, name, bounded...)
	cmd.Dir = folder
	cmd.Env = []string{"LC_ALL=C", "HOME=" + folder, "TMPDIR=" + folder}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil { // what it prints may tell of the content, so nobody reads it
		return fmt.Errorf("run %s: %w", filepath.Base(program), errors.Join(err, ctx.Err()))
	}
	return use(folder)
}

// limited puts prlimit before a program.
func (t Tools) limited(limit time.Duration, program string, args []string) (string, []string) {
	if t.Prlimit == "" {
		return program, args
	}
	number := func(name string, n int) string { return "--" + name + "=" + strconv.Itoa(n) }
	return t.Prlimit, append([]string{
		number("cpu", max(1, int(limit.Seconds()))), number("as", toolMemory), number("fsize", toolFile), number("nofile", toolFiles), number("core", 0), "--", program,
	}, args...)
}

// ffmpegReads are the arguments with which FFmpeg reads one file and nothing else: what the file is was found
// by its content, so no playlist in it leads elsewhere.
func ffmpegReads(demuxer, name string) []string {
	return []string{"-nostdin", "-hide_banner", "-loglevel", "quiet", "-threads", "1", "-protocol_whitelist", "file", "-f", demuxer, "-i", "file:" + name}
}
