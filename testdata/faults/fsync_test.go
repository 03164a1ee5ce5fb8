package faults

import (
	"testing"
	"time"
)

// failedSync fails the n-th fsync while mails come, one after the other: the gateway has to end by itself, and the next one has
// all that was acknowledged.
func failedSync(t *testing.T, k kind, upTo, step int) (f findings) {
	t.Helper()
	l := newLoad(t, k)
	hits := 0
	for n := 1; n <= upTo && len(f) == 0; n += step {
		l.bulk = n / step % 2 * (200 << 10) // a large one has a file of its own
		must(t, l.g.start())
		tr, err := l.g.trace(inject{syncs, n, "EIO"})
		must(t, err)
		for range upTo {
			if _, err := l.deliver(t, l.p.finder); err != nil {
				break
			}
		}
		if !l.g.endsWithin(10 * time.Second) {
			f.add("the gateway goes on after its fsync %d failed", n)
		}
		if _, hit := tr.end(); hit != "" {
			hits++
		}
		l.g.kill()
		if l.g.err == nil {
			f.add("after fsync %d failed it ends as if nothing had happened", n)
		}
		if err := l.g.whole(); err != nil {
			f.add("after fsync %d failed: %v", n, err)
		}
		must(t, l.g.start())
		if len(l.again) > 0 {
			if _, err := l.deliver(t, l.p.finder); err != nil {
				f.add("the same mail is refused after a restart: %v", err)
			}
		}
		f = append(append(f, l.kept(t)...), l.once(t)...)
		l.g.kill()
	}
	acknowledged := 0
	for _, x := range l.letters {
		if x.acknowledged {
			acknowledged++
		}
	}
	f.figures(t, "EIO at %d fsyncs up to the %dth: %d mails acknowledged, 0 lost, 0 twice; it ended by itself each time", hits, upTo, acknowledged)
	if hits == 0 {
		f.add("no fsync failed")
	}
	return f
}

func TestT1_FailedFsyncAt(t *testing.T) {
	t.Parallel()
	needsTrace(t)
	for range max(times, 1) {
		if times == 0 {
			failedSync(t, asReleased(), 9, 8).sound(t)
		} else {
			failedSync(t, asReleased(), 50, 1).sound(t)
		}
	}
	control(t, "forget-errors", 1, func(t *testing.T, k kind) findings { return failedSync(t, k, 50, 1) })
}
