package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Rule A3: `leak` counts only in a mail signed by a coordinator. What lacks the
// signature stands in Drafts; the operator cannot give it.
func TestA3_LeakOnlySigned(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.control("ben", true, "approve "+w.kitRequest().ID)
	lines := []string{"case " + string(id), "leak " + leakAddress + " stage details within 30m"}
	w.control("ana", false, lines...)
	if text := w.words(w.last("INBOX")); !strings.Contains(strings.Join(strings.Fields(text), " "), "counts only signed; nothing was changed") {
		t.Errorf("INBOX:\n%s", text)
	}
	drafts, _ := w.draftsOf("ana")
	if len(drafts) != 1 {
		t.Fatalf("ana has %d drafts", len(drafts))
	}
	w.refuses(theOperator, "the operator cannot give it", lines...)
	if all := w.leakNotices(id, "acme"); len(all) != 0 || len(w.theCase(id).Leaks) != 0 {
		t.Fatalf("it counted: %+v", all)
	}
	w.signs("ana", drafts[0])
	w.settle()
	if all := w.leaks("acme"); len(all) != 1 || len(all[0].lacks(cvd.Details)) > 0 {
		t.Errorf("the signed draft: %d mails, %+v", len(all), w.leakNotices(id, "acme"))
	}
}

// What is not to be fired is refused with the reason, and nothing leaves.
func TestLeak_Refused(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	tag := "case " + string(id)
	line := func(s string) string { return "leak " + leakAddress + " " + s }
	for _, row := range []struct{ line, why string }{
		{line("stage details within 30m"), "details waits " + w.kitRequest().ID},
		{line("stage exploit within 30m"), "exploit: no material"},
		{line("stage all within 30m"), "is not how much leaked"},
		{line("stage rumour within 30s"), "between 1m and 24h"},
		{line("stage rumour within 25h"), "between 1m and 24h"},
		{line("stage rumour within soon"), "is not a duration"},
		{line("stage rumour"), "by when everybody is to have it is missing"},
		{line("rumour within 30m"), "how much leaked is missing"},
		{line("stage rumour within 30m please"), "not understood"},
		{"leak ftp://paste.test/x stage rumour within 30m", "is no address"},
	} {
		w.refuses(anaSigned, row.why, tag, row.line)
	}
	w.as(benSigned, "reject "+w.kitRequest().ID+" because \"too much\"")
	w.refuses(anaSigned, "not approved", tag, line("stage details within 30m"))
	fresh := cvd.FindCaseIDs(w.do(`case open "Another" policy default`))[0]
	w.refuses(anaSigned, "has not started", "case "+string(fresh), line("stage rumour within 30m"))
	if all := w.leakNotices(id, "acme"); len(all) != 0 {
		t.Errorf("it left: %+v", all)
	}
	w.in(id, "case close")
	w.refuses(anaSigned, "is closed", tag, line("stage rumour within 30m"))
}

// Nobody is sent to write what the policy of the case never sends.
func TestLeak_NoSuchStage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith("acme")
	w.in(id, "start now")
	line := "leak " + leakAddress + " stage exploit within 30m"
	w.refuses(anaSigned, "a stage that the policy does not have never is", "case "+string(id), line)
	if tr := w.as(anaSigned, "case "+string(id), line); strings.Contains(tr.String(), "proof."+id.Lower()) {
		t.Errorf("%s", tr)
	}
}

// Any change of what a level is made of voids its yes, given or not, and asks
// again, with the author of the change among those who cannot give it.
func TestA3_LeakKitChangesVoid(t *testing.T) {
	t.Parallel()
	changes := map[string]func(w *world, id cvd.CaseID){
		"details":    func(w *world, id cvd.CaseID) { w.writes(id, cvd.Details, "", "ana") },
		"mitigation": func(w *world, id cvd.CaseID) { w.writes(id, cvd.Mitigation, "", "ana") },
		"an annex":   func(w *world, id cvd.CaseID) { w.writes(id, cvd.Details, "acme", "ana") },
		"an answer":  func(w *world, id cvd.CaseID) { w.in(id, `answer-all details "It is so."`) },
		"a language": func(w *world, id cvd.CaseID) { w.in(id, "vendor edit acme language de") },
		"a kind":     func(w *world, id cvd.CaseID) { w.in(id, "vendor edit acme kind list") },
		"holding":    func(w *world, id cvd.CaseID) { w.writes(id, cvd.Holding, "", "ana") },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := strict(t, "acme")
			before := w.kitRequest()
			w.as(benSigned, "approve "+before.ID)
			change(w, id)
			w.settle()
			if name == "holding" { // it is words of a person now, which a rumour had none of
				w.kitHas(id, "rumour waits ", "details waits ")
				return
			}
			w.kitHas(id, "rumour ready", "details waits ")
			if after := w.kitRequest(); after.ID == before.ID {
				t.Error("the request stayed")
			}
			w.refuses(anaSigned, "is not ready", "case "+string(id), "leak "+leakAddress+" stage details within 30m")
			if len(w.leakNotices(id, "acme")) != 0 || len(w.theCase(id).Leaks) != 0 {
				t.Error("it was fired")
			}
		})
	}
}

