package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// sealedSubject is all that a sealed message shows of what it is about.
const sealedSubject = "Sealed message"

// sealForm encrypts a message to the coordinator's own key. What a party sent
// encrypted and signed is handed on as it was, under a new session key packet, so
// that the signature can be checked in the coordinator's client; all else is
// what the clear view serves, header and body, signed by us. There is no branch
// that leaves something in clear.
func (s *Seat) sealForm(m store.Message, served []byte) ([]byte, error) {
	now := s.clock()
	outer, err := s.sealedHeader(m, served)
	if err != nil {
		return nil, err
	}
	original, err := s.original(m, served)
	if err != nil {
		return nil, err
	}
	if original != nil {
		made, err := pgpmime.Rewrap(treeOf(original), outer, s.Own.Secrets(), s.shown.key, now)
		if err == nil || !errors.Is(err, keyring.ErrNoRewrap) && !errors.Is(err, pgpmime.ErrUndecryptable) {
			return made, err
		}
	}
	fields, err := outer.Fields(now)
	if err != nil {
		return nil, err
	}
	var open []message.Field
	for _, f := range fields {
		open = append(open, message.Field{Name: f[0], Value: f[1]})
	}
	to := []*keyring.Certificate{s.shown.key}
	if tree, err := message.Parse(served, ownLimits(s.Limits)); err == nil {
		inner, err := message.Protect(tree, open)
		if err == nil {
			if made, err := pgpmime.Seal(inner, outer, to, s.signer(), now); err == nil {
				return made, nil
			}
		}
	}
	inner, err := asOneFile(served, open)
	if err != nil {
		return nil, err
	}
	return pgpmime.Seal(inner, outer, to, s.signer(), now)
}

// asOneFile wraps what a client stored that is no message in good form, as it
// came.
func asOneFile(raw []byte, open []message.Field) ([]byte, error) {
	fields := append([]message.Field(nil), open...)
	for _, f := range open {
		fields = append(fields, message.Field{Name: "HP-Outer", Value: f.Name + ": " + f.Value})
	}
	return message.Entity{Fields: fields, Text: "This message is not in a form that could be encrypted as a letter. It is attached as it is.\n",
		Attachments:       []message.Attachment{{Filename: "message.eml", MediaType: "application/octet-stream", Data: raw}},
		ContentTypeParams: map[string]string{"hp": "cipher", "protected-headers": "v1"},
	}.Bytes("=_" + randomHex(16))
}

// sealedHeader is the header that a sealed message has in the open. It says when
// the message came, which INTERNALDATE does anyway, and where a reply goes, by
// the number of the thread.
func (s *Seat) sealedHeader(m store.Message, served []byte) (pgpmime.Outer, error) {
	alias, err := s.sealedAlias(m)
	outer := pgpmime.Outer{From: mailbox("Parley", alias+"@"+s.DeskDomain), To: s.name + "@" + s.DeskDomain, Subject: sealedSubject,
		Date: m.At.UTC(), MessageID: newMessageID(s.DeskDomain)}
	if m.Direction == ownMail {
		if id := pushMark(m, served); id != "" {
			outer.Extra = [][2]string{{"X-TUID", id}}
		}
	}
	return outer, err
}

// pushMark is the field by which mbsync finds again what it stored, if it was
// killed before it heard the UID. It is random.
func pushMark(m store.Message, served []byte) string {
	for line := range headerLines(served[m.Structure.HeaderStart:m.Structure.HeaderEnd]) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		v := strings.TrimSpace(string(value))
		if strings.EqualFold(string(name), "X-TUID") && len(v) <= 16 && message.CheckHeaderValue(v) == nil {
			return v
		}
	}
	return ""
}

// sealedAlias is the local part that a reply goes to.
func (s *Seat) sealedAlias(m store.Message) (string, error) {
	if m.Case == "" || m.Party == "" {
		return "control", nil
	}
	id := cvd.CaseID(m.Case)
	var n int
	err := s.Store.View(func(tx *store.Tx) (err error) {
		n, err = threadNumber(tx, id, cvd.PartyID(m.Party))
		return err
	})
	if err != nil || n == 0 {
		return "control", err
	}
	return fmt.Sprintf("thread-%d.%s", n, id.Lower()), nil
}

// original is a mail as it came, where the coordinator gets that: encrypted as a
// whole, and signed by the party whose thread it is, or by a key that we know
// nothing of. What of it the clear view leaves out, because nobody should have
// it twice, it must not hold: secret keys, and pieces that were not opened.
func (s *Seat) original(m store.Message, served []byte) (*message.Part, error) {
	if m.Direction != "in" || m.Raw == nil || !signedAsWhole(served[m.Structure.HeaderStart:m.Structure.HeaderEnd]) {
		return nil, nil
	}
	raw, err := s.Store.Bytes(*m.Raw)
	if err != nil {
		return nil, err
	}
	tree, err := message.Parse(raw, s.Limits)
	if err != nil {
		return nil, nil
	}
	o := pgpmime.Opener{Secrets: s.Own.Secrets(), Limits: pgpmime.DefaultLimits(), Parse: func(b []byte) (*pgpmime.Part, error) {
		p, err := message.Parse(b, s.Limits)
		if err != nil {
			return nil, err
		}
		return treeOf(p), nil
	}}
	opened, err := o.Open(context.Background(), treeOf(tree), m.At)
	if err != nil || opened.Encryption != pgpmime.Encrypted || len(opened.SecretKeys)+len(opened.Unopened) > 0 {
		return nil, nil // it is encrypted afresh
	}
	return tree, nil
}

// signedAsWhole reads the fields that were frozen at filing.
func signedAsWhole(header []byte) bool {
	encrypted, signed := false, false
	for line := range headerLines(header) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		v := strings.TrimSpace(string(value))
		switch strings.ToLower(string(name)) {
		case "parley-encryption":
			encrypted = v == string(pgpmime.Encrypted)
		case "parley-signature":
			signed = strings.HasPrefix(v, "good;") || strings.HasPrefix(v, "unknown-key;")
		}
	}
	return encrypted && signed
}
