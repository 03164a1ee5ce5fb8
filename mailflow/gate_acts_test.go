package mailflow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// write is new material for a stage, or an annex for one vendor.
func (h *history) write(id cvd.CaseID, s cvd.Stage, party, author string) {
	h.words++
	text := fmt.Sprintf("text%dof%s%s", h.words, strings.ReplaceAll(string(s), "-", ""), strings.ToLower(strings.ReplaceAll(string(id), "-", "")))
	if party != "" {
		text += vendorWords[party] + "annex"
	}
	if h.o.cases[id].closed {
		return
	}
	h.update(func(tx *store.Tx) error {
		return h.putMaterial(tx, cvd.Material{Case: id, Stage: s, Party: cvd.PartyID(party), Author: author, Text: text})
	})
	h.did["material"]++
	h.o.wrote(id, s, party, author, text)
	h.settleAndJudge()
}

// pin puts a key of a vendor on record as a mail or a look-up does.
func (h *history) pin(v, key string, trust keyring.Trust) {
	k := made()[v][key]
	h.brings(v, key, k.cert, trust)
	h.o.pinned(v, key, trust)
}

func (h *history) brings(v, key string, cert []byte, trust keyring.Trust) {
	h.t.Helper()
	certs, err := keyring.ParseCertificates(cert)
	if err != nil || len(certs) != 1 {
		h.t.Fatalf("parse key: %v", err)
	}
	said := keyring.Pinned{Fingerprint: certs[0].Fingerprint(), Trust: trust, Address: addressOf(v, key), Cert: certs[0].Bytes()}
	if trust == keyring.Confirmed {
		said.Evidence = []keyring.Voucher{{By: "ana", Words: "phone"}}
	}
	h.update(func(tx *store.Tx) error { return h.addKey(tx, v, said) })
}

// keys is something that happens to the keys of a vendor.
func (h *history) keys(d deed) {
	v, fpr := h.anyVendor(d), func(key string) string { return h.holder(d2v(d), key).Fingerprint() }
	switch d.c % 9 {
	case 0:
		h.pin(v, falseKey, keyring.Claimed)
	case 1:
		h.pin(v, secondKey, keyring.Found)
	case 2:
		h.pin(v, shortKey, keyring.Claimed)
	case 3:
		h.command(d, "key confirm "+v+" "+fpr(shortKey)+` evidence "phone"`)
	case 4:
		h.command(d, "key confirm "+v+" "+fpr(secondKey)+` evidence "phone"`)
	case 5:
		h.command(d, "key confirm "+v+" "+fpr(secondKey)+" replaces "+fpr(goodKey)+` evidence "phone"`)
	case 6:
		h.command(d, "key reject "+v+" "+fpr([]string{goodKey, secondKey, falseKey, shortKey}[d.a%4])+` because "not theirs"`)
	case 7:
		if h.o.knows(v, secondKey) {
			h.brings(v, secondKey, made()[v][secondKey].revoked, keyring.Claimed)
			h.o.revoked(v, secondKey)
		}
	case 8:
		h.command(d, "key confirm "+v+" "+fpr(goodKey)+` evidence "phone"`)
	}
	h.settleAndJudge()
}

func d2v(d deed) string { return historyVendors[d.b%len(historyVendors)] }

// openRequests are the requests that wait for a yes, in the order in which they
// were made.
func (h *history) openRequests() []cvd.ApprovalRequest {
	var out []cvd.ApprovalRequest
	h.view(func(tx *store.Tx) error {
		all, err := collect(approvals.All(tx, nil), nil)
		for _, a := range all {
			if !a.Open() {
				continue
			}
			about, err := approvalSubjects.Get(tx, approvalKey(tx, a.ID))
			if err != nil {
				return err
			}
			a.Notices, a.Parties = about.Notices, about.Parties
			out = append(out, a)
		}
		return err
	})
	slices.SortStableFunc(out, func(a, b cvd.ApprovalRequest) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(string(a.Case)+string(a.Stage)+fmt.Sprint(a.Parties), string(b.Case)+string(b.Stage)+fmt.Sprint(b.Parties))
	})
	return out
}

func (h *history) approve(d deed) {
	all := h.openRequests()
	if len(all) == 0 {
		return
	}
	h.saysYes(all[d.a%len(all)], h.approver(d), d.c%4 != 0)
}

func (h *history) saysYes(a cvd.ApprovalRequest, name string, signed bool) {
	h.t.Helper()
	h.undo = ""
	t, err := h.desk.Do(context.Background(), Actor{Name: name, Via: ViaMail, Signed: signed}, []string{"approve " + a.ID})
	if err != nil {
		h.t.Fatalf("approve: %v", err)
	}
	h.traces(name+" approves "+string(a.Stage)+" to "+fmt.Sprint(a.Parties), t.Done())
	if t.Done() {
		h.did["approve"]++
		h.offersUndo(t)
		h.o.saidYes(a, name, signed)
	}
	h.settleAndJudge()
}

func (h *history) reject(d deed) {
	all := h.openRequests()
	if len(all) == 0 {
		return
	}
	a := all[d.a%len(all)]
	t, err := h.desk.Do(context.Background(), desk(h.approver(d)), []string{"reject " + a.ID + ` because "no"`})
	if err != nil {
		h.t.Fatalf("reject: %v", err)
	}
	if t.Done() && isReview(a) {
		h.o.mayHaveResumed()
	}
	h.settleAndJudge()
}

// merge opens a third case with a vendor, and lets another one take it in.
func (h *history) merge(d deed) {
	out := h.as(desk("ana"), `case open "Much the same" policy open`)
	id, v := cvd.FindCaseIDs(out.String())[0], h.anyVendor(d)
	h.as(desk("ana"), "case "+string(id), h.invitation(v, 1+d.c%2))
	into := h.caseOf(d)
	t := h.as(desk("ana"), "case "+string(into), "case merge "+string(id))
	if t.Done() {
		h.did["merge"]++
		h.o.heard(into, h.invitation(v, h.waveIn(into, v)))
	}
	h.settleAndJudge()
}

// waveIn is the wave in which a vendor stands in a case that took another in.
func (h *history) waveIn(id cvd.CaseID, v string) int {
	return max(h.participant(id, cvd.PartyID(v)).Wave, 1)
}

// pass lets time pass, and stops just before and at what falls due.
func (h *history) pass(d time.Duration) { h.passBy(d, time.Second) }

// passBy is pass that stops so long before what falls due; 0 is at it alone.
func (h *history) passBy(d, early time.Duration) {
	end := h.clock.Now().Add(d)
	for hop := 0; h.clock.Now().Before(end); hop++ {
		to := end
		_, next, err := h.sched.dueAt(h.clock.Now(), nil)
		if err != nil {
			h.t.Fatalf("read what is due: %v", err)
		}
		if hop < 5 && next.After(h.clock.Now()) && next.Before(end) {
			if just := next.Add(-early); hop%2 == 0 && just.After(h.clock.Now()) {
				next = just
			}
			to = next
		}
		h.clock.Advance(to.Sub(h.clock.Now()))
		h.settleAndJudge()
	}
}

func (h *history) settleAndJudge() {
	h.t.Helper()
	if h.quiet {
		return
	}
	h.settle()
	h.judgeNew()
}
