package mailflow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// mixed joins parts under one multipart.
func mixed(subject string, parts ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: %s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=mixed-boundary\r\n\r\n", subject)
	for _, p := range parts {
		b.WriteString("--mixed-boundary\r\n" + p + "\r\n")
	}
	return []byte(b.String() + "--mixed-boundary--\r\n")
}

// Only what a signature covers as a whole is signed: a command beside a signed
// part, under a signed attachment, or in a third part of a multipart/signed
// does not count.
func TestS1_OnlyTheWholeIsSigned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		entity func(w *world, id cvd.CaseID, acme *mailtest.Person) []byte
		layer  bool // the OpenPGP layer is signed too
		ack    bool
	}{
		"the layer": {func(_ *world, id cvd.CaseID, _ *mailtest.Person) []byte {
			return mailtest.Entity("["+string(id)+"]", "ACK\n")
		}, true, true},
		"a multipart/signed at the root": {func(w *world, id cvd.CaseID, acme *mailtest.Person) []byte {
			return w.signedEntity(acme, mailtest.Entity("", "ACK "+string(id)+"\n"))
		}, false, true},
		"beside a signed part": {func(w *world, id cvd.CaseID, acme *mailtest.Person) []byte {
			return mixed("["+string(id)+"]", "Content-Type: text/plain\r\n\r\nACK "+string(id)+"\r\n",
				string(w.signedEntity(acme, mailtest.Entity("", "ACK "+string(id)+"\n"))))
		}, false, false},
		"above a signed attachment": {func(w *world, id cvd.CaseID, acme *mailtest.Person) []byte {
			signed, err := acme.Seal([]byte("a file"), w.ourKey(), true)
			if err != nil {
				w.t.Fatal(err)
			}
			return mailtest.Entity("["+string(id)+"]", "ACK "+string(id)+"\n", mailtest.File{Name: "poc.txt.asc", Type: "application/octet-stream", Data: string(signed)})
		}, false, false},
		"with a third part": {func(w *world, id cvd.CaseID, acme *mailtest.Person) []byte {
			e := string(w.signedEntity(acme, mailtest.Entity("", "Hello\n")))
			return []byte(strings.Replace(e, "--signed-entity-boundary\r\n", "--signed-entity-boundary\r\nContent-Type: text/plain\r\n\r\nACK "+string(id)+"\r\n--signed-entity-boundary\r\n", 1))
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.started("acme")
			acme, to := w.people["acme"], w.thread(id, "acme")
			w.arrives(acme.Address, to, w.seal(acme, to, c.layer, c.entity(w, id, acme)))
			m := w.last(w.folderOf(id, "Vendor acme"))
			if got := w.who(id, "acme").Acknowledged != nil; got != c.ack {
				t.Errorf("acknowledged: %v, want %v", got, c.ack)
			}
			if got := strings.HasPrefix(w.says(m, "Parley-Signature"), "good;"); got != c.ack {
				t.Errorf("Parley-Signature: %s", w.says(m, "Parley-Signature"))
			}
		})
	}
}

// A good signature counts with exactly one From with exactly one address, one
// of the participant's. What a From looks like does not matter.
func TestS2_From(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.do("member add acme jo@acme.example")
	acme, to := w.people["acme"], w.thread(id, "acme")
	send := func(from ...string) {
		raw := w.seal(acme, to, true, mailtest.Entity("["+string(id)+"]", "ACK\n"))
		fields := ""
		for _, f := range from {
			fields += "From: " + f + "\r\n"
		}
		w.arrives(acme.Address, to, bytes.Replace(raw, []byte("From: psirt@acme.example\r\n"), []byte(fields), 1))
	}
	for i, from := range [][]string{
		{"psirt@globex.example"},
		{"psirt@acme.example", "psirt@globex.example"},
		{"psirt@acme.example", "psirt@acme.example"},
		{"psirt@acme.example, psirt@globex.example"},
		{`"psirt@acme.example" <x@evil.example>`},
		{`psirt@acme.example <x@evil.example>`},
		{`x@evil.example (psirt@acme.example)`},
		{`=?utf-8?q?psirt=40acme.example?= <x@evil.example>`},
		{`=?utf-8?q?psirt=40acme.example_=3Cpsirt=40acme.example=3E?= <x@evil.example>`},
		{`Acme: psirt@acme.example, x@evil.example;`},
		{`<@evil.example:psirt@acme.example>`},
		{`psirt@acme.example.evil.example`},
		{`"psirt@acme.example"@evil.example`},
		{``},
		{},
	} {
		send(from...)
		if p := w.who(id, "acme"); p.Acknowledged != nil {
			t.Fatalf("From %q counts", from)
		}
		m := w.last("Quarantine")
		if n := len(w.filed("Quarantine")); n != i+1 || !strings.HasPrefix(w.says(m, "Parley-Signature"), "bad; reason=from-mismatch") {
			t.Errorf("From %q: %d in Quarantine, %s", from, n, w.says(m, "Parley-Signature"))
		}
	}
	send(`"Mallory, of Evil" <JO@Acme.Example> (somebody)`)
	if w.who(id, "acme").Acknowledged == nil {
		t.Error("a member's address does not count")
	}
}

