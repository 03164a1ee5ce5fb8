package mailflow

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// vendorWords are words that belong to one vendor alone: its product, its letters, the
// annexes written for it.
var vendorWords = map[string]string{"acme": "quillon", "globex": "brindle", "initech": "osprent", "umbrella": "tavemir", historyObserver: "lumora"}

// historyVendors are the vendors of a history, by number.
var historyVendors = []string{"acme", "globex", "initech", "umbrella"}

// The keys that each vendor may have, all for the same address. They are made once:
// what a history does to them it does to the records.
const (
	goodKey   = "good"
	shortKey  = "short"  // expires 9 days into the story
	secondKey = "second" // is revoked by what a mail brings
	spareKey  = "spare"  // for the end
	falseKey  = "false"  // somebody else's, who claims that address
	memberKey = "member" // of a person there who has an address of her own
)

var historyKeys = []string{goodKey, shortKey, secondKey, falseKey, spareKey, memberKey}

// addressOf is whose key it is at a vendor.
func addressOf(v, key string) string {
	if key == memberKey {
		return "jo@" + v + ".example"
	}
	return "psirt@" + v + ".example"
}

// shortLife is how long after the start of a story the short key ends.
const shortLife = 9 * cvd.Day

var made = sync.OnceValue(func() map[string]map[string]*historyKey {
	out, groups := map[string]map[string]*historyKey{}, map[string]bool{}
	for _, v := range historyParties {
		out[v] = map[string]*historyKey{}
		for _, k := range historyKeys {
			life := time.Duration(0)
			if k == shortKey {
				life = shortLife + cvd.Day
			}
			out[v][k] = newHistoryKey(v, addressOf(v, k), life)
			for !apart(out[v][k], groups) {
				out[v][k] = newHistoryKey(v, addressOf(v, k), life)
			}
		}
	}
	return out
})

// apart says that a key shares none of the groups in which people read fingerprints
// with those before: two vendors that read the same group would share a word.
func apart(k *historyKey, groups map[string]bool) bool {
	var own []string
	for hex := fmt.Sprintf("%x", k.entity.PrimaryKey.Fingerprint); hex != ""; hex = hex[4:] {
		if own = append(own, hex[:4]); groups[hex[:4]] {
			return false
		}
	}
	for _, g := range own {
		groups[g] = true
	}
	return true
}

// keyNumbers are vendor and name of each key, by the number of what mail is
// encrypted to.
var keyNumbers = sync.OnceValue(func() map[uint64][2]string {
	out := map[uint64][2]string{}
	for v, keys := range made() {
		for name, k := range keys {
			for _, sub := range k.entity.Subkeys {
				out[sub.PublicKey.KeyId] = [2]string{v, name}
			}
		}
	}
	return out
})

var gatewaySecret = sync.OnceValue(func() *keyring.Secret {
	s, err := keyring.Generate("Parley", "report@vdp.example.org", keyring.Ed25519, storyStart.Add(-cvd.Day))
	if err != nil {
		panic(err) // from random octets
	}
	return s
})

// historyKey is a key with its certificate as it was made, and as it is revoked.
type historyKey struct {
	entity  *openpgp.Entity
	cert    []byte
	revoked []byte
}

func newHistoryKey(vendor, address string, life time.Duration) *historyKey {
	born := func() time.Time { return storyStart.Add(-cvd.Day) }
	seconds := uint32(life / time.Second)
	cfg := &packet.Config{Time: born, Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: seconds}
	e, err := openpgp.NewEntity(vendor, "", address, cfg)
	if err != nil {
		panic(err)
	}
	k := &historyKey{entity: e, cert: certOf(e)}
	var private bytes.Buffer
	if err := e.SerializePrivate(&private, cfg); err != nil {
		panic(err)
	}
	again, err := openpgp.ReadKeyRing(&private)
	if err != nil {
		panic(err)
	}
	k.revoked = k.cert
	if err := again[0].RevokeKey(packet.KeyCompromised, "", &packet.Config{Time: born}); err != nil {
		panic(err)
	}
	k.revoked = certOf(again[0])
	return k
}

func certOf(e *openpgp.Entity) []byte {
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// holder is whoever holds a key of a vendor, in one history.
func (w *world) holder(vendor, key string) *mailtest.Person {
	return &mailtest.Person{Name: vendor + " " + key, Address: addressOf(vendor, key), Entity: made()[vendor][key].entity, Now: w.clock.Now}
}

// whenOf reads an instant of a policy.
func whenOf(t testing.TB, s string) cvd.When {
	w, err := cvd.ParseWhen(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// historyPolicies are what the cases of histories run by: without anybody's yes,
// with, and with a lead that holds the first stages back.
func historyPolicies(t testing.TB) []cvd.Policy {
	everyDay := cvd.Days{Publish: []time.Weekday{0, 1, 2, 3, 4, 5, 6}}
	rule := func(s cvd.Stage, at string, trust cvd.Trust, approvals int, signed bool, needs ...cvd.Need) cvd.StageRule {
		return cvd.StageRule{Stage: s, At: whenOf(t, at), Trust: trust, Approvals: approvals, Signed: signed, Needs: needs, TLP: "AMBER+STRICT"}
	}
	remind := []time.Duration{3 * cvd.Day, 7 * cvd.Day}
	return []cvd.Policy{
		{Name: "open", Embargo: 30 * cvd.Day, Wave: cvd.Day, Remind: remind, Days: everyDay, Stages: []cvd.StageRule{
			rule(cvd.HeadsUp, "start", cvd.Found, 0, false), rule(cvd.Scope, "start+1d", cvd.Confirmed, 0, false, cvd.Acknowledged),
			rule(cvd.Details, "start+2d", cvd.Confirmed, 0, false, cvd.Accepted), rule(cvd.Proof, "start+5d", cvd.Confirmed, 0, false, cvd.Accepted),
			rule(cvd.Advisory, "end-10d", cvd.Confirmed, 0, false, cvd.Accepted), rule(cvd.Public, "end", cvd.Claimed, 0, false)}},
		{Name: "strict", Embargo: 20 * cvd.Day, Wave: 2 * cvd.Day, Days: everyDay, Stages: []cvd.StageRule{
			rule(cvd.HeadsUp, "start", cvd.Found, 0, false), rule(cvd.Scope, "start+1d", cvd.Confirmed, 1, false, cvd.Accepted),
			rule(cvd.Details, "start+3d", cvd.Confirmed, 1, true, cvd.Accepted), rule(cvd.Public, "end", cvd.Found, 1, true)}},
		{Name: "brief", Embargo: 20 * cvd.Day, Lead: 12 * cvd.Day, Days: everyDay, Stages: []cvd.StageRule{
			rule(cvd.HeadsUp, "start", cvd.Claimed, 0, false), rule(cvd.Scope, "start+1d", cvd.Found, 0, false),
			rule(cvd.Details, "end-6d", cvd.Confirmed, 0, false, cvd.Accepted), rule(cvd.Public, "end", cvd.Claimed, 0, false)}},
	}
}
