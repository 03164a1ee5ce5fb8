package templates_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley/mailflow/cvd"
	"parley/templates"
)

var update = flag.Bool("update", false, "write the golden mails in testdata anew")

type letter struct {
	name string
	get  func(*templates.Set) (templates.Rendered, error)
}

func stage(name string, v templates.Notice) letter {
	return letter{name, func(s *templates.Set) (templates.Rendered, error) { return s.Notice(v) }}
}

// letters are all mails that Parley writes, in the forms that they take.
func letters() []letter {
	return slices.Concat(partyLetters(templates.To{}), deskLetters(), kitLetters())
}

// partyLetters are those to parties and finders, in one language.
func partyLetters(to templates.To) []letter {
	all := stageLetters(to)
	all = append(all, kindLetters(to)...)
	all = append(all, vendorLetters(to)...)
	all = append(all, strangerLetters(to)...)
	all = append(all, leakLetters(to)...)
	all = append(all, betweenLetters(to)...)
	return append(all, keyLetters(to)...)
}

// kindLetters are what is said otherwise to other kinds of vendors.
func kindLetters(to templates.To) []letter {
	var out []letter
	for _, k := range []cvd.VendorKind{cvd.VendorDeveloper, cvd.VendorList, cvd.VendorCERT} {
		to.Kind = k
		first, scope := notice(cvd.HeadsUp), notice(cvd.Scope)
		first.To, scope.To, first.Product = to, to, ""
		contact := templates.Contact{Us: us, To: to, ReplyTo: "report@vdp.example.org"}
		out = append(out, stage("heads-up-"+string(k), first), stage("scope-"+string(k), scope),
			letter{"contact-" + string(k), func(s *templates.Set) (templates.Rendered, error) { return s.Contact(contact) }})
	}
	return out
}

func stageLetters(to templates.To) []letter {
	bare := notice(cvd.HeadsUp)
	bare.Product, bare.Severity, bare.Zone, bare.TLP = "", "", "", "RED"
	long := notice(cvd.HeadsUp)
	long.Us.Fingerprint = strings.Repeat("4B32 ", 15) + "4B32"
	long.Case, long.Version = "COORDINATE-2026-0007", 12
	long.Zone, long.Product = "Asia/Ho_Chi_Minh", "Player 9.1, Player 9.2 for the living room, and Recorder 3"
	reminder := notice(cvd.Scope)
	reminder.Reminder, reminder.ReplyBy = true, time.Date(2026, 12, 30, 9, 0, 0, 0, time.UTC)
	told := notice(cvd.Scope)
	told.Accepted = time.Date(2026, 12, 2, 8, 12, 0, 0, time.UTC)
	annex := notice(cvd.Proof)
	annex.Material, annex.Product, annex.Annex = "", "", "For you alone."
	asked := details()
	asked.FAQ = []string{"Is the 8.x branch affected?\nNo: the code came with 9.0.", "The patch applies to 9.1 and 9.2 alike."}
	listed := notice(cvd.Advisory)
	listed.Matrix = "  vendor                  product                       status\n  acme                    Player 9.1                    fixed\n"
	listed.Files = []string{"par-2026-0007.json", "CVE-2026-12345.json"}
	whole := notice(cvd.Public)
	whole.TLP, whole.Matrix, whole.Credits, whole.Files = "CLEAR", listed.Matrix, []string{"Joselyn Findling", "Example Lab"}, listed.Files
	clear := whole
	clear.Clear = true
	say := func(name string, v templates.Notice) letter {
		v.To = to
		return stage(name, v)
	}
	return []letter{
		say("advisory-listed", listed), say("public-whole", whole), say("public-clear", clear),
		say("heads-up", notice(cvd.HeadsUp)), say("heads-up-bare", bare), say("heads-up-long", long),
		say("scope", told), say("scope-reminder", reminder), say("details", details()), say("details-faq", asked),
		say("proof-annex", annex), say("advisory", notice(cvd.Advisory)), say("public", notice(cvd.Public)),
	}
}

