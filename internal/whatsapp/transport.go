// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	idleTimeout      = 30 * time.Second // short: a connection the other side forgot costs an Unknown
	idlePerHost      = 512
	maxAnswerHeader  = 64 << 10
)

// transport returns a transport on which it is known whether bytes of a
// request reached the wire. It speaks HTTP/1.1 only: there a request owns its
// connection, and none is ever written after RoundTrip has returned an error.
// A transport that is not net/http's own is used as it is.
func transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSHandshakeTimeout:    handshakeTimeout,
			IdleConnTimeout:        idleTimeout,
			MaxIdleConnsPerHost:    idlePerHost,
			MaxResponseHeaderBytes: maxAnswerHeader,
			DisableCompression:     true,
		}
	}
	given, ok := base.(*http.Transport)
	if !ok {
		return base
	}
	t := given.Clone()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	secure := t.DialTLSContext
	if secure == nil {
		secure = dialTLS(dial, t.TLSClientConfig)
	}
	t.DialContext, t.DialTLSContext = counted(dial), counted(secure)
	return t
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

func counted(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: conn}, nil
	}
}

// dialTLS shakes hands here rather than in net/http, so that what is counted
// are bytes of requests and not of handshakes and closing notes.
func dialTLS(dial dialFunc, config *tls.Config) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		raw, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			raw.Close()
			return nil, err
		}
		conn := tls.Client(raw, tlsConfig(config, host))
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		return conn, nil
	}
}

func tlsConfig(base *tls.Config, host string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		config = base.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	config.NextProtos = nil
	return config
}

// countedConn counts the bytes the kernel took.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// witness sees whether a request reached the wire.
type witness struct {
	conn    *countedConn
	before  int64       // bytes of earlier requests on the connection
	headers atomic.Bool // written to a buffer at least, on a foreign connection
}

// watch returns a context whose request is seen by the witness.
func (w *witness) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if conn, ok := info.Conn.(*countedConn); ok {
				w.conn, w.before = conn, conn.written.Load()
			}
		},
		WroteHeaders: func() { w.headers.Store(true) },
	})
}

// wrote tells, after the request has ended, whether a byte of it may have
// left. Where the connection cannot be counted, headers put into the buffer
// count as written: rather uncertain than twice.
func (w *witness) wrote() bool {
	if w.conn != nil {
		return w.conn.written.Load() != w.before
	}
	return w.headers.Load()
}
