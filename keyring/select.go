package keyring

import (
	"fmt"
	"time"
)

// Need is what a key must have to be used for something.
type Need struct {
	Trust      Trust
	Confirmers int // how many people must have typed the fingerprint of a Confirmed one; fewer than one counts as one
}

// Choice is what Select found: the certificates to encrypt to, what every key
// counts as, and for those not used a sentence why.
type Choice struct {
	Certificates []*Certificate
	Standing     map[Fingerprint]Standing
	Why          []string
}

// Select chooses every key that has at least the trust needed and can be
// encrypted to at that instant. A rejected or replaced key is never used,
// whatever other record names it, nor one that stands behind another.
func Select(cache *Cache, keys []Pinned, need Need, at time.Time) Choice {
	choice := Choice{Standing: Stand(cache, keys, need.Confirmers, at)}
	used := map[Fingerprint]bool{}
	for _, k := range keys {
		cert, err := judgeKey(cache, k, need.Trust, at, choice.Standing)
		switch {
		case err != nil:
			choice.Why = append(choice.Why, err.Error())
		case !used[k.Fingerprint]:
			used[k.Fingerprint] = true
			choice.Certificates = append(choice.Certificates, cert)
		}
	}
	return choice
}

func judgeKey(cache *Cache, k Pinned, need Trust, at time.Time, all map[Fingerprint]Standing) (*Certificate, error) {
	name, s := "key "+k.Fingerprint.Spaced(), all[k.Fingerprint]
	switch {
	case s.Trust == Rejected:
		return nil, fmt.Errorf("%s: rejected", name)
	case s.Replaced != nil:
		return nil, fmt.Errorf("%s: replaced by %s on %s", name, s.Replaced.By.Spaced(), s.Replaced.At.UTC().Format(day))
	case !s.Trust.Meets(need) && s.Why != "":
		return nil, fmt.Errorf("%s: only %s, %s is needed: %s", name, s.Trust, need, s.Why)
	case !s.Trust.Meets(need):
		return nil, fmt.Errorf("%s: only %s, %s is needed", name, s.Trust, need)
	}
	if f := s.Behind; f != "" {
		return nil, fmt.Errorf("%s: only %s, does not take the place of the %s key %s", name, s.Trust, all[f].Trust, f.Spaced())
	}
	cert, err := cache.Certificate(k.Cert)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if cert.Fingerprint() != k.Fingerprint {
		return nil, fmt.Errorf("%s: the certificate on record is another key's", name)
	}
	if err := cert.CanEncrypt(at); err != nil {
		if len(k.Offered) > 0 {
			err = fmt.Errorf("%w; it offers a new encryption subkey that nobody adopted", err)
		}
		return nil, err
	}
	return cert, nil
}
