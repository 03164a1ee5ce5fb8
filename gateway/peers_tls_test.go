package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// tlsPeer is a gateway with ana at its desk.
func tlsPeer(t *testing.T) (*demo, *coordinator) {
	t.Helper()
	d := newDemo(io.Discard, newFastClock(time.Now()))
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.build(world{os.Stdin, io.Discard, os.Stderr}, false); err != nil {
		t.Fatal(err)
	}
	ana, err := d.coordinator(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	return d, ana
}

// OpenSSL, which verifies our certificate, gets TLS 1.2 and 1.3 at every port that has TLS, and nothing older, however much it wants it (rule A1).
func TestPeers_OpenSSL(t *testing.T) {
	needs(t, "openssl")
	d, _ := tlsPeer(t)
	for port, c := range map[string]struct {
		starttls []string
		say      string
		want     string
	}{
		"smtp":       {[]string{"-starttls", "smtp"}, "quit\n", "221 "},
		"submission": {nil, "quit\n", "221 "},
		"imap":       {nil, "a LOGOUT\n", "a OK "},
	} {
		for version, ok := range map[string]bool{"-tls1": false, "-tls1_1": false, "-tls1_2": true, "-tls1_3": true} {
			args := append([]string{"s_client", "-connect", d.addr(port), "-quiet", "-no_ign_eof", "-crlf", version,
				"-CAfile", d.app.set.CertFile, "-verify_return_error", "-servername", demoDomain, "-verify_hostname", demoDomain}, c.starttls...)
			if !ok { // OpenSSL itself offers them at its lowest level only
				args = append(args, "-cipher", "DEFAULT@SECLEVEL=0")
			}
			cmd := exec.Command("openssl", args...)
			out, err := talk(cmd, c.say)
			if took := strings.Contains(out, c.want); took != ok {
				t.Errorf("%s with %s: %v, want %v: %v\n%s", port, version, took, ok, err, out)
			}
			if !ok && !strings.Contains(out, "protocol version") && !strings.Contains(out, "alert") {
				t.Errorf("%s with %s failed for another reason: %s", port, version, out)
			}
		}
	}
}

// talk starts a program and says a line to it, in small letters since s_client takes a capital Q for itself.
func talk(cmd *exec.Cmd, say string) (string, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	_, _ = io.WriteString(in, say) // it may have ended; -crlf puts the CR in
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		err = fmt.Errorf("it hung: %w", <-ended)
	}
	return out.String(), err
}

// swaks submits a command with login and TLS, and its answer arrives; with a wrong password, and without one, nothing does.
func TestPeers_SwaksSubmission(t *testing.T) {
	needs(t, "swaks", "perl")
	if exec.Command("perl", "-MNet::SSLeay", "-e1").Run() != nil {
		t.Skip("needs Net::SSLeay (Debian package libnet-ssleay-perl): swaks cannot speak TLS")
	}
	d, ana := tlsPeer(t)
	mail := []string{"--tls-on-connect", "--from", ana.Address, "--to", "control@desk.vdp.example.org", "--header", "Subject: x", "--body", "status"}
	login := func(password string) []string {
		return append([]string{"--auth", "PLAIN", "--auth-user", "ana", "--auth-password", password}, mail...)
	}
	answers := func() int { return d.countIn(t, "Status") }
	before := answers()
	out := swaks(t, d.addr("submission"), 0, login(ana.password)...)
	if !strings.Contains(out, "235 ") || !strings.Contains(out, "TLSv1.3") {
		t.Errorf("swaks says:\n%s", out)
	}
	waitUntil(t, "an answer in Status", func() bool { return answers() == before+1 })
	if out := swaks(t, d.addr("submission"), 28, login("wrong")...); !strings.Contains(out, "535 ") {
		t.Errorf("swaks says:\n%s", out)
	}
	swaks(t, d.addr("submission"), 23, mail...) // MAIL without a login
	swaks(t, d.addr("smtp"), 28, "--tls", "--auth", "PLAIN", "--auth-user", "ana", "--auth-password", ana.password, "--from", ana.Address, "--to", "report@vdp.example.org")
	swaks(t, d.addr("smtp"), 0, "--tls", "--from", "gil@finder.example", "--to", "report@vdp.example.org", "--body", "It overflows.")
	waitUntil(t, "a report in Intake", func() bool { return d.countIn(t, "Intake") == 1 })
	if n := answers(); n != before+1 {
		t.Errorf("Status has %d more mails", n-before)
	}
}
