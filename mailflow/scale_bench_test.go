package mailflow

import (
	"context"
	"errors"
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
// many notices fall due while many more are planned, and while cases that are closed
// or destroyed and letters that are held lie about: the cost follows what is due.
func BenchmarkTick(b *testing.B) {
	for _, row := range []struct{ planned, lying int }{{1000, 0}, {1000, 2000}, {100_000, 2000}, {1_000_000, 2000}} {
		planned := row.planned
		if planned > plannedMost(b) {
			continue
		}
		b.Run(fmt.Sprintf("planned=%d/lying=%d", planned, row.lying), func(b *testing.B) {
			f := newFanOut(b, 100, 4)
			f.Undo = 0     // what is due goes at once, and no day begins
			f.settleDesk() // nor the first
			if _, err := f.sched.round(context.Background()); err != nil {
				b.Fatal(err)
			}
			f.plan(planned)
			f.lieAbout(row.lying)
			all := f.parties
			for _, due := range []int{0, 1, 10, 100} {
				f.parties = all[:due]
				b.Run(fmt.Sprintf("due=%d", due), f.benchTick)
			}
		})
	}
}

// lieAbout leaves so many cases that are closed, as many that were destroyed, and as
// many letters that are held behind: what an old store is full of.
func (f *fanOut) lieAbout(n int) {
	f.t.Helper()
	held := cvd.NewCaseID("PAR", 2019, 1)
	f.update(func(tx *store.Tx) error { return f.oldCase(tx, cvd.Case{ID: held, Number: 300_000, Start: tx.Now}) })
	for i := 0; i < n; {
		f.update(func(tx *store.Tx) error {
			for end := min(i+200, n); i < end; i++ {
				closed := cvd.Case{ID: cvd.NewCaseID("PAR", 2018, uint64(i+1)), Number: uint64(300_001 + i), Start: tx.Now, Closed: tx.Now}
				gone := shredRow{Case: cvd.NewCaseID("PAR", 2017, uint64(i+1)), Due: tx.Now, Erased: tx.Now, Done: tx.Now}
				err := errors.Join(f.oldCase(tx, closed), putShred(tx, gone), f.heldLetter(tx, held))
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	for range n/restateBatch + 2 {
		if _, err := f.sched.round(context.Background()); err != nil {
			f.t.Fatal(err)
		}
	}
	f.view(func(tx *store.Tx) error {
		for r, err := range waitingRows.All(tx, nil) {
			if err != nil || r.Value.Message == 0 {
				f.t.Fatalf("letter %d is not shown: %v", r.Value.Notice, err)
			}
		}
		return nil
	})
}

// oldCase is a case with one vendor, to whom nothing is planned.
func (f *fanOut) oldCase(tx *store.Tx, c cvd.Case) error {
	c.Title, c.Policy, c.Embargoes = "Old", cvd.Shipped()["default"], []cvd.Embargo{{Version: 1, End: c.Start.Add(90 * cvd.Day)}}
	if err := tx.NewScope(caseScope(c.ID)); err != nil {
		return err
	}
	p := cvd.Participant{Case: c.ID, Party: f.parties[0], Roles: []cvd.Role{cvd.RoleVendor}, Address: "psirt@old.example", Token: cvd.NewToken(), Wave: 1, Joined: tx.Now}
	if err := errors.Join(PutCase(tx, c), PutParticipant(tx, p)); err != nil {
		return err
	}
	_, err := f.caseFolder(tx, c, threadFolder(p.Party))
	return err
}

// heldLetter is one that waits for a person to release it.
func (f *fanOut) heldLetter(tx *store.Tx, id cvd.CaseID) error {
	n, err := f.newNotice(tx, cvd.Notice{Case: id, Party: f.parties[0], Kind: cvd.KindLetter}, &Letter{Subject: "old", Text: "An old letter.\n", Author: "ana"})
	if err != nil {
		return err
	}
	n.State, n.Why = cvd.Held, "the case is on hold: old"
	return putNotice(tx, n, time.Time{})
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
