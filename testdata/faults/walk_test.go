package faults

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"parley/mailflow/mailtest"
)

// deliver sends one letter, or one that was not acknowledged once more.
func (l *load) deliver(t *testing.T, from *mailtest.Person) (*letter, error) {
	t.Helper()
	x, err := l.next(from)
	must(t, err)
	x.tries++
	c, err := smtp.Dial(l.g.smtp)
	if err == nil {
		defer func() { _ = c.Close() }()
		err = c.SendMail(x.from, []string{x.to}, strings.NewReader(string(x.raw)))
	}
	if x.acknowledged = err == nil; !x.acknowledged {
		l.again = append(l.again, x)
	}
	return x, err
}

// misses is after how many kills that found no k-th call any more the walk is over: a call more or less is by chance.
func misses() int { return rounds(1, 3) / max(times, 1) }

// walked is what a walk over all system calls came to.
type walked struct {
	kills int
	names map[string]int // of the calls, how often
	found findings
}

// walk kills the gateway at the first, second… call of what act does, each step-th in a short run, and lets check look after each
// restart.
func (l *load) walk(t *testing.T, step int, before, act, after func() findings) walked {
	t.Helper()
	w := walked{names: map[string]int{}}
	must(t, l.g.start())
	for k, missed := 1, 0; missed < misses() && len(w.found) == 0; k += step {
		w.found = append(w.found, before()...)
		tr, err := l.g.trace(inject{visible, k, "kill"})
		must(t, err)
		w.found = append(w.found, act()...)
		_, hit := tr.end()
		if hit == "" {
			missed++
		} else {
			missed = 0
			w.kills++
			w.names[hit]++
		}
		l.g.kill()
		if err := l.g.whole(); err != nil {
			w.found.add("killed at call %d, %s: %v", k, hit, err)
		}
		must(t, l.g.start())
		w.found = append(w.found, after()...)
	}
	l.g.kill()
	return w
}

func nothing() findings { return nil }

// walkAccept walks over the acceptance of a mail, with what becomes of it.
func walkAccept(t *testing.T, k kind, step int) findings {
	t.Helper()
	l := newLoad(t, k)
	w := l.walk(t, step, nothing, func() findings {
		_, err := l.deliver(t, l.p.finder)
		if err == nil {
			l.g.endsWithin(400 * time.Millisecond) // it is filed meanwhile, and its receipt leaves
		}
		return nil
	}, func() (f findings) {
		if len(l.again) > 0 { // as its server does
			if _, err := l.deliver(t, l.p.finder); err != nil {
				f.add("the same mail is refused after a restart: %v", err)
			}
		}
		return append(append(f, l.kept(t)...), l.once(t)...)
	})
	w.found.figures(t, "an accept: killed at %d calls of %v: %d mails acknowledged, 0 lost, 0 twice", w.kills, w.names, len(l.letters))
	return w.found
}

// walkSend walks over the sending of a notice.
func walkSend(t *testing.T, k kind, step int) findings {
	t.Helper()
	l := newLoad(t, k)
	l.p.vendors = l.p.vendors[:1]
	acme := l.p.vendors[0].Address
	w := l.walk(t, step, func() findings {
		l.g.mustDo("sending pause")
		l.opensCase(t, "now", time.Now())
		return nil
	}, func() findings {
		n := len(l.sink.mails(acme))
		_, err := l.g.do("sending resume")
		within(2*time.Second, func() bool { return err != nil || len(l.sink.mails(acme)) > n || l.g.endsWithin(time.Millisecond) })
		l.g.endsWithin(200 * time.Millisecond)
		return nil
	}, func() (f findings) {
		l.g.resume()
		within(10*time.Second, func() bool {
			plan := l.g.mustDo("case "+l.case1, "plan")
			return strings.Contains(plan, "sent") || unknownDelivery.MatchString(plan)
		})
		return l.once(t)
	})
	must(t, l.g.start())
	time.Sleep(2 * time.Second) // what would be tried again by itself has time to
	f := append(w.found, l.once(t)...)
	lost, unknown := l.accounted(t)
	l.g.stop()
	f = append(f, lost...)
	f.figures(t, "a send: killed at %d calls of %v: 0 lost, 0 sent twice, %d unknown until a person decided", w.kills, w.names, unknown)
	return f
}

func TestT2_KilledAtEveryCallOfAnAccept(t *testing.T) {
	t.Parallel()
	needsTrace(t)
	needsFull(t)
	walkAccept(t, asReleased(), 1).sound(t)
	control(t, "answer-first", 1, func(t *testing.T, k kind) findings { return walkAccept(t, k, 1) })
}

func TestT3_KilledAtEveryCallOfASend(t *testing.T) {
	t.Parallel()
	needsTrace(t)
	needsFull(t)
	walkSend(t, asReleased(), 1).sound(t)
	control(t, "again-by-itself", 1, func(t *testing.T, k kind) findings { return walkSend(t, k, 1) })
}

// A short run kills at a few calls of both.
func TestT2_KilledAtSomeCalls(t *testing.T) {
	t.Parallel()
	needsTrace(t)
	if times > 0 {
		t.Skip("the whole walk does it")
	}
	walkAccept(t, asReleased(), 50).sound(t)
}
