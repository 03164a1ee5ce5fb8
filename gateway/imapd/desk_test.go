package imapd_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/store"
)

// folders lists what a client sees that begins so.
func (c *client) folders(prefix string) []string {
	c.Helper()
	var names []string
	for _, line := range c.ask(`LIST "" "` + prefix + `*"`) {
		names = append(names, strings.Trim(line[strings.LastIndex(line, `"/" `)+4:], `"`))
	}
	return names
}

// opened lets a case be opened from a new report, and returns its tag.
func (o *office) opened(subject string) (tag string) {
	o.Helper()
	o.report(subject, "Details of "+subject)
	c := o.in("ana", "Intake")
	c.send(`x UID COPY * "Do/New case"`)
	c.until("x OK")
	for _, f := range c.folders("Cases/") {
		if m := regexp.MustCompile(`Cases/(PAR-[0-9-]+) .*` + subject + `$`).FindStringSubmatch(f); m != nil {
			return m[1]
		}
	}
	o.Fatalf("no case %q in %q", subject, c.folders("Cases/"))
	return ""
}

// Dropping a report into Do/New case opens a case: by COPY, as mutt does, with
// \Deleted and EXPUNGE long after (traps 10 and 12).
func TestA5_CopyIntoNewCase(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.report("Heap overflow", "The canary.")
	ana, ben := o.in("ana", "Intake"), o.in("ben", "Intake")
	ben.talk(`
		C: i IDLE
		S: + idling`)
	ana.talk(`
		C: a FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[TEXT])
		S: * 1 FETCH (BODY[HEADER.FIELDS ("Subject")] ...#1 [CLEAR] Heap overflow... BODY[TEXT] ...The canary...)
		S: a OK ...
		C: b UID COPY 1 "Do/New case"
		S: * 1 EXPUNGE
		S: b OK [COPYUID ... 1 1] ...
		C: c UID STORE 1 +FLAGS (\Deleted)
		S: c OK ...
		C: d EXPUNGE
		S: d OK ...
		C: e UID COPY 1 "Do/New case"
		S: e OK COPY completed`)
	ben.want("* 1 EXPUNGE")
	ben.talk(`
		C: DONE
		S: i OK ...`)
	want := []string{"Cases", "Cases/PAR-2026-0001 Heap overflow", "Cases/PAR-2026-0001 Heap overflow/Case file",
		"Cases/PAR-2026-0001 Heap overflow/Finder", "Cases/PAR-2026-0001 Heap overflow/Notes"}
	if got := ben.folders("Cases"); !slices.Equal(got, want) {
		t.Errorf("folders %q", got)
	}
	ben.ask(`SELECT "Cases/PAR-2026-0001 Heap overflow/Finder"`)
	if got := ben.ask("FETCH 1:* BODY.PEEK[TEXT]"); len(got) != 1 || !strings.Contains(got[0], "The canary.") {
		t.Errorf("the thread of the finder: %q", got)
	}
	ben.ask(`SELECT "Do/New case"`)
	if got := ben.ask("FETCH 1:* (UID FLAGS BODY.PEEK[TEXT])"); len(got) != 1 || !strings.Contains(got[0], "The canary.") || !strings.Contains(got[0], "UID 1 ") {
		t.Errorf("the receipt: %q", got)
	}
}

// A sequence number that the client still has answers OK until it was told
// that the message is gone.
func TestA5_StoreOnWhatLeftIsOK(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.report("Heap overflow", "x")
	o.file("Intake", letter(2))
	ana, ben := o.in("ana", "Intake"), o.in("ben", "Intake")
	ana.ask(`UID COPY 1 "Do/New case"`)
	ben.talk(`
		C: a STORE 1 +FLAGS (\Seen)
		S: * 1 FETCH (UID 1 FLAGS (\Seen))
		S: a OK ...
		C: b FETCH 1:2 (UID RFC822.SIZE)
		S: * 1 FETCH (UID 1 RFC822.SIZE ...
		S: * 2 FETCH (UID 2 RFC822.SIZE 171)
		S: b OK ...
		C: c SEARCH 1
		S: * SEARCH 1
		S: c OK ...
		C: d NOOP
		S: * 1 EXPUNGE
		S: d OK ...`)
}

// MOVE does the same, and the message leaves at once.
func TestA5_MoveIntoNewCase(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.report("Heap overflow", "x")
	o.in("ana", "Intake").talk(`
		C: a MOVE 1 "Do/New case"
		S: * OK [COPYUID ... 1 1] ...
		S: * 1 EXPUNGE
		S: a OK ...
		C: b LIST "" Cases/%
		S: * LIST (\HasChildren) "/" "Cases/PAR-2026-0001 Heap overflow"
		S: b OK ...`)
}

