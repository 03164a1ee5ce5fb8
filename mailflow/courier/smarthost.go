package courier

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Security is how a connection to a smarthost is protected.
type Security string

const (
	// ImplicitTLS begins with the TLS handshake (RFC 8314 section 3.3).
	ImplicitTLS Security = "smtps"
	// StartTLS asks for TLS in the dialogue (RFC 3207) and gives up without.
	StartTLS Security = "smtp+starttls"
	// Loopback has no TLS and never leaves this machine.
	Loopback Security = "smtp"
)

var ports = map[Security]string{ImplicitTLS: "465", StartTLS: "587", Loopback: "25"}

// A Smarthost is the mail server that takes all our mail.
type Smarthost struct {
	Security Security
	User     string // "" means no login
	Host     string // name, or address without brackets
	Port     string
	TLSName  string // in its certificate; "" means Host
}

// SetTLSName sets the name, or the address, that the certificate must be for where it is not the host's.
func (h *Smarthost) SetTLSName(name string) error {
	if _, err := netip.ParseAddr(name); err != nil && !isDomain(name) {
		return errors.New("neither a domain nor an address")
	}
	if h.Security == Loopback {
		return errors.New("smtp:// has no TLS, and so no certificate")
	}
	h.TLSName = name
	return nil
}

// ParseSmarthost reads "smtps://user@relay.example.org:465", "smtp+starttls://user@relay.example.org:587" or, to a loopback
// address or localhost only, "smtp://127.0.0.1:25". A port may be left out. A password does not belong there, and no error
// repeats the URL.
func ParseSmarthost(s string) (Smarthost, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Smarthost{}, errors.New("not a URL such as smtps://user@relay.example.org:465")
	}
	h := Smarthost{Security: Security(u.Scheme), Host: u.Hostname(), Port: u.Port()}
	if _, known := ports[h.Security]; !known {
		return Smarthost{}, errors.New("must begin with smtps://, smtp+starttls:// or, on this machine, smtp://")
	}
	if u.User != nil {
		if _, has := u.User.Password(); has {
			return Smarthost{}, errors.New("a password does not belong in the URL")
		}
		h.User = u.User.Username()
	}
	if h.Port == "" && !strings.HasSuffix(u.Host, ":") {
		h.Port = ports[h.Security]
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return Smarthost{}, errors.New("nothing may follow the port")
	}
	return h, h.check()
}

func (h Smarthost) check() error {
	if _, err := netip.ParseAddr(h.Host); err != nil && !isDomain(h.Host) {
		return errors.New("the host is neither a domain nor an address")
	}
	if strings.Contains(h.Host, "%") {
		return errors.New("an address with a zone is not supported")
	}
	if n, err := strconv.ParseUint(h.Port, 10, 16); err != nil || n == 0 {
		return errors.New("the port is not a number from 1 to 65535")
	}
	if strings.ContainsFunc(h.User, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("the login holds a control character")
	}
	if h.Security == Loopback && h.Host != "localhost" && !isLoopback(h.Host) {
		return errors.New("smtp:// has no TLS and goes to a loopback address only; use smtps:// or smtp+starttls://")
	}
	return nil
}

// Address is host and port as net.Dial takes them.
func (h Smarthost) Address() string { return net.JoinHostPort(h.Host, h.Port) }

// String is the URL again.
func (h Smarthost) String() string {
	user := ""
	if h.User != "" {
		user = url.User(h.User).String() + "@"
	}
	return fmt.Sprintf("%s://%s%s", h.Security, user, h.Address())
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
