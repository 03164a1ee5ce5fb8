package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// storyMail is one mail that a vendor got and opened.
type storyMail struct {
	mailtest.Received
	*mailtest.Opened
	kind  string // stage, reminder, leak, embargo, answer, letter; clear where it was not encrypted
	stage cvd.Stage
}

// all is every word that its reader can see.
func (m storyMail) all() string {
	text := m.Subject + "\n" + m.Text
	for name, data := range m.Files {
		text += "\n" + name + "\n" + data
	}
	return text + "\n" + string(m.Inner)
}

// name is what the mail is, once for each that a vendor may get.
func (m storyMail) name() string { return strings.TrimSpace(m.kind + " " + string(m.stage)) }

// The first lines of each kind of mail, as they are read.
var (
	stageHead   = regexp.MustCompile(`stage \d of \d: ([a-z-]+)`)
	leakHead    = regexp.MustCompile(`leak: (details)\n`)
	embargoHead = regexp.MustCompile(`The date of this case has changed\.`)
	answerHead  = regexp.MustCompile(`What we understood of your mail:`)
)

// reads opens with its own key what came for a vendor, and lets it answer what came
// some time before.
func (v *storyVendor) reads() (acted bool) {
	s := v.story
	s.Helper()
	ours, err := s.ours()
	s.must(err)
	for _, m := range v.mails[v.answered:] {
		if m.At.Before(v.Now()) {
			v.answers(m)
			v.answered++
			acted = true
		}
	}
	mails, before := s.sink.To(v.Address), len(v.mails)
	for ; v.read < len(mails); v.read++ {
		m, err := v.opens(mails[v.read], ours)
		if err != nil {
			s.Fatalf("%s: %s cannot open its mail: %v\n%s", s.when(), v.party, err, mails[v.read].Raw)
		}
		v.mails = append(v.mails, m)
	}
	for _, m := range v.mails[before:] { // those of one instant may have overtaken each other
		for _, wrong := range s.judges(v, m) {
			s.Errorf("%s: %s: %s: %s", s.when(), v.party, m.name(), wrong)
		}
		if m.kind != "answer" && m.kind != "reminder" {
			s.say("  %s  %-9s reads %s", s.when(), v.party, m.name())
		}
		acted = true
	}
	return acted
}

// opens decrypts a mail in the form that the vendor has asked for, and tells what
// it is.
func (v *storyVendor) opens(r mailtest.Received, ours []byte) (storyMail, error) {
	m := storyMail{Received: r}
	var err, sealed error
	switch m.Opened, sealed = v.Open(r.Raw, ours); {
	case sealed == nil:
	case v.is(ticketed):
		m.Opened, err = v.OpenInline(r.Raw, ours)
	default:
		m.kind = "clear"
		m.Opened, err = v.OpenSigned(r.Raw, ours)
	}
	if err != nil {
		return m, errors.Join(sealed, err)
	}
	switch text := m.Text; {
	case m.kind == "clear":
	case stageHead.MatchString(text):
		m.kind, m.stage = "stage", cvd.Stage(stageHead.FindStringSubmatch(text)[1])
		if strings.Contains(text, "We have no answer to this notice yet") {
			m.kind = "reminder"
		}
	case leakHead.MatchString(text):
		m.kind, m.stage = "leak", cvd.Details
	case embargoHead.MatchString(text):
		m.kind = "embargo"
	case answerHead.MatchString(text):
		m.kind = "answer"
	default:
		m.kind = "letter"
	}
	return m, nil
}

// answers writes what this vendor would write to such a mail.
func (v *storyVendor) answers(m storyMail) {
	tag := v.story.cast.tag
	code := printedCode.FindString(strings.ReplaceAll(m.Text, tag, ""))
	does := func(format string, a ...any) {
		v.commands++
		v.writes(m, fmt.Sprintf(format, a...)+"\n\nWith regards, "+v.words())
	}
	switch {
	case v.is(ticketed) && v.answered == 0:
		v.repliesByItself(m)
	case v.is(expiring) && m.kind == "clear" && v.former == "":
		v.renewsKey(m)
	}
	switch name := m.name(); {
	case v.is(silent) || v.is(urgent):
	case name == "stage heads-up" && v.is(unable):
		v.declined = v.Now()
		does("DECLINE %s %s we ship this no longer, says %s", tag, code, v.words())
	case name == "stage heads-up":
		v.accepted = v.Now()
		does("ACCEPT %s v%s %s", tag, printedVersion(m.Text), code)
	case name == "stage details" && v.is(hurried):
		does("PROPOSE %s %s %s our service pack is ready then, says %s", tag, v.story.earlier().Format(time.DateOnly), code, v.words())
	case name == "stage details" && v.is(curious):
		does("STATUS %s investigating %s\n\nIs a control that was built without that macro affected, too? Asks %s", tag, code, v.words())
	case name == "stage details":
		does("STATUS %s affected 7.1-9.0 %s", tag, code)
	case name == "stage proof":
		does("STATUS %s fixed 9.1 %s", tag, code)
	case name == "leak details":
		does("ACK %s %s", tag, code)
	}
}

