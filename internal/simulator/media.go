// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gabriel-vasile/mimetype"
)

// Lives of media. Source: media page of the reference; ids of webhooks live 7 days since 9 October 2025.
const (
	uploadedLife = 30 * 24 * time.Hour
	incomingLife = 7 * 24 * time.Hour
	urlLife      = 5 * time.Minute
	maxUpload    = 100 << 20
)

// sendLimits are the types a business may send, with their greatest size in bytes.
var sendLimits = map[string]int64{
	"audio/aac": 16 << 20, "audio/amr": 16 << 20, "audio/mpeg": 16 << 20, "audio/mp4": 16 << 20, "audio/ogg": 16 << 20,
	"text/plain": 100 << 20, "application/pdf": 100 << 20, "application/msword": 100 << 20,
	"application/vnd.ms-excel": 100 << 20, "application/vnd.ms-powerpoint": 100 << 20,
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   100 << 20,
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         100 << 20,
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": 100 << 20,
	"image/jpeg": 5 << 20, "image/png": 5 << 20, "image/webp": 500 << 10, "video/mp4": 16 << 20, "video/3gpp": 16 << 20,
}

func baseMime(contentType string) string {
	base, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return strings.ToLower(strings.TrimSpace(contentType))
	}
	return base
}

// classOf is the message type a file of this type is sent as.
func classOf(contentType string) string {
	base := baseMime(contentType)
	class, _, _ := strings.Cut(base, "/")
	switch {
	case base == "image/webp":
		return "sticker"
	case class == "image" || class == "audio" || class == "video":
		return class
	}
	return "document"
}

// file is a stored medium: uploaded by a business or sent by a citizen.
type file struct {
	ID      string    `json:"id"`
	Account string    `json:"account"` // WABA that may fetch it
	Mime    string    `json:"mime_type"`
	SHA256  string    `json:"sha256"` // hex
	Size    int64     `json:"size"`
	Name    string    `json:"name,omitempty"`
	Stored  time.Time `json:"stored"`
	Expires time.Time `json:"expires"`
}

func (f *file) expired(now time.Time) bool { return !now.Before(f.Expires) }

// mediaStore keeps files in a folder, or in memory when there is none.
type mediaStore struct {
	dir  string
	key  []byte // of the download urls' hash
	dice *dice

	mu    sync.RWMutex
	files map[string]*file
	bytes map[string][]byte // when dir is empty
}

func (ms *mediaStore) get(id string) *file {
	ms.mu.RLock()
	defer ms.mu.RUnlock()
	return ms.files[id]
}

func (ms *mediaStore) path(id string) string { return filepath.Join(ms.dir, id) }

func (ms *mediaStore) add(f *file, data []byte) error {
	sum := sha256.Sum256(data)
	f.ID, f.SHA256, f.Size = ms.dice.id("media"), hex.EncodeToString(sum[:]), int64(len(data))
	if ms.dir != "" {
		if err := os.WriteFile(ms.path(f.ID), data, 0o600); err != nil {
			return fmt.Errorf("store media %s: %w", f.ID, err)
		}
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.files[f.ID] = f
	if ms.dir == "" {
		ms.bytes[f.ID] = data
	}
	return nil
}

func (ms *mediaStore) open(id string) (io.ReadSeekCloser, error) {
	if ms.dir != "" {
		f, err := os.Open(ms.path(id))
		if err != nil {
			return nil, fmt.Errorf("open media %s: %w", id, err)
		}
		return f, nil
	}
	ms.mu.RLock()
	defer ms.mu.RUnlock()
	data, ok := ms.bytes[id]
	if !ok {
		return nil, fmt.Errorf("open media %s: %w", id, os.ErrNotExist)
	}
	return memoryFile{bytes.NewReader(data)}, nil
}

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

func (ms *mediaStore) remove(id string) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.files, id)
	delete(ms.bytes, id)
	if ms.dir != "" {
		_ = os.Remove(ms.path(id)) // a file left behind is harmless: its id is forgotten
	}
}

func (ms *mediaStore) all() []*file {
	ms.mu.RLock()
	defer ms.mu.RUnlock()
	all := make([]*file, 0, len(ms.files))
	for _, f := range ms.files {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *file) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (ms *mediaStore) clear() {
	for _, f := range ms.all() {
		ms.remove(f.ID)
	}
}

// upload is POST /{phone_number_id}/media.
func (s *Server) upload(n *number, r *http.Request) (any, *graphError) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, refuse(100, "The upload must be multipart/form-data.")
	}
	values := map[string]string{} // the query may have them too; the form goes before it
	for _, name := range []string{"messaging_product", "type"} {
		values[name] = r.URL.Query().Get(name)
	}
	var data []byte
	var name, partType string
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, refuse(131053, "The upload broke off.")
		}
		limit := int64(4096)
		if part.FormName() == "file" {
			limit = maxUpload
		}
		content, err := io.ReadAll(io.LimitReader(part, limit+1))
		if err != nil {
			return nil, refuse(131053, "The upload broke off.")
		}
		if int64(len(content)) > limit {
			return nil, refuse(131053, "Part %s of the upload is larger than %d bytes.", part.FormName(), limit)
		}
		if part.FormName() == "file" {
			data, name, partType = content, part.FileName(), part.Header.Get("Content-Type")
		} else {
			values[part.FormName()] = string(content)
		}
	}
	return s.storeUpload(n, values, data, name, partType)
}

