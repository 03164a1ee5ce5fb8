package mailflow

import (
	"errors"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// takenBack is what each kind of command that can be undone is undone by. Each
// refuses where something rests on it by now, or where it would do what counts
// only signed (rule A3).
func takenBack() map[string]func(*sitting, undoRow) (string, error) {
	return map[string]func(*sitting, undoRow) (string, error){
		"hold": unhold, "release": unrelease,
		"approve": undecide, "reject": undecide, "letter": unletter,
		"stage": unmoveStage, "embargo": unmoveEnd, "start": unstart,
		"open": unopenByID, "close": unclose, "reopen": unreopen, "facts": unchange,
		"ack": unack, "accept": unaccept, "declined": undecline, "status": unstatus, "delivered": undeliver, "ready": unready, "requested": unrequest,
		"their-ref": unTheirRef, "statement": unstatement,
		"exploited": unexploited, "legal-hold": unlegalHold, "keep": unkeep, "answer-all": unanswer, "shred": unshred, "cve": uncve, "late": unlate, "go": ungo,
		"introduce": unintroduce, "consent": unconsent, "introduced": undeliver, "waves": unwave, "reported": unreport,
	}
}

// unhold ends the hold that a command began: of everything, of a case, or of a
// participant.
func unhold(s *sitting, u undoRow) (string, error) {
	if u.Case == "" {
		now, err := sendingNow(s.tx)
		if err == nil && (!now.Paused || !now.At.Equal(u.At)) {
			return "", changedSince("whether mail leaves", "`status` says how it stands")
		}
		if err != nil {
			return "", err
		}
		return s.unpause()
	}
	held, err := s.holdOf(u)
	if err != nil {
		return "", err
	}
	if held == nil || !held.At.Equal(u.At) {
		return "", changedSince("the hold", "`status` says what is held, and why")
	}
	if u.Party == "" {
		return s.releaseCase()
	}
	return s.releaseOne(string(u.Party))
}

// unrelease begins the hold again that a command ended, for the reason that it
// had.
func unrelease(s *sitting, u undoRow) (string, error) {
	switch {
	case u.Case == "":
		return s.pauseSending(u.Why)
	case u.Party == "":
		return s.holdCase(u.Why)
	}
	return s.holdParty(string(u.Party), u.Why)
}

func (s *sitting) holdOf(u undoRow) (*cvd.Hold, error) {
	c, err := s.theCase()
	if err != nil || u.Party == "" {
		return c.Hold, err
	}
	who, err := s.takesPart(c, string(u.Party))
	return who.Hold, err
}

func changedSince(what, next string) error {
	return notDone("%s was changed since, and stays as it is now; %s", what, next)
}

// undecide takes a yes or a no back, as a gesture does.
func undecide(s *sitting, u undoRow) (string, error) {
	m := store.Message{}
	if u.Message != 0 {
		var err error
		if m, err = s.tx.Message(u.Message); err != nil {
			return "", err
		}
	}
	m.Ref = u.Ref
	a, err := s.approvalSeen(u.Ref)
	if err != nil {
		return "", err
	}
	if u.Message == 0 && !a.Open() {
		return "", notDone("the mail of %s is gone, and so it cannot be asked again; any change makes a new one", a.ID)
	}
	if err := s.reconsider(m); err != nil {
		return "", err
	}
	return a.ID + " waits for an answer again; yours is taken back", nil
}

// unopenByID ends a case that was opened by mistake; its report is in Intake
// again. Its tag is not used again.
func unopenByID(s *sitting, u undoRow) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if len(c.Reports) == 1 {
		if err := s.unopen(store.Message{Report: c.Reports[0]}); err != nil {
			return "", err
		}
		return string(c.ID) + " is closed, and its report is in Intake again", nil
	}
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return "", err
	}
	if len(ps) > 0 || c.Hold != nil || len(c.Embargoes) > 0 || !c.Closed.IsZero() {
		return "", notDone("%s was worked on since it was opened, and stays; `case close` ends it", c.ID)
	}
	return string(c.ID) + " is closed; its tag is not used again", s.closeUndone(c)
}

func (s *sitting) closeUndone(c cvd.Case) error {
	c.Closed = s.tx.Now
	if err := s.changeCase(c, "case.undone", ""); err != nil {
		return err
	}
	return s.moveFolders(c, casesFolder+delimiter, closedFolder(c.Closed))
}

func unclose(s *sitting, u undoRow) (string, error) {
	c, err := s.theCase()
	if err == nil && !c.Closed.Equal(u.At) {
		return "", changedSince("whether "+string(c.ID)+" is closed", "`case reopen` opens it")
	}
	if err != nil {
		return "", err
	}
	return caseReopen(s, &phrase{})
}

func unreopen(s *sitting, _ undoRow) (string, error) { return caseClose(s, &phrase{}) }

// unchange gives a case back what is only said of it: its severity, who
// answers for it, and who sees it.
func unchange(s *sitting, u undoRow) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	was := *u.Case0
	switch {
	case strings.HasPrefix(u.Ref, "severity ") && c.Severity == strings.TrimPrefix(u.Ref, "severity "):
		c.Severity = was.Severity
	case strings.HasPrefix(u.Ref, "assign ") && c.Responsible == strings.TrimPrefix(u.Ref, "assign "):
		c.Responsible = was.Responsible
	case strings.HasPrefix(u.Ref, "restrict ") && strings.Join(c.Restricted, " ") == strings.TrimPrefix(u.Ref, "restrict "):
		if len(was.Restricted) > 0 && c.Responsible != "" && !maySee(was, c.Responsible) {
			return "", notDone("%s answers for %s by now and would not see it as it was before; nothing was changed. Say who sees it with `case restrict`, %s among them", c.Responsible, c.ID, c.Responsible)
		}
		c.Restricted = was.Restricted
		if err := errors.Join(recallDigests(s.tx, c), s.narrowMerged(c)); err != nil {
			return "", err
		}
		s.tx.Changed(store.Change{Topic: store.TopicMailbox, Kind: store.ChangeFolders})
	default:
		return "", changedSince("this", "give the command that says how it should be")
	}
	if err := s.changeCase(c, "case.changed", "undo of "+u.Ref); err != nil {
		return "", err
	}
	return string(c.ID) + " is as it was before", s.replan(s.tx, c.ID)
}

// unlegalHold takes a legal hold back that was put on, or puts one on again.
func unlegalHold(s *sitting, u undoRow) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if u.Why != "" {
		return s.putLegalHold(c, u.Why)
	}
	if c.LegalHold == nil || !c.LegalHold.At.Equal(u.At) {
		return "", changedSince("the legal hold", "`status` says how it stands")
	}
	return s.endLegalHold(c, "undo")
}

// leftSince names a stage notice that left for a participant after an instant,
// or is leaving.
func (s *sitting) leftSince(who cvd.Participant, at time.Time) (string, error) {
	all, err := Notices(s.tx, who.Case, who.Party)
	if err != nil {
		return "", err
	}
	for _, n := range all {
		if n.Kind == cvd.KindStage && (n.State == cvd.Queued || hasLeft(n.State) && n.SentAt.After(at)) {
			return noticeName(n), nil
		}
	}
	return "", nil
}
