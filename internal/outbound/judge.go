// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// tryFor is how long a message is tried again that Meta says may be: after a day a free reply is refused
// anyway. A citizen who got too much too fast is tried a few times only.
const (
	tryFor   = 24 * time.Hour
	maxPairs = 10
)

// judge decides from the answer to a send what becomes of the message, and what it tells of the number.
// Only an error that Graph told in so many words is surely no message; anything else that was written
// may be one.
func (p *pump) judge(o conversation.Outcome, parcel parcel, sent whatsapp.Sent, err error) conversation.Outcome {
	now := time.Now()
	if err == nil {
		p.breaker.answered()
		o.Status, o.ExternalID = conversation.Accepted, sent.ID
		if sent.Held {
			o.Status = conversation.Held
		}
		p.s.metrics.sends.WithLabelValues(o.Status.String()).Inc()
		return o
	}
	var failed *whatsapp.SendError
	if !errors.As(err, &failed) {
		failed = &whatsapp.SendError{Outcome: whatsapp.Unknown, Err: err}
	}
	switch failed.Outcome {
	case whatsapp.NotSent:
		p.breaker.unsent(now)
		p.s.metrics.sends.WithLabelValues("not_sent").Inc()
		o.Status = conversation.Queued // in its place: the breaker waits for the whole number
	case whatsapp.Refused:
		o.Written = true
		return p.refused(o, parcel, failed)
	default:
		o.Written = true
		p.breaker.unknown(now)
		p.s.metrics.sends.WithLabelValues("uncertain").Inc()
		o.Status = conversation.Uncertain
	}
	return o
}

func (p *pump) refused(o conversation.Outcome, parcel parcel, failed *whatsapp.SendError) conversation.Outcome {
	now, clock := time.Now(), p.s.d.Now()
	a := failed.Advice()
	o.ErrorCode, o.ErrorDetail = failed.Graph.Code, cmp.Or(failed.Graph.Details, failed.Graph.Message)
	p.s.metrics.sends.WithLabelValues("refused_" + a.Reason).Inc()
	if !a.StopsNumber && a.Reason != unfamiliar && a.Reason != metaDown {
		p.breaker.answered()
	}
	switch {
	case a.StopsNumber:
		p.stop(now, failed.Graph.Code, a.Reason)
		o.Status, o.Written = conversation.Queued, false
	case a.Reason == windowClosed && o.BroadcastID != 0 && parcel.message.Type == conversation.TypeText: // it closed while the copy waited
		o.Status, o.AsTemplate = conversation.Queued, true
	case a.StopsBroadcast && o.BroadcastID != 0: // it would fail for everybody: it waits until a person has acted
		o.Status, o.Written = conversation.Queued, false
	case a.Reason == metaDown && a.Tries == 0: // for everybody: the breaker waits for the whole number
		p.breaker.down(now)
		o.Status, o.NextAt = conversation.Queued, clock.Add(max(a.Wait, time.Second))
	case a.Class == whatsapp.Retry && again(a, parcel.message, clock):
		o.Status, o.NextAt = conversation.Queued, clock.Add(max(a.Wait, backoff(parcel.message.Tries)))
	case a.Class == whatsapp.Slow:
		p.pace.slow(now)
		o.Status, o.NextAt = conversation.Queued, clock.Add(max(a.Wait, failed.Graph.RetryAfter, time.Second))
	case a.Class == whatsapp.Pair && parcel.message.Tries < maxPairs:
		o.Status, o.NextAt = conversation.Queued, clock.Add(pairBackoff(parcel.message.Tries))
	case a.Reason == unfamiliar && p.breaker.unfamiliar(failed.Graph.Code):
		p.stop(now, failed.Graph.Code, a.Reason)
		o.Status, o.Written = conversation.Queued, false
	default:
		o.Status = conversation.Failed
	}
	return o
}

// stop waits for a person, and tries with one message a minute whether they have acted.
func (p *pump) stop(now time.Time, code int, reason string) {
	p.breaker.stopped(now, code)
	p.s.log.Error("Meta refuses everything from this number until somebody acts", "number", p.number, "code", code, "reason", reason)
}

// again reports whether a message may be tried once more: so many times where Meta says so, else for a day. A
// copy may have waited for days before its first try: its tries are counted, which take a day at least.
func again(a whatsapp.Advice, m conversation.Message, now time.Time) bool {
	if a.Tries > 0 {
		return m.Tries < a.Tries
	}
	if m.BroadcastID != 0 {
		return m.Tries < int(tryFor/longestBackoff)
	}
	return now.Sub(m.At) < tryFor
}

// metaDown is the reason of the codes by which Meta says that it is down.
const metaDown = "meta_unavailable"

// windowClosed is the reason of the codes by which Meta says that the citizen wrote too long ago for plain text.
const windowClosed = "window_closed"

// unfamiliar is the reason of the codes that Meta's table doesn't have.
const unfamiliar = "unknown_error"

const longestBackoff = 5 * time.Minute

// backoff doubles from two seconds to five minutes, with jitter.
func backoff(attempts int) time.Duration {
	d := min(longestBackoff, time.Second<<min(attempts, 10))
	return d + rand.N(d/4+1)
}

// pairBackoff is Meta's 4^n seconds.
func pairBackoff(attempts int) time.Duration { return time.Second << (2 * min(attempts, 5)) }
