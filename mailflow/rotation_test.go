package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// The whole way of a key: announced to everybody who was told something, taking
// over at its instant whatever happens to the process, and the old one retired.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	finder := w.person("finder", "f@finder.example")
	w.reported(finder, "a report", "words")
	second := w.person("second", "s@second.example")
	w.reported(second, "another report", "words")
	w.do(`case open "Another flaw" policy fast report 2`)
	keyless := w.person("keyless", "k@keyless.example")
	w.arrives(keyless.Address, reportTo, mailtest.Plain(keyless.Address, reportTo, "in clear", "words", w.clock.Now()))
	w.settle()
	clear := len(w.sink.To(keyless.Address))
	counts := map[string]int{}
	for _, name := range []string{"acme", "globex", "finder", "second"} {
		counts[name] = len(w.received(name))
	}
	old := w.signer().Certificate()
	signs := w.clock.Now().Add(7 * cvd.Day)
	next := w.rotates(signs, signs.AddDate(3, 0, 0))
	if next.State != OwnNext || w.fpr() != old.Fingerprint() {
		t.Fatalf("%s signs, and the new one is %s", w.fpr(), next.State)
	}
	w.after(5 * time.Minute)
	old = w.signer().Certificate() // certified by the next one by now
	if !next.Certificate.CertifiedBy(old, w.ReportAddress(), w.clock.Now()) || !old.CertifiedBy(next.Certificate, w.ReportAddress(), w.clock.Now()) {
		t.Error("the two keys do not vouch for each other")
	}
	for name, others := range map[string][]string{"acme": {"globex", "finder.example"}, "globex": {"acme", "finder.example"}, "finder": {"acme", "globex", "PAR-"}, "second": {"acme", "globex", "f@finder"}} {
		m := w.newest(name, counts[name], 1)[0]
		m.speaksOf(w, old, next.Certificate)
		w.announces(name, m, old, next, signs, others)
	}

	if got := len(w.sink.To(keyless.Address)) - clear; got != 0 || w.countIn("Held", "key to") != 0 {
		t.Errorf("somebody who never got anything that relies on a key got %d mails; Held: %q", got, w.subjects("Held"))
	}
	w.asksForTheKey("before@asks.example", old, next.Certificate)

	// A new participant learns it with its first notice.
	w.vendor("initech")
	w.do("case "+string(id), "invite initech wave 1")
	w.after(5 * w.Undo)
	w.newest("initech", 0, 1)[0].speaksOf(w, old, next.Certificate)

	// The next key opens mail at once, and is one of us.
	w.writesTo(next.Certificate, "acme", w.thread(id, "acme"), "to the next key")
	if got := w.signatureIn(id, "Vendor acme"); !strings.HasPrefix(got, "good; party=acme") {
		t.Errorf("a mail meant for the next key: %s", got)
	}

	w.restart()
	w.after(signs.Sub(w.clock.Now()) - time.Minute)
	if w.fpr() != old.Fingerprint() || w.journalled("own-key.signs") != 0 {
		t.Fatal("the next key signs too early")
	}
	w.restart() // and a process that starts late does what fell due meanwhile
	w.clock.Advance(2 * time.Minute)
	w.settle()
	w.settle()
	if w.fpr() != next.Fingerprint() || w.journalled("own-key.signs") != 1 {
		t.Fatalf("%s signs; the switch is on record %d times", w.fpr(), w.journalled("own-key.signs"))
	}
	fresh := w.signer().Certificate()
	counts["acme"] = len(w.received("acme"))
	w.answersSigner(id, "acme", "HELP "+string(id)+"\n")
	w.newest("acme", counts["acme"], 1)[0].speaksOf(w, fresh)
	if merged, _, err := keyring.Merge(next.Certificate, fresh); err != nil || !merged.CertifiedBy(old, w.ReportAddress(), w.clock.Now()) {
		t.Errorf("a peer that merges our certificates cannot follow: %v", err)
	}

	w.asksForTheKey("after@asks.example", fresh)

	// The old key opens mail, and is one of us still.
	w.writesTo(old, "acme", w.thread(id, "acme"), "to the old key")
	if got := w.signatureIn(id, "Vendor acme"); !strings.HasPrefix(got, "good; party=acme") {
		t.Errorf("a mail meant for the old key: %s", got)
	}
	w.refusesToRetire(fresh.Fingerprint(), "it signs", "signs; rotate first")
	w.retiredFor(id, old)
	if report, err := w.Store.Verify(t.Context()); err != nil || len(report.Problems) > 0 {
		t.Errorf("the store: %v, %v", report.Problems, err)
	}
}

