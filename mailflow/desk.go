package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// Ways in which a command reaches the desk.
const (
	ViaMail     = "mail"     // to control@, from a coordinator's login
	ViaGesture  = "gesture"  // a message moved into a folder
	ViaOperator = "operator" // the command line on the server
)

// Operator is the name of whoever runs the server, as an Actor.
const Operator = "operator"

// Actor is who gives a command, and how far that is proved.
type Actor struct {
	Name   string // a coordinator, or Operator
	Signed bool   // in a mail with a valid signature of the coordinator's own key
	Via    string // ViaMail, ViaGesture or ViaOperator
}

// proved says whether a stolen mailbox password would not have been enough
// (rule A3).
func (a Actor) proved() bool { return a.Signed || a.Via == ViaOperator }

// sees says whether the actor may know of a case (rule A2).
func (a Actor) sees(c cvd.Case) bool {
	return a.Via == ViaOperator || maySee(c, a.Name)
}

// Desk carries out what coordinators decide: the desk language, and the
// gestures that mean the same.
type Desk struct{ *Base }

// Outcome is what became of one command.
type Outcome string

// Outcomes.
const (
	DoneOK  Outcome = "OK"
	NotDone Outcome = "NOT DONE"
	Waits   Outcome = "WAITS"
)

// TranscriptLine is one command with what became of it.
type TranscriptLine struct {
	Command string
	Outcome Outcome
	Result  string // text of one or several lines; why, for NotDone
	Waits   string // the approval that it waits for
	Undo    string // how it can be taken back, and until when, or why it cannot; or empty
	List    bool   // the result has a line for each thing, which programs read
}

// Transcript is the answer to a list of commands.
type Transcript struct {
	Dry   bool // nothing was changed: the effect was only shown
	Lines []TranscriptLine
	// Sign says that a line was refused only because the mail was not signed.
	Sign bool
	// Case is the one that the lines were about; where they tell of a
	// restricted one, that. Only who may see it may see the transcript (rule A2).
	Case cvd.CaseID
	// Files go with the answer where that is a mail.
	Files []message.Attachment
}

// Done says that no command was refused.
func (t Transcript) Done() bool {
	for _, l := range t.Lines {
		if l.Outcome == NotDone {
			return false
		}
	}
	return true
}

// String writes each command after "> ", then OK, NOT DONE: why, or WAITS for
// approval ID, with its answer: on the same line where it is a sentence.
func (t Transcript) String() string {
	var b strings.Builder
	switch {
	case !t.Done():
		b.WriteString("Nothing was changed: all lines are done, or none.\n\n")
	case t.Dry:
		b.WriteString("DRY RUN: this is what would happen; nothing was changed.\n\n")
	}
	for i, l := range t.Lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if l.Command != "" {
			fmt.Fprintf(&b, "> %s\n", l.Command)
		}
		b.WriteString(l.answer() + "\n")
		if l.Undo != "" {
			b.WriteString(templates.Fill("    ", l.Undo) + "\n")
		}
	}
	return b.String()
}

// answer is the outcome, with the approval that is waited for on its line, and the
// result. Sentences end at 72 columns and go on below their first word; a list,
// such as that of `plan`, has a line for each thing however long, also where it
// has only one.
func (l TranscriptLine) answer() string {
	head := string(l.Outcome)
	switch {
	case l.Result == "":
		return head + l.waiting()
	case l.List && l.Outcome != NotDone && !strings.Contains(l.Result, "\n"):
		return head + ": " + l.Result
	case l.Outcome != NotDone && strings.Contains(l.Result, "\n"):
		return head + l.waiting() + "\n" + l.Result
	case l.Outcome == Waits:
		return templates.Fill(head+" ", strings.TrimSpace(l.waiting())+": "+l.Result)
	}
	return templates.Fill(head+": ", l.Result)
}

// waiting names the approval that is waited for, if one is.
func (l TranscriptLine) waiting() string {
	if l.Outcome != Waits {
		return ""
	}
	return " for approval " + l.Waits
}

