package templates

// Words of a Result for what a party says of its members, of its own days, and of
// what it takes back.
const (
	ResultMember      = "member"       // MEMBER ADD: Text, the address
	ResultRevoked     = "revoked"      // MEMBER REVOKE: Text, the address
	ResultStranger    = "stranger"     // not done: Text, an address that is none of the party's
	ResultNoMember    = "no member"    // not done
	ResultUnsigned    = "unsigned"     // not done: it counts only signed
	ResultNoCode      = "no code"      // not done: nothing vouches for it
	ResultDeadline    = "deadline"     // DEADLINE: Day
	ResultNoDeadline  = "no deadline"  // not done
	ResultPastDay     = "past day"     // not done: Day
	ResultLeft        = "left"         // WITHDRAW, of a vendor: Version
	ResultFinderLeft  = "finder left"  // WITHDRAW, of a finder: Version
	ResultAsksBack    = "asks back"    // WITHDRAW, of a finder that accepted nothing
	ResultTookBack    = "took back"    // WITHDRAW PROPOSE and the like: Text, what
	ResultNothingBack = "nothing back" // not done
	ResultUnnamed     = "unnamed"      // not done: nothing that was signed names Case
	ResultInIntake    = "in intake"    // STATE, of a report that is no case yet
	ResultNoCase      = "no case"      // STATE, of a report that was declined
)

func partyResultWords() []string {
	return []string{ResultMember, ResultRevoked, ResultStranger, ResultNoMember, ResultUnsigned, ResultNoCode, ResultDeadline, ResultNoDeadline,
		ResultPastDay, ResultLeft, ResultFinderLeft, ResultAsksBack, ResultTookBack, ResultNothingBack, ResultUnnamed, ResultInIntake, ResultNoCase}
}
