package mailflow

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// keyless is a started case with one vendor that has a key and one for which
// give puts something else on record.
func keyless(t *testing.T, give func(w *world, p *mailtest.Person)) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	p := w.person("globex", "psirt@globex.example")
	w.do("vendor add globex " + p.Address)
	give(w, p)
	id := w.caseWith("acme", "globex")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	return w, id
}

// pins puts a key of a person on record.
func (w *world) pins(party string, p *mailtest.Person, trust keyring.Trust) {
	w.t.Helper()
	f, err := keyring.ParseFingerprint(p.Fingerprint())
	if err != nil {
		w.t.Fatal(err)
	}
	w.update(func(tx *store.Tx) error {
		return w.addKey(tx, party, keyring.Pinned{Fingerprint: f, Trust: trust, Address: p.Address, Cert: w.bytes(p)})
	})
}

// No usable verified key: held, told to the desk, nothing of the case in
// clear, the contact asked once, and the other vendors go on.
func TestV5_NoKey(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		give func(w *world, p *mailtest.Person)
		why  string
	}{
		"none":    {func(*world, *mailtest.Person) {}, "no key of globex is known"},
		"claimed": {func(w *world, p *mailtest.Person) { w.pins("globex", p, keyring.Claimed) }, "only claimed, found is needed"},
		"rejected": {func(w *world, p *mailtest.Person) {
			w.pins("globex", p, keyring.Confirmed)
			w.do("key reject globex " + p.Fingerprint() + ` because "not theirs"`)
		}, "rejected"},
		"expired": {func(w *world, p *mailtest.Person) {
			expires(t, p, time.Minute)
			w.pins("globex", p, keyring.Confirmed)
		}, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := keyless(t, row.give)
			w.told("acme", "Heads-up")
			n := w.notice(id, "globex", cvd.HeadsUp)
			if n.State != cvd.Held || !strings.Contains(n.Why, row.why) {
				t.Fatalf("heads-up to globex: %s, %s", n.State, n.Why)
			}
			for _, folder := range []string{"INBOX", "Held"} {
				if w.countIn(folder, "Held: heads-up to globex") != 1 {
					t.Errorf("%s holds %q", folder, w.subjects(folder))
				}
			}
			w.steps(6*time.Hour, 20*time.Hour)
			w.contactIsEmpty(id, w.people["globex"])
			if got := w.participant(id, "globex").Reached; got != "" {
				t.Errorf("globex reached %s", got)
			}
		})
	}
}

