package mailflow

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
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
// The machine may be busy: beside the time that passed it counts that of the
// processor.
type fanOut struct {
	*world
	b       *testing.B
	parties []cvd.PartyID
	text    string
	cases   int // that are due
	planned int // that are not
	cpu     time.Duration
}

func newFanOut(b *testing.B, n, kB int) *fanOut {
	b.Helper()
	f := &fanOut{world: newWorld(b), b: b, text: strings.Repeat(strings.Repeat("x", 63)+"\n", 16*kB)}
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
	f.clock.Advance(f.Undo + time.Second)
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

func (f *fanOut) deliver() {
	f.t.Helper()
	if _, err := f.Queue.RunDue(context.Background(), f.clock.Now()); err != nil {
		f.t.Fatal(err)
	}
}

// measure times what is done with a stage that fell due to everybody.
func (f *fanOut) measure(do ...func()) {
	rounds := 0
	for f.b.Loop() {
		f.b.StopTimer()
		f.due()
		rounds++
		before := processorTime()
		f.b.StartTimer()
		for _, one := range do {
			one()
		}
		f.b.StopTimer()
		f.cpu += processorTime() - before
		f.b.StartTimer()
	}
	n := float64(rounds * len(f.parties))
	f.b.ReportMetric(float64(f.b.Elapsed().Microseconds())/n, "µs/notice")
	f.b.ReportMetric(float64(f.cpu.Microseconds())/n, "cpu-µs/notice")
	f.view(func(tx *store.Tx) error {
		all, err := f.Queue.All(tx)
		if len(all) != rounds*len(f.parties) {
			f.t.Fatalf("%d deliveries are in the queue, want %d", len(all), rounds*len(f.parties))
		}
		return err
	})
}

// processorTime is what this process used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no reason to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFanOut is one due stage to all parties of a case: rendered, signed,
// encrypted, stored and queued. Where the processor's time is twice what passed,
// two cores were at it: with an RSA key that is signing, 5 to 8 ms for each.
func BenchmarkFanOut(b *testing.B) {
	for _, row := range []struct {
		parties, kB int
		key         keyring.Algorithm
	}{
		{20, 4, keyring.Ed25519}, {20, 64, keyring.Ed25519}, {1000, 64, keyring.Ed25519},
		{20, 64, keyring.RSA4096}, {1000, 64, keyring.RSA4096},
	} {
		b.Run(fmt.Sprintf("parties=%d/material=%dkB/key=%s", row.parties, row.kB, row.key), func(b *testing.B) {
			f := newFanOut(b, row.parties, row.kB)
			if row.key == keyring.RSA4096 {
				f.Own = NewOwnKeys(rsaGateway(b))
			}
			f.measure(f.release)
		})
	}
}

// rsaGateway is a gateway's key of the slow kind, made once.
func rsaGateway(b *testing.B) *keyring.Secret {
	b.Helper()
	s, err := makeRSAGateway()
	if err != nil {
		b.Fatal(err)
	}
	return s
}

var makeRSAGateway = sync.OnceValues(func() (*keyring.Secret, error) {
	return keyring.Generate("Parley", "report@vdp.example.org", keyring.RSA4096, storyStart.Add(-time.Hour))
})

// BenchmarkFanOutDelivered goes on until the next mail server has all mails.
func BenchmarkFanOutDelivered(b *testing.B) {
	for _, kB := range []int{4, 64} {
		b.Run(fmt.Sprintf("parties=20/material=%dkB", kB), func(b *testing.B) {
			f := newFanOut(b, 20, kB)
			f.measure(f.release, f.deliver)
		})
	}
}

// BenchmarkFanOutRound is what the daemon does: rounds of the scheduler and of
// the queue, with what the desk sees made anew between them. A notice costs the
// same however many are due with it.
func BenchmarkFanOutRound(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("parties=%d", n), func(b *testing.B) {
			f := newFanOut(b, n, 64)
			f.sink.Forget()
			f.measure(f.settle)
		})
	}
}

// BenchmarkFanOutMemory is by how much the heap grows at most in such rounds. It
// does not grow with the number of notices but for a row of each.
func BenchmarkFanOutMemory(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("parties=%d", n), func(b *testing.B) {
			f := newFanOut(b, n, 64)
			f.sink.Forget()
			var released, delivered, shown float64
			peak := func(most *float64, do func()) {
				*most = max(*most, peakHeap(b, func() error { do(); return nil }))
			}
			for b.Loop() {
				f.due()
				peak(&released, f.release)
				peak(&delivered, f.deliver)
				peak(&shown, f.settle)
			}
			b.ReportMetric(released/(1<<20), "released-MB")
			b.ReportMetric(delivered/(1<<20), "delivered-MB")
			b.ReportMetric(shown/(1<<20), "shown-MB")
		})
	}
}

// BenchmarkPrepare makes what the desk sees of a case with many vendors, every
// stage of which needs a yes: first the requests, then again with nothing
// changed but how far one notice is.
func BenchmarkPrepare(b *testing.B) {
	for _, n := range []int{20, 1000} {
		for _, what := range []string{"ask", "moved"} {
			b.Run(fmt.Sprintf("parties=%d/%s", n, what), func(b *testing.B) { benchPrepare(b, n, what == "ask") })
		}
	}
}

func benchPrepare(b *testing.B, n int, ask bool) {
	f := newFanOut(b, n, 64)
	id := f.due()
	f.update(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if err != nil {
			return err
		}
		c.Policy = cvd.Shipped()["default"]
		if err := PutCase(tx, c); err != nil {
			return err
		}
		return f.replan(tx, id)
	})
	f.settleDesk()
	for b.Loop() {
		b.StopTimer()
		f.update(func(tx *store.Tx) error {
			if ask {
				return f.putMaterial(tx, cvd.Material{Case: id, Stage: cvd.Details, Author: "ana", Text: f.text + time.Now().String()})
			}
			f.moved(tx, id)
			return nil
		})
		b.StartTimer()
		f.settleDesk()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/party")
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
		receive := func() {
			if err := w.intake.Receive(context.Background(), env, bytes.NewReader(mail)); err != nil {
				b.Error(err)
			}
		}
		for range sessions - 1 {
			wg.Go(receive)
		}
		receive()
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

// BenchmarkCheckRcpt is one RCPT, of an address that is always there and of one that never
// was, among a thousand threads.
func BenchmarkCheckRcpt(b *testing.B) {
	w := newWorld(b)
	w.update(func(tx *store.Tx) error {
		for i := range 1000 {
			if err := tokens.Put(tx, DeskScope, tokenKey(tx, fmt.Sprint("token", i)), tokenRow{}); err != nil {
				return err
			}
		}
		return nil
	})
	for name, rcpt := range map[string]string{"report": reportTo, "unknown": w.ThreadAddress("token")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := w.intake.CheckRcpt(b.Context(), Envelope{}, rcpt); (err == nil) != (name == "report") {
					b.Fatal(err)
				}
			}
		})
	}
}
