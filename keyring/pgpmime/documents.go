package pgpmime

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"parley/keyring"
)

// Bounds on the pieces of one message: how many are opened, and how many may fail
// to before the rest is left alone.
const (
	maxDocuments = 50
	maxFailed    = 10
)

// openDocuments opens the encrypted and signed pieces in a tree, each by itself.
func (j *job) openDocuments(p *Part) {
	switch {
	case j.ctx.Err() != nil:
		return
	case p.MediaType == "multipart/encrypted":
		j.openNested(p)
		return
	case p.MediaType == "application/pgp-signature" || p.MediaType == "application/pgp-keys":
		return
	case len(p.Children) == 0:
		j.openLeaf(p)
	}
	for _, c := range p.Children {
		j.openDocuments(c)
	}
}

// openNested opens a PGP/MIME message that stands inside another one.
func (j *job) openNested(p *Part) {
	c := pair(p.Children)
	if c == nil {
		j.failed = append(j.failed, keyring.Undecryptable(keyring.ReasonMalformed))
		return
	}
	data, err := j.ciphertext(c)
	if err != nil {
		j.failed = append(j.failed, err)
		return
	}
	j.openDocument("encrypted.eml", data)
}

// openLeaf opens what a leaf holds: armor in a text, or a file.
func (j *job) openLeaf(p *Part) {
	ext := strings.ToLower(path.Ext(p.Filename))
	file := ext == ".asc" || ext == ".gpg" || ext == ".pgp" || p.MediaType == "application/pgp-encrypted"
	if !file && (p.Attachment || !strings.HasPrefix(p.MediaType, "text/plain")) && p.MediaType != "application/octet-stream" {
		return
	}
	body, err := p.Body()
	if err != nil {
		return
	}
	if file && len(body) > 0 && body[0]&0x80 != 0 {
		j.openDocument(documentName(p.Filename), body)
		return
	}
	if p.MediaType == "application/octet-stream" && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("-----BEGIN PGP ")) {
		return
	}
	for _, b := range keyring.FindArmor(body) {
		if b.Kind == keyring.ArmorMessage {
			j.out.Mismatch = j.out.Mismatch || b.Mismatch
			j.openDocument(documentName(p.Filename), b.Data)
		}
	}
}

// documentName is the file name without the ending that encrypting it added.
func documentName(file string) string {
	switch strings.ToLower(path.Ext(file)) {
	case ".asc", ".gpg", ".pgp":
		return file[:len(file)-4]
	}
	return file
}

func (j *job) openDocument(name string, data []byte) {
	if len(j.out.Documents) >= maxDocuments || len(j.failed) >= maxFailed {
		return
	}
	limits := j.limits
	limits.Plain = max(0, limits.Plain-j.spent)
	open := func() (*keyring.Message, error) { return keyring.OpenSigned(j.ctx, data, limits) }
	encrypted := keyring.IsEncrypted(data)
	if encrypted {
		open = func() (*keyring.Message, error) { return keyring.Decrypt(j.ctx, data, j.Secrets, limits) }
	}
	m, err := open()
	if err != nil {
		if encrypted {
			j.failed = append(j.failed, err)
		}
		if keyring.Reason(err) == keyring.ReasonTooLarge {
			j.spent = j.limits.Plain // one bomb is enough: nothing more is unpacked
		}
		return
	}
	j.spent += int64(len(m.Data))
	if name == "" {
		name = fmt.Sprintf("document-%d", len(j.out.Documents)+1)
	}
	j.out.Documents = append(j.out.Documents, Document{
		Name: name, Data: m.Data, Encrypted: encrypted, Signatures: j.verify(m.Signatures, m.Data),
	})
	if encrypted {
		j.noteEncrypted(m)
	}
}

func (j *job) noteEncrypted(m *keyring.Message) {
	j.opened++
	if j.out.Encryption == NotEncrypted {
		j.out.Encryption = Partly
	}
	if j.out.BodyDigest == ([32]byte{}) {
		j.out.BodyDigest = m.Body
	}
}