// sitting is the run of one list of commands in its transaction.
type sitting struct {
	*Desk
	tx    *store.Tx
	by    Actor
	this  cvd.CaseID // the case that the lines are about
	told  cvd.Case   // the one of those told of that the fewest may see
	waits string     // the approval that the command at hand waits for
	toBe  string     // of a dry run: why the command at hand would count only signed
	undo  *undoRow   // what the command at hand offers to take back
	dry   bool       // all of it is rolled back

	whole bool     // all lines of a list are tried before it is refused because it is not signed
	proof *Refusal // why the command at hand counts only signed, in a list that is tried whole

	orders  []order              // all lines of the list
	exports []exportOrder        // archives to be written once they are committed
	files   []message.Attachment // what the answer brings along
}

// bring adds a file to the answer, the same one once.
func (s *sitting) bring(f message.Attachment) {
	same := func(g message.Attachment) bool { return g.Filename == f.Filename && bytes.Equal(g.Data, f.Data) }
	if !slices.ContainsFunc(s.files, same) {
		s.files = append(s.files, f)
	}
}

// octets is how much the answer brings.
func (s *sitting) octets() int {
	n := 0
	for _, f := range s.files {
		n += len(f.Data)
	}
	return n
}

var (
	errRefused = errors.New("a command was refused")
	errDryRun  = errors.New("dry run")
	// errMixed is answered alone: whoever may see one of the cases must not
	// read in the transcript of the other (rule A2).
	errMixed = &Refusal{Sentence: "these lines are about cases that different coordinators may see, so that nobody may read all of the answer; nothing was changed. Write a mail for each"}
)

// Do carries out commands, all or none, in one transaction in which each sees
// what those before it did. With `dry-run` before the first it only shows
// their effect. A refusal is in the transcript; an error means that the store
// failed, and that nothing was done.
func (d *Desk) Do(ctx context.Context, by Actor, lines []string) (Transcript, error) {
	return d.doOnce(ctx, by, lines, func(*store.Tx) error { return nil })
}

// doOnce is Do; first runs before the commands in their transaction, and its
// error ends all.
func (d *Desk) doOnce(ctx context.Context, by Actor, lines []string, first func(*store.Tx) error) (Transcript, error) {
	orders, t := read(lines)
	if len(orders) == 0 || !t.Done() {
		return t, nil
	}
	var exports []exportOrder
	err := d.Store.Update(func(tx *store.Tx) error {
		for i := range t.Lines { // again where the store runs this twice
			t.Lines[i] = TranscriptLine{Command: t.Lines[i].Command}
		}
		t.Sign = false
		if err := first(tx); err != nil {
			return err
		}
		s := &sitting{Desk: d, tx: tx, by: by, dry: t.Dry, orders: orders, whole: true}
		err := d.doAll(ctx, s, orders, &t)
		t.Case, exports, t.Files = s.told.ID, s.exports, nil
		if t.Done() {
			t.Files = s.files
		}
		if err == nil && by.Signed {
			err = d.signedDone(tx, by.Name, t.commands())
		}
		return err
	})
	if err != nil && !errors.Is(err, errRefused) && !errors.Is(err, errDryRun) {
		return Transcript{}, fmt.Errorf("do %d commands: %w", len(orders), err)
	}
	if err == nil && len(exports) > 0 { // one, and the last line
		if err := d.writeExport(exports[0], by); err != nil {
			t.refused(len(t.Lines)-1, "no archive was written: "+err.Error())
		}
	}
	return t, nil
}

