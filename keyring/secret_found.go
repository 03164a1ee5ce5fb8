package keyring

import (
	"bytes"
	"slices"
)

// maxSecretsFound bounds how many secret keys one text is searched for.
const maxSecretsFound = 16

var beginSecretKey = []byte("-----BEGIN " + ArmorSecretKey + "-----")

// FindSecretKeys gives the fingerprints of the secret keys in data, binary or in
// armor with any text around it; "" stands for one in armor that cannot be read.
// The secret halves are not looked at.
func FindSecretKeys(data []byte) []Fingerprint {
	if len(data) > 0 && data[0]&0x80 != 0 {
		// Any file may start like a packet: binary data counts if a key can be read.
		return slices.DeleteFunc(secretFingerprints(data), func(f Fingerprint) bool { return f == "" })
	}
	if !bytes.Contains(data, beginSecretKey) {
		return nil
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
// it goes on for as long as its lines look like armor.
func SecretKeySpans(text []byte) [][2]int {
	var found [][2]int
	for at := 0; len(found) < maxBlocks; {
		i := bytes.Index(text[at:], beginSecretKey)
		if i < 0 {
			break
		}
		start := at + i
		at = start + len(beginSecretKey)
		if b, err := readBlock(text, start); err == nil {
			found, at = append(found, [2]int{start, b.End}), b.End
		} else if end, ok := secretEnd(text, at); ok {
			found, at = append(found, [2]int{start, end}), end
		}
	}
	return found
}

// secretEnd finds where a block ends whose first line ends at at, and whether
// there is key data in it at all: a letter may speak of such a block.
func secretEnd(text []byte, at int) (end int, ok bool) {
	_, at = nextLine(text, at)
	for end = at; at < len(text); {
		line, next := nextLine(text, at)
		line = bytes.TrimLeft(bytes.TrimSpace(line), "> ")
		switch {
		case bytes.HasPrefix(line, []byte("-----END ")):
			return next, ok
		case bytes.HasPrefix(line, dashes):
			return end, ok
		case radix64Line(line), ok && bytes.HasSuffix(line, []byte("=")): // the last one may be short
			ok, end = true, next
		case len(line) == 0 || bytes.Contains(line, []byte(":")):
		case ok:
			return end, ok
		}
		at = next
	}
	return end, ok
}

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
