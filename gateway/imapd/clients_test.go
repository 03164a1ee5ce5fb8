//go:build linux

package imapd_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// program finds a mail client on this machine, or skips the test.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s (Debian package %s)", name, map[string]string{"mbsync": "isync", "mutt": "mutt"}[name])
	}
	return path
}

// certificateFile writes the server's certificate for clients to trust.
func (o *office) certificateFile(dir string) string {
	o.Helper()
	path := filepath.Join(dir, "cert.pem")
	must(o, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.cert.Certificate[0]}), 0o600))
	return path
}

func (o *office) port() string {
	o.Helper()
	_, port, err := net.SplitHostPort(o.addr)
	must(o, err)
	return port
}

// terminal runs a program that wants one, and returns what it showed.
func terminal(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal here: %v", err)
	}
	defer func() { _ = master.Close() }()
	must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(t, err)
	must(t, unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, cmd.Start())
	must(t, slave.Close())
	var shown bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&shown, master) // it ends with an error when the program does
	}()
	err = cmd.Wait()
	<-done
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Path, err, shown.String())
	}
	return shown.String()
}

// A real mutt logs in, lists, reads a report and saves it into Do/New case:
// COPY at once, \Deleted and EXPUNGE when it leaves. It deletes a letter, too,
// which hides it from ana only; mutt could not leave if that were refused.
func TestTrap12_Mutt(t *testing.T) {
	t.Parallel()
	mutt := program(t, "mutt")
	o := newOffice(t)
	o.report("Heap overflow", "The canary sings.")
	o.file("Intake", letter(2))
	dir := t.TempDir()
	rc := fmt.Sprintf(`
set folder="imaps://localhost:%s/"
set spoolfile="imaps://localhost:%s/Intake"
set imap_user="ana"
set imap_pass="%s"
set certificate_file="%s"
set ssl_force_tls=yes
set header_cache=""
set wait_key=no delete=yes quit=yes confirmappend=no confirmcreate=no move=no resolve=no
set imap_check_subscribed=yes
bind editor <space> noop
push "<first-entry><pipe-message>cat > %s/read<enter><save-message><kill-line>=Do/New case<enter><delete-pattern>~s letter<enter><sync-mailbox><quit>"
`, o.port(), o.port(), password, o.certificateFile(dir), dir)
	must(t, os.WriteFile(filepath.Join(dir, "muttrc"), []byte(rc), 0o600))
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, mutt, "-n", "-F", filepath.Join(dir, "muttrc"))
	cmd.Env = append(os.Environ(), "HOME="+dir, "TERM=vt100", "LC_ALL=C")
	shown := terminal(t, cmd)
	read, err := os.ReadFile(filepath.Join(dir, "read"))
	if err != nil || !bytes.Contains(read, []byte("The canary sings.")) {
		t.Errorf("mutt read %q, %v\n%s", read, err, shown)
	}
	c := o.in("ana", "Do/New case")
	if got := c.folders("Cases/"); len(got) != 4 {
		t.Errorf("folders %q\nmutt showed %s", got, shown)
	}
	if got := c.ask("UID SEARCH ALL"); got[0] != "* SEARCH 1" {
		t.Errorf("receipt: %q", got)
	}
	c.ask("SELECT Intake")
	if got := c.ask("UID SEARCH ALL"); got[0] != "* SEARCH" {
		t.Errorf("Intake: %q\nmutt showed %s", got, shown)
	}
	if got := o.in("ben", "Intake").ask("UID SEARCH ALL"); got[0] != "* SEARCH 2" {
		t.Errorf("Intake of ben: %q", got)
	}
}

// A real mbsync lists, pulls, and pushes a report that was moved into the local
// Do/New case, with an X-TUID on it; without a change it does nothing.
func TestTrap11_Mbsync(t *testing.T) {
	t.Parallel()
	mbsync := program(t, "mbsync")
	o := newOffice(t)
	o.report("Heap overflow", "The canary sings.")
	o.file("Intake", letter(2))
	dir := t.TempDir()
	maildir := filepath.Join(dir, "mail")
	must(t, os.Mkdir(maildir, 0o700))
	rc := fmt.Sprintf(`
IMAPAccount desk
Host localhost
Port %s
User ana
Pass "%s"
SSLType IMAPS
SystemCertificates no
CertificateFile %s

IMAPStore far
Account desk

MaildirStore near
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Expunge None
SyncState *
`, o.port(), password, o.certificateFile(dir), maildir, maildir)
	config := filepath.Join(dir, "mbsyncrc")
	must(t, os.WriteFile(config, []byte(rc), 0o600))
	run := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, mbsync, "-c", config, "all")
		cmd.Env = append(os.Environ(), "HOME="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("mbsync: %v\n%s", err, out)
		}
	}
	run()
	var report string
	for _, path := range maildirFiles(t, maildir, "Intake") {
		b, err := os.ReadFile(path)
		must(t, err)
		if bytes.Contains(b, []byte("The canary sings.")) {
			report = path
		}
	}
	if report == "" {
		t.Fatalf("the report was not pulled: %q", maildirFiles(t, maildir, "Intake"))
	}
	must(t, os.Rename(report, filepath.Join(maildir, "Do", "New case", "new", "1700000000.1.here")))
	run()
	c := o.in("ana", "Do/New case")
	if got := c.folders("Cases/"); len(got) != 4 {
		t.Errorf("folders %q", got)
	}
	run()
	run()
	c.ask("NOOP")
	if got := c.ask("UID SEARCH ALL"); got[0] != "* SEARCH 1" {
		t.Errorf("receipts %q", got)
	}
	finder := filepath.Join("Cases", "PAR-2026-0001 Heap overflow", "Finder")
	if got := maildirFiles(t, maildir, finder); len(got) != 1 {
		t.Errorf("the thread: %q", got)
	}
	if got := strings.Count(strings.Join(c.folders("Cases/"), "\n"), "Finder"); got != 1 {
		t.Errorf("%d cases", got)
	}
}

func maildirFiles(t testing.TB, maildir, folder string) []string {
	t.Helper()
	var all []string
	for _, sub := range []string{"new", "cur"} {
		files, err := filepath.Glob(filepath.Join(maildir, strings.NewReplacer("[", `\[`).Replace(folder), sub, "*"))
		must(t, err)
		all = append(all, files...)
	}
	return all
}
