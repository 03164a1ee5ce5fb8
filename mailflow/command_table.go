package mailflow

// commands is the desk language: every command with what it takes, what it
// does, and why it counts only signed where it does (rule A3).
func commands() []command {
	var all []command
	for _, c := range chapters() {
		all = append(all, c.commands...)
	}
	return all
}

// chapter is a part of the desk language, as `help` shows it.
type chapter struct {
	title    string
	commands []command
}

func chapters() []chapter {
	return []chapter{
		{"The case", caseCommands()}, {"Who takes part", partyCommands()}, {"Keys", keyCommands()},
		{"The plan", planCommands()}, {"What is said and known", wordCommands()}, {"What is published", publicationCommands()}, {"The desk", deskCommands()},
	}
}

func caseCommands() []command {
	return []command{
		{words: "case open", such: `case open "ATL initialisation" policy default report 17`, usage: `case open "TITLE" [policy NAME] [report N] [severity BAND]`,
			help: "Opens a case, from an intake report or by itself; answers with its tag. The lines that follow are about it.", run: caseOpen},
		{words: "case policy", such: `case policy cert-cc`, usage: "case policy NAME",
			help: "The case takes a copy of that policy; what is still to come is planned anew. One that is laxer, or tells earlier, counts only signed.", run: casePolicy},
		{words: "case severity", such: `case severity high`, usage: "case severity low|medium|high|critical",
			help: "The band that a heads-up may name.", run: caseSeverity},
		{words: "case assign", such: `case assign ben`, usage: "case assign COORDINATOR", help: "Who answers for the case.", run: caseAssign},
		{words: "case restrict", such: `case restrict ana ben`, usage: "case restrict COORDINATOR ...|everybody",
			help: "Only these see the case; for everybody else it does not exist.", run: caseRestrict},
		{words: "case merge", such: `case merge PAR-2026-0008`, usage: "case merge TAG",
			help: "The case at hand takes in another one that was not started: its reports, finders, letters and vendors. Who takes part in both has the roles of both, and stays on hold where it was. The policy, dates and texts of the case at hand stay; a participant or a role more counts only signed.", run: caseMerge},
		{words: "case title", such: `case title "Heap overflow in libfoo"`, usage: `case title "TITLE"`, help: "Renames the case and its folder; so does renaming the folder, where the tag stays.", run: caseTitle},
		{words: "case close", such: `case close because "no flaw"`, usage: `case close [because "WHY"]`, help: "Nothing further of it goes out.", run: caseClose},
		{words: "case reopen", such: `case reopen`, usage: "case reopen", help: "Undoes close; what was still to come is planned anew, which counts only signed where the case had started.", run: caseReopen},
		{words: "report", such: `report 17 ask "which version?"`, usage: `report N decline "WHY" | ask "QUESTION" | join TAG | duplicate-of TAG | spam | reopen | language LANGUAGE`,
			help: "What becomes of a report in Intake. The finder gets what you write, encrypted, or else a note that says nothing of it; of join and spam it learns nothing, and of duplicate-of only that the flaw is known. Language is that of our mails to its finder from now on: en, de.", run: reportTriage},
		{words: "case", such: `case PAR-2026-0007`, usage: "case TAG", help: "The lines that follow are about this case.", run: caseNamedHere},
	}
}

