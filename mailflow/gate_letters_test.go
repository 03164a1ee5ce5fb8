package mailflow

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// answer is a letter of a vendor, signed with its good key; a third of them come
// unsigned, with a line that the newest mails to it offer.
func (h *history) answer(d deed) {
	id, v := h.caseOf(d), h.vendorOf(d)
	if line := h.offered(id, v, d.c); d.a/8%3 == 0 && line != "" {
		h.did["code"]++
		h.sends(goodKey, false, id, v, line+"\n")
		return
	}
	tag, version := string(id), len(h.theCase(id).Embargoes)
	line := []string{
		"ACK " + tag, fmt.Sprintf("ACCEPT %s v%d", tag, version), fmt.Sprintf("ACCEPT %s v%d", tag, version), fmt.Sprintf("ACCEPT %s v1", tag),
		"DECLINE " + tag + " no" + vendorWords[v] + "time", "STATUS " + tag + " affected " + vendorWords[v] + "versions",
		"PROPOSE " + tag + " " + h.clock.Now().Add(300*time.Hour).Format(time.DateOnly) + " " + vendorWords[v] + "holidays",
		"STATEMENT " + tag + "\nWe say " + vendorWords[v] + "statement.\nEND", "SUGGEST other" + vendorWords[v] + " ships it", "HISTORY " + tag,
		"WITHDRAW " + tag + " " + vendorWords[v] + "reasons", "READY " + tag + " BY " + h.clock.Now().Add(200*time.Hour).Format(time.DateOnly),
	}[d.c%12]
	h.letter(id, v, line+"\n\nRegards, the people of "+vendorWords[v]+"letter\n")
}

// offered is one of the lines with a one-time code that a vendor was sent in a case,
// mostly of the newest; a code that was used before counts for nothing.
func (h *history) offered(id cvd.CaseID, v string, n int) (line string) {
	var all []string
	for _, m := range h.mails {
		if m.party == v && m.id == id {
			for _, l := range offeredLine.FindAllStringSubmatch(m.Text, -1) {
				all = append(all, l[1])
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1-n%min(len(all), 3)]
}

var offeredLine = regexp.MustCompile(`(?m)^\s*((?:ACK|ACCEPT) PAR-\d+-\d+ (?:v\d+ )?[0-9A-Z]{4}-[0-9A-Z]{4})\b`)

// letter is one of a vendor, signed with its good key.
func (h *history) letter(id cvd.CaseID, v, text string) { h.signedBy(goodKey, id, v, text) }

// signedBy is a letter of a vendor, signed with one of its keys.
func (h *history) signedBy(key string, id cvd.CaseID, v, text string) {
	h.sends(key, true, id, v, text)
}

// sends is a letter sealed with one of the keys of a vendor, signed with it or not,
// and what counts of it.
func (h *history) sends(key string, sign bool, id cvd.CaseID, v, text string) {
	h.t.Helper()
	if h.writes(key, sign, id, v, text) {
		h.hears(id, v)
	}
}

// writes is a letter, and whether its address takes any.
func (h *history) writes(key string, sign bool, id cvd.CaseID, v, text string) bool {
	h.t.Helper()
	p := h.holder(v, key)
	to := h.thread(id, cvd.PartyID(v))
	env := Envelope{From: p.Address, To: []string{to}, Remote: "192.0.2.1"}
	if h.intake.CheckRcpt(context.Background(), env, to) != nil {
		return false
	}
	h.traces(v+" writes "+text, sign)
	before := h.participant(id, cvd.PartyID(v))
	h.arrives(p.Address, to, h.seal(p, to, sign, mailtest.Entity("Re: ["+string(id)+"]", text)))
	if now := h.participant(id, cvd.PartyID(v)); !sign && (now.Accepted() != before.Accepted() || (now.Acknowledged == nil) != (before.Acknowledged == nil)) {
		h.did["code counted"]++
	}
	h.did["answer"]++
	return true
}

// hears is what follows from a letter.
func (h *history) hears(id cvd.CaseID, v string) {
	h.t.Helper()
	h.o.answered(id, v)
	h.settleAndJudge()
}
