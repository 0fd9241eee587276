// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// pageEvent is what an open phone page is told.
type pageEvent struct {
	Kind    string        `json:"kind"`              // message, status, typing, citizens, faults, reset; gap: some were lost
	Address string        `json:"address,omitempty"` // of the citizen, as paths take it
	Number  string        `json:"number,omitempty"`
	Message *messageView  `json:"message,omitempty"`
	For     float64       `json:"for,omitempty"`    // seconds of typing
	Passed  *exchangeLine `json:"passed,omitempty"` // kind traffic, for pages that asked for it
}

// pageEvents carries events to the open pages; with none open it costs a look at a counter.
type pageEvents struct {
	open     atomic.Int32
	watching atomic.Int32 // of them, those that want to see the traffic

	mu    sync.Mutex
	pages map[*openPage]bool
}

// openPage is a stream to one page.
type openPage struct {
	events  chan pageEvent
	traffic bool
	missed  atomic.Bool // events that found no room: the page must load everything again
}

func (p *pageEvents) publish(e pageEvent) {
	if p.open.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for page := range p.pages {
		if (e.Kind == "message" || e.Kind == "status") && page.traffic || e.Kind == "traffic" && !page.traffic {
			continue
		}
		select {
		case page.events <- e:
		default:
			page.missed.Store(true)
		}
	}
}

// message and status tell of a message whose citizen is locked.
func (p *pageEvents) message(m *message) { p.tell("message", m) }
func (p *pageEvents) status(m *message)  { p.tell("status", m) }

func (p *pageEvents) tell(kind string, m *message) {
	if p.open.Load() == 0 {
		return
	}
	view := m.view()
	p.publish(pageEvent{Kind: kind, Address: m.citizen.state.address(), Number: m.Number, Message: &view})
}

func (p *pageEvents) typing(c *citizen, numberID string, d time.Duration) {
	if p.open.Load() == 0 {
		return
	}
	st := c.snapshot()
	p.publish(pageEvent{Kind: "typing", Address: st.address(), Number: numberID, For: d.Seconds()})
}

// exchange tells of something that has passed.
func (p *pageEvents) exchange(e *exchange) {
	if p.watching.Load() == 0 {
		return
	}
	line := e.line()
	p.publish(pageEvent{Kind: "traffic", Passed: &line})
}

// address is what events name a citizen by: the phone, or the code for somebody without.
func (c *citizenState) address() string {
	if c.Phone != "" {
		return "+" + c.Phone
	}
	return c.Code
}

func (p *pageEvents) subscribe(traffic bool) *openPage {
	page := &openPage{events: make(chan pageEvent, 256), traffic: traffic}
	if traffic {
		p.watching.Add(1)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages[page] = true
	p.open.Add(1)
	return page
}

func (p *pageEvents) leave(page *openPage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pages, page)
	if page.traffic {
		p.watching.Add(-1)
	}
	p.open.Add(-1)
}

// getEvents streams events as server-sent events until the page or the server closes.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	page := s.events.subscribe(r.URL.Query().Get("traffic") != "")
	defer s.events.leave(page)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w)
	beat := time.NewTicker(20 * time.Second)
	defer beat.Stop()
	fmt.Fprint(w, "event: ready\ndata: {}\n\n")
	for {
		if flush.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		case <-s.draining:
			return
		case <-beat.C:
			fmt.Fprint(w, ": still here\n\n")
		case e := <-page.events:
			if len(page.events) == 0 && page.missed.CompareAndSwap(true, false) {
				e = pageEvent{Kind: "gap"}
			}
			data, err := json.Marshal(e)
			if err != nil {
				s.log.Error("encode page event", "error", err)
				continue
			}
			fmt.Fprintf(w, "data: %s\n\n", data)
		}
	}
}
