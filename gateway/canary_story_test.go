package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"parley/mailflow/mailtest"
	"parley/testdata/live"
)

// knocks are attempts that fail, each with a word that a log could repeat.
func (s *canaryStory) knocks() {
	s.Helper()
	c, err := textproto.Dial("tcp", s.gateway.Port("smtp"))
	s.must(err)
	defer func() { _ = c.Close() }() // it was only to see
	w := canaryWords
	if _, _, err := c.ReadResponse(220); err != nil { // who talks before it is cut off
		s.Fatal(err)
	}
	for _, line := range []string{"EHLO " + w["unknown command"] + ".example", strings.ToUpper(w["unknown command"]) + " " + w["unknown command"],
		"MAIL FROM:<" + w["address"] + "@finder.example>", "RCPT TO:<" + w["unknown address"] + "@" + live.Domain + ">",
		"RCPT TO:<case+" + w["unknown address"] + "@" + live.Domain + ">", "QUIT"} {
		s.must(c.PrintfLine("%s", line))
		for next := true; next; {
			answer, err := c.ReadLine()
			s.must(err)
			next = len(answer) > 3 && answer[3] == '-'
		}
	}
	for _, who := range []*live.Coordinator{{Person: s.ana.Person, Password: w["wrong password"], Gateway: s.gateway},
		{Person: &mailtest.Person{Name: w["unknown login"], Address: s.ana.Address}, Password: w["wrong password"], Gateway: s.gateway}} {
		if _, err := who.IMAP(nil); err == nil {
			s.Error("a wrong password is good")
		}
		trust, err := s.gateway.Trust()
		s.must(err)
		m := mailtest.Mailer{Addr: s.gateway.Port("submission"), TLS: trust, User: who.Name, Password: who.Password}
		if m.Send(s.ana.Address, []string{"control@" + live.Desk}, []byte("a: b\r\n\r\n")) == nil {
			s.Error("a wrong password is good")
		}
	}
	if _, err := tls.Dial("tcp", s.gateway.Port("imap"), &tls.Config{ServerName: w["unknown login"] + ".example"}); err == nil {
		s.Error("the certificate is good for any name")
	}
}

// reports sends one report that is encrypted, and one in clear.
func (s *canaryStory) reports() {
	s.Helper()
	w, to := canaryWords, "report@"+live.Domain
	f, err := mailtest.NewPerson(w["finder"], w["address"]+"@finder.example", time.Now)
	s.must(err)
	from := f.Name + " <" + f.Address + ">"
	armored, err := f.Seal(mailtest.Entity(w["subject"], "It overflows, "+w["report"]+".\n",
		mailtest.File{Name: w["file name"] + ".txt", Type: "text/plain", Data: w["file"]},
		mailtest.File{Name: "key.asc", Type: "application/pgp-keys", Data: string(f.PublicKey())}), s.ours, true)
	s.must(err)
	raw := mailtest.PGPMIME(from, to, time.Now(), armored)
	s.session("the report", s.own, raw)
	s.must(mailtest.Send(s.gateway.Port("smtp"), f.Address, to, raw))
	clear := mailtest.Plain(from, to, "Another", w["report in clear"], time.Now())
	s.must(mailtest.Send(s.gateway.Port("smtp"), f.Address, to, clear))
}

var canaryCase = regexp.MustCompile(`^Cases/([A-Z]+-\d{4}-\d{4})`)

// opens makes a case of the encrypted report, as a coordinator does.
func (s *canaryStory) opens() {
	s.Helper()
	report := awaits(s.T, "the report", func() (live.Mail, bool, error) {
		all, err := live.Read(s.imap, "Intake")
		i := slices.IndexFunc(all, func(m live.Mail) bool { return bytes.Contains(m.Raw, []byte(canaryWords["report"])) })
		if i < 0 || len(all) < 2 {
			return live.Mail{}, false, err
		}
		return all[i], true, err
	})
	_, err := s.imap.UIDSearch(&imap.SearchCriteria{Text: []string{canaryWords["search"]}}, nil).Wait()
	s.must(err)
	_, err = s.imap.Copy(imap.UIDSetNum(report.UID), "Do/New case").Wait()
	s.must(err)
	s.tag = awaits(s.T, "the case", func() (string, bool, error) {
		all, err := live.Folders(s.imap)
		for _, f := range all {
			if m := canaryCase.FindStringSubmatch(f); m != nil {
				return m[1], true, nil
			}
		}
		return "", false, err
	})
	_, _ = s.imap.Select(canaryWords["unlocked folder"], nil).Wait() // there is none
}