func (w *world) kitHas(id cvd.CaseID, want ...string) {
	w.t.Helper()
	got := w.kit(id)
	for _, s := range want {
		if !strings.Contains(got, s) {
			w.t.Errorf("the leak kit: %s; want %q", got, s)
		}
	}
}

// A level becomes possible when its material comes, and is asked for then; the
// author never approves it.
func TestA3_LeakKitOfLaterMaterial(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.as(benSigned, "approve "+w.kitRequest().ID)
	w.writes(id, cvd.Proof, "", "ben")
	w.settle()
	w.kitHas(id, "details ready", "exploit waits ")
	a := w.kitRequest()
	w.coordinator("cleo") // who wrote none of it
	w.refuses(benSigned, "your own text", "approve "+a.ID)
	w.refuses(Actor{Name: "ana", Via: ViaMail}, "your own text", "approve "+a.ID) // the details are hers
	w.refuses(Actor{Name: "cleo", Via: ViaMail}, "signed with your own OpenPGP key", "approve "+a.ID)
	text := w.wordsIn("Approvals", "leak kit: exploit")
	for _, want := range []string{"proof v1", "exploit.eml", "approve " + a.ID} {
		if !strings.Contains(text, want) {
			t.Errorf("the request does not say %q:\n%s", want, text)
		}
	}
	if !strings.Contains(w.in(id, "leak-kit show"), "SHA-256") {
		t.Error("leak-kit show does not name the hash")
	}
}

// On a desk of one the kit can be fired once it cooled off.
func TestA3_LeakKitOfOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.strictCase("acme")
	line := []string{"case " + string(id), "leak " + leakAddress + " stage details within 30m"}
	w.refuses(anaSigned, "Nobody else is on the desk: say yes yourself with `approve "+w.kitRequest().ID+"`, wait 12h", line...)
	w.as(anaSigned, "approve "+w.kitRequest().ID)
	w.refuses(anaSigned, "details is not ready. Give it again then", line...)
	w.after(w.CoolOff)
	if tr := w.as(anaSigned, line...); !tr.Done() {
		t.Fatalf("%s", tr)
	}
	if len(w.leaks("acme")) != 1 {
		t.Errorf("acme: %+v", w.leakNotices(id, "acme"))
	}
}

// A rumour moves no date and tells nothing above a heads-up; a higher level
// later sends what is new; the same again is refused, and no undo is offered.
func TestLeak_Rising(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.vendor("globex")
	w.in(id, "invite globex wave 2")
	w.as(benSigned, "approve "+w.kitRequest().ID)
	end := w.theCase(id).Embargo().End
	tr := w.as(anaSigned, "case "+string(id), "leak "+leakAddress+" stage heads-up within 1h")
	if text := tr.String(); !tr.Done() || strings.Contains(text, "undo U") || !strings.Contains(text, "cannot be undone") {
		t.Fatalf("%s", text)
	}
	for _, name := range []string{"acme", "globex"} {
		all := w.leaks(name)
		if len(all) != 1 || len(all[0].lacks()) > 0 || !strings.Contains(all[0].Text, "knows of reports about a possible security problem") {
			t.Fatalf("%s: %d mails", name, len(all))
		}
		if r := w.participant(id, cvd.PartyID(name)).Reached; r != cvd.HeadsUp {
			t.Errorf("%s reached %s by a rumour", name, r)
		}
	}
	if got := w.theCase(id).Embargo(); !got.End.Equal(end) || got.Version != 1 {
		t.Errorf("a rumour moved the end to %s", got.End)
	}
	w.refuses(anaSigned, "a leak of rumour is on record", "case "+string(id), "leak "+leakAddress+" stage rumour within 1h")
	w.fires("ana", id, "details")
	for _, name := range []string{"acme", "globex"} {
		if all := w.leaks(name); len(all) != 2 || len(all[1].lacks(cvd.Details)) > 0 {
			t.Errorf("%s: %d mails", name, len(all))
		}
	}
	w.refuses(anaSigned, "a leak of details is on record", "case "+string(id), "leak "+leakAddress+" stage rumour within 1h")
}

