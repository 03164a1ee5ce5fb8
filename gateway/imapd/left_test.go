package imapd_test

import (
	"strings"
	"testing"

	"parley/mailflow/store"
)

// A message that leaves a folder between the UID SEARCH and the UID FETCH of a
// client is still read by it, with the bytes that it had, until the client is
// told that it is gone; and a client that selects the folder anew never sees it.
func TestLeft_ReadUntilTold(t *testing.T) {
	t.Parallel()
	for _, item := range []string{"BODY.PEEK[]", "ENVELOPE", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"} {
		o := newOffice(t)
		o.file("Intake", letters(3)...)
		c := o.in("ana", "Intake")
		before := c.ask("UID FETCH 1:3 (UID " + item + ")")
		c.talk(`
			C: a UID SEARCH ALL
			S: * SEARCH 1 2 3
			S: a OK ...`)
		o.update(func(tx *store.Tx) error { return tx.Unfile(o.box("", "Intake").Number, 2) })
		c.ask("UID FETCH 1 (UID)") // tells nothing of it
		if now := c.ask("UID FETCH 1:3 (UID " + item + ")"); strings.Join(now, "\n") != strings.Join(before, "\n") {
			t.Errorf("%s: %q, not %q", item, now, before)
		}
		c.talk(`
			C: b UID SEARCH ALL
			S: * SEARCH 1 3
			S: * 2 EXPUNGE
			S: b OK ...
			C: c UID FETCH 2 (UID)
			S: c OK ...`)
	}
}

// What is gone altogether is passed over.
func TestLeft_Dropped(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(3)...)
	c := o.in("ana", "Intake")
	o.update(func(tx *store.Tx) error {
		box := o.box("", "Intake").Number
		e, err := tx.Entry(box, 2)
		if err != nil {
			return err
		}
		if err := tx.Unfile(box, 2); err != nil {
			return err
		}
		return tx.DropMessage(e.Message)
	})
	c.talk(`
		C: a UID FETCH 1:3 (UID ENVELOPE)
		S: * 1 FETCH ...
		S: * 3 FETCH ...
		S: a OK ...
		C: b FETCH 2 BODY.PEEK[]
		S: b OK ...`)
}

// Whoever may not see the case any more reads nothing more of it (rule A2).
func TestA2_LeftAndRestricted(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.report("Overflow", "Details of it.")
	ben := o.in("ben", "Intake")
	o.do(`case open "Overflow" report 1`, "case restrict ana")
	for _, command := range []string{"UID FETCH 1 BODY.PEEK[]", "UID FETCH 1 (ENVELOPE)", "UID SEARCH TEXT Details"} {
		for _, line := range ben.ask(command) {
			if strings.HasPrefix(line, "* 1 FETCH") || line == "* SEARCH 1" {
				t.Errorf("%s: %s", command, line)
			}
		}
	}
}

// A command that failed tells nothing, and leaves nothing untold after the next.
func TestLeft_ToldAfterAFailure(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(2)...)
	c := o.in("ana", "Intake")
	c.ask("EXAMINE Intake")
	o.update(func(tx *store.Tx) error { return tx.Unfile(o.box("", "Intake").Number, 1) })
	c.talk(`
		C: b UID STORE 2 +FLAGS (\Seen)
		S: b NO ...
		C: c NOOP
		S: * 1 EXPUNGE
		S: c OK ...`)
}

// A client that only ever fetches is told once many left: they are not kept for
// it without end.
func TestLeft_NotWithoutEnd(t *testing.T) {
	t.Parallel()
	const many = 501
	o := newOffice(t)
	o.file("Intake", letters(many+1)...)
	c := o.in("ana", "Intake")
	leaves := func(from, to uint32) {
		o.update(func(tx *store.Tx) error {
			box := o.box("", "Intake").Number
			for uid := from; uid <= to; uid++ {
				if err := tx.Unfile(box, uid); err != nil {
					return err
				}
			}
			return nil
		})
	}
	told := func() (n int) {
		for _, line := range c.ask("UID FETCH 1:* (FLAGS)") {
			if strings.HasSuffix(line, " EXPUNGE") {
				n++
			}
		}
		return n
	}
	leaves(1, many-1)
	if n := told(); n != 0 {
		t.Errorf("%d were told too early", n)
	}
	leaves(many, many)
	if n := told(); n != many {
		t.Errorf("%d were told, not %d", n, many)
	}
}
