package mailflow

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// says lets somebody write in its thread; what it says is read, and nothing that
// falls due by it leaves yet.
func (w *world) saysOnly(name string, id cvd.CaseID, text string) {
	w.t.Helper()
	p, to := w.people[name], w.thread(id, cvd.PartyID(name))
	w.arrives(p.Address, to, w.seal(p, to, true, mailtest.Entity("Re: ["+string(id)+"]", text)))
}

// killed is a process that dies, and one that takes its place at once.
func (w *world) killed() {
	w.t.Helper()
	w.restart()
	now, passed := w.clock.Read()
	if err := w.sched.CheckClock(now, passed); err != nil {
		w.t.Fatal(err)
	}
}

// introOf is the newest introduction of a case.
func (w *world) introOf(id cvd.CaseID) (i intro) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := introsOf(tx, id)
		i = all[len(all)-1]
		return err
	})
	return i
}

// halfOf is the notice that tells somebody who the other is.
func (w *world) halfOf(id cvd.CaseID, name string) (n cvd.Notice) {
	w.t.Helper()
	i := w.introOf(id)
	told := i.Sides[i.side(cvd.PartyID(name))].Told
	if told == 0 {
		return n
	}
	w.view(func(tx *store.Tx) (err error) {
		n, err = notices.Get(tx, noticeKey(tx, id, cvd.PartyID(name), told))
		return err
	})
	return n
}

// queues asks the gate about one half alone.
func (w *world) queues(id cvd.CaseID, name string) {
	w.t.Helper()
	n := w.halfOf(id, name)
	row := dueRow{Case: id, Party: n.Party, Notice: n.ID}
	key := slices.Concat(store.Instant(n.Row), store.Seq(n.ID))
	if err := w.sched.Outbox.Release(w.t.Context(), dueNotice{row, key}, w.clock.Now(), &looks{}); err != nil {
		w.t.Fatal(err)
	}
}

