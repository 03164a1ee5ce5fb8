package mailflow

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"parley/mailflow/cvd"
	"parley/mailflow/dkim"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

var testOperator = Actor{Name: Operator, Via: ViaOperator}

// signsWith makes a key of each kind and lets it sign; DNS has what they publish.
func (w *world) signsWith(kinds ...dkim.Algorithm) (published map[string]string) {
	w.t.Helper()
	published = map[string]string{}
	for _, a := range kinds {
		k, err := w.NewDomainKey(testOperator, a)
		if err != nil {
			w.t.Fatal(err)
		}
		published[dkim.Name(k.Selector, w.Domain)] = k.Record
		if _, err := w.BeginDomainKey(testOperator, k.Selector, dnsOf(published)); err != nil {
			w.t.Fatal(err)
		}
	}
	return published
}

// dnsOf answers from what is published.
func dnsOf(published map[string]string) func(string) ([]string, error) {
	return func(name string) ([]string, error) {
		if r, ok := published[name]; ok {
			return []string{r}, nil
		}
		return nil, nil
	}
}

// verified wants a mail with so many signatures for our domain, all of them good.
func verified(t *testing.T, raw []byte, published map[string]string, want int) {
	t.Helper()
	all, err := msgauth.VerifyWithOptions(bytes.NewReader(raw), &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		if r, ok := published[name]; ok {
			return []string{r}, nil
		}
		return nil, &net.DNSError{Name: name, IsNotFound: true}
	}})
	if err != nil || len(all) != want {
		t.Fatalf("%d signatures, want %d: %v\n%.400s", len(all), want, err, raw)
	}
	for _, v := range all {
		if v.Err != nil || v.Domain != "vdp.example.org" || !v.Expiration.IsZero() {
			t.Errorf("%s, ends %v: %v", v.Domain, v.Expiration, v.Err)
		}
	}
}

// everyKind sends a mail of each form that leaves: in clear, sealed, and sealed
// inline.
func everyKind(t *testing.T, w *world) []mailtest.Received {
	t.Helper()
	w.person("fay", "fay@finder.example")
	w.arrives("fay@finder.example", reportTo, mailtest.Plain("fay@finder.example", reportTo, "a flaw", "words", w.clock.Now()))
	w.arrives("fay@finder.example", "report-key@vdp.example.org", mailtest.Plain("fay@finder.example", "report-key@vdp.example.org", "key?", "words", w.clock.Now()))
	id := w.caseWith("acme", "globex")
	w.do("vendor edit globex form inline")
	w.do("case "+string(id), "start now")
	w.after(time.Hour)
	all := w.sink.Mails()
	if len(all) < 3 {
		t.Fatalf("%d mails left", len(all))
	}
	clear, sealed, inline := 0, 0, 0
	for _, m := range all {
		switch {
		case bytes.Contains(m.Raw, []byte("multipart/encrypted")):
			sealed++
		case bytes.Contains(m.Raw, []byte("BEGIN PGP MESSAGE")):
			inline++
		default:
			clear++
		}
	}
	if clear == 0 || sealed == 0 || inline == 0 {
		t.Fatalf("%d mails in clear, %d sealed and %d sealed inline left", clear, sealed, inline)
	}
	return all
}

// Every mail that leaves is signed for our domain, in clear or not, by each kind of
// key; and a second implementation says so, too.
func TestT3_EveryMailIsSignedForOurDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	published := w.signsWith(dkim.RSA2048, dkim.Ed25519)
	for _, m := range everyKind(t, w) {
		verified(t, m.Raw, published, 2)
		for _, change := range []string{"To: evil@x.example\r\n", "Subject: paid\r\n", "Cc: evil@x.example\r\n", "Content-Type: text/html\r\n", "Reply-To: evil@x.example\r\n", "Message-ID: <x@x>\r\n", "Date: now\r\n"} {
			all, err := msgauth.VerifyWithOptions(bytes.NewReader(append([]byte(change), m.Raw...)), &msgauth.VerifyOptions{LookupTXT: dnsOf(published)})
			if err != nil || len(all) != 2 || all[0].Err == nil || all[1].Err == nil {
				t.Errorf("a second field %q goes unnoticed", change)
			}
		}
	}
}

