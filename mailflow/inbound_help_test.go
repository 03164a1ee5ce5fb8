package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// reportTo is where the tests' finders write.
const reportTo = "report@vdp.example.org"

// filed lists the mails of a folder of the desk, oldest first.
func (w *world) filed(folder string) []store.Message {
	w.t.Helper()
	var out []store.Message
	w.view(func(tx *store.Tx) error {
		box, err := tx.MailboxNamed("", folder)
		if err != nil {
			return err
		}
		for m, err := range tx.MessagesIn(box.Number) {
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out
}

// one is the only mail of a folder.
func (w *world) one(folder string) store.Message {
	w.t.Helper()
	all := w.filed(folder)
	if len(all) != 1 {
		w.t.Fatalf("%s holds %d mails: %q", folder, len(all), w.subjects(folder))
	}
	return all[0]
}

// last is the newest mail of a folder.
func (w *world) last(folder string) store.Message {
	w.t.Helper()
	all := w.filed(folder)
	if len(all) == 0 {
		w.t.Fatalf("%s is empty", folder)
	}
	return all[len(all)-1]
}

// shown is what a mail client is served of a mail, parsed.
func (w *world) shown(m store.Message) *message.Part {
	w.t.Helper()
	raw, err := w.Store.Bytes(m.Served)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := message.Parse(raw, ownLimits(w.Limits))
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// words is the first text that a mail client shows.
func (w *world) words(m store.Message) string {
	w.t.Helper()
	t := w.shown(m).FirstText()
	if t == nil {
		return ""
	}
	s, err := t.Text()
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// says reads a field that the gateway wrote over a mail.
func (w *world) says(m store.Message, name string) string {
	w.t.Helper()
	values := w.shown(m).Header.Values(name)
	if len(values) > 1 {
		w.t.Errorf("%s stands there %d times: %q", name, len(values), values)
	}
	return strings.Join(values, "|")
}

// kept is what was received, as the store has it.
func (w *world) kept(m store.Message) []byte {
	w.t.Helper()
	if m.Raw == nil {
		w.t.Fatal("the bytes received are not there")
	}
	raw, err := w.Store.Bytes(*m.Raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// quarantined wants exactly one mail more in Quarantine than before, whole, with
// a reason that says why.
func (w *world) quarantined(before int, raw []byte, why string) store.Message {
	w.t.Helper()
	all := w.filed("Quarantine")
	if len(all) != before+1 {
		w.t.Fatalf("Quarantine holds %d mails, want %d: %q; Intake %q", len(all), before+1, w.subjects("Quarantine"), w.subjects("Intake"))
	}
	m := all[len(all)-1]
	if got := w.kept(m); !bytes.Equal(got, raw) {
		w.t.Errorf("%d bytes came and %d others are kept", len(raw), len(got))
	}
	if text := unwrapped(w.words(m)); !strings.Contains(text, why) {
		w.t.Errorf("the reason %q is not given:\n%s", why, text)
	}
	return m
}

// folderOf is a folder of a case.
func (w *world) folderOf(id cvd.CaseID, sub string) string {
	w.t.Helper()
	var name string
	w.view(func(tx *store.Tx) error {
		all, err := tx.Mailboxes()
		for _, m := range all {
			if m.Case == string(id) && strings.HasSuffix(m.Name, "/"+sub) {
				name = m.Name
			}
		}
		return err
	})
	if name == "" {
		w.t.Fatalf("%s has no folder %s", id, sub)
	}
	return name
}

func (w *world) who(id cvd.CaseID, party cvd.PartyID) cvd.Participant {
	w.t.Helper()
	var p cvd.Participant
	w.view(func(tx *store.Tx) (err error) {
		p, err = ParticipantByID(tx, id, party)
		return err
	})
	return p
}

func (w *world) reports() []cvd.Report {
	w.t.Helper()
	var out []cvd.Report
	w.view(func(tx *store.Tx) (err error) {
		out, err = collect(reports.All(tx, nil), nil)
		return err
	})
	return out
}

// journalled counts the records of a kind.
func (w *world) journalled(kind string) int {
	w.t.Helper()
	n := 0
	w.view(func(tx *store.Tx) error {
		return journal.Each(tx, func(_ uint64, r journal.Record) error {
			if r.Kind == kind {
				n++
			}
			return nil
		})
	})
	return n
}

// waiting is how many mails are accepted and not processed.
func (w *world) waiting() int {
	w.t.Helper()
	f, err := w.Figures()
	w.must(err)
	return f.Spooled
}

// accepts takes a mail as the public port does, without processing it.
func (w *world) accepts(from string, raw []byte, to ...string) {
	w.t.Helper()
	env := Envelope{From: from, To: to, Remote: "192.0.2.1"}
	for _, rcpt := range to {
		if err := w.intake.CheckRcpt(context.Background(), env, rcpt); err != nil {
			w.t.Fatalf("RCPT %s: %v", rcpt, err)
		}
	}
	if err := w.intake.Receive(context.Background(), env, bytes.NewReader(raw)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) process() {
	w.t.Helper()
	if err := w.intake.RunSpool(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// reported is a finder's encrypted report with its key inside, and what came of
// it.
func (w *world) reported(f *mailtest.Person, subject, text string) cvd.Report {
	w.t.Helper()
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, withKey(f, subject, text)))
	w.settle()
	all := w.reports()
	if len(all) == 0 {
		w.t.Fatal("there is no report")
	}
	return all[len(all)-1]
}

func withKey(f *mailtest.Person, subject, text string) []byte {
	return mailtest.Entity(subject, text, mailtest.File{Name: "my-key.asc", Type: "application/pgp-keys", Data: string(f.PublicKey())})
}

// started starts a case, so that its vendors have the first notice.
func (w *world) started(vendors ...string) cvd.CaseID {
	w.t.Helper()
	id := w.caseWith(vendors...)
	w.do("case "+string(id), "start now")
	w.after(5 * w.Undo)
	for _, v := range vendors {
		if len(w.got(v)) != 1 {
			w.t.Fatalf("%s has %d mails", v, len(w.got(v)))
		}
	}
	return id
}

// sealTo encrypts an entity to a certificate with a configuration of its own.
func sealTo(t testing.TB, entity, to []byte, signer *openpgp.Entity, cfg *packet.Config) []byte {
	t.Helper()
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(to))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	a, err := armor.Encode(&b, "PGP MESSAGE", nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := openpgp.Encrypt(a, ring, signer, nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Write(entity); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(plain.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// signedEntity is a multipart/signed of an entity (RFC 3156 section 5), under
// header fields that nobody signed.
func (w *world) signedEntity(p *mailtest.Person, entity []byte, unsigned ...mailtest.Field) []byte {
	w.t.Helper()
	var sig bytes.Buffer
	cfg := &packet.Config{Time: w.clock.Now}
	if err := openpgp.ArmoredDetachSign(&sig, p.Entity, bytes.NewReader(entity), cfg); err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range unsigned {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	const bound = "signed-entity-boundary"
	fmt.Fprintf(&b, "Content-Type: multipart/signed; micalg=pgp-sha256; protocol=\"application/pgp-signature\"; boundary=%[1]q\r\n\r\n--%[1]s\r\n%[2]s\r\n"+
		"--%[1]s\r\nContent-Type: application/pgp-signature\r\n\r\n%[3]s\r\n--%[1]s--\r\n", bound, entity, strings.ReplaceAll(sig.String(), "\n", "\r\n"))
	return []byte(b.String())
}

// logs records whatever is logged from now on.
func (w *world) logs() *logged {
	l := &logged{}
	w.Base.Log = slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return l
}

type logged struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