func vendorLetters(to templates.To) []letter {
	answer := templates.Answer{Us: us, To: to, Case: caseID, TLP: "AMBER+STRICT", Code: "M2D8-F4RT", Version: 1, End: end, Zone: "Europe/Berlin",
		Lines: []templates.Understood{
			{Line: "ACCEPT PAR-2026-0007 v1 K7Q3-X9PM", Result: templates.Result{Word: templates.ResultAccepted, At: end, Version: 1}},
			{Line: "PROPOSE PAR-2026-0007 2027-02-15 because our next release is on that day and the one after it comes only in May", Result: templates.Result{Word: templates.ResultProposed, Day: "2027-02-15"}},
		}}
	help := answer
	help.Lines, help.Help = []templates.Understood{{Line: "HELP", Result: templates.Result{Word: templates.ResultBelow}}}, true
	finder := help
	finder.Finder, finder.TLP, finder.End, finder.Zone = true, "", time.Time{}, ""
	intake := finder
	intake.Help, intake.Code, intake.Case = false, "", "intake-17"
	intake.Lines = []templates.Understood{{Line: "STATE intake-17", Result: templates.Result{Word: templates.ResultInIntake}}}
	history := answer
	history.Lines = []templates.Understood{{Line: "HISTORY", Result: templates.Result{Word: templates.ResultBelow}}}
	history.History = []templates.Exchange{{At: start.Add(2 * time.Minute), Kind: cvd.KindStage, Stage: cvd.HeadsUp, Number: 1, Of: 6},
		{At: start.Add(23*time.Hour + 15*time.Minute), From: true}, {At: start.Add(23*time.Hour + 15*time.Minute), Kind: cvd.KindAnswer},
		{At: start.Add(30 * time.Hour), Kind: cvd.KindLeak, Stage: cvd.Details, Number: 3, Of: 6, Level: cvd.DetailsOut}}
	published := answer
	published.Lines = []templates.Understood{
		{Line: "FREEZE 2026-12-20..2027-01-06", Result: templates.Result{Word: templates.ResultFrozen, Text: "2026-12-20..2027-01-06"}},
		{Line: "STATEMENT", Result: templates.Result{Word: templates.ResultStatement, Lines: 1}},
		{Line: "CREDIT Joselyn Findling", Result: templates.Result{Word: templates.ResultCredit, Text: "Joselyn Findling"}},
		{Line: "REVEAL acme", Result: templates.Result{Word: templates.ResultReveal, Text: "acme"}},
	}
	later := templates.Embargo{Us: us, To: to, Case: caseID, TLP: "AMBER+STRICT", Version: 2, Old: end, New: end.Add(14 * cvd.Day), Zone: "Asia/Tokyo", Code: "M2D8-F4RT", Asks: true}
	earlier := later
	earlier.New, earlier.Asks = end.Add(-14*cvd.Day), false
	change := templates.NewKey{Us: us, To: to, Case: caseID, TLP: "AMBER+STRICT", Old: us.Fingerprint, From: start.Add(7 * cvd.Day), Zone: "Europe/Berlin",
		Fresh: "77F0 12C3 5F0C 9A1B 63D4 0A5B 77E1 9C2D 84F6 A0C3"}
	finders := change
	finders.Case, finders.TLP, finders.Zone = "", "", ""
	done := change
	done.Done, done.Vouched, done.Us.Fingerprint = true, true, done.Fresh
	unvouched := done
	unvouched.Vouched, unvouched.Old = false, ""
	own := templates.Letter{Us: us, To: to, Case: caseID, TLP: "AMBER+STRICT", Subject: "Re: TLP:AMBER+STRICT [PAR-2026-0007] Re: your builds",
		Text: "Dear colleagues,\n\nyes, the 9.2 branch too.\n\nAna\n"}
	return []letter{
		{"answer", func(s *templates.Set) (templates.Rendered, error) { return s.Answer(answer) }},
		{"answer-help", func(s *templates.Set) (templates.Rendered, error) { return s.Answer(help) }},
		{"answer-history", func(s *templates.Set) (templates.Rendered, error) { return s.Answer(history) }},
		{"answer-published", func(s *templates.Set) (templates.Rendered, error) { return s.Answer(published) }},
		{"answer-intake", func(s *templates.Set) (templates.Rendered, error) { return s.Answer(intake) }},
		{"answer-finder", func(s *templates.Set) (templates.Rendered, error) { return s.Answer(finder) }},
		{"embargo-later", func(s *templates.Set) (templates.Rendered, error) { return s.Embargo(later) }},
		{"embargo-earlier", func(s *templates.Set) (templates.Rendered, error) { return s.Embargo(earlier) }},
		{"newkey", func(s *templates.Set) (templates.Rendered, error) { return s.NewKey(change) }},
		{"newkey-finder", func(s *templates.Set) (templates.Rendered, error) { return s.NewKey(finders) }},
		{"newkey-done", func(s *templates.Set) (templates.Rendered, error) { return s.NewKey(done) }},
		{"newkey-unvouched", func(s *templates.Set) (templates.Rendered, error) { return s.NewKey(unvouched) }},
		{"letter", func(s *templates.Set) (templates.Rendered, error) { return s.Letter(own) }},
		{"letter-question", func(s *templates.Set) (templates.Rendered, error) {
			return s.Letter(templates.Letter{Us: us, To: to, About: templates.AboutQuestion, Text: "Which version?\n"})
		}},
		{"letter-answer", func(s *templates.Set) (templates.Rendered, error) {
			return s.Letter(templates.Letter{Us: us, To: to, Case: caseID, TLP: "AMBER", About: templates.AboutAnswer, Stage: cvd.Advisory, Text: "Yes.\n"})
		}},
		{"letter-finder", func(s *templates.Set) (templates.Rendered, error) {
			return s.Letter(templates.Letter{Us: us, To: to, Text: "Thank you.\n"})
		}},
	}
}

