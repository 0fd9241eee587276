// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Upload gives Meta a file for a profile picture or a template's sample and returns its handle, "4::…". It opens a
// session on the app of the token and writes the file to it at once: what breaks off is begun anew.
// https://developers.facebook.com/docs/graph-api/guides/upload
func (c *Client) Upload(ctx context.Context, acc Account, name, mime string, size int64, r io.Reader) (handle string, err error) {
	app, err := c.App(ctx, acc)
	if err != nil {
		return "", err
	}
	query := url.Values{"file_name": {name}, "file_length": {strconv.FormatInt(size, 10)}, "file_type": {mime}}
	v, err := c.edge(ctx, acc, http.MethodPost, node(app, "uploads"), query, nil)
	if err != nil {
		return "", fmt.Errorf("open an upload of %d bytes: %w", size, err)
	}
	path, err := sessionPath(text(v.Get("id")))
	if err != nil {
		return "", err
	}
	if handle, err = c.writeUpload(ctx, acc, path, size, r); err != nil {
		return "", fmt.Errorf("upload a file of %d bytes: %w", size, err)
	}
	return handle, nil
}

// sessionPath is where a session is written to. Its id looks like "upload:MTph…?sig=ARZ…", and is an address only
// below the Graph API's.
func sessionPath(id string) (string, error) {
	session, sig, signed := strings.Cut(id, "?")
	if !strings.HasPrefix(session, "upload:") || len(id) > 2000 {
		return "", errors.New("open an upload: the answer has no session")
	}
	path := "/" + url.PathEscape(session)
	if signed {
		query, err := url.ParseQuery(sig)
		if err != nil {
			return "", errors.New("open an upload: the session can't be read")
		}
		path += "?" + query.Encode()
	}
	return path, nil
}

func (c *Client) writeUpload(ctx context.Context, acc Account, path string, size int64, r io.Reader) (string, error) {
	guard := guardStall(ctx, c.stall)
	defer guard.release()
	req, err := http.NewRequestWithContext(guard.ctx, http.MethodPost, c.base+path, io.NopCloser(guard.reader(io.LimitReader(r, size))))
	if err != nil {
		return "", err
	}
	req.ContentLength = size
	req.Header.Set("Authorization", "OAuth "+acc.Token)
	req.Header.Set("file_offset", "0")
	v, err := c.upload(req)
	if err != nil {
		return "", guard.explain(err)
	}
	handle := text(v.Get("h"))
	if handle == "" {
		return "", errors.New("the answer has no handle")
	}
	return handle, nil
}
