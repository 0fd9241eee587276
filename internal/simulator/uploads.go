// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Resumable uploads, of profile pictures and of samples for templates: a session is opened on the app, the file
// written to it from an offset on, and its handle used elsewhere.
// Source: https://developers.facebook.com/docs/graph-api/guides/upload

const (
	uploadPrefix = "upload:"
	handlePrefix = "4::"
	maxSample    = 16 << 20 // bytes of an upload
	maxSessions  = 64       // the oldest is forgotten
	pictureLife  = 10 * 365 * 24 * time.Hour
)

// uploadTypes are the types Meta takes by this way.
var uploadTypes = []string{"image/jpeg", "image/jpg", "image/png", "video/mp4", "application/pdf"}

type uploadSession struct {
	id      string
	account string // whose token opened it
	name    string
	mime    string
	length  int64
	data    []byte
}

type uploads struct {
	mu       sync.Mutex
	sessions []*uploadSession
}

func (u *uploads) get(id string) *uploadSession {
	i := slices.IndexFunc(u.sessions, func(s *uploadSession) bool { return s.id == id })
	if i < 0 {
		return nil
	}
	return u.sessions[i]
}

// appNode is GET /app and /{app_id}, and what hangs on them: every token here is of the one app.
func (s *Server) appNode(g *graphRequest) (any, *graphError) {
	if g.edge == "subscriptions" {
		return s.appSubscriptions(g)
	}
	switch g.Method + " " + g.edge {
	case "GET ":
		app := map[string]any{"id": appID, "name": "Simulator", "category": "Business", "link": "https://www.facebook.com/games/?app_id=" + appID}
		return project(app, g.query.Get("fields"), []string{"category", "link", "name"}), nil
	case "POST uploads":
		return s.openUpload(g)
	}
	return nil, unsupported(g)
}

func (s *Server) openUpload(g *graphRequest) (any, *graphError) {
	var in struct {
		Name   string     `json:"file_name"`
		Type   string     `json:"file_type"`
		Length flexString `json:"file_length"`
	}
	if len(g.body) > 0 {
		if err := json.Unmarshal(g.body, &in); err != nil {
			return nil, badJSON(err)
		}
	}
	length, err := strconv.ParseInt(string(in.Length), 10, 64)
	switch {
	case err != nil || length < 1:
		return nil, refuse(100, "Param file_length must be a positive number.")
	case length > maxSample:
		return nil, refuse(100, "A file may have %d bytes here.", maxSample)
	case !slices.Contains(uploadTypes, in.Type):
		return nil, refuse(100, "Param file_type must be one of {%s}.", strings.Join(uploadTypes, ", "))
	}
	session := &uploadSession{id: hexOf(s.dice.id("upload")), account: g.granted[0].id, name: in.Name, mime: in.Type, length: length}
	s.uploads.mu.Lock()
	defer s.uploads.mu.Unlock()
	s.uploads.sessions = append(s.uploads.sessions, session)
	if len(s.uploads.sessions) > maxSessions {
		s.uploads.sessions = s.uploads.sessions[1:]
	}
	return map[string]any{"id": uploadPrefix + session.id + "?sig=" + s.media.hash(session.id, "session")}, nil
}

// uploadNode is /upload:…: GET tells how much is there, POST writes on from there.
func (s *Server) uploadNode(g *graphRequest) (any, *graphError) {
	id := strings.TrimPrefix(g.object, uploadPrefix)
	s.uploads.mu.Lock()
	defer s.uploads.mu.Unlock()
	session := s.uploads.get(id)
	if session == nil || g.query.Get("sig") != s.media.hash(id, "session") || !g.seesAccount(session.account) {
		return nil, unknownObject(g.Method, g.object)
	}
	switch g.Method {
	case http.MethodGet:
		return map[string]any{"id": g.object, "file_offset": len(session.data)}, nil
	case http.MethodPost:
		return s.writeUpload(g, session)
	}
	return nil, unsupported(g)
}

func (s *Server) writeUpload(g *graphRequest, session *uploadSession) (any, *graphError) {
	offset, err := strconv.Atoi(cmp.Or(g.Header.Get("file_offset"), "0"))
	if err != nil || offset != len(session.data) {
		return nil, refuse(100, "The header file_offset must be %d.", len(session.data))
	}
	if int64(offset+len(g.body)) > session.length {
		return nil, refuse(100, "More bytes came than the %d announced.", session.length)
	}
	session.data = append(session.data, g.body...)
	if int64(len(session.data)) < session.length {
		return nil, refuse(100, "%d of %d bytes came: go on from there.", len(session.data), session.length)
	}
	if !looksLike(session.data, strings.Replace(session.mime, "image/jpg", "image/jpeg", 1)) {
		return nil, refuse(100, "The file is not %s.", session.mime)
	}
	now := s.clock.Now()
	f := &file{Account: session.account, Mime: session.mime, Name: session.name, Stored: now, Expires: now.Add(pictureLife)}
	if err := s.media.add(f, session.data); err != nil {
		s.log.Error("upload", "error", err)
		return nil, refuse(131000, "The file could not be stored.")
	}
	s.saver.touch()
	return map[string]any{"h": handlePrefix + hexOf(f.ID)}, nil
}

func (g *graphRequest) seesAccount(id string) bool {
	return slices.ContainsFunc(g.granted, func(a *account) bool { return a.id == id })
}

// uploaded finds the file behind a handle.
func (s *Server) uploaded(handle string) *file {
	for _, f := range s.media.all() {
		if handle == handlePrefix+hexOf(f.ID) && !f.expired(s.clock.Now()) {
			return f
		}
	}
	return nil
}

// picture finds the profile picture that a handle stands for; n must be locked by the caller when it keeps it.
func (s *Server) picture(handle any) (id string, refused *graphError) {
	text, _ := handle.(string)
	f := s.uploaded(text)
	if f == nil || classOf(f.Mime) != "image" {
		return "", refuse(100, "Param profile_picture_handle is not the handle of a picture.")
	}
	return f.ID, nil
}

// profileWithPicture is the profile with the address of its picture, which like Meta's needs no token.
func (s *Server) profileWithPicture(g *graphRequest, n *number) any {
	answer := n.profile(g.query.Get("fields"))
	id := n.snapshot().Picture
	fields := fieldNames(g.query.Get("fields"))
	if id != "" && (g.query.Get("fields") == "" || slices.Contains(fields, "profile_picture_url")) {
		answer["data"].([]any)[0].(map[string]any)["profile_picture_url"] = s.baseURL(g.Request) + "/simulator/media/" + id
	}
	return answer
}

// isUpload tells a request that writes a file to a session: its body is no JSON, and longer than others may be.
func isUpload(r *http.Request) bool { return strings.Contains(r.URL.Path, "/"+uploadPrefix) }

// readUpload reads the body of one.
func readUpload(w http.ResponseWriter, r *http.Request) ([]byte, *graphError) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSample+1))
	if err != nil {
		return nil, refuse(1, "The upload broke off, or is larger than %d bytes.", maxSample)
	}
	return body, nil
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }
