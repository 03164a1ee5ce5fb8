package mailflow

// commands is the desk language: every command with what it takes, what it
// does, and why it counts only signed where it does (rule A3).
func commands() []command {
	all := caseCommands()
	all = append(all, partyCommands()...)
	all = append(all, planCommands()...)
	return append(all, deskCommands()...)
}

func caseCommands() []command {
	return []command{
		{words: "case open", usage: `case open "TITLE" [policy NAME] [report N] [severity BAND]`,
			help: "Opens a case, from an intake report or by itself; answers with its tag. The lines that follow are about it.", run: caseOpen},
		{words: "case policy", usage: "case policy NAME",
			help: "The case takes a copy of that policy; what is still to come is planned anew.", run: casePolicy},
		{words: "case severity", usage: "case severity low|medium|high|critical",
			help: "The band that a heads-up may name.", run: caseSeverity},
		{words: "case assign", usage: "case assign COORDINATOR", help: "Who answers for the case.", run: caseAssign},
		{words: "case restrict", usage: "case restrict COORDINATOR ...|everybody",
			help: "Only these see the case; for everybody else it does not exist.", run: caseRestrict},
		{words: "case close", usage: `case close [because "WHY"]`, help: "Nothing further of it goes out.", run: caseClose},
		{words: "case reopen", usage: "case reopen", help: "Undoes close; what was still to come is planned anew.", run: caseReopen},
		{words: "case", usage: "case TAG", help: "The lines that follow are about this case.", run: caseNamedHere},
	}
}

func partyCommands() []command {
	return []command{
		{words: "vendor add", usage: `vendor add NAME ADDRESS [second ADDRESS] [zone ZONE] [channel pgp|hand] [lead DURATION] [form mime|inline] [legacy-display on|off] [subject "OUTER"|default] [alias "NAME, NAME"]`,
			help: "Puts a party into the directory; its key is looked for. Its mails are PGP/MIME; form inline is for ticket systems, legacy-display for clients that do not show a protected Subject, subject for a filter of theirs: everybody on the way reads it. Letters to others that say an alias are stopped, as those that say its name are.", signed: "adds a recipient", run: vendorAdd},
		{words: "vendor edit", usage: `vendor edit NAME [address ADDRESS] [second ADDRESS] [zone ZONE] [channel pgp|hand] [lead DURATION] [form mime|inline] [legacy-display on|off] [subject "OUTER"|default] [alias "NAME, NAME"]`,
			help: "Changes a party; a new address or channel, an outer Subject, or a longer lead, counts only signed.", run: vendorEdit},
		{words: "vendor list", usage: "vendor list", help: "The directory, with what is known of keys.", run: vendorList},
		{words: "invite", usage: `invite PARTY [wave N] [affects "PRODUCT"] [footprint N]`,
			help: "Makes a party a vendor of the case; of one that is, changes these.", signed: "adds a recipient", run: caseInvite},
		{words: "withdraw", usage: `withdraw PARTY because "WHY"`, help: "Nothing further goes to it.", run: caseWithdraw},
		{words: "member add", usage: "member add PARTY ADDRESS",
			help: "Another address from which a party may write.", signed: "adds a member", run: memberAdd},
		{words: "key list", usage: "key list PARTY", help: "The keys known of a party, or of the finder of the case, and where they were looked for.", run: keyList},
		{words: "key find", usage: "key find PARTY [at URL]",
			help: "Looks for keys of its addresses again, by WKD; or in a signed security.txt on its domain, which counts only signed.", run: keyFind},
		{words: "key confirm", usage: `key confirm PARTY FINGERPRINT [replaces FINGERPRINT] [for ADDRESS] evidence "HOW"`,
			help:   "The fingerprint was learned another way; type all of it. It is used beside other confirmed keys, or instead of the one that it replaces.",
			signed: "adds a key", run: keyConfirm},
		{words: "key adopt", usage: `key adopt PARTY SUBKEY-FINGERPRINT evidence "HOW"`,
			help: "A new encryption subkey, which a key of the party offers, is used from now on.", signed: "adds a key", run: keyAdopt},
		{words: "key reject", usage: `key reject PARTY FINGERPRINT [because "WHY"]`,
			help: "The key is not used; what it replaced is in force again, which by mail counts only signed.", run: keyReject},
	}
}

func planCommands() []command {
	return []command{
		{words: "start", usage: "start now|INSTANT",
			help: "The plan runs from now, or from an instant to come.", signed: "starts a plan", run: caseStart},
		{words: "plan", usage: "plan [PARTY]", help: "One line for every notice, past and to come, and what each lacks.", run: casePlan},
		{words: "stage", usage: "stage PARTY STAGE at INSTANT",
			help: "Moves one stage of one vendor; earlier counts only signed.", run: caseStage},
		{words: "hold", usage: `hold PARTY|case|all [because "WHY"]`, help: "Stops what goes to a party, of the case, or everything.", run: caseHold},
		{words: "release", usage: "release PARTY|case|all", help: "Ends a hold, and asks again about what is held.", run: caseRelease},
		{words: "embargo", usage: `embargo INSTANT because "WHY"`,
			help: "A new end; everybody told learns it, a later one asks for a new ACCEPT. Earlier counts only signed.", run: caseEmbargo},
		{words: "record", usage: `record PARTY ack via HOW | accept vN via HOW | declined because "WHY" | status WORD [TEXT] [via HOW] | called "WHAT" | delivered STAGE via HOW`,
			help: "Files what a party said, or was handed, another way.", run: caseRecord},
	}
}

func deskCommands() []command {
	return []command{
		{words: "approve", usage: "approve ID", help: "A second person's yes to exactly these mails, keys and times.", run: deskApprove},
		{words: "reject", usage: `reject ID because "WHY"`, help: "Ends a request; what it is about stays held.", run: deskReject},
		{words: "status", usage: "status", help: "The case at hand, or all cases, and what needs a person.", run: deskStatus},
		{words: "history", usage: "history [PARTY]", help: "What happened, from the journal.", run: caseHistory},
		{words: "sending pause", usage: `sending pause [because "WHY"]`, help: "Nothing leaves this server.", run: sendingPause},
		{words: "sending resume", usage: "sending resume", help: "Mail leaves again.", run: sendingResume},
		{words: "delivery", usage: "delivery ID sent|again|drop",
			help: "Answers whether a delivery arrived whose end is unknown.", run: deskDelivery},
		{words: "dry-run", usage: "dry-run", help: "As the first line: shows the effect of the others and changes nothing.", run: dryRunLater},
		{words: "help", usage: "help [WORD]", help: "This list, or what begins with a word.", run: help},
	}
}

// dryRunLater is a `dry-run` that is not the first word of all.
func dryRunLater(_ *sitting, _ *phrase) (string, error) {
	return "", notDone("dry-run stands before the first command, since all of them are done or none is")
}
