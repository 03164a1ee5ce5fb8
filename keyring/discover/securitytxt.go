package discover

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/keyring"
)

// maxEncryption is how many keys named by a security.txt are fetched.
const maxEncryption = 4

// CheckURL returns a Fault unless raw is where one of these addresses may have
// its security.txt: https on the address's own domain or its www host.
func CheckURL(raw string, addresses []string) error {
	_, _, err := fileURL(raw, addresses)
	return err
}

// fileURL reads where a security.txt lies, and which addresses it can speak for.
func fileURL(raw string, addresses []string) (*url.URL, []address, error) {
	u, err := url.Parse(raw)
	if err != nil || !plain(u) || u.RawQuery != "" || u.Fragment != "" || len(u.Path) < 2 {
		return nil, nil, BadURL
	}
	var own []address
	for _, s := range addresses {
		a, err := parseAddress(s)
		if host := strings.ToLower(u.Hostname()); err == nil && (host == a.domain || host == "www."+a.domain) {
			own = append(own, a)
		}
	}
	if len(own) == 0 {
		return nil, nil, OtherDomain
	}
	return u, own, nil
}

// securityTxt is what a signed file says. RFC 9116, section 2.5.
type securityTxt struct {
	signed     *keyring.Cleartext
	contact    []string
	encryption []string
	canonical  []string
	expires    []string
}

// readFile takes the fields from within the signature; what stands around it
// says nothing.
func readFile(data []byte) (*securityTxt, error) {
	signed, err := keyring.ReadCleartext(data)
	if err != nil || !utf8.Valid(signed.Signed) {
		return nil, NotSigned
	}
	f := &securityTxt{signed: signed}
	fields := map[string]*[]string{"contact": &f.contact, "encryption": &f.encryption, "canonical": &f.canonical, "expires": &f.expires}
	lines := bufio.NewScanner(bytes.NewReader(signed.Signed))
	lines.Buffer(nil, len(signed.Signed)+1)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), ":")
		if into := fields[strings.ToLower(strings.TrimSpace(name))]; ok && into != nil {
			*into = append(*into, strings.TrimSpace(value))
		}
	}
	return f, lines.Err()
}

// check says why a file that came from u counts for none of these addresses,
// or which of them it names.
func (f *securityTxt) check(u *url.URL, own []address, at time.Time) ([]address, error) {
	if len(f.expires) != 1 {
		return nil, Malformed
	}
	end, err := time.Parse(time.RFC3339, f.expires[0])
	switch {
	case err != nil:
		return nil, Malformed
	case !at.Before(end):
		return nil, Expired
	case len(f.canonical) > 0 && !slices.Contains(f.canonical, u.String()):
		return nil, NotCanonical
	}
	var named []address
	for _, a := range own {
		if slices.ContainsFunc(f.contact, a.isContact) {
			named = append(named, a)
		}
	}
	if len(named) == 0 {
		return nil, NoContact
	}
	return named, nil
}

// isContact reports whether a Contact field is mailto: with this address.
func (a address) isContact(field string) bool {
	scheme, rest, ok := strings.Cut(field, ":")
	if !ok || !strings.EqualFold(scheme, "mailto") {
		return false
	}
	rest, _, _ = strings.Cut(rest, "?")
	text, err := url.PathUnescape(rest)
	if err != nil {
		return false
	}
	b, err := parseAddress(text)
	return err == nil && strings.EqualFold(b.local, a.local) && b.domain == a.domain
}

