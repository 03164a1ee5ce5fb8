package mailflow

import (
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

// material makes the mail's text and files what belongs to a stage.
func (s *Submission) material(tx *store.Tx, m *submitted, d deskAddress) error {
	files := slices.Clone(m.files)
	of := string(d.Stage)
	if d.Party != "" { // its files go beside those that everybody gets
		of += "-annex"
	}
	for i := range files {
		files[i].Name = fmt.Sprintf("%s-%d%s", of, i+1, safeExtension(files[i].Name))
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
	if err := s.tellMetadata(tx, m, d, files); err != nil {
		return err
	}
	return record(tx, journal.Record{Case: string(d.Case), Party: string(d.Party), Actor: m.by.Name, Kind: "material", Ref: string(d.Stage)})
}

func (s *Submission) note(tx *store.Tx, m *submitted, d deskAddress) error {
	_, err := s.ownLetter(tx, m, d.Case, "Notes", m.subject)
	return err
}

// ownLetter files a coordinator's mail into a folder of a case.
func (s *Submission) ownLetter(tx *store.Tx, m *submitted, id cvd.CaseID, folder, subject string) (store.Message, error) {
	var files []message.Attachment
	for _, f := range m.files {
		files = append(files, asAttachment(f))
	}
	msg, _, _, err := s.post(tx, Post{Folder: folder, Case: id, From: m.by.Name, Alias: "notes." + id.Lower(), Subject: subject, Text: m.text,
		Attachments: files, Kind: "note"})
	return msg, err
}

// lettersToAll writes to each vendor of a case separately.
func (s *Submission) lettersToAll(tx *store.Tx, m *submitted, d deskAddress) error {
	ps, err := Participants(tx, d.Case)
	if err != nil {
		return err
	}
	var to []cvd.PartyID
	for _, p := range ps {
		if p.Has(cvd.RoleVendor) && p.Withdrawn == nil {
			to = append(to, p.Party)
		}
	}
	return s.lettersTo(tx, m, d.Case, to)
}

// lettersTo writes to some participants. Those for whom the guard found nothing
// get theirs; the others' wait for a person.
func (s *Submission) lettersTo(tx *store.Tx, m *submitted, id cvd.CaseID, to []cvd.PartyID) error {
	var kept []cvd.Notice
	m.parties = len(to)
	for _, party := range to {
		if _, judged := m.found[party]; !judged {
			return errStale
		}
		n, err := s.letter(tx, m, id, party)
		if err != nil {
			return err
		}
		if len(m.found[party]) > 0 {
			kept = append(kept, n)
		}
	}
	return s.keepDraft(tx, m, kept)
}

// letter sends a coordinator's own words to one participant, through the same
// gate as everything else.
func (s *Submission) letter(tx *store.Tx, m *submitted, id cvd.CaseID, party cvd.PartyID) (n cvd.Notice, err error) {
	c, err := CaseByID(tx, id)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return n, err
	}
	v := templates.Letter{Us: s.us(), Case: c.ID, Subject: strings.TrimSpace(m.subject), Text: ownWords(m.text)}
	who, err := ParticipantByID(tx, id, party)
	if err != nil {
		return n, err
	}
	if v.To, err = spokenTo(tx, who); err != nil {
		return n, err
	}
	if rule, ok := c.Policy.Rule(who.Reached); ok {
		v.TLP = rule.TLP
	}
	text, err := s.Templates.Letter(v)
	if err != nil {
		return n, err
	}
	if err := s.sentAgain(tx, m, id, party); err != nil {
		return n, err
	}
	l := Letter{Subject: text.Subject, Text: text.Text, Author: m.by.Name, Draft: m.subject, Found: m.found[party]}
	if l.Files, err = s.letterFiles(tx, id, m.files, party); err != nil {
		return n, err
	}
	n, err = s.newNotice(tx, cvd.Notice{Case: id, Party: party, Kind: cvd.KindLetter, LastAct: tx.Now}, &l)
	if err != nil || len(l.Found) > 0 {
		return n, err
	}
	if err := s.answersTasks(tx, n); err != nil {
		return n, err
	}
	return n, record(tx, journal.Record{Case: string(id), Party: string(party), Actor: m.by.Name, Kind: "letter"})
}