// delivers hands what is queued to the mail server.
func (w *world) delivers() {
	w.t.Helper()
	if _, err := w.Queue.RunDue(w.t.Context(), w.clock.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// agreeing is a case in which acme and globex agreed to be introduced, and nothing
// has been planned into the queue yet.
func agreeing(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.saysOnly("acme", id, "CONSENT "+string(id)+"\n")
	w.saysOnly("globex", id, "CONSENT "+string(id)+"\n")
	return w, id
}

// named says how often each was told who the other is. Nobody ever is twice.
func (w *world) named() (acme, globex int) {
	w.t.Helper()
	at := map[string]int{}
	for _, name := range []string{"acme", "globex"} {
		for _, m := range w.sink.Mails() {
			for _, p := range w.people {
				if !strings.HasSuffix(p.Address, "@"+name+".example") {
					continue
				}
				if o, err := p.Open(m.Raw, w.ourKey()); err == nil && strings.Contains(o.Subject, introduce) {
					at[name]++
				}
			}
		}
		if at[name] > 1 {
			w.t.Errorf("%s was told %d times", name, at[name])
		}
	}
	return at["acme"], at["globex"]
}

// bothOrNone wants both to be told by now, or neither.
func (w *world) bothOrNone(want int, why string) {
	w.t.Helper()
	if a, g := w.named(); a != want || g != want {
		w.t.Errorf("%s: acme was told %d times, globex %d; each should have been %d times", why, a, g, want)
	}
}

// stops are what can come between two consents and the mails that rest on them:
// what it takes for both to be told all the same, if anything does.
var introStops = []struct {
	name string
	do   func(*world, cvd.CaseID)
	undo func(*world, cvd.CaseID) // both are told after it; nil: neither is, ever
}{
	{"hold acme", saysIn("hold acme"), saysIn("release acme")},
	{"hold globex", saysIn("hold globex"), saysIn("release globex")},
	{"hold case", saysIn("hold case"), saysIn("release case")},
	{"hold all", saysIn("hold all"), saysIn("release all")},
	{"withdraw acme", saysIn(`withdraw acme because "mistake"`), nil},
	{"withdraw globex", saysIn(`withdraw globex because "mistake"`), nil},
	{"acme refuses", func(w *world, id cvd.CaseID) { w.saysOnly("acme", id, "REFUSE "+string(id)+" 1\n") }, nil},
	{"globex refuses", func(w *world, id cvd.CaseID) { w.saysOnly("globex", id, "REFUSE "+string(id)+" 1\n") }, nil},
	{"cancel", saysIn("introduce acme globex cancel"), nil},
	{"close", saysIn("case close"), saysIn("case reopen")},
	{"globex's key is rejected", func(w *world, id cvd.CaseID) {
		w.quietly(id, "key reject globex "+w.people["globex"].Fingerprint())
	}, func(w *world, _ cvd.CaseID) { w.confirm("globex", w.person("globex, later", "psirt@globex.example")) }},
	{"globex revokes its address", func(w *world, id cvd.CaseID) {
		w.saysOnly("globex", id, "MEMBER REVOKE "+string(id)+" psirt@globex.example\n")
	}, func(w *world, id cvd.CaseID) {
		w.do("vendor edit globex address new@globex.example")
		later := w.person("globex, later", "new@globex.example")
		w.confirm("globex", later)
		w.after(5 * w.Undo) // it is asked again, at the address that it has now
		to := w.thread(id, "globex")
		w.arrives(later.Address, to, w.seal(later, to, true, mailtest.Entity("Re: ["+string(id)+"]", "CONSENT "+string(id)+"\n")))
	}},
}

// quietly gives commands as the operator; nothing that they let go leaves yet.
func (w *world) quietly(id cvd.CaseID, lines ...string) {
	w.t.Helper()
	if tr := w.as(Actor{Name: Operator, Via: ViaOperator}, append([]string{"case " + string(id)}, lines...)...); !tr.Done() {
		w.t.Fatalf("%s", tr)
	}
}

func saysIn(line string) func(*world, cvd.CaseID) {
	return func(w *world, id cvd.CaseID) { w.quietly(id, line) }
}

// Whatever stops one half of an introduction before the first has been handed over
// stops both, at whatever point of their way: in the plan, with one half in the
// queue, with both. A new process at each point finds the same (rules V2, T2).
func TestV2_StoppedHalfStopsTheOther(t *testing.T) {
	t.Parallel()
	points := []struct {
		name   string
		queued []string
	}{{"planned", nil}, {"acme queued", []string{"acme"}}, {"both queued", []string{"acme", "globex"}}}
	for _, stop := range introStops {
		for _, p := range points {
			t.Run(stop.name+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				w, id := agreeing(t)
				for _, name := range p.queued {
					w.queues(id, name)
					if s := w.halfOf(id, name).State; s != cvd.Queued {
						t.Fatalf("the half of %s is %s", name, s)
					}
					w.killed()
				}
				stop.do(w, id)
				w.killed()
				w.steps(6*time.Hour, 3*cvd.Day)
				w.bothOrNone(0, "stopped")
				if stop.undo == nil {
					w.saysOnly("acme", id, "CONSENT "+string(id)+" 1\n")
					w.saysOnly("globex", id, "hello\n")
					if strings.HasSuffix(stop.name, "refuses") {
						w.saysOnly(strings.Fields(stop.name)[0], id, "REFUSE "+string(id)+" 1\n")
					}
					w.steps(6*time.Hour, cvd.Day)
					w.bothOrNone(0, "stopped for good")
					return
				}
				stop.undo(w, id)
				w.killed()
				w.steps(6*time.Hour, 3*cvd.Day)
				w.bothOrNone(1, "let go")
				if stop.name != "globex's key is rejected" { // which it cannot read its older mails without
					w.namesOthers("acme globex", "globex acme")
				}
			})
		}
	}
}

// Who is told by hand is told once the other could be, too; the other does not wait
// for the person who tells it.
func TestV2_OneSideByHand(t *testing.T) {
	t.Parallel()
	w, id := agreeing(t)
	w.quietly(id, "vendor edit acme channel hand", "hold globex")
	w.steps(time.Hour, cvd.Day)
	w.refuses(theOperator, "globex is on hold", "case "+string(id), `record acme introduced via "phone"`)
	w.quietly(id, "release globex")
	w.steps(time.Hour, cvd.Day)
	if a, g := w.named(); a != 0 || g != 1 {
		t.Errorf("acme was mailed %d times, globex %d", a, g)
	}
	w.killed()
	w.in(id, `record acme introduced via "phone"`)
	w.steps(time.Hour, cvd.Day)
	if a, g := w.named(); a != 0 || g != 1 || !strings.Contains(strings.Join(strings.Fields(w.in(id, "status")), " "), "introduced to each other") {
		t.Errorf("acme was mailed %d times, globex %d", a, g)
	}
	w.refuses(theOperator, "nothing was recorded", "case "+string(id), `record acme introduced via "phone"`)
}

// Once one half was handed over, the other follows, whatever is said after it; a
// hold delays it, and nothing is sent twice. The process dies between the two.
func TestT2_SecondHalfFollows(t *testing.T) {
	t.Parallel()
	for _, stop := range introStops {
		if strings.HasPrefix(stop.name, "withdraw") {
			continue // who was withdrawn gets nothing
		}
		t.Run(stop.name, func(t *testing.T) {
			t.Parallel()
			w, id := agreeing(t)
			first, second := "acme", "globex"
			if strings.Contains(stop.name, "acme") {
				first, second = second, first
			}
			w.queues(id, first)
			w.delivers()
			w.killed()
			if w.halfOf(id, first).State != cvd.Sent || hasLeft(w.halfOf(id, second).State) {
				t.Fatalf("%s is %s, %s %s", first, w.halfOf(id, first).State, second, w.halfOf(id, second).State)
			}
			if stop.name == "cancel" {
				w.refuses(theOperator, "was told who the other is already", "case "+string(id), "introduce acme globex cancel")
			} else {
				stop.do(w, id)
			}
			w.killed()
			w.steps(6*time.Hour, cvd.Day)
			if stop.undo != nil {
				stop.undo(w, id)
				w.killed()
				w.steps(6*time.Hour, 3*cvd.Day)
			}
			w.bothOrNone(1, "one half had left")
			if stop.name != "globex's key is rejected" { // which it cannot read its older mails without
				w.namesOthers("acme globex", "globex acme")
			}
		})
	}
}

// Both consent in the same instant, on two lines of the server: each is told once.
func TestV2_SimultaneousConsents(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	var wg sync.WaitGroup
	for _, name := range []string{"acme", "globex"} {
		p, to := w.people[name], w.thread(id, cvd.PartyID(name))
		raw := w.seal(p, to, true, mailtest.Entity("Re: ["+string(id)+"]", "CONSENT "+string(id)+"\n"))
		wg.Go(func() { w.arrives(p.Address, to, raw) })
	}
	wg.Wait()
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(1, "both at once")
	n := 0
	for _, name := range []cvd.PartyID{"acme", "globex"} {
		n += len(w.noticesOf(id, name, cvd.KindIntroduction))
	}
	if n != 2 {
		t.Errorf("%d halves", n)
	}
}
