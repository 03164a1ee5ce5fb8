package mailflow

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// peakHeap is by how much the heap grew at most while do ran. Garbage is
// collected soon, so that what is held counts and what lies about hardly does.
func peakHeap(b *testing.B, do func() error) float64 {
	b.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	heap := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	before, most := heap(), uint64(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			most = max(most, heap())
			select {
			case <-done:
				return
			case <-time.After(200 * time.Microsecond):
			}
		}
	}()
	err := do()
	close(done)
	<-ended
	if err != nil {
		b.Fatal(err)
	}
	return float64(max(most, heap())) - float64(before)
}

// largeFile is data that nothing compresses.
func largeFile(n int) string {
	data := make([]byte, n)
	_, _ = rand.Read(data) // never fails (crypto/rand)
	return string(data)
}

// BenchmarkMemory is the peak growth of memory, in bytes per byte of the mail as
// it is on the wire, for one mail of 20 MB on its way in (read: parsed, decrypted,
// verified; filed: until it stands in its folder) and on its way out.
func BenchmarkMemory(b *testing.B) {
	b.Run("in", func(b *testing.B) {
		w := newWorld(b)
		raw := w.largeMail(b)
		var read, filed float64
		for b.Loop() {
			row := w.letIn(b, raw)
			read = max(read, peakHeap(b, func() error {
				_, err := w.intake.read(context.Background(), row)
				return err
			}))
			filed = max(filed, peakHeap(b, func() error { return w.intake.RunSpool(context.Background()) }))
		}
		b.ReportMetric(read/float64(len(raw)), "read-B/byte")
		b.ReportMetric(filed/float64(len(raw)), "filed-B/byte")
	})
	b.Run("out", func(b *testing.B) {
		w := newWorld(b)
		vendor, err := keyring.Generate("", "psirt@acme.example", keyring.Ed25519, storyStart.Add(-time.Hour))
		if err != nil {
			b.Fatal(err)
		}
		p := &parcel{Ours: w.Own.now.Load()}
		p.Now, p.Keys.Certificates = storyStart, []*keyring.Certificate{vendor.Certificate()}
		inner := mailtest.Entity("inner", "see the file", mailtest.File{Name: "poc.bin", Type: "application/octet-stream", Data: largeFile(11 << 20)})
		out, size := &Outbox{w.Base}, int64(0)
		var peak float64
		for b.Loop() {
			peak = max(peak, peakHeap(b, func() error {
				d, _, err := out.stream(p, inner, pgpmime.Outer{From: "a@vdp.example.org", To: "psirt@acme.example"})
				if err == nil {
					size = d.Size
					d.Drop()
				}
				return err
			}))
		}
		b.ReportMetric(peak/float64(size), "B/byte")
	})
}

// largeMail is an encrypted and signed report of about 20 MB.
func (w *world) largeMail(b *testing.B) []byte {
	b.Helper()
	jo, err := keyring.Generate("Jo", "jo@finder.example", keyring.Ed25519, storyStart.Add(-time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	inner := mailtest.Entity("overflow", "see the file", mailtest.File{Name: "poc.bin", Type: "application/octet-stream", Data: largeFile(11 << 20)})
	outer := pgpmime.Outer{From: "jo@finder.example", To: "report@vdp.example.org", Subject: "...", Date: storyStart,
		MessageID: base64.RawURLEncoding.EncodeToString([]byte(largeFile(9))) + "@finder.example"}
	raw, err := pgpmime.Seal(inner, outer, []*keyring.Certificate{w.signer().Certificate()}, jo, storyStart)
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

// letIn lets a mail in and returns its row in the spool.
func (w *world) letIn(b *testing.B, raw []byte) (row spoolRow) {
	b.Helper()
	env := Envelope{From: "jo@finder.example", To: []string{"report@vdp.example.org"}, Remote: "192.0.2.1"}
	if err := w.intake.Receive(context.Background(), env, bytes.NewReader(raw)); err != nil {
		b.Fatal(err)
	}
	w.view(func(tx *store.Tx) error {
		for r, err := range spool.All(tx, nil) {
			if err != nil {
				return err
			}
			row = r.Value
		}
		return nil
	})
	return row
}