var acceptLine = regexp.MustCompile(`(?m)^\s+ACCEPT \S+ v(\d+) `)

// printedVersion is that of the embargo which a notice asks to accept.
func printedVersion(text string) string {
	if m := acceptLine.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return "?"
}

// thread is the address that a mail came from, which is where its reader answers.
func (m storyMail) thread() string {
	if from := fromField.FindSubmatch(m.Raw); from != nil {
		return string(from[1])
	}
	return ""
}

// writes sends an encrypted reply: signed, or not where the vendor relies on the
// code; from a ticket system as armor in the body.
func (v *storyVendor) writes(m storyMail, text string) {
	s := v.story
	s.Helper()
	ours, err := s.ours()
	s.must(err)
	to := m.thread()
	if v.is(ticketed) {
		armored, err := v.Seal([]byte(text+"\r\n"), ours, false)
		s.must(err)
		s.must(mailtest.Send(s.addr("smtp"), v.Address, to, mailtest.Plain(v.Address, to, "Re: [#4711] Confidential message", string(armored), v.Now())))
		return
	}
	armored, err := v.Seal(mailtest.Entity("Re: ["+s.cast.tag+"]", text+"\n"), ours, v.signs)
	s.must(err)
	s.must(mailtest.Send(s.addr("smtp"), v.Address, to, mailtest.PGPMIME(v.Address, to, v.Now(), armored)))
}

// repliesByItself is what a ticket system sends before anybody has read a thing.
func (v *storyVendor) repliesByItself(m storyMail) {
	s, to := v.story, m.thread()
	s.Helper()
	raw := mailtest.Plain(v.Address, to, "[#4711] Confidential message (encrypted)", "ACCEPT and thank you. We have your request and will look at it.", v.Now(),
		mailtest.Field{Name: "Auto-Submitted", Value: "auto-replied"})
	s.must(mailtest.Send(s.addr("smtp"), v.Address, to, raw))
}

// renewsKey answers a mail that says that there is no key with a new one.
func (v *storyVendor) renewsKey(m storyMail) {
	s := v.story
	s.Helper()
	fresh, err := mailtest.NewPerson(v.party, v.Address, v.Now)
	s.must(err)
	v.former = v.Fingerprint()
	v.Person, v.signs = fresh, true
	certs, err := keyring.ParseCertificates(fresh.PublicKey())
	s.must(err)
	s.say("  %s  %-9s mails a new key instead of %s...", s.when(), v.party, v.former[:8])
	to := m.header("Reply-To")
	s.must(mailtest.Send(s.addr("smtp"), v.Address, to, mailtest.Plain(v.Address, to, "Re: "+m.Subject, "Here it is.", v.Now(),
		mailtest.Field{Name: "In-Reply-To", Value: m.header("Message-ID")},
		mailtest.Field{Name: "Autocrypt", Value: "addr=" + v.Address + "; keydata=" + base64.StdEncoding.EncodeToString(certs[0].Bytes())})))
}

// header is a field of the mail as everybody on the way reads it.
func (m storyMail) header(name string) string {
	msg, err := mail.ReadMessage(strings.NewReader(string(m.Raw)))
	if err != nil {
		return ""
	}
	return msg.Header.Get(name)
}

// counts says how many mails of a name a vendor has.
func (v *storyVendor) counts(name string) int {
	return len(slices.DeleteFunc(slices.Clone(v.mails), func(m storyMail) bool { return m.name() != name }))
}

// finderGets is what stands in the Subjects of what the finder gets.
var finderGets = []string{"[intake-1] We have your report", "Something of your report is public", "6/6 Public"}

// tellsTheFinder opens what the finder got: its receipt, that it leaked, and what
// is public.
func (s *story) tellsTheFinder() {
	s.Helper()
	ours, err := s.ours()
	s.must(err)
	f := s.cast.finder
	var subjects []string
	for _, r := range s.sink.To(f.Address) {
		o, err := f.Open(r.Raw, ours)
		s.must(err)
		subjects = append(subjects, o.Subject)
		text := strings.ToLower(string(o.Inner))
		for _, v := range s.vendors {
			if strings.Contains(text, v.party) || strings.Contains(text, v.words()) {
				s.Errorf("the finder is told of %s in %q", v.party, o.Subject)
			}
		}
	}
	if !slices.EqualFunc(subjects, finderGets, strings.Contains) {
		s.Errorf("the finder got %q", subjects)
	}
}
