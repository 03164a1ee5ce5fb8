package keyring

import (
	"fmt"
	"strings"
	"time"
)

// Standing is what a key counts as at one instant under one policy.
type Standing struct {
	Trust     Trust
	Certified Fingerprint  // the confirmed key of the same party that makes it Confirmed, where no person did
	Replaced  *Replacement // nil while it is in force
	Behind    Fingerprint  // a key of better trust for the same address, whose place it does not take; or empty
	Why       string       // why it is no more than Trust, where a person began to confirm it
}

// Stand says what each key of one party counts as. Confirmed is what so many
// people each typed the fingerprint of (fewer than one counts as one), or what
// a key that they confirmed, in force and usable at that instant, certifies at
// the address that it serves. It is computed each time, so that it ends with
// whatever it rests on. Of each address only the keys of the best trust count,
// even if they cannot be used any more: what is found or claimed never takes
// the place of what is confirmed, nor what is claimed of what is found.
func Stand(cache *Cache, keys []Pinned, confirmers int, at time.Time) map[Fingerprint]Standing {
	all := map[Fingerprint]Standing{}
	for _, k := range keys {
		s := k.standing(confirmers)
		if before, twice := all[k.Fingerprint]; !twice || before.Trust < s.Trust { // a rejection outranks all
			all[k.Fingerprint] = s
		}
	}
	for _, k := range keys {
		s := all[k.Fingerprint]
		// That its successor was rejected brings nothing back by itself.
		if r := k.Replaced; r != nil && all[r.By].Trust >= Confirmed {
			s.Replaced = r
			all[k.Fingerprint] = s
		}
	}
	for f, by := range certified(cache, keys, all, at) {
		s := all[f]
		s.Trust, s.Certified, s.Why = Confirmed, by, ""
		all[f] = s
	}
	best := best(keys, all)
	for _, k := range keys {
		s := all[k.Fingerprint]
		if f := best[strings.ToLower(k.Address)]; s.Trust < all[f].Trust {
			s.Behind = f
			all[k.Fingerprint] = s
		}
	}
	return all
}

// best gives per address a key of the best trust, and any such of them all for
// "": a key that serves no address of the party takes no better one's place.
func best(keys []Pinned, all map[Fingerprint]Standing) map[string]Fingerprint {
	out := map[string]Fingerprint{}
	for _, k := range keys {
		for _, address := range []string{strings.ToLower(k.Address), ""} {
			if t := all[k.Fingerprint].Trust; t != Rejected && t > all[out[address]].Trust {
				out[address] = k.Fingerprint
			}
		}
	}
	return out
}

// standing is what people, servers and mails give the key.
func (k Pinned) standing(confirmers int) Standing {
	names := k.Confirmers()
	switch {
	case k.Trust != Confirmed:
		return Standing{Trust: k.Trust}
	case len(names) >= max(confirmers, 1):
		return Standing{Trust: Confirmed}
	}
	s := Standing{Trust: Claimed}
	for _, v := range k.Evidence {
		if v.Trust == Found {
			s.Trust = Found
		}
	}
	if len(names) > 0 {
		s.Why = fmt.Sprintf("confirmed by %s; a %s coordinator must type it too", strings.Join(names, " and "), ordinals[min(len(names), 2)])
	}
	return s
}

// ordinals count the people that a policy may ask for.
var ordinals = []string{"first", "second", "third"}

// certified finds the keys that rest on another one of the same party. Only
// what people confirmed certifies; it takes no chain of certifications.
func certified(cache *Cache, keys []Pinned, all map[Fingerprint]Standing, at time.Time) map[Fingerprint]Fingerprint {
	out := map[Fingerprint]Fingerprint{}
	for _, k := range keys {
		if t := all[k.Fingerprint].Trust; t >= Confirmed || k.Address == "" {
			continue
		}
		for _, o := range keys {
			s := all[o.Fingerprint]
			if s.Trust == Confirmed && s.Replaced == nil && k.certifiedBy(cache, o, at) {
				out[k.Fingerprint] = o.Fingerprint
				break
			}
		}
	}
	return out
}

func (k Pinned) certifiedBy(cache *Cache, o Pinned, at time.Time) bool {
	cert, err := cache.Certificate(k.Cert)
	if err != nil || cert.Fingerprint() != k.Fingerprint {
		return false
	}
	by, err := cache.Certificate(o.Cert)
	return err == nil && by.Fingerprint() == o.Fingerprint && cert.CertifiedBy(by, k.Address, at)
}
