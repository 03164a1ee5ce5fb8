package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// wantMail wants the newest mail to somebody to say all of these words, and gives
// it.
func (w *world) wantMail(name, subject string, words ...string) letterGot {
	w.t.Helper()
	all := w.mails(w.people[name])
	if len(all) == 0 {
		w.t.Fatalf("%s got nothing", name)
	}
	l := all[len(all)-1]
	if !strings.Contains(l.Subject, subject) {
		w.t.Errorf("%s got %q, want %q", name, l.Subject, subject)
	}
	for _, word := range words {
		if !strings.Contains(l.Text, word) {
			w.t.Errorf("%s is not told %q:\n%s", name, word, l.Text)
		}
	}
	return l
}

// A party gets every mail in its language, and the same commands as everybody;
// the mail of another stays as it is, and nothing outside tells of it.
func TestLanguage_Vendor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.refuses(asOperator, `"dr" is not a language of our mails; did you mean de`, "vendor add acme psirt@acme.example language dr")
	w.refuses(asOperator, `"fr" is not a language of our mails; say one of: de, en`, "vendor add acme psirt@acme.example language fr")
	id := w.caseWith("acme", "globex")
	w.refuses(asAna, `say one of: de, en`, "vendor edit acme language klingon")
	if out := w.do("vendor edit acme language DE"); !strings.Contains(out, "channel pgp; language de") {
		t.Errorf("transcript %q", out)
	}
	w.in(id, "case severity high", "start now")
	w.after(w.Undo)
	w.wantMail("acme", "] 1/4 Heads-up - Antwort bis ", "Stufe 1 von 4: Vorwarnung", "Schweregrad: hoch", "Wir koordinieren", "    ACCEPT "+string(id)+" v1 ")
	w.wantMail("globex", "] 1/4 Heads-up - reply by ", "Severity: high", "We coordinate", "    ACCEPT "+string(id)+" v1 ")
	w.answers("acme", id, false, "ACCEPT "+string(id)+" v1 "+w.code("acme")+"\nPROPOSE "+string(id)+" 2026-12-24 "+w.code("acme")+" früher\n")
	w.wantMail("acme", "] Verstanden", "Sie schweigen bis Do, 31. Dez. 2026", "Sie schlagen 2026-12-24 vor; das Datum bleibt")
	w.answers("acme", id, true, "HISTORY "+string(id)+"\n")
	w.wantMail("acme", "] Verstanden", "an Sie     1/4 heads-up", "von Ihnen", "an Sie     Antwort")
	w.after(2 * cvd.Day)
	if !w.heard("acme", cvd.Scope) {
		t.Error("the scope did not come")
	}
	w.submits("ana", w.deskTo("acme", id), false, "Ihre Builds", "Größere Umlaute: äöüß\n")
	w.after(w.Undo)
	l := w.wantMail("acme", "] Ihre Builds", "Größere Umlaute: äöüß", "Schlüssel (anbei): ")
	if l.Outer.Get("Subject") != w.Subject {
		t.Errorf("the outer Subject is %q", l.Outer.Get("Subject"))
	}
	w.in(id, `embargo 2027-01-12T16:00Z because "more time"`)
	w.after(w.Undo)
	w.wantMail("acme", "] Embargo v2 bis Di, 12. Jan. 2027", "Worum wir bitten: um Ihr Wort")
	w.wantMail("globex", "] Embargo v2 until Tue 12 Jan 2027")
	w.do("vendor edit acme language en")
	w.answers("acme", id, true, "HELP "+string(id)+"\n")
	w.wantMail("acme", "] Understood", "see below", "    STATUS ")
}

// Who has no key is asked for one in its language and as what it is; that it is
// in clear changes no letter of it, and it says nothing of the case.
func TestLanguage_Contact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.person("acme", "psirt@acme.example")
	w.refuses(asOperator, `"lits" is not a kind of vendor; did you mean list`, "vendor add acme "+p.Address+" kind lits")
	w.do("vendor add acme " + p.Address + " kind list language de")
	if out := w.do("vendor list"); !strings.Contains(out, "kind list; language de") {
		t.Errorf("directory %q", out)
	}
	id := cvd.FindCaseIDs(w.do(`case open "Heap overflow" policy fast`))[0]
	w.in(id, "invite acme", "start now")
	w.after(w.Undo)
	l := w.wantMail("acme", "Welchen Schlüssel sollen wir für Mails an Sie nehmen?", "Wenn diese Adresse eine Liste ist", "nicht für viele Augen", "hängt an")
	if !l.Clear || strings.Contains(l.Text+l.Subject, string(id)) || strings.Contains(string(l.Raw), "ü") {
		t.Errorf("clear: %v\n%s", l.Clear, l.Raw)
	}
}

// A finder's mails are in the language that a coordinator said, from then on and
// wherever its report goes.
func TestLanguage_Finder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	fin := w.person("fin", "fin@finder.example")
	r := w.reported(fin, "Überlauf", "Es läuft über; bitte auf Deutsch.")
	w.wantMail("fin", "[intake-1] We have your report", "What comes next")
	w.refuses(asAna, "is not a language of our mails", "report 1 language nl")
	w.refuses(asAna, "no report #9", "report 9 language de")
	w.control("ana", false, "report 1 language de", `report 1 ask "Welche Version?"`)
	w.refuses(asAna, "is written to in de already", "report 1 language de")
	w.after(w.Undo)
	w.wantMail("fin", "Eine Frage zu Ihrer Meldung", "Welche Version?", "Zum Vergleich: ")
	id := cvd.FindCaseIDs(w.do(`case open "Heap overflow" policy fast report 1`))[0]
	if got := w.words(w.caseFile(id)); !strings.Contains(got, "our mails in de") {
		t.Errorf("the case file says\n%s", got)
	}
	say := func(text string) {
		to := w.ThreadAddress(r.Token)
		w.arrives(fin.Address, to, w.seal(fin, to, true, mailtest.Entity("Re", text)))
		w.settle()
	}
	say("STATE " + string(id) + "\n")
	w.wantMail("fin", "] Verstanden", "bisher bekannte Hersteller: 0; keiner erfährt etwas")
	other := cvd.FindCaseIDs(w.do(`case open "Another" policy fast`))[0]
	w.in(other, "case merge "+string(id))
	say("HELP " + string(other) + "\n")
	w.wantMail("fin", "] Verstanden", "    STATE "+string(other)+" ")
	w.control("ana", false, "report 1 language en")
	say("HELP " + string(other) + "\n")
	w.wantMail("fin", "] Understood", "    STATE "+string(other)+" ")
}
