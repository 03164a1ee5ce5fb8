package mailflow

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// benchPolicy is one stage that needs nothing, due at once.
func benchPolicy() cvd.Policy {
	return cvd.Policy{Name: "bench", Embargo: 30 * cvd.Day, Stages: []cvd.StageRule{
		{Stage: cvd.Details, Trust: cvd.Confirmed, TLP: "AMBER+STRICT"},
		{Stage: cvd.Public, At: cvd.When{FromEnd: true}, Trust: cvd.Confirmed, TLP: "CLEAR"},
	}}
}

// fanOut is a gateway with n parties, for cases that all of them take part in.
type fanOut struct {
	*world
	parties []cvd.PartyID
	text    string
	cases   int
}

func newFanOut(b *testing.B, n int) *fanOut {
	b.Helper()
	f := &fanOut{world: newWorld(b), text: strings.Repeat(strings.Repeat("x", 63)+"\n", 1024)}
	f.Log = slog.New(slog.DiscardHandler)
	f.Queue.Log, f.Queue.Parallel, f.Certs = f.Log, 4, keyring.NewCache(4096)
	for i := range n {
		f.parties = append(f.parties, cvd.PartyID(fmt.Sprintf("vendor-%d", i)))
	}
	certs := make([]*keyring.Certificate, n)
	var wg sync.WaitGroup
	for part := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := part; i < n; i += runtime.GOMAXPROCS(0) {
				s, err := keyring.Generate("", fmt.Sprintf("psirt@vendor-%d.example", i), keyring.Ed25519, storyStart.Add(-time.Hour))
				if err != nil {
					b.Error(err)
					return
				}
				certs[i] = s.Certificate()
			}
		})
	}
	wg.Wait()
	f.update(func(tx *store.Tx) error {
		for i, id := range f.parties {
			addr := fmt.Sprintf("psirt@%s.example", id)
			if err := PutParty(tx, cvd.Party{ID: id, Address: addr, Channel: cvd.ChannelPGP}); err != nil {
				return err
			}
			k := keyring.Pinned{Fingerprint: certs[i].Fingerprint(), Trust: keyring.Confirmed, Address: addr, Cert: certs[i].Bytes()}
			if err := f.addKey(tx, string(id), k); err != nil {
				return err
			}
		}
		return nil
	})
	return f
}

// due makes a case in which one stage of 64 kB is due to everybody now.
func (f *fanOut) due() cvd.CaseID {
	f.t.Helper()
	f.cases++
	c := cvd.Case{ID: cvd.NewCaseID("PAR", 2026, uint64(f.cases)), Number: uint64(f.cases), Title: "Bench", Policy: benchPolicy(), Start: f.clock.Now(),
		Embargoes: []cvd.Embargo{{Version: 1, End: f.clock.Now().Add(30 * cvd.Day)}}}
	f.update(func(tx *store.Tx) error {
		if err := tx.NewScope(caseScope(c.ID)); err != nil {
			return err
		}
		if err := PutCase(tx, c); err != nil {
			return err
		}
		for _, p := range f.parties {
			who := cvd.Participant{Case: c.ID, Party: p, Roles: []cvd.Role{cvd.RoleVendor}, Address: fmt.Sprintf("psirt@%s.example", p),
				Token: cvd.NewToken(), Wave: 1, Joined: tx.Now}
			if err := PutParticipant(tx, who); err != nil {
				return err
			}
			if _, err := f.caseFolder(tx, c, threadFolder(p)); err != nil {
				return err
			}
		}
		if err := f.putMaterial(tx, cvd.Material{Case: c.ID, Stage: cvd.Details, Author: "ana", Text: f.text}); err != nil {
			return err
		}
		return f.replan(tx, c.ID)
	})
	f.clock.Advance(3 * time.Minute) // the undo window
	f.settleDesk()
	return c.ID
}

// settleDesk makes what the desk sees, so that a measured round does not.
func (f *fanOut) settleDesk() {
	f.t.Helper()
	if err := f.sched.Prepare(context.Background()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fanOut) release() {
	f.t.Helper()
	if _, err := f.sched.RunDue(context.Background(), f.clock.Now()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fanOut) wantQueued(n int) {
	f.t.Helper()
	f.view(func(tx *store.Tx) error {
		all, err := f.Queue.All(tx)
		if len(all) != n {
			f.t.Fatalf("%d deliveries are in the queue, want %d", len(all), n)
		}
		return err
	})
}

// BenchmarkFanOut is one due stage with 64 kB of material to all parties of a
// case: rendered, signed, encrypted, stored and queued.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{20, 1000} {
		b.Run(fmt.Sprintf("parties=%d", n), func(b *testing.B) {
			f := newFanOut(b, n)
			rounds := 0
			for b.Loop() {
				b.StopTimer()
				f.due()
				rounds++
				b.StartTimer()
				f.release()
			}
			f.wantQueued(n * rounds)
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*rounds), "µs/notice")
		})
	}
}

