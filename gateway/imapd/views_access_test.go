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

// Nor does it find out what keywords are called, by trying or by a $ before them.
func TestA4_SealedKeywordsCannotBeGuessed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.in("ana", "numbat").ask(`STORE 1:* +FLAGS ($acme $Forwarded)`)
	before := strings.Join(s.in("ana", "numbat").ask(`FETCH 1 FLAGS`), "")
	h := s.hears("ana/phone")
	h.ask(`SELECT Intake`)
	h.ask(`UID SEARCH KEYWORD bilby`)
	h.ask(`UID SEARCH UNKEYWORD $acme`)
	h.silent(secrets...)
	got := h.ask(`STORE 1 +FLAGS (bilby $acme $Forwarded)`)
	if flags := strings.Join(got, ""); !strings.Contains(flags, "Keyword4 Keyword5") || !strings.Contains(flags, "$Forwarded") {
		t.Errorf("it is told which those are: %q", got)
	}
	if got := h.ask(`UID SEARCH KEYWORD Keyword4`); !strings.Contains(strings.Join(got, ""), "ALL 2") && !strings.Contains(strings.Join(got, ""), "SEARCH 2") {
		t.Errorf("its own keyword is not found: %q", got)
	}
	if after := strings.Join(s.in("ana", "numbat").ask(`FETCH 1 FLAGS`), ""); after != before {
		t.Errorf("the flags were %s and are %s", before, after)
	}
}

// A copy in a folder of one's own is a headline like the message that it is of,
// and so are the mails that the desk itself leaves in Drafts.
func TestA4_HeadlinesOfCopies(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	h := s.hears("ana/watch")
	h.ask(`CREATE echidna`)
	h.ask(`SELECT Intake`)
	h.ask(`UID COPY 1:* echidna`)
	h.ask(`UID COPY 1:* Drafts`)
	h.ask(`SELECT numbat`)
	h.ask(`UID COPY 1:* Drafts`)
	h.ask(`SELECT Drafts`)
	h.ask(`UID COPY 1:* Trash`)
	n := 0
	for _, folder := range []string{"echidna", "Drafts", "Trash", "numbat"} {
		for _, m := range h.everything(folder) {
			n++
			if !strings.Contains(m.text, "This login shows headlines only") {
				t.Errorf("%s: %s", folder, m.text)
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d messages were looked at", n)
	}
	h.silent("wombat")
}