func partyCommands() []command {
	return []command{
		{words: "vendor add", such: `vendor add globex psirt@globex.example`, usage: `vendor add NAME ADDRESS [second ADDRESS] [zone ZONE] [channel pgp|hand] [lead DURATION] [form mime|inline] [legacy-display on|off] [file-names on|off] [subject "OUTER"|default] [alias "NAME, NAME"] [kind psirt|developer|list|cert] [language LANGUAGE] [freeze "DATE..DATE, ..."|none] [proved "HOW" [on DATE]] [senders "ADDRESS, ..."|none] [their-ref inner|outer] [revoked DATE] [wave N] [affects "PRODUCT"] [footprint N]`,
			help: "Puts a party into the directory; its key is looked for. Its mails are PGP/MIME; form inline is for ticket systems, legacy-display for clients that do not show a protected Subject, file-names on lets the files of letters keep the names that you gave them, subject for a filter of theirs: everybody on the way reads it. Its kind changes what a first mail explains and asks, its language (en, de) that of all our words. Letters to others that say an alias are stopped, as those that say its name are. revoked is when it said itself that nothing is to go to that address, as an exported directory has it: all is held until another one is named. Wave, affects and footprint are what `invite` takes where it says nothing else.", signed: "adds a recipient", run: vendorAdd},
		{words: "vendor edit", such: `vendor edit globex lead 30d second ceo@globex.example zone Asia/Tokyo form inline channel hand`, usage: `vendor edit NAME [address ADDRESS] [second ADDRESS] [zone ZONE] [channel pgp|hand] [lead DURATION] [form mime|inline] [legacy-display on|off] [file-names on|off] [subject "OUTER"|default] [alias "NAME, NAME"] [kind psirt|developer|list|cert] [language LANGUAGE] [freeze "DATE..DATE, ..."|none] [proved "HOW" [on DATE]] [senders "ADDRESS, ..."|none] [their-ref inner|outer] [wave N] [affects "PRODUCT"] [footprint N]`,
			help: "Changes a party; a new address or channel, senders, an outer Subject or reference, a longer lead, or an earlier wave, counts only signed. freeze is when it ships nothing, and moves no date; proved is how it was last known that they are who they say. Senders are addresses that its systems write from: mail from there counts as theirs, nothing goes there, and no key is theirs. Its own reference (record) ends the Subject inside, with their-ref outer that outside, too, where everybody on the way reads it.", run: vendorEdit},
		{words: "vendor list", such: `vendor list`, usage: "vendor list", help: "The directory, with what is known of keys.", list: true, run: vendorList},
		{words: "invite", such: `invite globex wave 2 affects "Player 9.1" footprint 40M`, usage: `invite PARTY [wave N] [affects "PRODUCT"] [footprint N] | PARTY role observer|finder|coordinator`,
			help: "Makes a party a vendor of the case, with the wave, product and footprint of the directory where the line names none; of one that is, changes these. With role it is something else, or that as well: an observer, such as a national CERT, gets counts and dates, with no name and no material; finders, observers and coordinators get what is public. A party in several roles has one thread, and its vendor half passes the same gate as everybody.", signed: "adds a recipient", run: caseInvite},
		{words: "withdraw", such: `withdraw globex because "not affected"`, usage: `withdraw PARTY [role ROLE] because "WHY"`, help: "Nothing further goes to it. Who has several roles goes on in the others; without a role its vendor half ends.", run: caseWithdraw},
		{words: "member add", such: `member add acme jo@acme.example`, usage: "member add PARTY ADDRESS",
			help: "Another address from which a party may write.", signed: "adds a member", run: memberAdd},
		{words: "member revoke", such: `member revoke acme jo@acme.example`, usage: "member revoke PARTY ADDRESS",
			help: "Nothing counts any more that comes from there, its keys are not used, and the party's unused codes are dead. The address that its notices go to is changed with `vendor edit`.", run: memberRevoke},
	}
}

func keyCommands() []command {
	return []command{
		{words: "key list", such: `key list acme`, usage: "key list PARTY", help: "The keys known of a party, or of the finder of the case, and where they were looked for.", list: true, run: keyList},
		{words: "key find", such: `key find acme at https://acme.example/.well-known/security.txt`, usage: "key find PARTY [at URL]",
			help: "Looks for keys of its addresses again, by WKD; or in a signed security.txt on its domain, which counts only signed.", run: keyFind},
		{words: "key confirm", such: `key confirm acme 4B32ADAC11F02C9163D40A5B77E19C2D84F6A0C3 evidence "phone, 3 Dec"`, usage: `key confirm PARTY FINGERPRINT [replaces FINGERPRINT] [for ADDRESS] evidence "HOW"`,
			help:   "The fingerprint was learned another way; type all of it. It is used beside other confirmed keys, or instead of the one that it replaces.",
			signed: "adds a key", run: keyConfirm},
		{words: "key adopt", such: `key adopt acme 4B32ADAC11F02C9163D40A5B77E19C2D84F6A0C3 evidence "phone, 3 Dec"`, usage: `key adopt PARTY SUBKEY-FINGERPRINT evidence "HOW"`,
			help: "A new encryption subkey, which a key of the party offers, is used from now on.", signed: "adds a key", run: keyAdopt},
		{words: "key reject", such: `key reject acme 4B32ADAC11F02C9163D40A5B77E19C2D84F6A0C3 because "not theirs"`, usage: `key reject PARTY FINGERPRINT [because "WHY"]`,
			help: "The key is not used; the first digits of its fingerprint are enough, where they are those of one key alone. What it replaced is in force again, which by mail counts only signed.", run: keyReject},
	}
}