// APPEND counts only for a message that we served; header lines that clients
// add do not matter (trap 11: mbsync's X-TUID), and once is once.
func TestA5_AppendIntoNewCase(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.report("Heap overflow", "The canary.")
	c := o.in("ana", "Intake")
	served := c.ask("FETCH 1 BODY.PEEK[]")[0]
	served = strings.TrimSuffix(served[strings.Index(served, "\r\n")+2:], ")")
	push := func(raw, answer string) {
		t.Helper()
		c.write(fmt.Sprintf("p APPEND \"Do/New case\" (\\Seen) {%d}\r\n", len(raw)))
		c.want("+ ...")
		c.send(raw)
		for {
			got := c.response()
			if strings.HasPrefix(got, "* ") {
				continue
			}
			if !like(got, answer) {
				t.Errorf("%s, want %s", got, answer)
			}
			return
		}
	}
	push(letter(7).raw, "p NO [ALERT] only messages that Parley shows ...")
	push(strings.Replace(served, "The canary.", "The canard.", 1), "p NO [ALERT] ...")
	push(strings.Replace(served, "Message-ID: <", "Message-ID: <x", 1), "p NO [ALERT] ...")
	if got := c.folders("Cases"); len(got) != 0 {
		t.Fatalf("a case was opened: %q", got)
	}
	tuid := "X-TUID: 8WNc0a+wzqhI\r\n" + served
	push(tuid, "p OK [APPENDUID ... 1] ...")
	push(tuid, "p OK [APPENDUID ... 1] ...")
	push(strings.ReplaceAll(served, "\r\n", "\n"), "p OK [APPENDUID ... 1] ...")
	if got := c.folders("Cases/"); len(got) != 4 {
		t.Errorf("folders %q", got)
	}
	// Each refusal is a mail too, since some clients do not show the sentence.
	c.ask("SELECT INBOX")
	if got := c.ask("SEARCH SUBJECT {9+}\r\nNot done:"); !slices.Equal(got, []string{"* SEARCH 3"}) && len(got) != 1 {
		t.Errorf("INBOX: %q", got)
	}
}

// A refused gesture is NO [ALERT] with one sentence, a mail in INBOX, and no
// receipt.
func TestA5_RefusedGesture(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letter(1))
	c := o.in("ana", "Intake")
	for _, verb := range []string{"COPY", "MOVE"} {
		c.send("a " + verb + ` 1 "Do/New case"`)
		c.want("a NO [ALERT] this is no report from Intake, ...")
	}
	c.send(`b STATUS "Do/New case" (MESSAGES UIDNEXT)`)
	c.want(`* STATUS "Do/New case" (MESSAGES 0 UIDNEXT 1)`)
	c.want("b OK ...")
	if got := c.ask("FETCH 1 UID"); len(got) != 1 {
		t.Error("the message went away")
	}
	c.ask("SELECT INBOX")
	got := c.ask("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT])")
	if len(got) != 1 || !strings.Contains(got[0], "Subject: Not done: Do/New case ") || !strings.Contains(got[0], "no report from") {
		t.Errorf("INBOX: %q", got)
	}
}

