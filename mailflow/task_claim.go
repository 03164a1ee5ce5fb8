package mailflow

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

var taskName = regexp.MustCompile(`^[Tt]([1-9][0-9]{0,17})[,.]?$`)

// taskClaim is `claim [TASK ...]`: the coordinator does these, or what nobody
// does yet of the case at hand. Where there is no such task there is nothing to
// refuse: whatever else stands in the mail is done.
func taskClaim(s *sitting, p *phrase) (string, error) {
	all, err := s.tasksMeant(p, func(r taskRow) bool { return r.By == "" })
	var none *noTask
	if errors.As(err, &none) {
		return none.Error(), nil
	}
	if err != nil {
		return "", err
	}
	var lines []string
	for _, r := range all {
		line := fmt.Sprintf("%s is yours: %s", r.id(), r.Subject)
		switch r.By {
		case s.by.Name:
			lines = append(lines, fmt.Sprintf("%s was yours already: %s", r.id(), r.Subject))
			continue
		case "":
		default:
			line = fmt.Sprintf("%s was %s's and is yours now: %s", r.id(), r.By, r.Subject)
		}
		if err := s.handTo(r, s.by.Name, "task.claimed"); err != nil {
			return "", err
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}

// taskUnclaim is `unclaim [TASK ...]`: nobody does these any more, or what the
// coordinator does of the case at hand.
func taskUnclaim(s *sitting, p *phrase) (string, error) {
	all, err := s.tasksMeant(p, func(r taskRow) bool { return r.By == s.by.Name })
	if err != nil {
		return "", err
	}
	var lines []string
	for _, r := range all {
		if r.By == "" {
			lines = append(lines, fmt.Sprintf("%s was nobody's already: %s", r.id(), r.Subject))
			continue
		}
		if err := s.handTo(r, "", "task.unclaimed"); err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("%s is open to everybody again (it was %s's): %s", r.id(), r.By, r.Subject))
	}
	return strings.Join(lines, "\n"), nil
}

// taskEnd is `done TASK ...`: there is nothing left to do about these.
func taskEnd(s *sitting, p *phrase) (string, error) {
	if !p.more() {
		return "", notDone("which task is done? write: %s", p.usage)
	}
	all, err := s.tasksMeant(p, nil)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, r := range all {
		if how := endsByItself(r); how != "" {
			return "", notDone("%s stays: it stands for something that is still so, and ends when %s", r.id(), how)
		}
		if err := s.taskDone(s.tx, r.Key); err != nil {
			return "", err
		}
		if err := record(s.tx, journal.Record{Case: caseTag(r.Case), Actor: s.by.Name, Kind: "task.done", Ref: r.id()}); err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("%s is done, and gone for everybody: %s", r.id(), r.Subject))
	}
	return strings.Join(lines, "\n"), nil
}

// caseTag is the case that a record is about: none for a report's.
func caseTag(id cvd.CaseID) string {
	if _, inReport := reportNumber(id); inReport {
		return ""
	}
	return string(id)
}

