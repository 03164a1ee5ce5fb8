package store

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"parley/mailflow/mailtest"
)

// BenchmarkLone takes turns: one raw bbolt update of a 4 kB value, one of the store with the same value as a body and the record
// that names it, and one Append of both. The ratios do not depend on how busy the disk is.
func BenchmarkLone(b *testing.B) {
	value := make([]byte, 4096)
	_, _ = rand.Read(value)
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "raw.db"), 0o600, nil)
	must(b, err)
	defer func() { must(b, db.Close()) }()
	s, table := newStore(b), WriteOnce[Body]("rows")
	var raw, own, appended time.Duration
	for n := uint64(1); b.Loop(); n++ {
		start := time.Now()
		must(b, db.Update(func(tx *bbolt.Tx) error {
			rows, err := tx.CreateBucketIfNotExists([]byte("rows"))
			if err != nil {
				return err
			}
			return rows.Put(Seq(n), value)
		}))
		middle := time.Now()
		must(b, updateOne(s, table, value))
		end := time.Now()
		must(b, appendTo(s, table, value))
		raw, own, appended = raw+middle.Sub(start), own+end.Sub(middle), appended+time.Since(end)
	}
	b.ReportMetric(float64(raw.Nanoseconds())/float64(b.N), "bbolt-ns/op")
	b.ReportMetric(float64(own.Nanoseconds())/float64(b.N), "store-ns/op")
	b.ReportMetric(float64(own)/float64(raw), "update/bbolt")
	b.ReportMetric(float64(appended)/float64(raw), "append/bbolt")
}

// BenchmarkUpdate commits the same from several writers at once, and BenchmarkAppend appends it.
func BenchmarkUpdate(b *testing.B) { benchWriters(b, updateOne) }

func BenchmarkAppend(b *testing.B) { benchWriters(b, appendTo) }

type write func(s *Store, table Table[Body], value []byte) error

func benchWriters(b *testing.B, one write) {
	for _, writers := range []int{1, 10, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) { benchWrites(b, writers, one) })
	}
}

// benchWrites writes a body of 4 kB and the record that names it.
func benchWrites(b *testing.B, writers int, one write) {
	value := make([]byte, 4096)
	_, _ = rand.Read(value)
	s := newStore(b)
	table := WriteOnce[Body]("rows")
	work := make(chan struct{})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range work {
				must(b, one(s, table, value))
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
}

func updateOne(s *Store, table Table[Body], value []byte) error {
	d, err := s.SealBytes(value)
	if err != nil {
		return err
	}
	return s.Update(func(tx *Tx) error {
		body, err := tx.Keep(d)
		if err != nil {
			return err
		}
		return table.Put(tx, "desk", Seq(body.ID), body)
	})
}

// appendTo appends as intake does.
func appendTo(s *Store, table Table[Body], value []byte) error {
	d, err := s.SealBytes(value)
	if err != nil {
		return err
	}
	defer d.Drop()
	return table.Append(s, "desk", d, "", func(body Body, _ time.Time) Body { return body })
}

// filled makes a store with n records of about 200 bytes in each of two tables, and returns its directory.
func filled(b *testing.B, n uint64) string {
	dir := filepath.Join(b.TempDir(), "store")
	must(b, Create(dir, testKey))
	s, err := Open(Options{Dir: dir, Unlock: testKey, NoSync: true})
	must(b, err)
	line := make([]byte, 200)
	_, _ = rand.Read(line)
	must(b, s.Update(func(tx *Tx) error {
		if err := tx.NewScope("desk"); err != nil {
			return err
		}
		for i := range n {
			if err := lines.Put(tx, "desk", Seq(1, i), line); err != nil {
				return err
			}
			if err := things.Put(tx, "desk", Seq(1, i), thing{"a thing of some length", int(i)}); err != nil {
				return err
			}
		}
		return nil
	}))
	must(b, s.Close())
	return dir
}

var (
	lines  = Versioned[[]byte]("lines")
	things = Versioned[thing]("things")
)

func BenchmarkOpen100k(b *testing.B) {
	dir := filled(b, 100_000)
	for b.Loop() {
		s, err := Open(Options{Dir: dir, Unlock: testKey})
		must(b, err)
		must(b, s.Close())
	}
}

func BenchmarkRead100k(b *testing.B) {
	s := reopen(b, filled(b, 100_000))
	b.Run("bytes", func(b *testing.B) { readAll(b, s, lines) })
	b.Run("json", func(b *testing.B) { readAll(b, s, things) })
}

func readAll[V any](b *testing.B, s *Store, t Table[V]) {
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		must(b, s.View(func(tx *Tx) error {
			for _, err := range t.All(tx, Seq(1)) {
				if err != nil {
					return err
				}
				n++
			}
			return nil
		}))
		if n != 100_000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkBody seals 20 MB durably and reads it back.
func BenchmarkBody20MB(b *testing.B) {
	s := newStore(b)
	data := make([]byte, 20<<20)
	var body Body
	b.Run("seal", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			d, err := s.SealBytes(data)
			must(b, err)
			must(b, s.Update(func(tx *Tx) error {
				var err error
				body, err = tx.Keep(d)
				return err
			}))
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			_, err := s.Bytes(body)
			must(b, err)
		}
	})
}

// BenchmarkBodies reads 2,000 bodies of 4 kB, as one large FETCH does.
func BenchmarkBodies2000(b *testing.B) {
	s := newStore(b)
	bodies := make([]Body, 2000)
	drafts := make([]*Draft, len(bodies))
	for i := range drafts {
		var err error
		drafts[i], err = s.SealBytes(make([]byte, 4096))
		must(b, err)
	}
	must(b, s.Update(func(tx *Tx) (err error) {
		for i := range drafts {
			if bodies[i], err = tx.Keep(drafts[i]); err != nil {
				return err
			}
		}
		return nil
	}))
	start := time.Now()
	n := 0
	for b.Loop() {
		for _, body := range bodies {
			_, err := s.Bytes(body)
			must(b, err)
		}
		n += len(bodies)
	}
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "bodies/s")
}

// BenchmarkNewScope adds one scope to ten thousand, as a new report does: the key file is written whole each time that keys made
// ahead are used up. What stays in memory of each of the ten thousand is told as well.
func BenchmarkNewScope(b *testing.B) {
	const before = 10_000
	s := newStore(b)
	name := func(n int) Scope { return Scope(fmt.Sprint("report-", n)) }
	kept := mailtest.HeapInUse()
	must(b, s.Update(func(tx *Tx) error {
		for n := range before {
			must(b, tx.NewScope(name(n)))
		}
		return nil
	}))
	kept = mailtest.HeapInUse() - kept
	for n := before; b.Loop(); n++ {
		must(b, s.Update(func(tx *Tx) error { return tx.NewScope(name(n)) }))
	}
	b.ReportMetric(float64(kept)/before, "kept-B/scope")
}