// expires gives a person a key that ends soon.
func expires(t *testing.T, p *mailtest.Person, after time.Duration) {
	t.Helper()
	seconds := uint32(after / time.Second)
	for _, id := range p.Entity.Identities {
		id.SelfSignature.KeyLifetimeSecs = &seconds
		if err := id.SelfSignature.SignUserId(id.UserId.Id, p.Entity.PrimaryKey, p.Entity.PrivateKey, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// contactIsEmpty wants one signed mail in clear that tells nothing of a case,
// not even that it has a number.
func (w *world) contactIsEmpty(id cvd.CaseID, p *mailtest.Person) {
	w.t.Helper()
	mails := w.mails(p)
	if len(mails) != 1 || !mails[0].Clear {
		w.t.Fatalf("%s got %d mails", p.Name, len(mails))
	}
	m, who := mails[0], w.participant(id, cvd.PartyID(p.Name))
	if word := m.find([]string{string(id), who.Token, "case+", "heads-up", "vulnerab", "overflow", canary(cvd.Scope), w.DeskDomain}); word != "" {
		w.t.Errorf("the contact mail holds %q:\n%s", word, m.Raw)
	}
	for _, word := range []string{"PAR-", "TLP", "embargo", "flaw", "acme", "severity", "security problem that", "stage"} {
		if strings.Contains(m.readable(), word) {
			w.t.Errorf("the contact mail says %q:\n%s", word, m.readable())
		}
	}
	if from := m.Outer.Get("From"); from != w.ReportAddress() || m.Outer.Get("Reply-To") != from {
		w.t.Errorf("From %q", from)
	}
	if !strings.Contains(m.Text, "which") && !strings.Contains(m.Outer.Get("Subject"), "Which key") || m.Files["our-key.asc"] == "" {
		w.t.Errorf("it does not ask for a key, or lacks ours: %q", m.Outer.Get("Subject"))
	}
}

// A good key that comes later releases what was held, and its mails are taken
// away.
func TestV5_GoodKeyReleases(t *testing.T) {
	t.Parallel()
	w, id := keyless(t, func(*world, *mailtest.Person) {})
	globex := w.people["globex"]
	w.steps(time.Hour, 30*time.Hour)
	w.pins("globex", globex, keyring.Claimed)
	w.after(time.Hour)
	if n := w.notice(id, "globex", cvd.HeadsUp); n.State != cvd.Held {
		t.Fatalf("a claimed key let the heads-up go: %s", n.State)
	}
	w.in(id, "key confirm globex "+globex.Fingerprint()+` evidence "phone, 3 Dec"`)
	w.after(w.Undo)
	w.told("globex", "Heads-up")
	for _, folder := range []string{"INBOX", "Held"} {
		if n := w.countIn(folder, "Held:"); n != 0 {
			t.Errorf("%s still holds %q", folder, w.subjects(folder))
		}
	}
	w.answers("globex", id, true, "ACK\n")
	w.told("globex", "Heads-up", "Scope")
}

// A key that ends while the case runs holds the next stage; the contact is told
// that something waits, and nothing else.
func TestV5_KeyEndsOnTheWay(t *testing.T) {
	t.Parallel()
	w, id := keyless(t, func(w *world, p *mailtest.Person) {
		expires(t, p, 12*time.Hour)
		w.pins("globex", p, keyring.Confirmed)
	})
	w.answers("globex", id, true, "ACK\n")
	w.after(cvd.Day)
	if n := w.notice(id, "globex", cvd.Scope); n.State != cvd.Held || !strings.Contains(n.Why, "expired") {
		t.Fatalf("scope: %s, %s", n.State, n.Why)
	}
	mails := w.mails(w.people["globex"])
	last := mails[len(mails)-1]
	if !last.Clear || last.find([]string{string(id), canary(cvd.Scope)}) != "" || regexp.MustCompile(`PAR-|TLP|scope|stage`).MatchString(last.readable()) {
		t.Errorf("the note is %q:\n%s", last.Outer.Get("Subject"), last.Raw)
	}
	w.told("acme", "Heads-up")
}

// A stage needs the trust that its policy says, and a key rejected between two
// stages is not used for the second.
func TestV5_TrustByStage(t *testing.T) {
	t.Parallel()
	w, id := keyless(t, func(w *world, p *mailtest.Person) { w.pins("globex", p, keyring.Found) })
	w.told("globex", "Heads-up")
	w.answers("globex", id, false, "ACK "+string(id)+" "+w.code("globex")+"\n")
	w.after(cvd.Day)
	if n := w.notice(id, "globex", cvd.Scope); n.State != cvd.Held || !strings.Contains(n.Why, "only found, confirmed is needed") {
		t.Fatalf("scope: %s, %s", n.State, n.Why)
	}
	globex := w.people["globex"]
	w.in(id, "key confirm globex "+globex.Fingerprint()+" evidence phone", "key reject globex "+globex.Fingerprint())
	w.after(time.Hour)
	w.told("globex", "Heads-up")
	if n := w.notice(id, "globex", cvd.Scope); n.State != cvd.Held || !strings.Contains(n.Why, "rejected") {
		t.Errorf("scope: %s, %s", n.State, n.Why)
	}
}

// Whoever is told by hand gets no mail, and the gate holds it for a person.
func TestV5_ByHand(t *testing.T) {
	t.Parallel()
	w, id := keyless(t, func(w *world, p *mailtest.Person) {
		w.pins("globex", p, keyring.Confirmed)
		w.do("vendor edit globex channel hand")
	})
	if n := w.notice(id, "globex", cvd.HeadsUp); n.State != cvd.Held || !strings.Contains(n.Why, "by hand") {
		t.Errorf("heads-up: %s, %s", n.State, n.Why)
	}
	if got := w.sink.To("psirt@globex.example"); len(got) != 0 {
		t.Errorf("globex got %d mails", len(got))
	}
}

// The one place that seals has no way to clear text: kinds that may go in clear
// are two, and both are written by templates without a case.
func TestV5_ClearKinds(t *testing.T) {
	t.Parallel()
	kinds := []cvd.NoticeKind{cvd.KindStage, cvd.KindContact, cvd.KindReminder, cvd.KindAnswer, cvd.KindReceipt, cvd.KindEmbargo, cvd.KindLetter, cvd.KindNote, cvd.KindKey}
	o := &Outbox{newWorld(t).Base}
	for _, k := range kinds {
		p := &parcel{Letter: &Letter{Subject: "s", Text: "t"}, Ours: o.Own.now.Load()}
		p.Notice.Kind, p.Now, p.Participant = k, storyStart, cvd.Participant{Party: "acme", Address: "psirt@acme.example", Token: cvd.NewToken()}
		_, err := o.seal(p)
		if clear := slices.Contains([]cvd.NoticeKind{cvd.KindContact, cvd.KindNote}, k); clear != (err == nil) {
			t.Errorf("%s without a key: %v", k, err)
		}
	}
}

// Where claimed is enough for a stage, a claimed key counts in answers only if the
// stage went out to it: one that somebody mails under the vendor's name afterwards
// does not, though a code of the notice would.
func TestS7_ClaimedAfterTheNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lax := w.Policies["fast"]
	lax.Stages = slices.Clone(lax.Stages)
	lax.Stages[0].Trust = cvd.Claimed
	w.Policies["fast"] = lax
	acme := w.person("acme", psirt)
	w.do("vendor add acme " + psirt)
	w.pins("acme", acme, keyring.Claimed)
	id := w.started("acme")
	upstart := w.another("acme", "upstart", psirt)
	to := w.thread(id, "acme")
	accept := mailtest.Entity("["+string(id)+"]", "ACCEPT "+string(id)+" v1\n")
	w.arrives(psirt, to, w.seal(upstart, to, true, accept))
	if w.who(id, "acme").Accepted() != 0 || w.countIn("Quarantine", "acme") != 1 {
		t.Errorf("a key that came later answers: Quarantine %q", w.subjects("Quarantine"))
	}
	w.arrives(psirt, to, w.seal(acme, to, true, accept))
	if w.who(id, "acme").Accepted() != 1 {
		t.Errorf("the key that the notice went to does not answer: Quarantine %q", w.subjects("Quarantine"))
	}
}