// Rule V2: where the address of a leak names a vendor, only that vendor is told
// it.
func TestV2_LeakAddress(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"globex", "%67l%6Fbex", "%2567lobex", "see?q=%67lobex&r=100%"} {
		w, id := strict(t, "acme", "globex")
		w.as(benSigned, "approve "+w.kitRequest().ID)
		tr := w.as(anaSigned, "case "+string(id), "leak https://blog.test/"+name+"-hole stage details within 1h")
		if text := tr.String(); !tr.Done() || !strings.Contains(text, "left out of what goes to acme") {
			t.Errorf("%s: %s", name, text)
			continue
		}
		if l := w.leaks("acme"); len(l) != 1 || l[0].find([]string{"globex", "blog[.]test"}) != "" {
			t.Errorf("%s: acme is told of globex: %d mails", name, len(l))
		}
		if l := w.leaks("globex"); len(l) != 1 || l[0].find([]string{"blog[.]test"}) == "" {
			t.Errorf("%s: globex is not told where it stands: %d mails", name, len(l))
		}
	}
}

// Rule T4: hold all, given before the mail is handed over, wins.
func TestT4_HoldAllStopsALeak(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.as(benSigned, "approve "+w.kitRequest().ID)
	w.in(id, "hold all")
	if tr := w.as(anaSigned, "case "+string(id), "leak "+leakAddress+" stage details within 1h"); !strings.Contains(tr.String(), "sending is paused") {
		t.Errorf("the transcript:\n%s", tr)
	}
	w.after(10 * time.Minute)
	if len(w.leaks("acme")) != 0 {
		t.Fatal("it left")
	}
	w.restart()
	w.do("sending resume")
	if len(w.leaks("acme")) != 1 {
		t.Errorf("acme: %+v", w.leakNotices(id, "acme"))
	}
}

// A change of the kit between the word and the mail stops it until somebody says
// yes to what would leave now.
func TestA3_LeakKitChangedMeanwhile(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.as(benSigned, "approve "+w.kitRequest().ID)
	w.in(id, "hold acme")
	w.fires("ana", id, "details")
	w.writes(id, cvd.Mitigation, "", "ana")
	w.in(id, "release acme")
	w.after(5 * time.Minute)
	if len(w.leaks("acme")) != 0 {
		t.Fatal("what nobody approved left")
	}
	w.as(benSigned, "approve "+w.kitRequest().ID)
	if len(w.leaks("acme")) != 1 {
		t.Errorf("acme: %+v", w.leakNotices(id, "acme"))
	}
}

// An alarm of a party tells the lines that fire what is ready.
func TestM7_AlarmTellsTheLines(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.answers("acme", id, true, "LEAK "+leakAddress+"\n")
	text := w.words(w.last("INBOX"))
	if !strings.Contains(text, "leak hxxps://paste[.]test/x9?y=1 stage rumour within 30m") || strings.Contains(text, "stage details") {
		t.Errorf("the alarm:\n%s", text)
	}
	w.linesAreCommands(text)
	if len(w.theCase(id).Leaks) != 0 {
		t.Error("a vendor's word fired it")
	}
	var line string
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(l), "leak hxxps") {
			line = strings.TrimSpace(l)
		}
	}
	if tr := w.as(anaSigned, "case "+string(id), line); !tr.Done() {
		t.Fatalf("%s", tr)
	}
	w.view(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if c.Leak().URL != leakAddress {
			t.Errorf("recorded %q", c.Leak().URL)
		}
		return err
	})
}

// A vendor invited after a leak gets it, once it can no longer be undone.
func TestLeak_Newcomer(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.as(benSigned, "approve "+w.kitRequest().ID)
	w.fires("ana", id, "details")
	w.vendor("globex")
	w.in(id, "invite globex wave 3")
	if len(w.leaks("globex")) != 0 {
		t.Fatal("it left within the time to undo")
	}
	w.after(w.Undo)
	if all := w.leaks("globex"); len(all) != 1 || len(all[0].lacks(cvd.Details)) > 0 {
		t.Errorf("globex: %d mails, %+v", len(all), w.leakNotices(id, "globex"))
	}
	w.after(time.Hour)
	w.told("globex")
	if n := len(w.leaks("acme")); n != 1 {
		t.Errorf("acme was sent it %d times", n)
	}
}

// The yes to a kit can be taken back until it was fired, and ends with its case.
func TestA3_LeakKitReconsidered(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	a := w.kitRequest()
	w.as(benSigned, "approve "+a.ID)
	if tr := w.as(benSigned, "undo "+a.ID); !tr.Done() {
		t.Fatalf("%s", tr)
	}
	w.kitHas(id, "details waits "+a.ID)
	w.as(benSigned, "approve "+a.ID)
	w.fires("ana", id, "details")
	w.refuses(benSigned, "was told on it", "undo "+a.ID)
	w.writes(id, cvd.Proof, "", "ana")
	w.settle()
	w.in(id, "case close")
	if n := w.countIn("Approvals", "leak kit"); n != 0 {
		t.Errorf("Approvals: %q", w.subjects("Approvals"))
	}
}
