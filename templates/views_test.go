package templates_test

import (
	"time"

	"parley/mailflow/cvd"
	"parley/templates"
)

// The story that the golden mails tell: a flaw in libfoo, four vendors, one of
// them acme in Berlin.
var (
	start = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	end   = time.Date(2027, 3, 1, 16, 0, 0, 0, time.UTC)
	us    = templates.Us{Name: "Example CERT", Domain: "vdp.example.org",
		Fingerprint: "4B32 ADAC 11F0 2C91 63D4 0A5B 77E1 9C2D 84F6 A0C3"}
)

const (
	caseID = cvd.CaseID("PAR-2026-0007")
	digest = "5f0c9a21b7e3d4486cf0a1c2e9d85b37104fce6a92b8d7350e1f6a4c8b29d073"
)

func notice(s cvd.Stage) templates.Notice {
	v := templates.Notice{Us: us, Case: caseID, Stage: s, Number: s.Rank(), Of: 6, TLP: "AMBER+STRICT", Code: "K7Q3-X9PM",
		Version: 1, End: end, Zone: "Europe/Berlin", Severity: "high", Product: "Player 9.1"}
	at := []time.Time{start, start.Add(cvd.Day), start.Add(3 * cvd.Day), start.Add(14 * cvd.Day), end.Add(-14 * cvd.Day), end}
	for i, st := range cvd.Stages() {
		v.Steps = append(v.Steps, templates.Step{Stage: st, At: at[i], Done: st.Rank() <= s.Rank()})
	}
	switch s {
	case cvd.HeadsUp, cvd.Scope:
		v.ReplyBy = at[s.Rank()-1].Add(3 * cvd.Day)
	case cvd.Details, cvd.Proof:
		v.ReplyBy = at[s.Rank()-1].Add(7 * cvd.Day)
	case cvd.Public:
		v.TLP = "CLEAR"
	}
	if s.Rank() > cvd.Scope.Rank() {
		v.Accepted = time.Date(2026, 12, 2, 9, 12, 0, 0, time.UTC)
	}
	if s != cvd.HeadsUp {
		v.Material = "The material of this stage, as the coordinator wrote it.\n\n\n    if (len > MAX)\n        return;\n"
	}
	return v
}

func details() templates.Notice {
	v := notice(cvd.Details)
	v.Annex = "As shipped it links the vulnerable initialisation (our reading of\nthe public 9.1.2 build; tell us if we are wrong)."
	v.Mitigation = "Start it with --no-init until then."
	v.Files = []string{"details-1.txt", "details-2.patch"}
	return v
}

func caseFile() templates.CaseFile {
	return templates.CaseFile{Case: caseID, Title: "Heap overflow in libfoo", Day: 12, Days: 90, Responsible: "ana", Severity: "high",
		Policy: "default", Version: 1, Pictured: true,
		Finder:   "key confirmed; told details; last heard Fri 4 Dec 2026",
		NeedsYou: []string{"T12 globex proposes 2027-02-15 (now 2027-03-01) [ana]"},
		Stages:   cvd.Stages(),
		Rows: []templates.CaseRow{
			{Party: "acme", Cells: []string{"1 Dec ok", "2 Dec ok", "14 Dec ok", "15 Dec", "15 Feb", "1 Mar"}, Status: "affected 4.1-4.7"},
			{Party: "globex", Cells: []string{"1 Dec ok", "3 Dec ok", "HELD", "-", "-", "1 Mar"}, Status: "investigating"},
			{Party: "initech", Cells: []string{"1 Dec ok", "waits", "waits", "waits", "waits", "1 Mar"}, Status: "silent 11 days"},
			{Party: "umbrella", Cells: []string{"1 Dec ok", "3 Dec ok", "approve", "-", "-", "1 Mar"}, Status: "declined"},
		},
		Totals: []string{"TOLD  heads-up 4 of 4, scope 3, details 1", "ANSWERS  1 accepted, 1 declined, 1 silent; 1 affected, 1 investigating",
			"WAVES  wave 1: acme, globex, footprint 52M; wave 2: 2 vendors, footprint 300k"},
		Next: []string{"Tue 15 Dec 2026, 09:00 UTC  proof to acme", "Wed 16 Dec 2026, 09:00 UTC  reminder of scope to initech", "Mon 1 Mar 2027, 16:00 UTC  the embargo ends"},
		Marks: []templates.Mark{{At: start, Name: "heads-up"}, {At: start.Add(cvd.Day), Name: "scope"}, {At: start.Add(3 * cvd.Day), Name: "details"},
			{At: start.Add(14 * cvd.Day), Name: "proof"}, {At: end.Add(-14 * cvd.Day), Name: "advisory"}, {At: end, Name: "public"}},
		Start: start, End: end, Now: start.Add(11 * cvd.Day),
	}
}

func approval() templates.Approval {
	return templates.Approval{Case: caseID, Title: "Heap overflow in libfoo", Stage: cvd.Details, ID: "9f3a-27c1", Author: "ana",
		Due: start.Add(3 * cvd.Day), Signed: true, Need: 1,
		Rows: []templates.ApprovalRow{
			{Party: "acme", Key: "4B32 ADAC..", Trust: "confirmed", Until: time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC), Stage: cvd.Scope, Gets: "3 details"},
			{Party: "globex", Key: "77F0 12C3..", Trust: "confirmed", Until: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), Soon: true, Stage: cvd.Scope, Gets: "3 details"},
			{Party: "initech", Key: "-", Stage: cvd.HeadsUp, Gets: "nothing: HELD", Why: "4B32 ADAC 11F0 2C91 is claimed only, and details needs a confirmed key"},
		}}
}