// tellsVendor starts the case, as ana does, and lets the vendor accept.
func (s *canaryStory) tellsVendor() {
	s.Helper()
	w := canaryWords
	s.must(s.ana.Writes("scope."+strings.ToLower(s.tag), "scope", "What is concerned: "+w["scope"]))
	var err error
	s.vendor, err = s.gateway.Vendor(w["vendor"])
	s.must(err)
	s.must(s.ana.Signs(s.ours, "case "+s.tag, "case policy canary", "case severity high", "case title "+w["title"],
		fmt.Sprintf("invite %s wave 1 affects %q", w["vendor"], w["product"]), "start now"))
	if _, err := s.gateway.Do("case "+s.tag, w["desk command"]+" now"); err == nil {
		s.Error("the desk knows a command that is none")
	}
	s.accepts(s.getsStage("heads-up"))
	s.getsStage("scope")
}

// getsStage waits for a notice to the vendor, and opens it.
func (s *canaryStory) getsStage(stage string) (mailtest.Received, *mailtest.Opened) {
	s.Helper()
	type got struct {
		mail mailtest.Received
		open *mailtest.Opened
	}
	g := awaits(s.T, stage, func() (got, bool, error) {
		for _, m := range s.sink.To(s.vendor.Address) {
			o, err := s.vendor.Open(m.Raw, s.ours)
			if err != nil {
				return got{}, false, err
			}
			if is := subjectStage.FindStringSubmatch(o.Subject); is != nil && strings.EqualFold(is[2], stage) {
				return got{m, o}, true, nil
			}
		}
		return got{}, false, nil
	})
	s.session(stage, s.vendor, g.mail.Raw)
	s.notes(g.open.Inner)
	return g.mail, g.open
}

// accepts answers with the code that the notice prints, which is a secret as well.
func (s *canaryStory) accepts(m mailtest.Received, o *mailtest.Opened) {
	s.Helper()
	code := printedCode.FindString(strings.ReplaceAll(o.Text, s.tag, ""))
	s.secrets["code"] = []byte(code)
	to := live.Thread(m.Raw)
	s.secrets["token"] = []byte(to[len("case+"):strings.IndexByte(to, '@')])
	text := fmt.Sprintf("ACCEPT %s v1 %s\n\nWe look into it, says %s.\n", s.tag, code, canaryWords["reply"])
	armored, err := s.vendor.Seal(mailtest.Entity("Re", text, mailtest.File{Name: "a.bin", Type: "application/octet-stream", Data: canaryWords["reply's file"]}), s.ours, false)
	s.must(err)
	raw := mailtest.PGPMIME(s.vendor.Address, to, time.Now(), armored)
	s.session("the answer", s.own, raw)
	s.must(mailtest.Send(s.gateway.Port("smtp"), s.vendor.Address, to, raw))
}

// hears waits until the desk has the vendor's answer.
func (s *canaryStory) hears() {
	s.Helper()
	awaits(s.T, "the vendor's answer", func() (bool, bool, error) {
		all, err := live.Folders(s.imap)
		for _, f := range all {
			if strings.HasSuffix(f, "/Vendor "+canaryWords["vendor"]) {
				mails, err := live.Read(s.imap, f)
				return true, slices.ContainsFunc(mails, func(m live.Mail) bool { return bytes.Contains(m.Raw, []byte(canaryWords["reply"])) }), err
			}
		}
		return false, false, err
	})
}
