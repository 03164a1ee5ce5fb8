package mailflow

import (
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

// pausing is a case under the fast policy in which acme, whose key is
// confirmed, was told the heads-up and accepted; changes of keys pause a day.
func pausing(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.KeyPause = cvd.Day
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	return w, id
}

// another is a further key of a party that is claimed, for one of its
// addresses.
func (w *world) another(party, name, address string) *mailtest.Person {
	w.t.Helper()
	p := w.person(name, address)
	w.pins(party, p, keyring.Claimed)
	return p
}

// key is what is on record of a person's key.
func (w *world) key(party string, p *mailtest.Person) keyring.Pinned {
	w.t.Helper()
	var k keyring.Pinned
	w.view(func(tx *store.Tx) error {
		keys, err := ownerKeys(tx, party)
		k, _ = keyOf(keys, keyring.Fingerprint(p.Fingerprint()))
		return err
	})
	return k
}

// brings adds a newer copy of a person's certificate, as a mail would.
func (w *world) brings(party string, p *mailtest.Person) {
	w.t.Helper()
	w.pins(party, p, keyring.Claimed)
	w.settle()
}

// readers names who of these can open a mail.
func (w *world) readers(m mailtest.Received, people ...*mailtest.Person) []string {
	w.t.Helper()
	var out []string
	for _, p := range people {
		if _, err := p.Open(m.Raw, w.ourKey()); err == nil {
			out = append(out, p.Name)
		}
	}
	return out
}

// readersOf lists, for every encrypted mail to an address, who can open it.
func (w *world) readersOf(address string, people ...*mailtest.Person) []string {
	w.t.Helper()
	var out []string
	for _, m := range w.sink.To(address) {
		if !strings.Contains(string(m.Raw), "multipart/signed") {
			out = append(out, strings.Join(w.readers(m, people...), "+"))
		}
	}
	return out
}

// notesTo opens the mails in clear to an address.
func (w *world) notesTo(p *mailtest.Person, address string) []letterGot {
	w.t.Helper()
	var out []letterGot
	for _, m := range w.sink.To(address) {
		if strings.Contains(string(m.Raw), "multipart/signed") {
			out = append(out, w.opened(p, m))
		}
	}
	return out
}

// certify lets one person's key certify the user IDs of another's.
func (w *world) certify(by, p *mailtest.Person) {
	w.t.Helper()
	for name := range p.Entity.Identities {
		if err := p.Entity.SignIdentity(name, by.Entity, &packet.Config{Time: w.clock.Now}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// revokes revokes a person's key.
func (w *world) revokes(p *mailtest.Person) {
	w.t.Helper()
	if err := p.Entity.RevokeKey(packet.KeyCompromised, "", &packet.Config{Time: w.clock.Now}); err != nil {
		w.t.Fatal(err)
	}
}

// newSubkey gives a person's key a further encryption subkey, and names it.
func (w *world) newSubkey(p *mailtest.Person) keyring.Fingerprint {
	w.t.Helper()
	before := w.parsed(p)
	if err := p.Entity.AddEncryptionSubkey(&packet.Config{Time: w.clock.Now, Algorithm: packet.PubKeyAlgoEdDSA}); err != nil {
		w.t.Fatal(err)
	}
	found := keyring.NewEncryptionSubkeys(before, w.parsed(p))
	if len(found) != 1 {
		w.t.Fatalf("%d new subkeys", len(found))
	}
	return found[0]
}

func (w *world) parsed(p *mailtest.Person) *keyring.Certificate {
	w.t.Helper()
	certs, err := keyring.ParseCertificates(p.PublicKey())
	if err != nil {
		w.t.Fatal(err)
	}
	return certs[0]
}

// planned is the line of a plan for one stage of a party.
func (w *world) planned(id cvd.CaseID, party, stage string) string {
	w.t.Helper()
	for line := range strings.Lines(w.in(id, "plan "+party)) {
		if strings.Contains(line, " "+stage+"  ") {
			return strings.TrimSpace(line)
		}
	}
	w.t.Fatalf("no line for %s of %s", stage, party)
	return ""
}

// wantHeld wants a stage held with these words.
func (w *world) wantHeld(id cvd.CaseID, party cvd.PartyID, s cvd.Stage, why ...string) {
	w.t.Helper()
	n := w.notice(id, party, s)
	if n.State != cvd.Held || slices.ContainsFunc(why, func(word string) bool { return !strings.Contains(n.Why, word) }) {
		w.t.Errorf("%s to %s is %s: %s; want it held with %q", s, party, n.State, n.Why, why)
	}
}

// text is what the newest mail of a folder says.
func (w *world) text(folder string) string {
	w.t.Helper()
	body, err := w.served(w.last(folder)).Body()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(body)
}

// hours is how an instant so long after the start of a story is written.
func hours(n int) string { return utc(storyStart.Add(time.Duration(n) * time.Hour)) }
