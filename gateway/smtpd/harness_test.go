package smtpd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/gateway/auth"
	"parley/gateway/smtpd"
	"parley/mailflow"
	"parley/mailflow/store"
)

const (
	domain   = "vdp.example.org"
	password = "correct horse battery"
)

// mail is one message as a flow got it.
type mail struct {
	mailflow.Envelope
	Text string
}

// flow stands where *mailflow.Intake and *mailflow.Submission do. It knows a
// few addresses, and keeps what it receives.
type flow struct {
	refuse error  // of the next message
	during func() // while a message is under way
	skip   bool   // returns without having read

	mu    sync.Mutex
	mails []mail
}

var noMailbox = &mailflow.Reply{Code: 550, Enhanced: [3]int{5, 1, 1}, Text: "No such mailbox here"}

func (f *flow) CheckRoom(int64) error { return nil }

func (f *flow) CheckRcpt(_ context.Context, _ mailflow.Envelope, rcpt string) error {
	i := strings.LastIndexByte(rcpt, '@')
	local, dom := strings.ToLower(rcpt[:i]), rcpt[i+1:]
	switch {
	case local == "broken":
		return errors.New("open /var/secret/path: the case of acme")
	case local == "wrapped":
		return errors.Join(errors.New("the case of acme"), &mailflow.Reply{Code: 452, Enhanced: [3]int{4, 3, 1}, Text: "No room now, try again later"})
	case local == "panic":
		panic("the case of acme")
	case !strings.EqualFold(dom, domain):
		return noMailbox
	case local == "report" || local == "postmaster" || strings.HasPrefix(local, "case+live"):
		return nil
	}
	return noMailbox
}

func (f *flow) Receive(_ context.Context, env mailflow.Envelope, r io.Reader) error {
	if f.during != nil {
		f.during()
	}
	if f.refuse != nil || f.skip {
		return f.refuse
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mails = append(f.mails, mail{env, string(b)})
	return nil
}

func (f *flow) got() []mail {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mails
}

// desk is the flow of the submission port.
type desk struct{ flow }

func (d *desk) CheckSender(_ context.Context, by, from string) error {
	if from != by+"@desk.example.org" {
		return &mailflow.Reply{Code: 553, Enhanced: [3]int{5, 7, 1}, Text: "You write as " + by + "@desk.example.org"}
	}
	return nil
}

func (d *desk) CheckRcpt(_ context.Context, by string, before []string, rcpt string) error {
	if len(before) > 0 {
		return &mailflow.Reply{Code: 554, Enhanced: [3]int{5, 7, 1}, Text: "Zwei Empfänger\r\nin one mail: " + rcpt + " and " + before[0]}
	}
	return nil
}

func (d *desk) Submit(ctx context.Context, env mailflow.Envelope, r io.Reader) error {
	return d.Receive(ctx, env, r)
}

// limits are wide, so that a slow machine meets none by chance.
func limits() smtpd.Limits {
	l := smtpd.DefaultLimits()
	l.Size = 1 << 20
	return l
}

// config is a public port before flow f.
func config(f *flow) smtpd.Config {
	return smtpd.Config{
		Domain:  domain,
		Limits:  limits(),
		Limiter: auth.NewLimiter(100, 100),
		Intake:  f,
		Log:     slog.New(slog.DiscardHandler),
	}
}

// submission is a submission port before d, where ana has a login.
func submission(t testing.TB, d *desk) smtpd.Config {
	t.Helper()
	c := config(nil)
	c.Intake, c.Submission = nil, d
	c.TLS, _ = certificate(t)
	c.Logins = logins(t)
	return c
}

func logins(t testing.TB) *auth.Logins {
	t.Helper()
	dir, key := filepath.Join(t.TempDir(), "store"), store.UnlockKey(bytes.Repeat([]byte{7}, 32))
	must(t, store.Create(dir, key))
	s, err := store.Open(store.Options{Dir: dir, Unlock: key, NoSync: true})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	l := &auth.Logins{Store: s, DeskDomain: "desk.example.org", Cost: auth.Cost{Memory: 64, Passes: 1, Lanes: 1}}
	p, err := l.NewPassword(password)
	must(t, err)
	must(t, s.Update(func(tx *store.Tx) error {
		return errors.Join(tx.NewScope(mailflow.DeskScope),
			mailflow.PutCoordinator(tx, mailflow.Coordinator{Name: "ana", Address: "ana@desk.example.org"}),
			l.Set(tx, "ana", "ana", auth.ViewClear, p))
	}))
	return l
}

// serve runs a port and gives its address.
func serve(t testing.TB, c smtpd.Config) (string, *smtpd.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l.Addr().String(), serveOn(t, c, l)
}

func serveOn(t testing.TB, c smtpd.Config, l net.Listener) *smtpd.Server {
	t.Helper()
	s, err := smtpd.New(c)
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Shutdown(ctx)
		must(t, <-done)
	})
	return s
}

// certificate makes one for domain, and the pool that trusts it.
func certificate(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{domain}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
