package main

import (
	"bytes"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/emersion/go-imap/v2/imapclient"

	"parley/mailflow"
	"parley/mailflow/mailtest"
	"parley/mailflow/mailtest/canary"
	"parley/testdata/live"
)

// canaryWords stand each in one class of what nobody may find outside of the seal.
// Those of told are read in the end by whom they are for, so that it is known that
// they went through; the others are of attempts that fail.
var canaryWords = map[string]string{
	"report": "xqreport4w1k", "subject": "xqsubject8h2d", "file name": "xqfilename3j5p", "file": "xqcontent9r7c",
	"report in clear": "xqclear2m8t", "finder": "xqfinder6b3n", "address": "xqaddress5v9s", "product": "xqproduct2c9l",
	"vendor": "xqvendor1z6q", "reply": "xqreply7g4f", "reply's file": "xqenclosed6t2v", "scope": "xqscope3h8j", "title": "xqtitle5n1x",
	"password": "xqpassword4d8e", "wrong password": "xqguess9k3a", "unknown login": "xqlogin2s7b", "unknown address": "xqnobody8c5r",
	"unknown command": "xqverb1f6y", "search": "xqsearch7j9m", "smarthost password": "xqrelay4n8v", "unlocked folder": "xqfolder3l4z", "desk command": "xqdesk6p2w",
}

// canaryPolicy lets scope follow the heads-up at once.
const canaryPolicy = `
[policy.canary]
embargo = "30m"
lead = "30m"
leak = "1m"
remind = []
[[policy.canary.stage]]
name = "heads-up"
at = "start"
[[policy.canary.stage]]
name = "scope"
at = "start+1s"
needs = ["accepted"]
approvals = 0
[[policy.canary.stage]]
name = "public"
at = "end"
`

// canaryStory is a case with secrets in it, from a report to a vendor's answer.
type canaryStory struct {
	*testing.T
	root     string // everything that the gateway can write is below
	gateway  *live.Gateway
	sink     *mailtest.Sink
	ours     []byte
	own      *mailtest.Person // who reads with the gateway's key
	ana, ben *live.Coordinator
	imap     *imapclient.Client
	vendor   *mailtest.Person
	tag      string
	told     map[string]bool
	secrets  canary.Secrets
	besides  []string // files in which a secret has to stand
}

// Secrets of every class go through the program. What it leaves is searched while it
// runs, after a kill, after a crash, after a start and a stop upon that, after its case
// was shredded and the store compacted: the state directory with all free pages, the log
// at debug level, what the monitoring system is told, the folder for temporary files,
// where it works and a core would lie, a backup, and what doctor and verify say (rules
// H1, H4 and H6).
func TestH4_NothingInClear(t *testing.T) {
	t.Parallel()
	s := newCanaryStory(t)
	s.knocks()
	s.reports()
	s.opens()
	s.tellsVendor()
	s.hears()
	s.reads()
	s.says()
	s.process()
	s.search("while it runs")
	s.must(s.gateway.Kill())
	s.search("after a kill")
	s.must(s.gateway.Start("--debug"))
	s.must(s.gateway.Crash())
	if log := s.log(); !strings.Contains(log, "SIGABRT") {
		s.Errorf("it did not crash: %s", log)
	}
	s.search("after a crash")
	s.must(s.gateway.Start("--debug"))
	s.must(s.gateway.Stop())
	s.search("after a start and a stop upon that")
	s.shreds()
	s.search("after the case was shredded")
	s.compacts()
	s.search("after the store was compacted")
}

func newCanaryStory(t *testing.T) *canaryStory {
	t.Helper()
	s := &canaryStory{T: t, root: t.TempDir(), told: map[string]bool{}, secrets: canary.Secrets{}}
	var err error
	ca, err := mailtest.NewAuthority()
	s.must(err)
	relay, err := ca.Server(time.Now(), "127.0.0.1")
	s.must(err)
	s.sink, err = mailtest.StartSink(mailtest.SinkOptions{Config: relay, Implicit: true, User: "relay", Password: canaryWords["smarthost password"]})
	s.must(err)
	t.Cleanup(s.sink.Close)
	for class, word := range canaryWords {
		s.secrets[class] = []byte(word)
	}
	for _, dir := range []string{"tmp", "work", "out"} {
		s.must(os.Mkdir(filepath.Join(s.root, dir), 0o700))
	}
	s.gateway, err = live.Make(program(t), filepath.Join(s.root, "gw"), canaryPolicy, live.Set("smarthost", `"smtps://relay@`+s.sink.Addr+`"`),
		live.Set("password", `"file:relay"`), live.Set("ca", `"relay.pem"`), live.Set("undo", `"0s"`), live.Set("pause", `"0s"`))
	s.must(err)
	password := filepath.Join(s.gateway.Home, "relay")
	s.must(errors.Join(os.WriteFile(password, []byte(canaryWords["smarthost password"]), 0o600),
		os.WriteFile(filepath.Join(s.gateway.Home, "relay.pem"), ca.PEM(), 0o600)))
	s.besides = []string{password}
	s.gateway.Dir = filepath.Join(s.root, "work")
	s.gateway.Env = []string{"TMPDIR=" + filepath.Join(s.root, "tmp"), "GOTRACEBACK=crash"}
	s.ours, err = s.gateway.Key()
	s.must(err)
	s.ownSecrets()
	s.must(s.gateway.Start("--debug"))
	t.Cleanup(func() { s.must(s.gateway.Stop()) })
	s.ana, err = s.gateway.Coordinator("ana", canaryWords["password"])
	s.must(err)
	s.ben, err = s.gateway.Coordinator("ben", canaryWords["password"]+"2")
	s.must(err)
	s.imap = mailClient(t, s.ana)
	return s
}