// BenchmarkFanOutDelivered goes on until the next mail server has all mails.
func BenchmarkFanOutDelivered(b *testing.B) {
	const n = 20
	f := newFanOut(b, n)
	rounds := 0
	for b.Loop() {
		b.StopTimer()
		f.due()
		rounds++
		b.StartTimer()
		f.release()
		if _, err := f.Queue.RunDue(context.Background(), f.clock.Now()); err != nil {
			b.Fatal(err)
		}
	}
	if got := len(f.sink.Mails()); got != n*rounds {
		b.Fatalf("%d mails arrived, want %d", got, n*rounds)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*rounds), "µs/notice")
}

// BenchmarkFanOutRound is what the daemon does: the loops of the scheduler
// and of the queue, with the desk's views made as things change.
func BenchmarkFanOutRound(b *testing.B) {
	for _, n := range []int{20, 1000} {
		b.Run(fmt.Sprintf("parties=%d", n), func(b *testing.B) {
			f := newFanOut(b, n)
			rounds := 0
			for b.Loop() {
				b.StopTimer()
				f.due()
				rounds++
				b.StartTimer()
				f.settle()
			}
			if got := len(f.sink.Mails()); got != n*rounds {
				b.Fatalf("%d mails arrived, want %d", got, n*rounds)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*rounds), "µs/notice")
		})
	}
}

// BenchmarkDueAmongPlanned releases 20 due notices while many more are
// planned for later: the cost follows what is due.
func BenchmarkDueAmongPlanned(b *testing.B) {
	for _, planned := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("planned=%d", planned), func(b *testing.B) {
			const n = 20
			f := newFanOut(b, n)
			f.plan(planned)
			rounds := 0
			for b.Loop() {
				b.StopTimer()
				f.due()
				rounds++
				b.StartTimer()
				f.release()
			}
			f.wantQueued(n * rounds)
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*rounds), "µs/notice")
		})
	}
}

// plan writes notices that fall due in a month, five to a participant.
func (f *fanOut) plan(n int) {
	f.t.Helper()
	for from := 0; from < n; from += 5000 {
		f.update(func(tx *store.Tx) error {
			if err := tx.NewScope("PAR-2020-0001"); err != nil {
				return err
			}
			for i := from; i < min(n, from+5000); i++ {
				later := cvd.Notice{Case: "PAR-2020-0001", Party: cvd.PartyID(fmt.Sprintf("other-%d", i/5)), Kind: cvd.KindStage,
					Stage: cvd.Stages()[i%5], Due: f.clock.Now().Add(30*cvd.Day + time.Duration(i)*time.Second)}
				if _, err := f.newNotice(tx, later, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// BenchmarkReceive is a mail of 4 kB from the end of DATA to the answer 250,
// from so many sessions at once. Each round is compared with one update of a
// raw bbolt database that holds the same bytes.
func BenchmarkReceive(b *testing.B) {
	body := make([]byte, 3000)
	_, _ = rand.Read(body) // never fails (crypto/rand)
	mail := mailtest.Plain("jo@finder.example", "report@vdp.example.org", "report", fmt.Sprintf("%x", body)[:3800], storyStart)
	for _, sessions := range []int{1, 10, 64} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) { benchReceive(b, sessions, mail) })
	}
}

func benchReceive(b *testing.B, sessions int, mail []byte) {
	w := newWorld(b)
	raw := rawUpdates(b)
	env := Envelope{From: "jo@finder.example", To: []string{"report@vdp.example.org"}, Remote: "192.0.2.1"}
	var ours, theirs time.Duration
	rounds := 0
	for b.Loop() {
		began := time.Now()
		raw(mail)
		theirs += time.Since(began)
		began = time.Now()
		var wg sync.WaitGroup
		for range sessions {
			wg.Go(func() {
				if err := w.intake.Receive(context.Background(), env, io.Reader(bytes.NewReader(mail))); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		ours += time.Since(began)
		rounds++
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(rounds*sessions), "µs/mail")
	b.ReportMetric(float64(rounds*sessions)/ours.Seconds(), "mails/s")
	b.ReportMetric(float64(theirs.Microseconds())/float64(rounds), "bbolt-µs/update")
	b.ReportMetric(float64(ours)/float64(theirs), "round/bbolt")
}

// rawUpdates puts values into a bbolt database of their own, one update each.
func rawUpdates(b *testing.B) func([]byte) {
	b.Helper()
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "raw.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() }) // it was for comparison only
	n := uint64(0)
	return func(value []byte) {
		n++
		err := db.Update(func(tx *bbolt.Tx) error {
			rows, err := tx.CreateBucketIfNotExists([]byte("rows"))
			if err != nil {
				return err
			}
			return rows.Put(store.Seq(n), value)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
