package mailflow

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// filing remembers where a letter was before it was filed, for undo.
type filing struct {
	Was   uint64 // the message in Quarantine
	Scope store.Scope
	Case  string
	Party string
}

var filings = store.WriteOnce[filing]("filings") // under the number of the letter

// Kinds of a message that another one stands for.
const (
	kindFiled   = "filed"   // in Quarantine, until it became the letter that Ref names
	kindUnfiled = "unfiled" // such a letter, until that was undone; Ref names the mail in Quarantine
)

// nowStands follows a message to the one that stands for it by now: a client
// may give back what it was served before.
func (s *sitting) nowStands(m store.Message) (store.Message, error) {
	if m.Kind != kindFiled && m.Kind != kindUnfiled {
		return m, nil
	}
	id, err := strconv.ParseUint(m.Ref, 10, 64)
	if err != nil {
		return m, fmt.Errorf("message %d: what stands for it: %w", m.ID, err)
	}
	return s.messageSeen(id)
}

// fileQuarantined takes a mail in Quarantine as a letter of the participant
// into whose thread it was put. What was wrong with it stands in it still, and
// its commands count no more than before.
func (s *sitting) fileQuarantined(d drop) (uint64, error) {
	party := d.who
	if party == "" && d.sub == "" {
		party = cvd.PartyID(d.m.Party)
	}
	switch {
	case party == "" && d.sub == "":
		return 0, notDone("put it into the thread of the party that it is from, such as Vendor acme; nothing was changed")
	case party == "":
		return 0, notDone("a mail of a party belongs into its thread, and not into %s; nothing was changed", d.sub)
	case d.m.Party != "" && cvd.PartyID(d.m.Party) != party:
		return 0, notDone("this mail came to the address of %s, and %s is the thread of %s: neither may learn what the other says. It stays in Quarantine", d.m.Party, d.sub, party)
	}
	who, err := ParticipantByID(s.tx, d.c.ID, party)
	if errors.Is(err, ErrNoParticipant) {
		return 0, notDone("%s takes no part in %s; nothing was changed", party, d.c.ID)
	}
	if err != nil {
		return 0, err
	}
	theirs, err := s.isFrom(d.m.Sender, who)
	if err != nil {
		return 0, err
	}
	if d.m.Party == "" && !theirs {
		return 0, toDo(notDone("this mail is from %s, which is no address of %s; it stays in Quarantine. If it is theirs, `member add %s ADDRESS`, signed, first",
			orNone(d.m.Sender), party, party),
			"if it is of %s, add the address in a signed mail to control@%s, and put it there once more:\n    case %s\n    member add %s %s", party, s.DeskDomain, d.c.ID, party, orNone(d.m.Sender))
	}
	return s.asLetter(d, who)
}

// asLetter files a mail that was in Quarantine in a thread. The view there is
// another one, to which a Reply reaches the participant; the one that
// Quarantine showed is kept.
func (s *sitting) asLetter(d drop, who cvd.Participant) (uint64, error) {
	scope, old := caseScope(d.c.ID), d.m
	m, err := s.letterView(d, who)
	if err != nil {
		return 0, err
	}
	fresh := fmt.Sprint(m.ID)
	err = s.tx.MoveMessage(old.ID, scope, func(m *store.Message) {
		m.Case, m.Party, m.Kind, m.Ref = string(d.c.ID), string(who.Party), kindFiled, fresh
	})
	if err != nil {
		return 0, err
	}
	if err := filings.Put(s.tx, scope, store.Seq(m.ID), filing{old.ID, old.Scope, old.Case, old.Party}); err != nil {
		return 0, err
	}
	box, err := s.threadBox(s.tx, d.c, who.Party)
	if err != nil {
		return 0, err
	}
	if _, err := s.tx.File(box.Number, m.ID); err != nil {
		return 0, err
	}
	if _, err := s.takeOut(s.tx, old.ID, "Quarantine"); err != nil {
		return 0, err
	}
	who.LastHeard = s.tx.Now
	if err := PutParticipant(s.tx, who); err != nil {
		return 0, err
	}
	s.moved(s.tx, d.c.ID)
	if err := s.wroteBack(s.tx, d.c.ID, who.Party); err != nil {
		return 0, err
	}
	return m.ID, record(s.tx, journal.Record{Case: string(d.c.ID), Party: string(who.Party), Actor: s.by.Name, Kind: "mail.filed",
		Ref: fmt.Sprintf("M%d", m.ID), Detail: fmt.Sprintf("from Quarantine, M%d", old.ID)})
}