func strangerLetters(to templates.To) []letter {
	received := time.Date(2026, 12, 1, 8, 3, 11, 0, time.UTC)
	receipt := templates.Receipt{Us: us, To: to, Reference: "intake-17", Received: received, SHA256: digest, Encrypted: true,
		SignedBy: "9C1D 84F6 A0C3 4B32 ADAC 11F0 2C91 63D4 0A5B 44A0", AnswerBy: received.Add(2 * cvd.Day),
		Attachments: []templates.ReceivedFile{{Name: "poc.bin", Size: 11_240}, {Name: "trace.txt", Size: 312}, {Name: "core.gz", Size: 2_310_000}}}
	plain := templates.Receipt{Us: us, To: to, Reference: "intake-18", Received: received, SHA256: digest, AnswerBy: received.Add(2 * cvd.Day)}
	howTo := templates.HowTo{Us: us, To: to, Reference: "intake-19", Received: received, SHA256: digest, AnswerBy: received.Add(2 * cvd.Day)}
	return []letter{
		{"receipt", func(s *templates.Set) (templates.Rendered, error) { return s.Receipt(receipt) }},
		{"receipt-plain", func(s *templates.Set) (templates.Rendered, error) { return s.Receipt(plain) }},
		{"howto", func(s *templates.Set) (templates.Rendered, error) { return s.HowTo(howTo) }},
		{"howto-plaintext", func(s *templates.Set) (templates.Rendered, error) {
			return s.HowTo(templates.HowTo{Us: us, To: to, Plaintext: true})
		}},
		{"key", func(s *templates.Set) (templates.Rendered, error) {
			return s.KeyAnswer(templates.HowTo{Us: us, To: to})
		}},
		{"contact", func(s *templates.Set) (templates.Rendered, error) {
			return s.Contact(templates.Contact{Us: us, To: to, ReplyTo: "report@vdp.example.org"})
		}},
		{"waits", func(s *templates.Set) (templates.Rendered, error) {
			return s.Waits(templates.Waits{Us: us, To: to, Reference: "intake-17"})
		}},
		{"known", func(s *templates.Set) (templates.Rendered, error) {
			return s.Known(templates.Known{Us: us, To: to, Case: "PAR-2026-0007"})
		}},
		{"note", func(s *templates.Set) (templates.Rendered, error) { return s.Note(templates.Note{Us: us, To: to}) }},
		{"unanswered", func(s *templates.Set) (templates.Rendered, error) {
			return s.Unanswered(templates.Unanswered{Us: us, To: to, Address: "psirt@acme.example"})
		}},
	}
}

