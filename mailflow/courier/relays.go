package courier

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// How long a smarthost that failed is left aside while there are others: a minute, twice as long each time it fails again, and
// up to a quarter more, so that several gateways do not come back together. While all are aside one mail may ask every probeGap.
const (
	shortestRest = time.Minute
	longestRest  = 15 * time.Minute
	probeGap     = 10 * time.Second
)

var errAside = errors.New("it failed a moment ago and is left aside for a while")

// Relays are smarthosts in the order in which they are tried. A mail goes to the next one when one cannot be reached, has not the
// TLS or the login that was asked for, or fails for now before the end of the message. Behind the final dot there is no next
// one: an answer that did not come is Unknown (T3), and what was refused for good is not offered elsewhere. Each keeps its own
// terms, so that no step down the list weakens anything (M6). It is safe for concurrent use.
type Relays struct {
	// All has at least one; it is not changed.
	All []*Courier
	// Log is told when one is left aside and when it is back, by number and host; nil is nowhere.
	Log *slog.Logger
	// Heard is told what each attempt came to, by the number of the smarthost from 1, and whether that one is asked next
	// time; nil is nobody.
	Heard func(number int, r Result, up bool)

	now func() time.Time // nil: the machine's

	mu   sync.Mutex
	rest []rest
}

// rest is what is remembered of a smarthost. The zero one is up.
type rest struct {
	fails int
	until time.Time
	asked time.Time
}

// Deliver makes one attempt, at as many smarthosts as it needs. Mail.Open is called once for each that says yes to the recipient.
func (r *Relays) Deliver(ctx context.Context, m Mail) Result {
	if len(r.All) == 1 {
		out := r.All[0].Deliver(ctx, m)
		r.tell(1, out, true)
		return out
	}
	out, tried := r.offer(ctx, m, false)
	if !tried {
		out, _ = r.offer(ctx, m, true)
	}
	return out
}

// offer goes down the list. One that is left aside is passed over, unless its rest is over or desperate says that there is no other.
func (r *Relays) offer(ctx context.Context, m Mail, desperate bool) (out Result, tried bool) {
	for i, c := range r.All {
		may, probe := r.may(i, desperate)
		if !may {
			out = more(out, Result{Outcome: Later, Step: Connect, Via: i + 1, Err: errAside})
			continue
		}
		one := c.Deliver(ctx, m)
		one.Via, tried = i+1, true
		if ctx.Err() != nil { // we broke it off, and it says nothing of the smarthost
			return one, true
		}
		r.heard(i, one, probe)
		if !one.elsewhere() {
			return one, true
		}
		out = more(out, one)
	}
	return out, tried
}

// more is the one of two that says more about where a mail stands: what may still succeed before what may not, then the one that
// came further.
func more(a, b Result) Result {
	switch {
	case a.Outcome == "" || a.Outcome == Failed && b.Outcome == Later:
		return b
	case a.Outcome == Later && b.Outcome == Failed:
		return a
	case slices.Index(steps, b.Step) >= slices.Index(steps, a.Step) && b.Err != errAside:
		return b
	}
	return a
}

// elsewhere says that the next smarthost may be offered the mail.
func (r Result) elsewhere() bool {
	switch r.Outcome {
	case Later:
		return !r.ours && r.Step != Open && r.Step != Answer
	case Failed:
		return r.Step == MailFrom // too large for this server; nobody was named yet
	}
	return false
}

// faulty says that the smarthost itself is not well, so that other mails had better not go there now. A line that was lost behind
// the final dot is such a fault: the next mail would be Unknown as well.
func (r Result) faulty() bool {
	if r.ours || r.Outcome == Sent || r.Outcome == Failed || r.Step == Open {
		return false
	}
	switch r.Step {
	case RcptTo, Data, Message:
		return r.Code == 0 || r.Code == 421
	case Answer:
		return r.Outcome == Unknown || r.Code == 421 || r.Code == 452 // 452: its storage is full
	}
	return true
}

// may says whether a smarthost is asked now, and whether that is to see if it is back. Only one mail does that at a time.
func (r *Relays) may(i int, desperate bool) (may, probe bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.of(i)
	if h.fails == 0 {
		return true, false
	}
	now, from := r.clock(), h.until
	if desperate {
		from = h.asked.Add(probeGap)
	}
	if now.Before(from) {
		return false, false
	}
	h.asked = now
	if again := now.Add(probeGap); h.until.Before(again) {
		h.until = again
	}
	return true, true
}

// heard remembers how a smarthost did.
func (r *Relays) heard(i int, one Result, probe bool) {
	r.mu.Lock()
	h := r.of(i)
	was, now := h.fails, r.clock()
	switch {
	case !one.faulty():
		*h = rest{}
	case was == 0 || probe: // of several that were under way together the first counts
		h.fails, h.asked = was+1, now
		h.until = now.Add(restFor(h.fails))
	}
	up := h.fails == 0
	wait := h.until.Sub(now).Round(time.Second)
	r.mu.Unlock()
	if r.Log != nil {
		switch {
		case !up && (was == 0 || probe):
			r.Log.Warn("a smarthost is left aside", "smarthost", i+1, "host", r.All[i].Host, "result", one, "why", one.String(), "for", wait)
		case up && was > 0:
			r.Log.Info("a smarthost is back", "smarthost", i+1, "host", r.All[i].Host)
		}
	}
	r.tell(i+1, one, up)
}

func (r *Relays) tell(number int, one Result, up bool) {
	if r.Heard != nil {
		r.Heard(number, one, up)
	}
}

// restFor is how long a smarthost is left aside after its nth failure.
func restFor(n int) time.Duration {
	d := shortestRest
	for ; n > 1 && d < longestRest; n-- {
		d *= 2
	}
	d = min(d, longestRest)
	return d + rand.N(d/4)
}

// of is what is remembered of a smarthost; the lock is held.
func (r *Relays) of(i int) *rest {
	if r.rest == nil {
		r.rest = make([]rest, len(r.All))
	}
	return &r.rest[i]
}

func (r *Relays) clock() time.Time {
	if r.now != nil {
		return r.now()
	}
	return time.Now()
}

// Close ends the idle connections.
func (r *Relays) Close() {
	for _, c := range r.All {
		c.Close()
	}
}