// doAll carries out all lines, or none. What counts only signed is tried all the
// same where the list is not: whoever signs it next shall not then learn that
// a line of it was wrong from the start.
func (d *Desk) doAll(ctx context.Context, s *sitting, orders []order, t *Transcript) error {
	var proof *Refusal
	var unproved int // the line that it is about
	for i, o := range orders {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.carryOut(o, &t.Lines[i]); err != nil {
			var r *Refusal
			if !errors.As(err, &r) {
				return err
			}
			t.refused(i, r.Sentence)
			t.Sign = r.Sign && !t.Dry
			if r == errMixed {
				*t = Transcript{Lines: []TranscriptLine{{Outcome: NotDone, Result: r.Sentence}}}
				s.told = cvd.Case{}
			}
			return errRefused
		}
		if s.proof != nil && proof == nil {
			proof, unproved = s.proof, i
		}
	}
	switch {
	case t.Dry:
		return errDryRun
	case proof != nil:
		t.refused(unproved, proof.Sentence)
		t.Sign = proof.Sign
		return errRefused
	}
	return nil
}

// refused marks a transcript whose command i was refused: what was tried of the
// others is taken back.
func (t *Transcript) refused(i int, why string) {
	for j := range t.Lines {
		if l := &t.Lines[j]; l.Outcome != "" {
			l.Outcome, l.Waits, l.Undo, l.Result = NotDone, "", "", fmt.Sprintf("taken back, since line %d was refused", i+1)
		}
	}
	t.Lines[i].Outcome, t.Lines[i].Result = NotDone, why
	t.notTried(fmt.Sprintf("not tried, since line %d was refused", i+1))
}

// carryOut runs one command and writes its line of the transcript.
func (s *sitting) carryOut(o order, l *TranscriptLine) error {
	s.waits, s.undo, s.toBe, s.proof = "", nil, "", nil
	if o.command.signed != "" {
		if err := s.mustBeProved(o.command.name(), o.command.signed); err != nil {
			return err
		}
	}
	result, err := o.command.run(s, &phrase{usage: o.command.usage, rest: o.rest})
	if err != nil {
		return sentence(err)
	}
	if l.Undo, err = s.keepUndo(result); err != nil {
		return err
	}
	if s.undo == nil {
		l.Undo = s.noUndo(o.command)
	}
	if s.toBe != "" {
		result += "; " + s.toBe
	}
	l.Outcome, l.Result, l.Waits, l.List = DoneOK, result, s.waits, o.command.list
	if s.waits != "" {
		l.Outcome = Waits
	}
	return nil
}

// mustBeProved refuses what a stolen mailbox password must not be enough for
// (rule A3). A dry run changes nothing, and shows it unsigned too; a list that is
// tried whole is refused at its end, and changes nothing either.
func (s *sitting) mustBeProved(what, why string) error {
	if s.by.proved() {
		return nil
	}
	if s.dry {
		s.toBe = "it counts only signed, since it " + why
		return nil
	}
	sign := true
	how := "sign the mail to control@" + s.DeskDomain + " with your own OpenPGP key"
	if s.by.Via == ViaGesture {
		how = "write it in a mail to control@" + s.DeskDomain + ", signed with your own OpenPGP key"
	}
	if c, err := CoordinatorByName(s.tx, s.by.Name); err == nil && len(c.Key) == 0 {
		how = "no key of yours is on file; ask the operator to add it (parley coordinator add " + c.Name + " --key FILE) or to give the command"
		sign = false
	}
	r := &Refusal{Sign: sign, Sentence: fmt.Sprintf("%s %s and so counts only signed; nothing was changed. To go on: %s", what, why, how)}
	if s.whole {
		s.proof = r
		return nil
	}
	return r
}

// sentence turns an error into a Refusal where a person can do something
// about it, and leaves errors of the store as they are.
func sentence(err error) error {
	if err == nil {
		return nil
	}
	var r *Refusal
	var broken *store.PanicError
	var first *store.First
	if errors.As(err, &first) {
		return err
	}
	if errors.As(err, &r) {
		return r
	}
	for _, e := range []error{store.ErrNotFound, store.ErrExists, store.ErrTampered, store.ErrShredded, store.ErrFull,
		store.ErrBroken, store.ErrClosed, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return err
		}
	}
	if errors.As(err, &broken) {
		return err
	}
	return &Refusal{Sentence: err.Error()}
}
