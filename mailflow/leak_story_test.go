package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// At three in the morning one coordinator fires the leak kit with one signed
// mail: every vendor of the case that can be told is, the largest footprint
// first and in its own mail, whatever it was told before; the others are held,
// each with a task, and in an alarm once the time is over.
func TestStory_LeakAtNight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.leakCase()
	if got := w.kit(id); !strings.HasPrefix(got, "rumour ready, details waits ") || !strings.HasSuffix(got, ", exploit: no material") {
		t.Fatalf("the kit after the start: %s", got)
	}
	w.control("ben", true, "approve "+w.kitRequest().ID)
	if got := w.kit(id); got != "rumour ready, details ready, exploit: no material" {
		t.Fatalf("the kit after the yes: %s", got)
	}
	w.steps(30*time.Minute, w.until(3))
	before, end := len(w.sink.Mails()), w.theCase(id).Embargo().End
	at := w.clock.Now()
	w.fires("ana", id, "details")

	var order []string
	for _, m := range w.sink.Mails()[before:] {
		order = append(order, strings.TrimSuffix(strings.TrimPrefix(m.To, "psirt@"), ".example"))
	}
	order = slices.DeleteFunc(order, func(s string) bool { return strings.Contains(s, "finder") || strings.Contains(s, "initech") })
	if want := []string{"hooli", "acme", "globex"}; !slices.Equal(order, want) {
		t.Errorf("they were told in the order %q, want %q", order, want)
	}
	for _, name := range []string{"hooli", "acme", "globex"} {
		all := w.leaks(name)
		if len(all) != 1 {
			t.Fatalf("%s got %d mails about the leak: %+v", name, len(all), w.leakNotices(id, cvd.PartyID(name)))
		}
		l := all[0]
		if wrong := l.lacks(cvd.Details, cvd.Mitigation); len(wrong) > 0 {
			t.Errorf("to %s: wrong with %q:\n%s", name, wrong, l.Text)
		}
		if has := l.find([]string{annexCanary}) != ""; has != (name == "acme") {
			t.Errorf("to %s: the annex of acme stands in it: %t", name, has)
		}
		others := slices.DeleteFunc([]string{"hooli", "acme", "globex", "umbrella", "initech", "stark", "finder.test"}, func(s string) bool { return s == name })
		if word := l.find(others); word != "" {
			t.Errorf("to %s: it says %q", name, word)
		}
		if !strings.Contains(l.Text, "hxxps://paste[.]test/x9?y=1") || strings.Contains(l.Text, leakAddress) || !anyCode.MatchString(l.Text) || l.Files["embargo.ics"] == "" {
			t.Errorf("to %s:\n%s", name, l.Text)
		}
		if got := w.participant(id, cvd.PartyID(name)).Reached; got != cvd.Details {
			t.Errorf("%s reached %s", name, got)
		}
	}
	w.leakHolds(id)
	w.leakDates(id, at, end)
	w.leakOver(id, at)
}

// until is how long it is to an hour of the next day.
func (w *world) until(hour int) time.Duration {
	now := w.clock.Now()
	return date(now).Add(24*time.Hour + time.Duration(hour)*time.Hour).Sub(now)
}

// leakHolds checks who did not get it, and what stands before the desk for each.
func (w *world) leakHolds(id cvd.CaseID) {
	w.t.Helper()
	for name, why := range map[string]string{"initech": "no key of initech is known", "umbrella": "they moved house", "stark": "by hand"} {
		all := w.leakNotices(id, cvd.PartyID(name))
		if len(all) != 1 || all[0].State != cvd.Held || !strings.Contains(all[0].Why, why) {
			w.t.Errorf("%s: %+v", name, all)
			continue
		}
		if text := w.wordsIn("INBOX", "leak (details) to "+name); !strings.Contains(text, "psirt@"+name+".example") {
			w.t.Errorf("no task says how to reach %s:\n%s", name, text)
		}
	}
	if text := w.wordsIn("INBOX", "leak (details) to initech"); !strings.Contains(text, "chief@initech.example") || !strings.Contains(text, "Asia/Tokyo") {
		w.t.Errorf("the task does not name the second contact:\n%s", text)
	}
	mails := w.mails(w.people["initech"])
	if len(mails) == 0 {
		w.t.Fatal("initech's contact was not asked for a key")
	}
	for _, l := range mails {
		if wrong := l.lacks(); !l.Clear || len(wrong) > 0 || l.find([]string{string(id), "leak"}) != "" {
			w.t.Errorf("in clear to initech:\n%s", l.Text)
		}
	}
	letters := w.mails(w.people["finder"])
	l := letters[len(letters)-1]
	if wrong := l.lacks(); !strings.Contains(l.Subject, "is public") || len(wrong) > 0 || l.find([]string{"acme", "globex", "hooli", "umbrella", "initech", "stark"}) != "" {
		w.t.Errorf("to the finder: %s\n%s", l.Subject, l.Text)
	}
}

