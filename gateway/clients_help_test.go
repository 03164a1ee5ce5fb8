package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// patience is how long a script waits for what it wants to see: much, for a
// machine under load. On a quiet one everything comes within a second.
const patience = 40 * time.Second

// packages are where Debian has the programs that tests drive.
var packages = map[string]string{
	"mbsync": "isync", "gpg": "gnupg", "gpgconf": "gnupg", "mutt": "mutt", "neomutt": "neomutt", "aerc": "aerc", "tmux": "tmux", "curl": "curl", "python3": "python3", "bash": "bash",
	"postfix": "postfix", "smtp-source": "postfix", "dovecot": "dovecot-core", "swaks": "swaks", "openssl": "openssl", "perl": "perl",
}

// needs skips a test where one of the programs is absent.
func needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s (Debian package %s)", p, packages[p])
		}
	}
}

// quickPolicy asks for a second person at once, by gesture.
const quickPolicy = `
[policy.quick]
embargo = "30d"
[[policy.quick.stage]]
name = "heads-up"
at = "start"
trust = "found"
approvals = 1
approval = "gesture"
[[policy.quick.stage]]
name = "public"
at = "end"
trust = "claimed"
approvals = 0
`

// clientDesk is a whole gateway on loopback with the coordinators ana, who
// has a home directory with a mail client set up from her card, and ben; a
// finder; and the vendor acme.
type clientDesk struct {
	testing.TB
	*demo
	home   string
	ana    *coordinator
	ben    *coordinator
	finder *mailtest.Person
	acme   *robot
	shown  func() string // the screen of the mail client, for who reads why a script failed
}

// newClientDesk needs gpg, with which ana signs.
func newClientDesk(t *testing.T) *clientDesk {
	t.Helper()
	needs(t, "gpg", "gpgconf")
	d := &clientDesk{TB: t, home: t.TempDir(), shown: func() string { return "" }, demo: newDemo(io.Discard, newFastClock(time.Now()))}
	d.edit = func(text []byte) []byte { return append(text, quickPolicy...) }
	d.Cleanup(func() { d.must(d.close()) })
	d.must(d.build(world{os.Stdin, io.Discard, os.Stderr}, false))
	d.ana = d.signsWithGPG("ana")
	var err error
	d.ben, err = d.coordinator(t.Context(), "ben")
	d.must(err)
	d.finder, err = mailtest.NewPerson("Robin Finder", "robin@finder.example", d.clock.Now)
	d.must(err)
	acme, err := mailtest.NewPerson("acme", "psirt@acme.example", d.clock.Now)
	d.must(err)
	d.acme = &robot{Person: acme, party: "acme", product: "Player 9.1", demo: d.demo, signs: true}
	d.cast.finder = d.finder
	d.must(d.report(t.Context()))
	return d
}

