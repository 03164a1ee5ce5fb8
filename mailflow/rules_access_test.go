package mailflow

import (
	"testing"
	"time"
)

// A start that somebody put off, signed, is not brought forward again by an undo
// that is not.
func TestA3_UndoOfALaterStart(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.say(asOperator, "case open \"x\" policy fast", "vendor add acme psirt@acme.example", "case PAR-2026-0001", "invite acme")
	r.say(asAnaSigns, "case PAR-2026-0001", "start 2026-12-02T09:00Z")
	id := r.offers(asAnaSigns, "case PAR-2026-0001", "start 2026-12-20T09:00Z")
	r.refused(asAna, "counts only signed", "undo "+id)
	r.say(asAnaSigns, "undo "+id)
	if got := utc(r.theCaseIs("PAR-2026-0001").Start); got != "2026-12-02T09:00Z" {
		t.Errorf("it starts %s", got)
	}
}

// A task about a report is seen with the case that the report is part of by now:
// The receipt of Do/Hold takes back that hold, and none that came after it; and
// only who held moves it back.
func TestA5_UndoOfAHoldThatIsAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.caseWith("acme")
	w.answers("acme", id, true, "hello there")
	thread := w.folderOf(id, "Vendor acme")
	_, err := w.putsAs("ben", "COPY", thread, "", "Do/Hold")
	w.ok(err)
	w.clock.Advance(20 * time.Second)
	_, err = w.putsAs("ana", "MOVE", "Do/Hold", "", thread)
	w.refusedWith(err, thread, "ben")
	w.in(id, "release acme")
	if tr := w.as(asAna, "case "+string(id), "hold acme because \"they leak\""); !tr.Done() {
		t.Fatal(tr)
	}
	w.clock.Advance(20 * time.Second)
	_, err = w.putsAs("ben", "MOVE", "Do/Hold", "", thread)
	w.refusedWith(err, thread, "since")
	if h := w.who(id, "acme").Hold; h == nil || h.Because != "they leak" {
		t.Errorf("the hold is %+v", h)
	}
}

// What is thrown away about a restricted case does not move the UIDs of others'