func planCommands() []command {
	return []command{
		{words: "start", such: `start 2026-12-01T09:00Z`, usage: "start now|INSTANT",
			help: "The plan runs from now, or from an instant to come.", signed: "starts a plan", run: caseStart},
		{words: "plan", such: `plan acme`, usage: "plan [PARTY [STAGE]]", help: "One line for every notice, past and to come, and what each lacks. By mail, plan PARTY brings the mails to come, as they would leave by now; with a stage it shows that one in full.", list: true, run: casePlan},
		{words: "stage", such: `stage acme details at 2026-12-08T09:00Z`, usage: "stage PARTY STAGE at INSTANT|start+3d|end-14d [force]",
			help: "Moves one stage of one vendor, to an instant or by an offset that follows the dates; earlier counts only signed. Never before its lead.", run: caseStage},
		{words: "late", such: `late acme now because "they ship to hospitals"`, usage: `late PARTY now because "WHY" | never because "WHY" | as planned`,
			help: "When a vendor is told that declined or does not answer: scope, details and the advisory at once, or none of them, or, as planned, shortly before the end. Each goes with two approvals, and proof not at all. Whatever tells it sooner counts only signed.", run: caseLate},
		{words: "hold", such: `hold acme because "they asked us to wait"`, usage: `hold PARTY|case|all [because "WHY"]`, help: "Stops what goes to a party, all of the case, or everything that leaves.", run: caseHold},
		{words: "release", such: `release acme`, usage: "release PARTY|case|all", help: "Ends a hold, and asks again about what is held.", run: caseRelease},
		{words: "embargo", such: `embargo 2027-01-12T16:00Z because "fix needs 2 weeks"`, usage: `embargo INSTANT [force] because "WHY"`,
			help: "A new end; everybody told learns it, a later one asks for a new ACCEPT. Earlier counts only signed. On another day than a publish day of the policy only with force.", run: caseEmbargo},
		{words: "go", such: `go`, usage: "go",
			help: "Your answer to the question a day and an hour before the embargo ends: everything stays as planned, and nobody is asked again. Without an answer it ends as planned, too.", run: caseGo},
		{words: "slip", such: `slip 4h because "a mirror is late"`, usage: `slip DURATION [force] [because "WHY"]`,
			help: "The embargo ends so much later, by at most 24 hours at a time: a new version, which is told like one of `embargo` and asks for a new ACCEPT. What was approved for the old date is asked for again.", run: caseSlip},
		{words: "dates", such: `dates`, usage: "dates",
			help: "The ends that the embargo could have: who is ready by then, how much of the footprint, what blocks, and whose freezes they fall into.", list: true, run: caseDates},
		{words: "reach", such: `reach waves 80 95`, usage: "reach [waves PERCENT ... [apply]]",
			help: "How much of the footprint the vendors have, in the order in which they are told, and how much was told and answered. With waves it shows what would put the broadest until 80 % into the first wave, and so on; it changes nothing, or, with apply, that, which counts only signed.", list: true, run: caseReach},
	}
}

func wordCommands() []command {
	return []command{
		{words: "record", such: `record acme accept v1 via phone "Jo Doe, 3 Dec"`, usage: `record PARTY ack via HOW | accept vN via HOW | declined because "WHY" | status WORD [TEXT] [via HOW] | ready by DATE via HOW | requested STAGE via HOW | called "WHAT" | delivered STAGE|embargo [vN]|letter [N12]|N12 via HOW | statement "TEXT" via HOW | their-ref "REF"|none | consent [to PARTY] via HOW | introduced [to PARTY] via HOW | reported early-warning|notification|final-report via HOW`,
			help: "Files what a party said, or was handed, another way. That it accepts, asks for a stage that goes only on request, or consents to an introduction, counts only signed. delivered is for who is told by hand: the mail in Held shows what is to be handed over, a stage, a new date (embargo), a letter, question, counts or key, and where several of them wait its number. their-ref is the number under which its own system files the case, such as [ACME-1234]: our Subjects to it end with that.", run: caseRecord},
		{words: "introduce", such: `introduce acme globex`, usage: `introduce PARTY PARTY [because "WHY"] | PARTY PARTY cancel [because "WHY"]`,
			help: "Asks each of two vendors, or a vendor and a finder, in its own thread whether it wants to know of another party, without a word on whom; they answer CONSENT or REFUSE. Only with both consents does each get a mail with the other's name and address; from then on letters to one may name the other. WHY is for the desk alone. A finder that said REVEAL of that vendor agreed already. Asking counts only signed; cancel does not.", run: caseIntroduce},
		{words: "answer-all", such: `answer-all stage details "The 8.x branch is not affected."`, usage: `answer-all [stage] STAGE "TEXT"`,
			help:   "A vendor's question, answered to every vendor that has reached the stage, each in a mail of its own and without a word on who asked; whoever reaches the stage later gets it with the stage.",
			signed: "writes to every vendor", run: caseAnswerAll},
		{words: "leak-kit show", such: `leak-kit show`, usage: "leak-kit show",
			help: "What each level of the leak kit holds, who approved it, and what would go to each vendor right now, in that order.", run: kitShow},
		{words: "leak", such: `leak https://paste.example/x9 stage details within 30m`, usage: "leak URL stage rumour|details|exploit within DURATION",
			help:   "Something is public: every vendor gets what that level of the leak kit holds, now, the largest footprint first, those not told yet included; the rest of the embargo is cut short. It cannot be undone; `hold all` stops what has not left. The address is put on record and never opened.",
			signed: "tells every vendor at once", run: caseLeak},
		{words: "exploited", such: `exploited source "telemetry"`, usage: `exploited source "WHERE FROM" [at INSTANT]`,
			help: "Attacks are known: records since when, alarms the desk, and starts each vendor's clocks of the EU Cyber Resilience Act (24 h, 72 h, 14 d after a fix). It moves no date and sends nothing.", run: caseExploited},
		{words: "legal-hold", such: `legal-hold on because "court order 4711"`, usage: `legal-hold on|off [because "WHY"]`,
			help: "While it is on nothing of the case is destroyed; off counts only signed.", run: caseLegalHold},
		{words: "keep", such: `keep PAR-2026-0007 for 365d because "the vendor is sued"`, usage: `keep TAG for DURATION|until INSTANT|forever|no [because "WHY"]`,
			help: "Nothing of the case is destroyed before then, and no letter proposes it; that stops a shred that is under way. forever is a legal hold. What lets it be destroyed sooner, no among it, counts only signed.", run: caseKeep},
	}
}

