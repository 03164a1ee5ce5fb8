package imapd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// push appends bytes to a folder, and gives the answer.
func (c *client) push(folder, raw string) string {
	c.Helper()
	c.write(fmt.Sprintf("p APPEND \"%s\" {%d}\r\n", folder, len(raw)))
	c.want("+ ...")
	c.send(raw)
	got := c.until("p ")
	return got[len(got)-1]
}

// servedHere is the newest message of the open folder, as it is served.
func (c *client) servedHere() string {
	c.Helper()
	served := c.ask("FETCH * BODY.PEEK[]")[0]
	return strings.TrimSuffix(served[strings.Index(served, "\r\n")+2:], ")")
}

// A report that is put into the folder of a case joins it, by COPY, MOVE and
// APPEND over the wire, leaves Intake for everybody, and comes back.
func TestA5_FileIntoACase(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"UID COPY %d", "UID MOVE %d", "APPEND"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			top := "Cases/" + o.opened("Overflow") + " Overflow"
			o.report("Crash", "It crashes.")
			ana, ben := o.in("ana", "Intake"), o.in("ben", "Intake")
			if way == "APPEND" {
				raw := "X-TUID: 8WNc0a+wzqhI\r\n" + ana.servedHere()
				for range 2 { // as mbsync after a crash
					if got := ana.push(top+"/Finder", raw); !like(got, "p OK [APPENDUID ... 2] ...") {
						t.Errorf("%s", got)
					}
				}
			} else {
				ana.send("a " + fmt.Sprintf(way, 2) + ` "` + top + `/Finder"`)
				got := ana.until("a OK")
				if !slices.ContainsFunc(got, func(l string) bool { return like(l, "... [COPYUID ... 2 2] ...") }) {
					t.Errorf("%q", got)
				}
			}
			ben.talk(`
				C: b NOOP
				S: * 1 EXPUNGE
				S: b OK ...`)
			ben.ask(`SELECT "` + top + `/Finder"`)
			if got := ben.ask("FETCH 2 BODY.PEEK[TEXT]"); len(got) != 1 || !strings.Contains(got[0], "It crashes.") {
				t.Errorf("Finder: %q", got)
			}
			ana.ask(`SELECT "` + top + `/Finder"`)
			ana.send("c UID MOVE 2 Intake")
			ana.until("c OK")
			if got := o.in("ben", "Intake").ask("FETCH 1:* BODY.PEEK[TEXT]"); len(got) != 1 || !strings.Contains(got[0], "It crashes.") {
				t.Errorf("Intake after undo: %q", got)
			}
			o.clock.Advance(time.Minute)
		})
	}
}

// What does not belong there is refused with the reason, and stays where it is.
func TestA5_FilingRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	top := "Cases/" + o.opened("Overflow") + " Overflow"
	other := "Cases/" + o.opened("Crash") + " Crash"
	c := o.in("ana", top+"/Finder")
	raw := c.servedHere()
	for _, verb := range []string{"COPY", "MOVE"} {
		c.send("a " + verb + ` 1 "` + other + `/Finder"`)
		c.want("a NO [ALERT] this mail is of PAR-2026-0001, ...")
		c.send("a " + verb + ` 1 "` + top + `/Notes"`)
		c.want("a NO [ALERT] this mail is in Finder already, ...")
		c.send("a " + verb + " 1 Do/Spam")
		c.want("a NO [ALERT] finder is a party of PAR-2026-0001, ...")
	}
	if got := c.push(other+"/Finder", raw); !like(got, "p NO [ALERT] this mail is of PAR-2026-0001, ...") {
		t.Error(got)
	}
	if got := c.push(top+"/Notes", "Message-ID: <mine@x>\r\nSubject: mine\r\n\r\nx\r\n"); !like(got, "p NO [ALERT] only messages that Parley shows ...") {
		t.Error(got)
	}
	if got := c.ask("UID SEARCH ALL"); !slices.Equal(got, []string{"* SEARCH 1"}) {
		t.Errorf("the thread: %q", got)
	}
	c.ask("SELECT INBOX")
	got := c.ask("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
	if n := len(slices.DeleteFunc(got, func(l string) bool { return !strings.Contains(l, "Not done: ") })); n != 4 { // one for each message and folder
		t.Errorf("%d refusals in INBOX", n)
	}
}

// Do/Spam takes a report out of Intake and into everybody's Junk.
func TestA5_SpamOverTheWire(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.report("Buy now", "Cheap.")
	ana, ben := o.in("ana", "Intake"), o.in("ben", "Intake")
	ana.send("a UID MOVE 1 Do/Spam")
	ana.until("a OK")
	ben.talk(`
		C: b NOOP
		S: * 1 EXPUNGE
		S: b OK ...
		C: c STATUS Junk (MESSAGES UNSEEN)
		S: * STATUS "Junk" (MESSAGES 1 UNSEEN 0)
		S: c OK ...`)
	ana.ask("SELECT Do/Spam")
	ana.send("d UID MOVE 1 Intake")
	ana.until("d OK")
	ben.talk(`
		C: b NOOP
		S: * 1 EXISTS
		S: b OK ...
		C: c STATUS Junk (MESSAGES)
		S: * STATUS "Junk" (MESSAGES 0)
		S: c OK ...`)
}

// The words after the tag of a case are free, for everybody; its other folders
// keep their names.
func TestRenameCase(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tag := o.opened("Overflow")
	ana, ben := o.in("ana", "INBOX"), o.in("ben", "INBOX")
	ana.talk(`
		C: a RENAME "Cases/` + tag + ` Overflow" "Cases/` + tag + ` Overflow in libfoo"
		S: a OK ...
		C: b RENAME "Cases/` + tag + ` Overflow in libfoo" "Cases/PAR-2026-0009 Overflow"
		S: b NO ... only the words after the tag ...
		C: c RENAME "Cases/` + tag + ` Overflow in libfoo/Notes" "Cases/` + tag + ` Overflow in libfoo/Thoughts"
		S: c NO ...
		C: d RENAME INBOX "Cases/` + tag + ` x"
		S: d NO ...`)
	if got := ben.folders("Cases/"); !slices.Contains(got, "Cases/"+tag+" Overflow in libfoo/Finder") || len(got) != 4 {
		t.Errorf("folders %q", got)
	}
}