// announces checks the letter about a change.
func (w *world) announces(name string, m ownedMail, old *keyring.Certificate, next OwnKey, signs time.Time, others []string) {
	w.t.Helper()
	for _, want := range []string{"Our OpenPGP key changes on " + signs.Format("Mon 2 Jan 2006")} {
		if !strings.HasSuffix(m.Subject, want) {
			w.t.Errorf("%s: the Subject is %q", name, m.Subject)
		}
	}
	for _, want := range []string{old.Fingerprint().Spaced(), next.Fingerprint().Spaced(), signs.Format("2 January 2006, 15:04 UTC"), "doubt it"} {
		if !strings.Contains(m.Text, want) {
			w.t.Errorf("%s: the letter lacks %q:\n%s", name, want, m.Text)
		}
	}
	for _, o := range others {
		if strings.Contains(string(m.Inner), o) {
			w.t.Errorf("the letter to %s names %s", name, o)
		}
	}
	if !m.Attached[1].CertifiedBy(m.Attached[0], w.ReportAddress(), w.clock.Now()) {
		w.t.Errorf("%s cannot follow from one certificate to the other", name)
	}
}

// asksForTheKey mails report-key@, and wants an answer that the first of these
// keys signs and that brings all of them.
func (w *world) asksForTheKey(from string, keys ...*keyring.Certificate) {
	w.t.Helper()
	p, to := w.person(from, from), "report-key@vdp.example.org"
	w.arrives(p.Address, to, mailtest.Plain(p.Address, to, "your key", "please", w.clock.Now()))
	w.settle()
	got := w.mails(p) // verified with the key that signs now
	if len(got) != 1 || got[0].Signer != string(keys[0].Fingerprint()) {
		w.t.Fatalf("report-key@ answered %d times", len(got))
	}
	certs, err := keyring.ParseCertificates([]byte(got[0].Files["our-key.asc"]))
	if err != nil || len(certs) != len(keys) || certs[0].Fingerprint() != keys[0].Fingerprint() {
		w.t.Errorf("report-key@ answers with %d certificates: %v", len(certs), err)
	}
}

// answersSigner lets a person answer, encrypted to the key that signs now.
func (w *world) answersSigner(id cvd.CaseID, name, text string) {
	w.t.Helper()
	w.writesTo(w.signer().Certificate(), name, w.thread(id, cvd.PartyID(name)), text)
}

func (w *world) refusesToRetire(f keyring.Fingerprint, what, why string) {
	w.t.Helper()
	if err := w.retires(f); err == nil || !strings.Contains(err.Error(), why) {
		w.t.Errorf("%s: %v", what, err)
	}
}

// retiredFor retires a key: what comes for it then is kept, and only the desk
// learns why it is not opened.
func (w *world) retiredFor(id cvd.CaseID, old *keyring.Certificate) {
	w.t.Helper()
	w.refusesToRetire("0123456789012345678901234567890123456789", "nobody's", "no key of ours")
	if err := w.retires(old.Fingerprint()); err != nil {
		w.t.Fatal(err)
	}
	w.refusesToRetire(old.Fingerprint(), "again", "was retired")
	w.restart()
	sent, before := len(w.sink.To(w.people["acme"].Address)), len(w.filed("Quarantine"))
	raw := w.writesTo(old, "acme", w.thread(id, "acme"), "to the retired key")
	w.quarantined(before, raw, "our key "+old.Fingerprint().Spaced()+", which was retired 2026-12-0")
	raw = w.writesTo(w.asOurs(w.people["globex"]).Certificate(), "acme", w.thread(id, "acme"), "to somebody else's key")
	m := w.quarantined(before+1, raw, "cannot be decrypted (no-key)")
	if strings.Contains(w.words(m), "retired") {
		w.t.Error("a mail to somebody else's key is said to be for a retired one")
	}
	if got := len(w.sink.To(w.people["acme"].Address)); got != sent {
		w.t.Errorf("the sender got %d mails because of it", got-sent)
	}
}

