package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// What a receipt offers counts as it stands there, signed, before the report is
// part of a case and after; and the number that the receipt names is enough.
func TestS5_WordsToAReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fin, other := w.person("fin", "fin@finder.example"), w.person("other", "other@x.example")
	w.reported(fin, "Overflow", "details")
	w.reported(other, "Another", "more")
	receipt := w.mails(fin)[0]
	for _, line := range []string{"    STATE intake-1 ", "    CREDIT intake-1 Your Name ", "    ANONYMOUS intake-1 "} {
		if !strings.Contains(receipt.Text, line) {
			t.Errorf("the receipt does not offer %q:\n%s", line, receipt.Text)
		}
	}
	to := w.ThreadAddress(w.reports()[0].Token)
	says := func(signed bool, subject, text string) string {
		t.Helper()
		before := len(w.mails(fin))
		w.arrives(fin.Address, to, w.seal(fin, to, signed, mailtest.Entity(subject, text)))
		w.settle()
		out := ""
		for _, l := range w.mails(fin)[before:] {
			out += l.Subject + "\n" + unwrapped(l.Text)
		}
		return out
	}
	credit := func(id cvd.CaseID) string {
		if c := w.who(id, cvd.Finder).Credit; c != nil {
			return c.Name
		}
		return ""
	}

	for name, c := range map[string]struct {
		signed        bool
		subject, text string
	}{
		"unsigned":                 {false, "Re: [intake-1]", "CREDIT intake-1 Mallory\n"},
		"nothing names the report": {true, "hello", "CREDIT Mallory\n"},
		"another's report":         {true, "Re: [intake-2]", "CREDIT intake-2 Mallory\n"},
		"no report":                {true, "Re: [intake-99]", "CREDIT Mallory\n"},
		"what needs a case":        {true, "Re: [intake-1]", "PROPOSE 2026-12-20 a talk\n"},
	} {
		if got := says(c.signed, c.subject, c.text); got != "" || credit(reportCase(1)) != "" {
			t.Errorf("%s: answered %q, credit %q", name, got, credit(reportCase(1)))
		}
	}
	if got := says(true, "Re: [intake-1] We have your report", "STATE\n"); !strings.Contains(got, "[intake-1] Understood") || !strings.Contains(got, "no case yet") {
		t.Errorf("STATE: %q", got)
	}
	if got := says(true, "hello", "credit intake-1 Fin Finder\n"); !strings.Contains(got, "names you as Fin Finder") || strings.Contains(got, "code") {
		t.Errorf("CREDIT: %q", got)
	}
	if got := says(true, "Re: [intake-1]", "LEAK https://paste.example/x\n"); !strings.Contains(got, "told at once") {
		t.Errorf("LEAK: %q", got)
	}
	if got := w.subjects("INBOX"); !strings.Contains(strings.Join(got, "\n"), "ALARM LEAK: finder says that details leaked in intake-1") {
		t.Errorf("INBOX: %q", got)
	}

	w.do(`report 1 decline "works as meant"`)
	if got := says(true, "Re: [intake-1]", "STATE\n"); !strings.Contains(got, "opened no case") {
		t.Errorf("STATE of what was declined: %q", got)
	}
	w.do("report 1 reopen", "case open report 1")
	id := w.reports()[0].Case
	if id == "" || credit(id) != "Fin Finder" {
		t.Fatalf("case %q names %q", id, credit(id))
	}
	if got := says(true, "Re: [intake-1] We have your report", "STATE\n"); !strings.Contains(got, "["+string(id)+"] Understood") || !strings.Contains(got, "none is told before the start") {
		t.Errorf("STATE in the case: %q", got)
	}
	if got := says(true, "hello", "ANONYMOUS intake-1\n"); !strings.Contains(got, "does not name you") || credit(id) != "" {
		t.Errorf("ANONYMOUS in the case: %q, credit %q", got, credit(id))
	}
	if got := says(true, "Re: [intake-2]", "CREDIT intake-2 Mallory\n"); got != "" || credit(id) != "" {
		t.Errorf("another's report in the case: %q", got)
	}
}
