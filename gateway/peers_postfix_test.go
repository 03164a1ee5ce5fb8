package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// needsPeers skips where a program is absent or we may not start it.
func needsPeers(t *testing.T) {
	t.Helper()
	needs(t, "postfix", "smtp-source", "dovecot", "swaks")
	if os.Geteuid() != 0 {
		t.Skip("needs root: Postfix and Dovecot change their users")
	}
}

// between is a gateway with a Postfix in front, which speaks LMTP to it, and the same one behind it as its second smarthost; the
// first is one that nobody serves.
func between(t *testing.T, lmtp string) (*demo, *postfixPeer) {
	t.Helper()
	d := newDemo(io.Discard, newFastClock(time.Now()))
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	var p *postfixPeer
	d.edit = func(text []byte) []byte {
		_, sink, err := net.SplitHostPort(d.sink.Addr)
		if err != nil {
			t.Fatal(err)
		}
		at := "inet:" + strings.TrimPrefix(lmtp, "inet:")
		if path, unix := strings.CutPrefix(lmtp, unixListen); unix {
			at = unixListen + path
		}
		p = startPostfix(t, at, sink)
		password := filepath.Join(p.dir, "password")
		if err := os.WriteFile(password, []byte(strings.ReplaceAll(peerPassword, " ", "-")), 0o600); err != nil {
			t.Fatal(err)
		}
		next := fmt.Sprintf("\n[[outbound.next]]\nsmarthost = \"smtp+starttls://%s@%s\"\npassword = \"file:%s\"\ntls_name = %q\nca = %q\nhello = \"gw.vdp.example.org\"\n\n[reports]\n",
			peerUser, p.behind, password, peerName, p.ca)
		return []byte(replaced(t, string(text), `smarthost = "smtp://`+d.sink.Addr+`"`, `smarthost = "smtps://127.0.0.1:1"`,
			`lmtp   = ""`, fmt.Sprintf("lmtp = %q", strings.TrimPrefix(lmtp, "inet:")), `undo     = "2m"`, `undo = "1s"`, "\n[reports]\n", next))
	}
	if err := d.build(world{os.Stdin, io.Discard, os.Stderr}, testing.Verbose()); err != nil {
		t.Fatal(err)
	}
	return d, p
}

// replaced changes each text, which must be there once, into the one behind it.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(text, pairs[i]) != 1 {
			t.Fatalf("the configuration does not hold %q once", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// swaks sends one mail and gives the dialogue; it fails the test unless swaks ends as wanted.
func swaks(t *testing.T, addr string, want int, more ...string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("swaks", append([]string{"--server", host, "--port", port, "--helo", "mx.finder.example", "--timeout", "60"}, more...)...)
	out, _ := cmd.CombinedOutput() // its exit code is looked at
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("swaks: exit %d, want %d:\n%s", got, want, out)
	}
	return string(out)
}

// A report comes in through a real Postfix by LMTP and is answered through a real one with TLS and login, since the smarthost before
// it is down; what that one gives back later is matched by its address and its identifier, stops nothing but that notice, and is a
// task. A load of mails through Postfix and beside it arrives to the last one.
func TestPeers_Postfix(t *testing.T) {
	needsPeers(t)
	lmtp := "inet:" + freeAddr(t)
	d, p := between(t, lmtp)
	swaks(t, p.front, 0, "--from", "gil@finder.example", "--to", "report@vdp.example.org", "--header", "Subject: overflow", "--body", "It overflows.")
	swaks(t, p.front, 24, "--from", "gil@finder.example", "--to", "someone@elsewhere.example") // it is no open relay
	waitUntil(t, "a report in Intake", func() bool { return d.countIn(t, "Intake") == 1 })

	if err := d.sink.Next(0, patience); err != nil {
		t.Fatal(err)
	}
	got := d.sink.Mails()[0]
	for _, words := range []string{"(Authenticated sender: " + peerUser + ")", "using TLSv1.3", "from gw.vdp.example.org ", "with ESMTPSA"} {
		if !strings.Contains(string(got.Raw), words) {
			t.Errorf("what Postfix passed on does not say %q:\n%.2000s", words, got.Raw)
		}
	}
	if got.To != "gil@finder.example" || len(got.EnvelopeID) != 24 || got.Return != "HDRS" || !strings.HasPrefix(got.From, "bounce+") {
		t.Errorf("to %s from %s, ENVID %q RET %q NOTIFY %q", got.To, got.From, got.EnvelopeID, got.Return, got.Notify)
	}
	t.Run("bounce", func(t *testing.T) { bouncesAt(t, d) })
	t.Run("load", func(t *testing.T) {
		const mails = 200
		before := d.countIn(t, "Intake")
		for _, addr := range []string{p.front, d.addr("smtp")} {
			begun := time.Now()
			out, err := exec.Command("smtp-source", "-s", "10", "-m", fmt.Sprint(mails), "-l", "4096", "-f", "a@finder.example", "-t", "report@vdp.example.org", addr).CombinedOutput()
			if err != nil {
				t.Fatalf("smtp-source: %v: %s", err, out)
			}
			before += mails
			waitUntil(t, fmt.Sprintf("%d mails in Intake", before), func() bool { return d.countIn(t, "Intake") >= before })
			t.Logf("%d mails to %s were in Intake after %s", mails, addr, time.Since(begun).Round(time.Millisecond))
		}
		time.Sleep(time.Second)
		if n := d.countIn(t, "Intake"); n != before {
			t.Errorf("Intake has %d mails, want %d", n, before)
		}
	})
}

