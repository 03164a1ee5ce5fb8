package discover

import (
	"context"
	"crypto/sha1" // names a file; nothing rests on it
	"encoding/base32"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"parley/keyring"
)

// address is a mail address as look-ups need it.
type address struct {
	text   string // in lower case, as it was given
	local  string // as it was given
	domain string // ASCII form, lower case
}

// maxLocal is the longest local part (RFC 5321, section 4.5.3.1.1).
const maxLocal = 64

func parseAddress(s string) (address, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > maxLocal || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return address{}, BadAddress
	}
	domain, err := idna.Lookup.ToASCII(strings.ToLower(s[at+1:]))
	_, ip := netip.ParseAddr(domain)
	if err != nil || ip == nil || !strings.Contains(strings.Trim(domain, "."), ".") || strings.HasSuffix(domain, ".") {
		return address{}, BadAddress
	}
	return address{text: strings.ToLower(s), local: s[:at], domain: domain}, nil
}

// Domain is the host name whose owner speaks for an address, in ASCII form; ""
// where there is none to ask.
func Domain(mail string) string {
	a, err := parseAddress(mail)
	if err != nil {
		return ""
	}
	return a.domain
}

// namedBy reports whether a user ID of c is exactly this address, its domain in
// either form.
func (a address) namedBy(c *keyring.Certificate, at time.Time) bool {
	local := strings.ToLower(a.local)
	if c.Names(local+"@"+a.domain, at) {
		return true
	}
	wide, err := idna.Lookup.ToUnicode(a.domain)
	return err == nil && c.Names(local+"@"+wide, at)
}

// zBase32 is the alphabet that the directory names its files in.
var zBase32 = base32.NewEncoding("ybndrfg8ejkmcpqxot1uwisza345h769").WithPadding(base32.NoPadding)

// name is the file name of a local part: its SHA-1, ASCII letters in lower case.
// Draft-koch-openpgp-webkey-service, section 3.1.
func (a address) name() string {
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, a.local)
	sum := sha1.Sum([]byte(lower))
	return zBase32.EncodeToString(sum[:])
}

// advanced and direct are the two places where an address may have its file.
func (a address) advanced() *url.URL {
	return a.at("openpgpkey."+a.domain, "/.well-known/openpgpkey/"+a.domain+"/hu/")
}

func (a address) direct() *url.URL { return a.at(a.domain, "/.well-known/openpgpkey/hu/") }

func (a address) at(host, dir string) *url.URL {
	return &url.URL{Scheme: "https", Host: host, Path: dir + a.name(), RawQuery: "l=" + strings.ReplaceAll(url.QueryEscape(a.local), "+", "%20")}
}

// Directory says where the certificates of an address are published: by the
// advanced method, and by the direct one, which counts only where the host of the
// first does not exist. The error is BadAddress.
func Directory(mail string) (advanced, direct *url.URL, err error) {
	a, err := parseAddress(mail)
	if err != nil {
		return nil, nil, err
	}
	return a.advanced(), a.direct(), nil
}

// WKD looks an address up in the Web Key Directory of its domain: by the
// advanced method, and only where the host for that does not exist by the
// direct one. The error is a Fault, or that of ctx; what is worth saying about
// keys that were left out is in the Finding also then.
func (c *Client) WKD(ctx context.Context, mail string, at time.Time) (Finding, error) {
	a, err := parseAddress(mail)
	if err != nil {
		return Finding{}, err
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	u := a.advanced()
	data, err := c.fetch(ctx, u)
	if errors.Is(err, NoHost) {
		u = a.direct()
		data, err = c.fetch(ctx, u)
	}
	if err != nil {
		return Finding{}, err
	}
	found := Finding{Evidence: "WKD, " + u.Hostname()}
	certs, err := certificates(data)
	if err != nil {
		return found, err
	}
	if found.take(a, certs, at); len(found.Keys) == 0 {
		return found, NoCertificate
	}
	return found, nil
}

// certificates reads what a server gave.
func certificates(data []byte) ([]*keyring.Certificate, error) {
	certs, err := keyring.ParseCertificates(data)
	switch {
	case errors.Is(err, keyring.ErrSecretKey):
		return nil, SecretKey
	case err != nil:
		return nil, NoCertificate
	}
	return certs, nil
}
