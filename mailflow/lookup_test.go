package mailflow

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// A vendor is added, its key is found after the commit, and what was held for
// want of it goes.
func TestDiscovery_FoundKeyReleasesWhatIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.globex.example")
	p := w.person("globex", "psirt@globex.example")
	o.serves("globex.example", p)
	if out := w.do("vendor add globex " + p.Address); !strings.Contains(unwrapped(out), "its key is looked for") {
		t.Errorf("the answer: %s", out)
	}
	if out := unwrapped(w.do("key list globex")); !strings.Contains(out, "WKD for psirt@globex.example: being looked for") {
		t.Errorf("key list before: %s", out)
	}
	id := w.caseWith("globex")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	if n := w.notice(id, "globex", cvd.HeadsUp); n.State != cvd.Held || o.requests() != 0 {
		t.Fatalf("heads-up: %s, %s, after %d requests", n.State, n.Why, o.requests())
	}
	next := o.looks()
	w.trusted("globex", p, keyring.Found, "WKD, openpgpkey.globex.example")
	if k, _ := w.onRecord("globex", p); k.Address != p.Address {
		t.Errorf("for %q", k.Address)
	}
	w.after(3 * time.Minute) // the undo time
	w.told("globex", "Heads-up")
	if n := w.notice(id, "globex", cvd.Scope); n.State == cvd.Sent {
		t.Error("scope went to a key that nobody confirmed")
	}
	if want := storyStart.Add(5*time.Minute + 7*cvd.Day); !next.Equal(want) {
		t.Errorf("looked for again at %s, want %s", next, want)
	}
	if out := unwrapped(w.do("key list globex")); !strings.Contains(out, "WKD for psirt@globex.example: found on 2026-12-01") {
		t.Errorf("key list: %s", out)
	}
	if n := w.countIn("Keys", "globex"); n != 0 {
		t.Errorf("Keys holds %q", w.subjects("Keys"))
	}
}

// A miss is written down once, shown in the list, tried again less and less
// often, and alarms nobody.
func TestDiscovery_NothingFoundIsQuiet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.globex.example")
	before := len(w.subjects("INBOX")) + len(w.subjects("Keys")) + len(w.subjects("Status"))
	w.do("vendor add globex psirt@globex.example", "vendor add initech x@initech.example")
	at := w.clock.Now()
	for _, wait := range []time.Duration{time.Hour, 6 * time.Hour, cvd.Day, 7 * cvd.Day, 7 * cvd.Day} {
		next := o.looks()
		if want := w.clock.Now().Add(wait); !next.Equal(want) {
			t.Fatalf("after %s it is tried again at %s, want %s", w.clock.Now().Sub(at), next, want)
		}
		w.clock.Advance(wait)
	}
	if n := w.journalled("key.not-found"); n != 2 {
		t.Errorf("%d records of two misses", n)
	}
	if n := o.requests(); n != 5 { // initech has no server at all
		t.Errorf("%d requests", n)
	}
	out := unwrapped(w.do("key list globex", "key list initech"))
	for _, want := range []string{"WKD for psirt@globex.example: nothing found on ", "nothing is published there", "WKD for x@initech.example: nothing found on ", "does not exist in the DNS"} {
		if !strings.Contains(out, want) {
			t.Errorf("the lists lack %q: %s", want, out)
		}
	}
	if n := len(w.subjects("INBOX")) + len(w.subjects("Keys")) + len(w.subjects("Status")); n != before {
		t.Errorf("INBOX %q, Keys %q, Status %q", w.subjects("INBOX"), w.subjects("Keys"), w.subjects("Status"))
	}
}

// What is found never takes the place of what is confirmed; the desk is asked
// once, with both fingerprints, and its answer closes the question.
func TestS7_FoundNeverReplacesConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.acme.example")
	p := w.vendor("acme")
	other := w.person("impostor", p.Address)
	o.serves("acme.example", other)
	o.looks()
	for range 3 {
		w.clock.Advance(8 * cvd.Day)
		o.looks()
	}
	w.trusted("acme", p, keyring.Confirmed, "phone")
	w.trusted("acme", other, keyring.Found, "WKD")
	if got := w.subjects("Keys"); len(got) != 1 || !strings.Contains(got[0], "Which key is acme's?") {
		t.Fatalf("Keys holds %q", got)
	}
	text := w.textIn("Keys", "Which key is acme's?")
	for _, f := range []string{p.Fingerprint(), other.Fingerprint()} {
		spaced := keyring.Fingerprint(f).Spaced()
		if !strings.Contains(text, spaced) {
			t.Errorf("the question lacks %s:\n%s", spaced, text)
		}
	}
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.told("acme", "Heads-up")
	for _, m := range w.sink.To(p.Address) {
		if _, err := other.Open(m.Raw, w.ourKey()); err == nil {
			t.Error("the other key opens a notice")
		}
	}
	if n := w.journalled("key.found"); n != 1 {
		t.Errorf("%d records of one found key", n)
	}
	w.do("key reject acme " + other.Fingerprint() + ` because "not theirs"`)
	if n := w.countIn("Keys", "acme"); n != 0 {
		t.Errorf("after the answer Keys holds %q", w.subjects("Keys"))
	}
	w.do("key find acme")
	o.looks()
	w.trusted("acme", other, keyring.Rejected, "not theirs")
	if n := w.countIn("Keys", "acme"); n != 0 {
		t.Errorf("a rejected key is asked about again: %q", w.subjects("Keys"))
	}
}