// bouncesAt has a vendor's server refuse, to Postfix and after Postfix accepted, what the first letter to it says.
func bouncesAt(t *testing.T, d *demo) {
	d.sink.Refuse("psirt@acme.example", 550)
	id := cvd.FindCaseIDs(d.says(t, "vendor add acme psirt@acme.example", "vendor add globex psirt@globex.example", `case open "Heap overflow"`))[0]
	d.says(t, "case "+string(id), "invite acme wave 1", "invite globex wave 1", "start now")
	first := func(party cvd.PartyID) (n cvd.Notice) {
		if err := d.app.store.View(func(tx *store.Tx) error {
			all, err := mailflow.Notices(tx, id, party)
			for _, one := range all {
				if one.State == cvd.Sent {
					n = one
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	waitUntil(t, "a notice to globex that was sent", func() bool { return first("globex").State == cvd.Sent })
	waitUntil(t, "the mail at globex, which Postfix hands on in its own time", func() bool { return len(d.sink.To("psirt@globex.example")) > 0 })
	waitUntil(t, "a notice to acme that came back", func() bool { n := first("acme"); return n.State == cvd.Sent && !n.Bounced.IsZero() })
	if n := first("acme"); !strings.Contains(n.Returned, "550") && !strings.Contains(n.Returned, "5.1.1") {
		t.Errorf("their words are %q", n.Returned)
	}
	if n := first("globex"); !n.Bounced.IsZero() {
		t.Error("what globex got came back, too")
	}
	if n, told := d.countIn(t, "Status"), len(d.sink.To("psirt@globex.example")); n != 1 || told != 1 || len(d.sink.To("psirt@acme.example")) != 0 {
		t.Errorf("%d reports in Status, %d mails at globex", n, told)
	}
	tasks := 0
	for _, s := range d.subjectsIn(t, "INBOX") {
		if strings.Contains(s, "Bounced: ") && strings.Contains(s, " to acme in "+string(id)) {
			tasks++
		}
		if strings.Contains(s, "another mail") {
			t.Errorf("a real report was not known: %q", s)
		}
	}
	if tasks != 1 {
		t.Errorf("%d tasks say that it came back: %q", tasks, d.subjectsIn(t, "INBOX"))
	}
}

// says gives the desk commands by the control socket.
func (d *demo) says(t *testing.T, commands ...string) string {
	t.Helper()
	var out, errs strings.Builder
	if code := run(t.Context(), append([]string{"do", "--config", d.path}, commands...), world{os.Stdin, &out, &errs}); code != exitDone {
		t.Fatalf("%q: exit %d: %s%s", commands, code, &errs, &out)
	}
	return out.String()
}

// The same over a unix socket, which the group of its folder may open and nobody else.
func TestPeers_PostfixUnixSocket(t *testing.T) {
	needsPeers(t)
	dir := filepath.Join(peerDir(t), "lmtp")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("chgrp", "postfix", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(dir, 0o750|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	d, p := between(t, unixListen+socket)
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	for range 3 {
		swaks(t, p.front, 0, "--from", "gil@finder.example", "--to", "report@vdp.example.org", "--header", "Subject: overflow", "--body", "It overflows.")
	}
	waitUntil(t, "three reports in Intake", func() bool { return d.countIn(t, "Intake") == 3 })
}
