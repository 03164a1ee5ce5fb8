package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
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

// A piece that is only files says so in the vendor's language.
func TestLeak_OnlyFilesInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith("acme", "globex")
	w.do("vendor edit globex language de")
	w.update(func(tx *store.Tx) error {
		return w.putMaterial(tx, cvd.Material{Case: id, Stage: cvd.Details, Author: "ana",
			Files: []cvd.File{{Name: "details-1.txt", MediaType: "text/plain", Data: []byte("what it is")}}})
	})
	w.in(id, "start now")
	w.fires("ana", id, "details")
	for name, want := range map[string]string{"acme": "See the files attached.", "globex": "Siehe die Dateien im Anhang."} {
		all := w.leaks(name)
		if len(all) != 1 {
			t.Fatalf("%s got %d mails", name, len(all))
		}
		wants(t, all[0].Text, want)
	}
}
