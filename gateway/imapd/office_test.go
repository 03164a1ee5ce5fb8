package imapd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"parley/gateway/auth"
	"parley/gateway/imapd"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
	"parley/templates"
)

const (
	password = "correct horse battery"
	desk     = "desk.vdp.example.org"
)

var officeHours = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// office is a desk with the coordinators ana and ben, a real store and an IMAP
// port on the loopback, on a clock that stands still.
type office struct {
	testing.TB
	*store.Store
	dir    string
	base   *mailflow.Base
	seats  *mailflow.Seats
	desk   *mailflow.Desk
	intake *mailflow.Intake
	logins *auth.Logins
	server *imapd.Server
	clock  *mailtest.Clock
	addr   string
	cert   tls.Certificate
	roots  *x509.CertPool
	log    *log
	secret *keyring.Secret
	noSync bool
	stop   func() // ends the server
}

// log keeps what was logged.
type log struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

// take is text, and forgets it.
func (l *log) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.Buffer.Reset()
	return l.Buffer.String()
}

type option func(*imapd.Config, *office)

// limited sets the connections allowed in all and per address.
func limited(total, perAddress int) option {
	return func(c *imapd.Config, _ *office) { c.Limiter = auth.NewLimiter(total, perAddress) }
}

func newOffice(t testing.TB, options ...option) *office {
	t.Helper()
	o := openOffice(t)
	o.open(options...)
	return o
}

// openOffice is an office whose port is not open yet. Its store does not wait
// for the disk.
func openOffice(t testing.TB) *office { return openStore(t, true) }

func openStore(t testing.TB, noSync bool) *office {
	t.Helper()
	o := &office{TB: t, clock: mailtest.NewClock(officeHours), log: &log{}, dir: filepath.Join(t.TempDir(), "state")}
	must(t, store.Create(o.dir, officeUnlock))
	secret, err := keyring.Generate("Parley", "report@vdp.example.org", keyring.Ed25519, officeHours.Add(-time.Hour))
	must(t, err)
	o.secret, o.noSync = secret, noSync
	o.boot()
	t.Cleanup(func() { must(t, o.Store.Close()) })
	o.update(func(tx *store.Tx) error { return tx.NewScope(mailflow.DeskScope) })
	o.coordinator("ana")
	o.coordinator("ben")
	return o
}

// builtin reads the templates once for all offices.
var builtin = sync.OnceValues(templates.Builtin)

var officeUnlock = store.UnlockKey(bytes.Repeat([]byte{7}, 32))

// boot opens the store and builds the desk over it, as the start of a daemon
// does.
func (o *office) boot() {
	o.Helper()
	st, err := store.Open(store.Options{Dir: o.dir, Unlock: officeUnlock, Now: o.clock.Now, NoSync: o.noSync})
	must(o, err)
	o.Store = st
	set, err := builtin()
	must(o, err)
	o.base = &mailflow.Base{
		Settings: mailflow.Settings{Domain: "vdp.example.org", DeskDomain: desk, CasePrefix: "PAR", Subject: "Confidential", Plaintext: "accept",
			Undo: 2 * time.Minute, CoolOff: 12 * time.Hour, Limits: message.DefaultLimits(), Policies: cvd.Shipped()},
		Clock: mailflow.Clock{Now: o.clock.Now, Read: o.clock.Read, After: time.After},
		Store: st, Own: mailflow.NewOwnKeys(o.secret), Certs: keyring.NewCache(100), Templates: set,
		Queue: &queue.Queue{Store: st}, Log: slog.New(slog.NewTextHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	o.desk = &mailflow.Desk{Base: o.base}
	o.seats = &mailflow.Seats{Base: o.base, Desk: o.desk}
	o.intake = &mailflow.Intake{Base: o.base}
	o.logins = &auth.Logins{Store: st, DeskDomain: desk, Cost: auth.Cost{Memory: 64, Passes: 1, Lanes: 1}, Now: o.clock.Now}
}

// restart ends the daemon as SIGTERM does and starts it again on the same
// store, on another port.
func (o *office) restart() {
	o.Helper()
	o.stop()
	must(o, o.Store.Close())
	o.boot()
	o.open()
}

func (o *office) open(options ...option) {
	o.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(o, err)
	o.openAt(ln, options...)
}

// openAt is open on a port that is there already.
func (o *office) openAt(ln net.Listener, options ...option) {
	o.Helper()
	if o.roots == nil {
		o.cert, o.roots = certificate(o)
	}
	c := imapd.Config{TLS: tlsWith(o.cert), Seats: o.seats, Logins: o.logins,
		Limiter: auth.NewLimiter(200, 200), Log: o.base.Log}
	for _, f := range options {
		f(&c, o)
	}
	o.addr = ln.Addr().String()
	o.serve(imapd.New(c), ln)
}

// serve runs a server until the test ends.
func (o *office) serve(s *imapd.Server, ln net.Listener) {
	o.server = s
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	o.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			o.Error(err)
		}
		if err := <-served; err != nil {
			o.Error(err)
		}
	})
	o.Cleanup(o.stop)
}

