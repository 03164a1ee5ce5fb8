package mailflow

import (
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// kitRequest is the one open request for the leak kit.
func (w *world) kitRequest() cvd.ApprovalRequest {
	w.t.Helper()
	return w.request(kitStage)
}

// kit is the line that says how the leak kit of a case stands.
func (w *world) kit(id cvd.CaseID) string {
	w.t.Helper()
	for _, line := range strings.Split(w.in(id, "status"), "\n") {
		if strings.HasPrefix(line, "leak kit: ") {
			return strings.TrimPrefix(line, "leak kit: ")
		}
	}
	return ""
}

// leaks are the mails about leaks that a person got, leakNotices the notices of
// them to a party.
func (w *world) leaks(name string) []letterGot { return w.subjected(name, "LEAK: ") }

func (w *world) leakNotices(id cvd.CaseID, party cvd.PartyID) []cvd.Notice {
	return w.noticesOf(id, party, cvd.KindLeak)
}

// leakAddress is where things leak in these tests; no party's name stands in it.
const leakAddress = "https://paste.test/x9?y=1"

// fires gives a signed mail with the words that fire a level.
func (w *world) fires(name string, id cvd.CaseID, level string) {
	w.t.Helper()
	w.control(name, true, "case "+string(id), "leak "+leakAddress+" stage "+level+" within 30m")
	if m := w.last("Status"); !strings.HasPrefix(m.Envelope.Subject, "Done: ") {
		w.t.Fatalf("%s could not fire %s:\n%s", name, level, w.words(m))
	}
}

// leakCase is a case under the default policy with six vendors in three waves,
// one each without a key, on hold, declined and told by hand, and the finder of
// its report; ana wrote it all, and ben is on the desk. It runs since yesterday.
func (w *world) leakCase() cvd.CaseID {
	w.t.Helper()
	w.coordinator("ana")
	w.coordinator("ben")
	finder := w.person("finder", "someone@finder.test")
	entity := mailtest.Entity("Heap overflow in libfoo", "It overflows. canaryreport\n",
		mailtest.File{Name: "my-key.asc", Type: "application/pgp-keys", Data: string(finder.PublicKey())})
	w.arrives(finder.Address, "report@vdp.example.org", w.seal(finder, "report@vdp.example.org", true, entity))
	for _, name := range []string{"acme", "globex", "umbrella", "hooli"} {
		w.vendor(name)
	}
	w.person("initech", "psirt@initech.example")
	w.person("stark", "psirt@stark.example")
	id := cvd.FindCaseIDs(w.do(`case open "Heap overflow" policy default report 1`))[0]
	w.do("vendor add initech psirt@initech.example second chief@initech.example zone Asia/Tokyo", "vendor add stark psirt@stark.example channel hand", "case "+string(id),
		`invite acme wave 1 footprint 40M affects "Player 9.1"`, "invite umbrella wave 1 footprint 5M", "invite globex wave 2 footprint 1.2k",
		"invite stark wave 2 footprint 10M", "invite hooli wave 3 footprint 70M", "invite initech wave 3 footprint 900k")
	for _, s := range []cvd.Stage{cvd.Scope, cvd.Details, cvd.Mitigation} {
		w.material(id, s, "the "+string(s)+" text "+canary(s))
	}
	w.update(func(tx *store.Tx) error {
		return w.putMaterial(tx, cvd.Material{Case: id, Stage: cvd.Details, Party: "acme", Author: "ana", Text: "for one alone " + annexCanary,
			Files: []cvd.File{{Name: "details-1.txt", MediaType: "text/plain", Data: []byte("the file of one alone")}}})
	})
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.in(id, `hold umbrella because "they moved house"`, `record hooli declined because "no time"`)
	w.steps(6*time.Hour, cvd.Day)
	return id
}

const annexCanary = "canaryannex7f3a9"

// wantsOnly wants the canaries of these stages in a mail, and no other.
func (l letterGot) lacks(want ...cvd.Stage) (wrong []string) {
	for _, s := range []cvd.Stage{cvd.Scope, cvd.Details, cvd.Proof, cvd.Mitigation, cvd.Holding, cvd.Public} {
		if has := l.find([]string{canary(s)}) != ""; has != slices.Contains(want, s) {
			wrong = append(wrong, string(s))
		}
	}
	return wrong
}
