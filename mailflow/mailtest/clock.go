package mailtest

import (
	"sync"
	"time"
)

// Clock stands still until it is moved. Like a machine it has two hands: the wall clock, which can be set, and the time that
// passed, which only Advance moves.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	passed time.Duration
	alarms []alarm
}

// An alarm rings when so much time has passed.
type alarm struct {
	at   time.Duration
	ring chan time.Time
}

// NewClock starts at an instant.
func NewClock(at time.Time) *Clock { return &Clock{now: at.UTC()} }

// Now is the wall clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Read is the wall clock with the time that passed, as a monotonic clock
// counts it.
func (c *Clock) Read() (time.Time, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, c.passed
}

// Advance lets time pass, and rings what it comes by.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.passed = c.now.Add(d), c.passed+d
	c.alarms = ring(c.alarms, c.passed, c.now)
}

// ring returns the alarms that are still to come.
func ring(alarms []alarm, passed time.Duration, now time.Time) (left []alarm) {
	for _, a := range alarms {
		if a.at > passed {
			left = append(left, a)
			continue
		}
		a.ring <- now
	}
	return left
}

// After is like time.After, by the time that passed.
func (c *Clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := alarm{c.passed + d, make(chan time.Time, 1)}
	c.alarms = append(c.alarms, ring([]alarm{a}, c.passed, c.now)...)
	return a.ring
}

// Waiting is how many calls of After have not rung.
func (c *Clock) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.alarms)
}

// Set puts the wall clock to an instant without time passing, as a person or a wrong time server does.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t.UTC()
}

// Jump is Set by a distance from now.
func (c *Clock) Jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
