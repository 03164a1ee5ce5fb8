package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"parley/testdata/live"
)

const deskPassword = "correct horse battery"

// lockGateway is a running gateway where ana has a login, and one for her phone.
func lockGateway(t *testing.T, edits ...live.Edit) *live.Gateway {
	t.Helper()
	g := runs(t, "", edits...)
	word := filepath.Join(t.TempDir(), "word")
	_, err := g.Coordinator("ana", deskPassword)
	err = errors.Join(err, os.WriteFile(word, []byte(deskPassword+"\n"), 0o600))
	if err == nil {
		_, err = g.On("coordinator", "add", "ana/phone", "--password-file", word)
	}
	if err = errors.Join(err, g.Start()); err != nil {
		t.Fatal(err)
	}
	return g
}

// dialsFrom opens TLS to a port from an address of the loopback network.
func dialsFrom(g *live.Gateway, port, ip string) (net.Conn, error) {
	trust, err := g.Trust()
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}, Config: trust}
	conn, err := d.Dial("tcp", g.Port(port))
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(time.Minute))
}

// submits logs in to the submission port, and gives its answer: "" where it came in.
func submits(t *testing.T, g *live.Gateway, ip, login, password string) string {
	t.Helper()
	conn, err := dialsFrom(g, "submission", ip)
	if err != nil {
		t.Errorf("%s from %s: %v", login, ip, err)
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	c, err := smtp.NewClient(conn, "localhost")
	if err == nil {
		err = c.Auth(smtp.PlainAuth("", login, password, "localhost"))
	}
	var said *textproto.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &said):
		t.Errorf("%s from %s: %v", login, ip, err)
	}
	return err.Error()
}

// fetches logs in to the IMAP port.
func fetches(g *live.Gateway, ip, login string) error {
	conn, err := dialsFrom(g, "imap", ip)
	if err != nil {
		return err
	}
	c := imapclient.New(conn, nil)
	defer func() { _ = c.Close() }()
	return c.Login(login, deskPassword).Wait()
}

// A1: whoever tries passwords of a coordinator closes her login to the own address and
// to no other, and hears the same of a login that does not exist.
func TestA1_GuessesFromElsewhereLockNobodyOut(t *testing.T) {
	t.Parallel()
	g := lockGateway(t, live.Set("auth_failures", "3"))
	var heard [2][]string
	for i, login := range []string{"ana", "nobody"} {
		for range 5 {
			heard[i] = append(heard[i], submits(t, g, fmt.Sprintf("127.0.1.%d", i+1), login, "a guess or two"))
		}
	}
	if got := strings.Join(heard[0], "\n"); got != strings.Join(heard[1], "\n") || !strings.HasPrefix(got, "535 ") || strings.Count(got, "421 ") != 2 {
		t.Errorf("of a login that exists:\n%s\nof one that does not:\n%s", got, strings.Join(heard[1], "\n"))
	}
	if got := submits(t, g, "127.0.1.1", "ana", deskPassword); !strings.HasPrefix(got, "421 ") {
		t.Errorf("the right password opens what guesses closed: %q", got)
	}
	if got := submits(t, g, "127.0.0.1", "ana", deskPassword); got != "" {
		t.Errorf("ana is locked out of submission: %s", got)
	}
	if err := fetches(g, "127.0.0.1", "ana"); err != nil {
		t.Errorf("ana is locked out of IMAP: %v", err)
	}
}

// M8: guesses that come from many addresses at once, each of which has to be hashed,
// stand in each other's way, and not in that of an address a good login is known of.
func TestM8_AFloodOfGuessesDelaysNobodyKnown(t *testing.T) {
	t.Parallel()
	const strangers = 30
	g := lockGateway(t)
	if err := fetches(g, "127.0.0.1", "ana"); err != nil {
		t.Fatal(err)
	}
	var answered atomic.Int64
	done := make(chan bool)
	for i := range strangers {
		go func() {
			if got := submits(t, g, fmt.Sprintf("127.0.1.%d", i+1), "ana/phone", "a guess or two"); !strings.HasPrefix(got, "535 ") {
				t.Errorf("a guess was answered %q", got)
			}
			answered.Add(1)
			done <- true
		}()
	}
	for range 3 { // the others wait for their hashes by now
		<-done
	}
	if got := submits(t, g, "127.0.0.1", "ana/phone", deskPassword); got != "" {
		t.Errorf("ana's phone: %s", got)
	}
	if n := answered.Load(); n > strangers*2/3 {
		t.Errorf("ana's phone came in behind %d guesses of %d", n, strangers)
	}
	for range strangers - 3 {
		<-done
	}
}

// M8: strangers who hold every place of the coordinators' ports keep out those who come
// from an address that nothing is known of, and no other.
func TestM8_AFullPortLetsTheKnownIn(t *testing.T) {
	t.Parallel()
	g := lockGateway(t, live.Set("connections", "4"), live.Set("connections_per_ip", "2"))
	if err := fetches(g, "127.0.0.1", "ana"); err != nil {
		t.Fatal(err)
	}
	awaits(t, "ana's end", func() (bool, bool, error) {
		figures, err := g.Get("/metrics")
		return true, strings.Contains(figures, "\nparley_connections_open 0\n"), err
	})
	for _, port := range []string{"submission", "imap"} {
		for i := range 4 {
			conn, err := dialsFrom(g, port, fmt.Sprintf("127.0.1.%d", i/2+1))
			if err != nil {
				t.Fatalf("%s: %v", port, err)
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}
	if err := fetches(g, "127.0.0.2", "ana"); err == nil {
		t.Error("the IMAP port is not full")
	}
	if got := submits(t, g, "127.0.0.2", "ana", deskPassword); !strings.HasPrefix(got, "421 ") {
		t.Errorf("the submission port is not full: %q", got)
	}
	if err := fetches(g, "127.0.0.1", "ana"); err != nil {
		t.Errorf("ana is locked out of IMAP: %v", err)
	}
	if got := submits(t, g, "127.0.0.1", "ana/phone", deskPassword); got != "" {
		t.Errorf("ana's phone is locked out of submission: %s", got)
	}
}
