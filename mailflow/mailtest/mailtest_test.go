package mailtest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func person(t testing.TB, name string) *Person {
	t.Helper()
	p, err := NewPerson(name, name+"@peer.example", func() time.Time { return testNow })
	must(t, err)
	return p
}

func TestPerson_SealAndOpen(t *testing.T) {
	t.Parallel()
	ana, ben, eve := person(t, "ana"), person(t, "ben"), person(t, "eve")
	for _, sign := range []bool{true, false} {
		armored, err := ana.Seal(Entity("Größe", "some text\n", File{"a.bin", "application/octet-stream", "bytes"}), ben.PublicKey(), sign)
		must(t, err)
		raw := PGPMIME(ana.Address, ben.Address, testNow, armored, Field{"In-Reply-To", "<1@peer.example>"})
		o, err := ben.Open(raw, ana.PublicKey())
		must(t, err)
		if want := map[bool]string{true: ana.Fingerprint()}[sign]; o.Signer != want {
			t.Errorf("signed %v: signer %q, want %q", sign, o.Signer, want)
		}
		if o.Subject != "Größe" || !strings.HasPrefix(o.Text, "some text\n") || o.Files["a.bin"] != "bytes" || len(o.Keys) != 1 {
			t.Errorf("opened %+v", o)
		}
		if o, err = ben.Open(raw, eve.PublicKey()); err != nil || o.Signer != "" {
			t.Errorf("with another certificate: signer %q, %v", o.Signer, err)
		}
		if _, err := eve.Open(raw, ana.PublicKey()); err == nil {
			t.Error("somebody else opened it")
		}
	}
}

// signClear puts a multipart/signed mail together.
func signClear(t *testing.T, p *Person, entity string) []byte {
	t.Helper()
	var sig bytes.Buffer
	must(t, openpgp.ArmoredDetachSign(&sig, p.Entity, strings.NewReader(entity), p.config()))
	return fmt.Appendf(nil, "From: a@peer.example\r\nSubject: outer\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b; micalg=pgp-sha512; protocol=\"application/pgp-signature\"\r\n\r\n"+
		"--b\r\n%s\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\n%s\r\n--b--\r\n", entity, sig.String())
}

func TestPerson_OpenSigned(t *testing.T) {
	t.Parallel()
	ana, ben := person(t, "ana"), person(t, "ben")
	raw := signClear(t, ana, "Content-Type: text/plain\r\n\r\nin clear\r\n")
	o, err := ben.OpenSigned(raw, ana.PublicKey())
	must(t, err)
	if o.Signer != ana.Fingerprint() || o.Text != "in clear\n" || o.Subject != "outer" {
		t.Errorf("opened %+v", o)
	}
	if _, err := ben.OpenSigned(bytes.Replace(raw, []byte("in clear"), []byte("In clear"), 1), ana.PublicKey()); err == nil {
		t.Error("a changed mail verified")
	}
	if _, err := ben.OpenSigned(raw, ben.PublicKey()); err == nil {
		t.Error("it verified with another certificate")
	}
}

func sink(t testing.TB, o SinkOptions) *Sink {
	t.Helper()
	s, err := StartSink(o)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

var testMail = Plain("a@peer.example", "b@peer.example", "subject", ".dot\ntext", testNow)

func TestSink_KeepsAndRefuses(t *testing.T) {
	t.Parallel()
	s := sink(t, SinkOptions{})
	s.Refuse("B@peer.example", 550)
	var r *Refused
	if err := Send(s.Addr, "a@peer.example", "b@peer.example", testMail); !errors.As(err, &r) || r.Code != 550 || r.Enhanced != [3]int{5, 1, 1} {
		t.Errorf("refused with %v", err)
	}
	s.Refuse("b@peer.example", 0)
	for _, at := range []Verb{Mail, Rcpt, Dot} {
		s.Fail(at, 451, 1)
		if err := Send(s.Addr, "a@peer.example", "b@peer.example", testMail); !errors.As(err, &r) || r.Code != 451 {
			t.Errorf("%s failed with %v", at, err)
		}
	}
	for _, drop := range []func(){func() { s.LoseAfterDot(1) }, func() { s.DropInData(1, 10) }} {
		drop()
		if err := Send(s.Addr, "a@peer.example", "b@peer.example", testMail); err == nil || errors.As(err, &r) && r.Code != 451 {
			t.Errorf("a broken line gave %v", err)
		}
	}
	if n := len(s.Mails()); n != 0 {
		t.Fatalf("%d mails were kept", n)
	}
	must(t, Send(s.Addr, "a@peer.example", "b@peer.example", testMail))
	s.DropAfterDot(1)
	if err := Send(s.Addr, "a@peer.example", "b@peer.example", testMail); err == nil {
		t.Error("the broken line gave no error")
	}
	must(t, s.Next(1, time.Minute))
	for _, m := range s.To("B@PEER.example") {
		if m.From != "a@peer.example" || !bytes.Equal(m.Raw, testMail) || m.Hello != "peer.example" {
			t.Errorf("kept %+v", m)
		}
	}
}

func TestSink_TLSAndLogin(t *testing.T) {
	t.Parallel()
	ca, err := NewAuthority()
	must(t, err)
	config, err := ca.Server(time.Now(), "127.0.0.1")
	must(t, err)
	for _, implicit := range []bool{true, false} {
		s := sink(t, SinkOptions{Config: config, Implicit: implicit, User: "u", Password: "p"})
		m := Mailer{Addr: s.Addr, TLS: ca.Roots(), StartTLS: !implicit, User: "u", Password: "p"}
		must(t, m.Send("a@peer.example", []string{"b@peer.example", "c@peer.example"}, testMail))
		if got := s.Mails(); len(got) != 2 || !got[1].TLS || got[1].Login != "u" || got[1].To != "c@peer.example" {
			t.Errorf("got %+v", got)
		}
		var r *Refused
		m.Password = "q"
		if err := m.Send("a@peer.example", []string{"b@peer.example"}, testMail); !errors.As(err, &r) || r.Code != 535 {
			t.Errorf("a wrong password gave %v", err)
		}
		m.User = ""
		if err := m.Send("a@peer.example", []string{"b@peer.example"}, testMail); !errors.As(err, &r) {
			t.Errorf("no login gave %v", err)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	c := NewClock(testNow)
	ring := c.After(time.Minute)
	c.Set(testNow.Add(time.Hour))
	c.Jump(time.Hour)
	c.Advance(59 * time.Second)
	select {
	case <-ring:
		t.Error("it rang before its time")
	default:
	}
	if c.Waiting() != 1 {
		t.Errorf("%d alarms wait", c.Waiting())
	}
	c.Advance(time.Second)
	want := testNow.Add(2*time.Hour + time.Minute)
	if got := <-ring; !got.Equal(want) {
		t.Errorf("rang at %s", got)
	}
	<-c.After(0)
	if now, passed := c.Read(); !now.Equal(want) || passed != time.Minute || !c.Now().Equal(want) || c.Waiting() != 0 {
		t.Errorf("reads %s, %s", now, passed)
	}
}
