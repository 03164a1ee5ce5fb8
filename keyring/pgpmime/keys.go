package pgpmime

import (
	"bytes"
	"encoding/base64"
	"path"
	"strings"

	"parley/keyring"
)

// Limits on the certificates that are looked for in one message.
const (
	maxAttachedKeys = 8
	maxAttachedKey  = 256 << 10
)

// outside lists the certificates that came in clear: in the Autocrypt header
// (Autocrypt Level 1, section 2.1) or attached.
func outside(root *Part) []*keyring.Certificate {
	var found []*keyring.Certificate
	for _, v := range root.Header("Autocrypt") {
		_, data, ok := strings.Cut(v, "keydata=")
		if !ok || len(data) > maxAttachedKey {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
		if err != nil {
			continue
		}
		found = addKeys(found, raw)
	}
	return attachedKeys(root, found)
}

// attachedKeys walks the tree for certificates: application/pgp-keys (RFC 3156,
// section 7), files named *.asc, *.gpg, *.pgp or *.key, and blocks pasted into a text.
func attachedKeys(p *Part, found []*keyring.Certificate) []*keyring.Certificate {
	for _, c := range p.Children {
		found = attachedKeys(c, found)
	}
	if len(p.Children) > 0 || len(found) >= maxAttachedKeys || !mayHoldKey(p) {
		return found
	}
	body, err := p.Body()
	if err != nil || len(body) > maxAttachedKey && !armoredText(p) {
		return found
	}
	if len(body) > 0 && body[0]&0x80 != 0 {
		return addKeys(found, body)
	}
	for _, b := range keyring.FindArmor(body) {
		if b.Kind == keyring.ArmorPublicKey && len(b.Data) <= maxAttachedKey {
			found = addKeys(found, b.Data)
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

func addKeys(found []*keyring.Certificate, data []byte) []*keyring.Certificate {
	certs, err := keyring.ParseCertificates(data)
	if err != nil {
		return found
	}
	for _, c := range certs {
		if len(found) < maxAttachedKeys && !listed(found, c) {
			found = append(found, c)
		}
	}
	return found
}

func listed(list []*keyring.Certificate, c *keyring.Certificate) bool {
	for _, k := range list {
		if bytes.Equal(k.Bytes(), c.Bytes()) {
			return true
		}
	}
	return false
}
