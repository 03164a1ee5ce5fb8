package main

import (
	"sync"
	"time"

	"parley/mailflow"
)

// fastClock runs faster than time does. Whoever waits on it is woken within a
// few milliseconds, also when the speed changes meanwhile.
type fastClock struct {
	mu    sync.Mutex
	began time.Time // in its own time
	base  time.Time // in its own time, at real
	real  time.Time
	speed float64
}

func newFastClock(at time.Time) *fastClock {
	return &fastClock{began: at.UTC(), base: at.UTC(), real: time.Now(), speed: 1}
}

func (c *fastClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *fastClock) now() time.Time {
	return c.base.Add(time.Duration(float64(time.Since(c.real)) * c.speed))
}

// setSpeed changes how fast it runs from now on.
func (c *fastClock) setSpeed(s float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.real, c.speed = c.now(), time.Now(), s
}

func (c *fastClock) read() (time.Time, time.Duration) {
	now := c.Now()
	return now, now.Sub(c.began)
}

// after looks every few milliseconds whether d has passed on this clock.
func (c *fastClock) after(d time.Duration) <-chan time.Time {
	done := make(chan time.Time, 1)
	until := c.Now().Add(d)
	go func() {
		t := time.NewTicker(5 * time.Millisecond)
		defer t.Stop()
		for range t.C {
			if now := c.Now(); !now.Before(until) {
				done <- now
				return
			}
		}
	}()
	return done
}

func (c *fastClock) clock() mailflow.Clock {
	return mailflow.Clock{Now: c.Now, Read: c.read, After: c.after}
}
