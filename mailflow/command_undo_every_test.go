package mailflow

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// undoRows are commands that are taken back, the last of each after the others.
var undoRows = []struct {
	by    Actor
	lines string
}{
	{asAna, "hold acme because wait"},
	{asAna, "hold case"},
	{asAna, "hold all"},
	{asAna, "sending pause because clock"},
	{asAna, "hold acme; release acme"},
	{asAna, "hold case because court; release case"},
	{asAna, "hold all because clock; release all"},
	{asAnaSigns, "stage acme details at 2026-12-01T09:05Z"},
	{asAnaSigns, "stage acme details at 2026-12-01T09:05Z; stage acme details at 2026-12-01T09:04Z"},
	{asAnaSigns, `embargo 2026-12-24T16:00Z because "fix needs 2 weeks"`},
	{asAna, "record acme ack via mail"},
	{asAnaSigns, "record acme accept v1 via phone"},
	{asAnaSigns, "record acme declined because no"},
	{asAna, "record acme status fixed 4.8 on 2027-02-10"},
	{asAna, "record acme ready by 2027-02-10 via mail"},
	{asAna, "case severity high"},
	{asAna, "case assign ben"},
	{asAna, "case restrict ana"},
	{asAnaSigns, "case close"},
	{asAnaSigns, "case close; case reopen"},
	{asAna, `exploited source "telemetry"`},
	{asAnaSigns, `legal-hold on because "court"`},
	{asAnaSigns, `legal-hold on because "court"; legal-hold off`},
	{asAnaSigns, `keep PAR-2026-0001 for 30d because "court"`},
	{asAnaSigns, `keep PAR-2026-0001 for 30d because "court"; keep PAR-2026-0001 until 2028-01-01`},
	{asAnaSigns, `keep PAR-2026-0001 for 30d because "court"; keep PAR-2026-0001 no`},
	{asAna, "sending pause; sending resume"},
	{asAna, `record acme their-ref "[ACME-77]"`},
	{asAna, `record acme statement "We fix it." via phone`},
	{asAna, `exploited source "telemetry"; record acme reported early-warning via phone`},
	{asAna, "cve CVE-2026-1234"},
	{asAna, "cve CVE-2026-1234; cve drop CVE-2026-1234"},
	{asAnaSigns, "slip 4h force because mirror"},
	{asAnaSigns, "invite globex footprint 10M; reach waves 50 100 apply"},
	{asAnaSigns, "case close; shred PAR-2026-0001"},
	{asAnaSigns, "record acme declined because no; late acme now because kind"},
	{asAnaSigns, "record acme declined because no; late acme never because rude"},
	{asAnaSigns, "record acme declined because no; late acme never because rude; late acme as planned"},
	{asAnaSigns, `answer-all stage scope "The 8.x branch is not affected."`},
}

// undoneElsewhere names the tests of what takes another desk to be undone.
var undoneElsewhere = map[string]string{
	"start": "TestUndo_WhatRestsOnIt", "case open": "TestUndo_OpenedFromReport", "approve": "TestUndo_Decisions", "reject": "TestUndo_Decisions", "record delivered": "TestUndo_Delivered",
	"go": "TestGo_Undo", "introduce": "TestUndo_Introductions",
	"record consent": "TestUndo_Introductions", "record introduced": "TestUndo_Introductions", "record requested": "TestUndo_Requested",
}

// onlyTells are the commands that change nothing, beside those that answer with a
// list.
var onlyTells = []string{"case", "dry-run", "leak-kit show", "advisory show"}

// Every command is taken back by its undo, or says in a sentence why it is not: a new
// one that does neither fails here. What `record` files counts as commands of their
// own.
func TestUndo_EveryVerb(t *testing.T) {
	t.Parallel()
	var all []string
	for _, c := range commands() {
		switch {
		case slices.Contains(onlyTells, c.words) || c.list && c.words != "reach":
		case c.words == "record":
			for _, kind := range strings.Split(strings.TrimPrefix(c.usage, "record PARTY "), " | ") {
				if kind = strings.Fields(kind)[0]; !strings.HasPrefix(kind, "N12") && kind != "none" && kind != "notification" && !strings.HasPrefix(kind, "final") {
					all = append(all, "record "+kind)
				}
			}
		default:
			all = append(all, c.words)
		}
	}
	tests := testNames(t)
	for _, words := range all {
		_, final := stays[words]
		final = final || words == "record called"
		taken := slices.ContainsFunc(undoRows, func(row struct {
			by    Actor
			lines string
		}) bool {
			last := row.lines[strings.LastIndex(row.lines, ";")+1:]
			return strings.HasPrefix(strings.ReplaceAll(strings.TrimSpace(last), "record acme ", "record "), words+" ") || strings.TrimSpace(last) == words
		})
		if elsewhere, ok := undoneElsewhere[words]; ok {
			taken = slices.Contains(tests, elsewhere)
		}
		if !final && !taken {
			t.Errorf("%s is not undone by any test, and does not say why it cannot be", words)
		}
	}
	for words, why := range stays {
		if !slices.ContainsFunc(commands(), func(c command) bool { return c.words == words }) || len(why) < 10 {
			t.Errorf("%s: %q", words, why)
		}
	}
}

// testNames are the tests of this package.
func testNames(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// What cannot be undone says so in its answer, with what to do instead; what waits,
// is refused or only tried out does not.
func TestUndo_SaysWhyNot(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	const tag = "case PAR-2026-0001"
	for _, row := range []struct{ line, why string }{
		{`record acme called "spoke to Jo"`, "it cannot be undone: what happened stays in the history"},
		{"vendor edit acme zone Asia/Tokyo", "it cannot be undone: keys and mails were looked at anew with it; `vendor edit` says what is right"},
		{"case title \"Another\"", "it cannot be undone: its folders"},
		{"invite globex wave 2", "it cannot be undone: `withdraw` takes a party out"},
		{"withdraw globex because mistake", "it cannot be undone: its codes are dead"},
	} {
		tr, err := r.Do(context.Background(), asOperator, []string{tag, row.line})
		r.must(err)
		if got := unwrapped(tr.String()); !tr.Done() || !strings.Contains(got, row.why) || strings.Contains(got, "takes it back") {
			t.Errorf("%s:\n%s", row.line, tr)
		}
	}
	for _, lines := range [][]string{{"dry-run", tag, "vendor edit acme zone Asia/Tokyo"}, {tag, "status"}, {tag, "vendor edit nobody zone Asia/Tokyo"}} {
		if tr, err := r.Do(context.Background(), asOperator, lines); err != nil || strings.Contains(tr.String(), "cannot be undone") {
			t.Errorf("%q: %v\n%s", lines, err, tr)
		}
	}
}