// keyLetters are content-free notes about a party's own keys.
func keyLetters(to templates.To) []letter {
	const old, fresh = "77F0 12C3 5F0C 9A11 4B32 ADAC 11F0 2C91 63D4 0A5B", "9C1D 84F6 A0C3 4B32 ADAC 11F0 2C91 63D4 0A5B 44A0"
	long := strings.Repeat("4B32 ", 15) + "4B32"
	return []letter{
		{"keychange", func(s *templates.Set) (templates.Rendered, error) {
			return s.KeyChange(templates.KeyChange{Us: us, To: to, Old: []string{old}, New: fresh})
		}},
		{"keychange-beside", func(s *templates.Set) (templates.Rendered, error) {
			return s.KeyChange(templates.KeyChange{Us: us, To: to, Old: []string{old, long}, New: long, Beside: true})
		}},
		{"burnt", func(s *templates.Set) (templates.Rendered, error) {
			return s.Burnt(templates.Burnt{Us: us, To: to, Keys: []string{old, long}})
		}},
	}
}

func deskLetters() []letter {
	gesture := approval()
	gesture.Signed, gesture.Need, gesture.Rows = false, 2, gesture.Rows[:1]
	shared := approval()
	shared.Shared, shared.Need = true, 3
	stopped := gesture
	stopped.Rows = slices.Clone(gesture.Rows)
	stopped.Letter, stopped.Need, stopped.Due, stopped.Stage = true, 1, time.Time{}, ""
	stopped.Rows[0].Gets = "the letter"
	stopped.Found = []string{"line 14 repeats 61 characters that globex wrote on 3 Dec", "file-1.txt, line 3, names initech"}
	stopped.Before = []string{"8e2b-11d0 (acme: the keys, the text changed)"}
	fresh := templates.CaseFile{Case: caseID, Title: "Heap overflow in libfoo", Policy: "default", Now: start}
	crowded := caseFile()
	crowded.Title = "Heap overflow in the initialisation of libfoo, all versions"
	crowded.NeedsYou = []string{
		"details to globex is held: no usable key of globex: 77F0 12C3 expired on 2026-12-31; 9C1D 84F6 was revoked",
		"proof to a-party-with-the-longest-name-of-them-all: did it arrive? (D17)",
	}
	crowded.Rows = append(crowded.Rows, templates.CaseRow{Party: "a-party-with-the-longest-name-of-them-all",
		Cells:  []string{"21 Dec ok", "22 Dec ok", "24 Dec ok", "25 Dec ok", "refused", "ask"},
		Status: "fixed 4.8 on 2027-02-10, and 3.9.12 for those who stay on the old branch, some days later"})
	crowded.Next = append(crowded.Next, "Wed 16 Dec 2026, 09:00 UTC  advisory to a-party-with-the-longest-name-of-them-all")
	many, closed, restricted, early := manyVendors(), caseFile(), caseFile(), caseFile()
	closed.Closed, closed.NeedsYou, closed.Next, closed.Now = end.Add(3*cvd.Day), nil, nil, end.Add(5*cvd.Day)
	closed.Day = 95
	restricted.Restricted, restricted.Hold, restricted.NeedsYou = []string{"ana", "ben"}, "ana, Fri 11 Dec 2026: wait for the CERT", nil
	early.Day, early.Now, early.NeedsYou = -2, start.Add(-3*cvd.Day), nil
	over := caseFile()
	over.Day, over.Now = 95, end.Add(4*cvd.Day)
	refusal := templates.Refusal{What: "details to globex, case PAR-2026-0007",
		State: "Nothing left this server; the notice is held, sealed, and goes by itself once the reason is gone. Other vendors go on.",
		Why:   "no usable key of globex: 77F0 12C3 expired on 2026-12-31",
		Next:  "import a good key on the server, and confirm it in a signed mail to control@ once you have compared its fingerprint another way:\n    case PAR-2026-0007\n    key confirm globex FINGERPRINT evidence \"...\""}
	duties := templates.Duties{Case: caseID, Party: "acme", Product: "Player 9.1", Known: start, Source: "telemetry", Told: start.Add(time.Hour),
		Zone: "Asia/Tokyo", Next: "early-warning", NextTitle: "early warning", By: start.Add(25 * time.Hour), Control: "control@desk.vdp.example.org",
		Alias: "acme.par-2026-0007@desk.vdp.example.org",
		Steps: []templates.DutyStep{{Title: "early warning", Within: "24 h", By: start.Add(25 * time.Hour), State: "open"},
			{Title: "notification", Within: "72 h", By: start.Add(73 * time.Hour), State: "open"},
			{Title: "final report", Within: "14 d of a fix", State: "once there is a fix"}}}
	late := duties
	late.Fixed, late.Overdue, late.Next, late.NextTitle, late.By = start.Add(9*cvd.Day), true, "final-report", "final report", start.Add(23*cvd.Day)
	late.Party, late.Alias = "a-party-with-a-long-name", "a-party-with-a-long-name.par-2026-0007@desk.vdp.example.org"
	return []letter{
		{"duties", func(s *templates.Set) (templates.Rendered, error) { return s.Duties(duties) }},
		{"duties-late", func(s *templates.Set) (templates.Rendered, error) { return s.Duties(late) }},
		{"approval", func(s *templates.Set) (templates.Rendered, error) { return s.Approval(approval()) }},
		{"approval-gesture", func(s *templates.Set) (templates.Rendered, error) { return s.Approval(gesture) }},
		{"approval-shared", func(s *templates.Set) (templates.Rendered, error) { return s.Approval(shared) }},
		{"approval-letter", func(s *templates.Set) (templates.Rendered, error) { return s.Approval(stopped) }},
		{"casefile", func(s *templates.Set) (templates.Rendered, error) { return s.CaseFile(caseFile()) }},
		{"casefile-fresh", func(s *templates.Set) (templates.Rendered, error) { return s.CaseFile(fresh) }},
		{"casefile-many", func(s *templates.Set) (templates.Rendered, error) { return s.CaseFile(many) }},
		{"casefile-closed", func(s *templates.Set) (templates.Rendered, error) { return s.CaseFile(closed) }},
		{"casefile-restricted", func(s *templates.Set) (templates.Rendered, error) { return s.CaseFile(restricted) }},
		{"casefile-early", func(s *templates.Set) (templates.Rendered, error) { return s.CaseFile(early) }},
		{"casefile-over", func(s *templates.Set) (templates.Rendered, error) { return s.CaseFile(over) }},
		{"casefile-crowded", func(s *templates.Set) (templates.Rendered, error) { return s.CaseFile(crowded) }},
		{"digest", func(s *templates.Set) (templates.Rendered, error) { return s.Digest(morning()) }},
		{"digest-quiet", func(s *templates.Set) (templates.Rendered, error) { return s.Digest(quiet()) }},
		{"refusal", func(s *templates.Set) (templates.Rendered, error) { return s.Refusal(refusal) }},
	}
}

