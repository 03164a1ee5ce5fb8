package mailflow

import (
	"errors"
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Mutt says no more of a gesture that was refused than "Error copying message",
// so the mail in INBOX is all that its coordinator gets. It names the message
// and the folder, says why, and ends with what to do, ready to be copied.

// refused tells a refusal by mail, one for each message and folder, and
// returns it. What counts only signed stands in Drafts then, ready to sign.
func (s *Seat) refused(dest store.Mailbox, m store.Message, r *Refusal) error {
	err := s.Store.Update(func(tx *store.Tx) error {
		t, err := s.refusedPost(tx, dest, m)
		if err != nil {
			return err
		}
		why, next := r.Sentence, r.Next
		switch {
		case t.post.Case == "" && dest.Case != "":
			why = "the two are of cases that different coordinators may see; your mail client was told the reason"
			next = "put it back where it was, or leave it: a message goes into the folders of its own case only"
		case len(r.Lines) > 0:
			next = draftLine(r.Lines)
		case next == "" && r.Already:
			next = "there is nothing to do"
		case next == "":
			next = s.nextAfter(t, dest, m)
		}
		text, err := s.Templates.Refusal(refusal(t.what, t.state(s.name), why, next))
		if err != nil {
			return err
		}
		p := t.post
		p.Text = text.Text
		if len(r.Lines) > 0 {
			p.Text += "\n    " + strings.Join(r.Lines, "\n    ") + "\n"
			if err := s.putToSign(tx, s.name, p.Case, r.Lines, refusedKey(s.name, dest, m.ID)); err != nil {
				return err
			}
		}
		return s.task(tx, refusedKey(s.name, dest, m.ID), p)
	})
	return errors.Join(err, r)
}

// refusedTold is the mail of a refusal but for its text, and what was tried.
type refusedTold struct {
	post  Post
	what  string // what was put: a quoted Subject, report #17, or "a message"
	where string // the folder, named as far as those who read may know it
}

// state says what did not happen.
func (t refusedTold) state(by string) string {
	return fmt.Sprintf("%s put %s into %s. Nothing was changed by it, and nothing was lost: it is where it was before.", by, t.what, t.where)
}

// maxTold is how many characters of a Subject stand in that of a refusal: the
// folder and who it was must be seen in a list, too.
const maxTold = 40

// refusedPost names the message and the folder. Where a message of one case was
// put into a folder of another, the mail is sealed with the one that fewer may
// see, and names neither where none of them is that (rule A2).
func (s *Seat) refusedPost(tx *store.Tx, dest store.Mailbox, m store.Message) (refusedTold, error) {
	t := refusedTold{post: Post{Case: cvd.CaseID(dest.Case), Kind: "refused"}, what: "a message", where: dest.Name}
	title := ""
	switch {
	case m.Direction == ownMail: // private
	case m.Case != "" && m.Envelope.Subject != "": // sealed with the case that it is of
		t.what, title = fmt.Sprintf("%q", m.Envelope.Subject), fmt.Sprintf(" %q", shortened(headerText(m.Envelope.Subject), maxTold))
	case m.Report != 0:
		t.what = fmt.Sprintf("report #%d", m.Report)
		title = " " + t.what
	}
	t.post.Subject = fmt.Sprintf("Not done: %s%s (%s)", dest.Name, title, s.name)
	_, inReport := reportNumber(cvd.CaseID(m.Case))
	if t.post.Case == "" || m.Case == "" || m.Case == dest.Case || inReport {
		if t.post.Case == "" {
			t.post.Case = cvd.CaseID(m.Case)
		}
		return t, nil
	}
	mine, err := CaseByID(tx, cvd.CaseID(m.Case))
	if err != nil {
		return t, err
	}
	theirs, err := CaseByID(tx, t.post.Case)
	if err != nil {
		return t, err
	}
	switch {
	case readersWithin(theirs, mine):
	case readersWithin(mine, theirs):
		t.post.Case = mine.ID
	default:
		t.post.Case, t.post.Subject, t.what, t.where = "", fmt.Sprintf("Not done: filing (%s)", s.name), "a message", "the folder of another case"
	}
	return t, nil
}

// nextAfter says what a folder takes, for a refusal that does not say what to
// do: with the lines that mean the same by mail, for the case and the party of
// the message where they are known.
func (s *Seat) nextAfter(t refusedTold, dest store.Mailbox, m store.Message) string {
	tag, party := string(t.post.Case), "PARTY"
	if _, inReport := reportNumber(t.post.Case); inReport || tag == "" {
		tag = "TAG"
	}
	if m.Party != "" && m.Case == tag {
		party = m.Party
	}
	byMail := "Or write to control@" + s.DeskDomain + ":\n"
	switch button := buttonOf(dest); {
	case placeOf(dest) == casePlace:
		return "a report from Intake goes into the folder of a case, and a party's mail from Quarantine into its thread. To tell somebody something, write to its address at " +
			s.DeskDomain + "; to put something down for the desk,\nwrite to\n    notes." + strings.ToLower(tag) + "@" + s.DeskDomain
	case placeOf(dest) != buttonPlace:
		return "file it in a folder of your own, which you may make anywhere, or press a button: the folders under Do."
	case button == "New case":
		return "copy a report from Intake into Do/New case. To open a case without one,\nwrite to\n    new@" + s.DeskDomain + "\nand what you write is its report."
	case button == "Approve" || button == "Reject":
		return decideNext(button, s.DeskDomain)
	case button == "Hold":
		return "drop the case file into Do/Hold to stop the case, or a mail of a thread to stop its vendor. " + byMail + "    case " + tag + "\n    hold " + party + " because \"...\""
	case button == "Release":
		return "drop the case file into Do/Release, or a mail of the thread of the vendor that is on hold. " + byMail + "    case " + tag + "\n    release " + party
	case button == "Acknowledge":
		return "drop a letter of a vendor, from its thread, into Do/Acknowledge. " + byMail + "    case " + tag + "\n    record " + party + " ack via phone \"Jo Doe, 3 Dec\""
	case button == "Spam":
		return "drop a report from Intake, or a mail from Quarantine, into Do/Spam. What you only want out of your sight you may delete: the record stays."
	}
	return "see what a command does by a mail to control@" + s.DeskDomain + ":\n    help"
}

func decideNext(button, desk string) string {
	next := "open Approvals, read the request with its drafts, and drop that mail into Do/" + button + ". Or write to control@" + desk +
		" with the ID that stands in the request, such as 9f3a-27c1:\n    "
	if button == "Approve" {
		return next + "approve ID"
	}
	return next + "reject ID because \"...\""
}

// refusedKey names the task of a gesture of somebody that was refused.
func refusedKey(by string, dest store.Mailbox, id uint64) string {
	return fmt.Sprintf("refused:%s:%d:%d", by, dest.Number, id)
}
