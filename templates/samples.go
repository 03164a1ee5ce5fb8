package templates

import (
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// sample is a view that a template must be able to render.
type sample struct {
	name string
	view any
}

// trySamples executes every template with every field filled and with as few
// as possible, so that both sides of its conditions are tried: one that
// cannot be executed stops the start and not a disclosure.
func (l *language) trySamples() error {
	t := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	us := Us{Name: "Example CERT", Domain: "vdp.example.org", Fingerprint: "4B32 ADAC 11F0"}
	all := stageSamples(us, t)
	all = append(all, answerSamples(us, t)...)
	all = append(all, strangerSamples(us, t)...)
	all = append(all, deskSamples(t)...)
	all = append(all, leakSamples(us, t)...)
	all = append(all, betweenSamples(us, t)...)
	for _, x := range all {
		if !l.has(x.name) {
			continue // its reader gets the English one
		}
		if _, err := l.render(x.name, x.view); err != nil {
			return err
		}
	}
	return nil
}

func stageSamples(us Us, t time.Time) []sample {
	var out []sample
	for _, st := range cvd.Stages() {
		bare := Notice{Us: us, Case: "PAR-2026-0007", Stage: st, Number: st.Rank(), Of: 6, TLP: "AMBER+STRICT", Code: "K7Q3-X9PM",
			Version: 1, End: t.Add(90 * cvd.Day), Material: "material"}
		full := bare
		full.ReplyBy, full.Zone, full.Severity, full.Product = t.Add(3*cvd.Day), "Europe/Berlin", "high", "Player 9.1"
		full.Steps = []Step{{Stage: cvd.HeadsUp, At: t, Done: true}, {Stage: cvd.Scope, At: t.Add(cvd.Day)}}
		full.Accepted, full.Annex, full.Mitigation, full.FAQ = t, "annex", "mitigation", []string{"an answer"}
		full.Files, full.Reminder, full.OnRequest = []string{"details-1.txt"}, true, cvd.Proof
		full.Matrix, full.Credits, full.Clear = "a matrix", []string{"Joselyn Findling"}, true
		all := []Notice{bare, full}
		for _, k := range cvd.VendorKinds() {
			full.Kind = k
			all = append(all, full)
		}
		for _, v := range all {
			if st == cvd.HeadsUp {
				out = append(out, sample{string(st), headsUpOf(v)})
				continue
			}
			out = append(out, sample{string(st), v})
		}
	}
	return out
}

func answerSamples(us Us, t time.Time) []sample {
	answer := Answer{Us: us, Case: "PAR-2026-0007", Lines: resultSamples(t), Code: "K7Q3-X9PM", Version: 1}
	help := answer
	help.TLP, help.End, help.Zone, help.Help = "AMBER+STRICT", t, "Europe/Berlin", true
	finder := help
	finder.Finder = true
	both, observer := finder, help
	both.Both, observer.Observer = true, true
	help.Asked, help.OnRequest = []int{1, 2}, cvd.Proof
	help.History = []Exchange{{At: t, From: true}}
	for _, k := range []cvd.NoticeKind{cvd.KindStage, cvd.KindReminder, cvd.KindEmbargo, cvd.KindKey, cvd.KindNote, cvd.KindContact, cvd.KindAnswer, cvd.KindLetter, cvd.KindLeak, cvd.KindQuestion, cvd.KindIntroduction} {
		help.History = append(help.History, Exchange{At: t, Kind: k, Stage: cvd.Scope, Number: 2, Of: 6, Level: cvd.DetailsOut, Version: 1})
	}
	embargo := Embargo{Us: us, Case: "PAR-2026-0007", TLP: "AMBER+STRICT", Version: 2, Old: t, New: t.Add(cvd.Day), Code: "K7Q3-X9PM"}
	asks := embargo
	asks.Asks, asks.Zone = true, "Europe/Berlin"
	return []sample{
		{"answer", answer}, {"answer", help}, {"answer", finder}, {"answer", both}, {"answer", observer}, {"embargo", embargo}, {"embargo", asks},
		{"newkey", NewKey{Us: us, Old: "4B32 ADAC 11F0", Fresh: "77F0 12C3", From: t}},
		{"newkey", NewKey{Us: us, Case: "PAR-2026-0007", TLP: "AMBER+STRICT", Old: "4B32 ADAC 11F0", Fresh: "77F0 12C3", From: t,
			Zone: "Europe/Berlin", Done: true, Vouched: true}},
		{"newkey", NewKey{Us: us, Fresh: "77F0 12C3", Done: true}},
		{"letter", Letter{Us: us, Text: "text"}},
		{"letter", Letter{Us: us, About: AboutReport, Text: "text"}}, {"letter", Letter{Us: us, About: AboutQuestion, Text: "text"}},
		{"letter", Letter{Us: us, Case: "PAR-2026-0007", About: AboutAnswer, Stage: cvd.Details, Text: "text"}},
		{"letter", Letter{Us: us, Case: "PAR-2026-0007", TLP: "AMBER+STRICT", Subject: "subject", Text: "text", Code: "K7Q3-X9PM"}},
	}
}

// resultSamples are all words that come of commands, with much and with little
// to say of each.
func resultSamples(t time.Time) []Understood {
	out := []Understood{{"ACK", Result{Text: "thank you"}}}
	for _, w := range resultWords() {
		out = append(out, Understood{"ACK", Result{Word: w}},
			Understood{"ACK", Result{Word: w, Text: "4.1-4.7", Case: "PAR-2026-0007", Version: 1, Lines: 2, Most: 20, At: t, End: t, Day: "2027-02-10", Counts: Counts{1, 1, 1, 1, 1, 1, 1, 1}}})
	}
	return out
}

func strangerSamples(us Us, t time.Time) []sample {
	return []sample{
		{"receipt", Receipt{Us: us, Reference: "intake-17", Received: t, SHA256: "5f0c", AnswerBy: t}},
		{"receipt", Receipt{Us: us, Reference: "intake-17", Received: t, SHA256: "5f0c", AnswerBy: t, Encrypted: true, SignedBy: "9C1D 44A0",
			Attachments: []ReceivedFile{{"a.txt", 1}, {"b.txt", 2}}}},
		{"howto", HowTo{Us: us}},
		{"howto", HowTo{Us: us, Plaintext: true}},
		{"howto", HowTo{Us: us, Reference: "intake-17", Received: t, SHA256: "5f0c", AnswerBy: t, Plaintext: true}},
		{"key", HowTo{Us: us}},
		{"contact", Contact{Us: us, ReplyTo: "report@vdp.example.org"}},
		{"contact", Contact{Us: us, To: To{Kind: cvd.VendorDeveloper}}},
		{"contact", Contact{Us: us, To: To{Kind: cvd.VendorList}}},
		{"contact", Contact{Us: us, To: To{Kind: cvd.VendorCERT}}},
		{"note", Note{Us: us}},
		{"unanswered", Unanswered{Us: us, Address: "psirt@acme.example"}},
		{"waits", Waits{Us: us, Reference: "intake-17"}},
		{"known", Known{Us: us, Case: "PAR-2026-0007"}},
		{"keychange", KeyChange{Us: us, Old: []string{us.Fingerprint}, New: us.Fingerprint}},
		{"keychange", KeyChange{Us: us, Old: []string{us.Fingerprint}, New: us.Fingerprint, Beside: true}},
		{"burnt", Burnt{Us: us, Keys: []string{us.Fingerprint}}},
	}
}

func deskSamples(t time.Time) []sample {
	rows := []ApprovalRow{
		{Party: "acme", Key: "4B32 ADAC..", Trust: "confirmed", Until: t, Soon: true, Stage: cvd.Scope, Gets: "3 details"},
		{Party: "globex", Key: "-", Gets: "nothing: HELD", Why: "no key is known"},
	}
	file := CaseFile{Case: "PAR-2026-0007", Title: "Heap overflow", Policy: "default", Now: t}
	full := file
	full.Day, full.Days, full.Responsible, full.Severity = 1, 90, "ana", "high"
	full.NeedsYou, full.Next = []string{"this", "that"}, []string{"then", "and then"}
	full.Stages, full.Rows = cvd.Stages(), []CaseRow{{Party: "acme", Cells: []string{"1 Dec ok", "-", "-", "-", "-", "-"}, Status: "accepted"}}
	full.Start, full.End = t, t.Add(90*cvd.Day)
	return []sample{
		{"approval", Approval{Case: "PAR-2026-0007", ID: "9f3a-27c1", Author: "ana", Need: 1, Letter: true, Rows: rows[:1]}},
		{"approval", Approval{Case: "PAR-2026-0007", Stage: cvd.Scope, ID: "9f3a-27c1", Due: t, Need: 1, Rows: rows[:1]}},
		{"approval", Approval{Case: "PAR-2026-0007", Title: "Heap overflow", Stage: cvd.Details, ID: "9f3a-27c1", Author: "ana", Due: t,
			Signed: true, Need: 2, Rows: rows, Found: []string{"line 3 names globex"}, Before: []string{"8e2b-11d0 (acme: the keys changed)"}}},
		{"casefile", file}, {"casefile", full},
		{"digest", Digest{At: t}},
		{"digest", Digest{At: t, Since: t, Zone: "Europe/Berlin", Alarms: []string{"this"}, Needs: []DigestPart{{"case", []string{"this"}}}, Count: 2, Mine: 1,
			Due: []DigestDate{{t, "this"}}, Silent: []string{"acme"}, Keys: []string{"acme"}, Done: []DigestPart{{"case", []string{"this"}}}, Seq: 1, Head: "5f0c"}},
		{"duties", Duties{Case: "PAR-2026-0007", Party: "acme", Known: t, Told: t, Source: "telemetry", By: t}},
		{"duties", Duties{Case: "PAR-2026-0007", Party: "acme", Product: "Player 9.1", Known: t, Told: t, Source: "telemetry", Zone: "Asia/Tokyo",
			Fixed: t, Steps: []DutyStep{{"early warning", "24 h", t, "OVERDUE"}, {"final report", "14 d after a fix", time.Time{}, "once there is a fix"}},
			Next: "early-warning", NextTitle: "early warning", By: t, Overdue: true, Control: "control@desk.vdp.example.org",
			Alias: "acme.par-2026-0007@desk.vdp.example.org"}},
		{"refusal", Refusal{What: "this", State: "nothing left"}},
		{"refusal", Refusal{What: "this", State: "nothing left", Why: "no key", Next: "say\n    release acme"}},
	}
}

func leakSamples(us Us, t time.Time) []sample {
	hash := strings.Repeat("5f0c9a21", 8)
	level := LeakKitLevel{Level: cvd.Rumour, Holds: "the shipped statement", Hash: hash, Mail: "rumour.eml"}
	out := []sample{
		{"leak-finder", LeakFinder{Us: us, Case: "PAR-2026-0007", Level: cvd.Rumour, Leaked: t, End: t.Add(cvd.Day)}},
		{"leak-kit", LeakKit{Case: "PAR-2026-0007", ID: "9f3a-27c1", Need: 1, Levels: []LeakKitLevel{level}}},
		{"leak-kit", LeakKit{Case: "PAR-2026-0007", Title: "Heap overflow", ID: "9f3a-27c1", Author: "ana", Need: 2, Signed: true,
			Levels: []LeakKitLevel{level, level}, Found: []string{"line 3 names globex"}, Before: []string{"8e2b-11d0 (the text changed)"}}},
	}
	for _, l := range cvd.Levels() {
		out = append(out, sample{"leak-finder", LeakFinder{Us: us, Case: "PAR-2026-0007", TLP: "AMBER", Level: l, Leaked: t, URL: "hxxps://a[.]example",
			End: t, Old: t.Add(cvd.Day)}})
		bare := Leak{Us: us, Case: "PAR-2026-0007", Level: l, TLP: "AMBER+STRICT", Code: "K7Q3-X9PM", Version: 1, End: t, Leaked: t,
			Material: "material", Proof: "proof"}
		full := bare
		full.Old, full.Zone, full.Severity, full.Product, full.URL, full.Holding = t.Add(cvd.Day), "Europe/Berlin", "high", "Player 9.1", "hxxps://a[.]example", "statement"
		full.Mitigation, full.Annex, full.ProofAnnex, full.FAQ, full.Files = "mitigation", "annex", "annex", []string{"an answer"}, []string{"details-1.txt"}
		for _, v := range []Leak{bare, full} {
			view, _ := leakOf(v) // each is a level
			out = append(out, sample{"leak", view})
		}
	}
	return out
}
