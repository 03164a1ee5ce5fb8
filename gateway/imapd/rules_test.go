package imapd_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"parley/gateway/auth"
	"parley/gateway/imapd"
	"parley/mailflow/store"
)

// dialFrom dials from any address of the loopback network.
func (o *office) dialFrom(from string, config *tls.Config) (*client, error) {
	o.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	config.RootCAs, config.ServerName = o.roots, "localhost"
	conn, err := tls.DialWithDialer(d, "tcp", o.addr, config)
	if err != nil {
		return nil, err
	}
	o.Cleanup(func() { _ = conn.Close() })
	return &client{o.TB, conn, bufio.NewReader(conn)}, nil
}

func TestA1_TLSFromTheFirstOctet(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	raw, err := net.Dial("tcp", o.addr)
	must(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	plain := &client{t, raw, bufio.NewReader(raw)}
	plain.send(`a LOGIN ana "` + password + `"`)
	if got := plain.response(); !strings.HasSuffix(got, "EOF") || strings.Contains(got, "OK") {
		t.Errorf("without TLS: %q", got)
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, err := o.dialFrom("127.0.0.1", &tls.Config{MinVersion: version, MaxVersion: version})
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

func TestA1_Throttle(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for range 2 {
		c := o.dial()
		for range 5 {
			c.send("a LOGIN ana wrong")
			c.want("a NO [AUTHENTICATIONFAILED] ...")
		}
		c.talk(`
			C: a NOOP
			S: * BYE ...
			S: EOF`) // five tries on one connection are enough
	}
	o.dial().talk(`
		C: a LOGIN ana "correct horse battery"
		S: a NO [UNAVAILABLE] ...`)
	elsewhere, err := o.dialFrom("127.0.0.2", &tls.Config{})
	must(t, err)
	elsewhere.talk(`
		S: * OK ...
		C: a LOGIN ana "correct horse battery"
		S: a OK ...`)
	// A login that does not exist is answered in the same words.
	elsewhere2, err := o.dialFrom("127.0.0.3", &tls.Config{})
	must(t, err)
	elsewhere2.talk(`
		S: * OK ...
		C: a LOGIN nobody wrong
		S: a NO [AUTHENTICATIONFAILED] Authentication failed
		C: b LOGIN ben wrong
		S: b NO [AUTHENTICATIONFAILED] Authentication failed`)
}

// A login that was ended, or got another password, stops at its next command;
// others go on.
func TestA6_LoginEnds(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.login("ana/phone", "ana", auth.ViewClear, "another long one")
	c, phone := o.as("ana"), o.dial()
	phone.talk(`
		C: a LOGIN ana/phone "another long one"
		S: a OK ...`)
	o.login("ana", "ana", auth.ViewClear, "quite another password")
	c.talk(`
		C: a NOOP
		S: * BYE Your login was ended or changed
		S: EOF`)
	phone.ask("NOOP")
}

func TestM8_ConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	o := newOffice(t, limited(5, 2))
	first, second := o.dial(), o.dial()
	raw, err := net.Dial("tcp", o.addr)
	must(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	must(t, raw.SetReadDeadline(time.Now().Add(patience)))
	if _, err := raw.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a third connection: %v", err)
	}
	other, err := o.dialFrom("127.0.0.2", &tls.Config{})
	must(t, err)
	other.want("* OK ...")
	first.talk(`
		C: a LOGOUT
		S: * BYE ...
		S: a OK ...
		S: EOF`)
	second.ask("NOOP")
	// There is room again, once the server has noticed the end as well.
	for end := time.Now().Add(patience); ; {
		again, err := o.dialFrom("127.0.0.1", &tls.Config{})
		if err == nil {
			again.want("* OK ...")
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after one has left: %v", err)
		}
	}
}

func TestM8_TimeToLogIn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, func(c *imapd.Config, _ *office) { c.Login = 300 * time.Millisecond })
	c := o.dial()
	in := o.as("ana")
	for i := 0; ; i++ { // commands do not buy time
		c.send("a NOOP")
		got := c.response()
		if got == "EOF" {
			break
		}
		if i > 1_000_000 {
			t.Fatal("still there")
		}
	}
	in.ask("NOOP") // who is in stays
}

