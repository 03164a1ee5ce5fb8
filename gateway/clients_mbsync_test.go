//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"parley/mailflow/mailtest"
)

// mirror is a gateway in a process of its own, and ana's copy of the whole
// tree that mbsync keeps, set up by her card.
type mirror struct {
	*testing.T
	home   string
	config string
	daemon *exec.Cmd
	addr   map[string]string // of endpoints
}

func newMirror(t *testing.T) *mirror {
	t.Helper()
	m := &mirror{T: t, home: t.TempDir()}
	m.config = newGateway(t, filepath.Join(m.home, "gw"))
	m.write("password", "a pass phrase of ana\n")
	m.parley("coordinator", "add", "ana", "--password-file", filepath.Join(m.home, "password"))
	m.must(os.MkdirAll(filepath.Join(m.home, "Mail/desk"), 0o700))
	m.starts()
	t.Cleanup(func() { m.kill() })
	return m
}

func (m *mirror) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *mirror) write(name, text string) {
	m.Helper()
	m.must(os.WriteFile(filepath.Join(m.home, name), []byte(text), 0o600))
}

func (m *mirror) parley(args ...string) string {
	m.Helper()
	out, err := parley(m.T, append(args, "--config", m.config)...).CombinedOutput()
	if err != nil {
		m.Fatalf("parley %q: %v: %s", args, err, out)
	}
	return string(out)
}

// starts runs the daemon, on other ports than before, and takes a new card.
func (m *mirror) starts() {
	m.Helper()
	m.daemon = parley(m.T, "serve", "--config", m.config)
	out, err := m.daemon.StdoutPipe()
	m.must(err)
	m.must(m.daemon.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	m.must(err)
	m.addr = map[string]string{}
	for _, word := range strings.Fields(line)[1:] {
		name, addr, _ := strings.Cut(word, "=")
		m.addr[name] = addr
	}
	m.must(takeCard(m.Context(), m.home, m.config, "ana", "mbsync"))
	rc := filepath.Join(m.home, ".config/parley/mbsyncrc")
	text, err := os.ReadFile(rc)
	m.must(err)
	m.must(os.WriteFile(rc, bytes.Replace(text, []byte(`# PassCmd "pass show parley"`), []byte(`PassCmd "cat ~/password"`), 1), 0o600))
}

// kill ends the daemon at once (kill -9).
func (m *mirror) kill() {
	_ = m.daemon.Process.Kill() // it may have ended
	_ = m.daemon.Wait()
}

// reports sends reports in clear, and waits until the desk has all of them.
func (m *mirror) reports(n int) {
	m.Helper()
	for i := range n {
		text := strings.Repeat(fmt.Sprintf("Report %d says this again and again.\n", i), 4000+i*200)
		raw := mailtest.Plain("robin@finder.example", "report@vdp.example.org", fmt.Sprintf("flaw %d", i), text, time.Now())
		m.must(mailtest.Send(m.addr["smtp"], "robin@finder.example", "report@vdp.example.org", raw))
	}
	c := m.login()
	m.until("the reports in Intake", func() bool { return m.count(c, "Intake") >= n })
}

// login is a client that looks at what the server has.
func (m *mirror) login() *imapclient.Client {
	m.Helper()
	c, err := imapclient.DialTLS(m.addr["imap"], &imapclient.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}}) // loopback; mbsync checks
	m.must(err)
	m.Cleanup(func() { _ = c.Close() })
	m.must(c.Login("ana", "a pass phrase of ana").Wait())
	return c
}

func (m *mirror) count(c *imapclient.Client, folder string) int {
	m.Helper()
	data, err := c.Status(folder, &imap.StatusOptions{NumMessages: true}).Wait()
	m.must(err)
	return int(*data.NumMessages)
}

func (m *mirror) until(what string, ok func() bool) {
	m.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			m.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// sync begins a run of mbsync.
func (m *mirror) sync() (*exec.Cmd, *bytes.Buffer) {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), patience)
	m.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "mbsync", "-c", filepath.Join(m.home, ".config/parley/mbsyncrc"), "desk")
	cmd.Env = []string{"HOME=" + m.home, "PATH=" + os.Getenv("PATH")}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	m.must(cmd.Start())
	return cmd, &said
}

// syncs runs mbsync to its end, which must be a good one.
func (m *mirror) syncs() {
	m.Helper()
	cmd, said := m.sync()
	if err := cmd.Wait(); err != nil {
		m.Fatalf("mbsync: %v\n%s", err, said)
	}
}

// cut kills a run of mbsync (kill -9) as soon as something is so.
func (m *mirror) cut(what string, ok func() bool) {
	m.Helper()
	cmd, _ := m.sync()
	m.until(what, ok)
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()
}

// mailState is one message of a folder: its Message-ID, its flags, and which
// it is on the server, "UIDVALIDITY UID".
type mailState struct{ id, flags, uid string }

