package pgpmime

import "parley/keyring"

// A report may come as one encrypted file, with a text around it that only says so.
// The file stays a document of its own, which lends nothing to that text: what came
// inside it says whose key made its own signature, and no more.

// isSoleFile reports whether a message is one file that may be encrypted, with at
// most one text beside it.
func isSoleFile(root *Part) bool {
	if root.MediaType != "multipart/mixed" {
		return len(root.Children) == 0 && isKeyFile(root)
	}
	files, texts := 0, 0
	for _, p := range withoutEmptyText(root.Children) {
		switch {
		case len(p.Children) == 0 && isKeyFile(p):
			files++
		case isCover(p):
			texts++
		default:
			return false
		}
	}
	return files == 1 && texts <= 1
}

// isCover reports whether a part is words only, in one form or in two.
func isCover(p *Part) bool {
	if p.MediaType != "multipart/alternative" {
		return !p.Attachment && p.Filename == "" && (p.MediaType == "text/plain" || p.MediaType == "text/html")
	}
	for _, c := range p.Children {
		if c.MediaType == "multipart/alternative" || !isCover(c) {
			return false
		}
	}
	return true
}

// keysIn lists the certificates that stand as armor in what was decrypted, each
// joined with what is known of that key.
func (j *job) keysIn(data []byte) (inside []*keyring.Certificate) {
	search := keySearch{left: maxKeyOctets}
	for _, b := range keyring.FindArmor(data) {
		if b.Kind == keyring.ArmorPublicKey && len(b.Data) <= maxAttachedKey {
			search.add(b.Data, InEncrypted)
		}
	}
	for _, a := range search.found {
		inside = append(inside, j.join(a.Certificate))
	}
	return inside
}