// morning is a digest with all that one can tell; quiet one with nothing.
func morning() templates.Digest {
	return templates.Digest{At: start.Add(11*cvd.Day - 2*time.Hour), Since: start.Add(10*cvd.Day - 2*time.Hour), Zone: "Europe/Berlin",
		Alarms: []string{"sending is paused since Fri 11 Dec 2026, 22:03 UTC, by parley: the gateway was away for 40m and notices are overdue"},
		Needs: []templates.DigestPart{
			{Head: "PAR-2026-0007 Heap overflow in libfoo - day 12 of 90", Lines: []string{"T12 globex proposes 2027-02-15 (now 2027-03-01) [ana]", "T13 details to a-party-with-the-longest-name-of-them-all: did it arrive? (D17)"}},
			{Head: "of no case", Lines: []string{"2 reports in Intake in no case yet"}}},
		Count: 3, Mine: 1,
		Due:    []templates.DigestDate{{At: start.Add(14 * cvd.Day), What: "PAR-2026-0007: proof to acme"}, {At: start.Add(15*cvd.Day + 15*time.Hour), What: "PAR-2026-0009: scope to acme, globex and 17 more"}},
		Silent: []string{"PAR-2026-0007: initech for 11 days"},
		Keys:   []string{"globex's key ends Thu 31 Dec 2026, 00:00 UTC, before PAR-2026-0007 does (Mon 1 Mar 2027, 16:00 UTC)"},
		Done: []templates.DigestPart{{Head: "PAR-2026-0007 Heap overflow in libfoo", Lines: []string{"1 mail came in, 1 proposal of a date, 3 notices delivered"}},
			{Head: "the desk", Lines: []string{"2 reports came in"}}},
		Seq: 4711, Head: digest}
}