// Hold, release and hold again are three commands; a repeated one is none.
// Moving the receipt back in time takes the command back.
func TestA5_OnceAndUndo(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tag := o.opened("Overflow")
	finder := "Cases/" + tag + " Overflow/Case file"
	o.fileIn(o.box("", finder), mail{raw: letter(1).raw, what: store.Message{Scope: store.Scope(tag), Case: tag, Kind: "casefile"}})
	c := o.in("ana", finder)
	held := func() bool { return strings.Contains(o.do("case "+tag), "HOLD") }
	step := func(command, answer string, want bool) {
		t.Helper()
		c.send("a " + command)
		got := c.until("a ")
		if !slices.ContainsFunc(got, func(l string) bool { return like(l, answer) }) {
			t.Errorf("%s: %q, want %s", command, got, answer)
		}
		if held() != want {
			t.Errorf("after %s the case is on hold: %v", command, !want)
		}
	}
	step(`UID COPY 1 Do/Hold`, "a OK [COPYUID ... 1 1]...", true)
	step(`UID COPY 1 Do/Hold`, "a OK [COPYUID ... 1 1]...", true)
	step(`UID COPY 1 Do/Release`, "a OK [COPYUID ... 1 1]...", false)
	step(`UID COPY 1 Do/Release`, "a OK [COPYUID ... 1 1]...", false)
	step(`UID COPY 1 Do/Hold`, "a OK [COPYUID ... 1 2]...", true)
	c.ask("SELECT Do/Hold")
	step(`MOVE 1 Intake`, "a NO [ALERT] it did not come from Intake; ...", true)
	step(`MOVE 1 "`+finder+`"`, "a OK ...", false)
	if got := c.ask("UID SEARCH ALL"); !slices.Equal(got, []string{"* SEARCH"}) {
		t.Errorf("receipts after undo: %q", got)
	}
	c.ask(`SELECT "` + finder + `"`)
	step(`UID MOVE 1 Do/Hold`, "* OK [COPYUID ... 1 3]...", true)
	if got := c.ask("UID SEARCH ALL"); !slices.Equal(got, []string{"* SEARCH"}) {
		t.Errorf("the folder after MOVE: %q", got)
	}
	o.clock.Advance(3 * time.Minute)
	c.ask("SELECT Do/Hold")
	step(`MOVE 1 "`+finder+`"`, "a NO [ALERT] the 2m in which it could be undone are over; ...", true)
	o.clock.Advance(-3 * time.Minute)
	step(`MOVE 1 "`+finder+`"`, "* OK [COPYUID ... 3 2]...", false)
	// It shows again where it came from, for ana under a new UID, and nobody lost it.
	for _, who := range []string{"ana", "ben"} {
		if got := o.in(who, finder).ask("UID SEARCH ALL"); !slices.Equal(got, []string{"* SEARCH 2"}) {
			t.Errorf("%s sees %q", who, got)
		}
	}
}

// A report that was dropped into Do/New case by a slip goes back to Intake.
func TestA5_UndoNewCase(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.opened("Overflow")
	c := o.in("ana", "Do/New case")
	c.send("a MOVE 1 Intake")
	got := c.until("a OK")
	if !slices.ContainsFunc(got, func(l string) bool { return like(l, "* OK [COPYUID ... 1 2] ...") }) {
		t.Errorf("%q", got)
	}
	if got := c.folders("Cases/"); len(got) != 0 {
		t.Errorf("folders %q", got)
	}
	ben := o.in("ben", "Intake")
	if got := ben.ask("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]"); len(got) != 1 || !strings.Contains(got[0], "Overflow") {
		t.Errorf("Intake: %q", got)
	}
	ben.send(`b UID COPY 2 "Do/New case"`) // it can be opened again
	ben.until("b OK")
	if got := ben.folders("Cases/"); len(got) != 4 {
		t.Errorf("folders %q", got)
	}
}

// Receipts go after a day.
func TestA5_ReceiptsExpire(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.opened("Overflow")
	c := o.in("ana", "Do/New case")
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{time.Hour, "* SEARCH 1"}, {22 * time.Hour, "* SEARCH 1"}, {time.Hour, "* SEARCH"}} {
		o.clock.Advance(step.after)
		next, err := o.seats.RunDue(context.Background(), o.clock.Now())
		must(t, err)
		c.ask("NOOP")
		if got := c.ask("UID SEARCH ALL"); !slices.Equal(got, []string{step.want}) {
			t.Errorf("after %s: %q", step.after, got)
		}
		if wantNext := step.want != "* SEARCH"; next.IsZero() == wantNext {
			t.Errorf("next at %v", next)
		}
	}
}