// leakDates checks that the embargo ends a day after the leak, and what is still
// planned.
func (w *world) leakDates(id cvd.CaseID, at, was time.Time) {
	w.t.Helper()
	c := w.theCase(id)
	if e := c.Embargo(); !e.End.Equal(at.Add(cvd.Day)) || e.Version != 2 {
		w.t.Errorf("the embargo: %+v, leaked %s, was %s", e, at, was)
	}
	w.view(func(tx *store.Tx) error {
		ps, err := Participants(tx, id)
		for _, p := range ps {
			all, _ := Notices(tx, id, p.Party)
			for _, n := range all {
				if n.State.Over() || n.Kind != cvd.KindStage && n.Kind != cvd.KindEmbargo {
					continue
				}
				if n.Kind == cvd.KindEmbargo || n.Stage.Rank() <= cvd.Details.Rank() {
					w.t.Errorf("%s is still to go to %s", noticeName(n), p.Party)
				}
			}
		}
		return err
	})
	if n := w.countIn("INBOX", "the public text is missing"); n != 1 {
		w.t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	w.material(id, cvd.Public, "the public text "+canary(cvd.Public))
	w.settle()
	if n := w.countIn("INBOX", "the public text is missing"); n != 0 {
		w.t.Error("the alarm about the public text outlives it")
	}
	if len(w.requests(cvd.Public)) != 1 {
		w.t.Error("nobody is asked for the public text")
	}
	if text := w.in(id, "status"); !strings.Contains(text, "LEAKED: details, since ") || !strings.Contains(text, "hxxps://paste[.]test/x9") {
		w.t.Errorf("status:\n%s", text)
	}
	if text := w.in(id, "history"); !strings.Contains(text, "  leak  ") || strings.Contains(text, "paste") {
		w.t.Errorf("history:\n%s", text)
	}
}

// leakOver checks the alarm once the time is over, and that it goes.
func (w *world) leakOver(id cvd.CaseID, at time.Time) {
	w.t.Helper()
	w.steps(time.Minute, at.Add(29*time.Minute).Sub(w.clock.Now()))
	if n := w.countIn("INBOX", "is not with"); n != 0 {
		w.t.Fatalf("an alarm too early: %q", w.subjects("INBOX"))
	}
	w.restart()
	w.steps(time.Minute, 2*time.Minute)
	text := w.wordsIn("INBOX", "is not with 3 vendors")
	for _, want := range []string{"initech: held: no key", "umbrella: held: umbrella is on hold", "stark: held: stark is told by hand", "chief@initech.example"} {
		if !strings.Contains(text, want) {
			w.t.Errorf("the alarm does not say %q:\n%s", want, text)
		}
	}
	if text := w.in(id, "status"); !strings.Contains(text, "ALARM: the leak is not with 3 vendors") {
		w.t.Errorf("status:\n%s", text)
	}
	w.in(id, "release umbrella", `record stark delivered details via "courier"`)
	if text := w.wordsIn("INBOX", "is not with 1 vendor"); strings.Contains(text, "umbrella") || strings.Contains(text, "stark") {
		w.t.Errorf("the alarm:\n%s", text)
	}
	w.confirm("initech", w.people["initech"])
	w.update(func(tx *store.Tx) error { return w.wakeNotices(tx, id, "initech") })
	w.settle()
	for _, name := range []string{"umbrella", "initech"} {
		if all := w.leaks(name); len(all) != 1 || len(all[0].lacks(cvd.Details, cvd.Mitigation)) > 0 {
			w.t.Errorf("%s got %d mails about the leak", name, len(all))
		}
	}
	if n := w.countIn("INBOX", "is not with"); n != 0 {
		w.t.Errorf("the alarm outlives its reason: %q", w.subjects("INBOX"))
	}
	sent := len(w.sink.Mails())
	w.restart()
	w.settle()
	if n := len(w.sink.Mails()); n != sent {
		w.t.Errorf("a restart sent %d mails again", n-sent)
	}
}
