package mailflow

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Gesture is a message that a coordinator put into a folder, which means a
// command.
type Gesture struct {
	Button  string // "New case", "Approve", "Reject", "Hold", "Release", "Acknowledge", "Spam", or "" for a folder of a case
	Message uint64 // the store's ID of the message
	Folder  uint32 // the store's number of the folder of a case, where there is no Button
	From    uint32 // of the folder that the message came from, or 0

	Done time.Time // when it was done, where it is to be undone; zero where that is not known
}

// Gesture carries out a gesture. What is refused comes back as *Refusal, with
// one sentence; nothing was changed then.
func (d *Desk) Gesture(ctx context.Context, by Actor, g Gesture) error {
	return d.onMessage(ctx, by, g, func(s *sitting, g Gesture, m store.Message) error {
		_, err := s.press(g, m)
		return err
	})
}

// onMessage does something with the message of a gesture, in one transaction.
func (d *Desk) onMessage(ctx context.Context, by Actor, g Gesture, do func(*sitting, Gesture, store.Message) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := d.Store.Update(func(tx *store.Tx) error {
		s := &sitting{Desk: d, tx: tx, by: by}
		m, err := s.messageSeen(g.Message)
		if err != nil {
			return err
		}
		if m, err = s.letterOf(m); err != nil {
			return err
		}
		if m, err = s.nowStands(m); err != nil {
			return err
		}
		return do(s, g, m)
	})
	if err == nil {
		return nil
	}
	err = sentence(err)
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return fmt.Errorf("gesture %q: %w", g.Button, err)
}

// messageSeen reads a message that the actor may know of, and makes its case
// the one at hand.
func (s *sitting) messageSeen(id uint64) (store.Message, error) {
	gone := notHere()
	m, err := s.tx.Message(id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrShredded) {
		return m, gone
	}
	if err != nil || m.Case == "" {
		return m, err
	}
	home, err := caseNow(s.tx, cvd.CaseID(m.Case))
	if err != nil {
		return m, err
	}
	if _, inReport := reportNumber(home); inReport {
		return m, nil
	}
	if _, err := s.caseSeen(home); err != nil {
		return m, gone
	}
	s.this = home
	return m, nil
}

// notHere refuses what is about a message that is gone, or that the actor may
// not know of: both read alike (rule A2).
func notHere() error {
	return toDo(notDone("this message is not here any more"),
		"let your mail client read the folder anew: somebody may have dealt with it, or it may have been replaced by a newer one. `status` in a mail to control@ lists what is open")
}

// letterOf gives the letter that a task in INBOX is about, and any other
// message as it is.
func (s *sitting) letterOf(m store.Message) (store.Message, error) {
	if m.Kind != "letter" || m.Direction != "system" {
		return m, nil
	}
	id, err := strconv.ParseUint(m.Ref, 10, 64)
	if err != nil {
		return m, nil // of a kind without a letter
	}
	return s.messageSeen(id)
}

// press does what a message in one of the folders under Do, or in a folder of
// a case, means. It says which message stands for it from now on: the same, but
// where a mail in Quarantine became a letter.
func (s *sitting) press(g Gesture, m store.Message) (uint64, error) {
	var err error
	switch g.Button {
	case "New case":
		err = s.newCase(m)
	case "Approve", "Reject":
		err = s.decide(g.Button, m)
	case "Hold", "Release":
		err = s.holdBy(g.Button, m)
	case "Acknowledge":
		err = s.acknowledgeBy(m)
	case "Spam":
		err = s.spamBy(m)
	case "":
		return s.fileBy(g, m)
	default:
		err = notDone("Do/%s does nothing with this message; nothing was changed", g.Button)
	}
	return g.Message, err
}

// newCase opens a case from a report, named by its inner Subject.
func (s *sitting) newCase(m store.Message) error {
	if m.Report == 0 {
		return notDone("this is no report from Intake, so no case was opened from it; write to new@%s to open one by hand", s.DeskDomain)
	}
	r, err := reports.Get(s.tx, store.Seq(m.Report))
	if err != nil {
		return err
	}
	if r.Case != "" {
		if _, err := s.caseSeen(r.Case); err != nil {
			return notHere()
		}
		return already("report #%d is case %s already; no other was opened", r.Number, r.Case)
	}
	_, err = openCase(s.Base, s.tx, s.by, r.Subject, defaultPolicy, r.Number)
	return err
}

