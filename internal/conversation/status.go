// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

// Status is the state of a message. A message moves forward by rank only, in whatever order its states
// arrive: each has ten times its rank, and states of one rank never replace each other.
type Status int16

// The states of a message.
const (
	Received  Status = 0 // came in, or a note: not ours to deliver
	Queued    Status = 10
	Sending   Status = 20 // claimed, written to the wire at any moment; only surely unsent ones go back to Queued
	Uncertain Status = 30 // written, and no answer that tells; never sent again by itself
	Accepted  Status = 40 // Meta's 200
	Held      Status = 41 // accepted, held by Meta's pacing
	Sent      Status = 50
	Failed    Status = 60
	Delivered Status = 70
	Read      Status = 80
	Played    Status = 90
	Cancelled Status = 100 // only from Queued
	Skipped   Status = 101 // only from Queued
)

var statusNames = map[Status]string{
	Received: "received", Queued: "queued", Sending: "sending", Uncertain: "uncertain", Accepted: "accepted", Held: "held",
	Sent: "sent", Failed: "failed", Delivered: "delivered", Read: "read", Played: "played", Cancelled: "cancelled", Skipped: "skipped",
}

func (s Status) String() string { return statusNames[s] }

// Rank orders the states.
func (s Status) Rank() int { return int(s) / 10 }

// Stage is the state as far as the indexes of message care, as the column of that name makes it: what Meta tells of a
// message that is on its way, or has arrived, changes nothing that is indexed.
func (s Status) Stage() Status {
	switch s {
	case Held, Sent:
		return Accepted
	case Read, Played:
		return Delivered
	}
	return s
}

// byStage sorts states by their stage.
func byStage(states []Status) map[Status][]Status {
	out := make(map[Status][]Status)
	for _, s := range states {
		out[s.Stage()] = append(out[s.Stage()], s)
	}
	return out
}

// StatusOf reads a state as WhatsApp's webhooks name it; ok is false for those that change nothing.
func StatusOf(name string) (s Status, ok bool) {
	switch name {
	case "sent":
		return Sent, true
	case "delivered":
		return Delivered, true
	case "read":
		return Read, true
	case "played":
		return Played, true
	case "failed":
		return Failed, true
	}
	return 0, false
}

// Lane says who goes first on the way out.
type Lane int16

// The lanes, the most urgent first.
const (
	Emergency Lane = iota
	Reply
	Automatic
	Broadcast
)
