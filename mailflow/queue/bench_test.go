package queue

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// The cost of a round with nothing due, and of one with one due, among many that are planned: it must not grow with those.
func BenchmarkRunDue(b *testing.B) {
	for _, planned := range []int{100, 10_000} {
		for _, due := range []int{0, 1} {
			b.Run(fmt.Sprintf("planned=%d/due=%d", planned, due), func(b *testing.B) { benchmarkRunDue(b, planned, due) })
		}
	}
}

func benchmarkRunDue(b *testing.B, planned, due int) {
	dir := filepath.Join(b.TempDir(), "store")
	must(b, store.Create(dir, testKey))
	clock := mailtest.NewClock(testStart)
	s, err := store.Open(store.Options{Dir: dir, Unlock: testKey, Now: clock.Now})
	must(b, err)
	defer func() { must(b, s.Close()) }()
	q := &Queue{Store: s, Courier: deliver(taken)}
	d, err := s.SealBytes([]byte("Subject: x\r\n\r\ntext\r\n"))
	must(b, err)
	item := Item{Scope: testCase, To: testTo, MessageID: "m1@vdp.example.org"}
	must(b, s.Update(func(tx *store.Tx) error {
		if err := tx.NewScope(testCase); err != nil {
			return err
		}
		if item.Body, err = tx.Keep(d); err != nil {
			return err
		}
		for i := range planned {
			it := item
			it.ID = uint64(1_000_000 + i)
			if err := wait(tx, it, testStart.Add(time.Duration(i+1)*time.Hour)); err != nil {
				return err
			}
		}
		return nil
	}))
	for b.Loop() {
		for range due {
			must(b, s.Update(func(tx *store.Tx) error {
				_, err := q.Add(tx, item)
				return err
			}))
		}
		_, err := q.RunDue(b.Context(), testStart)
		must(b, err)
	}
}
