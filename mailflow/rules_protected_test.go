package mailflow

import (
	"fmt"
	"strings"
	"testing"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// protectedAs writes a reply with header fields that only stand inside, in each
// way that clients have for it.
var protectedAs = map[string]func(w *world, by *mailtest.Person, fields, text string) []byte{
	"RFC 9788": func(_ *world, _ *mailtest.Person, fields, text string) []byte {
		return []byte(fields + "Content-Type: text/plain; charset=utf-8; hp=\"cipher\"; hp-legacy-display=\"1\"\r\n\r\nSubject: Re: shown\r\n\r\n" + text)
	},
	"the older draft": func(_ *world, _ *mailtest.Person, fields, text string) []byte {
		return []byte(fields + "Content-Type: multipart/mixed; protected-headers=\"v1\"; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; protected-headers=\"v1\"\r\nContent-Disposition: inline\r\n\r\nSubject: Re: shown\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + text + "\r\n--b--\r\n")
	},
	"memory hole": func(_ *world, _ *mailtest.Person, fields, text string) []byte {
		return []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/rfc822-headers; protected-headers=\"v1\"\r\n\r\n" + fields + "\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + text + "\r\n--b--\r\n")
	},
	"wrapped": func(_ *world, _ *mailtest.Person, fields, text string) []byte {
		return []byte("Content-Type: message/rfc822; forwarded=no\r\n\r\n" + fields + "Content-Type: text/plain\r\n\r\n" + text)
	},
	"multipart/signed": func(w *world, by *mailtest.Person, fields, text string) []byte {
		return w.signedEntity(by, []byte(fields+"Content-Type: text/plain; hp=\"cipher\"\r\n\r\n"+text))
	},
}

// What a mail answers, and its case, may stand inside the encryption only.
func TestRoutingByProtectedFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	acme := w.people["acme"]
	folder := w.folderOf(id, "Vendor acme")
	for name, entity := range protectedAs {
		fields := func(ref string) string {
			return "Subject: Re: shown\r\nIn-Reply-To: <" + ref + ">\r\n"
		}
		before := w.cameIn(folder)
		w.arrives(acme.Address, reportTo, w.seal(acme, reportTo, true, entity(w, acme, fields(w.noticeID(id)), "hello, "+name+"\r\n")))
		if w.cameIn(folder) != before+1 {
			t.Errorf("%s: In-Reply-To inside does not route: Intake %q", name, w.subjects("Intake"))
			continue
		}
		m := w.last(folder)
		if got := w.says(m, "In-Reply-To"); got != "<"+w.noticeID(id)+">" {
			t.Errorf("%s: the view has In-Reply-To %q", name, got)
		}
		if got := w.shown(m).Header.Text("Subject"); !strings.Contains(got, "Re: shown") {
			t.Errorf("%s: the view has the Subject %q", name, got)
		}
		_, letter, _ := strings.Cut(w.words(m), theirs)
		if strings.TrimSpace(letter) != "hello, "+name {
			t.Errorf("%s: the letter is %q", name, letter)
		}
		// It contradicts the address as one outside would.
		n := len(w.filed("Quarantine"))
		to := w.thread(id, "acme")
		raw := w.seal(acme, to, true, entity(w, acme, fields(w.notice(id, "globex", cvd.HeadsUp).MessageID), "hello again, "+name+"\r\n"))
		w.arrives(acme.Address, to, raw)
		w.quarantined(n, raw, "another thread")
	}
}

// Commands are read from the letter, not from the copy of the header above it;
// and what is protected is no less an automatic reply.
func TestS5_CommandBesideProtectedFields(t *testing.T) {
	t.Parallel()
	for name, entity := range protectedAs {
		for _, auto := range []string{"", "Auto-Submitted: auto-replied\r\n", "Subject: Automatic reply: x\r\n"} {
			t.Run(fmt.Sprintf("%s %.8s", name, auto), func(t *testing.T) {
				t.Parallel()
				if name == "memory hole" && strings.HasPrefix(auto, "Auto") {
					return // a field that is not among the protected ones: it stands in a text
				}
				w := newWorld(t)
				id := w.started("acme")
				acme, to := w.people["acme"], w.thread(id, "acme")
				fields := auto
				if !strings.HasPrefix(auto, "Subject") {
					fields += "Subject: Re: [" + string(id) + "]\r\n"
				}
				w.arrives(acme.Address, to, w.seal(acme, to, true, entity(w, acme, fields, "ACK "+string(id)+"\r\n")))
				if got := w.who(id, "acme").Acknowledged != nil; got != (auto == "") {
					t.Errorf("acknowledged: %v; Quarantine %q", got, w.subjects("Quarantine"))
				}
			})
		}
	}
}

// A From inside that names somebody else spoils the signature, and the desk is
// told.
func TestS2_ProtectedFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.do("member add acme jo@acme.example")
	acme, to := w.people["acme"], w.thread(id, "acme")
	for name, entity := range protectedAs {
		for _, from := range []string{"mallory@evil.example", "jo@acme.example", "\"psirt@acme.example\" <x@evil.example>", "us: psirt@acme.example;", "psirt@acme.example\r\nFrom: x@evil.example"} {
			n := len(w.filed("Quarantine"))
			raw := w.seal(acme, to, true, entity(w, acme, "From: "+from+"\r\nSubject: ["+string(id)+"]\r\n", "ACK "+string(id)+"\r\n"))
			w.arrives(acme.Address, to, raw)
			m := w.quarantined(n, raw, "Inside it says that it is from somebody else.")
			if got := w.says(m, "Parley-Signature"); got != "bad; reason=from-mismatch" {
				t.Errorf("%s, From %q: %s", name, from, got)
			}
		}
	}
	if w.who(id, "acme").Acknowledged != nil {
		t.Fatal("it counts")
	}
	w.arrives(acme.Address, to, w.seal(acme, to, true, protectedAs["RFC 9788"](w, acme, "From: Acme <PSIRT@acme.example>\r\nSubject: ["+string(id)+"]\r\n", "ACK "+string(id)+"\r\n")))
	if w.who(id, "acme").Acknowledged == nil {
		t.Error("the same sender inside and outside does not count")
	}
}

