package mailflow

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// fingerprint is that of a person's key.
func (w *world) fingerprint(p *mailtest.Person) keyring.Fingerprint {
	w.t.Helper()
	f, err := keyring.ParseFingerprint(p.Fingerprint())
	w.must(err)
	return f
}

// knownOf is what is looked up for the signatures of a person's key.
func (w *world) knownOf(p *mailtest.Person) (out []keyring.Fingerprint) {
	w.t.Helper()
	for _, c := range w.candidates(w.parsed(p).KeyIDs()[0]) {
		out = append(out, c.Fingerprint())
	}
	return out
}

// holders is how many finders are counted for a key, and how many rows lead to keys.
func (w *world) holders(f keyring.Fingerprint) (finders, rows int) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		var err error
		finders, err = findersOf(tx, f)
		rows = keyOwners.Count(tx, nil)
		return err
	})
	return finders, rows
}

// forgets is what destroying a report's case does to its finder's keys.
func (w *world) forgets(token string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error { return w.forgetKeys(tx, FinderOwner(token)) })
}

// However often somebody reports, there is as much to look up as after the first
// time; and as long as one of the reports is there, the key is known.
func TestS2_OneFinderManyReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jo := w.person("jo", "jo@finder.example")
	f := w.fingerprint(jo)
	tokens := []string{w.reported(jo, "first", "overflow").Token}
	_, before := w.holders(f)
	for i := range 9 {
		tokens = append(tokens, w.reported(jo, fmt.Sprintf("number %d", i), "overflow").Token)
	}
	finders, rows := w.holders(f)
	if finders != 10 || rows != before || before == 0 {
		t.Errorf("%d finders, %d rows, %d after the first report", finders, rows, before)
	}
	for i, token := range tokens {
		if known := w.knownOf(jo); !slices.Equal(known, []keyring.Fingerprint{f}) {
			t.Fatalf("with %d reports left: %v", 10-i, known)
		}
		w.forgets(token)
	}
	if finders, rows := w.holders(f); finders != 0 || rows != 0 || len(w.knownOf(jo)) != 0 {
		t.Errorf("afterwards: %d finders, %d rows, %v", finders, rows, w.knownOf(jo))
	}
}

// A report can be destroyed whatever became of the row of its finder's key.
func TestH3_FinderKeyWithoutItsRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jo := w.person("jo", "jo@finder.example")
	f := w.fingerprint(jo)
	tokens := []string{w.reported(jo, "one", "overflow").Token, w.reported(jo, "two", "overflow").Token}
	w.update(func(tx *store.Tx) error {
		return errors.Join(finderKeys.Delete(tx, finderKeyKey(tx, f)), finderCounts.Delete(tx, finderKeyKey(tx, f)))
	})
	for _, token := range tokens {
		w.forgets(token)
	}
	if finders, rows := w.holders(f); finders != 0 || rows != 0 {
		t.Errorf("afterwards: %d finders, %d rows", finders, rows)
	}
}

// What a signature is told of: a party that holds its key, before a finder; and
// another finder only if it is another.
func TestS2_WhoElseHoldsAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jo := w.person("jo", "jo@finder.example")
	one := FinderOwner(w.reported(jo, "one", "overflow").Token)
	want := func(not, who string) {
		t.Helper()
		w.view(func(tx *store.Tx) error {
			other, ok := w.intake.otherOwner(tx, not)(w.fingerprint(jo))
			if ownerName(other) != who || ok != (who != "") {
				t.Errorf("beside %s: %q, %v, not %q", ownerName(not), ownerName(other), ok, who)
			}
			return nil
		})
	}
	want(one, "")
	want("acme", "finder")
	want("", "finder")
	two := FinderOwner(w.reported(jo, "two", "overflow").Token)
	want(one, "finder")
	want(two, "finder")
	w.vendor("acme")
	w.pins("acme", jo, keyring.Claimed)
	want(one, "acme")
	want("acme", "finder")
}

