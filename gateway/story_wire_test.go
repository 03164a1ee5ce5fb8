package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mailDate is how a date stands in a header field (RFC 5322 section 3.3).
const mailDate = "Mon, 02 Jan 2006 15:04:05 -0700"

// armorBlock is ciphertext or a key, in which any short word may stand by chance.
var armorBlock = regexp.MustCompile(`(?s)-----BEGIN PGP [A-Z ]+-----.*?-----END PGP [A-Z ]+-----`)

// sealed checks how a mail travelled: signed by the gateway, readable with this
// vendor's key alone, and on the wire without a word of the case.
func (s *story) sealed(v *storyVendor, m storyMail) (wrong []string) {
	if ours := string(s.app.base.Own.Signing().Certificate().Fingerprint()); m.Signer != ours {
		wrong = append(wrong, fmt.Sprintf("it is signed by %q, not the gateway", m.Signer))
	}
	if m.kind != "clear" {
		if len(m.Keys) != 1 || !v.has(m.Keys[0]) {
			wrong = append(wrong, fmt.Sprintf("it is encrypted to %x", m.Keys))
		}
		if i := slices.IndexFunc(v.keys, func(k storyKey) bool { return k.id == v.Entity.PrimaryKey.KeyId }); i < 0 || !v.keys[i].good(m) {
			wrong = append(wrong, "nobody vouches for its key now, or it has ended")
		}
	}
	return append(wrong, s.wire(v, m)...)
}

// has says whether a key of this vendor has an ID.
func (v *storyVendor) has(id uint64) bool {
	return len(v.Entity.Subkeys) > 0 && v.Entity.Subkeys[0].PublicKey.KeyId == id
}

// good says whether the desk vouched for the key when a mail came.
func (k storyKey) good(m storyMail) bool {
	return !m.At.Before(k.from) && (k.to.IsZero() || m.At.Before(k.to))
}

// wire is what everybody on the way can read, and nothing of a case may stand in it.
func (s *story) wire(v *storyVendor, m storyMail) (wrong []string) {
	for _, word := range s.secrets() {
		if bytes.Contains(m.Raw, []byte(word)) {
			wrong = append(wrong, "on the wire stands "+word)
		}
	}
	open := strings.ToLower(string(armorBlock.ReplaceAll(m.Raw, nil)))
	for _, o := range s.vendors {
		if o != v && strings.Contains(open, o.party) {
			wrong = append(wrong, "on the wire stands "+o.party)
		}
	}
	for _, word := range []string{s.cast.tag, "embargo", "tlp:", "robin", componentName} {
		if strings.Contains(open, strings.ToLower(word)) {
			wrong = append(wrong, "on the wire stands "+word)
		}
	}
	for _, word := range []string{s.cast.tag, v.product, "embargo", "disclos"} {
		if m.kind == "clear" && strings.Contains(m.all(), word) {
			wrong = append(wrong, "in clear it says "+word)
		}
	}
	if subject := m.header("Subject"); m.kind != "clear" && subject != s.app.set.Subject {
		wrong = append(wrong, "its outer Subject is "+subject)
	}
	return wrong
}

// secrets are words that are found nowhere but in ciphertext.
func (s *story) secrets() []string {
	out := []string{answeredMark, reportMark}
	for _, t := range storyTexts {
		out = append(out, t.mark)
	}
	for _, v := range s.vendors {
		out = append(out, v.words(), v.annex())
	}
	return out
}

// leaves checks that neither the state directory nor the log holds a word of the
// case or its people (rules H4 and H6).
func (s *story) leaves() {
	s.Helper()
	words := append(s.secrets(), s.cast.tag, componentName, s.cast.finder.Address)
	for _, v := range s.vendors {
		words = append(words, v.Address)
	}
	files := 0
	s.must(filepath.WalkDir(s.app.set.StateDir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		files++
		for _, w := range words {
			if bytes.Contains(data, []byte(w)) {
				s.Errorf("%s holds %q", e.Name(), w)
			}
		}
		return err
	}))
	if files == 0 {
		s.Error("there is no file of the gateway to look into")
	}
	log := s.log.String()
	for _, w := range words {
		if w != s.cast.tag && strings.Contains(log, w) { // a log may hold IDs
			s.Errorf("the log holds %q", w)
		}
	}
}
