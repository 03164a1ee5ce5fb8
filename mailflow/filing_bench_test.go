package mailflow

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// filedAtOnce is how many mails are in the spool when a round of filing begins.
const filedAtOnce = 200

// BenchmarkFile is what becomes of encrypted and signed reports of 4 kB, each with its
// sender's key, after their 250: opened, filed in Intake, journalled, answered as far as
// a day's answers go. They come from so many people in turn, for nobody's mail may cost
// more because there are many of the same person. Between the rounds nothing is taken
// away, so that the time of a mail shows whether it grows with those that lie there;
// before is how many did when the clock began. What is kept in memory for each is the key
// of its scope.
func BenchmarkFile(b *testing.B) {
	for _, c := range []struct{ people, before int }{{64, 0}, {64, 2000}, {2, 2000}, {2, 10_000}} {
		b.Run(fmt.Sprintf("people=%d/before=%d", c.people, c.before), func(b *testing.B) {
			w := newWorld(b)
			w.intake.Parallel, w.intake.Waiting = 8, 24 // as on two processors
			s := newStream(b, w, c.people)
			for range c.before / filedAtOnce {
				s.letIn(b)
				s.file(b)
			}
			cpu, kept := time.Duration(0), mailtest.HeapInUse()
			for b.Loop() {
				b.StopTimer()
				s.letIn(b)
				begun := processorTime()
				b.StartTimer()
				s.file(b)
				cpu += processorTime() - begun
			}
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N*filedAtOnce), "cpu-µs/mail")
			b.ReportMetric(float64(mailtest.HeapInUse()-kept)/float64(b.N*filedAtOnce), "kept-B/mail")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*filedAtOnce), "µs/mail")
		})
	}
}

// stream is people who go on reporting.
type stream struct {
	w      *world
	people []*mailtest.Person
	ours   []byte
	n      int
}

func newStream(b *testing.B, w *world, people int) *stream {
	ours, err := w.signer().Certificate().Armor()
	if err != nil {
		b.Fatal(err)
	}
	s := &stream{w: w, ours: ours}
	for i := range people {
		p, err := mailtest.NewPerson("Jo", fmt.Sprintf("jo%d@finder.example", i), w.clock.Now)
		if err != nil {
			b.Fatal(err)
		}
		s.people = append(s.people, p)
	}
	return s
}

// letIn spools the mails of a round.
func (s *stream) letIn(b *testing.B) {
	b.Helper()
	for range filedAtOnce {
		s.n++
		p := s.people[s.n%len(s.people)]
		inner := mailtest.Entity("overflow", strings.Repeat(fmt.Sprintf("Frame %d of the stream. ", s.n), 90),
			mailtest.File{Name: "key.asc", Type: "application/pgp-keys", Data: string(p.PublicKey())})
		armored, err := p.Seal(inner, s.ours, true)
		if err != nil {
			b.Fatal(err)
		}
		raw := mailtest.PGPMIME(p.Address, "report@vdp.example.org", s.w.clock.Now(), armored)
		env := Envelope{From: p.Address, To: []string{"report@vdp.example.org"}, Remote: "192.0.2.1"}
		if err := s.w.intake.Receive(context.Background(), env, bytes.NewReader(raw)); err != nil {
			b.Fatal(err)
		}
	}
}

// file processes the spool, and sees to it that nothing is left there.
func (s *stream) file(b *testing.B) {
	b.Helper()
	if err := s.w.intake.RunSpool(context.Background()); err != nil {
		b.Fatal(err)
	}
	s.w.view(func(tx *store.Tx) error {
		if n := spool.Count(tx, nil); n != 0 {
			b.Fatalf("%d mails are not filed", n)
		}
		return nil
	})
}