// unfileLetter puts a mail back into Quarantine that was filed as a letter.
func (s *sitting) unfileLetter(m store.Message, f filing) error {
	if err := filings.Delete(s.tx, store.Seq(m.ID)); err != nil {
		return err
	}
	places, err := s.tx.FiledIn(m.ID)
	if err != nil {
		return err
	}
	for _, at := range places {
		box, err := s.tx.Mailbox(at.Mailbox)
		if err != nil {
			return err
		}
		if box.Case == "" {
			continue // a copy that somebody keeps
		}
		if err := s.tx.Unfile(at.Mailbox, at.UID); err != nil {
			return err
		}
	}
	err = s.tx.MoveMessage(m.ID, m.Scope, func(m *store.Message) { m.Kind, m.Ref = kindUnfiled, fmt.Sprint(f.Was) })
	if err != nil {
		return err
	}
	err = s.tx.MoveMessage(f.Was, f.Scope, func(m *store.Message) { m.Case, m.Party, m.Kind, m.Ref = f.Case, f.Party, "quarantine", "" })
	if err != nil {
		return err
	}
	if err := s.fileBack(f.Was, "Quarantine"); err != nil {
		return err
	}
	return record(s.tx, journal.Record{Case: m.Case, Party: m.Party, Actor: s.by.Name, Kind: "mail.unfiled",
		Ref: fmt.Sprintf("M%d", m.ID), Detail: fmt.Sprintf("M%d is in Quarantine again", f.Was)})
}

// letterView stores the letter that a mail in Quarantine becomes. One that is
// too large to be sealed in a transaction keeps the header that it had there.
func (s *sitting) letterView(d drop, who cvd.Participant) (store.Message, error) {
	m := d.m
	m.ID, m.Scope, m.Case, m.Party, m.Kind, m.Ref = 0, caseScope(d.c.ID), string(d.c.ID), string(who.Party), "letter", ""
	if m.Size > inlineView {
		return s.tx.PutMessage(m)
	}
	raw, err := s.tx.Bytes(m.Served)
	if err != nil {
		return m, err
	}
	if raw, err = s.letterBytes(raw, d, who); err != nil {
		return m, err
	}
	tree, err := message.Parse(raw, ownLimits(s.Limits))
	if err != nil {
		return m, fmt.Errorf("read our own view: %w", err)
	}
	draft, err := s.Store.SealBytes(raw)
	if err != nil {
		return m, err
	}
	if m.Served, err = s.tx.Keep(draft); err != nil {
		return m, err
	}
	m.Size, m.Envelope, m.Structure = int64(len(raw)), tree.Envelope(), tree.Structure()
	return s.tx.PutMessage(m)
}

// letterBytes is a view of Quarantine under the header fields of a letter. All
// that says how it came stays.
func (s *sitting) letterBytes(raw []byte, d drop, who cvd.Participant) ([]byte, error) {
	subject := d.m.Envelope.Subject
	if _, rest, ok := strings.Cut(subject, "[QUARANTINE] "); ok {
		subject = rest
		if about := fmt.Sprintf("%s in %s: ", d.m.Party, d.c.ID); strings.HasPrefix(rest, about) {
			subject = rest[len(about):]
		}
	}
	head, body := raw[:d.m.Structure.HeaderEnd], raw[d.m.Structure.HeaderEnd:]
	if !bytes.Contains(head, []byte("\nParley-Encryption: yes\r\n")) {
		subject = "[CLEAR] " + subject
	}
	fields := []message.Field{
		{Name: "From", Value: mailbox(partyTitle(who, d.c), s.DeskAlias(who.Party, d.c.ID))},
		{Name: "Subject", Value: headerText(subject)},
		{Name: "Parley-Case", Value: string(d.c.ID)},
	}
	fresh, err := message.FormatFields(fields)
	if err != nil {
		return nil, fmt.Errorf("present filed mail: %w", err)
	}
	for _, f := range fields {
		head = withoutField(head, f.Name)
	}
	return bytes.Join([][]byte{fresh, head, body}, nil), nil
}

// withoutField drops a field, with the lines on which it goes on, from a header
// of ours (RFC 5322 section 2.2.3).
func withoutField(head []byte, name string) []byte {
	var out []byte
	dropping := false
	for line := range bytes.Lines(head) {
		if line[0] != ' ' && line[0] != '\t' {
			dropping = len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name)
		}
		if !dropping {
			out = append(out, line...)
		}
	}
	return out
}