func (o *office) coordinator(name string) {
	o.Helper()
	o.update(func(tx *store.Tx) error {
		return mailflow.PutCoordinator(tx, mailflow.Coordinator{Name: name, Address: name + "@" + desk, Added: tx.Now})
	})
	o.login(name, name, auth.ViewClear, password)
	seat, err := o.seats.Sit(name) // makes the folders
	must(o, err)
	seat.Close()
}

func (o *office) login(login, coordinator, view, password string) {
	o.Helper()
	p, err := o.logins.NewPassword(password)
	must(o, err)
	o.update(func(tx *store.Tx) error { return o.logins.Set(tx, login, coordinator, view, p) })
}

func (o *office) update(fn func(*store.Tx) error) {
	o.Helper()
	must(o, o.Update(fn))
}

// box finds a mailbox; owner "" is the desk.
func (o *office) box(owner, name string) (m store.Mailbox) {
	o.Helper()
	must(o, o.View(func(tx *store.Tx) (err error) {
		m, err = tx.MailboxNamed(owner, name)
		return err
	}))
	return m
}

// mail is a message with what a test wants to say of it.
type mail struct {
	raw  string
	what store.Message
}

// file puts mails into a folder of the desk, all in one commit, and returns
// the UID of the last.
func (o *office) file(folder string, mails ...mail) (uid uint32) {
	o.Helper()
	return o.fileIn(o.box("", folder), mails...)
}

func (o *office) fileIn(box store.Mailbox, mails ...mail) (uid uint32) {
	o.Helper()
	drafts := make([]*store.Draft, len(mails))
	for i, m := range mails {
		d, err := o.SealBytes([]byte(m.raw))
		must(o, err)
		drafts[i] = d
	}
	o.update(func(tx *store.Tx) error {
		for i, m := range mails {
			msg, err := putMail(tx, drafts[i], m)
			if err != nil {
				return err
			}
			if uid, err = tx.File(box.Number, msg.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return uid
}

func putMail(tx *store.Tx, d *store.Draft, m mail) (store.Message, error) {
	tree, err := message.Parse([]byte(m.raw), message.DefaultLimits())
	if err != nil {
		return store.Message{}, err
	}
	msg := m.what
	if msg.Served, err = tx.Keep(d); err != nil {
		return msg, err
	}
	if msg.Scope == "" {
		msg.Scope = mailflow.DeskScope
	}
	if msg.At.IsZero() {
		msg.At = tx.Now
	}
	msg.Envelope, msg.Structure = tree.Envelope(), tree.Structure()
	return tx.PutMessage(msg)
}

// letter is a small mail in which everything that matters depends on n.
func letter(n int) mail {
	return mail{raw: fmt.Sprintf("From: Acme <psirt@acme.example>\r\nTo: control@%s\r\nSubject: letter %d\r\n"+
		"Date: Tue, 01 Dec 2026 10:00:00 +0000\r\nMessage-ID: <m%d@acme.example>\r\n\r\nWords of %d.\r\n", desk, n, n, n)}
}

func letters(n int) []mail {
	var all []mail
	for i := range n {
		all = append(all, letter(i+1))
	}
	return all
}

// report mails a report in clear and lets it be processed.
func (o *office) report(subject, text string) {
	o.Helper()
	raw := fmt.Sprintf("From: Finder <someone@finder.example>\r\nTo: report@vdp.example.org\r\nSubject: %s\r\nDate: Tue, 01 Dec 2026 08:00:00 +0000\r\n"+
		"Message-ID: <%x@finder.example>\r\n\r\n%s\r\n", subject, text, text)
	env := mailflow.Envelope{From: "someone@finder.example", To: []string{"report@vdp.example.org"}, Remote: "192.0.2.9"}
	must(o, o.intake.Receive(context.Background(), env, bytes.NewReader([]byte(raw))))
	must(o, o.intake.RunSpool(context.Background()))
}

// do gives commands as the operator.
func (o *office) do(lines ...string) string {
	o.Helper()
	t, err := o.desk.Do(context.Background(), mailflow.Actor{Name: mailflow.Operator, Via: mailflow.ViaOperator}, lines)
	must(o, err)
	if !t.Done() {
		o.Fatalf("not done: %s", t)
	}
	return t.String()
}

func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func tlsWith(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
