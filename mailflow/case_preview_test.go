package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// attachedTo gives the mails that a transcript brings along, by their names.
func (w *world) attachedTo(m store.Message) (names []string, mails map[string]*message.Part) {
	w.t.Helper()
	mails = map[string]*message.Part{}
	w.served(m).Walk(func(p *message.Part) bool {
		if strings.HasSuffix(p.Filename, ".eml") {
			data, err := p.Body()
			w.ok(err)
			mails[p.Filename], err = message.Parse(data, message.DefaultLimits())
			w.ok(err)
			names = append(names, p.Filename)
			return false
		}
		return true
	})
	return names, mails
}

// `plan PARTY` by mail brings every mail to come, word for word as it will leave
// but for its code; what was sent, what has no material and what goes to others is
// not among them.
func TestPlan_Previews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith("acme", "globex")
	w.do("vendor edit acme language de")
	w.writes(id, cvd.Details, "globex", "ana")
	w.control("ana", false, "case "+string(id), "plan acme")
	names, _ := w.attachedTo(w.last("Status"))
	if want := []string{"acme-1-heads-up.eml", "acme-2-scope.eml", "acme-3-details.eml", "acme-4-public.eml"}; !slices.Equal(names, want) {
		t.Errorf("before the start it brings %q, want %q", names, want)
	}
	w.in(id, "start now")
	w.after(w.Undo)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.control("ana", false, "case "+string(id), "plan acme")
	m := w.last("Status")
	names, mails := w.attachedTo(m)
	if !slices.Contains(names, "acme-2-scope.eml") || slices.Contains(names, "acme-1-heads-up.eml") || len(names) != 3 {
		t.Fatalf("it brings %q", names)
	}
	if text := w.words(m); !strings.Contains(text, "Attached: 3 mails as they would leave") || !strings.Contains(text, "\nplan ") {
		t.Errorf("it says\n%s", text)
	}
	said := w.do("case "+string(id), "plan acme scope")
	w.after(2 * cvd.Day)
	scope := mails["acme-2-scope.eml"]
	text, err := scope.Text()
	w.ok(err)
	sent := w.stageMail("acme", "2/4 Scope")
	if got := strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")); got != strings.TrimSpace(strings.ReplaceAll(sent.Text, codeIn(sent.Text), maskedCode)) {
		t.Errorf("it shows\n%s\nand there left\n%s", got, sent.Text)
	}
	if scope.Header.Get("Subject") == "" || !strings.Contains(said, "Subject: "+sent.Subject+"\n") || !strings.Contains(said, strings.TrimSpace(text)) {
		t.Errorf("`plan acme scope` says\n%s", said)
	}
	for name, p := range mails {
		words, err := p.Text()
		w.ok(err)
		if codeIn(words) != "" || strings.Contains(words, "case+") || strings.Contains(words, "globex") || strings.Contains(words, "by ana") {
			t.Errorf("%s shows a code, a token or another's words:\n%s", name, words)
		}
	}
	for _, c := range w.participant(id, "acme").Codes {
		if !c.Used.IsZero() && c.Used.After(w.clock.Now().Add(-2*time.Hour)) {
			t.Error("a preview used a code up")
		}
	}
}

// codeIn is the one-time code in a text; the number of a case looks like one.
func codeIn(text string) string {
	for _, word := range codeWord.FindAllString(text, -1) {
		if !strings.HasPrefix(word, "2026-") {
			return word
		}
	}
	return ""
}

// stageMail is the mail of a stage that somebody got.
func (w *world) stageMail(name, subject string) letterGot {
	w.t.Helper()
	all := w.mails(w.people[name])
	i := slices.IndexFunc(all, func(l letterGot) bool { return strings.Contains(l.Subject, subject) })
	if i < 0 {
		w.t.Fatalf("%s did not get %s", name, subject)
	}
	return all[i]
}

// What cannot be shown is refused; a preview changes nothing, plans no code, and
// is only for who may see the case (rule A2).
func TestA2_PreviewsAreOfTheCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.caseWith("acme")
	w.refuses(asAna, "is not a stage; did you mean scope", "case "+string(id), "plan acme scop")
	w.refuses(asAna, "is not understood here", "case "+string(id), "plan acme scope now")
	w.refuses(asAna, "there is no proof to come to acme", "case "+string(id), "plan acme proof")
	if out := w.do("case "+string(id), "plan acme"); strings.Contains(out, "Attached") {
		t.Errorf("the operator gets\n%s", out)
	}
	w.in(id, "case restrict ana", "start now")
	w.after(w.Undo)
	w.refuses(asAna, "there is no heads-up to come to acme", "case "+string(id), "plan acme heads-up")
	before := w.participant(id, "acme")
	w.control("ana", false, "case "+string(id), "plan acme")
	m := w.last("Status")
	if names, _ := w.attachedTo(m); len(names) != 3 || m.Case != string(id) {
		t.Errorf("%q in %q", names, m.Case)
	}
	w.control("ben", false, "case "+string(id), "plan acme")
	m = w.last("Status")
	if names, _ := w.attachedTo(m); len(names) != 0 || !strings.Contains(w.words(m), "no case "+string(id)) {
		t.Errorf("ben gets %q:\n%s", names, w.words(m))
	}
	if after := w.participant(id, "acme"); len(after.Codes) != len(before.Codes) {
		t.Errorf("%d codes became %d", len(before.Codes), len(after.Codes))
	}
}
