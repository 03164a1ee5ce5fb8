package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// A revocation that comes with a newer copy counts at once: held, a question in
// Keys, the contact asked.
func TestS7_RevocationCountsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme := w.people["acme"]
	w.answers("acme", id, true, "ACK\n")
	w.after(time.Hour)
	w.revokes(acme)
	w.brings("acme", acme)
	if w.countIn("Keys", "acme's key can no longer be used") != 1 || !strings.Contains(unwrapped(w.text("Keys")), "revoked on 2026-12-01") {
		t.Errorf("Keys holds %q", w.subjects("Keys"))
	}
	w.after(w.Undo)
	notes := w.notesTo(acme, psirt)
	if len(notes) != 1 || !strings.Contains(notes[0].Text, "can no longer be used") {
		t.Fatalf("%d notes to the contact", len(notes))
	}
	if plan := w.planned(id, "acme", "2/4 scope"); !strings.Contains(plan, "revoked") {
		t.Errorf("plan: %s", plan)
	}
	w.after(cvd.Day)
	w.wantHeld(id, "acme", cvd.Scope, "revoked on 2026-12-01")
}

// A new encryption subkey is offered, not used, until a person agrees to it.
func TestS7_NewSubkeyAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	acme := w.people["acme"]
	w.answers("acme", id, true, "ACK\n")
	oldID := w.got("acme")[0].Keys
	w.clock.Advance(time.Hour)
	sub := w.newSubkey(acme)
	w.brings("acme", acme)
	w.brings("acme", acme) // asked once
	line := "key adopt acme " + string(sub)
	if w.countIn("Keys", "acme's key has a new encryption subkey") != 1 || !strings.Contains(w.text("Keys"), line) {
		t.Errorf("Keys holds %q", w.subjects("Keys"))
	}
	if list := unwrapped(w.do("key list acme")); !strings.Contains(list, "offers the new encryption subkey "+sub.Spaced()) {
		t.Errorf("key list: %s", list)
	}
	w.after(cvd.Day)
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Sent || !slices.Equal(w.got("acme")[1].Keys, oldID) {
		t.Errorf("scope is %s, to %X, want %X", n.State, w.got("acme")[1].Keys, oldID)
	}
	w.refuses(Actor{Name: "ana", Via: ViaMail}, "counts only signed", line+" evidence phone")
	w.refuses(anaSigned, "is none of the encryption subkeys that keys of acme offer", "key adopt acme "+acme.Fingerprint()+" evidence phone")
	w.refuses(anaSigned, "the evidence is missing", line)
	w.refuses(anaSigned, "no key of globex offers", "vendor add globex psirt@globex.example", "key adopt globex "+string(sub)+" evidence phone")
	if said := w.as(anaSigned, line+` evidence "phone, 2 Dec"`); !said.Done() {
		t.Fatal(said)
	}
	if n := len(w.subjects("Keys")); n != 0 {
		t.Errorf("Keys still holds %q", w.subjects("Keys"))
	}
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(cvd.Day)
	mails := w.got("acme")
	if last := mails[len(mails)-1]; slices.Equal(last.Keys, oldID) || len(last.Keys) != 1 {
		t.Errorf("after the word it goes to %X", last.Keys)
	}
	k := w.key("acme", acme)
	if k.Trust != keyring.Confirmed || !slices.Equal(k.Confirmers(), []string{"ana"}) || len(k.Offered) != 0 || !strings.Contains(unwrapped(w.do("key list acme")), "by ana: subkey "+sub.Spaced()+": phone, 2 Dec") {
		t.Errorf("on record: %s by %q", k.Trust, k.Confirmers())
	}
}

// Where the old subkey has ended and nobody agreed to the new one, it is held
// for that reason, and goes once somebody did.
func TestS7_OldSubkeyEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme := w.people["acme"]
	w.answers("acme", id, true, "ACK\n")
	w.clock.Advance(time.Hour)
	sub := w.newSubkey(acme)
	w.must(acme.Entity.RevokeSubkey(&acme.Entity.Subkeys[0], packet.KeySuperseded, "", &packet.Config{Time: w.clock.Now}))
	w.brings("acme", acme)
	for _, subject := range []string{"new encryption subkey", "can no longer be used"} {
		if w.countIn("Keys", subject) != 1 {
			t.Errorf("Keys holds %q, want %q", w.subjects("Keys"), subject)
		}
	}
	w.after(cvd.Day)
	w.wantHeld(id, "acme", cvd.Scope, "its encryption subkey: revoked", "offers a new encryption subkey that nobody adopted")
	w.do("key adopt acme " + string(sub) + " evidence phone")
	w.after(w.Undo)
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Sent {
		t.Errorf("scope is %s, %s", n.State, n.Why)
	}
}

