package pgpmime

import (
	"bytes"
	"path"
	"strings"

	"parley/keyring"
)

// Origin is where in a message a certificate stood.
type Origin string

// The origins. Only what the signature of the whole verifies with says anything
// about whose it is; everything else is claimed.
const (
	InAutocrypt Origin = "autocrypt" // in the header, for the address that the mail is from
	InClear     Origin = "clear"     // attached to a mail, or to a part of it, that was not encrypted
	InSigned    Origin = "signed"    // in clear, inside what a multipart/signed at the root covers
	InEncrypted Origin = "encrypted" // inside the encrypted payload
)

// Attached is a certificate that came with a message.
type Attached struct {
	Certificate *keyring.Certificate
	Origin      Origin
}

// Limits on the certificates that are looked for in one message.
const (
	maxAttachedKeys = 8
	maxAttachedKey  = 256 << 10
)

// findOutside lists the certificates that came in clear.
func (j *job) findOutside(root *Part) {
	var found []Attached
	if c := autocrypt(root); c != nil {
		found = append(found, Attached{c, InAutocrypt})
	}
	origin := InClear
	if covered, _ := signedParts(root); covered != nil {
		found, root, origin = attachedKeys(root.Children[1], found, InClear), covered, InSigned
	}
	for _, a := range attachedKeys(root, found, origin) {
		j.out.Outside, j.out.Certificates = append(j.out.Outside, a.Certificate), append(j.out.Certificates, a)
	}
}

// attachedKeys walks the tree for certificates: application/pgp-keys (RFC 3156,
// section 7), files named *.asc, *.gpg, *.pgp or *.key, and blocks pasted into a text.
func attachedKeys(p *Part, found []Attached, from Origin) []Attached {
	for _, c := range p.Children {
		found = attachedKeys(c, found, from)
	}
	if len(p.Children) > 0 || len(found) >= maxAttachedKeys || !mayHoldKey(p) {
		return found
	}
	body := armorText(p)
	if len(body) > maxAttachedKey && !armoredText(p) {
		return found
	}
	if len(body) > 0 && body[0]&0x80 != 0 && !armoredText(p) {
		return addKeys(found, body, from)
	}
	for _, b := range keyring.FindArmor(body) {
		if b.Kind == keyring.ArmorPublicKey && len(b.Data) <= maxAttachedKey {
			found = addKeys(found, b.Data, from)
		}
	}
	return found
}

func mayHoldKey(p *Part) bool {
	switch strings.ToLower(path.Ext(p.Filename)) {
	case ".asc", ".gpg", ".pgp", ".key":
		return true
	}
	return p.MediaType == "application/pgp-keys" || armoredText(p)
}

func armoredText(p *Part) bool { return p.MediaType == "text/plain" && !p.Attachment }

func addKeys(found []Attached, data []byte, from Origin) []Attached {
	if len(found) >= maxAttachedKeys {
		return found // before it costs anything
	}
	certs, err := keyring.ParseCertificates(data)
	if err != nil {
		return found
	}
	for _, c := range certs {
		if len(found) < maxAttachedKeys && !listed(found, c) {
			found = append(found, Attached{c, from})
		}
	}
	return found
}

func listed(list []Attached, c *keyring.Certificate) bool {
	for _, k := range list {
		if bytes.Equal(k.Certificate.Bytes(), c.Bytes()) {
			return true
		}
	}
	return false
}
