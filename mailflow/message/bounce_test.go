package message

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each file of testdata/bounces is a mail as servers of that name write them, with
// names of our own; its first line says how it is to be read.
func TestReadBounce(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bounces/*.eml")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		first, raw, _ := strings.Cut(string(data), "\n")
		want := strings.TrimSpace(strings.TrimPrefix(first, "# "))
		p, err := Parse([]byte(strings.ReplaceAll(raw, "\n", "\r\n")), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b := ReadBounce(p)
		if got := strings.TrimSpace(string(b.Fate) + " " + b.Status); got != want {
			t.Errorf("%s: %s (%s), want %s", filepath.Base(name), got, b.Said, want)
		}
		if b.Status != "" && b.Said == "" {
			t.Errorf("%s: their words are lost", name)
		}
	}
	if b := ReadBounce(nil); b.Fate != Bounced {
		t.Errorf("what is no message is %s", b.Fate)
	}
}

// What a mail that came back says of itself is not what is said about it.
func TestReadBounce_Returned(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte("From: MAILER-DAEMON@mx.acme.example\r\nSubject: failure notice\r\n\r\nHi. I'm afraid I wasn't able to deliver your message.\r\n\r\n--- Below this line is a copy of the message.\r\n\r\nSubject: your mail is delayed\r\n"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if b := ReadBounce(p); b.Fate != Bounced {
		t.Errorf("it is %s", b.Fate)
	}
}

// The identifier of the envelope is read from the group about the message, whatever the groups about recipients say.
func TestReadBounce_EnvelopeID(t *testing.T) {
	t.Parallel()
	const recipient = "Final-Recipient: rfc822; psirt@acme.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
	for status, want := range map[string]string{
		"Reporting-MTA: dns; mx.acme.example\r\nOriginal-Envelope-Id: abc234\r\n\r\n" + recipient:                   "abc234",
		"original-envelope-id:\r\n abc234\r\nReporting-MTA: dns; mx\r\n\r\n" + recipient:                            "abc234",
		"Reporting-MTA: dns; mx.acme.example\r\n\r\n" + recipient:                                                   "",
		recipient + "Original-Envelope-Id: abc234\r\n":                                                              "abc234",
		"Original-Envelope-Id: " + strings.Repeat("a", 400) + "\r\n\r\n" + recipient:                                "",
		"Original-Envelope-Id: first\r\n\r\nOriginal-Envelope-Id: second\r\n" + recipient:                           "first",
		"Original-Envelope-Id: first\r\nOriginal-Envelope-Id: second\r\nReporting-MTA: dns; mx\r\n\r\n" + recipient: "first",
	} {
		p, err := Parse([]byte("Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\n"+
			"Content-Type: message/delivery-status\r\n\r\n"+status+"\r\n--b--\r\n"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if b := ReadBounce(p); b.EnvelopeID != want || b.Fate != Bounced || b.Status != "5.1.1" {
			t.Errorf("%q: %+v", status, b)
		}
	}
}

// manyFolds is a report with a field of n lines.
func manyFolds(n int) []byte {
	return []byte("Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.acme.example\r\n\r\n" +
		"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550\r\n" + strings.Repeat(" y\r\n", n) + "\r\n")
}

// P7: a field of a million lines is read in the time of a mail of that size; each
// line once was put behind all before it, which would have taken a quarter of an hour.
func TestP7_BounceWithALongField(t *testing.T) {
	t.Parallel()
	raw := manyFolds(1_000_000)
	begun := time.Now()
	p, err := Parse(raw, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if b := ReadBounce(p); b.Fate != Bounced || b.Status != "5.1.1" || !strings.HasPrefix(b.Said, "550 y y") || len([]rune(b.Said)) != longestSaid {
		t.Errorf("read as %+v", b)
	}
	inTime(t, begun, len(raw))
}

func FuzzReadBounce(f *testing.F) {
	files, err := filepath.Glob("testdata/bounces/*.eml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		_, raw, _ := strings.Cut(string(data), "\n")
		f.Add([]byte(raw))
	}
	f.Add(manyFolds(100))
	f.Fuzz(func(t *testing.T, raw []byte) {
		begun := time.Now()
		defer func() { inTime(t, begun, len(raw)) }()
		p, err := Parse(raw, Limits{})
		if err != nil {
			p = nil
		}
		b := ReadBounce(p)
		switch b.Fate {
		case Bounced, Delayed, Delivered, Replied:
		default:
			t.Errorf("it is %q", b.Fate)
		}
		if CheckHeaderValue(b.Said) != nil || len([]rune(b.Said)) > longestSaid || strings.ContainsAny(b.Status, "\r\n ") {
			t.Errorf("said %q, status %q", b.Said, b.Status)
		}
	})
}
