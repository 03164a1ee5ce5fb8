package cvd

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"regexp"
	"slices"
	"strings"
	"time"
)

// codeTries is how many wrong codes a live code survives (rule S5).
const codeTries = 5

// Crockford's alphabet has no I, L, O or U: a code that is read aloud or
// typed from paper arrives as it left.
var codeAlphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// codePattern is a code as people write it, the hyphen forgotten or not.
var codePattern = regexp.MustCompile(`(?i)^[0-9A-Z]{4}-?[0-9A-Z]{4}$`)

// NewCode makes a one-time code of 40 random bits, "K7Q3-X9PM". It always
// holds a letter, so that it never looks like a date or a phone number.
func NewCode() string {
	for {
		var b [5]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		c := codeAlphabet.EncodeToString(b[:])
		if strings.ContainsAny(c, "ABCDEFGHJKMNPQRSTVWXYZ") {
			return c[:4] + "-" + c[4:]
		}
	}
}

// LooksLikeCode says whether a word has the form of a code.
func LooksLikeCode(word string) bool { return codePattern.MatchString(word) }

func normalCode(word string) string {
	w := strings.ToUpper(strings.ReplaceAll(word, "-", ""))
	return strings.NewReplacer("I", "1", "L", "1", "O", "0").Replace(w)
}

// digest binds a code to one participant of one case.
func (p Participant) digest(word string) []byte {
	m := hmac.New(sha256.New, []byte(p.Token))
	m.Write([]byte(string(p.Case) + "\x00" + string(p.Party) + "\x00" + normalCode(word)))
	return m.Sum(nil)
}

// Remember adds the code of a notice to those that the participant may answer
// with. Codes that are used or dead are forgotten after 90 days.
func (p *Participant) Remember(code string, notice uint64, now time.Time) {
	kept := p.Codes[:0:0]
	for _, c := range p.Codes {
		if c.Used.IsZero() || now.Sub(c.Used) < 90*Day {
			kept = append(kept, c)
		}
	}
	p.Codes = append(kept, Code{Digest: p.digest(code), Notice: notice})
}

// Knows says whether word is an unused code of a notice to this participant.
// All codes are compared, in constant time (rule S5).
func (p Participant) Knows(word string) bool { return p.find(word) >= 0 }

func (p Participant) find(word string) int {
	d, found := p.digest(word), -1
	for i, c := range p.Codes {
		if subtle.ConstantTimeCompare(c.Digest, d) == 1 && c.Used.IsZero() {
			found = i
		}
	}
	return found
}

// Redeem says whether word is an unused code of a notice to this participant,
// and uses it up. A wrong one counts against every live code; the fifth kills
// them.
func (p *Participant) Redeem(word string, now time.Time) bool {
	found := p.find(word)
	if found >= 0 {
		p.Codes[found].Used = now
		return true
	}
	for i := range p.Codes {
		if c := &p.Codes[i]; c.Used.IsZero() {
			if c.Tries++; c.Tries >= codeTries {
				c.Used = now
			}
		}
	}
	return false
}

// EndCodes kills every code that was not used. The next mail brings a fresh one.
func (p *Participant) EndCodes(now time.Time) {
	p.Codes = slices.Clone(p.Codes)
	for i := range p.Codes {
		if p.Codes[i].Used.IsZero() {
			p.Codes[i].Used = now
		}
	}
}

// Guessed says whether wrong codes killed live ones at an instant.
func (p Participant) Guessed(at time.Time) bool {
	return slices.ContainsFunc(p.Codes, func(c Code) bool { return c.Tries >= codeTries && c.Used.Equal(at) })
}

// tokenAlphabet is base32 in lower case (RFC 4648 section 6), since local
// parts fold case.
var tokenAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewToken makes the token of a case+TOKEN@ or bounce+TOKEN@ address: 100
// random bits (rule M1 asks for 80).
func NewToken() string {
	var b [13]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return tokenAlphabet.EncodeToString(b[:])[:20]
}
