package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
)

// A case is kept by one person's word, and goes sooner only by a signed one.
func TestA3_Keep(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	tag := string(id)
	w.in(id, "case close")
	w.refuses(anaByMail, "how long it is kept is missing", "keep "+tag)
	w.refuses(anaByMail, "did you mean forever?", "keep "+tag+" forevr")
	w.refuses(anaByMail, "is not a duration", "keep "+tag+" for ever")
	w.refuses(anaByMail, "is not to come", "keep "+tag+" until 2026-11-30")
	w.refuses(anaByMail, "is not to come", "keep "+tag+" for 0s")
	w.refuses(anaByMail, "there is no case", "keep PAR-2026-0099 for 1d")
	w.refuses(anaByMail, "nobody said that", "keep "+tag+" no")

	wants(t, unwrapped(w.as(anaByMail, "keep "+tag+` for 30d because "the vendor is sued"`).String()), "is kept until Thu 31 Dec 2026, 09:00 UTC: nothing of it is destroyed")
	wants(t, unwrapped(w.as(benByMail, "case "+tag, "status").String()), "KEPT until 2026-12-31T09:00Z, said ana: the vendor is sued")
	file := w.filed(w.folderOf(id, "Case file"))
	wants(t, unwrapped(w.words(file[len(file)-1])), "KEPT until Thu 31 Dec 2026, 09:00 UTC, by ana: the vendor is sued")
	wants(t, unwrapped(w.in(id, "history")), "until 2026-12-31T09:00Z: the vendor is sued")
	w.refuses(signed("ana"), "is kept until 2026-12-31T09:00Z, said ana: the vendor is sued; nothing of it is destroyed before then", "shred "+tag)

	w.refuses(benByMail, "lets a case be destroyed sooner and so counts only signed", "keep "+tag+" no")
	w.refuses(benByMail, "lets a case be destroyed sooner and so counts only signed", "keep "+tag+" for 29d")
	if got := w.as(benByMail, "keep "+tag+" for 31d"); !got.Done() {
		t.Errorf("longer:\n%s", got)
	}
	wants(t, unwrapped(w.as(signed("ben"), "keep "+tag+` no because "settled"`).String()), "is not kept any longer than others")
	if got := w.as(signed("ben"), "case "+tag, "status").String(); strings.Contains(got, "KEPT") {
		t.Error(got)
	}
	w.as(benByMail, "keep "+tag+" for 1d")
	w.after(cvd.Day)
	w.gaveUp(id)
}

// For ever is a legal hold, which `keep no` ends, signed; what was said before it
// stands then.
func TestH3_KeepForEver(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	tag := string(id)
	w.in(id, "case close")
	r := w.gaveUp(id)
	wants(t, unwrapped(w.as(benByMail, "keep "+tag+` forever because "court"`).String()), "until `legal-hold off`; it is not destroyed")
	if again := w.shredOf(id); again.Approval != "" {
		t.Errorf("%s still stands", r.Approval)
	}
	w.refuses(signed("ana"), "is under legal hold since", "shred "+tag)
	w.as(anaByMail, "keep "+tag+" for 2d")
	w.refuses(benByMail, "counts only signed", "keep "+tag+" no")
	wants(t, unwrapped(w.as(signed("ben"), "keep "+tag+" no").String()), "is not under legal hold any more (it was: court); it is kept until Thu 3 Dec 2026")
	w.refuses(signed("ana"), "is kept until", "shred "+tag)
	w.after(2 * cvd.Day)
	w.gaveUp(id)
}

// A word that keeps it, on the last day, stops what would destroy it; and a part of
// it that is kept keeps the whole.
func TestH3_KeepStopsIt(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	part := cvd.FindCaseIDs(w.do(`case open "Alike" policy fast`))[0]
	w.as(anaByMail, "keep "+string(part)+" for 20d")
	w.in(id, "case merge "+string(part), "case close")
	w.refuses(signed("ana"), string(part)+" is kept until", "shred "+string(id))
	w.as(signed("ana"), "keep "+string(part)+" no")
	w.gaveUp(id)
	w.after(6 * cvd.Day)
	w.as(benByMail, "keep "+string(id)+" for 1d")
	w.after(3 * cvd.Day)
	if r := w.shredOf(id); r.gone() || r.Approval != "" {
		t.Errorf("%+v", r)
	}
	w.whole()
}
