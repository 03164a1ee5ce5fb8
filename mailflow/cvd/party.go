package cvd

import (
	"slices"
	"time"
)

// Party is a person or organisation in the directory.
type Party struct {
	ID       PartyID
	Address  string   // where its notices go
	Second   string   // a second contact, or empty
	Aliases  []string // other names by which people know it, "Globex Corporation"
	Zone     string   // IANA time zone, or empty
	Lead     time.Duration
	Channel  Channel
	Manner   Manner
	Kind     VendorKind // "" is VendorPSIRT
	Language string     // of its mails, "de"; "" is English
	Members  []Member
	Senders  []string `json:",omitempty"` // from which its systems write, too; nothing goes there, and no key is theirs
	Revoked  *Hold    `json:",omitempty"` // that it revoked Address itself: nothing goes there, until another one is named; or nil
	Freezes  []Freeze // as the desk knows them; a vendor's own word stands with its Participant
	Proved   *Proven  // of contact, the last one, or nil
	Usual    Usual    `json:",omitzero"`
	Added    time.Time
	AddedBy  string
}

// Usual is what an invitation that says nothing else gives a party as a vendor.
// Each is as for a Participant; 0 and empty where the directory does not know.
type Usual struct {
	Wave      int
	Footprint string
	Affects   string
}

// Proven is how it is known that somebody speaks for a party.
type Proven struct {
	Words string    // "phone, Jo Doe"
	On    time.Time // the first instant of that day, UTC
	By    string    // the coordinator who filed it
}

// Manner is how mails to a party are made up. It changes who reads what on the
// way in one point only, the Subject. The zero Manner is everybody's.
type Manner struct {
	Form          Form   // "" is FormMIME
	LegacyDisplay bool   // the inner Subject stands in the text as well: RFC 9788 section 5.2
	FileNames     bool   // files of letters keep the names that a coordinator gave them (rule V7)
	Subject       string // the outer one, in place of the constant; everybody on the way reads it
	RefOutside    bool   `json:",omitempty"` // its own reference stands in the outer Subject, too
}

// Inline says that its mails are armor in the body and encrypted files.
func (m Manner) Inline() bool { return m.Form == FormInline }

// Member is a further address of a party.
type Member struct {
	Address string
	Added   time.Time
	By      string
}

// Addresses are all addresses of people of the party.
func (p Party) Addresses() []string {
	var a []string
	if p.Revoked == nil {
		a = append(a, p.Address)
	}
	if p.Second != "" {
		a = append(a, p.Second)
	}
	for _, m := range p.Members {
		a = append(a, m.Address)
	}
	return a
}

// Origins are all addresses from which mail of the party may come: its people's,
// and its systems'.
func (p Party) Origins() []string { return slices.Concat(p.Addresses(), p.Senders) }
