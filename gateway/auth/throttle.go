package auth

import (
	"sync"
	"time"
)

// window is how long a failure counts.
const window = 10 * time.Minute

// widely is how many times the failures of one login an address may make over
// all logins: enough for an office behind one address, too few for a list of
// names.
const widely = 5

// maxCounters bounds the memory of the throttle, about 200 octets each.
const maxCounters = 50_000

// attempt is what failures are counted for: a login, as an HMAC so that
// neither a mistyped password nor a long name is kept, from an address. The
// zero login stands for all logins of the address.
type attempt struct {
	login [32]byte
	from  string
}

// throttle counts failures per login and address and per address (rule A1).
// There is no counter per login alone: nobody can lock a coordinator out from
// somewhere else.
type throttle struct {
	failures int

	mu   sync.Mutex
	past map[attempt][]time.Time // of each the newest failures, oldest first
}

func newThrottle(failures int) *throttle {
	return &throttle{failures: failures, past: make(map[attempt][]time.Time)}
}

// closed tells whether no more tries are taken now.
func (t *throttle) closed(a attempt, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return recent(t.past[a], now) >= t.failures ||
		recent(t.past[attempt{from: a.from}], now) >= widely*t.failures
}

// failed counts a failure.
func (t *throttle) failed(a attempt, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.past) >= maxCounters {
		t.sweep(now)
	}
	t.count(a, t.failures, now)
	t.count(attempt{from: a.from}, widely*t.failures, now)
}

func (t *throttle) count(a attempt, most int, now time.Time) {
	times := append(t.past[a], now)
	if len(times) > most {
		times = times[len(times)-most:]
	}
	t.past[a] = times
}

// forget clears the failures of a login that came in; those of its address
// over all logins stay.
func (t *throttle) forget(a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.past, a)
}

// sweep makes room: what is over first, and else whatever comes.
func (t *throttle) sweep(now time.Time) {
	for a, times := range t.past {
		if recent(times, now) == 0 {
			delete(t.past, a)
		}
	}
	for a := range t.past {
		if len(t.past) < maxCounters {
			return
		}
		delete(t.past, a)
	}
}

// recent counts what still counts at now. A clock that was set back does not
// reopen anything.
func recent(times []time.Time, now time.Time) int {
	for i, at := range times {
		if now.Sub(at) < window {
			return len(times) - i
		}
	}
	return 0
}