// A case that is restricted to others is not there: not in LIST, STATUS,
// SEARCH or any folder of the desk, and every answer is that of a name that
// never was.
func TestA2_RestrictedCase(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tag := o.opened("Overflow")
	top := "Cases/" + tag + " Overflow"
	secret := mail{raw: "Subject: secret of " + tag + "\r\n\r\nx\r\n", what: store.Message{Scope: store.Scope(tag), Case: tag}}
	o.file("Held", letter(1), secret, letter(3))
	o.coordinator("eve")
	held, open := o.in("eve", "Held"), o.in("eve", top+"/Finder")
	held.ask(`UID COPY 2 Trash`)
	private := o.in("eve", "Trash")
	o.do("case "+tag, "case assign ben", "case restrict ben")

	// What was open closes at the next poll.
	held.talk(`
		C: a NOOP
		S: * 2 EXPUNGE
		S: a OK ...
		C: b UID SEARCH TEXT secret
		S: * SEARCH
		S: b OK ...
		C: c UID FETCH 2 BODY[]
		S: c OK ...
		C: d STATUS Held (MESSAGES UNSEEN)
		S: * STATUS "Held" (MESSAGES 2 UNSEEN 2)
		S: d OK ...`)
	open.talk(`
		C: a NOOP
		S: * 1 EXPUNGE
		S: a OK ...`)
	private.talk(`
		C: a NOOP
		S: * 1 EXPUNGE
		S: a OK ...`)
	eve := o.as("eve")
	if got := eve.folders("Cases"); len(got) != 0 {
		t.Errorf("eve lists %q", got)
	}
	if got := eve.folders("Do/New"); len(got) != 1 {
		t.Errorf("%q", got)
	}
	eve.ask(`SELECT "Do/New case"`)
	if got := eve.ask("UID SEARCH ALL"); got[0] != "* SEARCH" {
		t.Errorf("eve sees the receipt: %q", got)
	}
	for _, command := range []string{`SELECT "%s"`, `EXAMINE "%s"`, `STATUS "%s" (MESSAGES)`, `DELETE "%s"`, `RENAME "%s" mine`, `CREATE "%s"`,
		`SUBSCRIBE "%s"`, `UNSUBSCRIBE "%s"`, `COPY 1 "%s"`, `MOVE 1 "%s"`, `LIST "" "%s"`, "APPEND \"%s\" {4+}\r\na: b"} {
		answer := func(name string) string {
			fresh := o.in("eve", "Intake")
			fresh.send("q " + fmt.Sprintf(command, name))
			return strings.ReplaceAll(strings.Join(fresh.until("q "), "\n"), name, "NAME")
		}
		o.file("Intake", letter(9))
		if there, never := answer(top), answer("Cases/PAR-2026-0099 Never"); there != never {
			t.Errorf("%s: %q, but for a case that never was %q", command, there, never)
		}
	}
	ben := o.in("ben", "Held")
	if got := ben.ask("UID SEARCH ALL"); got[0] != "* SEARCH 1 2 3" {
		t.Errorf("ben sees %q", got)
	}
	if got := ben.folders("Cases/"); len(got) != 4 {
		t.Errorf("ben lists %q", got)
	}
	// Opened again, it is there again.
	o.do("case "+tag, "case restrict everybody")
	if got := eve.folders("Cases/"); len(got) != 4 {
		t.Errorf("eve lists %q", got)
	}
	if got := o.in("eve", "Held").ask("UID SEARCH ALL"); got[0] != "* SEARCH 1 2 3" {
		t.Errorf("eve sees %q", got)
	}
}

// Messages of a folder of a case come and go in it by the desk alone; what
// somebody had hidden there comes back.
func TestCaseFolders(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tag := o.opened("Overflow")
	finder := "Cases/" + tag + " Overflow/Finder"
	o.file("Intake", letter(1))
	c := o.in("ana", "Intake")
	c.send(`a COPY 1 "` + finder + `"`)
	c.want("a NO [ALERT] ...")
	c.ask(`SELECT "` + finder + `"`)
	c.ask(`MOVE 1 Trash`)
	c.talk(`
		C: a UID SEARCH ALL
		S: * SEARCH
		S: a OK ...`)
	c.ask(`SELECT Trash`)
	c.send(`b MOVE 1 "` + finder + `"`)
	c.until("b OK")
	c.ask(`SELECT "` + finder + `"`)
	c.talk(`
		C: c UID SEARCH ALL
		S: * SEARCH 2
		S: c OK ...`)
	o.do("case "+tag, "case close")
	if got := c.folders("Closed/"); len(got) != 5 || got[1] != "Closed/2026/"+tag+" Overflow" {
		t.Errorf("%q", got)
	}
	c.ask("UID FETCH 2 BODY.PEEK[]") // what is open stays open
}

// Two clients that push the same message at once give one command.
func TestA5_OnceAtTheSameTime(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.report("Heap overflow", "x")
	var clients []*client
	for range 4 {
		clients = append(clients, o.in("ana", "Intake"))
	}
	for _, c := range clients {
		c.send(`a UID COPY 1 "Do/New case"`)
	}
	for _, c := range clients {
		all := c.until("a OK")
		if last := all[len(all)-1]; !like(last, "a OK [COPYUID ... 1 1] ...") && last != "a OK COPY completed" {
			t.Errorf("%q", all)
		}
	}
	if got := clients[0].folders("Cases/"); len(got) != 4 {
		t.Errorf("folders %q", got)
	}
}
