package keyring

import (
	"fmt"
	"strings"
	"time"
)

// Pinned is a party's key as it is kept on record, with how it came to us.
type Pinned struct {
	Fingerprint Fingerprint `json:"fingerprint"`
	Trust       Trust       `json:"trust"`
	Evidence    string      `json:"evidence,omitempty"` // how the fingerprint was learned, in a coordinator's words
	Address     string      `json:"address,omitempty"`  // the member's address that the key serves
	Since       time.Time   `json:"since"`
	Cert        []byte      `json:"cert"` // binary certificate
	ConfirmedBy string      `json:"confirmed_by,omitempty"`
}

// Choice is what Select found: the certificates to encrypt to, and for every
// other key a sentence why it is not used.
type Choice struct {
	Certificates []*Certificate
	Why          []string
}

// Select chooses every key that has at least the trust needed and can be
// encrypted to at that instant. A rejected key is never used, whatever other
// record names it, and where an address has a confirmed key, only confirmed
// keys of that address are, even if the confirmed one cannot be used any more:
// what is found or claimed never takes its place.
func Select(cache *Cache, keys []Pinned, need Trust, at time.Time) Choice {
	var choice Choice
	rejected, confirmed := standing(keys)
	used := map[Fingerprint]bool{}
	for _, k := range keys {
		cert, err := judgeKey(cache, k, need, at, rejected, confirmed)
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

// standing gathers the rejected keys, and per address a confirmed one.
func standing(keys []Pinned) (rejected map[Fingerprint]bool, confirmed map[string]Fingerprint) {
	rejected, confirmed = map[Fingerprint]bool{}, map[string]Fingerprint{}
	for _, k := range keys {
		if k.Trust == Rejected {
			rejected[k.Fingerprint] = true
		}
	}
	for _, k := range keys {
		if k.Trust == Confirmed && !rejected[k.Fingerprint] {
			confirmed[strings.ToLower(k.Address)] = k.Fingerprint
		}
	}
	return rejected, confirmed
}

func judgeKey(cache *Cache, k Pinned, need Trust, at time.Time, rejected map[Fingerprint]bool, confirmed map[string]Fingerprint) (*Certificate, error) {
	name := "key " + k.Fingerprint.Spaced()
	if rejected[k.Fingerprint] {
		return nil, fmt.Errorf("%s: rejected", name)
	}
	if !k.Trust.Meets(need) {
		return nil, fmt.Errorf("%s: only %s, %s is needed", name, k.Trust, need)
	}
	if f, ok := confirmed[strings.ToLower(k.Address)]; ok && k.Trust != Confirmed && f != k.Fingerprint {
		return nil, fmt.Errorf("%s: only %s, does not take the place of the confirmed key %s", name, k.Trust, f.Spaced())
	}
	cert, err := cache.Certificate(k.Cert)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if cert.Fingerprint() != k.Fingerprint {
		return nil, fmt.Errorf("%s: the certificate on record is another key's", name)
	}
	if err := cert.CanEncrypt(at); err != nil {
		return nil, err
	}
	return cert, nil
}