// What ends a key is asked for the day on which a notice falls due, in the plan
// as at the gate, and not for today.
func TestS3_KeyOnTheDay(t *testing.T) {
	t.Parallel()
	const lasts = 36 * time.Hour // after scope, before details
	for name, row := range map[string]struct {
		ends func(w *world, p *mailtest.Person)
		why  string
	}{
		"primary key": {func(_ *world, p *mailtest.Person) { expires(t, p, lasts) }, "expired on 2026-12-02"},
		"subkey": {func(w *world, p *mailtest.Person) {
			w.resign(p, func(s *packet.Signature) { s.KeyLifetimeSecs = secs(lasts) })
		}, "its encryption subkey: expired on 2026-12-02"},
		"binding signature": {func(w *world, p *mailtest.Person) {
			w.resign(p, func(s *packet.Signature) { s.SigLifetimeSecs = secs(lasts) })
		}, "it has no encryption subkey"},
		"self-signature": {func(w *world, p *mailtest.Person) {
			for _, id := range p.Entity.Identities {
				id.SelfSignature.SigLifetimeSecs = secs(lasts)
				w.must(id.SelfSignature.SignUserId(id.UserId.Id, p.Entity.PrimaryKey, p.Entity.PrivateKey, nil))
			}
		}, "its self-signature does not count at this time"},
		"revocation to come": {func(w *world, p *mailtest.Person) {
			later := w.clock.Now().Add(lasts)
			w.must(p.Entity.RevokeKey(packet.KeySuperseded, "", &packet.Config{Time: func() time.Time { return later }}))
		}, "revoked on 2026-12-02"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.person("acme", psirt)
			row.ends(w, p)
			w.do("vendor add acme " + psirt)
			w.pins("acme", p, keyring.Confirmed)
			id := w.started("acme")
			w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
			if line := w.planned(id, "acme", "2/4 scope"); strings.Contains(line, "missing") || !strings.Contains(line, "key "+p.Fingerprint()+" confirmed expires 2026-12-02") {
				t.Errorf("on the day of scope: %s", line)
			}
			for _, stage := range []string{"3/4 details", "4/4 public"} {
				if line := w.planned(id, "acme", stage); !strings.Contains(line, "missing: ") || !strings.Contains(line, row.why) {
					t.Errorf("on the day of %s: %s", stage, line)
				}
			}
			if a := stoppedBy(w.onTheDay(w.notice(id, "acme", cvd.Details)), "somebody vouches for a key that can be used"); a == nil || a.Decision != HoldIt || !strings.Contains(a.Why, row.why) || !a.NoKey {
				t.Errorf("asked today for the day of details: %+v", a)
			}
			if a := MayRelease(w.onTheDay(w.notice(id, "acme", cvd.Scope))); a.Decision != Release {
				t.Errorf("asked today for the day of scope: %+v", a)
			}
			w.after(50 * time.Hour)
			if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Sent {
				t.Errorf("scope is %s, %s", n.State, n.Why)
			}
			w.wantHeld(id, "acme", cvd.Details, row.why)
		})
	}
}

// onTheDay is what the gate is asked about a notice on the day that it falls
// due, as it can be known today.
func (w *world) onTheDay(n cvd.Notice) (q Question) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		p, err := w.gather(tx, dueRow{Case: n.Case, Party: n.Party, Notice: n.ID}, n.Due, &looks{})
		if err == nil {
			q = p.Question
		}
		return err
	})
	return q
}

func secs(d time.Duration) *uint32 {
	n := uint32(d / time.Second)
	return &n
}

// resign binds a person's encryption subkey anew after an edit.
func (w *world) resign(p *mailtest.Person, edit func(*packet.Signature)) {
	w.t.Helper()
	s := p.Entity.Subkeys[0]
	edit(s.Sig)
	w.must(s.Sig.SignKey(s.PublicKey, p.Entity.PrivateKey, nil))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