// Every signature is judged: a bad one by the pinned key spoils a good one,
// one by a stranger does not.
func TestS4_EverySignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	stranger := w.person("stranger", "x@x.example")
	inner := func(by *mailtest.Person, text string) []byte {
		return bytes.Replace(w.signedEntity(by, mailtest.Entity("", "ACK "+string(id)+"\n\n"+text+"\n")), []byte("good"), []byte("evil"), 1)
	}
	w.arrives(acme.Address, to, w.seal(acme, to, true, inner(acme, "good"))) // the inner signature does not fit any more
	if w.who(id, "acme").Acknowledged != nil {
		t.Fatal("a bad signature beside a good one counts")
	}
	if m := w.one("Quarantine"); !strings.HasPrefix(w.says(m, "Parley-Signature"), "bad; reason=wrong") {
		t.Errorf("%s", w.says(m, "Parley-Signature"))
	}
	w.arrives(acme.Address, to, w.seal(acme, to, true, inner(stranger, "fine")))
	if w.who(id, "acme").Acknowledged == nil {
		t.Error("a stranger's signature spoils a good one")
	}
}

// A mail at one participant's address that another one signed, or nobody known,
// goes to Quarantine.
func TestS2_WrongKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	to := w.thread(id, "acme")
	stranger := w.person("stranger", "psirt@acme.example")
	for i, c := range []struct {
		by   *mailtest.Person
		from string
		sig  string
	}{
		{w.people["globex"], "psirt@acme.example", "other-party; party=globex; key=" + w.people["globex"].Fingerprint()},
		{w.people["globex"], "psirt@globex.example", "other-party; party=globex; key=" + w.people["globex"].Fingerprint()},
		{stranger, "psirt@acme.example", "unknown-key; key=" + stranger.Fingerprint()},
	} {
		raw := bytes.Replace(w.seal(c.by, to, true, mailtest.Entity("["+string(id)+"]", "ACK\n")), []byte("From: "+c.by.Address), []byte("From: "+c.from), 1)
		w.arrives(c.from, to, raw)
		m := w.quarantined(i, raw, "")
		if got := w.says(m, "Parley-Signature"); !strings.HasPrefix(got, c.sig) {
			t.Errorf("%q, want %q", got, c.sig)
		}
	}
	if w.who(id, "acme").Acknowledged != nil || w.who(id, "globex").Acknowledged != nil {
		t.Error("it counts")
	}
	w.settle()
	if n := len(w.got("acme")); n != 1 {
		t.Errorf("acme was answered %d times", n-1)
	}
}

