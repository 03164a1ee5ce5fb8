package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
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
