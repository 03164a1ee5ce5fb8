package pgpmime

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"parley/keyring"
)

// Open takes the protection off a message as it looks at that instant. If
// nothing that was encrypted could be opened, the error is an ErrUndecryptable;
// when ctx ends it is the context's, and says nothing about the message. A
// message without any protection is opened to itself.
func (o *Opener) Open(ctx context.Context, root *Part, at time.Time) (*Opened, error) {
	j := &job{Opener: o, ctx: ctx, at: at, limits: o.Limits.OrDefaults(), seen: map[[32]byte]bool{},
		out: &Opened{Encryption: NotEncrypted, Root: root, Outer: fieldsOf(root)}}
	for _, s := range o.Secrets {
		j.us = append(j.us, s.Certificate().KeyFingerprints()...)
	}
	j.findOutside(root)
	if l := findLayer(root); l != nil {
		if err := j.openLayer(l); err != nil {
			return nil, err
		}
	} else if found, ok := j.signedRoot(root); ok {
		j.out.Signatures, j.out.WholeSigned = found, len(found) > 0
		j.setProtected(root)
	} else {
		j.sole = isSoleFile(root)
	}
	j.openDocuments(j.out.Root)
	j.out.Sole = j.sole && len(j.failed) == 0 && len(j.out.Documents) == 1 && j.out.Documents[0].Encrypted
	j.findSecretKeys(root)
	j.noteAutocryptSecrets(root)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open message: %w", err)
	}
	if len(j.failed) > 0 && j.opened == 0 {
		return nil, j.failed[0]
	}
	for _, err := range j.failed {
		j.out.Unopened = append(j.out.Unopened, keyring.Reason(err))
	}
	return j.out, nil
}

// job is the opening of one message.
type job struct {
	*Opener
	ctx    context.Context
	at     time.Time
	us     []keyring.Fingerprint // all our keys
	limits Limits
	out    *Opened
	joined []*keyring.Certificate // out.Inside, each joined with what is known of it
	sole   bool                   // it is one file, with at most a text beside it
	opened int                    // encrypted layers and documents
	failed []error                // those that were not
	spent  int64                  // plaintext produced so far
	seen   map[[32]byte]bool      // digests of the blocks of armor that were opened, or tried
	depth  int                    // documents around the one being looked at
	checks int                    // signatures verified so far
	hashed int64                  // octets that verifying them read
}

func (j *job) openLayer(l *layer) error {
	data, armored, err := j.ciphertext(l.part)
	if err != nil {
		return err
	}
	decrypt := keyring.Decrypt
	if armored { // decoded for this alone
		decrypt = keyring.DecryptOwned
	}
	m, err := decrypt(j.ctx, data, j.Secrets, j.limits)
	if err != nil {
		return err
	}
	j.opened++
	j.spent += int64(len(m.Data))
	j.out.Encryption = Encrypted
	j.noteBody(m.Body)
	if err := j.setPayload(m.Data, l); err != nil {
		return err
	}
	j.findInside(j.out.Root)
	j.out.Signatures = j.verify(m.Signatures, m.Data)
	if found, ok := j.signedRoot(j.out.Root); ok {
		j.out.Signatures = append(j.out.Signatures, found...)
	}
	j.out.WholeSigned = len(j.out.Signatures) > 0
	j.findSecretKeys(j.out.Root)
	j.setProtected(j.out.Root)
	return nil
}

// ciphertext is the OpenPGP message that the part holds, and whether it is in
// armor there.
func (j *job) ciphertext(p *Part) (data []byte, armored bool, err error) {
	body := armorText(p)
	if len(body) > 0 && body[0]&0x80 != 0 {
		return body, false, nil
	}
	for _, b := range keyring.FindArmor(body) {
		if b.Kind == keyring.ArmorMessage {
			j.out.Mismatch = j.out.Mismatch || b.Mismatch
			return b.Data, true, nil
		}
	}
	return nil, false, keyring.Undecryptable(keyring.ReasonMalformed)
}

// setPayload parses what was decrypted. If it is no MIME entity, it is put under
// a header that makes it one, so that there is always something to show.
func (j *job) setPayload(data []byte, l *layer) error {
	if l.mime && hasHeader(data) {
		if root, err := j.Parse(data); err == nil {
			j.out.Payload, j.out.Root = data, root
			return nil
		}
	}
	kind := "application/octet-stream"
	if utf8.Valid(data) && !bytes.ContainsRune(data, 0) {
		kind = "text/plain; charset=utf-8"
	} else if cs := l.part.Params["charset"]; !l.mime && plainToken(cs) {
		kind = "text/plain; charset=" + cs
	}
	data = append([]byte("Content-Type: "+kind+"\r\nContent-Transfer-Encoding: binary\r\n\r\n"), data...)
	root, err := j.Parse(data)
	if err != nil {
		return keyring.Undecryptable(keyring.ReasonTooLarge) // text under a good header is refused for its size only
	}
	j.out.Payload, j.out.Root = data, root
	return nil
}

// hasHeader reports whether data starts with a header field or with the blank
// line of an empty header.
func hasHeader(data []byte) bool {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	name, _, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return len(bytes.TrimSpace(line)) == 0
	}
	return fieldName(string(name))
}

func plainToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.+", r))
	})
}