// far is every message of the server: folder, UIDVALIDITY and UID lead to it.
func (m *mirror) far() map[string]mailState {
	m.Helper()
	c := m.login()
	defer func() { _ = c.Close() }()
	list, err := c.List("", "*", nil).Collect()
	m.must(err)
	all := map[string]mailState{}
	for _, l := range list {
		if slices.Contains(l.Attrs, imap.MailboxAttrNoSelect) {
			continue
		}
		box, err := c.Select(l.Mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
		m.must(err)
		if box.NumMessages == 0 {
			continue
		}
		msgs, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: box.NumMessages}}, &imap.FetchOptions{UID: true, Flags: true, Envelope: true}).Collect()
		m.must(err)
		for _, msg := range msgs {
			uid := fmt.Sprintf("%d %d", box.UIDValidity, msg.UID)
			all[l.Mailbox+" "+uid] = mailState{msg.Envelope.MessageID, flagLetters(msg.Flags), uid}
		}
	}
	return all
}

// flagLetters writes flags as a Maildir does.
func flagLetters(flags []imap.Flag) string {
	letters := ""
	for _, f := range []struct {
		flag   imap.Flag
		letter string
	}{{imap.FlagDraft, "D"}, {imap.FlagFlagged, "F"}, {imap.FlagAnswered, "R"}, {imap.FlagSeen, "S"}, {imap.FlagDeleted, "T"}} {
		if slices.Contains(flags, f.flag) {
			letters += f.letter
		}
	}
	return letters
}

// What mbsync writes into the name of a mail, and into its record of a folder.
var (
	nearFlags = regexp.MustCompile(`:2,([A-Z]*)$`)
	nearUID   = regexp.MustCompile(`,U=(\d+)`)
	validity  = regexp.MustCompile(`(?m)^FarUidValidity (\d+)$`)
	pair      = regexp.MustCompile(`(?m)^([1-9]\d*) ([1-9]\d*)\b`)
)

// pairs tells by the UID in the copy which message of the server each of a
// folder is, as mbsync recorded it.
func (m *mirror) pairs(folder string) map[string]string {
	m.Helper()
	record, err := os.ReadFile(filepath.Join(m.home, "Mail/desk", folder, ".mbsyncstate"))
	m.must(err)
	v := validity.FindSubmatch(record)
	if v == nil {
		m.Fatalf("the record of %s names no UIDVALIDITY:\n%s", folder, record)
	}
	all := map[string]string{}
	for _, p := range pair.FindAllSubmatch(record, -1) {
		all[string(p[2])] = string(v[1]) + " " + string(p[1])
	}
	return all
}

var messageID = regexp.MustCompile(`(?mi)^Message-ID:\s*<(.+)>`)

// near is every message of the copy, by folder and Message-ID; a message that
// is there twice fails the test.
func (m *mirror) near() map[string]mailState {
	m.Helper()
	all := map[string]mailState{}
	top := filepath.Join(m.home, "Mail/desk")
	m.must(filepath.WalkDir(top, func(path string, e os.DirEntry, err error) error {
		sub := filepath.Base(filepath.Dir(path))
		if err != nil || e.IsDir() || (sub != "cur" && sub != "new") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		id := messageID.FindSubmatch(raw)
		if id == nil {
			return fmt.Errorf("%s has no Message-ID", path)
		}
		folder, err := filepath.Rel(top, filepath.Dir(filepath.Dir(path)))
		if err != nil {
			return err
		}
		state := mailState{id: string(id[1])}
		if f := nearFlags.FindStringSubmatch(path); f != nil {
			state.flags = f[1]
		}
		if u := nearUID.FindStringSubmatch(filepath.Base(path)); u != nil {
			state.uid = m.pairs(folder)[u[1]]
		}
		key := folder + " " + state.id
		if _, twice := all[key]; twice {
			m.Errorf("the copy has twice: %s", key)
		}
		all[key] = state
		return nil
	}))
	return all
}

// agree wants the copy to hold what the server has, once each, with the same
// flags and under the same UIDs.
func (m *mirror) agree() map[string]mailState {
	m.Helper()
	far, want := m.far(), map[string]mailState{}
	for key, state := range far {
		words := strings.Fields(key)
		name := strings.Join(words[:len(words)-2], " ") + " " + state.id
		if _, twice := want[name]; twice {
			m.Errorf("the server has twice: %s", name)
		}
		want[name] = state
	}
	near := m.near()
	if !maps.Equal(near, want) {
		for k, v := range want {
			if n, ok := near[k]; !ok || n != v {
				m.Errorf("%s is %v on the server, %v (%v) in the copy", k, v, n, ok)
			}
		}
		for k := range near {
			if _, ok := want[k]; !ok {
				m.Errorf("only in the copy: %s", k)
			}
		}
	}
	return far
}

// file finds the file of a report in the copy.
func (m *mirror) file(folder, subject string) string {
	m.Helper()
	for _, sub := range []string{"cur", "new"} {
		paths, err := filepath.Glob(filepath.Join(m.home, "Mail/desk", folder, sub, "*"))
		m.must(err)
		for _, p := range paths {
			raw, err := os.ReadFile(p)
			m.must(err)
			if bytes.Contains(raw, []byte(subject+"\n")) {
				return p
			}
		}
	}
	m.Fatalf("the copy of %s holds no %q", folder, subject)
	return ""
}