// Nothing that was sealed while the key changed is half of one key and half of
// another, and nothing is lost or sent twice.
func TestRotation_WhileMailsLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	vendors := []string{"acme", "globex", "initech", "umbrella", "hooli", "wonka", "tyrell", "cyberdyne"}
	id := w.caseWith(vendors...)
	w.in(id, "start now")
	w.clock.Advance(5 * time.Minute)
	done := make(chan error)
	go func() {
		var err error
		for err == nil && len(w.Own.All()) < 4 {
			_, err = w.RotateKey(theOperator, Rotation{Algorithm: keyring.Ed25519, Signs: w.clock.Now()})
		}
		done <- err
	}()
	w.settle()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.after(5 * time.Minute)
	for _, v := range vendors {
		stages := 0
		for _, m := range w.received(v) {
			m.speaksOf(w, m.Attached...)
			if strings.Contains(m.Subject, "Heads-up") {
				stages++
			}
		}
		if stages != 1 {
			t.Errorf("%s got the heads-up %d times", v, stages)
		}
	}
	states := map[OwnState]int{}
	for _, k := range w.Own.All() {
		states[k.State]++
	}
	if states[OwnSigning] != 1 || states[OwnOld] != 3 {
		t.Errorf("the keys are %v", states)
	}
}

func TestRotation_Refused(t *testing.T) {
	t.Parallel()
	end := storyStart.Add(30 * cvd.Day)
	w := newWorldUntil(t, end)
	now := w.clock.Now()
	for _, row := range []struct {
		why            string
		signs, expires time.Time
	}{
		{"would be over before it signs", now.Add(7 * cvd.Day), now.Add(6 * cvd.Day)},
		{"would be over before it signs", now, now.Add(-cvd.Day)},
		{"nothing could be signed", end.Add(time.Second), time.Time{}},
	} {
		if _, err := w.RotateKey(theOperator, Rotation{Algorithm: keyring.Ed25519, Signs: row.signs, Expires: row.expires}); err == nil || !strings.Contains(err.Error(), row.why) {
			t.Errorf("signs %v, expires %v: %v", row.signs, row.expires, err)
		}
	}
	next := w.rotates(end, time.Time{})
	if _, err := w.RotateKey(theOperator, Rotation{Algorithm: keyring.Ed25519, Signs: now}); err == nil || !strings.Contains(err.Error(), "announced already") {
		t.Errorf("a second next key: %v", err)
	}
	w.refusesToRetire(next.Fingerprint(), "the next key", "is announced and will sign")
	if _, err := w.ExtendKey(theOperator, end); err == nil {
		t.Error("it was extended to when it ends anyway")
	}
	if len(w.Own.All()) != 2 || w.journalled("own-key.announced") != 1 {
		t.Errorf("%d keys, %d announcements", len(w.Own.All()), w.journalled("own-key.announced"))
	}
}

// A clock that jumped pauses sending, and must not change the key for good.
func TestRotation_WaitsWhileSendingIsPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next := w.rotates(w.clock.Now().Add(7*cvd.Day), time.Time{})
	w.clock.Jump(30 * cvd.Day)
	w.settle()
	if w.fpr() == next.Fingerprint() {
		t.Fatal("a jump of the clock changed our key")
	}
	w.do("sending resume")
	if w.fpr() != next.Fingerprint() {
		t.Error("the next key does not sign after a person looked")
	}
}

// A letter about a change that had to wait says what is so when it leaves; one
// about an earlier change is not sent any more.
func TestRotation_LettersThatWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	first := w.signer().Certificate()
	w.in(id, `hold acme because "new contact"`)
	second := w.rotates(w.clock.Now().Add(cvd.Day), time.Time{})
	w.after(2 * cvd.Day)
	if w.fpr() != second.Fingerprint() {
		t.Fatal("the switch did not happen")
	}
	third := w.rotates(w.clock.Now(), time.Time{})
	w.in(id, "release acme")
	w.after(10 * time.Minute)
	m := w.newest("acme", 1, 1)[0]
	now, before := w.signer().Certificate(), w.Own.All()[1].Certificate
	if now.Fingerprint() != third.Fingerprint() || before.Fingerprint() != second.Fingerprint() {
		t.Fatal("the third key does not sign in place of the second")
	}
	m.speaksOf(w, now, before)
	if !strings.HasSuffix(m.Subject, "Our OpenPGP key has changed") || strings.Contains(m.Text, first.Fingerprint().Spaced()) {
		t.Errorf("%q:\n%s", m.Subject, m.Text)
	}
	if !strings.Contains(m.Text, "which the one before it has\ncertified") {
		t.Errorf("it does not say how to check it:\n%s", m.Text)
	}
}