func (d *clientDesk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// signsWithGPG makes a coordinator whose key lies in a GnuPG home.
func (d *clientDesk) signsWithGPG(name string) *coordinator {
	d.Helper()
	c := &coordinator{Person: &mailtest.Person{Name: name, Address: name + "@" + d.app.set.DeskDomain, Now: d.clock.Now}, password: "a pass phrase of " + name, demo: d.demo}
	d.must(os.Mkdir(filepath.Join(d.home, ".gnupg"), 0o700))
	d.Cleanup(func() { _ = d.program("gpgconf", "--kill", "all").Run() })
	d.run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", name+" <"+c.Address+">", "ed25519", "sign,cert", "never")
	d.write("key.asc", d.run("gpg", "--batch", "--armor", "--export", c.Address))
	d.write("password", c.password+"\n")
	d.must(d.command(d.Context(), "coordinator", "add", name, "--config", d.path, "--password-file", filepath.Join(d.home, "password"), "--key", filepath.Join(d.home, "key.asc")))
	d.must(c.login())
	return c
}

// program is a run of a program in ana's home.
func (d *clientDesk) program(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(d.Context(), name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.home, "GNUPGHOME=" + filepath.Join(d.home, ".gnupg"), "TERM=screen",
		"LC_ALL=C.UTF-8", "TZ=UTC", "EDITOR=" + filepath.Join(d.home, "editor"), "VISUAL=" + filepath.Join(d.home, "editor"),
		"SSL_CERT_FILE=" + filepath.Join(d.home, ".config/parley/desk.pem")}
	cmd.Dir = d.home
	return cmd
}

// run gives what a program prints; it must end well.
func (d *clientDesk) run(name string, args ...string) string {
	d.Helper()
	cmd := d.program(name, args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		d.Fatalf("%s %q: %v\n%s%s", name, args, err, errs.String(), out.String())
	}
	return out.String()
}

// write makes a file in ana's home, readable by her alone.
func (d *clientDesk) write(name, text string) {
	d.Helper()
	path := filepath.Join(d.home, name)
	d.must(os.MkdirAll(filepath.Dir(path), 0o700))
	d.must(os.WriteFile(path, []byte(text), 0o600))
}

// edits lets the next editor that a client opens hold these lines.
func (d *clientDesk) edits(text string) {
	d.Helper()
	d.write("text", text)
	d.write("editor", "#!/bin/sh\ncat '"+filepath.Join(d.home, "text")+"' > \"$1\"\n")
	d.must(os.Chmod(filepath.Join(d.home, "editor"), 0o700))
}

var cardFile = regexp.MustCompile(`(?ms)^---- (file|add) ~/(\S+)\n(.*?)^---- end$`)

// card writes what the printed card of a login says into ana's home, and
// fills in nothing.
func (d *clientDesk) card(login, client string) {
	d.Helper()
	d.must(takeCard(d.Context(), d.home, d.path, login, client))
}

// takeCard prints a card by the command line and makes its files.
func takeCard(ctx context.Context, home, config, login, client string) error {
	var out, errs strings.Builder
	if code := run(ctx, []string{"coordinator", "card", login, "--config", config, "--for", client}, world{os.Stdin, &out, &errs}); code != exitDone {
		return fmt.Errorf("card: exit %d: %s", code, errs.String())
	}
	files := cardFile.FindAllStringSubmatch(out.String(), -1)
	if len(files) == 0 {
		return fmt.Errorf("no file on the card:\n%s", out.String())
	}
	for _, f := range files {
		path, text := filepath.Join(home, f[2]), f[3]
		if f[1] == "add" {
			old, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(old) + text
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// fills puts what a person would into a file of the card.
func (d *clientDesk) fills(name, old, new string) {
	d.Helper()
	text, err := os.ReadFile(filepath.Join(d.home, name))
	d.must(err)
	if !strings.Contains(string(text), old) {
		d.Fatalf("%s does not hold %q:\n%s", name, old, text)
	}
	d.write(name, strings.ReplaceAll(string(text), old, new))
}

// until waits for a condition, and says what was waited for.
func (d *clientDesk) until(what string, ok func() bool) {
	d.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			d.Fatalf("not within %s: %s\n%s", patience, what, d.shown())
		}
	}
}

// opened waits for the case that ana opened, and gives its folder and tag.
func (d *clientDesk) opened() (folder, tag string) {
	d.Helper()
	d.until("a case folder", func() bool {
		all, err := d.ben.folders()
		d.must(err)
		for _, f := range all {
			if m := regexp.MustCompile(`^Cases/(PAR-\d{4}-\d{4}) [^/]*$`).FindStringSubmatch(f); m != nil {
				folder, tag = f, m[1]
			}
		}
		return folder != ""
	})
	return folder, tag
}

// asks lets ben ask for the notice that ana approves.
func (d *clientDesk) asks(tag string) {
	d.Helper()
	d.must(d.ben.signs("vendor add acme " + d.acme.Address))
	path, err := d.file("acme.asc", d.acme.PublicKey())
	d.must(err)
	d.must(d.command(d.Context(), "key", "import", path, "--party", "acme", "--confirm", d.acme.Fingerprint(), "--config", d.path))
	d.must(d.ben.signs("case "+tag, "case policy quick", `invite acme wave 1 affects "Player 9.1"`, "start now"))
	d.until("the notice and the leak kit in Approvals", func() bool { return len(d.in(d.ben, "Approvals")) == 2 })
	for _, m := range d.in(d.ben, "Approvals") {
		if strings.Contains(m.subject, "leak kit") { // no part of these stories
			d.must(d.ben.signs("reject " + approvalCode.FindStringSubmatch(m.text)[1] + ` because "nothing leaks"`))
		}
	}
	d.until("a draft in Approvals", func() bool { return len(d.in(d.ben, "Approvals")) == 1 })
}

func (d *clientDesk) in(c *coordinator, folder string) []seen {
	d.Helper()
	all, err := c.reads(folder)
	d.must(err)
	return all
}

// finds waits for a mail in a folder with a word, and gives it.
func (d *clientDesk) finds(folder, word string) (found seen) {
	d.Helper()
	d.until(fmt.Sprintf("%q in %s", word, folder), func() bool {
		for _, m := range d.in(d.ben, folder) {
			if strings.Contains(m.subject, word) || strings.Contains(m.text, word) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// settles waits until nothing comes into a thread any more, and all that left was
// taken: a list that changes under a client's cursor opens another mail.
func (d *clientDesk) settles(folder string) {
	d.Helper()
	before, same := "", 0
	d.until(folder+" is at rest", func() bool {
		now := ""
		for _, m := range d.in(d.ben, folder) {
			now += fmt.Sprintln(m.uid)
			if strings.Contains(m.text, "Its delivery: ") && !strings.Contains(m.text, "Its delivery: accepted") {
				now = ""
				break
			}
		}
		if same++; now == "" || now != before {
			before, same = now, 0
		}
		return same >= 10
	})
}

// released lets the minutes pass in which an approval can be undone, and gives
// the notice that acme gets then.
func (d *clientDesk) released(word string) mailtest.Received {
	d.Helper()
	d.fast.setSpeed(100)
	defer d.fast.setSpeed(1)
	m, _ := d.receives(word)
	return m
}

// receives waits for a mail to acme that holds a word, and opens it.
func (d *clientDesk) receives(word string) (got mailtest.Received, opened *mailtest.Opened) {
	d.Helper()
	ours, err := d.ours()
	d.must(err)
	d.until(fmt.Sprintf("a mail to acme with %q", word), func() bool {
		for _, m := range d.sink.To(d.acme.Address) {
			o, err := d.acme.Open(m.Raw, ours)
			d.must(err)
			if strings.Contains(o.Text, word) {
				got, opened = m, o
				return true
			}
		}
		return false
	})
	return got, opened
}

// repliedTo waits until acme, and nobody else, has the coordinator's answer,
// signed by the gateway.
func (d *clientDesk) repliedTo(word string) {
	d.Helper()
	d.fast.setSpeed(100)
	defer d.fast.setSpeed(1)
	if _, opened := d.receives(word); opened.Signer == "" {
		d.Error("the reply is not signed by the gateway")
	}
	for _, other := range d.sink.To(d.finder.Address) {
		if o, err := d.finder.Open(other.Raw, nil); err == nil && strings.Contains(o.Text, word) {
			d.Error("the finder got the reply too")
		}
	}
}

// answers lets acme reply to a mail.
func (d *clientDesk) answers(m mailtest.Received, tag, text string) {
	d.Helper()
	ours, err := d.ours()
	d.must(err)
	d.must(d.acme.replies(m, tag, text, ours))
}

// carriedOut waits for the transcript of a signed mail with a word, in which
// nothing was refused.
func (d *clientDesk) carriedOut(word string) {
	d.Helper()
	if m := d.finds("Status", word); !strings.Contains(m.text, "OK:") || strings.Contains(m.text, "NOT DONE") {
		d.Errorf("the desk refuses: %s", m.text)
	}
}

// held tells whether the case is on hold.
func (d *clientDesk) held(tag string) (held bool) {
	d.Helper()
	d.must(d.app.store.View(func(tx *store.Tx) error {
		c, err := mailflow.CaseByID(tx, cvd.CaseID(tag))
		held = c.Hold != nil
		return err
	}))
	return held
}
