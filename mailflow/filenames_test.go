package mailflow

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// A letter's files go under numbers until somebody lets them keep their names,
// and a name that tells of somebody else never leaves.
func TestV7_FileNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme", "globex")
	files := []mailtest.File{
		{Name: "canaryfinder-poc.PY", Type: "application/octet-stream", Data: "one"},
		{Name: "globex poc.txt", Type: "application/octet-stream", Data: "two"},
		{Name: "CANARYFINDER-POC.py", Type: "application/octet-stream", Data: "three"},
		{Name: "our-key.asc", Type: "application/octet-stream", Data: "four"},
		{Name: strings.Repeat("x", 81) + ".c", Type: "application/octet-stream", Data: "five"},
	}
	got := func(to string) []string {
		w.submits("ana", to+"."+strings.ToLower(string(id))+"@desk.vdp.example.org", false, "files", "They are attached.", files...)
		w.after(w.Undo + time.Second)
		all := w.mails(w.people[to])
		names := slices.Sorted(maps.Keys(all[len(all)-1].Files))
		return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(ourFiles, n) })
	}
	numbers := []string{"file-1.py", "file-2.txt", "file-3.py", "file-4.asc", "file-5.c"}
	if names := got("acme"); !slices.Equal(names, numbers) {
		t.Errorf("at first: %q", names)
	}
	if out := w.do("vendor edit acme file-names on"); !strings.Contains(out, "file-names on") {
		t.Errorf("edited:\n%s", out)
	}
	if names := got("acme"); !slices.Equal(names, []string{"canaryfinder-poc.PY", "file-2.txt", "file-3.py", "file-4.asc", "file-5.c"}) {
		t.Errorf("released: %q", names)
	}
	if names := got("globex"); !slices.Equal(names, numbers) {
		t.Errorf("somebody else: %q", names)
	}
	w.do("vendor edit acme file-names off")
	if names := got("acme"); !slices.Equal(names, numbers) {
		t.Errorf("taken back: %q", names)
	}
	w.refuses(theOperator, "neither on nor off", "vendor edit acme file-names some")
	w.update(func(tx *store.Tx) error {
		named, err := w.letterFiles(tx, id, []cvd.File{{Name: "a.txt"}}, cvd.Finder)
		if err != nil || named[0].Name != "file-1.txt" {
			t.Errorf("to the finder: %+v, %v", named, err)
		}
		return err
	})
}