// fileOf is a file with these bytes.
func fileOf(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mail.eml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// python is Debian's own implementation; it reads the mail, and the records as name and text.
const python = `
import sys, dkim
records = dict(line.split("\t", 1) for line in sys.argv[2].splitlines())
look = lambda name, timeout=5: records.get((name.decode() if isinstance(name, bytes) else name).rstrip("."), "").encode() or None
d = dkim.DKIM(open(sys.argv[1], "rb").read())
for i in range(int(sys.argv[3])):
    assert d.verify(idx=i, dnsfunc=look), "signature %d" % i
`

func TestT3_AnotherImplementationVerifies(t *testing.T) {
	t.Parallel()
	for _, module := range []string{"dkim", "nacl"} {
		if err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import "+module).Run(); err != nil {
			t.Skipf("Debian's python3-%s is not installed: %v", module, err)
		}
	}
	w := newWorld(t)
	published := w.signsWith(dkim.RSA2048, dkim.Ed25519)
	records := ""
	for name, r := range published {
		records += name + "\t" + r + "\n"
	}
	for _, m := range everyKind(t, w) {
		for what, c := range map[string]struct {
			raw  []byte
			good bool
		}{"as it left": {m.Raw, true}, "changed": {append(bytes.Clone(m.Raw), "more\r\n"...), false}} {
			out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", python, fileOf(t, c.raw), records, "2").CombinedOutput()
			if (err == nil) != c.good {
				t.Errorf("%s: %v\n%s", what, err, out)
			}
		}
	}
}

// The bytes that leave days later, after another key took over, are those that were
// kept, and the old key's record must stay for them.
func TestT3_ASignatureIsKeptWithTheBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	published := w.signsWith(dkim.RSA2048)
	old := w.DomainKeys.All()[0]
	w.sink.Fail(mailtest.Mail, 451, 1000)
	w.arrives("fay@finder.example", reportTo, mailtest.Plain("fay@finder.example", reportTo, "a flaw", "words", w.clock.Now()))
	w.settle()
	var kept string
	w.view(func(tx *store.Tx) error {
		all, err := w.Queue.All(tx)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d deliveries: %v", len(all), err)
		}
		body, err := w.Store.Bytes(all[0].Body)
		kept = all[0].Head + string(body)
		return err
	})
	w.after(24 * time.Hour)
	for name, r := range w.signsWith(dkim.RSA2048) {
		published[name] = r
	}
	w.restart()
	needed := func() (until time.Time, waiting int) {
		w.view(func(tx *store.Tx) (err error) {
			all := w.DomainKeys.All()
			until, waiting, err = w.NeededBy(tx, all[len(all)-1])
			return err
		})
		return until, waiting
	}
	if _, waiting := needed(); waiting != 1 {
		t.Errorf("%d mails need the record of the old key", waiting)
	}
	w.sink.Fail(mailtest.Mail, 0, 0)
	w.after(24 * time.Hour)
	mails := w.sink.Mails()
	if len(mails) != 1 || string(mails[0].Raw) != kept || !strings.Contains(kept, " s="+old.Selector+";") {
		t.Fatalf("%d mails left, and not as they were kept", len(mails))
	}
	verified(t, mails[0].Raw, published, 1)
	until, waiting := needed()
	if waiting != 0 || until.Before(mails[0].At) || until.Before(w.clock.Now().Add(4*cvd.Day)) {
		t.Errorf("the record may go at %v; %d mails wait", until, waiting)
	}
}

