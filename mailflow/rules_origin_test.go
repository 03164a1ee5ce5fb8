package mailflow

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/dkim"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// originDNS is DNS in which nothing stands but what a test puts there; a slow one
// never answers.
type originDNS struct {
	txt  map[string][]string
	slow bool
}

func (d originDNS) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if d.slow {
		<-ctx.Done()
		return nil, &net.DNSError{Err: "timeout", Name: name, IsTimeout: true, IsTemporary: true}
	}
	if all, ok := d.txt[name]; ok {
		return all, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (d originDNS) LookupMX(context.Context, string) ([]*net.MX, error) { return nil, nil }

func (d originDNS) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) { return nil, nil }

func (d originDNS) LookupAddr(context.Context, string) ([]string, error) { return nil, nil }

// cameFrom hands a mail to the public port as a client of the Internet does.
func (w *world) cameFrom(client, from, to string, raw []byte) {
	w.t.Helper()
	env := Envelope{From: from, To: []string{to}, Remote: client, Hello: "mx.acme.org"}
	if err := w.intake.Receive(w.t.Context(), env, bytes.NewReader(raw)); err != nil {
		w.t.Fatal(err)
	}
	if err := w.intake.RunSpool(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// effects is all that mails had for effect, without what is random and without the
// lines that show where they came from.
func (w *world) effects(id cvd.CaseID) string {
	w.t.Helper()
	var b strings.Builder
	for _, folder := range []string{"INBOX", "Intake", "Quarantine", "Keys", w.folderOf(id, "Vendor acme")} {
		for _, m := range w.filed(folder) {
			fmt.Fprintf(&b, "%s: %s %s %s|%s|%s\n", folder, m.Direction, m.Kind, w.says(m, "Parley-Signature"), w.says(m, "Parley-Encryption"), m.Envelope.Subject)
		}
	}
	w.view(func(tx *store.Tx) error {
		who, err := ParticipantByID(tx, id, "acme")
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "acme: acknowledged %v, reached %s\n", who.Acknowledged != nil, who.Reached)
		all, err := w.Queue.All(tx)
		for _, it := range all {
			fmt.Fprintf(&b, "to %s: %s\n", it.To, it.State)
		}
		return err
	})
	lines := strings.Split(fingerprintText.ReplaceAllString(b.String(), "KEY"), "\n")
	slices.Sort(lines) // what is due in one instant leaves in any order
	return strings.Join(lines, "\n")
}

var fingerprintText = regexp.MustCompile(`[0-9A-F]{40}`)

// A mail for which everything passes and one for which everything fails have the same
// effect, but for the line that says so: a clear one claims nothing, and a signed
// one counts.
func TestS8_NothingDependsOnWhereAMailCameFrom(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for result, client := range map[string]string{"pass": "9.9.9.9", "fail": "8.8.8.8", "off": "9.9.9.9"} {
		w := newWorld(t)
		id := w.started("acme")
		key, err := dkim.Generate(dkim.Ed25519, "sel")
		if err != nil {
			t.Fatal(err)
		}
		if result != "off" {
			w.intake.Resolver = originDNS{txt: map[string][]string{"acme.example.": {"v=spf1 -all"}, "acme.org.": {"v=spf1 ip4:9.9.9.9 -all"},
				"_dmarc.acme.org.": {"v=DMARC1; p=reject"}, "sel._domainkey.acme.org.": {key.Record()}}}
		}
		acme, to := w.people["acme"], w.thread(id, "acme")
		for _, raw := range [][]byte{
			w.seal(acme, to, true, mailtest.Entity("["+string(id)+"]", "ACK "+string(id)+"\n")),
			mailtest.Plain(acme.Address, to, "in clear", "ACK "+string(id)+"\n", w.clock.Now()),
			mailtest.Plain("jo@acme.org", reportTo, "a flaw", "words", w.clock.Now(), mailtest.Field{Name: "Parley-Origin", Value: "spf=forged"}, mailtest.Field{Name: "Authentication-Results", Value: "vdp.example.org; dkim=forged"}),
		} {
			s, err := dkim.NewSigning("acme.org", []*dkim.Key{key})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write(raw); err != nil {
				t.Fatal(err)
			}
			head, err := s.Fields()
			if err != nil {
				t.Fatal(err)
			}
			if result == "fail" {
				head = strings.Replace(head, "bh=", "bh=AAAA", 1)
			}
			w.cameFrom(client, "jo@acme.org", map[bool]string{true: reportTo, false: to}[bytes.Contains(raw, []byte("To: "+reportTo))], append([]byte(head), raw...))
		}
		w.settle()
		m := w.one("Intake")
		want := fmt.Sprintf("spf=%s (acme.org); dkim=%s (acme.org); dmarc=%s (acme.org)", result, result, result)
		if result == "off" {
			want = ""
		}
		if says := w.says(m, "Parley-Origin"); says != want {
			t.Errorf("it says %q, want %q", says, want)
		}
		if text := unwrapped(w.words(m)); strings.Contains(text, "Its way here: "+strings.ReplaceAll(want, "=", " ")) != (want != "") || bytes.Contains(w.served0(m), []byte("forged")) {
			t.Errorf("the reader is told:\n%s", text)
		}
		got[result] = w.effects(id)
	}
	if got["pass"] != got["fail"] || got["pass"] != got["off"] || !strings.Contains(got["pass"], "acknowledged true") {
		t.Errorf("passes:\n%s\nfails:\n%s\noff:\n%s", got["pass"], got["fail"], got["off"])
	}
}

// DNS that never answers keeps a mail three seconds, not longer, and says so; what
// a server in front took has no client.
func TestT1_SlowDNSKeepsNoMailOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.intake.Resolver = originDNS{slow: true}
	began := time.Now()
	w.cameFrom("9.9.9.9", "jo@acme.org", reportTo, mailtest.Plain("jo@acme.org", reportTo, "a flaw", "words", w.clock.Now()))
	if took := time.Since(began); took > originTime+30*time.Second {
		t.Errorf("it took %v", took)
	}
	if says := w.says(w.one("Intake"), "Parley-Origin"); says != "spf=temperror (acme.org); dkim=none; dmarc=temperror (acme.org)" {
		t.Error(says)
	}
	w.intake.Resolver = originDNS{txt: map[string][]string{"acme.org.": {"v=spf1 ip4:9.9.9.9 -all"}}}
	env := Envelope{From: "jo@acme.org", To: []string{reportTo}, Remote: "9.9.9.9", Front: true}
	if err := w.intake.Receive(t.Context(), env, bytes.NewReader(mailtest.Plain("jo@acme.org", reportTo, "another", "words", w.clock.Now()))); err != nil {
		t.Fatal(err)
	}
	if err := w.intake.RunSpool(t.Context()); err != nil {
		t.Fatal(err)
	}
	if says := w.says(w.last("Intake"), "Parley-Origin"); says != "spf=none (a server in front took the mail); dkim=none; dmarc=none (acme.org)" {
		t.Error(says)
	}
}

// Where reports in clear are refused, and a mail is read before DNS is asked, its header is
// there all the same.
func TestS8_AskedAlsoWhereClearIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Plaintext = "refuse"
	w.intake.Resolver = originDNS{txt: map[string][]string{"acme.org.": {"v=spf1 ip4:9.9.9.9 -all"}, "_dmarc.acme.org.": {"v=DMARC1; p=reject"}}}
	jo := w.person("jo", "jo@acme.org")
	for size, want := range map[int]string{10: "small", 100 << 10: "large"} {
		w.cameFrom("9.9.9.9", jo.Address, reportTo, w.seal(jo, reportTo, true, mailtest.Entity(want, strings.Repeat("words\n", size/6))))
		if says := w.says(w.last("Intake"), "Parley-Origin"); says != "spf=pass (acme.org); dkim=none; dmarc=pass (acme.org)" {
			t.Errorf("%s: %s", want, says)
		}
	}
}
