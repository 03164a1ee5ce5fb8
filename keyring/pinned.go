package keyring

import (
	"slices"
	"time"
)

// Pinned is a party's key as it is kept on record, with all that vouches for
// it.
type Pinned struct {
	Fingerprint Fingerprint  `json:"fingerprint"`
	Trust       Trust        `json:"trust"`              // the highest that anything vouches for, or Rejected; Stand says what it counts as
	Evidence    []Voucher    `json:"vouchers,omitempty"` // oldest first; nothing is ever taken out
	Address     string       `json:"address,omitempty"`  // the party's or member's address that the key serves
	Since       time.Time    `json:"since"`
	Cert        []byte       `json:"cert"`               // binary certificate
	Offered     []byte       `json:"offered,omitempty"`  // a newer copy, with encryption subkeys that nobody agreed to yet
	Replaced    *Replacement `json:"replaced,omitempty"` // by another key of the same party
	Change      *Change      `json:"change,omitempty"`   // of the party's key to this one, where there was another before
}

// Voucher is one thing that vouches for a key, or speaks against it.
type Voucher struct {
	By    string    `json:"by,omitempty"` // the coordinator; empty where a mail, a file or a server brought it
	At    time.Time `json:"at"`
	Trust Trust     `json:"trust"`
	Words string    `json:"words,omitempty"` // how it is known: "phone, 3 Dec"
}

// Replacement says that a person named another key to be used instead.
type Replacement struct {
	By Fingerprint `json:"by"`
	At time.Time   `json:"at"`
}

// Change is how long what is secret waits after a party's key changed.
type Change struct {
	At    time.Time     `json:"at"`
	Pause time.Duration `json:"pause"`
}

// mostWords is how many vouchers that no person wrote are kept: anybody can
// send a key again and again.
const mostWords = 32

// Vouch adds what vouches for the key. What a person says is kept each time,
// what a machine says once.
func (k *Pinned) Vouch(v Voucher) {
	if v.Trust == Claimed || v.Trust == Found {
		same := func(o Voucher) bool { return o.By == v.By && o.Trust == v.Trust && o.Words == v.Words }
		if slices.ContainsFunc(k.Evidence, same) || len(k.Evidence) >= mostWords && k.Trust >= v.Trust {
			return
		}
	}
	k.Evidence = append(slices.Clip(k.Evidence), v)
	if v.Trust >= Confirmed || k.Trust != Rejected && v.Trust > k.Trust {
		k.Trust = v.Trust
	}
}

// Confirmers names those who typed the fingerprint since the key was last
// rejected, each once, in that order.
func (k Pinned) Confirmers() []string {
	var names []string
	for _, v := range k.confirmations() {
		names = append(names, v.By)
	}
	return names
}

// ConfirmedAt is when the n-th person typed the fingerprint; zero while fewer
// did.
func (k Pinned) ConfirmedAt(n int) time.Time {
	all := k.confirmations()
	if n = max(n, 1); len(all) < n {
		return time.Time{}
	}
	return all[n-1].At
}

// Known says whether anybody ever typed the fingerprint, whatever came later.
func (k Pinned) Known() bool {
	return slices.ContainsFunc(k.Evidence, func(v Voucher) bool { return v.Trust == Confirmed })
}

// confirmations are the first one of each person.
func (k Pinned) confirmations() []Voucher {
	var out []Voucher
	for _, v := range k.Evidence {
		switch {
		case v.Trust == Rejected:
			out = nil
		case v.Trust == Confirmed && !slices.ContainsFunc(out, func(o Voucher) bool { return o.By == v.By }):
			out = append(out, v)
		}
	}
	return out
}