// marks gives a message of the copy other flags.
func (m *mirror) marks(folder, subject, flags string) {
	m.Helper()
	path := m.file(folder, subject)
	base, _, _ := strings.Cut(filepath.Base(path), ":2,")
	m.must(os.Rename(path, filepath.Join(m.home, "Mail/desk", folder, "cur", base+":2,"+flags)))
}

func (m *mirror) pulled(folder string) int {
	all := 0
	for _, sub := range []string{"cur", "new"} {
		paths, _ := filepath.Glob(filepath.Join(m.home, "Mail/desk", folder, sub, "*")) // the pattern is sound
		all += len(paths)
	}
	return all
}

// A two-way mbsync of the whole tree, twice, cut off by kill -9 of either
// side, leaves the same messages, flags and UIDs; what changed in the copy
// reaches the server once, and a mail dropped into a folder Do/ there is one
// command.
func TestClients_MbsyncKilled(t *testing.T) {
	t.Parallel()
	needs(t, "mbsync")
	m := newMirror(t)
	m.reports(30)
	m.parley("do", `case open "By hand" policy default report 30`)
	watch := m.login()
	m.drawn(watch, "0001 By hand")
	before := m.far()

	m.cut("a part of Intake in the copy", func() bool { return m.pulled("Intake") >= 5 })
	m.Logf("mbsync was cut off with %d of 29 mails in the copy of Intake", m.pulled("Intake"))
	cmd, _ := m.sync()
	m.until("more of Intake in the copy", func() bool { return m.pulled("Intake") >= 10 })
	m.kill()
	_ = cmd.Wait()
	m.Logf("the daemon was cut off with %d of 29 mails in the copy of Intake", m.pulled("Intake"))
	m.starts()
	for range 2 {
		m.syncs()
		if after := m.agree(); !maps.Equal(before, after) {
			t.Errorf("the server had\n%v\nand has\n%v", before, after)
		}
	}

	// What a person does to the copy.
	m.marks("Intake", "flaw 3", "FS")
	m.marks("Intake", "flaw 4", "S")
	m.marks("Intake", "flaw 5", "ST")
	button := filepath.Join(m.home, "Mail/desk/Do/New case/new/1700000000.1.here")
	m.must(os.Rename(m.file("Intake", "flaw 6"), button))
	watch = m.login()
	m.cut("the command at the server", func() bool { return m.count(watch, "Do/New case") == 1 })
	cmd, _ = m.sync()
	m.until("flags at the server", func() bool { return m.flagged(watch) })
	m.kill()
	_ = cmd.Wait() // it may have ended well
	m.starts()
	m.drawn(m.login(), "0002 flaw 6")
	for range 2 {
		m.syncs()
		m.syncs()
		m.keep(before, m.agree())
	}
	m.checkOnce()
}

// drawn waits for the case file of a case, which comes a moment after all else.
func (m *mirror) drawn(c *imapclient.Client, title string) {
	m.Helper()
	folder := fmt.Sprintf("Cases/PAR-%d-%s/Case file", time.Now().UTC().Year(), title)
	m.until("a mail in "+folder, func() bool { return m.count(c, folder) == 1 })
}

// keep wants every UID to mean what it meant before, and what a person left in
// Intake to have the UID that it had.
func (m *mirror) keep(before, after map[string]mailState) {
	m.Helper()
	kept := 0
	for key, now := range after {
		then, known := before[key]
		if known && then.id != now.id {
			m.Errorf("%s was %s and is %s", key, then.id, now.id)
		}
		if strings.HasPrefix(key, "Intake ") {
			if !known {
				m.Errorf("%s has another UID in Intake", now.id)
			}
			kept++
		}
	}
	if kept != intakeLeft {
		m.Errorf("%d in Intake", kept)
	}
}

// intakeLeft is how many of the 30 reports stay: two are in cases, one is hidden.
const intakeLeft = 27

func (m *mirror) flagged(c *imapclient.Client) bool {
	m.Helper()
	if _, err := c.Select("Intake", &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		m.Fatal(err)
	}
	found, err := c.Search(&imap.SearchCriteria{Flag: []imap.Flag{imap.FlagFlagged}}, nil).Wait()
	m.must(err)
	return len(found.AllSeqNums()) == 1
}

// checkOnce wants what was done to the copy, once each.
func (m *mirror) checkOnce() {
	m.Helper()
	c := m.login()
	list, err := c.List("", "Cases/%", nil).Collect()
	m.must(err)
	var cases []string
	for _, l := range list {
		cases = append(cases, l.Mailbox)
	}
	year := time.Now().UTC().Format("2006")
	if want := []string{"Cases/PAR-" + year + "-0001 By hand", "Cases/PAR-" + year + "-0002 flaw 6"}; !slices.Equal(cases, want) {
		m.Errorf("cases %q, want %q", cases, want)
	}
	if n := m.count(c, "Do/New case"); n != 1 {
		m.Errorf("%d receipts", n)
	}
	if n := m.count(c, "Intake"); n != intakeLeft {
		m.Errorf("%d in Intake", n)
	}
	if !m.flagged(c) {
		m.Error("the flag did not arrive")
	}
}
