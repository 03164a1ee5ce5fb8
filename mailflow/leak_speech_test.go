package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
)

// Rule A3: a yes to the leak kit is one to our words as each vendor reads them. A
// vendor with a language of its own is shown, asks for a new yes, and holds up
// nobody else.
func TestA3_LeakKitOfTwoLanguages(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.as(benSigned, "approve "+w.kitRequest().ID)
	w.vendor("globex")
	w.do("vendor edit globex language de")
	w.in(id, "invite globex")
	w.settle()
	w.kitHas(id, "details waits ")
	a := w.kitRequest()
	if text := w.wordsIn("Approvals", "leak kit: details"); !strings.Contains(text, "details-globex.eml") {
		t.Errorf("the request does not show it:\n%s", text)
	}
	w.as(benSigned, "approve "+a.ID)
	w.fires("ana", id, "details")
	for name, want := range map[string]string{"acme": "are public. This", "globex": "Technische Einzelheiten eines Sicherheitsproblems"} {
		all := w.leaks(name)
		if len(all) != 1 || !strings.Contains(strings.Join(strings.Fields(all[0].Text), " "), want) || len(all[0].lacks(cvd.Details)) > 0 {
			t.Errorf("%s got %d mails, %+v", name, len(all), all)
		}
	}
}