// What was written and approved before the change leaves with the new key, its
// fingerprint, and the yes that it has.
func TestRotation_KeepsApprovalsAndWritesTheNewFingerprint(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	yes := w.request(cvd.Scope)
	if err := w.press(benByGesture, "Approve", yes.ID); err != nil {
		t.Fatal(err)
	}
	w.in(id, `hold acme because "wait"`)
	w.answers("acme", id, true, "HELP "+string(id)+"\n")
	w.after(10 * time.Minute)
	old, before := w.fpr(), len(w.received("acme"))
	w.rotates(w.clock.Now(), time.Time{})
	w.in(id, "release acme")
	w.after(2 * cvd.Day)
	if again := w.requests(cvd.Scope); len(again) != 0 {
		t.Errorf("the approval was asked for again: %v", again)
	}
	if !w.heard("acme", cvd.Scope) {
		t.Error("what was approved did not leave")
	}
	mails := w.received("acme")[before:]
	if !slices.ContainsFunc(mails, func(m ownedMail) bool { return strings.Contains(m.Subject, "Understood") }) {
		t.Fatal("the letter that waited did not leave")
	}
	for _, m := range mails {
		m.speaksOf(w, m.Attached...)
		if m.Signer == string(old) {
			t.Errorf("%q is signed by the old key", m.Subject)
		}
	}
}

// A kill between the two steps of a retirement leaves no secret behind.
func TestH3_RetirementThatWasCutShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.signer()
	w.rotates(w.clock.Now(), time.Time{})
	if err := w.Store.Shred(ownScope(w.Own.All()[1].Number), w.unlock); err != nil {
		t.Fatal(err)
	}
	w.restart()
	k, ok := w.Own.now.Load().find(old.Certificate().Fingerprint())
	if !ok || k.State != OwnRetired || k.Secret != nil || len(w.Own.Secrets()) != 1 {
		t.Errorf("it is %v", k)
	}
	w.view(func(tx *store.Tx) error {
		if ownSecrets.Count(tx, nil) != 1 {
			t.Error("its row is still there")
		}
		return nil
	})
}

// A store from before keys had states opens as it is, once.
func TestOldStoresOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var secrets []*keyring.Secret
	for range 2 {
		s, err := keyring.Generate("Parley", "report@vdp.example.org", keyring.Ed25519, storyStart)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, s)
	}
	w.update(func(tx *store.Tx) error {
		if err := ownRows.Delete(tx, store.Seq(1)); err != nil {
			return err
		}
		for i, s := range secrets {
			if err := firstKeys.Put(tx, DeskScope, store.Seq(uint64(i+1)), ownSecret{s.Bytes()}); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		w.restart()
		all := w.Own.All()
		if len(all) != 2 || all[0].State != OwnSigning || all[1].State != OwnOld || w.fpr() != secrets[1].Certificate().Fingerprint() ||
			all[1].Fingerprint() != secrets[0].Certificate().Fingerprint() {
			t.Fatalf("the keys are %v", all)
		}
	}
	if n := w.journalled("own-key.moved"); n != 1 {
		t.Errorf("moved %d times", n)
	}
	w.view(func(tx *store.Tx) error {
		if firstKeys.Count(tx, nil) != 0 {
			t.Error("the old rows are still there")
		}
		return nil
	})
	w.update(func(tx *store.Tx) error {
		for r, err := range ownRows.All(tx, nil) {
			if err != nil {
				return err
			}
			if err := ownRows.Delete(tx, r.Key); err != nil {
				return err
			}
		}
		return nil
	})
	if _, err := OpenOwnKeys(w.Store); err == nil || !strings.Contains(err.Error(), ErrNoOwnKey.Error()) {
		t.Errorf("a store without a key: %v", err)
	}
}

// Who is told by hand gets no letter: it could only be held, for good.
func TestRotation_NotByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.do("vendor edit globex channel hand")
	w.rotates(w.clock.Now().Add(cvd.Day), time.Time{})
	w.after(w.Undo)
	for party, want := range map[cvd.PartyID]int{"acme": 1, "globex": 0} {
		n := 0
		w.view(func(tx *store.Tx) error {
			all, err := Notices(tx, id, party)
			for _, m := range all {
				if m.Kind == cvd.KindKey {
					n++
				}
			}
			return err
		})
		if n != want {
			t.Errorf("%s: %d letters about our key, want %d", party, n, want)
		}
	}
	if held := w.subjects("Held"); len(held) != 0 {
		t.Errorf("Held shows %q", held)
	}
}
