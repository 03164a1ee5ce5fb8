package mailtest

import (
	"sync"
	"time"
)

// Clock stands still until it is moved.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	passed time.Duration
}

// NewClock starts at an instant.
func NewClock(at time.Time) *Clock { return &Clock{now: at.UTC()} }

// Now is the wall clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Passed is the monotonic clock.
func (c *Clock) Passed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.passed = c.now.Add(d), c.passed+d
}

// Jump moves the wall clock without time passing, as a wrong time server
// does.
func (c *Clock) Jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
