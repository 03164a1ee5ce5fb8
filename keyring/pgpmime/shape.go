package pgpmime

import (
	"bytes"
	"strings"

	"parley/keyring"
)

// layer is an encryption that the whole message stands in.
type layer struct {
	part *Part // holds the ciphertext
	mime bool  // what is encrypted is a MIME entity, not text
}

// findLayer recognises a message that is encrypted as a whole: RFC 3156, section
// 4, what servers on the way make of it, and a text that is one block of armor.
//
// An encrypted piece with anything else beside it is not one, not even if that
// is only the footer of a mailing list. Nothing tells such a footer from words
// that somebody put around a stolen ciphertext, and to call the mail encrypted
// would lend its mark to text that came in clear. It is opened in parts: the
// piece is a document, the footer is the letter, and no command in either counts.
func findLayer(p *Part) *layer {
	switch p.MediaType {
	case "multipart/encrypted":
		if c := pair(withoutEmptyText(p.Children)); c != nil {
			return &layer{c, true}
		}
	case "multipart/mixed": // Exchange, and scanners that wrap what they pass on
		kept := withoutEmptyText(p.Children)
		if c := pair(kept); c != nil {
			return &layer{c, true}
		}
		if len(kept) == 1 {
			return findLayer(kept[0])
		}
	case "multipart/signed": // a signature around ciphertext says nothing about who wrote the text
		if len(p.Children) == 2 && strings.HasSuffix(p.Children[1].MediaType, "-signature") { // OpenPGP's or that of S/MIME
			return findLayer(p.Children[0])
		}
	case "multipart/alternative":
		return sameArmor(p.Children)
	case "text/plain", "application/pgp":
		if !p.Attachment && soleArmor(p) != nil {
			return &layer{p, false}
		}
	}
	return nil
}

// pair returns the ciphertext of the two parts of RFC 3156, section 4, in
// whichever order they stand. Servers rename them and change the type of the
// second.
func pair(children []*Part) *Part {
	if len(children) != 2 {
		return nil
	}
	version, data := children[0], children[1]
	if !isVersion(version) {
		version, data = data, version
	}
	if !isVersion(version) {
		return nil
	}
	switch data.MediaType {
	case "application/octet-stream", "application/pgp-encrypted", "text/plain":
		return data
	}
	return nil
}

// isVersion reports whether the part is the one that only says "Version: 1".
func isVersion(p *Part) bool {
	if p.MediaType != "application/pgp-encrypted" {
		return false
	}
	body, err := p.Body()
	return err == nil && len(body) < 512 && !bytes.Contains(body, []byte("-----BEGIN ")) && (len(body) == 0 || body[0]&0x80 == 0)
}

// withoutEmptyText leaves out the parts of a text without words that servers add.
func withoutEmptyText(children []*Part) []*Part {
	var kept []*Part
	for _, c := range children {
		if !emptyText(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

// maxEmpty is how long a text may be in which nothing stands.
const maxEmpty = 4 << 10

func emptyText(p *Part) bool {
	if p.Filename != "" || p.MediaType != "text/plain" && p.MediaType != "text/html" || len(p.Raw) > maxEmpty {
		return false
	}
	text, err := p.Text()
	if err != nil {
		return false
	}
	if p.MediaType == "text/html" {
		if strings.Contains(strings.ToLower(text), "<img") {
			return false
		}
		text = htmlLines(text)
	}
	return strings.TrimSpace(text) == ""
}

// soleArmor returns the block if the text is one encrypted block and nothing else.
func soleArmor(p *Part) *keyring.Block {
	text := bytes.TrimSpace(armorText(p))
	if !bytes.HasPrefix(text, beginMessage) {
		return nil
	}
	blocks := keyring.FindArmor(text)
	if len(blocks) != 1 || blocks[0].Start != 0 || blocks[0].End != len(text) || !keyring.IsEncrypted(blocks[0].Data) {
		return nil
	}
	return &blocks[0]
}

// sameArmor recognises what some clients make of a text that is one block of
// armor: the same block as plain text and as HTML.
func sameArmor(versions []*Part) *layer {
	var first *keyring.Block
	var plain *Part
	for _, p := range versions {
		if p.Attachment || p.MediaType != "text/plain" && p.MediaType != "text/html" {
			return nil
		}
		b := soleArmor(p)
		if b == nil || first != nil && !bytes.Equal(b.Data, first.Data) {
			return nil
		}
		if first = b; plain == nil && p.MediaType == "text/plain" {
			plain = p
		}
	}
	if plain == nil {
		return nil
	}
	return &layer{plain, false}
}