// decide says yes or no to the request for approval that a message is.
func (s *sitting) decide(button string, m store.Message) error {
	if button == "Reject" && isOwnLetter(m) {
		return s.rejectShown(m)
	}
	if m.Kind != "approval" || m.Ref == "" {
		return notDone("this is no request for approval; those stand in Approvals, and nothing was decided")
	}
	var err error
	if button == "Approve" {
		_, err = s.approveID(m.Ref)
		err = toSign(err, "approve "+m.Ref)
	} else {
		_, err = s.rejectID(m.Ref, "dropped into Do/Reject")
	}
	return err
}

// isOwnLetter says whether a message is what the desk sees of a letter of its own.
func isOwnLetter(m store.Message) bool {
	return m.Direction == "out" && m.Kind == string(cvd.KindLetter)
}

// rejectShown takes back the letter that a message shows.
func (s *sitting) rejectShown(m store.Message) error {
	n, err := s.letterIn(m)
	if err != nil {
		return err
	}
	_, err = s.rejectLetter(n, "dropped into Do/Reject")
	return err
}

// holdBy holds or releases what a message is about: the participant of its
// thread or notice, or its case.
func (s *sitting) holdBy(button string, m store.Message) error {
	if s.this == "" {
		word := strings.ToLower(button)
		return toDo(notDone("this message is of no case, so nothing was put on hold or released; Do/%s takes a mail of a case", button),
			"drop a mail of the case into Do/%s: its case file for all of it, a mail of a thread for one vendor. Or write to control@%s one of\n    %s all\n    case TAG\n    %s case", button, s.DeskDomain, word, word)
	}
	party, err := s.partyOf(m)
	if err != nil {
		return err
	}
	switch {
	case button == "Hold" && party == "":
		_, err = s.holdCase("dropped into Do/Hold by " + s.by.Name)
	case button == "Hold":
		_, err = s.holdParty(party, "dropped into Do/Hold by "+s.by.Name)
	case party == "":
		_, err = s.releaseCase()
	default:
		if err = s.unreview(party); err == nil {
			_, err = s.releaseOne(party)
		}
	}
	return err
}

// releaseOne releases a participant; that its whole case is on hold is not
// undone by that, so it is said.
func (s *sitting) releaseOne(party string) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if c.Hold != nil {
		return "", toDo(notDone("the whole case %s is on hold (%s), and %s with it; drop its case file into Do/Release, or write `release case`",
			c.ID, c.Hold.Because, party), "drop the newest mail in its Case file into Do/Release, or write to control@%s:\n    case %s\n    release case", s.DeskDomain, c.ID)
	}
	return s.releaseParty(party)
}

// partyOf is the participant that a message is about, or "" for its case.
func (s *sitting) partyOf(m store.Message) (string, error) {
	if m.Party != "" {
		return m.Party, nil
	}
	if m.Kind != "held" && m.Kind != "bounce" {
		return "", nil
	}
	ps, err := Participants(s.tx, s.this)
	if err != nil {
		return "", err
	}
	for _, p := range ps {
		all, err := Notices(s.tx, s.this, p.Party)
		if err != nil {
			return "", err
		}
		for _, n := range all {
			if noticeRef(n) == m.Ref {
				return string(p.Party), nil
			}
		}
	}
	return "", toDo(notDone("the notice that this message is about is gone; nothing was changed"), "see what is planned now, in the case file or by a mail to control@%s:\n    case %s\n    plan", s.DeskDomain, s.this)
}

// acknowledgeBy files a participant's letter as its acknowledgement.
func (s *sitting) acknowledgeBy(m store.Message) error {
	if m.Direction != "in" || m.Party == "" || s.this == "" {
		return notDone("this is no letter of a vendor; only such a letter can be an acknowledgement")
	}
	c, err := s.openCaseHere()
	if err != nil {
		return err
	}
	who, err := s.takesPart(c, m.Party)
	if err != nil {
		return err
	}
	if !who.Has(cvd.RoleVendor) {
		return toDo(notDone("%s is no vendor of %s and has nothing to acknowledge; nothing was recorded", who.Party, c.ID), "there is nothing to do; its letter stays in its thread. If it should be told as a vendor, invite it, in a signed mail to control@%s:\n    case %s\n    invite %s wave 1", s.DeskDomain, c.ID, who.Party)
	}
	_, err = s.fileAck(c, who, "mail")
	return err
}
