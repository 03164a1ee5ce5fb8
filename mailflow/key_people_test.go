package mailflow

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// twoPeople is a world whose policy fast asks for two people to confirm a key.
func twoPeople(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	policy := w.Policies["fast"]
	policy.Confirmers = 2
	w.Policies["fast"] = policy
	w.coordinator("ana")
	w.coordinator("ben")
	return w
}

// A policy that asks for two: the first word leaves the key at its lower trust,
// says so in the plan and in Held, and keeps the question in Keys.
func TestS7_SecondPerson(t *testing.T) {
	t.Parallel()
	w := twoPeople(t)
	acme := w.person("acme", psirt)
	w.do("vendor add acme " + psirt)
	w.pins("acme", acme, keyring.Found)
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	line := "key confirm acme " + acme.Fingerprint() + " evidence "
	said := w.as(anaSigned, line+`"phone, 1 Dec"`)
	if !said.Done() || !strings.Contains(said.String(), "in cases of policy fast it counts once one more person typed it too") {
		t.Errorf("the first word: %s", said)
	}
	again := w.as(anaSigned, line+`"phone again"`)
	if !strings.Contains(again.String(), "you confirmed it before, and count once") || !strings.Contains(again.String(), "one more person") {
		t.Errorf("the same person again: %s", again)
	}
	w.after(25 * time.Hour)
	const why = "confirmed by ana; a second coordinator must type it too"
	w.wantHeld(id, "acme", cvd.Scope, "only found, confirmed is needed", why)
	if plan := w.planned(id, "acme", "3/4 details"); !strings.Contains(plan, "missing: ") || !strings.Contains(plan, why) || !strings.Contains(plan, " found ") {
		t.Errorf("plan: %s", plan)
	}
	if w.countIn("Keys", "another coordinator must confirm it too") != 1 || !strings.Contains(w.text("Keys"), line) {
		t.Errorf("Keys holds %q", w.subjects("Keys"))
	}
	w.refuses(Actor{Name: "ben", Via: ViaMail}, "adds a key and so counts only signed", line+"card")
	if said := w.as(benSigned, line+`"card, 2 Dec"`); !said.Done() || strings.Contains(said.String(), "more") {
		t.Errorf("the second word: %s", said)
	}
	w.after(w.Undo)
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Sent {
		t.Errorf("scope: %s, %s", n.State, n.Why)
	}
	if n := len(w.subjects("Keys")); n != 0 {
		t.Errorf("Keys still holds %q", w.subjects("Keys"))
	}
	list := unwrapped(w.do("key list acme"))
	for _, word := range []string{"found 2026-12-01 confirmed", "confirmed by ana: phone, 1 Dec", "confirmed by ana: phone again", "confirmed by ben: card, 2 Dec"} {
		if !strings.Contains(list, word) {
			t.Errorf("key list lacks %q:\n%s", word, list)
		}
	}
}

// The operator counts as one of them, and the other cases of the party go by
// their own policy.
func TestS7_SecondPersonByPolicy(t *testing.T) {
	t.Parallel()
	w := twoPeople(t)
	acme := w.person("acme", psirt)
	w.do("vendor add acme " + psirt)
	w.pins("acme", acme, keyring.Found)
	lax := storyPolicy(t)
	lax.Name = "lax"
	w.Policies["lax"] = lax
	two := w.started("acme")
	one := cvd.FindCaseIDs(w.do(`case open "Another" policy lax`))[0]
	w.material(one, cvd.Scope, "the scope text "+canary(cvd.Scope))
	w.in(one, "invite acme wave 1", "start now")
	w.after(5 * w.Undo)
	for _, id := range []cvd.CaseID{one, two} {
		w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	}
	w.as(anaSigned, "key confirm acme "+acme.Fingerprint()+" evidence phone")
	w.after(25 * time.Hour)
	if n := w.notice(one, "acme", cvd.Scope); n.State != cvd.Sent {
		t.Errorf("one person: scope %s, %s", n.State, n.Why)
	}
	w.wantHeld(two, "acme", cvd.Scope, "a second coordinator")
	w.do("key confirm acme " + acme.Fingerprint() + " evidence card")
	w.after(w.Undo)
	if n := w.notice(two, "acme", cvd.Scope); n.State != cvd.Sent {
		t.Errorf("two people: scope %s, %s", n.State, n.Why)
	}
}

// The old key stays in force until the second person typed the new one, and the
// pause runs from then.
func TestS7_SecondPersonOfAChange(t *testing.T) {
	t.Parallel()
	w := twoPeople(t)
	w.KeyPause = 6 * time.Hour
	acme := w.vendor("acme")
	w.as(benSigned, "key confirm acme "+acme.Fingerprint()+" evidence card")
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	fresh := w.another("acme", "fresh", psirt)
	line := "key confirm acme " + fresh.Fingerprint() + " replaces " + acme.Fingerprint() + " evidence card"
	w.as(anaSigned, line)
	w.after(25 * time.Hour)
	if got := w.readersOf(psirt, acme, fresh); got[len(got)-1] != "acme" || w.notice(id, "acme", cvd.Scope).State != cvd.Sent {
		t.Fatalf("sealed to %q, scope %s", got, w.notice(id, "acme", cvd.Scope).State)
	}
	w.as(benSigned, line)
	w.after(5 * time.Hour)
	if got := w.planned(id, "acme", "3/4 details"); strings.Contains(got, "pause") {
		t.Errorf("the pause is over before details: %s", got)
	}
	w.after(20 * time.Hour)
	if got := w.readersOf(psirt, acme, fresh); got[len(got)-1] != "fresh" {
		t.Errorf("sealed to %q", got)
	}
}

