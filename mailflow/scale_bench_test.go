package mailflow

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// plannedMost is how many planned notices a benchmark makes at most. A million
// takes minutes to write and two gigabytes of disk: PLANNED=1000000 asks for it.
func plannedMost(b *testing.B) int {
	b.Helper()
	s := os.Getenv("PLANNED")
	if s == "" {
		return 100_000
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		b.Fatalf("PLANNED=%s is no number of notices", s)
	}
	return n
}

// casePlans is how many vendors each case of the planned ones has. By the default
// policy six notices are planned for each.
const casePlans = 200

// plan makes cases until so many notices are planned for them, all of which fall
// due in a month or later. Their rows are those that a start writes, by the same
// code. What the desk sees of them is not made: it is when they are opened, and
// no tick reads it.
func (f *fanOut) plan(most int) {
	f.t.Helper()
	f.update(func(tx *store.Tx) error {
		for i := range casePlans {
			id := otherVendor(i)
			if err := PutParty(tx, cvd.Party{ID: id, Address: fmt.Sprintf("psirt@%s.example", id), Channel: cvd.ChannelPGP}); err != nil {
				return err
			}
		}
		return nil
	})
	for n := 0; n < most; {
		f.planned++
		made := 0
		f.update(func(tx *store.Tx) (err error) {
			made, err = f.planCase(tx, f.planned, most-n)
			return err
		})
		n += made
	}
	f.view(func(tx *store.Tx) error {
		if n := dueRows.Count(tx, nil); n < most {
			f.t.Fatalf("%d notices are planned, want %d", n, most)
		}
		return nil
	})
}

func otherVendor(i int) cvd.PartyID { return cvd.PartyID(fmt.Sprintf("other-%d", i)) }

// planCase makes one such case, with at most so many notices, and counts them.
func (f *fanOut) planCase(tx *store.Tx, number, most int) (int, error) {
	policy := cvd.Shipped()["default"]
	start := f.clock.Now().Add(30*cvd.Day + time.Duration(number)*time.Hour)
	c := cvd.Case{ID: cvd.NewCaseID("PAR", 2020, uint64(number)), Number: uint64(100_000 + number), Title: "Planned", Policy: policy, Start: start,
		Embargoes: []cvd.Embargo{{Version: 1, End: start.Add(policy.Embargo)}}}
	if err := tx.NewScope(caseScope(c.ID)); err != nil {
		return 0, err
	}
	if err := PutCase(tx, c); err != nil {
		return 0, err
	}
	n := 0
	for i := 0; i < casePlans && n < most; i++ {
		p := cvd.Participant{Case: c.ID, Party: otherVendor(i), Roles: []cvd.Role{cvd.RoleVendor}, Address: fmt.Sprintf("psirt@other-%d.example", i),
			Token: cvd.NewToken(), Wave: 1 + i%3, Joined: tx.Now}
		if err := PutParticipant(tx, p); err != nil {
			return n, err
		}
		if err := f.replanOne(tx, c, p, false); err != nil {
			return n, err
		}
		n += len(policy.Stages)
	}
	return n, putAhead(tx, aheadRow{Case: c.ID}, start.Add(-preflights[0]))
}

// BenchmarkTick is one round of the clockwork, all its duties with it, in which so
// many notices fall due while many more are planned: the cost follows what is due.
func BenchmarkTick(b *testing.B) {
	for _, planned := range []int{1000, 100_000, 1_000_000} {
		if planned > plannedMost(b) {
			continue
		}
		b.Run(fmt.Sprintf("planned=%d", planned), func(b *testing.B) {
			f := newFanOut(b, 100, 4)
			f.Undo = 0     // what is due goes at once, and no day begins
			f.settleDesk() // nor the first
			if _, err := f.sched.round(context.Background()); err != nil {
				b.Fatal(err)
			}
			f.plan(planned)
			all := f.parties
			for _, due := range []int{0, 1, 10, 100} {
				f.parties = all[:due]
				b.Run(fmt.Sprintf("due=%d", due), f.benchTick)
			}
		})
	}
}

func (f *fanOut) benchTick(b *testing.B) {
	f.t, f.b = b, b
	f.settleDesk()
	b.ReportAllocs()
	for b.Loop() {
		if len(f.parties) > 0 {
			b.StopTimer()
			f.due()
			b.StartTimer()
		}
		if _, err := f.sched.round(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	f.leftAll(b)
}

// leftAll checks that nothing that fell due is still there.
func (f *fanOut) leftAll(b *testing.B) {
	b.Helper()
	f.view(func(tx *store.Tx) error {
		if anyDue(tx, f.clock.Now()) {
			b.Fatal("notices are still due")
		}
		all, err := f.Queue.All(tx)
		if len(all) < len(f.parties) {
			b.Fatalf("%d deliveries are in the queue", len(all))
		}
		return err
	})
}
