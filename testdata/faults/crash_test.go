package faults

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A misdeed is what a server does wrong beside the crash.
type misdeed struct {
	name string
	does func(n int64, at point) action // n counts the dialogues' points
}

var misdeeds = []misdeed{
	{"drops after the dot", func(_ int64, at point) action { return action{drop: at == atDot} }},
	{"4xx at each verb", func(n int64, at point) action {
		if at == point(n%5) && at != inData {
			return action{reply: 451}
		}
		return action{}
	}},
	{"5xx at RCPT", func(n int64, at point) action {
		if at == atRcpt && n%2 == 0 {
			return action{reply: 550}
		}
		return action{}
	}},
	{"closes within the data", func(_ int64, at point) action { return action{drop: at == inData} }},
	{"answers slowly", func(_ int64, at point) action {
		if at != answered {
			time.Sleep(150 * time.Millisecond)
		}
		return action{}
	}},
}

// crashes kills the gateway at a point of sending while the sink does something wrong to other mails, again and again, and looks
// in the end what arrived how often.
func crashes(t *testing.T, k kind, each int, at []point) (f findings) {
	t.Helper()
	l := newLoad(t, k)
	killed := map[string]int{}
	for i := range each {
		for _, p := range at {
			if l.crash(t, p, misdeeds[i%len(misdeeds)]) {
				killed[p.String()]++
			}
			if f = append(f, l.once(t)...); len(f) > 0 {
				return f
			}
		}
	}
	must(t, l.g.start())
	time.Sleep(3 * time.Second) // what would be tried again by itself has time to
	f = append(f, l.once(t)...)
	lost, asked := l.accounted(t)
	l.g.stop()
	f = append(f, lost...)
	f.figures(t, "crashes %v, %d kinds of faults: %d notices, 0 lost, 0 sent twice, %d decided by a person",
		killed, min(each, len(misdeeds)), len(l.cases)*len(l.p.vendors), asked)
	for _, p := range at {
		if killed[p.String()] == 0 {
			f.add("it was never killed %s", p)
		}
	}
	return f
}

// crash is one of them; it says whether the point was reached.
func (l *load) crash(t *testing.T, p point, m misdeed) bool {
	t.Helper()
	must(t, l.g.start())
	l.g.mustDo("sending pause")
	l.opensCase(t, "now", time.Now())
	victim := l.p.vendors[len(l.cases)%len(l.p.vendors)].Address
	var once sync.Once
	reached, dead := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	l.sink.misbehaves(func(now point, to string) action {
		// Nobody is named yet when a connection is made.
		if now == p && (to == victim || p == connected || p == atMail) {
			die := false
			once.Do(func() { die = true; close(reached) })
			if die {
				<-dead
				return action{drop: true}
			}
		}
		if to == victim && now >= atRcpt {
			return action{} // it is there for the crash
		}
		return m.does(n.Add(1), now)
	})
	_, _ = l.g.do("sending resume") // it may be killed meanwhile
	hit := false
	select {
	case <-reached:
		hit = true
	case <-time.After(10 * time.Second):
	}
	l.g.kill()
	close(dead)
	must(t, l.g.start())
	l.g.resume()
	time.Sleep(300 * time.Millisecond)
	l.sink.misbehaves(nil)
	l.settle(t)
	l.g.kill()
	return hit
}

// settle waits until nothing of the last case is under way.
func (l *load) settle(t *testing.T) {
	t.Helper()
	within(15*time.Second, func() bool {
		plan := l.g.mustDo("case "+l.case1, "plan")
		return strings.Count(plan, " sent")+len(unknownDelivery.FindAllString(plan, -1)) >= len(l.p.vendors)
	})
}

func TestT3_CrashWhileSending(t *testing.T) {
	t.Parallel()
	if times == 0 {
		crashes(t, asReleased(), 1, []point{inData, atDot}).sound(t)
		return
	}
	crashes(t, asReleased(), 20*times, points).sound(t)
	control(t, "again-by-itself", 2, func(t *testing.T, k kind) findings { return crashes(t, k, 2, []point{atDot, answered}) })
}
