package mailflow

import (
	"fmt"
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
	}, func(w *world, _ cvd.CaseID) {
		w.do("vendor edit globex address new@globex.example")
		w.confirm("globex", w.person("globex, later", "new@globex.example"))
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

// Of two who are told by hand the second is not told where the mail to the first
// came back meanwhile.
func TestV5_ByHandAfterTheOtherCameBack(t *testing.T) {
	t.Parallel()
	w, id := agreeing(t)
	w.quietly(id, "vendor edit globex channel hand")
	w.steps(time.Hour, 2*time.Hour)
	all := w.sink.To("psirt@acme.example")
	sent := all[len(all)-1]
	w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\nno such mailbox\r\n"))
	w.settle()
	w.refuses(theOperator, "refused it, or gave it back", "case "+string(id), `record globex introduced via "phone"`)
	w.in(id, "delivery "+w.deliveryOf(w.halfOf(id, "acme"))+" again")
	w.steps(time.Hour, 2*time.Hour)
	w.in(id, `record globex introduced via "phone"`)
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

// Where the server of one refused its half, or gave it back, the other is not told
// either: it would learn who the first is, and stay unknown to it. Once the first
// went again, both know, and each was told once.
func TestV5_HalfThatCameBackHoldsTheOther(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"failed", "bounced"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w, id := agreeing(t)
			if how == "failed" {
				w.sink.Refuse("psirt@acme.example", 550)
			}
			w.queues(id, "acme")
			w.delivers()
			w.sink.Refuse("psirt@acme.example", 0)
			if how == "bounced" {
				all := w.sink.To("psirt@acme.example")
				sent := all[len(all)-1]
				w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\nno such mailbox\r\n"))
			}
			w.killed()
			w.steps(time.Hour, cvd.Day)
			if n := w.halfOf(id, "globex"); n.State != cvd.Held || !strings.Contains(n.Why, "refused it, or gave it back") {
				t.Errorf("the half of globex is %s: %s", n.State, n.Why)
			}
			if _, g := w.named(); g != 0 {
				t.Fatal("globex learned who acme is, and is unknown to it")
			}
			if status := strings.Join(strings.Fields(w.in(id, "status")), " "); !strings.Contains(status, "agreed; the mail to acme came back, and globex was not told") {
				t.Errorf("status says\n%s", status)
			}
			w.submits("ana", "acme."+id.Lower()+"@"+w.DeskDomain, true, "a word", "please write to globex soon\n")
			w.after(5 * w.Undo)
			if anyHolds(w.got("acme"), "please write to globex soon") {
				t.Error("a letter names globex to acme, which never learned of it")
			}
			w.in(id, "delivery "+w.deliveryOf(w.halfOf(id, "acme"))+" again")
			w.steps(time.Hour, cvd.Day)
			if how == "bounced" { // what came back, and the one that did not
				if a, g := len(w.about("acme", introduce)), len(w.about("globex", introduce)); a != 2 || g != 1 {
					t.Errorf("acme was told %d times, globex %d", a, g)
				}
				return
			}
			w.bothOrNone(1, "sent again")
		})
	}
}

// A half that failed is not sent again once one of them took its word back: the
// desk is told why. Both agree anew, and each is told once.
func TestV2_NoHalfAgainAfterARefusal(t *testing.T) {
	t.Parallel()
	w, id := agreeing(t)
	w.sink.Refuse("psirt@acme.example", 550)
	w.queues(id, "acme")
	w.delivers()
	w.sink.Refuse("psirt@acme.example", 0)
	failed := w.deliveryOf(w.halfOf(id, "acme"))
	w.saysOnly("globex", id, "REFUSE "+string(id)+" 1\n")
	w.refuses(theOperator, "nobody is told who the other is", "case "+string(id), "delivery "+failed+" again")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(0, "globex refused")
	w.answers("globex", id, true, "CONSENT "+string(id)+" 1\n")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(1, "both agree again")
	w.refuses(theOperator, "nobody is told who the other is", "case "+string(id), "delivery "+failed+" again")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(1, "the old one was asked for again")
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

// An introduction lives on in a case that was closed and opened again, wherever it
// stood: not asked, one consent, both. Who had not answered is asked again.
func TestIntroduce_ReopenedCase(t *testing.T) {
	t.Parallel()
	for said := range 3 {
		t.Run(fmt.Sprintf("%d consents", said), func(t *testing.T) {
			t.Parallel()
			w, id := meeting(t)
			w.in(id, "introduce acme globex")
			if said > 0 {
				w.after(5 * w.Undo)
				w.answers("acme", id, true, "CONSENT "+string(id)+"\n")
			}
			if said > 1 {
				w.saysOnly("globex", id, "CONSENT "+string(id)+"\n")
			}
			w.in(id, "case close")
			w.steps(time.Hour, cvd.Day)
			w.bothOrNone(0, "closed")
			w.in(id, "case reopen")
			w.steps(time.Hour, cvd.Day)
			if said == 0 && (len(w.about("acme", asks)) != 1 || len(w.about("globex", asks)) != 1) {
				t.Errorf("asked %d and %d", len(w.about("acme", asks)), len(w.about("globex", asks)))
			}
			if said < 2 {
				w.bothOrNone(0, "not both agreed")
			}
			for _, name := range []string{"acme", "globex"}[said:] {
				w.answers(name, id, true, "CONSENT "+string(id)+" 1\n")
			}
			w.steps(time.Hour, cvd.Day)
			w.bothOrNone(1, "opened again")
		})
	}
}

// Of two halves one of which had left when the case was closed, the other follows
// when it is opened again.
func TestIntroduce_ReopenedAfterOneHalf(t *testing.T) {
	t.Parallel()
	w, id := agreeing(t)
	w.queues(id, "acme")
	w.delivers()
	w.in(id, "case close")
	w.steps(time.Hour, cvd.Day)
	if a, g := w.named(); a != 1 || g != 0 {
		t.Fatalf("told %d and %d", a, g)
	}
	w.in(id, "case reopen")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(1, "opened again")
}

// A consent that a coordinator filed, and took back, leaves the party's own REFUSE
// in force: as it was, to the letter.
func TestV2_UndoneConsentLeavesTheRefusal(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.answers("acme", id, true, "REFUSE "+string(id)+"\n")
	w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
	before := w.introOf(id)
	tr := w.as(signed("ana"), "case "+string(id), `record acme consent to globex via phone "Jo"`)
	w.killed()
	w.as(signed("ana"), "undo "+undoID.FindStringSubmatch(tr.String())[1])
	if got := w.introOf(id); fmt.Sprint(got.Sides[0].No, got.Sides[0].Yes) != fmt.Sprint(before.Sides[0].No, before.Sides[0].Yes) || got.Sides[0].No == nil {
		t.Errorf("%+v, before %+v", got.Sides[0], before.Sides[0])
	}
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(0, "its last word is no")
	if status := w.in(id, "status"); !strings.Contains(status, "acme refuses") {
		t.Errorf("status:\n%s", status)
	}
}
