package smtpd_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"parley/gateway/smtpd"
)

func TestStartTLS(t *testing.T) {
	t.Parallel()
	f := &flow{}
	c := config(f)
	c.TLS, _ = certificate(t)
	addr, _ := serve(t, c)
	dial(t, addr).talk(greet + `
	C: MAIL FROM:<before@peer.example>
	S: 250 *
	C: RCPT TO:<report@vdp.example.org>
	S: 250 *
	C: STARTTLS now
	S: 501 *
	C: STARTTLS
	S: 220 2.0.0 Go ahead
	TLS
	C: RCPT TO:<report@vdp.example.org>
	S: 503 5.5.1 EHLO first
	C: DATA
	S: 503 5.5.1 EHLO first
	C: EHLO other.example
	S: 250-*
	C: RCPT TO:<report@vdp.example.org>
	S: 503 *
	C: STARTTLS
	S: 503 *
	C: MAIL FROM:<after@peer.example>
	S: 250 *
	C: RCPT TO:<report@vdp.example.org>
	S: 250 *
	C: DATA
	S: 354 *
	C: sealed
	C: .
	S: 250 *
	C: QUIT
	S: 221 *
	S: EOF`)
	got := f.got()
	if len(got) != 1 || !got[0].TLS || got[0].Hello != "other.example" || got[0].From != "after@peer.example" || len(got[0].To) != 1 {
		t.Errorf("kept %+v", got)
	}
}

func TestStartTLSWhereThereIsNone(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, config(&flow{}))
	dial(t, addr).talk(greet + `
	C: STARTTLS
	S: 502 *
	C: starttlsx
	S: 502 *
	C: QUIT
	S: 221 *`)
}

// What somebody on the wire puts behind STARTTLS is not run inside TLS.
func TestM5_StartTLSDropsWhatFollows(t *testing.T) {
	t.Parallel()
	f := &flow{}
	c := config(f)
	c.TLS, _ = certificate(t)
	addr, _ := serve(t, c)
	dial(t, addr).talk(greet + `
	C: STARTTLS
	C: EHLO wire.example
	C: MAIL FROM:<wire@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	S: 220 *
	TLS
	C: EHLO peer.example
	S: 250-Hello peer.example|*
	C: RCPT TO:<report@vdp.example.org>
	S: 503 *
	C: QUIT
	S: 221 *
	S: EOF`)
}

// A client that does not wait is refused: it may as well be one that was
// tricked into carrying another protocol's octets.
func TestM5_PipeliningBeforeTheGreeting(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := dial(t, l.Addr().String())
	_, err = io.WriteString(p, "EHLO peer.example\r\n") // arrives before anybody accepts
	must(t, err)
	serveOn(t, config(&flow{}), l)
	p.expect("554 5.5.1 Wait for the greeting")
	p.expect("EOF")
	honest(t, l.Addr().String(), "127.0.0.1")
}

func TestM5_PipeliningOutOfPlace(t *testing.T) {
	t.Parallel()
	f := &flow{}
	addr, _ := serve(t, config(f))
	for _, script := range []string{`
	S: 220 *
	C: EHLO peer.example
	C: MAIL FROM:<a@peer.example>
	S: 554 5.5.0 EHLO must be the last command of a group
	S: EOF`, `
	S: 220 *
	C: HELO peer.example
	C: MAIL FROM:<a@peer.example>
	S: 554 5.5.0 HELO must be the last command of a group
	S: EOF`, greet + `
	C: MAIL FROM:<a@peer.example>
	C: RCPT TO:<nobody@vdp.example.org>
	C: DATA
	C: MAIL FROM:<forged@peer.example>
	S: 250 *
	S: 550 *
	S: 554 5.5.0 DATA must be the last command of a group
	S: EOF`} {
		dial(t, addr).talk(script)
	}
	if len(f.got()) != 0 {
		t.Errorf("kept %+v", f.got())
	}
}

func TestA1_TLSIsNew(t *testing.T) {
	t.Parallel()
	d := &desk{}
	c := submission(t, d)
	c.TLS.MinVersion = tls.VersionTLS10
	addr, _ := serve(t, c)
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		tc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			_ = tc.Close()
		}
	}
	if c.TLS.MinVersion != tls.VersionTLS10 {
		t.Error("the caller's configuration was changed")
	}
}

// The certificate is checked by a client that trusts its issuer.
func TestCertificate(t *testing.T) {
	t.Parallel()
	c := submission(t, &desk{})
	conf, pool := certificate(t)
	c.TLS = conf
	addr, _ := serve(t, c)
	tc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: domain})
	must(t, err)
	must(t, tc.Close())
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := submission(t, &desk{})
	for what, spoil := range map[string]func(*smtpd.Config){
		"no flow":               func(c *smtpd.Config) { c.Submission = nil },
		"two flows":             func(c *smtpd.Config) { c.Intake = &flow{} },
		"submission in clear":   func(c *smtpd.Config) { c.TLS = nil },
		"submission for anyone": func(c *smtpd.Config) { c.Logins = nil },
		"submission by LMTP":    func(c *smtpd.Config) { c.LMTP = true },
		"no limiter":            func(c *smtpd.Config) { c.Limiter = nil },
		"no log":                func(c *smtpd.Config) { c.Log = nil },
		"no name":               func(c *smtpd.Config) { c.Domain = "" },
	} {
		c := good
		spoil(&c)
		if _, err := smtpd.New(c); err == nil {
			t.Error(what)
		}
	}
	_, err := smtpd.New(good)
	must(t, err)
}