// An address in letters that only look the same is somebody else's, and a group
// is nobody's.
func TestS2_OddSenders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	for i, from := range []string{"p\u017firt@acme.example", "psirt@\u0430cme.example", "Acme: psirt@acme.example;", "psirt@acme.example\x00", "=?utf-8?q?psirt=40acme.example?=",
		"x@evil.example\r\nSender: psirt@acme.example\r\nResent-From: psirt@acme.example"} {
		raw := w.seal(acme, to, true, mailtest.Entity("["+string(id)+"]", "ACK "+string(id)+"\n"))
		raw = []byte(strings.Replace(string(raw), "From: psirt@acme.example", "From: "+from, 1))
		w.arrives(acme.Address, to, raw)
		m := w.quarantined(i, raw, "")
		if got := w.says(m, "Parley-Signature"); got != "bad; reason=from-mismatch" {
			t.Errorf("From %q: %s", from, got)
		}
	}
	if w.who(id, "acme").Acknowledged != nil {
		t.Error("it counts")
	}
}

// A report by a party whose key is confirmed is answered to that key, though the
// mail brings none; one from another address, or with a key that is not confirmed,
// is not.
func TestS7_ReceiptToAConfirmedKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from   string
		trust  keyring.Trust
		sign   bool
		sealed bool
	}{
		"confirmed":            {"psirt@acme.example", keyring.Confirmed, true, true},
		"another address":      {"x@evil.example", keyring.Confirmed, true, false},
		"not signed":           {"psirt@acme.example", keyring.Confirmed, false, false},
		"rejected by the desk": {"psirt@acme.example", keyring.Rejected, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			acme := w.vendor("acme")
			if c.trust == keyring.Rejected {
				w.do("key reject acme " + acme.Fingerprint())
			}
			raw := w.seal(acme, reportTo, c.sign, mailtest.Entity("canarysubject", "canarytext"))
			raw = []byte(strings.Replace(string(raw), "From: psirt@acme.example", "From: "+c.from, 1))
			w.arrives(c.from, reportTo, raw)
			w.settle()
			sent := w.sink.Mails()
			if len(sent) != 1 || sent[0].To != c.from {
				t.Fatalf("%d mails left", len(sent))
			}
			if sealed := strings.Contains(string(sent[0].Raw), "multipart/encrypted"); sealed != c.sealed {
				t.Fatalf("encrypted: %v", sealed)
			}
			if c.sealed {
				w.isReceipt(w.opened(acme, sent[0]), raw)
			}
		})
	}
}

// A key one of whose signatures over the report failed gets no receipt.
func TestS7_OneBadSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	signed := strings.Replace(string(w.signedEntity(f, withKey(f, "", "canary"))), "canary", "canarx", 1)
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, []byte(signed)))
	w.settle()
	sent := w.sink.Mails()
	if len(sent) != 1 || strings.Contains(string(sent[0].Raw), "multipart/encrypted") {
		t.Errorf("%d mails left", len(sent))
	}
}
