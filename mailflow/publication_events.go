package mailflow

import (
	"strings"

	"parley/mailflow/advisory"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// timelineKinds are the kinds of records that a timeline tells of, and how.
var timelineKinds = map[string]advisory.Event{
	"case.opened":       {What: "the case was opened"},
	"case.started":      {What: "disclosure to vendors was planned"},
	"command.accept":    {What: "party accepted the embargo", Many: "parties accepted the embargo"},
	"record.accept":     {What: "party accepted the embargo", Many: "parties accepted the embargo"},
	"command.status":    {What: "vendor gave a status", Many: "vendors gave a status"},
	"record.status":     {What: "vendor gave a status", Many: "vendors gave a status"},
	"command.statement": {What: "vendor sent a statement", Many: "vendors sent a statement"},
	"case.cve":          {What: "the CVE IDs of the case were set"},
}

// journalEvents reads the timeline of a case from the journal. Of a notice it
// counts that it left, and not that it was meant to.
func journalEvents(tx *store.Tx, id cvd.CaseID) ([]advisory.Event, error) {
	var out []advisory.Event
	stages := map[string]string{} // of the notices, by their names
	err := journal.Each(tx, func(_ uint64, r journal.Record) error {
		if r.Case != string(id) {
			return nil
		}
		e, ok := timelineKinds[r.Kind]
		switch stage, isStage := strings.CutPrefix(r.Detail, string(cvd.KindStage)+" "); {
		case r.Kind == "notice.queued" && isStage:
			stages[r.Ref] = stage
		case r.Kind == "notice.sent" && stages[r.Ref] != "":
			e, ok = toldStage(stages[r.Ref]), true
		}
		if ok {
			e.At = r.At
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

func toldStage(stage string) advisory.Event {
	return advisory.Event{What: "vendor was told: " + stage, Many: "vendors were told: " + stage}
}
