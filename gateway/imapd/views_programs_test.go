//go:build linux

package imapd_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// A real gpg with ana's key opens what is served, and finds the vendor's
// signature good where that was handed on, and ours elsewhere.
func TestA4_Gpg(t *testing.T) {
	t.Parallel()
	gpg := program(t, "gpg")
	s := newScene(t)
	home, err := os.MkdirTemp("", "gpg") // short: the socket of its agent lies in it
	must(t, err)
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	run := func(in []byte, args ...string) (string, string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, gpg, append([]string{"--homedir", home, "--batch", "--no-tty", "--trust-model", "always", "--status-fd", "2",
			"--faked-system-time", fmt.Sprint(s.clock.Now().Unix())}, args...)...)
		var out, status bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &status
		if err := cmd.Run(); err != nil {
			t.Fatalf("gpg %v: %v\n%s", args, err, status.String())
		}
		return out.String(), status.String()
	}
	var secret bytes.Buffer
	w, err := armor.Encode(&secret, "PGP PRIVATE KEY BLOCK", nil)
	must(t, err)
	must(t, s.ana.Entity.SerializePrivateWithoutSigning(w, nil))
	must(t, w.Close())
	for _, key := range [][]byte{secret.Bytes(), s.acme.PublicKey(), s.finder.PublicKey(), s.ourKey()} {
		run(key, "--import")
	}
	h := s.hears("ana/phone")
	for folder, signer := range map[string]string{
		s.tag + "/Thread 2": s.acme.Fingerprint(),
		s.tag + "/Thread 1": s.finder.Fingerprint(),
		"Intake":            string(s.base.Own.Signing().Certificate().Fingerprint()),
	} {
		all := h.everything(folder)
		if len(all) != 1 {
			t.Fatalf("%s: %d messages", folder, len(all))
		}
		from := strings.Index(all[0].raw, "-----BEGIN PGP MESSAGE")
		plain, status := run([]byte(all[0].raw[from:]), "--decrypt")
		if !strings.Contains(status, "VALIDSIG") || !strings.Contains(status, signer) || !strings.Contains(plain, "wombat") {
			t.Errorf("%s: %s\n%s", folder, status, plain)
		}
	}
}

// sealedMbsync is an mbsync of ana's sealed login.
func sealedMbsync(s *scene, dir string) (run func()) {
	s.Helper()
	mbsync := program(s, "mbsync")
	maildir := filepath.Join(dir, "mail")
	must(s, os.Mkdir(maildir, 0o700))
	rc := fmt.Sprintf("IMAPAccount desk\nHost localhost\nPort %s\nUser ana/phone\nPass \"%s\"\nSSLType IMAPS\nSystemCertificates no\nCertificateFile %s\n\n"+
		"IMAPStore far\nAccount desk\n\nMaildirStore near\nPath %s/\nInbox %s/INBOX\nSubFolders Verbatim\n\n"+
		"Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nExpunge None\nSyncState *\n", s.port(), password, s.certificateFile(dir), maildir, maildir)
	config := filepath.Join(dir, "mbsyncrc")
	must(s, os.WriteFile(config, []byte(rc), 0o600))
	return func() {
		s.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, mbsync, "-c", config, "all")
		cmd.Env = append(os.Environ(), "HOME="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			s.Fatalf("mbsync: %v\n%s", err, out)
		}
	}
}

// mailsIn reads a tree of maildirs: the mails of each folder, without the mark
// that mbsync puts into those that it stored here.
func mailsIn(t testing.TB, maildir string) map[string][]string {
	t.Helper()
	mails := map[string][]string{}
	must(t, filepath.WalkDir(maildir, func(path string, d fs.DirEntry, err error) error {
		sub := filepath.Base(filepath.Dir(path))
		if err != nil || d.IsDir() || sub != "cur" && sub != "new" {
			return err
		}
		b, err := os.ReadFile(path)
		folder, _ := filepath.Rel(maildir, filepath.Dir(filepath.Dir(path)))
		var kept []string
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "X-TUID: ") {
				kept = append(kept, line)
			}
		}
		mails[folder] = append(mails[folder], strings.Join(kept, ""))
		return err
	}))
	return mails
}

// A real mbsync pulls the sealed tree; a second one pulls the same; without a
// change it does nothing; a draft that it pushed does not come back; and nothing
// of what lies on the device says what it is about.
func TestA4_Mbsync(t *testing.T) {
	t.Parallel()
	program(t, "mbsync")
	s := newScene(t)
	one, two := t.TempDir(), t.TempDir()
	run, again := sealedMbsync(s, one), sealedMbsync(s, two)
	run()
	again()
	first, second := mailsIn(t, filepath.Join(one, "mail")), mailsIn(t, filepath.Join(two, "mail"))
	if len(first) < 5 || fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("%d folders with mail, and %d; the same: %t", len(first), len(second), fmt.Sprint(first) == fmt.Sprint(second))
	}
	text := ciphertext.ReplaceAllString(strings.ToLower(fmt.Sprint(first)), "")
	for _, word := range secrets {
		if strings.Contains(text, word) {
			t.Errorf("%q lies on the device", word)
		}
	}
	run()
	if got := mailsIn(t, filepath.Join(one, "mail")); fmt.Sprint(got) != fmt.Sprint(first) {
		t.Error("a second run changed something")
	}
	draft := filepath.Join(one, "mail", "Drafts", "new", "1700000000.1.here")
	must(t, os.WriteFile(draft, []byte("From: ana@"+desk+"\nSubject: potoroo\nMessage-ID: <d9@here>\n\nA wombat.\n"), 0o600))
	run()
	run()
	if got := maildirFiles(t, filepath.Join(one, "mail"), "Drafts"); len(got) != 2 {
		t.Errorf("drafts here: %q", got)
	}
	if got := s.hears("ana/phone").everything("Drafts"); len(got) != 2 {
		t.Errorf("%d drafts there", len(got))
	}
}
