package pgpmime

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"parley/keyring"
)

// Bounds on the pieces of one message: how many are opened, how many may fail to
// before the rest is left alone, and how deep one may stand in another.
const (
	maxDocuments = 50
	maxFailed    = 10
	maxDepth     = 4
)

// ReasonTooMany is in Opened.Unopened if a message holds more pieces than are
// looked at.
const ReasonTooMany = "too-many"

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
		return
	}
	if mangled := cipherBeside(p.Children); mangled != nil {
		j.openCiphertext(mangled)
		for _, c := range p.Children {
			if c != mangled {
				j.openDocuments(c)
			}
		}
		return
	}
	for _, c := range p.Children {
		j.openDocuments(c)
	}
	j.verifyFiles(p)
}

// cipherBeside finds the ciphertext of a PGP/MIME message whose parts a server
// put beside others.
func cipherBeside(children []*Part) *Part {
	for i, c := range children {
		if !isVersion(c) {
			continue
		}
		for _, near := range []int{i + 1, i - 1} {
			if near >= 0 && near < len(children) {
				if p := pair([]*Part{c, children[near]}); p != nil && !isVersion(p) && holdsCiphertext(p) {
					return p
				}
			}
		}
	}
	return nil
}

func holdsCiphertext(p *Part) bool {
	body := armorText(p)
	return keyring.IsEncrypted(body) || bytes.Contains(body, beginMessage)
}

// openNested opens a PGP/MIME message that stands inside another one.
func (j *job) openNested(p *Part) {
	c := pair(withoutEmptyText(p.Children))
	if c == nil {
		j.fail(keyring.Undecryptable(keyring.ReasonMalformed))
		return
	}
	j.openCiphertext(c)
}

func (j *job) openCiphertext(p *Part) {
	data, _, err := j.ciphertext(p)
	if err != nil {
		j.fail(err)
		return
	}
	j.openDocument(piece{name: "encrypted.eml", data: data, mime: true})
}

func (j *job) fail(err error) {
	if len(j.failed) < maxFailed {
		j.failed = append(j.failed, err)
	}
}

// openLeaf opens what a leaf holds: armor in a text, or a file.
func (j *job) openLeaf(p *Part) {
	letter := p.MediaType == "text/html" || !p.Attachment && strings.HasPrefix(p.MediaType, "text/")
	file := isKeyFile(p)
	if !letter && !file && p.MediaType != "application/octet-stream" && !strings.HasPrefix(p.MediaType, "text/") {
		return
	}
	if !letter && !file && p.Head != nil && !strings.HasPrefix(p.MediaType, "text/") && !beginsArmor(p.Head(armorWithin)) {
		return // a large attachment is not decoded to see that it is no armor
	}
	body := armorText(p)
	switch {
	case len(body) == 0:
	case file && body[0]&0x80 != 0:
		j.openDocument(piece{name: documentName(p.Filename), data: body})
	case letter || file || beginsArmor(body):
		j.openText(p, body)
	}
}

// armorWithin is where armor must begin in a file that is not named as such.
const armorWithin = 512

func beginsArmor(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(body[:min(len(body), armorWithin)]), beginPGP)
}

// isKeyFile reports whether a file may hold OpenPGP packets by its name or type.
func isKeyFile(p *Part) bool {
	switch strings.ToLower(path.Ext(p.Filename)) {
	case ".asc", ".gpg", ".pgp":
		return true
	}
	return p.MediaType == "application/pgp-encrypted"
}

// documentName is the file name without the ending that encrypting it added.
func documentName(file string) string {
	switch strings.ToLower(path.Ext(file)) {
	case ".asc", ".gpg", ".pgp":
		return file[:len(file)-4]
	}
	return file
}

// piece is a binary OpenPGP message that was found in a message.
type piece struct {
	name    string
	data    []byte
	charset string
	mime    bool // what it holds should be a MIME entity
}

// mayAdd reports whether one more piece may be looked at.
func (j *job) mayAdd() bool {
	if len(j.out.Documents) < maxDocuments && len(j.failed) < maxFailed {
		return true
	}
	if len(j.out.Documents) >= maxDocuments && !slices.Contains(j.out.Unopened, ReasonTooMany) {
		j.out.Unopened = append(j.out.Unopened, ReasonTooMany)
	}
	return false
}

func (j *job) openDocument(p piece) {
	if !j.mayAdd() {
		return
	}
	limits := j.limits
	limits.Plain = max(0, limits.Plain-j.spent)
	open := func() (*keyring.Message, error) { return keyring.OpenSigned(j.ctx, p.data, limits) }
	encrypted := keyring.IsEncrypted(p.data)
	if encrypted {
		open = func() (*keyring.Message, error) { return keyring.Decrypt(j.ctx, p.data, j.Secrets, limits) }
	}
	m, err := open()
	if err != nil {
		if encrypted {
			j.fail(err)
		}
		if keyring.Reason(err) == keyring.ReasonTooLarge {
			j.spent = j.limits.Plain // one bomb is enough: nothing more is unpacked
		}
		return
	}
	j.spent += int64(len(m.Data))
	if encrypted {
		j.noteEncrypted(m)
	}
	around := j.joined
	if j.sole && encrypted && len(j.out.Documents) == 0 { // of more than one none is looked for
		j.joined = j.keysIn(m.Data)
	}
	d := Document{Name: p.name, Data: m.Data, Charset: p.charset, Encrypted: encrypted, Signatures: j.verify(m.Signatures, m.Data), Body: m.Body}
	j.joined = around
	j.lookInto(p, &d)
}

// lookInto adds a document and, if it is a MIME entity, what stands inside it:
// its multipart/signed is its own, and pieces in it are further documents.
func (j *job) lookInto(p piece, d *Document) {
	var root *Part
	if p.mime && hasHeader(d.Data) {
		root, _ = j.Parse(d.Data) // what is no MIME entity is shown as it is
	}
	if root == nil {
		j.addDocument(*d)
		j.noteSecretKeys(d.Data)
		return
	}
	found, _ := j.signedRoot(root)
	d.Signatures = append(d.Signatures, found...)
	j.addDocument(*d)
	j.findSecretKeys(root)
	if j.depth < maxDepth {
		j.depth++
		j.openDocuments(root)
		j.depth--
	}
}

func (j *job) addDocument(d Document) {
	if d.Name == "" {
		d.Name = fmt.Sprintf("document-%d", len(j.out.Documents)+1)
	}
	j.out.Documents = append(j.out.Documents, d)
}

func (j *job) noteEncrypted(m *keyring.Message) {
	j.opened++
	if j.out.Encryption == NotEncrypted {
		j.out.Encryption = Partly
	}
	j.noteBody(m.Body)
}

func (j *job) noteBody(body [32]byte) {
	if j.out.BodyDigest == ([32]byte{}) {
		j.out.BodyDigest = body
	}
	j.out.Bodies = append(j.out.Bodies, body)
}
