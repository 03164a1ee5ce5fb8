package advisory

import (
	"flag"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

var begin = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// sample has one of everything.
func sample() Advisory {
	acme := Product{Vendor: "acme", Name: "Player 9.1", Statement: "We thank the finder.\n\nUpdates are at our site, and they are free of charge for everybody who runs 4.x."}
	acme.Says(Affected, "4.1-4.7, 5.0")
	acme.Says(Fixed, "4.8, 5.1 on 2027-02-10")
	globex := Product{Vendor: "globex", Name: "Globe Router"}
	globex.Says(NotAffected, "component_not_present: we do not ship libfoo")
	hooli := Product{Vendor: "hooli", Name: "Nucleus"}
	hooli.Says(Affected, "everything before 7")
	initech := Product{Vendor: "initech"}
	initech.Says(Investigating, "")
	umbrella := Product{Vendor: "umbrella", Name: "Hive", Statement: "We have nothing to say."}
	return Advisory{
		Tag: "PAR-2026-0007", Title: "Heap overflow in libfoo", CVEs: []string{"CVE-2026-12345", "CVE-2026-12346"}, Severity: "high",
		Description: "A long name overflows a buffer.\n\nWhoever can send one runs code.", Mitigation: "Switch names off.",
		Publisher: Publisher{Name: "Example CERT", Namespace: "https://vdp.example.org", Contact: "report@vdp.example.org"},
		TLP:       "CLEAR", Final: true, Revisions: []Revision{{begin.Add(90 * day), "First published"}, {begin.Add(95 * day), "More versions"}},
		Credits: []string{"Joselyn Findling"}, References: []Reference{{URL: "https://vdp.example.org/par-2026-0007", Summary: "This advisory", Self: true}},
		Products: []Product{acme, globex, hooli, initech, umbrella}, Silent: 3,
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	draft := sample()
	draft.Final, draft.TLP, draft.Products, draft.Silent, draft.CVEs = false, "AMBER+STRICT", draft.Products[:1], 0, nil
	early := draft
	early.Products = nil
	file := func(data []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, got := range map[string][]byte{
		"final.csaf.json": file(CSAF(sample())),
		"draft.csaf.json": file(CSAF(draft)),
		"early.csaf.json": file(CSAF(early)),
		"final.cve.json":  file(CVERecord(sample(), "cve-2026-12345")),
		"matrix.txt":      []byte(Matrix(sample())),
		"timeline.txt":    []byte(Timeline(events())),
	} {
		path := "testdata/" + name
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs:\n%s", name, got)
		}
	}
}

func events() []Event {
	told := func(at time.Time, stage string) Event {
		return Event{At: at, What: "vendor was told: " + stage, Many: "vendors were told: " + stage}
	}
	return []Event{
		{At: begin.Add(90 * day), What: "published"},
		told(begin, "heads-up"), told(begin.Add(time.Hour), "heads-up"), told(begin.Add(20*time.Hour), "heads-up"),
		{At: begin.Add(-time.Hour), What: "the report came"},
		{At: begin.Add(time.Minute), What: "the embargo was set to end on 2027-03-01", Many: ""},
		{At: begin.Add(20 * day), What: "has a fix", Many: "vendors have a fix", Named: "acme"},
		{At: begin.Add(20 * day), What: "vendor has a fix", Many: "vendors have a fix"},
	}
}
