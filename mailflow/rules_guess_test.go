package mailflow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Guesses at addresses (few here, ten thousand by make hostile) are refused in one
// sentence and in one time, whether the case, vendor, login or ended token behind
// them exists or not. The kinds take turns in an order of chance, so that whatever
// else the machine does falls on all of them, and medians are compared. Three times
// is far more than noise, and far less than what a look-up left out would show.
func TestM2_GuessesTellNothing(t *testing.T) {
	w := lightWorld(t)
	id := w.started("acme", "globex")
	w.coordinator("ana")
	gone := w.thread(id, "globex")
	live := w.thread(id, "acme")
	w.do("case "+string(id), `withdraw globex because "not theirs"`, "invite globex wave 1")
	back := w.sink.To("psirt@acme.example")[0].From
	w.update(func(tx *store.Tx) error { // its address has ended
		token := strings.TrimSuffix(strings.TrimPrefix(back, prefixBounce), "@"+w.Domain)
		return bounceTallies.Put(tx, caseScope(id), tx.Name("bounce", token), bounceTally{Mails: bounceMails})
	})
	at := "@" + w.Domain
	kinds := map[string]func() string{
		"unknown thread":     func() string { return w.ThreadAddress(cvd.NewToken()) },
		"one letter off":     func() string { return strings.Replace(live, "@", "a@", 1) },
		"ended thread":       func() string { return gone },
		"unknown bounce":     func() string { return prefixBounce + cvd.NewToken() + at },
		"ended bounce":       func() string { return back },
		"a case":             func() string { return id.Lower() + at },
		"no case":            func() string { return "par-2031-0077" + at },
		"a case's vendor":    func() string { return "acme." + id.Lower() + at },
		"no vendor":          func() string { return "acne." + id.Lower() + at },
		"a vendor of none":   func() string { return "acme.par-2031-0077" + at },
		"a login":            func() string { return "ana" + at },
		"no login":           func() string { return "ani" + at },
		"the desk's domain":  func() string { return "control@" + w.DeskDomain },
		"somebody's domain":  func() string { return "control@somewhere.example" },
		"a token as a case+": func() string { return strings.Replace(back, prefixBounce, prefixCase, 1) },
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range kinds {
			if !yield(name) {
				return
			}
		}
	})
	took := map[string][]time.Duration{}
	for range max(forgeries(6000)/len(names), 200) {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			rcpt := kinds[name]()
			begun := time.Now()
			err := w.intake.CheckRcpt(t.Context(), Envelope{From: "x@x.example"}, rcpt)
			took[name] = append(took[name], time.Since(begun))
			if err != error(replyNoMailbox) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	var fast, slow time.Duration
	var lines []string
	for name, all := range took {
		slices.Sort(all)
		m := all[len(all)/2]
		if fast == 0 || m < fast {
			fast = m
		}
		slow = max(slow, m)
		lines = append(lines, fmt.Sprintf("%8s %s", m, name))
	}
	slices.Sort(lines)
	t.Logf("medians of %d guesses each:\n%s", len(took["a case"]), strings.Join(lines, "\n"))
	if slow > 3*fast {
		t.Errorf("medians are from %s to %s", fast, slow)
	}
}
