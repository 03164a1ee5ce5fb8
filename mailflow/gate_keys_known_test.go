package mailflow

import (
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
)

func (o *oracle) key(v, name string) *keyKnown {
	for _, k := range o.keys[v] {
		if k.name == name {
			return k
		}
	}
	return nil
}

func (o *oracle) knows(v, name string) bool { return o.key(v, name) != nil }

// pinned: a mail, a look-up or, of Confirmed, a coordinator brought a key. Nothing
// lowers a trust, and nothing revives what was rejected.
func (o *oracle) pinned(v, name string, trust keyring.Trust) {
	k := o.key(v, name)
	if k == nil {
		k = &keyKnown{name: name}
		o.keys[v] = append(o.keys[v], k)
	}
	if k.trust != keyring.Rejected && trust > k.trust {
		k.trust = trust
	}
}

func (o *oracle) revoked(v, name string) { o.key(v, name).revoked = true }

// keyCommand is `key confirm` or `key reject`, done.
func (o *oracle) keyCommand(line string) {
	w := strings.Fields(line)
	v, name := w[2], o.named(w[2], w[3])
	k := o.key(v, name)
	if w[1] == "reject" {
		k.trust, k.replacedBy = keyring.Rejected, ""
		for _, other := range o.keys[v] { // what it replaced is in force again
			if other.replacedBy == name {
				other.replacedBy = ""
			}
		}
		delete(o.pausedKey, v+" "+name)
		o.actsOf(v)
		return
	}
	others := slices.ContainsFunc(o.keys[v], func(x *keyKnown) bool { return x != k && x.trust != keyring.Rejected })
	if k.trust != keyring.Confirmed && others && o.h.KeyPause > 0 && o.isTold(v) {
		o.pausedKey[v+" "+name] = o.now().Add(o.h.KeyPause)
	}
	k.trust, k.replacedBy = keyring.Confirmed, ""
	if w[4] == "replaces" {
		o.key(v, o.named(v, w[5])).replacedBy = name
	}
	o.actsOf(v)
}

// isTold says that a vendor takes part in a case that runs.
func (o *oracle) isTold(v string) bool {
	for _, c := range o.cases {
		if s := c.seats[v]; s != nil && !s.gone && !c.closed && !c.started.IsZero() && s.reached.Rank() >= cvd.Scope.Rank() {
			return true
		}
	}
	return false
}

func (o *oracle) named(v, fingerprint string) string {
	for _, name := range historyKeys {
		if o.h.holder(v, name).Fingerprint() == fingerprint {
			return name
		}
	}
	return ""
}

// usable are the keys that mail to a vendor may be encrypted to now, and is: those
// with the trust needed that are neither rejected, replaced, expired nor revoked, and
// of these only the best trusted ones, whose place no other takes (rule S7).
func (o *oracle) usable(v string, need keyring.Trust) []string {
	best := keyring.Trust(0)
	for _, k := range o.keys[v] {
		if k.trust != keyring.Rejected {
			best = max(best, k.trust)
		}
	}
	var out []string
	for _, k := range o.keys[v] {
		replaced := k.replacedBy != "" && o.key(v, k.replacedBy).trust == keyring.Confirmed
		expired := k.name == shortKey && !o.now().Before(storyStart.Add(shortLife))
		if k.trust != keyring.Rejected && k.trust >= need && k.trust == best && !replaced && !k.revoked && !expired {
			out = append(out, k.name)
		}
	}
	slices.Sort(out)
	return out
}

// keysPause says that what is secret waits after a change of keys.
func (o *oracle) keysPause(v string) bool {
	for key, until := range o.pausedKey {
		name := strings.TrimPrefix(key, v+" ")
		if name != key && o.now().Before(until) && o.key(v, name).trust == keyring.Confirmed && !o.key(v, name).gone() {
			return true
		}
	}
	return false
}

func (k *keyKnown) gone() bool { return k.replacedBy != "" }
