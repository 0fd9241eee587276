// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Settings are what an installation can set, by flag or by environment: FILODIRETTO_LISTEN is --listen.
type Settings struct {
	Listen        string `env:"FILODIRETTO_LISTEN" default:"127.0.0.1:8080" help:"Address to serve on."`
	PublicURL     string `env:"FILODIRETTO_PUBLIC_URL" name:"public-url" help:"Address by which the outside reaches this installation, such as https://desk.example.it."`
	Database      string `env:"FILODIRETTO_DATABASE" default:"sqlite:data/filodiretto.db" help:"sqlite:FILE or postgres://…"`
	Data          string `env:"FILODIRETTO_DATA" default:"data" help:"Folder of media and keys."`
	SecretKeyFile string `env:"FILODIRETTO_SECRET_KEY_FILE" help:"File of the key that seals secrets; made if absent. Default: secret.key in the data folder."`
	GraphURL      string `env:"FILODIRETTO_GRAPH_URL" default:"https://graph.facebook.com" help:"Meta's Graph API, or the simulator."`
	GraphVersion  string `env:"FILODIRETTO_GRAPH_VERSION" default:"v26.0" help:"Version of the Graph API."`
	LogFormat     string `env:"FILODIRETTO_LOG_FORMAT" enum:"text,json" default:"text" help:"Format of the log: text or json."`
	LogLevel      string `env:"FILODIRETTO_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"Least level of the log: debug, info, warn or error."`
	MetricsListen string `env:"FILODIRETTO_METRICS_LISTEN" help:"Address of Prometheus metrics; off when empty."`
}

// KeyFile is where the key that seals secrets is.
func (s Settings) KeyFile() string {
	if s.SecretKeyFile != "" {
		return s.SecretKeyFile
	}
	return filepath.Join(s.Data, "secret.key")
}

// mediaFolder is where the files of messages are.
func (s Settings) mediaFolder() string { return filepath.Join(s.Data, "media") }

// Public is the address by which the outside reaches this installation, without a final slash. Where none is set it is
// one that opens on this machine: what is on it can be tried, and doctor tells that service needs more.
func (s Settings) Public() string {
	if s.PublicURL != "" {
		return strings.TrimRight(s.PublicURL, "/")
	}
	return reachable(s.Listen)
}

// reachable is the address of what listens on address, for a browser on this machine: 0.0.0.0 means every one of a
// machine's addresses, and is none that can be opened.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + address
}

// Logger writes the log to w.
func (s Settings) Logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// prepare makes the data folder.
func (s Settings) prepare() error {
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}
