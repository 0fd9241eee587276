// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// stallTimeout is the longest silence while media are on their way. Size is
// bounded, whole duration is not: a video over a slow line is no fault.
const stallTimeout = 20 * time.Second

const maxRedirects = 3

// Failures of a download that a caller may want to tell apart.
var (
	ErrMediaHost  = errors.New("the media address is not on a host that may see the token")
	ErrMediaSize  = errors.New("the media are larger than allowed")
	ErrMediaStall = errors.New("the media stopped coming")
)

// MediaInfo is what Meta knows of a file.
type MediaInfo struct {
	ID     string
	URL    string // for DownloadMedia; good for 5 minutes
	MIME   string // not to be believed
	SHA256 string // base64 or hexadecimal
	Size   int64  // bytes; 0 if not told
}

// MediaURL asks where to get a file. A Graph error of code 100 means that the
// id is dead: ids of inbound files live for 7 days, of uploads for 30.
func (c *Client) MediaURL(ctx context.Context, acc Account, mediaID string) (MediaInfo, error) {
	v, err := c.call(ctx, request{
		method: http.MethodGet,
		path:   node(mediaID),
		query:  url.Values{"phone_number_id": {acc.PhoneNumberID}},
		token:  acc.Token,
	})
	if err != nil {
		return MediaInfo{}, fmt.Errorf("ask for the address of media %s: %w", mediaID, err)
	}
	info := MediaInfo{
		ID:     mediaID,
		URL:    text(v.Get("url")),
		MIME:   text(v.Get("mime_type")),
		SHA256: text(v.Get("sha256")),
		Size:   int64(integer(v.Get("file_size"))),
	}
	if info.URL == "" {
		return MediaInfo{}, fmt.Errorf("ask for the address of media %s: the answer has none", mediaID)
	}
	return info, nil
}

// DownloadMedia copies the file at an address of MediaURL, or of a webhook,
// to dst and returns how many bytes it wrote, which on error may be more than
// 0. Addresses on hosts that must not see the token are refused with
// ErrMediaHost, more than maxBytes with ErrMediaSize, silence with
// ErrMediaStall. An answer that is not the file is a *GraphError or a
// *StatusError; at 404 the address has expired: ask MediaURL again.
func (c *Client) DownloadMedia(ctx context.Context, acc Account, address string, dst io.Writer, maxBytes int64) (int64, error) {
	n, err := c.download(ctx, acc, address, dst, maxBytes)
	if err != nil {
		return n, fmt.Errorf("download media: %w", err)
	}
	return n, nil
}

func (c *Client) download(ctx context.Context, acc Account, address string, dst io.Writer, maxBytes int64) (int64, error) {
	target, err := url.Parse(address)
	if err != nil || !c.mayHaveToken(target) {
		return 0, ErrMediaHost
	}
	guard := guardStall(ctx, c.stall)
	defer guard.release()
	req, err := http.NewRequestWithContext(guard.ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+acc.Token)
	resp, err := c.media.Do(req)
	if err != nil {
		return 0, guard.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, mediaRefusal(resp)
	}
	if resp.ContentLength > maxBytes {
		return 0, ErrMediaSize
	}
	n, err := io.Copy(dst, io.LimitReader(guard.reader(resp.Body), maxBytes))
	if err != nil {
		return n, guard.explain(err)
	}
	if n == maxBytes && !ended(resp.Body) {
		return n, ErrMediaSize
	}
	return n, nil
}

// ended tells whether nothing more comes.
func ended(r io.Reader) bool {
	n, err := io.ReadFull(r, make([]byte, 1))
	return n == 0 && errors.Is(err, io.EOF)
}

func mediaRefusal(resp *http.Response) error {
	a, _ := readAnswer(resp)
	if e := a.graphError(); e != nil {
		return e
	}
	return &StatusError{HTTPStatus: resp.StatusCode}
}

// mayHaveToken tells whether the token may travel to an address: over HTTPS to
// Meta's media hosts and those configured, and to where the Graph API is.
// Anybody else who gets it could write in the municipality's name.
func (c *Client) mayHaveToken(u *url.URL) bool {
	if u.User != nil || u.Host == "" {
		return false
	}
	if u.Scheme == c.origin.Scheme && strings.EqualFold(u.Host, c.origin.Host) {
		return true
	}
	if u.Scheme != "https" {
		return false
	}
	for _, allowed := range c.hosts {
		if hostMatches(u, allowed) {
			return true
		}
	}
	return false
}

