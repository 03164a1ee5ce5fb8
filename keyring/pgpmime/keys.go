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
	maxKeyOctets    = 4 * maxAttachedKey // read in all: each may make us verify signatures
)

// keySearch looks for certificates. It reads no more than so many octets of them,
// also where they turn out to be nothing new.
type keySearch struct {
	found []Attached
	left  int
}

// findOutside lists the certificates that came in clear.
func (j *job) findOutside(root *Part) {
	search := keySearch{left: maxKeyOctets}
	if c := autocrypt(root); c != nil {
		search.found = append(search.found, Attached{c, InAutocrypt})
	}
	origin := InClear
	if covered, _ := signedParts(root); covered != nil {
		search.in(root.Children[1], InClear)
		root, origin = covered, InSigned
	}
	search.in(root, origin)
	for _, a := range search.found {
		j.out.Outside, j.out.Certificates = append(j.out.Outside, a.Certificate), append(j.out.Certificates, a)
	}
}

// in walks the tree for certificates: application/pgp-keys (RFC 3156, section 7),
// files named *.asc, *.gpg, *.pgp or *.key, and blocks pasted into a text.
func (s *keySearch) in(p *Part, from Origin) {
	for _, c := range p.Children {
		s.in(c, from)
	}
	if len(p.Children) > 0 || len(s.found) >= maxAttachedKeys || !mayHoldKey(p) {
		return
	}
	body := armorText(p)
	switch {
	case len(body) == 0 || len(body) > maxAttachedKey && !armoredText(p):
	case body[0]&0x80 != 0 && !armoredText(p):
		s.add(body, from)
	default:
		for _, b := range keyring.FindArmor(body) {
			if b.Kind == keyring.ArmorPublicKey && len(b.Data) <= maxAttachedKey {
				s.add(b.Data, from)
			}
		}
	}
}

func mayHoldKey(p *Part) bool {
	switch strings.ToLower(path.Ext(p.Filename)) {
	case ".asc", ".gpg", ".pgp", ".key":
		return true
	}
	return p.MediaType == "application/pgp-keys" || armoredText(p)
}

func armoredText(p *Part) bool { return p.MediaType == "text/plain" && !p.Attachment }

func (s *keySearch) add(data []byte, from Origin) {
	if len(s.found) >= maxAttachedKeys || len(data) > s.left {
		return // before it costs anything
	}
	s.left -= len(data)
	certs, err := keyring.ParseCertificates(data)
	if err != nil {
		return
	}
	for _, c := range certs {
		if len(s.found) < maxAttachedKeys && !listed(s.found, c) {
			s.found = append(s.found, Attached{c, from})
		}
	}
}

func listed(list []Attached, c *keyring.Certificate) bool {
	for _, k := range list {
		if bytes.Equal(k.Certificate.Bytes(), c.Bytes()) {
			return true
		}
	}
	return false
}