// Shutdown lets a command end and says BYE to everybody.
func TestShutdown(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letter(1))
	idle, waiting, busy := o.in("ana", "Intake"), o.in("ben", "Intake"), o.in("ana", "Intake")
	idle.talk(`
		C: i IDLE
		S: + idling`)
	busy.send("a APPEND Drafts {30}")
	busy.want("+ ...")
	done := make(chan error, 1)
	go func() { done <- o.server.Shutdown(context.Background()) }()
	for _, c := range []*client{idle, waiting} {
		c.talk(`
			S: * BYE The server is shutting down
			S: EOF`)
	}
	busy.write("Subject: the last draft...\r\n\r\n\r\n")
	busy.want("a OK [APPENDUID ...")
	busy.talk(`
		S: * BYE The server is shutting down
		S: EOF`)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", o.addr); err == nil {
		_ = conn.Close()
		t.Error("the port is still open")
	}
}

// Who does not end in time is cut off.
func TestShutdown_CutsOff(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.as("ana")
	c.send("a APPEND Drafts {30}")
	c.want("+ ...")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := o.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	c.talk("S: EOF")
}

// Nothing of a case is in the log, whatever clients do; and a search leaves
// nothing on the disk.
func TestH6_LogHoldsNoContent(t *testing.T) {
	t.Parallel()
	const canary = "canary4711"
	o := newOffice(t)
	o.file("Intake", mail{raw: "Subject: " + canary + "\r\n\r\nbody " + canary + "\r\n"})
	c := o.in("ana", "Intake")
	c.ask("SEARCH TEXT " + canary)
	c.ask("FETCH 1 (ENVELOPE BODY[])")
	for _, wrong := range []string{`STORE 1 FLAGS (` + canary, `FETCH 1 ` + canary, canary, `SELECT ` + canary, `LIST "" {5` + canary,
		`UID COPY 1 "` + canary + `"`, `APPEND ` + canary + " {3+}\r\na:b"} {
		c.send("w " + wrong)
		c.until("w ")
	}
	c.send(strings.Repeat(canary, 6000)) // a line longer than a command may be
	c.talk(`
		S: * BYE [TOOBIG] ...
		S: EOF`)
	o.dial().talk(`
		C: a LOGIN ` + canary + ` ` + canary + `
		S: a NO ...`)
	if strings.Contains(o.log.text(), canary) {
		t.Errorf("log:\n%s", o.log.text())
	}
	must(t, filepath.WalkDir(o.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(canary)) {
			t.Errorf("%s holds it in clear", filepath.Base(path))
		}
		return err
	}))
}

// An independent client of the same protocol.
func TestClientLibrary(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", append(letters(3), mail{raw: nested})...)
	updates := make(chan uint32, 10)
	c, err := imapclient.DialTLS(o.addr, &imapclient.Options{
		TLSConfig: &tls.Config{RootCAs: o.roots, ServerName: "localhost"},
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				updates <- *d.NumMessages
			}
		}},
	})
	must(t, err)
	defer func() { _ = c.Close() }()
	must(t, c.Login("ana", password).Wait())
	folders, err := c.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true, Size: true}, ReturnSubscribed: true}).Collect()
	must(t, err)
	if len(folders) != 20 {
		t.Errorf("%d folders", len(folders))
	}
	selected, err := c.Select("Intake", nil).Wait()
	must(t, err)
	if selected.NumMessages != 4 || selected.UIDNext != 5 {
		t.Errorf("%+v", selected)
	}
	all := &imap.FetchOptions{UID: true, Flags: true, Envelope: true, InternalDate: true, RFC822Size: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}
	got, err := c.Fetch(imap.SeqSetNum(1, 2, 3, 4), all).Collect()
	must(t, err)
	if len(got) != 4 || got[3].Envelope.Subject != "outer" || string(got[3].BodySection[0].Bytes) != nested ||
		got[3].BodyStructure.MediaType() != "multipart/mixed" || got[0].RFC822Size != int64(len(letter(1).raw)) || !got[0].InternalDate.Equal(officeHours) {
		t.Errorf("%+v", got)
	}
	list, err := c.Fetch(imap.SeqSetNum(4), &imap.FetchOptions{UID: true, Flags: true, Envelope: true, InternalDate: true, RFC822Size: true}).Collect()
	must(t, err)
	if len(list) != 1 || fmt.Sprint(list[0].Envelope) != fmt.Sprint(got[3].Envelope) || list[0].UID != 4 {
		t.Errorf("%+v", list[0].Envelope)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{Text: []string{"words of 2"}}, nil).Wait()
	must(t, err)
	if fmt.Sprint(found.AllUIDs()) != "[2]" {
		t.Errorf("found %v", found.AllUIDs())
	}
	moved, err := c.Move(imap.SeqSetNum(1), "Trash").Wait()
	must(t, err)
	if fmt.Sprint(moved.SourceUIDs, moved.DestUIDs) != "1 1" {
		t.Errorf("%+v", moved)
	}
	draft := c.Append("Drafts", 10, &imap.AppendOptions{Flags: []imap.Flag{imap.FlagDraft}})
	_, err = io.WriteString(draft, "a: b\r\n\r\nc\n")
	must(t, err)
	must(t, draft.Close())
	if data, err := draft.Wait(); err != nil || data.UID != 1 {
		t.Errorf("append: %+v, %v", data, err)
	}
	idle, err := c.Idle()
	must(t, err)
	o.file("Intake", letter(9))
	select {
	case n := <-updates:
		if n != 4 {
			t.Errorf("%d messages", n)
		}
	case <-time.After(patience):
		t.Error("IDLE told nothing")
	}
	must(t, idle.Close())
	must(t, idle.Wait())
	must(t, c.Logout().Wait())
}

