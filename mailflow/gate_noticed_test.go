package mailflow

import (
	"strings"
	"testing"
)

// byHistories says that random histories find that a row of the gate is missing.
const byHistories = "histories"

// noticedBy says for every row of the gate who notices that it is missing: random
// histories; a story that finds it at once, TestAlone, where histories come by
// that hardly ever; or, where something else stands behind the row so that nothing
// would leave, the test that proves that guard without it, TestGuard.
var noticedBy = map[string]string{
	"there is such a notice, to somebody":         "TestGuard_RowsOfNothing",
	"it has not left or ended":                    "TestGuard_OverIsNotDue",
	"it belongs to this participant of this case": "TestGuard_RowsOfNothing",
	"its participant was not withdrawn":           "TestGuard_WithdrawnIsCancelled",
	"sending is not paused":                       "TestGuard_PausedReadsNothing",
	"the case is not on hold":                     byHistories,
	"its participant is not on hold":              byHistories,
	"its address was not revoked":                 "TestAlone_Revoked",
	"it waits for no review of what is overdue":   "TestAlone_Overdue",

	"nothing leaked":                         "TestGuard_RemindersFollow",
	"nothing else was told since":            "TestGuard_RemindersFollow",
	"the embargo that it reminds of goes on": "TestGuard_RemindersFollow",
	"there is no answer":                     "TestGuard_RemindersFollow",
	"no later reminder is due":               "TestAlone_Reminders",
	"somebody works there":                   "TestAlone_Reminders",

	"it is due":                   "TestGuard_DueRowsKeepTheDates",
	"nobody can undo it any more": byHistories,
	"our own key can sign":        "TestGuard_SignsOrHolds",

	"the case has started":                         "TestGuard_DueRowsKeepTheDates",
	"the case that leaks has started":              "TestGuard_DueRowsKeepTheDates",
	"the case is open":                             "TestAlone_Closed",
	"the policy has the stage":                     "TestGuard_PlanLeavesOut",
	"its participant hears of the stage":           "TestGuard_PlanLeavesOut",
	"a leak goes to a vendor of the case":          "TestGuard_PlanLeavesOut",
	"who declined was told of it before":           byHistories,
	"its participant was not told as much":         "TestGuard_PlanLeavesOut",
	"who is late gets this stage at all":           "TestGuard_PlanLeavesOut",
	"who is late waits until then":                 "TestGuard_DueRowsKeepTheDates",
	"what is public waits for the end":             "TestGuard_DueRowsKeepTheDates",
	"the lead lets its participant know":           "TestGuard_DueRowsKeepTheDates",
	"the embargo goes on":                          byHistories,
	"their server took the stage before":           "TestAlone_Refused",
	"the stage before has left":                    byHistories,
	"its participant was told what it answers for": "TestAlone_AnswerForAll",

	"somebody fired a leak of this level":     "TestGuard_LeakHasItsKit",
	"there is a leak kit for it":              "TestGuard_LeakHasItsKit",
	"the kit lacks nothing":                   "TestGuard_LackingKitIsNotWritten",
	"the kit is what people were asked about": "TestAlone_KitEdited",
	"the request about the kit is decided":    "TestGuard_OpenIsNotGranted",
	"enough people said yes to the kit":       "TestAlone_KitEdited",
	"a desk of one waited with the kit":       "TestAlone_DeskOfOne",

	"who gets counts observes the case": "TestGuard_PlanLeavesOut",
	"there is such an introduction":     "TestGuard_HalvesFollowTheWords",
	"nobody took the introduction back": "TestGuard_HalvesFollowTheWords",
	"the other was not withdrawn":       "TestGuard_WithdrawnIsCancelled",
	"both agreed":                       "TestGuard_HalvesFollowTheWords",
	"no other notice took its place":    "TestGuard_HalvesFollowTheWords",
	"the other half could leave":        "TestAlone_OtherHalf",

	"there is material for the stage":              "TestGuard_EmptyIsNotWritten",
	"somebody vouches for a key that can be used":  "TestGuard_SealsToKeysOnly",
	"its participant did what the stage needs":     byHistories,
	"its participant agreed to the longer embargo": "TestAlone_EndAndHand",
	"the pause after a change of keys is over":     byHistories,
	"a request for it is decided":                  "TestGuard_OpenIsNotGranted",
	"enough people said yes":                       "TestAlone_Rejected",
	"it is what they said yes to":                  "TestGuard_EditedIsAskedAnew",
	"a desk of one waited":                         "TestAlone_DeskOfOne",
	"it goes by mail":                              "TestAlone_EndAndHand",
}

// A new row of the gate has somebody who notices that it is missing.
func TestGate_EveryRowIsNoticed(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{byHistories: true}
	for _, name := range testNames(t) {
		if strings.HasPrefix(name, "TestGuard_") || strings.HasPrefix(name, "TestAlone_") {
			tests[name] = true
		}
	}
	for _, row := range gate {
		if by, ok := noticedBy[row.must]; !ok || !tests[by] {
			t.Errorf("nobody would notice that the gate has no row %q any more: there is no %q", row.must, by)
		}
	}
	if len(noticedBy) != len(gate) {
		t.Errorf("%d rows of the gate, and %d of who notices", len(gate), len(noticedBy))
	}
}
