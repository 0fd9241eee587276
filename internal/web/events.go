// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

const (
	heartbeat    = 20 * time.Second
	writeTimeout = 10 * time.Second // a browser that reads no more is let go
)

// gathered is how often a browser is told of broadcasts at most: one of many thousands changes at every instant.
const gathered = time.Second

// events tells a browser which conversations and broadcasts changed. It says what changed and never what it looks
// like: the page fetches that part, by the one way of drawing it, with the rights it then has.
func (s *Server) events(w http.ResponseWriter, r *http.Request, v *visit) error {
	mine := func(n db.Notice) bool {
		return n.Municipality == v.municipality.ID && (n.Topic == db.Conversation || n.Topic == db.Broadcast)
	}
	changes := s.DB.Hub.Subscribe(mine)
	defer changes.Close()

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	stream := eventStream{w: w, control: http.NewResponseController(w)}
	if err := stream.send("hello", ""); err != nil {
		return nil
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var broadcasts gathering
	for {
		var err error
		select {
		case <-r.Context().Done():
			return nil
		case <-s.streams.Done():
			return nil
		case n := <-changes.C:
			if n.Topic == db.Broadcast {
				err = broadcasts.add(stream, n.ID)
			} else {
				err = stream.tell(n)
			}
		case <-broadcasts.due:
			err = broadcasts.tell(stream)
		case <-beat.C:
			if !s.stillMay(r.Context(), v) {
				_ = stream.send("bye", "")
				return nil
			}
			err = stream.comment()
		}
		if err != nil {
			return nil // the browser went away
		}
	}
}

// stillMay ends the stream of somebody whose place, account or right is gone.
func (s *Server) stillMay(ctx context.Context, v *visit) bool {
	return s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		actor, err := staff.Membership(ctx, tx, v.municipality.ID, v.actor.ID)
		if err != nil {
			return err
		}
		return actor.Require(staff.Converse, v.municipality.ID)
	}) == nil
}

// gathering holds the broadcasts that changed since the browser was last told of any.
type gathering struct {
	changed map[int64]struct{}
	due     <-chan time.Time // nil while nothing was told within the span
}

// add tells of the first change at once, and keeps those of the span that begins with it.
func (g *gathering) add(stream eventStream, id int64) error {
	if g.changed == nil {
		g.changed = map[int64]struct{}{}
	}
	g.changed[id] = struct{}{}
	if g.due != nil {
		return nil
	}
	return g.tell(stream)
}

func (g *gathering) tell(stream eventStream) error {
	g.due = nil
	for id := range g.changed {
		if err := stream.send("broadcast", db.FormatID(id)); err != nil {
			return err
		}
		g.due = time.After(gathered)
	}
	clear(g.changed)
	return nil
}

type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (e eventStream) tell(n db.Notice) error {
	if n.Topic == db.Refresh {
		return e.send("refresh", "")
	}
	return e.send("conversation", db.FormatID(n.ID))
}

func (e eventStream) send(event, data string) error {
	return e.write(fmt.Sprintf("event: %s\ndata: %s\n\n", event, data))
}

func (e eventStream) comment() error { return e.write(":\n\n") }

func (e eventStream) write(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}