// Fewer confirmers is laxer, and so counts only signed.
func TestA3_FewerConfirmersIsLaxer(t *testing.T) {
	t.Parallel()
	strict, lax := cvd.Policy{Confirmers: 2}, cvd.Policy{}
	if got := easier(strict, lax); !strings.Contains(got, "1 confirmed, not 2") {
		t.Errorf("%q", got)
	}
	if got := easier(lax, strict); got != "" {
		t.Errorf("stricter: %q", got)
	}
}

// Members have keys of their own: a user ID or a person tells which address a
// key serves, all usable keys are encrypted to, who has none holds nobody up.
func TestS7_Members(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.vendor("acme")
	w.do("member add acme jo@acme.example", "member add acme li@acme.example", "member add acme mo@acme.example")
	jo, li := w.person("jo", "jo@acme.example"), w.person("li", "li@home.example")
	for _, p := range []*mailtest.Person{jo, li} {
		if _, err := w.desk.ImportKey(theOperator, "acme", p.PublicKey(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.key("acme", jo).Address; got != jo.Address {
		t.Errorf("jo's key serves %q", got)
	}
	w.refuses(theOperator, "is no address of acme", "key confirm acme "+li.Fingerprint()+" for li@home.example evidence phone")
	w.do("key confirm acme "+jo.Fingerprint()+" evidence phone", "key confirm acme "+li.Fingerprint()+" for LI@acme.example evidence phone")
	if got := w.key("acme", li).Address; got != "li@acme.example" {
		t.Errorf("li's key serves %q", got)
	}
	list := unwrapped(w.do("key list acme"))
	for _, word := range []string{"no key of mo@acme.example is known", "serves li@acme.example, which is in none of its user IDs"} {
		if !strings.Contains(list, word) {
			t.Errorf("key list lacks %q:\n%s", word, list)
		}
	}
	if strings.Contains(list, "no key of jo@") || strings.Contains(list, "no key of li@") {
		t.Errorf("key list: %s", list)
	}
	w.started1("acme")
	if got := w.readersOf(psirt, acme, jo, li); !slices.Equal(got, []string{"acme+jo+li"}) {
		t.Errorf("sealed to %q", got)
	}
	for _, a := range []string{"jo@acme.example", "li@acme.example", "mo@acme.example"} {
		if n := len(w.sink.To(a)); n != 0 {
			t.Errorf("%s got %d mails", a, n)
		}
	}
}

// What was stored before all evidence was kept reads on, with its one word as
// the first.
func TestS7_OldRecords(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		record string
		want   []keyring.Voucher
		by     []string
	}{
		"confirmed": {`{"Owner":"acme","fingerprint":"AB","trust":"confirmed","evidence":"phone, 3 Dec","address":"a@x","since":"2026-12-01T09:00:00Z","cert":"AAE=","confirmed_by":"ana"}`,
			[]keyring.Voucher{{By: "ana", At: storyStart, Trust: keyring.Confirmed, Words: "phone, 3 Dec"}}, []string{"ana"}},
		"claimed": {`{"Owner":"acme","fingerprint":"AB","trust":"claimed","evidence":"from a file","since":"2026-12-01T09:00:00Z","cert":"AAE="}`,
			[]keyring.Voucher{{At: storyStart, Trust: keyring.Claimed, Words: "from a file"}}, nil},
		"new": {`{"Owner":"acme","fingerprint":"AB","trust":"found","vouchers":[{"at":"2026-12-01T09:00:00Z","trust":"found","words":"WKD"}],"since":"2026-12-01T09:00:00Z","cert":"AAE="}`,
			[]keyring.Voucher{{At: storyStart, Trust: keyring.Found, Words: "WKD"}}, nil},
	} {
		var k PinnedKey
		if err := json.Unmarshal([]byte(row.record), &k); err != nil {
			t.Fatal(err)
		}
		if k.Owner != "acme" || k.Fingerprint != "AB" || !slices.Equal(k.Evidence, row.want) || !slices.Equal(k.Confirmers(), row.by) {
			t.Errorf("%s: %+v", name, k)
		}
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		var back PinnedKey
		if err := json.Unmarshal(b, &back); err != nil || !slices.Equal(back.Evidence, k.Evidence) || back.Owner != k.Owner {
			t.Errorf("%s: it reads back as %+v, %v", name, back, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"trust":"golden"}`), &PinnedKey{}); err == nil {
		t.Error("a broken record was read")
	}
}

// A key that comes again with every mail writes nothing, and nothing waits for
// the undo window because of it.
func TestS7_SameKeyAgainIsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.brings("acme", w.people["acme"])
	before := w.notice(id, "acme", cvd.Scope)
	w.clock.Advance(time.Hour)
	w.brings("acme", w.people["acme"])
	if after := w.notice(id, "acme", cvd.Scope); !after.LastAct.Equal(before.LastAct) || len(w.key("acme", w.people["acme"]).Evidence) != 2 {
		t.Errorf("last act %s, then %s; %d vouchers", before.LastAct, after.LastAct, len(w.key("acme", w.people["acme"]).Evidence))
	}
}
