package pgpmime

import (
	"time"

	"parley/keyring"
)

// Finding is what the signatures of one Document say. It is not a Verdict, and
// none can be made of it: what a document says is never said of the message.
type Finding struct{ of Verdict }

// State says what was found, in the same words as a Verdict.
func (f Finding) State() State { return f.of.state }

// Key is the fingerprint of the key that it is about; "" if unknown.
func (f Finding) Key() keyring.Fingerprint { return f.of.key }

// Owner names whose key it is if it is another party's.
func (f Finding) Owner() string { return f.of.owner }

// Reason is that of Verdict.Reason.
func (f Finding) Reason() string { return f.of.reason }

// Find looks at the signatures of each document by the rules of Judge. The
// sender counts here, too: a document that a party signed does not become its
// word in a mail of somebody else's.
func Find(o *Opened, c Claim, at time.Time) []Finding {
	found := make([]Finding, len(o.Documents))
	for i, d := range o.Documents {
		found[i] = Finding{judgeAll(o, d.Signatures, c, at)}
	}
	return found
}
