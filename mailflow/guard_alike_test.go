package mailflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// sameAgain is a mail that says one thing over and over, and one of its writer's
// own.
func sameAgain(times int, party string, number int) string {
	return strings.Repeat("the decoder of the recorder reads past the end of its buffer, and nobody looks at the length.\n", times) +
		fmt.Sprintf("build %d of %s has had the fault for as long as anybody can say\n", number, party)
}

// inThread files mails of a thread, as a participant wrote them ("in") or got them
// ("out").
func (w *world) inThread(id cvd.CaseID, party, direction string, texts ...string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		for _, text := range texts {
			raw := "From: a@b.example\r\nSubject: x\r\n\r\n" + strings.ReplaceAll(text, "\n", "\r\n")
			m := store.Message{Scope: caseScope(id), Direction: direction, Case: string(id), Party: party}
			if _, err := w.keepOwn(tx, []byte(raw), m); err != nil {
				return err
			}
		}
		return nil
	})
}

// manyAlike is a case in which each of some vendors wrote nearly the same letter
// so many times, and the stage repeats one of globex.
func manyAlike(t testing.TB, letters, times int) (w *world, id cvd.CaseID, to []cvd.Participant) {
	w = newWorld(t)
	w.coordinator("ana")
	vendors := []string{"acme", "globex", "hooli", "umbrella"}
	id = w.started(vendors...)
	for n := range letters {
		for _, v := range vendors {
			w.inThread(id, v, "in", sameAgain(times, v, n))
			w.inThread(id, v, "out", "thank you for it, we heard of it")
		}
	}
	w.material(id, cvd.Scope, sameAgain(times, "globex", 0))
	w.view(func(tx *store.Tx) (err error) {
		to, err = Participants(tx, id)
		return err
	})
	return w, id, to
}

// BenchmarkGuard_Alike compares a stage with 40 letters of each of four vendors
// which all say the same thing a hundred times: the time until it is compared for
// all of them, and the time for which a transaction holds up all writers when each
// of them is asked about again.
func BenchmarkGuard_Alike(b *testing.B) {
	w, id, to := manyAlike(b, 40, 100)
	var compared, held time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		l := &looks{}
		ask := func(tx *store.Tx) error {
			for _, p := range to {
				found, err := w.suspicious(tx, p, cvd.Notice{Case: id, Party: p.Party, Kind: cvd.KindStage, Stage: cvd.Scope}, l)
				if err != nil || found != (p.Party != "globex") {
					b.Errorf("%s: found %t, %v", p.Party, found, err)
				}
			}
			return nil
		}
		began := time.Now()
		w.view(ask)
		compared += time.Since(began)
		w.update(func(tx *store.Tx) error {
			began := time.Now()
			defer func() { held += time.Since(began) }()
			return ask(tx)
		})
	}
	b.ReportMetric(float64(compared.Milliseconds())/float64(rounds), "ms-compared")
	b.ReportMetric(float64(held.Microseconds())/1000/float64(rounds), "ms-held")
}
