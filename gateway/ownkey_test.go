package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"parley/gateway/ctl"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/mailtest"
)

// ask has a command carried out by the gateway that runs, and wants it done.
func (d *demo) ask(t testing.TB, command string, flags map[string]string, args ...string) string {
	t.Helper()
	a, err := ctl.Call(t.Context(), d.app.set.socket(), ctl.Request{Command: command, Args: args, Flags: flags})
	if err != nil || a.Code != exitDone {
		t.Fatalf("%s: %v %s%s", command, err, a.Out, a.Err)
	}
	return a.Out
}

// exported are the certificates that a running gateway prints.
func (d *demo) exported(t *testing.T) []*keyring.Certificate {
	t.Helper()
	certs, err := keyring.ParseCertificates([]byte(d.ask(t, "key export", nil)))
	if err != nil {
		t.Fatal(err)
	}
	return certs
}

// receiptFor reports something encrypted to a key, over SMTP, and opens the
// receipt.
func (d *demo) receiptFor(t *testing.T, f *mailtest.Person, key *keyring.Certificate) *mailtest.Opened {
	t.Helper()
	ours, err := key.Armor()
	if err != nil {
		t.Fatal(err)
	}
	entity := mailtest.Entity("a report", "words", mailtest.File{Name: "my-key.asc", Type: "application/pgp-keys", Data: string(f.PublicKey())})
	armored, err := f.Seal(entity, ours, true)
	if err != nil {
		t.Fatal(err)
	}
	before, to := len(d.sink.Mails()), "report@"+demoDomain
	if err := mailtest.Send(d.addr("smtp"), f.Address, to, mailtest.PGPMIME(f.Address, to, f.Now(), armored)); err != nil {
		t.Fatal(err)
	}
	if err := d.sink.Next(before, time.Minute); err != nil {
		t.Fatalf("no receipt: %v", err)
	}
	o, err := f.Open(d.sink.To(f.Address)[before].Raw, []byte(d.ask(t, "key export", nil)))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestRunningGatewayTakesARotation(t *testing.T) {
	t.Parallel()
	d := benchGateway(t)
	f, err := mailtest.NewPerson("Finder", "finder@peer.example", d.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	old := d.exported(t)[0]
	if o := d.receiptFor(t, f, old); o.Signer != string(old.Fingerprint()) {
		t.Fatalf("the first receipt is signed by %s", o.Signer)
	}
	d.ask(t, "key rotate", map[string]string{"algorithm": "ed25519", "expires": "2y", "from": "7d"})
	both := d.exported(t)
	if len(both) != 2 || both[0].Fingerprint() != old.Fingerprint() || !both[1].CertifiedBy(both[0], "report@vdp.example.org", d.clock.Now()) || !both[0].CertifiedBy(both[1], "report@vdp.example.org", d.clock.Now()) {
		t.Fatalf("it exports %d certificates", len(both))
	}
	next := both[1]
	if o := d.receiptFor(t, f, next); o.Signer != string(old.Fingerprint()) || !strings.Contains(o.Text, old.Fingerprint().Spaced()) {
		t.Errorf("before the switch a receipt is signed by %s:\n%s", o.Signer, o.Text)
	}
	d.fast.setSpeed(float64(7*24*time.Hour) / float64(2*time.Second)) // a week in two seconds
	d.switches(t, next)
	d.fast.setSpeed(1)
	for _, key := range []*keyring.Certificate{next, old} {
		o := d.receiptFor(t, f, key)
		if o.Signer != string(next.Fingerprint()) || !strings.Contains(o.Text, next.Fingerprint().Spaced()) {
			t.Errorf("after the switch a receipt is signed by %s:\n%s", o.Signer, o.Text)
		}
	}
	d.ask(t, "key retire", nil, string(old.Fingerprint()))
	if certs := d.exported(t); len(certs) != 1 || certs[0].Fingerprint() != next.Fingerprint() {
		t.Errorf("it exports %d certificates", len(certs))
	}
	if out := d.ask(t, "verify", nil); !strings.Contains(out, "everything opens") {
		t.Error(out)
	}
}

// switches waits until a key signs. Everybody who was told something gets a
// letter meanwhile.
func (d *demo) switches(t *testing.T, next *keyring.Certificate) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		first, _, _ := strings.Cut(d.ask(t, "key own", nil), "\n")
		if strings.HasPrefix(first, string(next.Fingerprint())+"  signing") {
			return
		}
	}
	t.Fatal("the next key does not sign")
}

// A retirement promises no more than it does: of a key from before each secret was
// sealed by itself a copy may be left (rule H3).
func TestH3_RetiredLine(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	secret, err := keyring.Generate("", "report@vdp.example.org", keyring.Ed25519, at)
	if err != nil {
		t.Fatal(err)
	}
	for signs, early := range map[time.Time]bool{at: false, {}: true} {
		line := retiredLine(mailflow.OwnKey{State: mailflow.OwnRetired, Certificate: secret.Certificate(), Signs: signs})
		if !strings.Contains(line, secret.Certificate().Fingerprint().Spaced()) || strings.Contains(line, "free pages") != early {
			t.Errorf("signs %v: %s", signs, line)
		}
	}
}

func TestParseWhen(t *testing.T) {
	t.Parallel()
	now := time.Date(2028, 2, 29, 9, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"2y": time.Date(2030, 3, 1, 9, 0, 0, 0, time.UTC), "90d": now.AddDate(0, 0, 90), "36h": now.Add(36 * time.Hour), "1w": now.AddDate(0, 0, 7),
		"2030-01-01": time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), "2030-01-01T09:00Z": time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC), "never": {},
	} {
		if got, err := parseEnd(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "soon", "-1y", "2 years", "9999y", "2030-13-01", "09:00"} {
		if got, err := parseEnd(in, now); err == nil {
			t.Errorf("%q is read as %v", in, got)
		}
	}
}

func TestExportIsOneBlock(t *testing.T) {
	t.Parallel()
	d := benchGateway(t)
	d.ask(t, "key rotate", map[string]string{"algorithm": "ed25519", "expires": "never", "from": ""})
	if n := bytes.Count([]byte(d.ask(t, "key export", nil)), []byte("BEGIN PGP PUBLIC KEY BLOCK")); n != 1 {
		t.Errorf("%d blocks of armor", n)
	}
}