// What a coordinator is served says what is proved, in fields and in words that
// the gateway wrote, and a plain Reply goes to the participant (product.md
// section 4).
func TestViewOfAMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	raw := w.seal(acme, to, true, mailtest.Entity("Re: ["+string(id)+"] hello", "We look at it.\n"))
	w.arrives(acme.Address, to, raw)
	m := w.last(w.folderOf(id, "Vendor acme"))
	for name, want := range map[string]string{
		"Parley-Case":       string(id),
		"Parley-Signature":  "good; party=acme; key=" + acme.Fingerprint() + "; trust=confirmed",
		"Parley-Encryption": "yes",
		"Parley-From":       "psirt@acme.example",
		"Parley-Via":        to,
		"Subject":           "Re: [" + string(id) + "] hello",
		"From":              `"Acme (vendor, ` + string(id) + `)" <acme.` + id.Lower() + `@desk.vdp.example.org>`,
	} {
		if got := w.says(m, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	lines := strings.Split(w.words(m), "\n")
	for _, want := range []string{"encrypted", "good; party=acme", "trust=confirmed", "psirt@acme.example"} {
		if !strings.Contains(strings.Join(lines[:3], "\n"), want) {
			t.Errorf("the words at the top do not say %q:\n%s", want, strings.Join(lines[:3], "\n"))
		}
	}
	if strings.Contains(w.words(m), "which nothing proves") || !strings.Contains(w.words(m), "We look at it.") {
		t.Errorf("%s", w.words(m))
	}
	if !bytes.Equal(w.kept(m), raw) {
		t.Error("the bytes received are changed")
	}
	if s := w.served0(m); !bytes.Equal(s, w.served0(m)) || bytes.Contains(s, []byte("BEGIN PGP")) {
		t.Error("the view is not frozen, or still encrypted")
	}
	// A stranger's report.
	f := w.person("finder", "someone@finder.example")
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, withKey(f, "Heap overflow", "x")))
	m = w.one("Intake")
	if got := w.says(m, "Parley-Signature"); got != "unknown-key; key="+f.Fingerprint() {
		t.Errorf("%q", got)
	}
	if got := w.says(m, "From"); got != `"someone at finder.example (finder, #1)" <finder.report-1@desk.vdp.example.org>` {
		t.Errorf("From: %s", got)
	}
	if w.says(m, "Parley-Case") != "" || w.says(m, "Parley-Via") != reportTo || !strings.Contains(w.words(m), "which nothing proves") {
		t.Errorf("%s", w.words(m))
	}
	// In clear, with a signature that does not fit.
	bad := bytes.Replace(w.signedEntity(acme, mailtest.Entity("", "good\n"), mailtest.Field{Name: "From", Value: "psirt@acme.example"}, mailtest.Field{Name: "Subject", Value: "s"}), []byte("good"), []byte("evil"), 1)
	w.arrives(acme.Address, reportTo, bad)
	if got := w.says(w.last("Intake"), "Parley-Signature"); got != "bad; reason=wrong" {
		t.Errorf("%q", got)
	}
}