// A refresh extends and revokes what is known; a new encryption subkey asks a
// person and is not used.
func TestS7_RefreshExtendsAndAsksAboutSubkeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.acme.example")
	p := w.person("acme", "psirt@acme.example")
	expires(t, p, 30*cvd.Day)
	w.do("vendor add acme " + p.Address)
	w.confirm("acme", p)
	w.clock.Advance(time.Hour)
	for _, id := range p.Entity.Identities {
		id.SelfSignature.CreationTime = w.clock.Now()
	}
	expires(t, p, 300*cvd.Day)
	o.serves("acme.example", p)
	o.looks()
	k, _ := w.onRecord("acme", p)
	cert, err := w.Certs.Certificate(k.Cert)
	if err != nil || !cert.Expires().Equal(p.Entity.PrimaryKey.CreationTime.Add(300*cvd.Day)) || k.Trust != keyring.Confirmed {
		t.Fatalf("after the refresh: %v, expires %s, %s", err, cert.Expires(), k.Trust)
	}
	was := cert.KeyFingerprints()
	if err := p.Entity.AddEncryptionSubkey(&packet.Config{Time: p.Now}); err != nil {
		t.Fatal(err)
	}
	o.serves("acme.example", p)
	for range 2 {
		w.clock.Advance(8 * cvd.Day)
		o.looks()
	}
	if got := w.subjects("Keys"); len(got) != 1 || got[0] != "acme's key has a new encryption subkey" {
		t.Fatalf("Keys holds %q", got)
	}
	text := w.textIn("Keys", "subkey")
	sub := keyring.Fingerprint(strings.ToUpper(hex.EncodeToString(p.Entity.Subkeys[len(p.Entity.Subkeys)-1].PublicKey.Fingerprint)))
	for _, f := range []keyring.Fingerprint{keyring.Fingerprint(p.Fingerprint()), sub} {
		if !strings.Contains(text, f.Spaced()) {
			t.Errorf("the question lacks %s:\n%s", f.Spaced(), text)
		}
	}
	k, _ = w.onRecord("acme", p)
	if cert, err = w.Certs.Certificate(k.Cert); err != nil || !slices.Equal(cert.KeyFingerprints(), was) {
		t.Errorf("the record has %s, had %s: %v", cert.KeyFingerprints(), was, err)
	}
}

// A kill between the answer and its commit loses nothing and leaves nothing
// half done: the look-up is made again.
func TestT2_LookupResumesAfterKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.globex.example")
	p := w.person("globex", "psirt@globex.example")
	o.serves("globex.example", p)
	w.do("vendor add globex " + p.Address)
	ctx, kill := context.WithCancel(context.Background())
	o.before = kill // the process dies with the answer on its way
	if _, err := o.RunDue(ctx, w.clock.Now()); err != context.Canceled {
		t.Fatal(err)
	}
	if _, ok := w.onRecord("globex", p); ok || o.requests() != 1 {
		t.Fatalf("a key is on record: %v, after %d requests", ok, o.requests())
	}
	o.before = nil
	w.restart()
	o.looks()
	if o.requests() != 1 {
		t.Error("it is asked again at once, as a crashing loop would do for ever")
	}
	w.clock.Advance(5 * time.Minute)
	o.looks()
	w.trusted("globex", p, keyring.Found, "WKD, openpgpkey.globex.example")
}

