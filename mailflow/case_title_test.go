package mailflow

import (
	"errors"
	"strings"
	"testing"

	"parley/mailflow/cvd"
)

// The words after the tag are free: renaming the folder renames the case for
// everybody, and nothing else about it can be renamed.
func TestCaseTitle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := cvd.FindCaseIDs(w.do(`case open "Heap overflow" policy fast`))[0]
	s, ben := w.seatOf("ana"), w.seatOf("ben")
	old := "Cases/PAR-2026-0001 Heap overflow"
	for to, why := range map[string]string{
		"Cases/PAR-2026-0002 Heap overflow":              "only the words after the tag",
		"Cases/PAR-2026-0001":                            "only the words after the tag",
		"Mine/PAR-2026-0001 x":                           "only the words after the tag",
		"Cases/PAR-2026-0001 a/b":                        "a-b would do",
		"Cases/PAR-2026-0001 50%":                        "50- would do",
		"Cases/PAR-2026-0001 a\u202eb":                   "would do",
		"Cases/PAR-2026-0001 " + strings.Repeat("x", 61): strings.Repeat("x", 60),
		"Cases/PAR-2026-0001 ":                           "no subject",
	} {
		var d *Denied
		if err := s.RenameFolder(old, to); !errors.As(err, &d) || !strings.Contains(strings.ReplaceAll(d.Sentence, `"`, ""), why) {
			t.Errorf("to %q: %v, want %q", to, err, why)
		}
	}
	var d *Denied
	if err := s.RenameFolder(old+"/Notes", old+"/Thoughts"); !errors.As(err, &d) {
		t.Errorf("a sub-folder was renamed: %v", err)
	}
	if c := w.theCase(id); c.Title != "Heap overflow" {
		t.Fatalf("title %q", c.Title)
	}
	w.ok(s.RenameFolder(old, "Cases/PAR-2026-0001 Ünïcode in libfoo/"))
	if c := w.theCase(id); c.Title != "Ünïcode in libfoo" || w.top(id) != "Cases/PAR-2026-0001 Ünïcode in libfoo" {
		t.Errorf("title %q, folder %q", c.Title, w.top(id))
	}
	if got := folderNames(w, ben); strings.Contains(strings.Join(got, "\n"), "Heap") || !strings.Contains(strings.Join(got, "\n"), "libfoo/Notes") {
		t.Errorf("ben sees %q", got)
	}
	w.in(id, `case title "Something else"`)
	if w.top(id) != "Cases/PAR-2026-0001 Something else" {
		t.Errorf("folder %q", w.top(id))
	}
	w.in(id, "case assign ben", "case restrict ben")
	if err := s.RenameFolder("Cases/PAR-2026-0001 Something else", "Cases/PAR-2026-0001 x"); !errors.Is(err, ErrNoFolder) {
		t.Errorf("a case that ana may not see: %v", err)
	}
	w.in(id, "case close")
	if err := w.seatOf("ben").RenameFolder("Closed/2026/PAR-2026-0001 Something else", "Cases/PAR-2026-0001 x"); !errors.As(err, &d) || !strings.Contains(d.Sentence, "is closed") {
		t.Errorf("a closed case: %v", err)
	}
}