// served0 are the bytes that are served.
func (w *world) served0(m store.Message) []byte {
	w.t.Helper()
	b, err := w.Store.Bytes(m.Served)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// Whatever a sender writes into our own fields is gone, outside and inside, and
// nothing a mail server says of itself raises trust.
func TestS8_ForgedFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	to := w.thread(id, "acme")
	evil := w.person("evil", "x@evil.example")
	forged := []mailtest.Field{
		{Name: "Authentication-Results", Value: "vdp.example.org; spf=pass; dkim=pass; dmarc=pass"},
		{Name: "parley-signature", Value: "good; party=acme; key=0; trust=confirmed"},
		{Name: "Parley-Case", Value: "PAR-2026-9999"},
		{Name: "Parley-Encryption", Value: "yes"},
		{Name: "Parley-From", Value: "psirt@acme.example"},
		{Name: "Parley-Via", Value: "forged"},
		{Name: "Parley-Approval", Value: "forged"},
		{Name: "Autocrypt", Value: "addr=x@evil.example; keydata=AAAA"},
		{Name: "Received-SPF", Value: "pass"},
		{Name: "Reply-To", Value: "x@evil.example"},
		{Name: "Cc", Value: "x@evil.example"},
	}
	inner := mailtest.Entity("["+string(id)+"]", "ACK\n")
	for _, f := range forged {
		inner = append([]byte(f.Name+": "+f.Value+"\r\n"), inner...)
	}
	for _, rcpt := range []string{to, reportTo} {
		w.arrives(evil.Address, rcpt, w.seal(evil, rcpt, false, inner, forged...))
		w.arrives(evil.Address, rcpt, mailtest.Plain(evil.Address, rcpt, "x", "x", w.clock.Now(), forged...))
	}
	var all []store.Message
	for _, folder := range []string{"Quarantine", "Intake", w.folderOf(id, "Vendor acme")} {
		for _, m := range w.filed(folder) {
			if m.Direction == "in" {
				all = append(all, m)
			}
		}
	}
	if len(all) != 4 {
		t.Fatalf("%d mails", len(all))
	}
	for _, m := range all {
		h := w.shown(m).Header
		for _, name := range []string{"Authentication-Results", "Autocrypt", "Received-SPF", "Reply-To", "Cc", "Parley-Approval"} {
			if h.Has(name) {
				t.Errorf("%s: %q came through", name, h.Get(name))
			}
		}
		for name, want := range map[string]string{"Parley-Signature": "none", "Parley-From": evil.Address} {
			if got := w.says(m, name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if c := w.says(m, "Parley-Case"); c != "" && c != string(id) {
			t.Errorf("Parley-Case: %q", c)
		}
		if bytes.Contains(w.served0(m), []byte("forged")) {
			t.Error("a forged value came through")
		}
	}
	if w.who(id, "acme").Acknowledged != nil {
		t.Error("it counts")
	}
}

// What cannot stand in a header or in a file name is replaced; no mail is lost
// over what it says.
func TestViewOfHostileNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	long := strings.Repeat("A", 3000)
	twice := "=?utf-8?Q?=3D=3Futf-8=3FQ=3F=3D0D=3D0AParley-Case=3A=5Fx=3F=3D?="
	n := 0
	report := func(fields string, entity []byte) {
		t.Helper()
		raw := w.seal(f, reportTo, true, entity)
		if fields != "" {
			raw = bytes.Replace(raw, []byte("From: "+f.Address+"\r\n"), []byte(fields), 1)
		}
		w.arrives(f.Address, reportTo, raw)
		if n++; len(w.filed("Intake")) != n {
			t.Fatalf("mail %d is not in Intake; Quarantine holds %q", n, w.subjects("Quarantine"))
		}
	}
	report("", mailtest.Entity(long, "x"))
	report("", mailtest.Entity(twice, "x"))
	report("", mailtest.Entity("=?utf-8?Q?a=0D=0AParley-Case:_x=E2=80=AEb?=", "x"))
	report("From: "+long+" <"+f.Address+">\r\n", mailtest.Entity("x", "x"))
	report("From: "+twice+" <"+f.Address+">\r\n", mailtest.Entity("x", "x"))
	report("From: "+f.Address+"\r\nIn-Reply-To: <"+long+"@x>\r\nReferences: <"+long+"@x> <b@x>\r\n", mailtest.Entity("x", "x"))
	report("From: =?utf-8?Q?=C3=89ric?= <"+f.Address+">\r\n", mailtest.Entity("x", "x"))
	if from := w.shown(w.last("Intake")).Header.Text("From"); !strings.HasPrefix(from, `"Éric (finder, #`) && !strings.HasPrefix(from, "Éric") {
		t.Errorf("From: %s", from)
	}
	// Names of files, of a document that is opened on its own, and of a part.
	block := string(sealTo(t, []byte("x"), w.ourKey(), nil, &packet.Config{Time: w.clock.Now}))
	for _, name := range []string{"*0*=utf-8''a%0D%0AParley-Case:%20x%E2%80%AE.asc", "=\"" + long + ".asc\"", "*=utf-8''%00%1F.asc"} {
		part := "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename" + name + "\r\n\r\n" + strings.ReplaceAll(block, "\n", "\r\n")
		report("", mixed("x", "Content-Type: text/plain\r\n\r\nx", part))
	}
	for _, m := range w.filed("Intake") {
		if c := w.says(m, "Parley-Case"); c != "" {
			t.Errorf("Parley-Case: %q came through", c)
		}
	}
	w.settle()
	if len(w.sink.To(f.Address)) == 0 {
		t.Error("no receipt")
	}
}

// Trust is claimed < found < confirmed: what comes later and lower replaces
// nothing, and what was rejected stays so.
func TestS7_ClaimedNeverReplacesConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.vendor("acme")
	other := w.person("other", "psirt@acme.example")
	add := func(p *mailtest.Person, trust keyring.Trust) {
		t.Helper()
		f, err := keyring.ParseFingerprint(p.Fingerprint())
		if err != nil {
			t.Fatal(err)
		}
		w.update(func(tx *store.Tx) error {
			return w.addKey(tx, "acme", keyring.Pinned{Fingerprint: f, Trust: trust, Evidence: []keyring.Voucher{{Words: "later"}}, Cert: w.bytes(p)})
		})
	}
	trusts := func() string {
		var out []string
		w.view(func(tx *store.Tx) error {
			keys, err := ownerKeys(tx, "acme")
			for _, k := range keys {
				out = append(out, map[string]string{acme.Fingerprint(): "acme", other.Fingerprint(): "other"}[string(k.Fingerprint)]+" "+k.Trust.String()+" "+k.Evidence[0].Words+" "+k.Evidence[len(k.Evidence)-1].Words)
			}
			return err
		})
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	add(acme, keyring.Claimed)
	add(acme, keyring.Found)
	add(other, keyring.Claimed)
	if got := trusts(); got != "acme confirmed phone later, other claimed later later" {
		t.Errorf("%s", got)
	}
	id := w.started("acme")
	keys := w.got("acme")[0].Keys
	if len(keys) != 1 {
		t.Errorf("the notice is encrypted to %d keys", len(keys))
	}
	f := keyring.Fingerprint(other.Fingerprint())
	w.update(func(tx *store.Tx) error {
		_, err := w.rejectKey(tx, "acme", f, "not theirs", "ana", true)
		return err
	})
	add(other, keyring.Found)
	add(other, keyring.Confirmed)
	if got := trusts(); got != "acme confirmed phone later, other rejected later not theirs" {
		t.Errorf("%s", got)
	}
	to := w.thread(id, "acme")
	w.arrives(other.Address, to, w.seal(other, to, true, mailtest.Entity("["+string(id)+"]", "ACK\n")))
	if w.who(id, "acme").Acknowledged != nil || len(w.filed("Quarantine")) != 1 {
		t.Error("a rejected key signs")
	}
}

// A key that was revoked since signs nothing any more, whenever it says it did.
func TestS3_RevokedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	early := w.seal(acme, to, true, mailtest.Entity("["+string(id)+"]", "ACK\n"))
	w.clock.Advance(time.Hour)
	gone := revokedCopy(t, acme, w.clock.Now)
	w.update(func(tx *store.Tx) error {
		return w.addKey(tx, "acme", keyring.Pinned{Fingerprint: gone.Fingerprint(), Trust: keyring.Claimed, Cert: gone.Bytes()})
	})
	w.arrives(acme.Address, to, early)
	if w.who(id, "acme").Acknowledged != nil {
		t.Error("it counts")
	}
	if got := w.says(w.one("Quarantine"), "Parley-Signature"); got != "bad; reason=key-revoked" {
		t.Errorf("%s", got)
	}
}