// SecurityTxt reads a security.txt that somebody named, on behalf of the party
// with these addresses, of whom these certificates are known. It counts when it
// came from the domain of an address that it names as a contact, has not
// expired, and is signed by a key that it names or by one with an address of
// that domain. The error is a Fault, or that of ctx.
func (c *Client) SecurityTxt(ctx context.Context, raw string, addresses []string, known []*keyring.Certificate, at time.Time) (Finding, error) {
	u, own, err := fileURL(raw, addresses)
	if err != nil {
		return Finding{}, err
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	data, err := c.fetch(ctx, u)
	if err != nil {
		return Finding{}, err
	}
	file, err := readFile(data)
	if err != nil {
		return Finding{}, err
	}
	named, err := file.check(u, own, at)
	if err != nil {
		return Finding{}, err
	}
	s := &search{Client: c, named: named, known: known, at: at}
	if err := s.gather(ctx, file.encryption); err != nil {
		return s.found, err
	}
	signer, err := s.signer(file.signed)
	if err != nil {
		return Finding{Said: s.found.Said}, err
	}
	s.found.Evidence = "security.txt at " + u.String() + ", signed by " + signer.Fingerprint().Spaced()
	return s.found, nil
}

// search gathers what the Encryption fields of one file lead to.
type search struct {
	*Client
	named []address
	known []*keyring.Certificate
	at    time.Time
	all   []*keyring.Certificate // whatever was served
	found Finding
}

func (s *search) gather(ctx context.Context, fields []string) error {
	for i, field := range fields {
		if i == maxEncryption {
			s.found.say("more than %d Encryption lines; the others are left out", maxEncryption)
			break
		}
		certs, err := s.follow(ctx, field)
		var fault Fault
		switch {
		case errors.Is(err, SecretKey) || errors.Is(err, TooSlow) || err != nil && !errors.As(err, &fault):
			return err
		case err != nil:
			s.found.say("%s: %s", field, fault.Sentence())
		}
		s.all = append(s.all, slices.DeleteFunc(certs, s.has)...)
	}
	for _, a := range s.named {
		s.found.take(a, s.all, s.at)
	}
	if len(s.found.Keys) == 0 {
		return NoEncryption
	}
	return nil
}

// has reports whether a certificate was served before, the very same.
func (s *search) has(c *keyring.Certificate) bool {
	return slices.ContainsFunc(s.all, func(o *keyring.Certificate) bool { return bytes.Equal(o.Bytes(), c.Bytes()) })
}

// follow gets the certificates that one Encryption field names. RFC 9116,
// section 2.5.4.
func (s *search) follow(ctx context.Context, field string) ([]*keyring.Certificate, error) {
	scheme, rest, _ := strings.Cut(field, ":")
	switch strings.ToLower(scheme) {
	case "https":
		u, err := url.Parse(field)
		if err != nil || !s.onDomain(strings.ToLower(u.Hostname())) {
			return nil, OtherDomain
		}
		data, err := s.fetch(ctx, u)
		if err != nil {
			return nil, err
		}
		return certificates(data)
	case "openpgp4fpr":
		return s.byFingerprint(ctx, rest)
	case "dns":
		s.found.say("%s: keys in the DNS are not looked for; publish an https or openpgp4fpr address", field)
		return nil, nil
	}
	s.found.say("%s: not an address that a key is fetched from", field)
	return nil, nil
}

// onDomain reports whether a host is, or lies below, the domain of the file.
func (s *search) onDomain(host string) bool {
	return slices.ContainsFunc(s.named, func(a address) bool {
		return host == a.domain || strings.HasSuffix(host, "."+a.domain)
	})
}

// byFingerprint finds the certificate among those known, or in the directory.
func (s *search) byFingerprint(ctx context.Context, text string) ([]*keyring.Certificate, error) {
	want, err := keyring.ParseFingerprint(text)
	if err != nil {
		s.found.say("openpgp4fpr: %q is not a whole fingerprint", text)
		return nil, nil
	}
	other := func(c *keyring.Certificate) bool { return c.Fingerprint() != want }
	if got := slices.DeleteFunc(slices.Clone(s.known), other); len(got) > 0 {
		return got, nil
	}
	for _, a := range s.named {
		f, err := s.WKD(ctx, a.text, s.at)
		if ctx.Err() != nil || errors.Is(err, SecretKey) {
			return nil, err
		}
		for _, k := range f.Keys {
			if !other(k.Certificate) {
				return []*keyring.Certificate{k.Certificate}, nil
			}
		}
	}
	s.found.say("key %s is named and published nowhere that is looked at", want.Spaced())
	return nil, nil
}

// signer is who signed the file and may speak for it. One signature that is
// bad spoils the others.
func (s *search) signer(file *keyring.Cleartext) (*keyring.Certificate, error) {
	var good *keyring.Certificate
	for _, sig := range file.Signatures {
		for _, c := range append(slices.Clone(s.all), s.known...) {
			err := sig.Verify(file.Signed, c, s.at, nil)
			switch {
			case err == nil && s.speaks(c):
				good = c
			case err != nil && !errors.Is(err, keyring.FaultUnknownKey):
				return nil, BadSignature
			}
		}
	}
	if good == nil {
		return nil, Stranger
	}
	return good, nil
}

// speaks reports whether a key is named by the file for one of its addresses,
// or has an address on its domain.
func (s *search) speaks(c *keyring.Certificate) bool {
	if slices.ContainsFunc(s.found.Keys, func(k Key) bool { return k.Certificate.Fingerprint() == c.Fingerprint() }) {
		return true
	}
	return slices.ContainsFunc(c.Addresses(), func(mail string) bool {
		d := Domain(mail)
		return d != "" && slices.ContainsFunc(s.named, func(a address) bool { return a.domain == d })
	})
}
