package mailflow

import (
	"context"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/keyring/discover"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// outside is the web server of every vendor, with its DNS.
type outside struct {
	*Lookups
	w      *world
	mu     sync.Mutex
	served func(host, path string) []byte // nil: 404
	before func()                         // runs before every answer
	asked  []string
	names  map[string]bool
}

// looksOutside lets a world look for keys on a server of the test's.
func (w *world) looksOutside(names ...string) *outside {
	w.t.Helper()
	ca, err := mailtest.NewAuthority()
	if err != nil {
		w.t.Fatal(err)
	}
	o := &outside{w: w, names: map[string]bool{}, served: func(string, string) []byte { return nil }}
	for _, n := range names {
		o.names[n] = true
	}
	s := httptest.NewUnstartedServer(o)
	if s.TLS, err = ca.Server(time.Now(), names...); err != nil {
		w.t.Fatal(err)
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	w.t.Cleanup(s.Close)
	o.Lookups = &Lookups{Base: w.Base, Client: &discover.Client{Resolver: o, Roots: ca.Roots().RootCAs, Private: true,
		Port: netip.MustParseAddrPort(s.Listener.Addr().String()).Port()}}
	w.Discovery = true
	return o
}

func (o *outside) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if !o.names[strings.TrimSuffix(host, ".")] {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.asked = append(o.asked, r.Host+r.URL.Path)
	serve, before := o.served, o.before
	o.mu.Unlock()
	if before != nil {
		before()
	}
	if data := serve(r.Host, r.URL.Path); data != nil {
		_, _ = w.Write(data)
		return
	}
	http.NotFound(w, r)
}

// serves lets the directory of a domain answer with these keys.
func (o *outside) serves(domain string, keys ...*mailtest.Person) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var data []byte
	for _, p := range keys {
		data = append(data, o.w.bytes(p)...)
	}
	was := o.served
	o.served = func(host, path string) []byte {
		if (host == domain || host == "openpgpkey."+domain) && strings.Contains(path, "/openpgpkey/") {
			return data
		}
		return was(host, path)
	}
}

func (o *outside) puts(where string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.served
	o.served = func(host, path string) []byte {
		if host+path == where {
			return data
		}
		return was(host, path)
	}
}

func (o *outside) requests() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.asked)
}

// looks makes what is due now, and gives when the next is.
func (o *outside) looks() time.Time {
	o.w.t.Helper()
	o.Lookups.Base = o.w.Base
	next, err := o.RunDue(context.Background(), o.w.clock.Now())
	if err != nil {
		o.w.t.Fatal(err)
	}
	o.w.settle()
	return next
}

// onRecord is what is on record of a person's key.
func (w *world) onRecord(party string, p *mailtest.Person) (keyring.Pinned, bool) {
	w.t.Helper()
	var all []keyring.Pinned
	w.view(func(tx *store.Tx) (err error) {
		all, err = ownerKeys(tx, party)
		return err
	})
	i := slices.IndexFunc(all, func(k keyring.Pinned) bool { return string(k.Fingerprint) == p.Fingerprint() })
	if i < 0 {
		return keyring.Pinned{}, false
	}
	return all[i], true
}

// trusted wants a key on record with a trust and words of its evidence.
func (w *world) trusted(party string, p *mailtest.Person, trust keyring.Trust, words string) {
	w.t.Helper()
	k, ok := w.onRecord(party, p)
	if !ok || k.Trust != trust || !slices.ContainsFunc(k.Evidence, func(v keyring.Voucher) bool { return strings.Contains(v.Words, words) }) {
		w.t.Fatalf("key of %s: %v, %s, %q; want %s, %q", party, ok, k.Trust, k.Evidence, trust, words)
	}
}

// journaled counts records of a kind.
func (w *world) journaled(kind string) int {
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

// A vendor is added, its key is found after the commit, and what was held for
// want of it goes.
func TestDiscovery_FoundKeyReleasesWhatIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.looksOutside("openpgpkey.globex.example")
	p := w.person("globex", "psirt@globex.example")
	o.serves("globex.example", p)
	if out := w.do("vendor add globex " + p.Address); !strings.Contains(out, "its key is looked for") {
		t.Errorf("the answer: %s", out)
	}
	if out := w.do("key list globex"); !strings.Contains(out, "WKD for psirt@globex.example: being looked for") {
		t.Errorf("key list before: %s", out)
	}
	id := w.caseWith("globex")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	if n := w.notice(id, "globex", cvd.HeadsUp); n.State != cvd.Held || o.requests() != 0 {
		t.Fatalf("heads-up: %s, %s, after %d requests", n.State, n.Why, o.requests())
	}
	next := o.looks()
	w.trusted("globex", p, keyring.Found, "WKD, openpgpkey.globex.example, 2026-12-01")
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
	if out := w.do("key list globex"); !strings.Contains(out, "WKD for psirt@globex.example: found on 2026-12-01") {
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
	if n := w.journaled("key.not-found"); n != 2 {
		t.Errorf("%d records of two misses", n)
	}
	if n := o.requests(); n != 5 { // initech has no server at all
		t.Errorf("%d requests", n)
	}
	out := w.do("key list globex", "key list initech")
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
	if n := w.journaled("key.found"); n != 1 {
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

// textIn is the text of the first mail of a folder with these words in its
// Subject.
func (w *world) textIn(folder, subject string) string {
	w.t.Helper()
	var raw []byte
	w.view(func(tx *store.Tx) error {
		box, err := tx.MailboxNamed("", folder)
		if err != nil {
			return err
		}
		uids, err := tx.UIDs(box.Number, func(store.Scope) bool { return true })
		if err != nil {
			return err
		}
		for _, uid := range uids {
			e, err := tx.Entry(box.Number, uid)
			if err != nil {
				return err
			}
			m, err := tx.Message(e.Message)
			if err != nil {
				return err
			}
			if strings.Contains(m.Envelope.Subject, subject) && raw == nil {
				if raw, err = w.Store.Bytes(m.Served); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return strings.ReplaceAll(string(raw), "\r\n", "\n")
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
	if out := w.do("key list globex"); strings.Contains(out, p.Address) {
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
	if out := w.do("key list globex"); !strings.Contains(out, "discovery is off") {
		t.Errorf("key list: %s", out)
	}
	if got := w.as(Actor{Name: Operator, Via: ViaOperator}, "key find globex"); got.Done() || !strings.Contains(got.String(), "discovery is off") {
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

// wkdPath is where psirt@ of a domain lies: the z-base-32 of SHA-1("psirt").
func wkdPath(domain string) string {
	return "/.well-known/openpgpkey/" + domain + "/hu/" + psirtFile
}

const psirtFile = "4tz7q7ge5mwz5sjx4yatrzhqs37873ts"

// signedTxt is a security.txt in the clear, signed.
func signedTxt(t *testing.T, p *mailtest.Person, text string) []byte {
	t.Helper()
	var b strings.Builder
	w, err := clearsign.Encode(&b, p.Entity.PrivateKey, &packet.Config{Time: p.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
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
	if got := w.as(Actor{Name: "ana", Via: ViaMail}, "key find acme at "+at); got.Done() || !strings.Contains(got.String(), "counts only signed") {
		t.Errorf("unsigned, by mail: %s", got)
	}
	w.do("key find acme at " + at)
	o.looks()
	w.trusted("acme", p, keyring.Found, "security.txt at "+at+", signed by "+keyring.Fingerprint(p.Fingerprint()).Spaced())
	if out := w.do("key list acme"); !strings.Contains(out, "security.txt at "+at+": found on") {
		t.Errorf("key list: %s", out)
	}
}
