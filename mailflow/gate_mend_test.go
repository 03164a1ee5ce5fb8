package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// mend repairs all that keeps mails from leaving, and lets the cases come to
// their end; in most histories sooner than agreed.
func (h *history) mend() {
	h.quiet = true
	for _, v := range historyParties {
		if h.o.revokedAt[addressOf(v, goodKey)] {
			h.say(h.ids[0], "vendor edit "+v+" address "+addressOf(v, goodKey))
		}
		h.pin(v, spareKey, keyring.Claimed)
		h.say(h.ids[0], "key confirm "+v+" "+h.holder(v, spareKey).Fingerprint()+` evidence "phone"`)
		h.say(h.ids[0], "vendor edit "+v+" channel pgp")
	}
	for _, id := range h.ids {
		if soon := h.clock.Now().Add(6 * cvd.Day); h.hasty && h.theCase(id).Embargo().End.After(soon) {
			h.say(id, fmt.Sprintf(`embargo %s because "agreed"`, instantOf(soon)))
		}
	}
	for round := range 40 {
		h.quiet = true
		if h.o.paused != "" || round%4 == 0 { // every fourth also lets go what waits for a review
			h.say(h.ids[0], "sending resume")
		}
		over := true
		for _, id := range h.ids {
			c := h.o.cases[id]
			over = over && (c.closed || h.clock.Now().After(c.ends[len(c.ends)-1].Add(cvd.Day)))
			h.letGo(id, c, round%4 == 0)
		}
		h.loud()
		for range 2 {
			h.allSayYes()
		}
		if over {
			h.pass(5 * time.Minute)
			return
		}
		h.passBy(60*time.Hour, 0)
	}
	h.t.Fatalf("endless: the cases do not come to their end")
}

// loud looks at all that was done quietly.
func (h *history) loud() {
	h.quiet = false
	h.settleAndJudge()
}

// allSayYes to whatever is asked.
func (h *history) allSayYes() {
	all := h.openRequests()
	if len(all) == 0 {
		return
	}
	h.quiet = true
	for _, a := range all {
		for _, name := range slices.Backward(h.people) {
			h.saysYes(a, name, true)
		}
	}
	h.loud()
}

// letGo lifts the holds of a case, and has its vendors accept the end.
func (h *history) letGo(id cvd.CaseID, c *caseKnown, all bool) {
	if c.held {
		h.say(id, "release case")
	}
	for _, v := range historyParties {
		s := c.seats[v]
		if s == nil || s.gone || c.closed {
			continue
		}
		if s.held || all {
			h.say(id, "release "+v)
		}
		for stage := range s.back {
			h.decides(id, v, stage, "again")
		}
		if !s.observes && !s.declined && s.reached != "" && s.accepted < len(c.ends) {
			h.signedBy(spareKey, id, v, fmt.Sprintf("ACCEPT %s v%d\n", id, len(c.ends)))
		}
	}
}

// nothingLost: every notice has left, or ended for a reason, or stands before a
// person with one; and everybody who takes part knows what is public.
func (h *history) nothingLost() {
	for _, id := range h.ids {
		c := h.o.cases[id]
		if why := c.pairsLost(); why != "" {
			h.t.Fatalf("lost: %s of %s", why, id)
		}
		for v, s := range c.seats {
			var all []cvd.Notice
			h.view(func(tx *store.Tx) (err error) {
				all, err = Notices(tx, id, cvd.PartyID(v))
				return err
			})
			for _, n := range all {
				if why := h.lostNotice(n); why != "" {
					h.t.Fatalf("lost: %s to %s in %s is %s (%s): %s", noticeName(n), v, id, n.State, n.Why, why)
				}
			}
			if !s.gone && !c.closed && s.told[cvd.Public].IsZero() && !s.back[cvd.Public] && !h.publicLater(all) && h.countIn("Held", v) == 0 {
				h.t.Fatalf("lost: %s was not told what is public of %s, and nothing is held: %+v\n%s", v, id, *s, noticesSaid(all))
			}
		}
	}
}

func (h *history) lostNotice(n cvd.Notice) string {
	shown := func() bool { return h.countIn("Held", string(n.Party)) > 0 || h.countIn("INBOX", string(n.Party)) > 0 }
	switch n.State {
	case cvd.Sent:
		if n.MessageID != "" && !slices.ContainsFunc(h.mails, func(m historyMail) bool { return strings.Contains(m.Outer.Get("Message-Id"), n.MessageID) }) {
			return "and nobody got it"
		}
	case cvd.Cancelled:
		if n.Why == "" {
			return "for no reason"
		}
	case cvd.Held:
		if n.Why == "" || !shown() {
			return "and no person sees that"
		}
	case cvd.Waiting:
		if n.Why == "" {
			return "for nothing"
		}
	case cvd.Approval:
		if !slices.ContainsFunc(h.openRequests(), func(a cvd.ApprovalRequest) bool { return slices.Contains(a.Notices, n.ID) }) {
			return "and nobody is asked"
		}
	case cvd.Planned:
		if n.Due.Before(h.clock.Now().Add(-time.Hour)) && n.Row.Before(h.clock.Now()) {
			return "and overdue since " + utc(n.Due)
		}
	default:
		return "and does not go on"
	}
	return ""
}

// publicLater says that somebody moved what is public to an instant after the end
// of the history.
func (h *history) publicLater(all []cvd.Notice) bool {
	return slices.ContainsFunc(all, func(n cvd.Notice) bool {
		return n.Kind == cvd.KindStage && n.Stage == cvd.Public && n.State == cvd.Planned && n.Due.After(h.o.now())
	})
}

// noticesSaid lists notices with what became of them.
func noticesSaid(all []cvd.Notice) string {
	var out strings.Builder
	for _, n := range all {
		fmt.Fprintf(&out, "%s due %s is %s: %s\n", noticeName(n), utc(n.Due), n.State, n.Why)
	}
	return out.String()
}