// A revocation that came with one report counts for all others of the same person,
// whatever copies those brought.
func TestS7_FinderRevokesForAllReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jo := w.person("jo", "jo@finder.example")
	tokens := []string{w.reported(jo, "one", "overflow").Token, w.reported(jo, "two", "overflow").Token}
	fresh := w.parsed(jo)
	w.revokes(jo)
	revoked := w.parsed(jo)
	if bytes.Equal(fresh.Bytes(), revoked.Bytes()) {
		t.Fatal("nothing was revoked")
	}
	copies := []*keyring.Certificate{revoked, fresh}
	for i, token := range tokens { // the older copy comes last
		w.update(func(tx *store.Tx) error { return w.holds(tx, FinderOwner(token), copies[i], true) })
		known := w.candidates(fresh.KeyIDs()[0])
		if len(known) != 1 || known[0].CanVerify(w.clock.Now()) == nil {
			t.Errorf("%d known, and the first can be used", len(known))
		}
	}
	if n, _ := w.holders(fresh.Fingerprint()); n != 2 {
		t.Errorf("%d finders", n)
	}
}

// Whoever binds somebody else's key below many of his own, as one that encrypts, does
// not hide it: what its holder signed is told by the right key, and is not bad.
func TestS2_OthersKeysBelowMine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jo := w.person("jo", "jo@finder.example")
	w.reported(jo, "one", "overflow")
	w.vendor("acme")
	for i := range 2 * maxFinderKeys {
		mallory := binds(t, w, jo, fmt.Sprintf("mallory%d@evil.example", i))
		if ids := w.parsed(mallory).KeyIDs(); !slices.Contains(ids, w.parsed(jo).KeyIDs()[0]) {
			t.Fatalf("nothing is bound: %X", ids)
		}
		w.reported(mallory, "mine", "overflow")
		w.pins("acme", mallory, keyring.Claimed)
	}
	if known := w.knownOf(jo); known[0] != w.fingerprint(jo) || len(known) != 1+2*maxFinderKeys {
		t.Errorf("%d are looked up for jo's signature, first %s", len(known), known[0])
	}
	w.arrives(jo.Address, reportTo, w.seal(jo, reportTo, true, mailtest.Entity("two", "overflow")))
	w.settle()
	if says := w.says(w.last("Intake"), "Parley-Signature"); says != "unknown-key; key="+string(w.fingerprint(jo)) {
		t.Errorf("its mail says %q", says)
	}
}

// binds makes a key with a further subkey, which is somebody else's primary key.
func binds(t *testing.T, w *world, victim *mailtest.Person, address string) *mailtest.Person {
	t.Helper()
	p, err := mailtest.NewPerson("mallory", address, w.clock.Now)
	w.must(err)
	taken := *victim.Entity.PrimaryKey
	taken.IsSubkey = true
	sig := &packet.Signature{Version: taken.Version, SigType: packet.SigTypeSubkeyBinding, PubKeyAlgo: p.Entity.PrimaryKey.PubKeyAlgo, Hash: (&packet.Config{}).Hash(),
		CreationTime: w.clock.Now(), FlagsValid: true, FlagEncryptCommunications: true, IssuerKeyId: &p.Entity.PrimaryKey.KeyId}
	w.must(sig.SignKey(&taken, p.Entity.PrivateKey, nil))
	p.Entity.Subkeys = append(p.Entity.Subkeys, openpgp.Subkey{PublicKey: &taken, Sig: sig})
	return p
}