// What was found for an address that has meanwhile changed is not kept, and the
// order is forgotten.
func TestDiscovery_AddressChangedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.globex.example", "openpgpkey.new.example")
	p := w.person("globex", "psirt@globex.example")
	fresh := w.person("new", "psirt@new.example")
	o.serves("globex.example", p)
	o.serves("new.example", fresh)
	w.do("vendor add globex " + p.Address)
	var once sync.Once
	o.before = func() { once.Do(func() { w.do("vendor edit globex address " + fresh.Address) }) }
	o.looks()
	if _, ok := w.onRecord("globex", p); ok {
		t.Error("a key of the old address is on record")
	}
	w.trusted("globex", fresh, keyring.Found, "openpgpkey.new.example")
	if out := unwrapped(w.do("key list globex")); strings.Contains(out, p.Address) {
		t.Errorf("the old order stands: %s", out)
	}
}

// TestDiscovery_OneAtATime: at most four are asked at once, and no domain twice.
func TestDiscovery_OneAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var names []string
	for _, n := range []string{"a", "b", "c", "d", "e", "f"} {
		names = append(names, "openpgpkey."+n+".example")
	}
	o := w.looksOutside(names...)
	for _, n := range []string{"a", "b", "c", "d", "e", "f"} {
		w.do("vendor add "+n+"corp psirt@"+n+".example", "member add "+n+"corp two@"+n+".example", "member add "+n+"corp three@"+n+".example")
	}
	var mu sync.Mutex
	at, most, twice := map[string]int{}, 0, false
	o.served = func(host, _ string) []byte {
		mu.Lock()
		at[host]++
		n := 0
		for _, c := range at {
			n += c
		}
		most, twice = max(most, n), twice || at[host] > 1
		mu.Unlock()
		defer func() {
			mu.Lock()
			at[host]--
			mu.Unlock()
		}()
		return nil
	}
	o.looks()
	if o.requests() != 18 || most > 4 || twice {
		t.Errorf("%d requests, %d at once, one domain twice: %v", o.requests(), most, twice)
	}
}

// TestDiscovery_Off: nobody is asked, and the desk is told why.
func TestDiscovery_Off(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if out := w.do("vendor add globex psirt@globex.example"); strings.Contains(out, "looked for") {
		t.Errorf("the answer: %s", out)
	}
	if out := unwrapped(w.do("key list globex")); !strings.Contains(out, "discovery is off") {
		t.Errorf("key list: %s", out)
	}
	if got := w.as(Actor{Name: Operator, Via: ViaOperator}, "key find globex"); got.Done() || !strings.Contains(unwrapped(got.String()), "discovery is off") {
		t.Errorf("key find: %s", got)
	}
}

// TestDiscovery_Useless: a key that is found and cannot be used is one question,
// which a better key closes; a secret key is never taken.
func TestDiscovery_Useless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.globex.example", "openpgpkey.acme.example")
	p := w.person("globex", "psirt@globex.example")
	expires(t, p, time.Minute)
	o.serves("globex.example", p)
	burnt := w.person("acme", "psirt@acme.example")
	var secret strings.Builder
	if err := burnt.Entity.SerializePrivateWithoutSigning(&secret, nil); err != nil {
		t.Fatal(err)
	}
	o.puts("openpgpkey.acme.example"+wkdPath("acme.example"), []byte(secret.String()))
	w.do("vendor add globex "+p.Address, "vendor add acme "+burnt.Address)
	for range 2 {
		w.clock.Advance(8 * cvd.Day)
		o.looks()
	}
	got := w.subjects("Keys")
	slices.Sort(got)
	if want := []string{"acme publishes its secret key", "the key that globex publishes cannot be used"}; !slices.Equal(got, want) {
		t.Fatalf("Keys holds %q", got)
	}
	if text := w.textIn("Keys", "cannot be used"); !strings.Contains(text, "expired on") || !strings.Contains(text, "key find globex") {
		t.Errorf("the question:\n%s", text)
	}
	if _, ok := w.onRecord("acme", burnt); ok {
		t.Error("something of a secret key is on record")
	}
	good := w.person("globex2", p.Address)
	o.serves("globex.example", good)
	o.puts("openpgpkey.acme.example"+wkdPath("acme.example"), w.bytes(w.person("acme2", burnt.Address)))
	w.clock.Advance(8 * cvd.Day)
	o.looks()
	if got := w.subjects("Keys"); len(got) != 0 {
		t.Errorf("Keys still holds %q", got)
	}
}