// hostMatches compares with "host:port", "host" (on 443) or "*.domain".
func hostMatches(u *url.URL, allowed string) bool {
	if strings.EqualFold(u.Host, allowed) {
		return true
	}
	if u.Port() != "" && u.Port() != "443" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if domain, ok := strings.CutPrefix(allowed, "*"); ok {
		return strings.HasSuffix(host, strings.ToLower(domain)) && len(host) > len(domain)
	}
	return strings.EqualFold(host, allowed)
}

func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || !c.mayHaveToken(req.URL) {
		return ErrMediaHost
	}
	return nil
}

// UploadMedia gives Meta a file and returns its id, good for 30 days. Meta
// decides by mime whether it takes the file; filename is only for its records.
// r is not read after it returns, and must not block for ever. Errors are as
// those of DownloadMedia.
func (c *Client) UploadMedia(ctx context.Context, acc Account, mime, filename string, r io.Reader) (string, error) {
	guard := guardStall(ctx, c.stall)
	defer guard.release()
	form, contentType, written := uploadForm(mime, filename, guard.reader(r))
	defer func() {
		form.Close()
		<-written // r is the caller's again
	}()
	req, err := http.NewRequestWithContext(guard.ctx, http.MethodPost, c.base+node(acc.PhoneNumberID, "media"), form)
	if err != nil {
		return "", fmt.Errorf("upload media: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+acc.Token)
	req.Header.Set("Content-Type", contentType)
	v, err := c.upload(req)
	if err != nil {
		return "", fmt.Errorf("upload media: %w", guard.explain(err))
	}
	id := text(v.Get("id"))
	if !usableID(id) {
		return "", errors.New("upload media: the answer has no id")
	}
	return id, nil
}

func (c *Client) upload(req *http.Request) (gjson.Result, error) {
	resp, err := c.api.Do(req)
	if err != nil {
		return gjson.Result{}, err
	}
	defer resp.Body.Close()
	a, err := readAnswer(resp)
	if err != nil {
		return gjson.Result{}, err
	}
	return a.success()
}

// uploadForm streams the file as a form, so that 100 MB are never in memory.
// It is written until written is closed.
func uploadForm(mime, filename string, r io.Reader) (form *io.PipeReader, contentType string, written <-chan struct{}) {
	form, w := io.Pipe()
	parts := multipart.NewWriter(w)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.CloseWithError(writeForm(parts, mime, filename, r))
	}()
	return form, parts.FormDataContentType(), done
}

func writeForm(parts *multipart.Writer, mime, filename string, r io.Reader) error {
	if err := parts.WriteField("messaging_product", "whatsapp"); err != nil {
		return err
	}
	if err := parts.WriteField("type", mime); err != nil {
		return err
	}
	header := textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("file", filename)},
		"Content-Type":        {mime},
	}
	file, err := parts.CreatePart(header)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, r); err != nil {
		return err
	}
	return parts.Close()
}

// stallGuard ends a transfer on which nothing moves for too long.
type stallGuard struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	patience time.Duration
}

func guardStall(ctx context.Context, patience time.Duration) *stallGuard {
	ctx, cancel := context.WithCancelCause(ctx)
	g := &stallGuard{ctx: ctx, cancel: cancel, patience: patience}
	g.timer = time.AfterFunc(patience, func() { cancel(ErrMediaStall) })
	return g
}

func (g *stallGuard) release() {
	g.timer.Stop()
	g.cancel(nil)
}

// explain names a stall where net/http only sees a cancelled context, and
// leaves out the address, which is as good as a key to the file.
func (g *stallGuard) explain(err error) error {
	if cause := context.Cause(g.ctx); errors.Is(cause, ErrMediaStall) {
		return cause
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// reader passes bytes on and takes each as a sign of life.
func (g *stallGuard) reader(r io.Reader) io.Reader { return signOfLife{r, g} }

type signOfLife struct {
	r io.Reader
	g *stallGuard
}

func (s signOfLife) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if n > 0 {
		s.g.timer.Reset(s.g.patience)
	}
	return n, err
}
