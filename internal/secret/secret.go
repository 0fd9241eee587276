// SPDX-License-Identifier: AGPL-3.0-or-later

// Package secret seals what must not be readable in the database or its backups.
//
// The key is a file outside of the database. A sealed secret is bound to its place by a context,
// such as "number/7/100000000000001/access_token": moved to another row it no longer opens.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// Key seals and opens secrets. It never prints itself.
type Key struct{ aead cipher.AEAD }

const (
	keySize = 32 // bytes: AES-256
	version = 1  // the first byte of what is sealed: AES-256-GCM, random nonce, context as additional data
	hidden  = "•••"
)

// Load reads the key in the file path: 32 bytes in base64, readable by its owner only. If there is no
// such file it makes one, and of two processes that do so at once both end up with the same key.
func Load(path string) (*Key, error) {
	raw, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(path); err == nil {
			raw, err = read(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("secret key file %s: %w", path, err)
	}
	k, err := newKey(raw)
	if err != nil {
		return nil, fmt.Errorf("secret key file %s: %w", path, err)
	}
	return k, nil
}

func newKey(raw []byte) (*Key, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Key{aead: aead}, nil
}

// read checks who may read the file it has open, not the one that a name leads to a moment later.
func read(path string) (raw []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not an ordinary file")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("others can read it (mode %04o): run chmod 600 on it", mode)
	}
	const bound = 1024
	text, err := io.ReadAll(io.LimitReader(f, bound))
	if err != nil {
		return nil, err
	}
	// The decoder's own error would quote a part of the key.
	raw, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != keySize {
		return nil, errors.New("it does not hold 32 bytes in base64: restore the file that was here, the secrets in the database open with no other")
	}
	return raw, nil
}

// create writes a new key beside path and links it into place whole: a reader never sees half a key,
// and a link, unlike a rename, never replaces the key of a process that was first.
func create(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".key-*") // its mode is 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	raw := make([]byte, keySize)
	_, _ = rand.Read(raw) // it never fails, by its contract
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the new name last: secrets sealed with a key that a power cut takes away are lost.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Seal encrypts plaintext for the place named by context. The same input never seals the same way twice.
func (k *Key) Seal(plaintext, context string) []byte {
	return k.aead.Seal([]byte{version}, nil, []byte(plaintext), []byte(context))
}

// Open decrypts what Seal made for the same context. It fails if the key or the context is another,
// or if a single bit has changed.
func (k *Key) Open(sealed []byte, context string) (string, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return "", fmt.Errorf("open the secret %s: it is not sealed in a way this version knows", context)
	}
	plaintext, err := k.aead.Open(nil, nil, sealed[1:], []byte(context))
	if err != nil {
		return "", fmt.Errorf("open the secret %s: the key is not the one it was sealed with, or it was altered", context)
	}
	return string(plaintext), nil
}

// Format prints three dots, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue logs three dots.
func (k *Key) LogValue() slog.Value { return slog.StringValue(hidden) }