// A program of before entered each report as a holder of its own. Such keys are found
// from the first moment on, brought along once, and can be destroyed before and after.
func TestCatchUp_Holders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jo := w.person("jo", "jo@finder.example")
	f := w.fingerprint(jo)
	var tokens []string
	for i := range 4 {
		tokens = append(tokens, w.reported(jo, fmt.Sprintf("number %d", i), "overflow").Token)
	}
	_, now := w.holders(f)
	w.asBefore(jo, tokens...)
	if n, rows := w.holders(f); n != 0 || rows <= now {
		t.Fatalf("not as before: %d finders, %d rows", n, rows)
	}
	if known := w.knownOf(jo); len(known) != 4 {
		t.Errorf("before: %v", known)
	}
	w.forgets(tokens[0])
	w.update(func(tx *store.Tx) error { // what touches one brings it along
		cert := w.parsed(jo)
		return w.holds(tx, FinderOwner(tokens[1]), cert, true)
	})
	if n, _ := w.holders(f); n != 1 {
		t.Errorf("%d finders after the first", n)
	}
	for range 2 {
		w.restart()
		w.settle()
		if n, rows := w.holders(f); n != 3 || rows != now {
			t.Errorf("afterwards: %d finders, %d rows, not %d", n, rows, now)
		}
	}
	for _, token := range tokens[1:] {
		w.forgets(token)
	}
	if n, rows := w.holders(f); n != 0 || rows != 0 {
		t.Errorf("at the end: %d finders, %d rows", n, rows)
	}
}

// A program of before counted the holders of a key in its row. They are counted on from
// there, a newer copy of the certificate changes nothing of it, and the last one takes
// the key along.
func TestCatchUp_HoldersCountedInTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jo := w.person("jo", "jo@finder.example")
	f := w.fingerprint(jo)
	tokens := []string{w.reported(jo, "one", "overflow").Token, w.reported(jo, "two", "overflow").Token}
	w.update(func(tx *store.Tx) error {
		k, err := finderKeys.Get(tx, finderKeyKey(tx, f))
		k.Holders = 2
		return errors.Join(err, finderKeys.Put(tx, DeskScope, finderKeyKey(tx, f), k), finderCounts.Delete(tx, finderKeyKey(tx, f)))
	})
	w.restart()
	w.settle()
	want := func(finders int) {
		t.Helper()
		if n, _ := w.holders(f); n != finders {
			t.Errorf("%d finders, not %d", n, finders)
		}
	}
	want(2)
	w.revokes(jo)
	cert := w.parsed(jo)
	w.update(func(tx *store.Tx) error { return w.holds(tx, FinderOwner(tokens[0]), cert, true) })
	want(2)
	w.update(func(tx *store.Tx) error { return w.holds(tx, FinderOwner("third"), cert, false) })
	want(3)
	w.forgets(tokens[0])
	w.forgets(tokens[1])
	want(1)
	w.update(func(tx *store.Tx) error {
		return w.holdsNoMore(tx, FinderOwner("third"), keyring.Pinned{Fingerprint: f, Cert: cert.Bytes()})
	})
	if n, rows := w.holders(f); n != 0 || rows != 0 || len(w.knownOf(jo)) != 0 {
		t.Errorf("at the end: %d finders, %d rows, %v", n, rows, w.knownOf(jo))
	}
}

// asBefore enters a finder's key as a program of before did.
func (w *world) asBefore(p *mailtest.Person, tokens ...string) {
	w.t.Helper()
	f, cert := w.fingerprint(p), w.parsed(p)
	w.update(func(tx *store.Tx) error {
		err := errors.Join(finderKeys.Delete(tx, finderKeyKey(tx, f)), finderCounts.Delete(tx, finderKeyKey(tx, f)))
		if err != nil {
			return err
		}
		for _, id := range cert.SignerIDs() {
			if err := keyOwners.Delete(tx, finderIDKey(tx, id, f)); err != nil {
				return err
			}
		}
		for _, token := range tokens {
			owner := FinderOwner(token)
			for _, key := range holderRows(tx, owner, f, cert.KeyIDs()) {
				if err := putOnce(tx, key, keyOwner{Owner: owner, Fingerprint: f}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