// A key signs once its record is seen, and not before; the secret of the one before
// it is gone from the store at that moment.
func TestT3_AKeySignsOnceItIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	published := w.signsWith(dkim.RSA2048)
	first := w.DomainKeys.All()[0]
	next, err := w.NewDomainKey(testOperator, dkim.RSA2048)
	if err != nil || next.Selector == first.Selector {
		t.Fatalf("%q after %q: %v", next.Selector, first.Selector, err)
	}
	name := dkim.Name(next.Selector, w.Domain)
	for what, c := range map[string]struct {
		dns  func(string) ([]string, error)
		says string
	}{
		"not there":     {func(string) ([]string, error) { return nil, nil }, "it is not there"},
		"the old one":   {func(string) ([]string, error) { return []string{first.Record}, nil }, "another key"},
		"twice":         {func(string) ([]string, error) { return []string{next.Record, next.Record}, nil }, "several"},
		"revoked":       {func(string) ([]string, error) { return []string{"v=DKIM1; k=rsa; p="}, nil }, "revoked"},
		"cut":           {func(string) ([]string, error) { return []string{next.Record[:250]}, nil }, "another key, or not all"},
		"tested":        {func(string) ([]string, error) { return []string{next.Record + "; t=s:y"}, nil }, "t=y"},
		"SHA-1":         {func(string) ([]string, error) { return []string{next.Record + "; h=sha1"}, nil }, "SHA-256"},
		"not for mail":  {func(string) ([]string, error) { return []string{next.Record + "; s=tlsrpt"}, nil }, "not for mail"},
		"no answer":     {func(string) ([]string, error) { return nil, context.DeadlineExceeded }, "cannot be looked up"},
		"another place": {dnsOf(map[string]string{"x." + name: next.Record}), "it is not there"},
	} {
		if _, err := w.BeginDomainKey(testOperator, next.Selector, c.dns); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if now := w.DomainKeys.signing(); len(now) != 1 || now[0].Selector != first.Selector {
		t.Fatal("another key signs")
	}
	published[name] = "k=rsa ;t=s; p=" + strings.Join(strings.SplitAfter(strings.TrimPrefix(next.Record, "v=DKIM1; k=rsa; p="), "A"), " ") // as people write it
	if _, err := w.BeginDomainKey(testOperator, next.Selector, dnsOf(published)); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.view(func(tx *store.Tx) error {
		for r, err := range domainKeys.All(tx, nil) {
			if err != nil {
				return err
			}
			if signs := r.Value.Selector == next.Selector; signs != (r.Value.State == DomainKeySigning) || signs != (len(r.Value.Secret) > 0) {
				t.Errorf("%s is %s with %d bytes of secret", r.Value.Selector, r.Value.State, len(r.Value.Secret))
			}
		}
		return nil
	})
	for _, selector := range []string{first.Selector, next.Selector, "r1"} {
		if _, err := w.BeginDomainKey(testOperator, selector, nil); err == nil {
			t.Errorf("%s begins once more", selector)
		}
	}
	if k, err := w.StopDomainKey(testOperator, next.Selector); err != nil || k.Selector != next.Selector || len(w.DomainKeys.signing()) != 0 {
		t.Errorf("it goes on: %v", err)
	}
	ed, err := w.NewDomainKey(testOperator, dkim.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.BeginDomainKey(testOperator, ed.Selector, nil); err == nil {
		t.Error("an Ed25519 key signs alone")
	}
}

// What is signed tells nothing that links two vendors: all tags but the hashes, the
// signature and the second are the same in every mail.
func TestV3_SignaturesLinkNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signsWith(dkim.RSA2048)
	shapes := map[string]bool{}
	hashes := map[string]bool{}
	all := everyKind(t, w)
	for _, m := range all {
		head, _, _ := strings.Cut(string(m.Raw), "\r\nFrom: ")
		shape := ""
		for tag := range strings.SplitSeq(strings.TrimPrefix(head, "DKIM-Signature:"), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(tag), "=")
			switch name {
			case "bh":
				hashes[value] = true
			case "b", "t":
			default:
				shape += name + "=" + value + ";"
			}
		}
		shapes[shape] = true
	}
	if len(shapes) != 1 || len(hashes) != len(all) {
		t.Errorf("%d shapes, %d hashes of %d mails: %v", len(shapes), len(hashes), len(all), shapes)
	}
}
