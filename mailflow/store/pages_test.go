package store

import (
	"fmt"
	"runtime"
	"testing"

	"go.etcd.io/bbolt"
)

// pages counts the pages that buckets take, and how full those of the named ones are.
func pages(t testing.TB, s *Store, named ...string) (all int, full map[string]float64) {
	t.Helper()
	full = map[string]float64{}
	must(t, s.engine.(boltEngine).db.View(func(tx *bbolt.Tx) error {
		for _, name := range named {
			is := tx.Bucket([]byte(name)).Stats()
			full[name] = float64(is.LeafInuse) / float64(is.LeafAlloc)
		}
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			is := b.Stats()
			all += is.BranchPageN + is.BranchOverflowN + is.LeafPageN + is.LeafOverflowN
			return nil
		})
	}))
	return all, full
}

// What only grows fills its pages: half of each would be lost to the room that nothing ever takes.
func TestPagesOfMailAreFull(t *testing.T) {
	s := newStore(t)
	boxes := []Mailbox{makeBox(t, s, Mailbox{Owner: "desk", Name: "one"}), makeBox(t, s, Mailbox{Owner: "desk", Name: "two"})}
	for n := range 300 {
		scope := Scope(fmt.Sprintf("report-%d", n))
		must(t, s.Update(func(tx *Tx) error { return tx.NewScope(scope) }))
		file(t, s, boxes[n%2], putMail(t, s, scope, letter(n)))
	}
	_, full := pages(t, s, scopeBucket, messages.versions, heads.rows, structures.rows, entries.rows)
	for name, is := range full {
		if is < 0.7 {
			t.Errorf("the pages of %s are %.2f full", name, is)
		}
	}
	whole(t, s)
}

// BenchmarkGrowth says what a mail that is filed leaves: pages of the file, and bytes of the heap, of which bbolt's note of each
// page that it used again is the greater part.
func BenchmarkGrowth(b *testing.B) {
	s := newStore(b)
	box := makeBox(b, s, Mailbox{Owner: "desk", Name: "box"})
	had, _ := pages(b, s)
	before := heapInUse()
	mails := 0
	for b.Loop() {
		file(b, s, box, putMail(b, s, "desk", letter(mails)))
		mails++
	}
	after := heapInUse()
	has, _ := pages(b, s)
	b.ReportMetric(1000*float64(has-had)/float64(mails), "pages/kmail")
	b.ReportMetric(1000*(float64(after)-float64(before))/float64(mails), "heap-B/kmail")
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