// Nothing of a mail, no address and no token stands in the log, at any level.
func TestH6_LogOfArrivals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	log := w.logs()
	f, to := w.person("finder", "canary@finder.example"), w.thread(id, "acme")
	other := w.person("other", "canary@other.example")
	for _, rcpt := range []string{reportTo, to, "postmaster@vdp.example.org", "report-key@vdp.example.org"} {
		w.arrives(f.Address, rcpt, w.seal(f, rcpt, true, withKey(f, "canarysubject", "canarytext")))
		w.arrives(f.Address, rcpt, mailtest.Plain(f.Address, rcpt, "canarysubject", "canarytext", w.clock.Now()))
		w.arrives(f.Address, rcpt, []byte("canary, not a message"))
		w.arrives(f.Address, rcpt, mailtest.PGPMIME(f.Address, rcpt, w.clock.Now(), sealTo(t, []byte("canary"), other.PublicKey(), nil, &packet.Config{Time: w.clock.Now})))
	}
	broken := *w.Base
	broken.Templates = nil
	w.accepts(f.Address, mailtest.Plain(f.Address, reportTo, "canarysubject", "canary again", w.clock.Now()), reportTo)
	if err := (&Intake{Base: &broken}).RunSpool(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settle()
	token, _, _ := strings.Cut(strings.TrimPrefix(to, "case+"), "@")
	for _, word := range []string{"canary", "finder.example", "acme", token, string(id)} {
		if strings.Contains(log.String(), word) {
			t.Errorf("the log holds %q:\n%s", word, log)
		}
	}
	if !strings.Contains(log.String(), "process mail") {
		t.Error("nothing was logged")
	}
}

// Who wrote a report without a From is nobody, and so is the next who does.
func TestS2_NoFromIsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := "Message-ID: <first@x.example>\r\nSubject: x\r\n\r\nfirst\r\n"
	for i, raw := range []string{first, "From: a@x.example, b@x.example\r\n" + strings.ReplaceAll(first, "first", "second"),
		"In-Reply-To: <first@x.example>\r\n" + strings.ReplaceAll(first, "first", "third"), "From: \r\nIn-Reply-To: <second@x.example>\r\n" + strings.ReplaceAll(first, "first", "fourth")} {
		w.arrives("a@x.example", reportTo, []byte(raw))
		if n := len(w.reports()); n != i+1 {
			t.Fatalf("%d reports after mail %d; Quarantine %q", n, i+1, w.subjects("Quarantine"))
		}
	}
	w.settle()
	if n := len(w.sink.Mails()); n != 0 {
		t.Errorf("%d answers", n)
	}
}
