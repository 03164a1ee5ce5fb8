package mailflow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

const verbMember = "MEMBER"

// onlySigned are the first words of commands for which no code counts: they change
// who a party is (rule S5).
var onlySigned = []string{verbMember}

// plainAddress is an address that stands in a command of the desk as it is: no
// quotes, no blanks, no brackets (RFC 5321 section 4.1.2, Dot-string).
var plainAddress = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_{|}~-]+)*@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$`)

// maxAddress is how long an address may be, in octets (RFC 5321 section 4.5.3.1.3,
// without the angle brackets).
const maxAddress = 254

// meantForMembers says whether a line is MEMBER ADD or MEMBER REVOKE, and no
// sentence that begins with the word.
func (c vendorCommand) meantForMembers() bool {
	return len(c.Args) > 0 && (strings.EqualFold(c.Args[0], "ADD") || strings.EqualFold(c.Args[0], "REVOKE"))
}

// member does MEMBER ADD and MEMBER REVOKE, of one address. What is answered to
// ADD depends on the line alone, and to REVOKE on what the party itself has: it
// tells nobody which addresses others have (rule V2).
func (in *Intake) member(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string, via string) (templates.Result, error) {
	if len(args) != 2 || len(args[1]) > maxAddress || !plainAddress.MatchString(args[1]) {
		return templates.Result{Word: templates.ResultNoMember}, nil
	}
	addr := args[1]
	if strings.EqualFold(args[0], "ADD") {
		return templates.Result{Word: templates.ResultMember, Text: addr}, in.proposeMember(tx, c, who.Party, addr)
	}
	return in.revokeMember(tx, c, who, addr, via)
}

// memberTask names the task that a proposed address is.
func memberTask(tx *store.Tx, p cvd.PartyID, addr string) string {
	return fmt.Sprintf("member:%s:%x", p, tx.Name("member", string(p), keyring.FoldAddress(addr)))
}

// proposeMember puts an address that a party wants to have added before the desk.
// Nothing is sent there, and nothing counts from there, before a coordinator adds
// it and confirms its key.
func (in *Intake) proposeMember(tx *store.Tx, c cvd.Case, p cvd.PartyID, addr string) error {
	party, err := PartyByID(tx, p)
	if err != nil {
		return err
	}
	why := "whoever reads there would read what " + string(p) + " is told; only a person who knows them can say that it is right"
	next := fmt.Sprintf("ask them another way whether it is so. If it is, write to control@%s, signed,\n    member add %s %s\nand, once its key is there and its fingerprint was compared,\n    key confirm %s FINGERPRINT for %s evidence \"...\"\nIf not, answer them with Reply.",
		in.DeskDomain, p, addr, p, addr)
	if slices.ContainsFunc(party.Addresses(), func(a string) bool { return keyring.SameAddress(a, addr) }) {
		why, next = "it is one of theirs already", "nothing, if its key is confirmed (`key list "+string(p)+"` tells); else ask them for it"
	} else if fault := in.takenAddress(tx, addr, p); fault != nil {
		why, next = fault.Error(), "nothing is to be added. Find out what they mean, and answer them with Reply; they were told only that a coordinator looks at it"
	}
	subject := fmt.Sprintf("%s wants to add %s", p, addr)
	r, err := in.Templates.Refusal(refusal(subject, subject+", in a mail that its key signed. Nothing was added: nothing is sent there, and nothing counts that comes from there.", why, next))
	if err != nil {
		return err
	}
	return in.task(tx, memberTask(tx, p, addr), Post{Case: c.ID, Subject: subject, Text: r.Text, Kind: "member", From: string(p), Alias: string(p) + "." + c.ID.Lower()})
}

// takenAddress says, in words for the desk, why an address cannot be a party's: it
// is ours, or somebody else's; nil where it can.
func (b *Base) takenAddress(tx *store.Tx, addr string, owner cvd.PartyID) error {
	if b.ours(addr) {
		return notDone("%s is an address of this gateway; a party needs one of its own", addr)
	}
	all, err := Parties(tx)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.ID != owner && slices.ContainsFunc(append(other.Origins(), other.Address), func(a string) bool { return keyring.SameAddress(a, addr) }) {
			return notDone("%s belongs to %s already; two parties cannot share an address", addr, other.ID)
		}
	}
	return nil
}

// revokeMember takes an address from a party on its own word, at once.
func (in *Intake) revokeMember(tx *store.Tx, c cvd.Case, who *cvd.Participant, addr, via string) (templates.Result, error) {
	party, err := PartyByID(tx, who.Party)
	if err != nil {
		return templates.Result{}, err
	}
	if !slices.ContainsFunc(party.Origins(), func(a string) bool { return keyring.SameAddress(a, addr) }) {
		return templates.Result{Word: templates.ResultStranger, Text: addr}, nil
	}
	if err := PutParticipant(tx, *who); err != nil { // what follows reads and writes it
		return templates.Result{}, err
	}
	gone, err := in.revokeAddress(tx, party, addr, string(who.Party), via)
	if err != nil {
		return templates.Result{}, err
	}
	if *who, err = ParticipantByID(tx, who.Case, who.Party); err != nil {
		return templates.Result{}, err
	}
	return templates.Result{Word: templates.ResultRevoked, Text: addr}, in.tellRevoked(tx, c, who.Party, addr, gone)
}
