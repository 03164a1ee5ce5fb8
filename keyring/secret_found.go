package keyring

import (
	"bytes"
	"slices"
)

// maxSecretsFound bounds how many secret keys one text is searched for.
const maxSecretsFound = 16

var (
	beginSecretKey = []byte("-----BEGIN " + ArmorSecretKey + "-----")
	beginPublicKey = []byte("-----BEGIN " + ArmorPublicKey + "-----")
	armorEnd       = []byte("-----END ")
)

// FindSecretKeys gives the fingerprints of the secret keys in data, binary or in
// armor with any text around it, even under the label of a public key; "" stands
// for one in armor that cannot be read. The secret halves are not looked at.
func FindSecretKeys(data []byte) []Fingerprint {
	if len(data) > 0 && data[0]&0x80 != 0 {
		// Any file may start like a packet: binary data counts if a key can be read.
		known := slices.DeleteFunc(secretFingerprints(data), func(f Fingerprint) bool { return f == "" })
		if len(known) > 0 {
			return known
		}
	}
	var found []Fingerprint
	for _, s := range SecretKeySpans(data) {
		fprs := []Fingerprint{""}
		if blocks := FindArmor(data[s[0]:s[1]]); len(blocks) == 1 {
			if read := secretFingerprints(blocks[0].Data); len(read) > 0 {
				fprs = read
			}
		}
		for _, f := range fprs {
			if len(found) < maxSecretsFound && !slices.Contains(found, f) {
				found = append(found, f)
			}
		}
	}
	return found
}

// SecretKeySpans says where blocks of armor with secret keys stand in a text, from
// the first octet up to behind the last, in order. A damaged block counts as well:
// up to its END line, or else for as long as its lines look like armor.
func SecretKeySpans(text []byte) [][2]int {
	var found [][2]int
	if !bytes.Contains(text, beginSecretKey) && !bytes.Contains(text, beginPublicKey) {
		return nil
	}
	for at := 0; len(found) < maxBlocks; {
		i := bytes.Index(text[at:], armorBegin)
		if i < 0 {
			break
		}
		start := at + i
		at = start + len(armorBegin)
		if end, ok := secretSpan(text, start); ok {
			found, at = append(found, [2]int{start, end}), end
		}
	}
	return found
}

// secretSpan says where the block that begins at start ends, if it holds a secret
// key.
func secretSpan(text []byte, start int) (end int, ok bool) {
	labelled := bytes.HasPrefix(text[start:], beginSecretKey)
	if !labelled && !bytes.HasPrefix(text[start:], beginPublicKey) {
		return 0, false
	}
	b, err := readBlock(text, start)
	switch {
	case err == nil:
		return b.End, labelled || len(secretFingerprints(b.Data)) > 0
	case labelled:
		return secretEnd(text, start+len(beginSecretKey))
	}
	return 0, false
}

// secretEnd finds where a damaged block ends whose first line ends at at, and
// whether there is key data in it at all: a letter may speak of such a block. It
// looks no further than the next dashes, so that many beginnings cost no more than
// one.
func secretEnd(text []byte, at int) (end int, ok bool) {
	inside := text[at:]
	if i := bytes.Index(inside, dashes); i >= 0 {
		inside = inside[:i]
	}
	last := at + len(inside)
	if bytes.HasPrefix(text[last:], armorEnd) {
		if !slices.ContainsFunc(bytes.Fields(inside), keyData) {
			return 0, false
		}
		_, end = nextLine(text, last)
		return end, true
	}
	for _, next := nextLine(text[:last], at); next < last; {
		var line []byte
		line, next = nextLine(text[:last], next)
		line = bytes.TrimLeft(bytes.TrimSpace(line), "> ")
		switch {
		case radix64Line(line), ok && bytes.HasSuffix(line, []byte("=")): // the last one may be short
			ok, end = true, next
		case len(line) == 0 || bytes.Contains(line, []byte(":")):
		case ok:
			return end, ok
		}
	}
	return end, ok
}

// keyData tells a word of armor from one of a language, wherever the line breaks went.
func keyData(word []byte) bool { return len(word) >= 32 && radix64Line(word) }

// radix64Line reports whether a line is one of armor. RFC 9580, section 6.
func radix64Line(line []byte) bool {
	const shortest = 16
	if len(line) < shortest {
		return len(line) == 5 && line[0] == '='
	}
	return !slices.ContainsFunc(line, func(c byte) bool {
		return !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=')
	})
}

// secretFingerprints reads the public half of each secret key packet, which
// stands in front of the secret one. RFC 9580, section 5.5.3.
func secretFingerprints(data []byte) []Fingerprint {
	var found []Fingerprint
	for len(data) > 0 && len(found) < maxSecretsFound {
		p, rest, err := nextPacket(data)
		if err != nil {
			break
		}
		data = rest
		if p.tag != tagSecretKey {
			continue
		}
		f := Fingerprint("")
		if k, err := parseKey(rawPacket{tag: tagPublicKey, body: p.body}); err == nil {
			f = fingerprintOf(k.Fingerprint)
		}
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	return found
}
