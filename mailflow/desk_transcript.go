package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/templates"
)

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
