package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// facingGateway is one of two whole gateways, each the smarthost of the other, so
// that whatever one sends comes in at the other's public port.
type facingGateway struct {
	*story
	other *facingGateway
	wire  *tappedWire // to the other's port
	tag   string      // of its case
}

// facingPolicy tells at once, asks nobody, and has nothing else to tell for long.
const facingPolicy = `
[policy.facing]
embargo = "60d"
[[policy.facing.stage]]
name = "heads-up"
at = "start"
approvals = 0
[[policy.facing.stage]]
name = "public"
at = "end"
approvals = 0
`

// The vendors of each case, and where they get their mail at the other gateway.
const (
	atReport  = "frontdoor" // report@: each notice is a report there
	atThread  = "mirror"    // the address of its own mirror: each notice is a valid letter there
	atNowhere = "stray"     // no mailbox: each notice is refused
)

// newFacing starts two gateways on one clock, which only the test moves.
func newFacing(t *testing.T) (a, b *facingGateway) {
	t.Helper()
	clock := mailtest.NewClock(storyBegins())
	a, b = &facingGateway{wire: tapWire(t)}, &facingGateway{wire: tapWire(t)}
	a.other, b.other = b, a
	for g, domain := range map[*facingGateway]string{a: "alder.example", b: "birch.example"} {
		g.story = &story{TB: t, time: clock, log: &storyLog{}, demo: &demo{domain: domain, out: t.Output()}, seen: map[string]bool{}}
		g.clock = g.storyClock()
		g.edit = func(text []byte) []byte {
			text = smarthostLine.ReplaceAll(text, fmt.Appendf(nil, "smarthost = %q", "smtp://"+g.wire.addr()))
			return append(setLimit(setLimit(text, "connections"), "connections_per_ip"), facingPolicy...)
		}
		t.Cleanup(func() { g.must(g.close()) })
		g.must(g.build(world{os.Stdin, g.demo.out, g.log}, true))
	}
	a.wire.leadsTo(b.addr("smtp"))
	b.wire.leadsTo(a.addr("smtp"))
	return a, b
}

func (g *facingGateway) at(local string) string { return local + "@" + g.domain }

// desk gives commands as the operator does.
func (g *facingGateway) desk(commands ...string) {
	g.Helper()
	g.must(g.command(g.Context(), append([]string{"do", "--config", g.path}, commands...)...))
}

// opens a case whose vendors are all the other gateway, with its key confirmed.
func (g *facingGateway) opens() {
	g.Helper()
	ours, err := g.other.ours()
	g.must(err)
	certs, err := keyring.ParseCertificates(ours)
	g.must(err)
	key := filepath.Join(g.dir, "other.asc")
	g.must(os.WriteFile(key, ours, 0o600))
	g.desk(`case open "Overflow in a frame" policy facing`)
	g.view(func(tx *store.Tx) error {
		all, err := mailflow.Cases(tx)
		g.tag = string(all[0].ID)
		return err
	})
	g.cast.tag = g.tag
	for vendor, local := range map[string]string{atReport: "report", atThread: "later", atNowhere: "nobody"} {
		g.desk(fmt.Sprintf("vendor add %s %s", vendor, g.other.at(local)))
		g.must(g.command(g.Context(), "key", "import", key, "--party", vendor, "--confirm", string(certs[0].Fingerprint()), "--config", g.path))
		g.desk("case "+g.tag, fmt.Sprintf("invite %s wave 1 affects Kit", vendor))
	}
}

// starts tells the vendors, the one at its thread by the address that its case has
// there.
func (g *facingGateway) starts() {
	g.Helper()
	g.desk(fmt.Sprintf("vendor edit %s address %s", atThread, g.other.thread(atThread)))
	g.desk("case "+g.tag, "case severity high", "start now")
}

func (g *facingGateway) view(f func(tx *store.Tx) error) {
	g.Helper()
	g.must(g.app.store.View(f))
}

func (g *facingGateway) participants() (all []cvd.Participant) {
	g.Helper()
	g.view(func(tx *store.Tx) (err error) {
		all, err = mailflow.Participants(tx, cvd.CaseID(g.tag))
		return err
	})
	return all
}

