package mailflow

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// take does what a mail to one address of the desk means.
func (s *Submission) take(ctx context.Context, m *submitted, d deskAddress) error {
	if d.Kind == addrControl {
		return s.control(ctx, m)
	}
	if why := m.lacks(d); why != "" {
		return unreadable(why)
	}
	if err := s.commandsAstray(m, d); err != nil {
		return err
	}
	for range 3 {
		found, err := s.judge(ctx, m, d)
		if err != nil {
			return err
		}
		m.found = found
		if err := s.takeOnce(m, d); !errors.Is(err, errStale) {
			return err
		}
	}
	return replyLater
}

// takeOnce does it in one transaction; errStale where the mail would go to
// somebody that it was not judged for.
func (s *Submission) takeOnce(m *submitted, d deskAddress) error {
	return s.Store.Update(func(tx *store.Tx) error {
		if _, err := m.taken(tx); err != nil {
			return err
		}
		d, err := inItsCase(tx, d)
		if err != nil {
			return err
		}
		switch d.Kind {
		case addrNew:
			return s.openByMail(tx, m)
		case addrMaterial:
			return s.material(tx, m, d)
		case addrNotes:
			return s.note(tx, m, d)
		case addrVendors:
			return s.lettersToAll(tx, m, d)
		}
		return s.lettersTo(tx, m, d.Case, []cvd.PartyID{d.Party})
	})
}

// lacks says why a mail cannot be what its address makes of it, or "".
func (m *submitted) lacks(d deskAddress) string {
	leaves := d.Kind == addrMaterial || d.Kind == addrVendors || d.Kind == addrParty
	if leaves && ownWords(m.text) == "" && len(m.files) == 0 {
		return "it has neither text nor files"
	}
	return ""
}

// taken notes that a signed mail was taken, and says when it was before: what
// somebody signed counts once, wherever it is sent (rule S6).
func (m *submitted) taken(tx *store.Tx) (*seenRow, error) {
	if m.once == nil {
		return nil, nil
	}
	return remember(tx, "signed", m.once, m.by.Name, 0)
}

// takenBefore is the error of a signed mail that comes again.
type takenBefore struct{ at time.Time }

func (t *takenBefore) Error() string { return "a signed mail that was taken before" }

// control carries out commands; the answer is a transcript in Status. That a
// signed mail was taken is noted whatever became of its commands: refused now,
// they are not to be tried again by whoever finds the mail.
func (s *Submission) control(ctx context.Context, m *submitted) error {
	if why := m.unread(); why != "" {
		t := Transcript{Lines: []TranscriptLine{{Outcome: NotDone, Result: why}}}
		return s.told(m, t)
	}
	t, err := s.Desk.doOnce(ctx, m.by, CommandLines(m.plain), func(tx *store.Tx) error {
		before, err := m.taken(tx)
		if err == nil && before != nil {
			err = &takenBefore{before.At}
		}
		return err
	})
	var again *takenBefore
	if errors.As(err, &again) {
		return s.toldBefore(m, again.at)
	}
	if err != nil {
		return err
	}
	return s.told(m, t)
}

// unread says why a control mail's text holds no commands, or "".
func (m *submitted) unread() string {
	switch {
	case strings.TrimSpace(m.plain) == "" && strings.TrimSpace(m.text) != "":
		return "the mail is HTML only, which is never read for commands; nothing was changed. Write it as plain text"
	case strings.TrimSpace(m.plain) == "":
		return "there is no command: the mail has no text, and its Subject is not read. Write the commands into the text, one a line, such as `help`"
	case strings.HasPrefix(strings.TrimSpace(m.plain), "-----BEGIN PGP SIGNED MESSAGE-----"):
		return "the signature stands in the text, where it may cover a part only, and does not count; nothing was changed. Let your mail client sign with PGP/MIME"
	}
	return ""
}

// told puts a transcript before the desk.
func (s *Submission) told(m *submitted, t Transcript) error {
	subject := "Done: your commands"
	if !t.Done() {
		subject = "Not done: your commands"
	}
	p := Post{Case: t.Case, Subject: subject + " (" + m.by.Name + ")", Text: t.String(), Kind: "transcript", Attachments: t.Files}
	if n := previewsIn(t.Files); n > 0 {
		p.Text += "\n" + templates.Fill("", "Attached: "+count(n, "mail")+" as they would leave by what is known now, their one-time codes masked.") + "\n"
	}
	if t.Sign {
		p.Text += "\n" + templates.Fill("", "To go on: "+draftLine(t.commands())+".") + "\n"
	}
	key := "commands:" + randomHex(8)
	if t.Sign {
		key = "commands:" + sameCommands(m.by.Name, t.commands())
	}
	return s.Store.Update(func(tx *store.Tx) error {
		if _, err := m.taken(tx); err != nil {
			return err
		}
		if t.Sign {
			if err := s.putToSign(tx, m.by.Name, t.Case, t.commands(), key); err != nil {
				return err
			}
		}
		return s.postTranscript(tx, p, key, !t.Done())
	})
}

// toldBefore answers a signed mail that comes a second time: a client that
// lost our answer, or somebody who found it.
func (s *Submission) toldBefore(m *submitted, at time.Time) error {
	p := Post{Subject: "Not done: your commands (" + m.by.Name + ")", Kind: "transcript",
		Text: "Nothing was done: this very mail, with this signature, was taken before, on " + instant(at) + ".\n" +
			"What is signed counts once. To have it done again, write and sign it anew.\n" +
			"If you did not send it twice, somebody else did, who can use your login: tell the operator.\n"}
	return s.Store.Update(func(tx *store.Tx) error { return s.postTranscript(tx, p, "commands:"+randomHex(8), true) })
}

// postTranscript puts a transcript into Status and, where somebody must act,
// into INBOX too, as a task with this key, until they say that it is done.
func (s *Submission) postTranscript(tx *store.Tx, p Post, key string, act bool) error {
	p.Folder = "Status"
	if _, _, _, err := s.post(tx, p); err != nil {
		return err
	}
	if !act {
		return nil
	}
	p.Folder = "INBOX"
	return s.task(tx, key, p)
}

func (s *Submission) openByMail(tx *store.Tx, m *submitted) error {
	c, err := openCase(s.Base, tx, m.by, message.Title(m.subject), "default", 0)
	if err != nil {
		return err
	}
	_, err = s.ownLetter(tx, m, c.ID, "Finder", m.subject)
	return err
}