func deskCommands() []command {
	return []command{
		{words: "approve", such: `approve 9f3a-27c1`, usage: "approve ID", help: "A second person's yes to exactly these mails, keys and times.", run: deskApprove},
		{words: "reject", such: `reject 9f3a-27c1 because "names a component"`, usage: `reject ID because "WHY" | LETTER [because "WHY"]`, help: "Ends a request; what it is about stays held. A letter that has not left, by its number such as N12, does not leave.", run: deskReject},
		{words: "claim", such: `claim T12`, usage: "claim [TASK ...]",
			help: "You do these tasks (T12, as their mails say), or what nobody does yet of the case at hand, if there is any; everybody sees your name in the Subject. It takes over what somebody else does.", run: taskClaim},
		{words: "unclaim", such: `unclaim T12`, usage: "unclaim [TASK ...]", help: "Nobody does these tasks any more, or what you do of the case at hand.", run: taskUnclaim},
		{words: "done", such: `done T12`, usage: "done TASK ...", help: "There is nothing left to do about these tasks; their mails go, for everybody.", run: taskEnd},
		{words: "export case", such: `export case /root/par-2026-0007.zip.pgp to ana`, usage: "export case FILE [to COORDINATOR|AGE-RECIPIENT]",
			help: "Writes all that is known of the case into one file on the server, sealed to a coordinator's own key or to an age1... recipient; without one, to whoever answers for the case. On the server only.", run: caseExport},
		{words: "shred", such: `shred PAR-2026-0007`, usage: "shred TAG",
			help:   "Destroys a closed case for good, 7 days after two coordinators said yes, signed; asking for it signed is the first yes. Until then one person stops it: reject, keep, legal-hold on, hold case, case reopen. Write it with `export case` first, if you want to keep it.",
			signed: "destroys a case", run: caseShred},
		{words: "undo", such: `undo U17`, usage: "undo ID",
			help: "Takes back what one command did, for whoever gave it, while the time to undo lasts: the line that answered it names the ID and until when. A yes or no is taken back by the ID of its approval, too.", run: deskUndo},
		{words: "status", such: `status`, usage: "status", help: "The case at hand, or all cases, and what needs a person.", list: true, run: deskStatus},
		{words: "zone", such: `zone Europe/Berlin`, usage: "zone ZONE [for COORDINATOR]",
			help: "Where you are, such as Europe/Berlin: the daily digest comes at your time of day, with your hours in it.", run: deskZone},
		{words: "history", such: `history acme`, usage: "history [PARTY]", help: "What happened, from the journal.", list: true, run: caseHistory},
		{words: "sending pause", such: `sending pause because "the clock is wrong"`, usage: `sending pause [because "WHY"]`, help: "Nothing leaves this server until `sending resume`.", run: sendingPause},
		{words: "sending resume", such: `sending resume`, usage: "sending resume", help: "Mail leaves again.", run: sendingResume},
		{words: "delivery", such: `delivery D17 sent`, usage: "delivery ID sent|again|drop",
			help: "Answers whether a delivery arrived whose end is unknown.", run: deskDelivery},
		{words: "dry-run", such: `dry-run`, usage: "dry-run", help: "As the first line: shows the effect of the others and changes nothing.", run: dryRunLater},
		{words: "help", such: `help hold`, usage: "help [WORD]", help: "This list, or what begins with a word.", list: true, run: help},
	}
}

// dryRunLater is a `dry-run` that is not the first word of all.
func dryRunLater(_ *sitting, _ *phrase) (string, error) {
	return "", notDone("dry-run stands before the first command, since all of them are done or none is")
}