// thread is where a vendor of its case writes to.
func (g *facingGateway) thread(vendor string) string {
	g.Helper()
	all := g.participants()
	i := slices.IndexFunc(all, func(p cvd.Participant) bool { return string(p.Party) == vendor })
	if i < 0 {
		g.Fatalf("%s has no address", vendor)
	}
	return g.app.base.ThreadAddress(all[i].Token)
}

// back is where the delivery of the notice to an address comes back to.
func (g *facingGateway) back(to string) string {
	g.Helper()
	for _, m := range g.wire.mails() {
		if m.To == to {
			return m.From
		}
	}
	g.Fatalf("nothing went to %s", to)
	return ""
}

// plan is all by which something leaves, or counts: dates, stages and what vendors
// agreed to. Answers of programs are no plan, nor is what mail servers say about
// deliveries, by which it is known which stage a vendor has.
func (g *facingGateway) plan() (rows []string) {
	g.Helper()
	g.view(func(tx *store.Tx) error {
		c, err := mailflow.CaseByID(tx, cvd.CaseID(g.tag))
		rows = append(rows, fmt.Sprint(c.Start, c.Embargoes, c.Hold, c.Closed, c.Policy, c.Leaks, c.Merged))
		return err
	})
	for _, p := range g.participants() {
		rows = append(rows, fmt.Sprintf("%s %s %s wave %d asked %v status %v proposed %v", p.Party, p.Address, p.Token, p.Wave, p.Requested, p.Statuses, p.Proposals),
			fmt.Sprintf("%s agreed %t %d %t %t, held %t withdrawn %t, offsets %v %v late %t", p.Party, p.Acknowledged != nil, p.Accepted(), p.Declined != nil, p.Ready != nil, p.Hold != nil, p.Withdrawn != nil, p.Delays, p.Offsets, p.Late != nil))
	}
	for party, all := range g.notices() {
		for _, n := range all {
			if n.Kind == cvd.KindStage {
				rows = append(rows, fmt.Sprintf("%s %s due %s %s version %d", party, n.Stage, n.Due, n.State, n.Version))
			}
		}
	}
	slices.Sort(rows)
	return rows
}

// tell gives a mail to a port as anybody on the net does, and the answer to it.
func (g *facingGateway) tell(from, to string, raw []byte) error {
	return mailtest.Send(g.addr("smtp"), from, to, raw)
}

// hearsAccept lets the other gateway's key say that it accepts, at the address of its
// thread and from there.
func (g *facingGateway) hearsAccept(extra ...[2]string) {
	g.Helper()
	from, to := g.other.thread(atThread), g.thread(atThread)
	outer := pgpmime.Outer{From: from, To: to, Subject: "Re", MessageID: fmt.Sprintf("<%s-%d@%s>", g.tag, len(extra), g.other.domain), Date: g.time.Now(), Extra: extra}
	raw, err := pgpmime.Seal(mailtest.Entity("Re: ["+g.tag+"]", "ACCEPT "+g.tag+" v1\n"), outer,
		[]*keyring.Certificate{g.app.base.Own.Signing().Certificate()}, g.other.app.base.Own.Signing(), g.time.Now())
	g.must(err)
	g.must(g.tell(from, to, raw))
}

// crossed is how many mails both have sent to each other.
func crossed(a, b *facingGateway) int { return len(a.wire.mails()) + len(b.wire.mails()) }

// facingMost is far more than two gateways have to say to each other.
const facingMost = 150

// rested lets both do all that there is to do at this instant. That may never end,
// which is what this is about.
func rested(a, b *facingGateway) {
	a.Helper()
	for before := -1; before != crossed(a, b); {
		if before = crossed(a, b); before > facingMost {
			a.Fatalf("%d mails crossed, and they still talk", before)
		}
		a.rests()
		b.rests()
	}
}

// pass lets time pass for both.
func pass(a, b *facingGateway, d time.Duration) {
	a.Helper()
	for _, g := range []*facingGateway{a, b} {
		g.seenRest.breaths = g.breaths.Load()
	}
	a.time.Advance(d)
	rested(a, b)
}

// field is one of the outer header.
func field(raw []byte, name string) string {
	head, _, _ := bytes.Cut(raw, []byte("\n\n"))
	for line := range strings.Lines(string(head)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
