package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"

	"parley/gateway/auth"
	"parley/gateway/ctl"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

type coordinatorCard struct {
	configFlag
	Login string `arg:"" help:"NAME or NAME/DEVICE."`
	For   string `enum:",mutt,neomutt,aerc,mbsync,thunderbird,phone" default:"" placeholder:"CLIENT" help:"mutt, neomutt, aerc, mbsync, thunderbird or phone; all of them unless given."`
	Host  string `placeholder:"NAME" help:"Name under which clients reach this machine; from the configuration and the certificate unless given."`
}

// Run prints the card: what to put into which file, or to type.
func (c coordinatorCard) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "coordinator card", Args: []string{c.Login}, Flags: map[string]string{"for": c.For, "host": c.Host}})
}

// card is what the settings of a mail client are made from. It holds no
// password.
type card struct {
	Login       string // "ana/phone"
	Name        string // "ana"
	Address     string
	View        string
	Fingerprint string // of the coordinator's own key; "": none on file
	OurKey      string // fingerprint of the gateway's key, which signs what a sealed login is shown
	Domain      string // of the gateway
	Desk        string // domain of the desk
	Undo        string // "2m"
	Host        string
	IMAP        string // port
	Submission  string // port
	Certificate cardCertificate
}

// cardCertificate says how a client is to know the server again.
type cardCertificate struct {
	SHA256  string // of the certificate, as clients show it: AB:CD:…
	Until   string
	Issuer  string
	Own     bool   // signed by itself
	Pinned  bool   // nothing on a usual machine vouches for it, so that a client must be given it
	PEM     string // the certificate, for clients that take a file
	File    string // where the gateway read it
	NotHost bool   // it does not name the host
}

// showCard answers with the settings of one login for one client, or for all.
func showCard(_ context.Context, a *app, r ctl.Request) (string, error) {
	c := card{Login: r.Args[0], OurKey: string(a.base.Own.Signing().Certificate().Fingerprint()), Domain: a.set.Domain, Desk: a.set.DeskDomain, Undo: cvd.FormatDuration(a.set.Undo)}
	if err := a.store.View(func(tx *store.Tx) error { return c.person(tx, a.logins) }); err != nil {
		return "", fmt.Errorf("make the card of %s: %w", r.Args[0], err)
	}
	chain, err := a.chain()
	if err != nil {
		return "", fmt.Errorf("make the card of %s: %w", r.Args[0], err)
	}
	c.IMAP, c.Submission = a.portOf("imap"), a.portOf("submission")
	if c.Host = r.Flags["host"]; c.Host == "" {
		c.Host = a.set.clientHost(chain[0])
	}
	if !hostName.MatchString(c.Host) { // it stands in lines of settings as it is
		return "", fmt.Errorf("%q is not the name of a host; no card was made", c.Host)
	}
	c.Certificate = describe(chain, c.Host)
	c.Certificate.File = a.set.CertFile
	return c.text(r.Flags["for"])
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$`)

// person fills in whose card it is. It returns auth.ErrNoLogin when nobody
// logs in so.
func (c *card) person(tx *store.Tx, logins *auth.Logins) error {
	all, err := logins.List(tx)
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Name != c.Login {
			continue
		}
		who, err := mailflow.CoordinatorByName(tx, l.Coordinator)
		if err != nil {
			return err
		}
		c.Name, c.Address, c.View = who.Name, who.Address, l.View
		if certs, err := keyring.ParseCertificates(who.Key); err == nil && len(certs) == 1 {
			c.Fingerprint = string(certs[0].Fingerprint())
		}
		return nil
	}
	return fmt.Errorf("%w; parley coordinator list shows them", auth.ErrNoLogin)
}

// chain is the certificate that clients are shown, first, and those above it:
// the one being served, or the file's when no daemon runs.
func (a *app) chain() ([]*x509.Certificate, error) {
	if a.ports != nil {
		return parseChain(*a.ports.tls.now.Load())
	}
	data, err := os.ReadFile(a.set.CertFile)
	if err != nil {
		return nil, fmt.Errorf("read TLS certificate %s: %w", a.set.CertFile, pathless(err))
	}
	var pair tls.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			pair.Certificate = append(pair.Certificate, block.Bytes)
		}
	}
	if len(pair.Certificate) == 0 {
		return nil, fmt.Errorf("read TLS certificate %s: there is none in it", a.set.CertFile)
	}
	return parseChain(pair)
}

func parseChain(pair tls.Certificate) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for _, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("read TLS certificate: %w", err)
		}
		all = append(all, c)
	}
	return all, nil
}

// portOf is where an endpoint listens: of the running daemon, or as
// configured.
func (a *app) portOf(name string) string {
	if a.ports != nil {
		return port(a.ports.listeners[name].Addr().String())
	}
	return port(a.set.Listen.of(name))
}

// clientHost is the name under which clients reach the gateway: the machine's
// own where it listens to nobody else, or a name of ours that the certificate
// vouches for. A name, since mbsync 1.4 takes no address.
func (s *settings) clientHost(cert *x509.Certificate) string {
	if host, _, err := net.SplitHostPort(s.Listen.IMAP); err == nil {
		if ip := net.ParseIP(host); host == "localhost" || (ip != nil && ip.IsLoopback()) {
			return "localhost"
		}
	}
	for _, name := range []string{s.mailHost(), s.DeskDomain, s.Domain} {
		if cert.VerifyHostname(name) == nil {
			return name
		}
	}
	for _, name := range cert.DNSNames {
		if !strings.HasPrefix(name, "*") && name != "localhost" {
			return name
		}
	}
	return s.DeskDomain
}

// describe says what a client needs to know of the certificate it will see.
func describe(chain []*x509.Certificate, host string) cardCertificate {
	leaf := chain[0]
	c := cardCertificate{
		SHA256:  colons(sha256.Sum256(leaf.Raw)),
		Until:   leaf.NotAfter.UTC().Format("Mon 2 January 2006"),
		Issuer:  leaf.Issuer.String(),
		Own:     bytes.Equal(leaf.RawIssuer, leaf.RawSubject) && leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil,
		PEM:     string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})),
		NotHost: leaf.VerifyHostname(host) != nil,
	}
	above := x509.NewCertPool()
	for _, further := range chain[1:] {
		above.AddCert(further)
	}
	var unknown x509.UnknownAuthorityError
	_, err := leaf.Verify(x509.VerifyOptions{Intermediates: above})
	c.Pinned = c.Own || errors.As(err, &unknown)
	return c
}

func colons(sum [sha256.Size]byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}
