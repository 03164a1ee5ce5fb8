package pgpmime

import (
	"errors"
	"slices"
	"time"

	"parley/keyring"
)

// State is what a message's signatures say to one participant of a case.
type State uint8

const (
	None       State = iota // nothing covers the whole message
	Good                    // the participant's own pinned key
	OtherParty              // a good signature, by a key of somebody else we know
	UnknownKey              // by a key that nobody pinned
	Bad                     // it does not verify, or does not go with the sender
)

// String gives the word for the Parley-Signature field.
func (s State) String() string {
	switch s {
	case None:
		return "none"
	case Good:
		return "good"
	case OtherParty:
		return "other-party"
	case UnknownKey:
		return "unknown-key"
	}
	return "bad"
}

// Verdict is Judge's answer. The zero Verdict is None; nothing but Judge makes a
// good one.
type Verdict struct {
	state  State
	key    keyring.Fingerprint
	owner  string
	reason string
	at     time.Time
}

// State says what was found.
func (v Verdict) State() State { return v.state }

// Valid reports whether the signature counts as the participant's: only Good does.
func (v Verdict) Valid() bool { return v.state == Good }

// Key is the fingerprint of the key that the verdict is about; "" if unknown.
func (v Verdict) Key() keyring.Fingerprint { return v.key }

// Owner names whose key it is if it is another party's.
func (v Verdict) Owner() string { return v.owner }

// Reason is one of a closed set of words that say why a signature is Bad: the
// words of keyring.Fault, or "from-mismatch". It is "" otherwise.
func (v Verdict) Reason() string { return v.reason }

// SignedAt is when the signature says that it was made; zero without one.
func (v Verdict) SignedAt() time.Time { return v.at }

// MaxAge is how old a signature may be and still make anything happen.
const MaxAge = 14 * 24 * time.Hour

// Fresh reports whether the signature was made within MaxAge of that instant.
func (v Verdict) Fresh(at time.Time) bool {
	return !v.at.IsZero() && at.Sub(v.at) <= MaxAge
}

// Claim is what a message must live up to in order to be a participant's.
type Claim struct {
	Pinned    []keyring.Fingerprint // the participant's keys
	Other     func(keyring.Fingerprint) (owner string, ok bool)
	Addresses []string // the participant's own
	From      []string // all addresses of all From fields of the message
}

// clockSkew is how far ahead of ours a signer's clock may be.
const clockSkew = 5 * time.Minute

// ReasonFrom says that a good signature came under somebody else's address.
const ReasonFrom = "from-mismatch"

// Judge looks at every signature that covers the whole message. It is Good only
// if a pinned key made one without fault, none of the pinned keys made one with
// a fault, and the message has exactly one sender, with an address of the
// participant's, which a protected From does not contradict.
func Judge(o *Opened, c Claim, at time.Time) Verdict {
	if !o.WholeSigned || len(o.Signatures) == 0 {
		return Verdict{}
	}
	return judgeAll(o, o.Signatures, c, at)
}

func judgeAll(o *Opened, sigs []Signature, c Claim, at time.Time) Verdict {
	verdict := Verdict{}
	own := fromOwn(c) && o.FromAgrees(c.From)
	for _, s := range sigs {
		v := judgeOne(s, c, own, at)
		if rank(v, c) > rank(verdict, c) {
			verdict = v
		}
	}
	return verdict
}

// rank orders what several signatures say: a fault of a pinned key outweighs
// everything, and so does a signature that was not looked at, for it could be one;
// then a good signature of a pinned key, then what is known best.
func rank(v Verdict, c Claim) int {
	switch {
	case v.state == Bad && (slices.Contains(c.Pinned, v.key) || v.reason == string(keyring.FaultTooMany)):
		return 5
	case v.state == Good:
		return 4
	case v.state == OtherParty:
		return 3
	case v.state == UnknownKey:
		return 2
	case v.state == Bad:
		return 1
	}
	return 0
}

func judgeOne(s Signature, c Claim, own bool, at time.Time) Verdict {
	v := Verdict{key: s.Signer, at: s.Created}
	switch {
	case s.Unknown && errors.Is(s.Err, keyring.FaultUnknownKey):
		v.state = UnknownKey
		return v
	case s.Err != nil || s.Signer == "":
		v.state, v.reason = Bad, faultWord(s.Err)
		return v
	case s.Created.After(at.Add(clockSkew)):
		v.state, v.reason = Bad, string(keyring.FaultNotYet)
		return v
	}
	if slices.Contains(c.Pinned, s.Signer) {
		v.state = Good
		if !own {
			v.state, v.reason = Bad, ReasonFrom
		}
		return v
	}
	v.state = UnknownKey
	if c.Other != nil {
		if owner, ok := c.Other(s.Signer); ok {
			v.state, v.owner = OtherParty, owner
		}
	}
	return v
}

func faultWord(err error) string {
	var f keyring.Fault
	if errors.As(err, &f) {
		return string(f)
	}
	return string(keyring.FaultMalformed)
}

// fromOwn reports whether there is exactly one sender, and it is the participant.
func fromOwn(c Claim) bool {
	if len(c.From) != 1 {
		return false
	}
	return slices.ContainsFunc(c.Addresses, func(a string) bool { return keyring.SameAddress(a, c.From[0]) })
}
