package mailflow

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// take does what a mail to one address of the desk means.
func (s *Submission) take(ctx context.Context, m *submitted, d deskAddress) error {
	if d.Kind == addrControl {
		return s.control(ctx, m)
	}
	return s.Store.Update(func(tx *store.Tx) error {
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
		return s.letter(tx, m, d.Case, d.Party)
	})
}

// control carries out commands; the answer is a transcript in Status. A
// signed mail counts once: its replay is refused (rule S6).
func (s *Submission) control(ctx context.Context, m *submitted) error {
	if m.by.Signed {
		fresh, err := s.firstTime(m)
		if err != nil {
			return err
		}
		m.by.Signed = fresh
	}
	t, err := s.Desk.Do(ctx, m.by, CommandLines(m.text))
	if err != nil {
		return err
	}
	subject := "Done: your commands"
	if !t.Done() {
		subject = "Not done: your commands"
	}
	return s.Store.Update(func(tx *store.Tx) error {
		if _, _, _, err := s.post(tx, Post{Folder: "Status", Case: t.Case, Subject: subject + " (" + m.by.Name + ")", Text: t.String(), Kind: "transcript"}); err != nil {
			return err
		}
		if t.Done() {
			return nil
		}
		_, _, _, err := s.post(tx, Post{Folder: "INBOX", Case: t.Case, Subject: subject + " (" + m.by.Name + ")", Text: t.String(), Kind: "transcript"})
		return err
	})
}

// firstTime remembers a signed control mail and says whether it is new.
func (s *Submission) firstTime(m *submitted) (bool, error) {
	sum := sha256.Sum256([]byte(m.by.Name + "\x00" + string(m.shown.Raw())))
	var fresh bool
	err := s.Store.Update(func(tx *store.Tx) error {
		before, err := remember(tx, "control", sum[:], m.by.Name, 0)
		fresh = before == nil
		return err
	})
	return fresh, err
}

func (s *Submission) openByMail(tx *store.Tx, m *submitted) error {
	c, err := openCase(s.Base, tx, m.by, message.Title(m.shown.Header.Text("Subject")), "default", 0)
	if err != nil {
		return err
	}
	_, err = s.ownLetter(tx, m, c.ID, "Finder", m.shown.Header.Text("Subject"))
	return err
}

// material makes the mail's text and files what belongs to a stage.
func (s *Submission) material(tx *store.Tx, m *submitted, d deskAddress) error {
	files := attachmentsOf(m.shown)
	for i := range files {
		files[i].Name = fmt.Sprintf("%s-%d%s", d.Stage, i+1, safeExtension(files[i].Name))
	}
	msg, err := s.ownLetter(tx, m, d.Case, "Notes", fmt.Sprintf("Material: %s of %s %s", d.Stage, d.Case, d.Party))
	if err != nil {
		return err
	}
	err = s.putMaterial(tx, cvd.Material{Case: d.Case, Stage: d.Stage, Party: d.Party, Author: m.by.Name,
		Text: strings.TrimSpace(m.text), Files: files, Message: msg.ID})
	if err != nil {
		return err
	}
	return record(tx, journal.Record{Case: string(d.Case), Party: string(d.Party), Actor: m.by.Name, Kind: "material", Ref: string(d.Stage)})
}

// safeExtension keeps a short, plain extension of a file name; the name
// itself may tell who made it (rule V7).
func safeExtension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || len(name)-i > 6 {
		return ""
	}
	for _, r := range name[i+1:] {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return ""
		}
	}
	return strings.ToLower(name[i:])
}

func (s *Submission) note(tx *store.Tx, m *submitted, d deskAddress) error {
	_, err := s.ownLetter(tx, m, d.Case, "Notes", m.shown.Header.Text("Subject"))
	return err
}

// ownLetter files a coordinator's mail into a folder of a case.
func (s *Submission) ownLetter(tx *store.Tx, m *submitted, id cvd.CaseID, folder, subject string) (store.Message, error) {
	var files []message.Attachment
	for _, f := range attachmentsOf(m.shown) {
		files = append(files, message.Attachment{Filename: f.Name, MediaType: f.MediaType, Data: f.Data})
	}
	msg, _, _, err := s.post(tx, Post{Folder: folder, Case: id, From: m.by.Name, Subject: subject, Text: m.text, Attachments: files, Kind: "note"})
	return msg, err
}

// lettersToAll writes to each vendor of a case separately.
func (s *Submission) lettersToAll(tx *store.Tx, m *submitted, d deskAddress) error {
	ps, err := Participants(tx, d.Case)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if p.Has(cvd.RoleVendor) && p.Withdrawn == nil {
			if err := s.letter(tx, m, d.Case, p.Party); err != nil {
				return err
			}
		}
	}
	return nil
}

// letter sends a coordinator's own words to one participant, through the same
// gate as everything else.
func (s *Submission) letter(tx *store.Tx, m *submitted, id cvd.CaseID, party cvd.PartyID) error {
	c, err := CaseByID(tx, id)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return err
	}
	v := templates.Letter{Us: s.us(), Case: c.ID, Subject: strings.TrimSpace(m.shown.Header.Text("Subject")), Text: ownWords(m.text)}
	who, err := ParticipantByID(tx, id, party)
	if err != nil {
		return err
	}
	if rule, ok := c.Policy.Rule(who.Reached); ok {
		v.TLP = rule.TLP
	}
	text, err := s.Templates.Letter(v)
	if err != nil {
		return err
	}
	l := Letter{Subject: text.Subject, Text: text.Text, Author: m.by.Name}
	for i, f := range attachmentsOf(m.shown) {
		f.Name = fmt.Sprintf("file-%d%s", i+1, safeExtension(f.Name))
		l.Files = append(l.Files, f)
	}
	if _, err := s.newNotice(tx, cvd.Notice{Case: id, Party: party, Kind: cvd.KindLetter, LastAct: tx.Now}, &l); err != nil {
		return err
	}
	for _, what := range []string{"letter", "declined", "proposes"} {
		if err := s.taskDone(tx, fmt.Sprintf("%s:%s:%s", what, id, party)); err != nil {
			return err
		}
	}
	return record(tx, journal.Record{Case: string(id), Party: string(party), Actor: m.by.Name, Kind: "letter"})
}

// viewWords begin the lines that the gateway puts at the top of its views.
var viewWords = []string{"Really from ", "It came encrypted.", "It came in CLEAR.", "Only parts of it came", "Not opened: ", "Sent to "}

// ownWords drops what a client quoted from the desk's view of a mail: the
// lines that the gateway itself put there are not for the recipient.
func ownWords(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		l := strings.TrimRight(line, "\r\n")
		bare := strings.TrimLeft(l, "> ")
		if strings.HasPrefix(l, ">") && slices.ContainsFunc(viewWords, func(w string) bool { return strings.HasPrefix(bare, w) }) {
			continue
		}
		out = append(out, l)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}
