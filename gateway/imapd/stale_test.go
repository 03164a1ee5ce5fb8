package imapd_test

import (
	"slices"
	"testing"
)

// Two clients of one coordinator, of which the second has not looked since.
// What it does goes by what is there now.

func TestStale_MoveOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(2)...)
	first, second := o.in("ana", "Intake"), o.in("ana", "Intake")
	first.ask("MOVE 1 Trash")
	second.talk(`
		C: a MOVE 1 Junk
		S: * 1 EXPUNGE
		S: a OK MOVE completed
		C: b STATUS Junk (MESSAGES)
		S: * STATUS "Junk" (MESSAGES 0)
		S: b OK ...
		C: c STATUS Trash (MESSAGES)
		S: * STATUS "Trash" (MESSAGES 1)
		S: c OK ...`)
	// In a private folder nothing is lost or doubled either.
	first.ask("SELECT Trash")
	second.ask("SELECT Trash")
	first.ask("MOVE 1 Drafts")
	second.talk(`
		C: a COPY 1 Junk
		S: * 1 EXPUNGE
		S: a OK COPY completed`)
}

func TestStale_ExpungeWhatIsMarkedNow(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(3)...)
	first := o.in("ana", "Intake")
	first.ask(`STORE 1 +FLAGS (\Deleted)`)
	second := o.in("ana", "Intake")
	first.ask(`STORE 1 -FLAGS (\Deleted)`)
	first.ask(`STORE 3 +FLAGS (\Deleted)`)
	second.talk(`
		C: a EXPUNGE
		S: * 3 EXPUNGE
		S: * 1 FETCH (UID 1 FLAGS ())
		S: a OK ...`)
	if got := first.ask("NOOP"); !slices.Equal(got, []string{"* 3 EXPUNGE"}) {
		t.Errorf("%q", got)
	}
}

// COPY takes the flags along that another client has just set.
func TestStale_CopyWithFlags(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(1)...)
	first, second := o.in("ana", "Intake"), o.in("ana", "Intake")
	first.ask(`STORE 1 +FLAGS (\Flagged todo)`)
	second.talk(`
		C: a COPY 1 Junk
		S: * 1 FETCH (UID 1 FLAGS (\Flagged todo))
		S: a OK [COPYUID ... 1 1] ...
		C: b SELECT Junk
		S: * OK [CLOSED] ...`)
	second.until("b OK")
	second.talk(`
		C: c FETCH 1 FLAGS
		S: * 1 FETCH (FLAGS (\Flagged todo))
		S: c OK ...`)
}

// An open folder shows nothing more of a case once that is restricted to
// others, also before the client was told (rule A2).
func TestA2_RestrictedUnderAnOpenFolder(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tag := o.opened("Overflow")
	folder := "Cases/" + tag + " Overflow/Finder"
	for _, command := range []string{"FETCH 1 BODY.PEEK[]", "FETCH 1 ENVELOPE", "SEARCH TEXT Details", "COPY 1 Drafts", "STORE 1 +FLAGS (todo)"} {
		ben := o.in("ben", folder)
		o.do("case "+tag, "case restrict ana")
		ben.send("a " + command)
		for _, line := range ben.until("a OK") {
			if like(line, "* 1 FETCH (BODY...") || like(line, "* 1 FETCH (ENVELOPE...") || line == "* SEARCH 1" || like(line, "...COPYUID...") {
				t.Errorf("%s: %s", command, line)
			}
		}
		o.do("case "+tag, "case restrict ana ben")
	}
}

// A draft that a client keeps as deleted, as mbsync does, stays so.
func TestAppend_KeepsAllFlags(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.as("ana")
	c.talk(`
		C: a APPEND Drafts (\Deleted \Draft $Later) {4+}
		C: a: b
		S: a OK [APPENDUID ... 1] ...`)
	c.ask("SELECT Drafts")
	c.talk(`
		C: b FETCH 1 FLAGS
		S: * 1 FETCH (FLAGS (\Deleted \Draft $Later))
		S: b OK ...`)
}
