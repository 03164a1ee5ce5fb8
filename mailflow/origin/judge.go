package origin

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-msgauth/dmarc"
)

// Result is a word of RFC 8601 section 2.7, and the only thing that a mail or its DNS can put into one.
type Result string

// The words.
const (
	None      Result = "none"
	Pass      Result = "pass"
	Fail      Result = "fail"
	SoftFail  Result = "softfail"
	Neutral   Result = "neutral"
	TempError Result = "temperror"
	PermError Result = "permerror"
)

// A Signature is what one DKIM signature turned out to be.
type Signature struct {
	Domain string // "" where it names none that could be
	Result Result
}

// A Verdict is what a mail and DNS say together. It is for people to read.
type Verdict struct {
	SPF       Result
	SPFDomain string
	Why       string      // SPF says nothing, in words
	DKIM      []Signature // those that were verified
	More      bool        // and there are others
	DMARC     Result
	Author    string // the domain that DMARC is about
}

// Judge applies answers to a mail. It asks nobody. What it costs is bounded by the length of the mail: at most four
// signatures are verified, each in one pass.
func Judge(a Answers, raw []byte) Verdict {
	v := Verdict{SPF: a.SPF, SPFDomain: a.SPFDomain, Why: a.Why, Author: a.Author}
	head, body := split(raw)
	all := fields(head)
	if len(all) > maxFields {
		v.More = true
	} else {
		var found [][]byte
		if found, v.More = signatures(all); len(found) > 0 {
			rest := slices.DeleteFunc(all, func(f []byte) bool { return nameOf(f) == "dkim-signature" })
			for _, f := range found {
				v.DKIM = append(v.DKIM, verify(a, f, rest, body))
			}
		}
	}
	v.DMARC = a.aligned(v)
	return v
}

// split cuts a mail where its header ends.
func split(raw []byte) (head, body []byte) {
	if i := bytes.Index(raw, []byte("\r\n\r\n")); i >= 0 {
		return raw[:i+2], raw[i+4:]
	}
	return raw, nil
}

// verify verifies one signature alone: several at once the library verifies in goroutines of its own, where a failure of it
// would end the process.
func verify(a Answers, field []byte, rest [][]byte, body []byte) (s Signature) {
	if d := strings.ToLower(tag(field, "d")); isName(d) {
		s.Domain = d
	}
	s.Result = PermError
	defer func() { _ = recover() }() // then it stays so
	parts := []io.Reader{bytes.NewReader(field)}
	for _, f := range rest {
		parts = append(parts, bytes.NewReader(f))
	}
	parts = append(parts, strings.NewReader("\r\n"), bytes.NewReader(body))
	all, err := dkim.VerifyWithOptions(io.MultiReader(parts...), &dkim.VerifyOptions{LookupTXT: a.key, MaxVerifications: 1})
	switch {
	case err != nil || len(all) != 1:
	case all[0].Err == nil:
		s.Result = Pass
	case dkim.IsTempFail(all[0].Err):
		s.Result = TempError
	case dkim.IsPermFail(all[0].Err):
	default:
		s.Result = Fail
	}
	return s
}

// key is what DNS had said under a name.
func (a Answers) key(name string) ([]string, error) {
	got, ok := a.Keys[strings.ToLower(name)]
	switch {
	case !ok || got.Fault == PermError:
		return nil, fmt.Errorf("%s was not asked for", name)
	case got.Fault != "":
		return nil, &net.DNSError{Err: "no answer", Name: name, IsTemporary: true}
	case len(got.Texts) == 0:
		return nil, notFound(name)
	}
	return got.Texts, nil
}

// aligned is the result of DMARC (RFC 7489 section 6.6.2).
func (a Answers) aligned(v Verdict) Result {
	switch {
	case a.Policy.Fault != "":
		return a.Policy.Fault
	case a.Author == "" || len(a.Policy.Texts) == 0:
		return None
	case len(a.Policy.Texts) > 1:
		return None // section 6.6.3, step 5
	}
	policy, err := dmarc.Parse(a.Policy.Texts[0])
	if err != nil {
		return PermError
	}
	later := v.SPF == TempError && same(v.SPFDomain, a.Author, policy.SPFAlignment)
	if v.SPF == Pass && same(v.SPFDomain, a.Author, policy.SPFAlignment) {
		return Pass
	}
	for _, s := range v.DKIM {
		if !same(s.Domain, a.Author, policy.DKIMAlignment) {
			continue
		}
		if s.Result == Pass {
			return Pass
		}
		later = later || s.Result == TempError
	}
	if later {
		return TempError
	}
	return Fail
}

// same compares domains as a policy wants it: exactly, or as those of one organisation.
func same(a, author string, mode dmarc.AlignmentMode) bool {
	if a == "" || mode == dmarc.AlignmentStrict {
		return a == author
	}
	return organisation(a) == organisation(author)
}

// String is the verdict in one line, of words of ours and names of domains: "spf=pass (acme.example); dkim=fail (acme.example);
// dmarc=fail (acme.example)".
func (v Verdict) String() string {
	with := func(result Result, of string) string {
		if of == "" {
			return string(result)
		}
		return fmt.Sprintf("%s (%s)", result, of)
	}
	about := v.SPFDomain
	if v.Why != "" {
		about = v.Why
	}
	out := []string{"spf=" + with(v.SPF, about)}
	for _, s := range v.DKIM {
		out = append(out, "dkim="+with(s.Result, s.Domain))
	}
	if len(v.DKIM) == 0 {
		out = append(out, "dkim=none")
	}
	if v.More {
		out = append(out, "more signatures were not looked at")
	}
	return strings.Join(append(out, "dmarc="+with(v.DMARC, v.Author)), "; ")
}