// tasksMeant reads tasks by name; without any, those of the case at hand that
// a condition holds for.
func (s *sitting) tasksMeant(p *phrase, unnamed func(taskRow) bool) ([]taskRow, error) {
	if !p.more() {
		return s.tasksHere(unnamed)
	}
	open, err := openTasks(s.tx, "")
	if err != nil {
		return nil, err
	}
	var out []taskRow
	for p.more() {
		name, err := p.next("the number of a task, such as T12,")
		if err != nil {
			return nil, err
		}
		r, err := s.taskNamed(open, name)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (s *sitting) tasksHere(meant func(taskRow) bool) ([]taskRow, error) {
	if s.this == "" {
		return nil, notDone("which task? name it by the number in its mail, such as T12, or begin with a line `case TAG` for all of a case")
	}
	c, err := s.theCase()
	if err != nil {
		return nil, err
	}
	open, err := openTasks(s.tx, c.ID)
	if err != nil {
		return nil, err
	}
	var out []taskRow
	for _, r := range open {
		if meant(r) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, noneMeant(c.ID, len(open))
	}
	return out, nil
}

// noTask says that a `claim` or `unclaim` without a name is about none of the open
// tasks of a case.
type noTask struct{ Refusal }

func (n *noTask) Unwrap() error { return &n.Refusal }

func noneMeant(id cvd.CaseID, open int) error {
	if open == 0 {
		return &noTask{Refusal{Sentence: fmt.Sprintf("no task of %s is open; nothing was changed", id)}}
	}
	return &noTask{Refusal{Sentence: fmt.Sprintf("none of the open tasks of %s (%d) is meant by that; `status` lists them and says whose they are. Name one, such as T12", id, open)}}
}

// taskNamed finds an open task. One of a case that the actor may not see is no
// different from one that does not exist (rule A2).
func (s *sitting) taskNamed(open []taskRow, name string) (taskRow, error) {
	m := taskName.FindStringSubmatch(name)
	if m == nil {
		return taskRow{}, notDone("%q is not the number of a task, such as T12, which stands at the end of its mail", name)
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		return taskRow{}, notDone("%q is not the number of a task", name)
	}
	for _, r := range open {
		if r.Number != n {
			continue
		}
		if caseTag(r.Case) == "" || r.Case == deskCase {
			return r, nil
		}
		if _, err := s.caseSeen(r.Case); err == nil || errors.Is(err, errMixed) {
			return r, err
		}
	}
	return taskRow{}, notDone("there is no open task T%d; it may be done. `status` lists what is open", n)
}

// handTo gives a task to a coordinator, or with "" to nobody: its mail is
// replaced by one whose Subject says so.
func (s *sitting) handTo(r taskRow, who, kind string) error {
	if err := record(s.tx, journal.Record{Case: caseTag(r.Case), Actor: s.by.Name, Kind: kind, Ref: r.id()}); err != nil {
		return err
	}
	return s.handTask(s.tx, r, who)
}

// handTask replaces the mail of a task by the same mail under the Subject that
// names who does it now: the bytes of a UID never change. Whoever took it has
// seen it.
func (b *Base) handTask(tx *store.Tx, r taskRow, who string) error {
	m, err := tx.Message(r.Message)
	if err != nil {
		return err
	}
	raw, err := tx.Bytes(m.Served)
	if err != nil {
		return err
	}
	r.By = who
	if raw, err = withSubject(raw, r.shown()); err != nil {
		return err
	}
	fresh := store.Message{Scope: m.Scope, Case: m.Case, Party: m.Party, Direction: m.Direction, Report: m.Report,
		Kind: m.Kind, Ref: m.Ref, Task: m.Task, MessageID: m.MessageID}
	if fresh, err = b.keepOwn(tx, raw, fresh); err != nil {
		return err
	}
	if err := tx.Unfile(r.Mailbox, r.UID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if r.UID, err = tx.File(r.Mailbox, fresh.ID); err != nil {
		return err
	}
	if isCoordinator(tx, who) {
		if err := tx.Mark(r.Mailbox, who, []uint32{r.UID}, 0, store.MarkSeen); err != nil {
			return err
		}
	}
	r.Message = fresh.ID
	if err := b.taskMoved(tx, r); err != nil {
		return err
	}
	return putTask(tx, m.Scope, r)
}

// withSubject is a mail of our own with another Subject.
func withSubject(raw []byte, subject string) ([]byte, error) {
	field, err := message.FormatFields([]message.Field{{Name: "Subject", Value: headerText(subject)}})
	if err != nil {
		return nil, fmt.Errorf("change subject: %w", err)
	}
	end := bytes.Index(raw, []byte("\r\n\r\n"))
	from := bytes.Index(raw, []byte("\r\nSubject: "))
	if from < 0 || from > end {
		return nil, errors.New("change subject: the mail has none")
	}
	from += 2
	to := from
	for to < end+2 { // lines that begin with a blank go on with the field (RFC 5322 section 2.2.3)
		to += bytes.Index(raw[to:], []byte("\r\n")) + 2
		if raw[to] != ' ' && raw[to] != '\t' {
			break
		}
	}
	return append(append(append([]byte{}, raw[:from]...), field...), raw[to:]...), nil
}