// A coordinator names a security.txt; it counts only on the party's own domain
// and only signed.
func TestDiscovery_SecurityTxt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("acme.example")
	p := w.person("acme", "psirt@acme.example")
	const at = "https://acme.example/.well-known/security.txt"
	o.puts("acme.example/.well-known/security.txt", signedTxt(t, p, "Contact: mailto:psirt@acme.example\nExpires: 2099-01-01T00:00:00Z\nEncryption: https://acme.example/key"))
	o.puts("acme.example/key", w.bytes(p))
	w.do("vendor add acme " + p.Address)
	operator := Actor{Name: Operator, Via: ViaOperator}
	for _, bad := range []string{"https://evil.example/security.txt", "http://acme.example/security.txt", "https://127.0.0.1/security.txt"} {
		if got := w.as(operator, "key find acme at "+bad); got.Done() {
			t.Errorf("%s: %s", bad, got)
		}
	}
	w.update(func(tx *store.Tx) error {
		return PutCoordinator(tx, Coordinator{Name: "ana", Address: "ana@desk.vdp.example.org"})
	})
	if got := w.as(Actor{Name: "ana", Via: ViaMail}, "key find acme at "+at); got.Done() || !strings.Contains(unwrapped(got.String()), "counts only signed") {
		t.Errorf("unsigned, by mail: %s", got)
	}
	w.do("key find acme at " + at)
	o.looks()
	w.trusted("acme", p, keyring.Found, "security.txt at "+at+", signed by "+keyring.Fingerprint(p.Fingerprint()).Spaced())
	if out := unwrapped(w.do("key list acme")); !strings.Contains(out, "security.txt at "+at+": found on") {
		t.Errorf("key list: %s", out)
	}
}

// A revocation that the directory serves counts at once, also for a key that
// somebody confirmed, and is one question.
func TestS7_RefreshRevokes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.acme.example")
	p := w.vendor("acme")
	w.clock.Advance(time.Hour)
	if err := p.Entity.RevokeKey(packet.KeyCompromised, "", &packet.Config{Time: p.Now}); err != nil {
		t.Fatal(err)
	}
	o.serves("acme.example", p)
	for range 2 {
		o.looks()
		w.clock.Advance(8 * cvd.Day)
	}
	k, _ := w.onRecord("acme", p)
	if cert, err := w.Certs.Certificate(k.Cert); err != nil || cert.CanEncrypt(w.clock.Now()) == nil || k.Trust != keyring.Confirmed {
		t.Errorf("the record: %v, %s", err, k.Trust)
	}
	if got := w.subjects("Keys"); len(got) != 1 || got[0] != "acme's key can no longer be used" {
		t.Errorf("Keys holds %q", got)
	}
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	if n := w.notice(id, "acme", cvd.HeadsUp); n.State != cvd.Held || !strings.Contains(n.Why, "revoked") {
		t.Errorf("heads-up: %s, %s", n.State, n.Why)
	}
}

// The loop wakes when an address comes up, and ends while a server lets it wait.
func TestDiscovery_RunWakesAndEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.globex.example")
	asked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	o.before = func() { close(asked); <-release }
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- o.Run(ctx) }()
	w.do("vendor add globex psirt@globex.example")
	<-asked
	if out := w.do("vendor add initech psirt@initech.example", "key list globex"); !strings.Contains(out, "being looked for") {
		t.Errorf("while the server lets us wait: %s", out)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Parties of a store from before keys were looked for are looked for at the
// next start; at each later one nothing is ordered again.
func TestDiscovery_OldDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.globex.example")
	p := w.person("globex", "psirt@globex.example")
	o.serves("globex.example", p)
	w.update(func(tx *store.Tx) error {
		return PutParty(tx, cvd.Party{ID: "globex", Address: p.Address, Channel: cvd.ChannelPGP, Added: tx.Now})
	})
	w.must(w.Setup())
	next := o.looks()
	w.trusted("globex", p, keyring.Found, "WKD, openpgpkey.globex.example")
	asked := o.requests()
	w.must(w.Setup())
	if again := o.looks(); o.requests() != asked || !again.Equal(next) {
		t.Errorf("looked for again: %d requests, then %s, was %s", o.requests()-asked, again, next)
	}
}

// Whoever has a vendor's web server for a day signs nothing in its name: what
// a found key signed does not count while one of the same address is confirmed.
func TestS7_FoundNeverSignsForConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme := w.people["acme"]
	other := w.person("impostor", acme.Address)
	w.pins("acme", other, keyring.Found)
	to := w.thread(id, "acme")
	entity := mailtest.Entity("["+string(id)+"]", "ACCEPT "+string(id)+" v1\n")
	w.arrives(acme.Address, to, w.seal(other, to, true, entity))
	if w.who(id, "acme").Accepted() != 0 || w.countIn("Quarantine", "acme") != 1 {
		t.Errorf("the found key signs: Quarantine %q", w.subjects("Quarantine"))
	}
	w.arrives(acme.Address, to, w.seal(acme, to, true, entity))
	if w.who(id, "acme").Accepted() != 1 {
		t.Error("the confirmed key does not sign")
	}
}