func quiet() templates.Digest {
	return templates.Digest{At: start.Add(11*cvd.Day - 2*time.Hour), Zone: "UTC", Seq: 12, Head: digest}
}

// manyVendors is the case file of a case with forty.
func manyVendors() templates.CaseFile {
	v := caseFile()
	few := v.Rows
	v.Rows = nil
	for i := range 40 {
		r := few[i%len(few)]
		r.Party = fmt.Sprintf("%s-%d", r.Party, i+1)
		v.Rows = append(v.Rows, r)
	}
	for i := range 15 {
		v.NeedsYou = append(v.NeedsYou, fmt.Sprintf("T%d scope is held for vendor-%d and 3 more: no usable key is known of them", i+20, i))
	}
	v.Totals = []string{"TOLD  heads-up 40 of 40, scope 38, details 31", "ANSWERS  31 accepted, 2 declined, 7 silent; 12 affected, 3 not affected, 4 fixed, 9 investigating",
		"WAVES  wave 1: 18 vendors, footprint 412M; wave 2: 12 vendors, footprint 31M; wave 3: 10 vendors, footprint 800k, of 2 not known"}
	return v
}

func builtin(t *testing.T) *templates.Set {
	t.Helper()
	s, err := templates.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLetters(t *testing.T) {
	t.Parallel()
	golden(t, "testdata", letters())
}

// Every mail to a party or a finder is there in German, too, and says the same.
func TestLettersInGerman(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/de", partyLetters(templates.To{Language: "de"}))
}

func golden(t *testing.T, dir string, all []letter) {
	t.Helper()
	s := builtin(t)
	seen := map[string]bool{}
	for _, l := range all {
		seen[l.name+".txt"] = true
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			r, err := l.get(s)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join(dir, l.name+".txt"), "Subject: "+r.Subject+"\n\n"+r.Text)
			checkForm(t, r)
		})
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !f.IsDir() && !seen[f.Name()] {
			t.Errorf("%s/%s belongs to no letter", dir, f.Name())
		}
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./templates -update writes it anew); got:\n%s", file, got)
	}
}

// checkForm holds every mail to 72 columns, to one blank line in a row and to
// a Subject that fits. Only a line of one word may be longer.
func checkForm(t *testing.T, r templates.Rendered) {
	t.Helper()
	if n := utf8.RuneCountInString(r.Subject); n > 78 && !strings.Contains(r.Subject, "COORDINATE-") {
		t.Errorf("the Subject has %d characters: %s", n, r.Subject)
	}
	for i, line := range strings.Split(r.Text, "\n") {
		if utf8.RuneCountInString(line) > 72 && len(strings.Fields(line)) > 1 {
			t.Errorf("line %d has %d columns: %s", i+1, utf8.RuneCountInString(line), line)
		}
		if strings.Contains(line, "\t") || strings.Contains(line, "%!") || strings.Contains(line, "<no value>") {
			t.Errorf("line %d: %q", i+1, line)
		}
	}
	text := strings.ReplaceAll(r.Text, "wrote it.\n\n\n", "wrote it.\n\n") // the material's own
	if strings.HasPrefix(text, "\n") || strings.Contains(text, "\n\n\n") || !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
		t.Errorf("blank lines too many or too few:\n%s", r.Text)
	}
}
