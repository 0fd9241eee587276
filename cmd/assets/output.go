// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// output collects the built files, each under a name that carries the hash of its content,
// so that browsers may keep it for ever.
type output struct {
	folder   string
	manifest map[string]string
}

// newOutput empties folder of what an earlier run left.
func newOutput(folder string) (*output, error) {
	old, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, f := range old {
		if f.Name() == ".gitignore" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(folder, f.Name())); err != nil {
			return nil, err
		}
	}
	return &output{folder: folder, manifest: map[string]string{}}, nil
}

// add writes content as name with a hash before its extension, compressed beside when that helps,
// and returns the name it got.
func (o *output) add(name string, content []byte) (string, error) {
	sum := sha256.Sum256(content)
	ext := filepath.Ext(name)
	hash := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
	hashed := strings.TrimSuffix(name, ext) + "-" + hash + ext
	o.manifest[name] = hashed
	if err := os.WriteFile(filepath.Join(o.folder, hashed), content, 0o644); err != nil {
		return "", err
	}
	if ext == ".woff2" {
		return hashed, nil
	}
	small, err := compress(content)
	if err != nil {
		return "", fmt.Errorf("compressing %s: %w", name, err)
	}
	return hashed, os.WriteFile(filepath.Join(o.folder, hashed+".gz"), small, 0o644)
}

// close writes the manifest: which name each file got.
func (o *output) close() error {
	text, err := json.MarshalIndent(o.manifest, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.folder, "manifest.json"), append(text, '\n'), 0o644)
}

func compress(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