func (s *Server) storeUpload(n *number, values map[string]string, data []byte, name, partType string) (any, *graphError) {
	if values["messaging_product"] != "whatsapp" {
		return nil, refuse(100, "The parameter messaging_product is required and must be whatsapp.")
	}
	if len(data) == 0 {
		return nil, refuse(131008, "The parameter file is required and must not be empty.")
	}
	contentType := cmp.Or(values["type"], partType)
	if partType != "" && partType != "application/octet-stream" {
		contentType = partType
	}
	limit, ok := sendLimits[baseMime(contentType)]
	if !ok {
		return nil, refuse(100, "Param file must be a file with one of the following types: %s. Received file of type '%s'.", strings.Join(sendTypes(), ", "), contentType)
	}
	if int64(len(data)) > limit {
		return nil, refuse(131053, "A file of type %s may have %d bytes; this one has %d.", contentType, limit, len(data))
	}
	if !looksLike(data, baseMime(contentType)) {
		return nil, refuse(131053, "The file is not %s.", contentType)
	}
	now := s.clock.Now()
	f := &file{Account: n.account.id, Mime: contentType, Name: name, Stored: now, Expires: now.Add(uploadedLife)}
	if err := s.media.add(f, data); err != nil {
		s.log.Error("upload", "error", err)
		return nil, refuse(131000, "The file could not be stored.")
	}
	s.saver.touch()
	return map[string]any{"id": f.ID}, nil
}

func sendTypes() []string {
	types := make([]string, 0, len(sendLimits))
	for t := range sendLimits {
		types = append(types, t)
	}
	slices.Sort(types)
	return types
}

// looksLike holds the bytes against the type they are said to have, as far as the type can be told from bytes.
func looksLike(data []byte, claimed string) bool {
	found := mimetype.Detect(data)
	class, _, _ := strings.Cut(claimed, "/")
	switch class {
	case "image":
		return found.Is(claimed)
	case "audio", "video":
		detected, _, _ := strings.Cut(found.String(), "/")
		return detected == "audio" || detected == "video" || found.Is("application/ogg") || found.Is("application/octet-stream")
	}
	return claimed != "application/pdf" || found.Is("application/pdf")
}

// mediaFields is a medium with every field that can be asked for: its url is where to fetch it in the next five minutes.
func (s *Server) mediaFields(f *file, base string) map[string]any {
	return map[string]any{
		"messaging_product": "whatsapp", "id": f.ID, "url": s.downloadURL(f, base),
		"mime_type": f.Mime, "sha256": f.SHA256, "file_size": f.Size,
	}
}

const downloadPath = "/whatsapp_business/attachments/"

func (s *Server) downloadURL(f *file, base string) string {
	ext := strconv.FormatInt(s.clock.Now().Add(cmp.Or(s.opts.URLLife, urlLife)).Unix(), 10)
	q := url.Values{"mid": {f.ID}, "ext": {ext}, "hash": {s.media.hash(f.ID, ext)}}
	return base + downloadPath + "?" + q.Encode()
}

func (ms *mediaStore) hash(id, ext string) string {
	mac := hmac.New(sha256.New, ms.key)
	mac.Write([]byte(id + "." + ext))
	return hex.EncodeToString(mac.Sum(nil))[:32]
}

// download serves the file behind a url of getMedia, to whoever has the token of its account.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := s.media.get(q.Get("mid"))
	ext, err := strconv.ParseInt(q.Get("ext"), 10, 64)
	good := err == nil && hmac.Equal([]byte(q.Get("hash")), []byte(s.media.hash(q.Get("mid"), q.Get("ext"))))
	switch {
	case !good || f == nil || s.clock.Now().Unix() >= ext || f.expired(s.clock.Now()):
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	case !s.mayUse(bearer(r), f.Account):
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	if s.faults.mediaHangs() {
		s.hang(r, 0)
		return
	}
	if s.faults.mediaIsWrong() {
		w.Header().Set("Content-Type", f.Mime)
		_, _ = io.WriteString(w, "this is not the file that was sent\n") // the client sees whether it arrived
		return
	}
	s.serveFile(w, r, f)
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, f *file) {
	content, err := s.media.open(f.ID)
	if err != nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", f.Mime)
	http.ServeContent(w, r, "", f.Stored, content)
}

// getFile shows a file on the phone page and to tests, without token or expiry.
func (s *Server) getFile(w http.ResponseWriter, r *http.Request) {
	f := s.media.get(r.PathValue("id"))
	if f == nil {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	s.serveFile(w, r, f)
}

func (s *Server) mayUse(token, accountID string) bool {
	for _, a := range s.dir.grants(token) {
		if a.id == accountID {
			return true
		}
	}
	return false
}