func (s *canaryStory) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *canaryStory) log() string {
	text, err := os.ReadFile(s.gateway.Log)
	s.must(err)
	return string(text)
}

// ownSecrets are the secrets of the gateway itself: what unlocks the store, the key of
// its TLS certificate, and its OpenPGP key, in pieces of it that the public half does
// not hold.
func (s *canaryStory) ownSecrets() {
	unlock := filepath.Join(s.gateway.Home, "unlock")
	text, err := os.ReadFile(unlock)
	s.must(err)
	word := strings.TrimSpace(string(text))
	s.secrets["unlock"] = []byte(word)
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(word[strings.LastIndexByte(word, '-')+1:]))
	s.must(err)
	s.secrets["unlock, its bytes"] = key
	tlsKey := filepath.Join(s.gateway.Home, "tls.key")
	pem, err := os.ReadFile(tlsKey)
	s.must(err)
	s.secrets["TLS key"] = bytes.Split(pem, []byte("\n"))[1]
	s.besides = append(s.besides, unlock, tlsKey)
	a := s.opened(time.Now())
	own := a.base.Own.Signing()
	for i := 0; i+16 <= len(own.Bytes()); i += 16 {
		if piece := own.Bytes()[i : i+16]; !bytes.Contains(own.Certificate().Bytes(), piece) {
			s.secrets[fmt.Sprintf("OpenPGP key from %d", i)] = bytes.Clone(piece)
		}
	}
	entity, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(own.Bytes())))
	s.must(errors.Join(err, a.Close()))
	s.own = &mailtest.Person{Name: "our key", Entity: entity, Now: time.Now}
}

// session adds the session key of a mail to the secrets.
func (s *canaryStory) session(of string, reader *mailtest.Person, raw []byte) {
	s.Helper()
	key, err := reader.SessionKey(raw)
	s.must(err)
	s.secrets["session key of "+of] = key
}

// opened opens the store of the gateway, which does not run, at an instant.
func (s *canaryStory) opened(at time.Time) *app {
	s.Helper()
	set, err := loadSettings(s.gateway.Config)
	s.must(err)
	unlock, err := set.unlock(asker{})
	s.must(err)
	clock := mailtest.NewClock(at)
	a, err := openApp(set, given{unlock: unlock, clock: mailflow.Clock{Now: clock.Now, Read: clock.Read, After: clock.After}, log: slog.New(slog.DiscardHandler)})
	s.must(err)
	return a
}

// notes remembers which words somebody read, in whatever form they are in a mail.
func (s *canaryStory) notes(text []byte) {
	for _, found := range canary.New(s.secrets).Plain(text) {
		for class := range canaryWords {
			if strings.HasPrefix(found, class+": ") {
				s.told[class] = true
			}
		}
	}
}

// reads is the control of the story: each word of the case went through.
func (s *canaryStory) reads() {
	s.Helper()
	all, err := live.Folders(s.imap)
	s.must(err)
	for _, f := range all {
		mails, err := live.Read(s.imap, f)
		s.must(err)
		s.notes([]byte(f))
		for _, m := range mails {
			s.notes(m.Raw)
		}
	}
	for _, class := range []string{"report", "subject", "file name", "file", "report in clear", "finder", "address", "product", "vendor", "reply", "reply's file", "scope", "title"} {
		if !s.told[class] {
			s.Errorf("nobody read what stands in the %s, so nothing is shown by not finding it", class)
		}
	}
}

// says keeps what the gateway says to those who look after it.
func (s *canaryStory) says() {
	s.Helper()
	keys := identities(s.T)
	out := filepath.Join(s.root, "out")
	for _, args := range [][]string{{"doctor"}, {"verify"}, {"backup", filepath.Join(out, "backup.age"), "--recipient", keys.right}} {
		text, err := s.gateway.On(args...)
		if err != nil && args[0] != "doctor" { // which finds fault with a gateway of a test
			s.Error(err)
		}
		s.must(os.WriteFile(filepath.Join(out, args[0]), []byte(text), 0o600))
	}
	for _, path := range []string{"/metrics", "/ready"} {
		text, err := s.gateway.Get(path)
		s.must(errors.Join(err, os.WriteFile(filepath.Join(out, path), []byte(text), 0o600)))
	}
}

// process keeps what the system shows of the process to everybody.
func (s *canaryStory) process() {
	s.Helper()
	for _, name := range []string{"environ", "cmdline", "status", "mountinfo"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.gateway.PID(), name))
		s.must(errors.Join(err, os.WriteFile(filepath.Join(s.root, "out", name), text, 0o600)))
	}
}

// search wants nothing of the secrets in anything below root.
func (s *canaryStory) search(when string) {
	s.Helper()
	begun := time.Now()
	found, files, err := canary.New(s.secrets).Files(s.root, s.besides...)
	s.must(err)
	for _, f := range found {
		s.Errorf("%s: %s", when, f)
	}
	for _, must := range []string{"gw/state/parley.db", "gw.log", "out/backup.age", "out/metrics"} {
		if info, err := os.Stat(filepath.Join(s.root, must)); err != nil || info.Size() == 0 {
			s.Errorf("%s: there is nothing in %s to search: %v", when, must, err)
		}
	}
	for _, dir := range []string{"tmp", "work"} {
		left, err := os.ReadDir(filepath.Join(s.root, dir))
		s.must(err)
		if len(left) > 0 {
			s.Errorf("%s: it left %s in %s", when, left, dir)
		}
	}
	s.Logf("%s: %d secrets (%s), %d files, %d hits, %s", when, len(s.secrets), strings.Join(slices.Sorted(maps.Keys(s.secrets)), ", "), files, len(found), time.Since(begun).Round(time.Millisecond))
}
