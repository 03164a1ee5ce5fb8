package mailflow

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/courier"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// rigNow is when the desk of the tests opens.
var rigNow = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// deskRig is a desk on a store of its own, with two coordinators.
type deskRig struct {
	*Desk
	t  *testing.T
	mu sync.Mutex
	at time.Time
}

func newDeskRig(t *testing.T) *deskRig {
	t.Helper()
	r := &deskRig{t: t, at: rigNow}
	dir, unlock := filepath.Join(t.TempDir(), "state"), store.UnlockKey(bytes.Repeat([]byte{7}, 32))
	r.must(store.Create(dir, unlock))
	s, err := store.Open(store.Options{Dir: dir, Unlock: unlock, Now: r.now, NoSync: true})
	r.must(err)
	t.Cleanup(func() { _ = s.Close() }) // read only by then
	words, err := shippedWords()
	r.must(err)
	secret, err := keyring.Generate("Desk", "report@vdp.example.org", keyring.Ed25519, rigNow.Add(-time.Hour))
	r.must(err)
	policies := cvd.Shipped()
	policies["fast"] = fastPolicy()
	b := &Base{
		Settings: Settings{Domain: "vdp.example.org", DeskDomain: "desk.vdp.example.org", CasePrefix: "PAR",
			Subject: "Confidential message (encrypted)", Undo: 2 * time.Minute, CoolOff: 12 * time.Hour,
			Limits: message.DefaultLimits(), Policies: policies},
		Store: s, Own: NewOwnKeys(secret), Certs: keyring.NewCache(100), Templates: words, Guard: new(Guard),
		Queue: &queue.Queue{Store: s, GiveUp: cvd.Day, Now: r.now, Courier: answers{courier.Result{Outcome: courier.Unknown}}}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	b.Queue.Done = b.Delivered
	r.Desk = &Desk{b}
	r.update(func(tx *store.Tx) error {
		if err := b.ensureFolders(tx); err != nil {
			return err
		}
		for _, name := range []string{"ana", "ben"} {
			c := Coordinator{Name: name, Address: name + "@desk.vdp.example.org", Key: []byte("a key on file"), Added: tx.Now}
			if err := PutCoordinator(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	return r
}

// answers is the next mail server: what it says to every mail.
type answers struct{ courier.Result }

func (a answers) Deliver(context.Context, courier.Mail) courier.Result { return a.Result }

// fastPolicy is a disclosure in ten minutes that asks for no approval.
func fastPolicy() cvd.Policy {
	at := func(d time.Duration) cvd.When { return cvd.When{Offset: d} }
	return cvd.Policy{Name: "fast", Embargo: 10 * time.Minute, Wave: time.Second, Lead: 10 * time.Minute, Stages: []cvd.StageRule{
		{Stage: cvd.HeadsUp, At: at(0), Trust: cvd.Claimed, TLP: "AMBER+STRICT"},
		{Stage: cvd.Scope, At: at(2 * time.Second), Needs: []cvd.Need{cvd.Acknowledged}, Trust: cvd.Confirmed, TLP: "AMBER+STRICT"},
		{Stage: cvd.Details, At: at(4 * time.Second), Needs: []cvd.Need{cvd.Accepted}, Trust: cvd.Confirmed, TLP: "AMBER+STRICT"},
		{Stage: cvd.Public, At: cvd.When{FromEnd: true}, Trust: cvd.Claimed, TLP: "CLEAR"},
	}}
}

func (r *deskRig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

// after lets time pass.
func (r *deskRig) after(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

func (r *deskRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *deskRig) update(fn func(*store.Tx) error) {
	r.t.Helper()
	r.must(r.Store.Update(fn))
}

func (r *deskRig) view(fn func(*store.Tx) error) {
	r.t.Helper()
	r.must(r.Store.View(fn))
}

// Who gives commands.
var (
	asOperator = Actor{Name: Operator, Via: ViaOperator}
	asAna      = Actor{Name: "ana", Via: ViaMail}
	asAnaSigns = Actor{Name: "ana", Via: ViaMail, Signed: true}
	asBen      = Actor{Name: "ben", Via: ViaMail}
	asBenSigns = Actor{Name: "ben", Via: ViaMail, Signed: true}
	anaMoves   = Actor{Name: "ana", Via: ViaGesture}
)

// say gives commands and wants them done; it answers with the last result.
func (r *deskRig) say(by Actor, lines ...string) string {
	r.t.Helper()
	t, err := r.Do(context.Background(), by, lines)
	r.must(err)
	if !t.Done() {
		r.t.Fatalf("%s was refused:\n%s", by.Name, t)
	}
	return t.Lines[len(t.Lines)-1].Result
}

// refused gives commands, wants one refused with these words, and everything
// as it was.
func (r *deskRig) refused(by Actor, why string, lines ...string) {
	r.t.Helper()
	before := r.head()
	t, err := r.Do(context.Background(), by, lines)
	r.must(err)
	if t.Done() {
		r.t.Errorf("%q was done:\n%s", lines, t)
		return
	}
	if !strings.Contains(t.String(), why) {
		r.t.Errorf("%q: want a refusal with %q, got:\n%s", lines, why, t)
	}
	if r.head() != before {
		r.t.Errorf("%q was refused and left a record", lines)
	}
}

// head is the newest link of the journal.
func (r *deskRig) head() string {
	var link string
	r.view(func(tx *store.Tx) (err error) {
		_, link, err = journal.Head(tx)
		return err
	})
	return link
}

// kinds lists the kinds of the journal's records.
func (r *deskRig) kinds() []string {
	var out []string
	r.view(func(tx *store.Tx) error {
		return journal.Each(tx, func(_ uint64, rec journal.Record) error {
			out = append(out, rec.Kind)
			return nil
		})
	})
	return out
}

// openedCase opens PAR-2026-0001 with acme and globex in it, on the policy
// that asks for nothing, and gives "case PAR-2026-0001".
func (r *deskRig) openedCase() string {
	r.t.Helper()
	r.say(asOperator, "vendor add acme psirt@acme.example", "vendor add globex security@globex.example",
		`case open "Heap overflow in libfoo" policy fast`, "invite acme wave 1 footprint 40M", "invite globex wave 1")
	return "case PAR-2026-0001"
}

func (r *deskRig) theCaseIs(id cvd.CaseID) cvd.Case {
	r.t.Helper()
	var c cvd.Case
	r.view(func(tx *store.Tx) (err error) {
		c, err = CaseByID(tx, id)
		return err
	})
	return c
}

func (r *deskRig) participantIs(id cvd.CaseID, p cvd.PartyID) cvd.Participant {
	r.t.Helper()
	var who cvd.Participant
	r.view(func(tx *store.Tx) (err error) {
		who, err = ParticipantByID(tx, id, p)
		return err
	})
	return who
}

// stageNotice finds the notice of a stage that is not cancelled.
func (r *deskRig) stageNotice(id cvd.CaseID, p cvd.PartyID, s cvd.Stage) cvd.Notice {
	r.t.Helper()
	var found cvd.Notice
	r.view(func(tx *store.Tx) error {
		all, err := Notices(tx, id, p)
		for _, n := range all {
			if n.Kind == cvd.KindStage && n.Stage == s && n.State != cvd.Cancelled {
				found = n
			}
		}
		return err
	})
	return found
}

// haveLeft pretends that a stage left for a participant.
func (r *deskRig) haveLeft(id cvd.CaseID, p cvd.PartyID, s cvd.Stage) {
	r.t.Helper()
	n := r.stageNotice(id, p, s)
	r.update(func(tx *store.Tx) error {
		n.State, n.SentAt = cvd.Sent, tx.Now
		if err := putNotice(tx, n, time.Time{}); err != nil {
			return err
		}
		who, err := ParticipantByID(tx, id, p)
		if err != nil {
			return err
		}
		who.Reached = s
		return PutParticipant(tx, who)
	})
}

// giveKey pins a new key to a party.
func (r *deskRig) giveKey(p cvd.PartyID, addr string, trust keyring.Trust) keyring.Fingerprint {
	r.t.Helper()
	secret, err := keyring.Generate(string(p), addr, keyring.Ed25519, rigNow.Add(-time.Hour))
	r.must(err)
	cert := secret.Certificate()
	r.update(func(tx *store.Tx) error {
		return r.addKey(tx, string(p), keyring.Pinned{Fingerprint: cert.Fingerprint(), Trust: trust, Address: addr, Cert: cert.Bytes(), Evidence: []keyring.Voucher{{By: "ana", Words: "test"}}})
	})
	return cert.Fingerprint()
}

// writes puts material for a stage.
func (r *deskRig) writes(id cvd.CaseID, s cvd.Stage, text string) {
	r.t.Helper()
	r.update(func(tx *store.Tx) error {
		return r.putMaterial(tx, cvd.Material{Case: id, Stage: s, Author: "ana", Text: text})
	})
}

func TestDesk_LaterLinesSeeEarlierOnes(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	out := r.say(asOperator, "vendor add acme psirt@acme.example", "vendor add globex security@globex.example",
		`case open "Heap overflow" policy fast`, "invite acme wave 1 footprint 40M", "invite globex", "start now", "plan")
	for _, want := range []string{"acme  1/4 heads-up  2026-12-01T09:00Z  planned", "globex  3/4 details"} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, out)
		}
	}
	want := []string{"party.added", "party.added", "case.opened", "party.invited", "party.invited", "case.started"}
	if got := r.kinds(); !slices.Equal(got, want) {
		t.Errorf("journal: %q, want %q", got, want)
	}
}

func TestDesk_AllOrNothing(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	tr, err := r.Do(context.Background(), asOperator, []string{"vendor add acme psirt@acme.example", "case PAR-2026-0009", "status"})
	r.must(err)
	var got []string
	for _, l := range tr.Lines {
		got = append(got, string(l.Outcome)+": "+l.Result)
	}
	want := []string{
		"NOT DONE: taken back, since line 2 was refused",
		"NOT DONE: there is no case PAR-2026-0009; `status` lists the cases",
		"NOT DONE: not tried, since line 2 was refused",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	r.refused(asOperator, "no party", "case open x", "invite acme")
	if len(r.kinds()) != 0 {
		t.Errorf("something was done: %q", r.kinds())
	}
}

// A slip in any line is found before the first is carried out.
func TestDesk_AllSlipsAtOnce(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	tr, err := r.Do(context.Background(), asOperator, []string{"vendor add acme psirt@acme.example", "invte acme", `hold acme because "x`})
	r.must(err)
	for i, why := range []string{"not tried", "did you mean invite?", "not closed"} {
		if tr.Lines[i].Outcome != NotDone || !strings.Contains(tr.Lines[i].Result, why) {
			t.Errorf("line %d: %+v, want %q", i+1, tr.Lines[i], why)
		}
	}
}

func TestDesk_DryRun(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	before := r.head()
	for _, lines := range [][]string{
		{"dry-run", "case PAR-2026-0001", "start now", "plan"},
		{"dry-run case PAR-2026-0001", "start now", "plan"},
	} {
		tr, err := r.Do(context.Background(), asOperator, lines)
		r.must(err)
		if !tr.Dry || !tr.Done() || len(tr.Lines) != 3 || !strings.Contains(tr.Lines[2].Result, "acme  1/4 heads-up") {
			t.Errorf("%q: %+v", lines, tr)
		}
		if !strings.HasPrefix(tr.String(), "DRY RUN: ") {
			t.Errorf("the transcript does not say that it is a dry run:\n%s", tr)
		}
	}
	if r.head() != before || r.theCaseIs("PAR-2026-0001").Started() {
		t.Error("a dry run changed something")
	}
	r.refused(asOperator, "stands before the first", "case PAR-2026-0001", "dry-run", "start now")
}

func TestTranscript(t *testing.T) {
	t.Parallel()
	tr := Transcript{Lines: []TranscriptLine{
		{Command: "case PAR-2026-0001", Outcome: DoneOK, Result: "one line"},
		{Command: "plan", Outcome: DoneOK, Result: "two\nlines"},
		{Command: "hold all", Outcome: DoneOK},
		{Command: "record acme accept v1 via phone", Outcome: Waits, Waits: "9f3a-27c1"},
	}}
	want := "> case PAR-2026-0001\nOK: one line\n\n> plan\nOK\ntwo\nlines\n\n> hold all\nOK\n\n> record acme accept v1 via phone\nWAITS for approval 9f3a-27c1\n"
	if got := tr.String(); got != want || !tr.Done() {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	tr = Transcript{Lines: []TranscriptLine{{Command: "plna", Outcome: NotDone, Result: "why"}}}
	if got := tr.String(); got != "Nothing was changed: all lines are done, or none.\n\n> plna\nNOT DONE: why\n" || tr.Done() {
		t.Errorf("got %q", got)
	}
}

func TestDesk_NoCommand(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	for _, lines := range [][]string{nil, {""}, {"  ", "\t"}, {"dry-run"}} {
		tr, err := r.Do(context.Background(), asAna, lines)
		r.must(err)
		if tr.Done() || !strings.Contains(tr.String(), "there is no command") {
			t.Errorf("%q: %s", lines, tr)
		}
	}
}

func TestDesk_TooManyCommands(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.refused(asOperator, "there are 1001 commands; at most 1000", slices.Repeat([]string{"status"}, 1001)...)
	r.say(asOperator, slices.Repeat([]string{"status"}, 1000)...)
}
