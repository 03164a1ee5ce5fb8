package imapd_test

import (
	"strings"
	"testing"
)

// A sealed login can neither rename a case nor learn its title by trying.
func TestA4_SealedRenamesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	h := s.hears("ana/phone")
	for _, c := range []string{
		`RENAME "` + s.tag + `" "Cases/` + s.tag + ` other words"`, `RENAME "` + s.tag + `" "x"`, `RENAME "` + s.tag + `/Thread 2" "x"`,
		`RENAME "` + s.tag + `/Notes" "Cases/` + s.tag + ` x"`, `DELETE "` + s.tag + `"`, `DELETE "` + s.tag + `/Thread 2"`, `CREATE "Cases/` + s.tag + `/x"`,
		`CREATE "numbat"`, `RENAME numbat x`, `DELETE numbat`, `SUBSCRIBE numbat`, `SELECT numbat`, `STATUS numbat (MESSAGES)`,
		`SELECT "Cases/` + s.tag + ` Quokka overflow"`, `RENAME Drafts x`, `RENAME INBOX x`,
	} {
		h.send("q " + c)
		h.until("q NO")
	}
	h.silent("overflow", "other words")
	if got := strings.Join(s.in("ana", "INBOX").folders("Cases/"), " "); !strings.Contains(got, "Quokka overflow") {
		t.Errorf("the case is called otherwise: %s", got)
	}
}
