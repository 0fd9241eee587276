// SPDX-License-Identifier: AGPL-3.0-or-later

package secret

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const place = "number/7/100000000000001/access_token"

func newTestKey(t *testing.T) *Key {
	t.Helper()
	k, err := Load(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealedOpensOnlyInItsPlace(t *testing.T) {
	k := newTestKey(t)
	sealed := k.Seal("EAAG-token", place)
	if got, err := k.Open(sealed, place); err != nil || got != "EAAG-token" {
		t.Fatalf("open gives %q, %v", got, err)
	}
	if _, err := k.Open(sealed, "number/8/100000000000001/access_token"); err == nil {
		t.Error("it opens in the place of another municipality")
	}
	if _, err := newTestKey(t).Open(sealed, place); err == nil {
		t.Error("it opens with another key")
	}
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if _, err := k.Open(altered, place); err == nil {
			t.Errorf("it opens though byte %d was altered", i)
		}
	}
	for n := range sealed {
		if _, err := k.Open(sealed[:n], place); err == nil {
			t.Errorf("it opens though only %d bytes are left", n)
		}
	}
	if bytes.Equal(sealed, k.Seal("EAAG-token", place)) {
		t.Error("the same secret is sealed the same way twice")
	}
}

func TestEmptySecret(t *testing.T) {
	k := newTestKey(t)
	if got, err := k.Open(k.Seal("", place), place); err != nil || got != "" {
		t.Errorf("open gives %q, %v", got, err)
	}
}

func TestKeyIsMadeOnceByAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "key")
	keys := make([]*Key, 16)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			k, err := Load(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = k
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	sealed := keys[0].Seal("x", place)
	for i, k := range keys {
		if _, err := k.Open(sealed, place); err != nil {
			t.Errorf("process %d has another key: %v", i, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v (%v), want 0600", info.Mode(), err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%d files are left beside the key", len(left)-1)
	}
}

func TestFilesThatAreNoKey(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, keySize))
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"readable by the group":  {good, 0o640, "chmod 600"},
		"readable by the world":  {good, 0o604, "chmod 600"},
		"empty":                  {"", 0o600, "32 bytes"},
		"too short":              {good[:20], 0o600, "32 bytes"},
		"not base64":             {"hunter2-hunter2!", 0o600, "32 bytes"},
		"more than any key":      {strings.Repeat(good, 100), 0o600, "32 bytes"},
		"two keys on two lines":  {good + "\n" + good, 0o600, "32 bytes"},
		"fine, without new line": {good, 0o600, ""},
		"fine, read only":        {good + "\n", 0o400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("load says %v, want %q in it", err, c.want)
			}
			if err != nil && c.text != "" && strings.Contains(err.Error(), c.text) {
				t.Errorf("the error shows what is in the file: %v", err)
			}
			if after, _ := os.ReadFile(path); string(after) != c.text {
				t.Error("load changed the file")
			}
		})
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	k, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k)
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s %d %x", k, k, k, k, k, k), log.String()} {
		if strings.Contains(printed, strings.TrimSpace(string(text))) || strings.Contains(printed, "aead") || strings.Contains(printed, "cipher") {
			t.Errorf("printed: %s", printed)
		}
	}
	if got := fmt.Sprintf("%+v", k); got != hidden {
		t.Errorf("printed %q, want %q", got, hidden)
	}
}