// Bytes that do not open end the connection in the middle of their literal: it
// cannot be completed, and nothing else may stand in it. The library would wait
// for ever for a response that is not closed.
func TestTampered_BodyEndsTheConnection(t *testing.T) {
	t.Parallel()
	o := newOffice(t, limited(1, 1))
	o.file("Intake", letter(1), mail{raw: "Subject: large\r\n\r\n" + strings.Repeat("filler\r\n", 100_000)})
	blobs, err := filepath.Glob(filepath.Join(o.dir, "blobs", "*"))
	must(t, err)
	if len(blobs) != 1 {
		t.Fatalf("%d blobs", len(blobs))
	}
	b, err := os.ReadFile(blobs[0])
	must(t, err)
	b[len(b)/2] ^= 1
	must(t, os.WriteFile(blobs[0], b, 0o600))
	c := o.in("ana", "Intake")
	c.send("a FETCH 1:2 BODY.PEEK[]")
	c.want("* 1 FETCH (BODY[] ...Words of 1...)")
	if got := c.response(); !strings.HasPrefix(got, "* 2 FETCH (BODY[] {800018}") || !strings.HasSuffix(got, "EOF") || strings.Contains(got, "NO") {
		t.Errorf("%.60q... %d", got, len(got))
	}
	// The server let go of it: there is room for another.
	for begun := time.Now(); ; {
		next, err := o.dialFrom("127.0.0.1", &tls.Config{})
		if err == nil {
			_ = next.conn.Close()
			break
		}
		if time.Since(begun) > patience {
			t.Fatal("the server still holds the connection")
		}
	}
}

// A body that is not there leaves its message out.
func TestTampered_NoBody(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(2)...)
	o.update(func(tx *store.Tx) error {
		e, err := tx.Entry(o.box("", "Intake").Number, 1)
		if err != nil {
			return err
		}
		return tx.Forget(e.Served)
	})
	o.in("ana", "Intake").talk(`
		C: a FETCH 1:2 BODY.PEEK[]
		S: * 2 FETCH ...
		S: a OK ...`)
}

// What is gone is answered in the same words, and the session goes on.
func TestStoreErrorsAreGeneric(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.in("ana", "Intake")
	// A mailbox that is gone: commands fail, the session goes on.
	o.update(func(tx *store.Tx) error { return tx.DeleteMailbox(o.box("ana", "Trash").Number) })
	c.talk(`
		C: a STATUS Trash (MESSAGES)
		S: a NO [NONEXISTENT] ...
		C: b SELECT Trash
		S: * OK [CLOSED] ...
		S: b NO [NONEXISTENT] ...
		C: c NOOP
		S: c OK ...`)
}
