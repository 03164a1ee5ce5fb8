package mailflow

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/courier"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
	"parley/mailflow/timeline"
)

// world is a gateway without its ports on a clock that stands still, with a
// real store and a real mail server behind it.
type world struct {
	*Base
	t      testing.TB
	dir    string
	unlock store.Unlock
	clock  *mailtest.Clock
	sink   *mailtest.Sink
	intake *Intake
	desk   *Desk
	sub    *Submission
	sched  *Scheduler
	people map[string]*mailtest.Person
	light  bool
}

var storyStart = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldUntil(t, time.Time{})
}

// newWorldUntil is newWorld with a key that expires; the zero instant is never.
func newWorldUntil(t testing.TB, end time.Time) *world {
	t.Helper()
	secret, err := keyring.GenerateUntil("Parley", "report@vdp.example.org", keyring.Ed25519, storyStart.Add(-time.Hour), end)
	if err != nil {
		t.Fatal(err)
	}
	return newWorldWith(t, secret)
}

// newWorldWith is newWorld with a key that is there already.
func newWorldWith(t testing.TB, first *keyring.Secret) *world {
	t.Helper()
	return newWorldIn(t, t.TempDir()+"/state", first, false)
}

// newWorldIn is newWorldWith in a directory that is not there yet. A light one is
// for thousands of worlds that nobody kills: without fsync, log, and pictures in
// its case files.
func newWorldIn(t testing.TB, dir string, first *keyring.Secret, light bool) *world {
	t.Helper()
	sink, err := mailtest.NewSink()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	w := &world{t: t, dir: dir, clock: mailtest.NewClock(storyStart), sink: sink, people: map[string]*mailtest.Person{}, light: light}
	w.unlock = worldUnlock
	if err := store.Create(w.dir, w.unlock); err != nil {
		t.Fatal(err)
	}
	w.open(first)
	t.Cleanup(func() { w.Store.Close() })
	return w
}

// newDesk is newWorld with coordinators, "ana ben", and parties with confirmed keys in
// the directory.
func newDesk(t testing.TB, coordinators string, parties ...string) *world {
	t.Helper()
	w := newWorld(t)
	for _, name := range strings.Fields(coordinators) {
		w.coordinator(name)
	}
	for _, name := range parties {
		w.vendor(name)
	}
	return w
}

var worldUnlock = store.UnlockKey([]byte("0123456789abcdef0123456789abcdef"))

// open builds everything on the store of the world; a new one gets its first
// key.
func (w *world) open(first ...*keyring.Secret) {
	w.t.Helper()
	st, err := store.Open(store.Options{Dir: w.dir, Unlock: w.unlock, Now: w.clock.Now, NoSync: w.light})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range first {
		if err := KeepFirstKey(st, s); err != nil {
			w.t.Fatal(err)
		}
	}
	own, err := OpenOwnKeys(st)
	if err != nil {
		w.t.Fatal(err)
	}
	signing, err := OpenDomainKeys(st)
	if err != nil {
		w.t.Fatal(err)
	}
	set, err := builtin()
	if err != nil {
		w.t.Fatal(err)
	}
	host, err := courier.ParseSmarthost("smtp://" + w.sink.Addr)
	if err != nil {
		w.t.Fatal(err)
	}
	policies := cvd.Shipped()
	policies["fast"] = storyPolicy(w.t)
	b := &Base{
		Settings: Settings{Domain: "vdp.example.org", DeskDomain: "desk.vdp.example.org", CasePrefix: "PAR",
			Subject: "Confidential message (encrypted)", Plaintext: "accept", Undo: 2 * time.Minute, CoolOff: 12 * time.Hour,
			Limits: message.DefaultLimits(), Policies: policies},
		Clock: Clock{Now: w.clock.Now, Read: w.clock.Read, After: time.After},
		Store: st, Own: own, DomainKeys: signing, Certs: keyring.NewCache(1000), Templates: set, Guard: new(Guard), Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	}
	if w.light {
		b.Log, b.Draw = slog.New(slog.DiscardHandler), func(timeline.Picture) ([]byte, error) { return []byte("a picture"), nil }
	}
	b.Credential = func() (store.Unlock, error) { return w.unlock, nil }
	b.Queue = &queue.Queue{Store: st, Courier: &courier.Courier{Smarthost: host, Hello: "vdp.example.org"}, Retry: []time.Duration{time.Minute},
		GiveUp: 72 * time.Hour, Now: w.clock.Now, After: time.After, Paused: SendingPaused, Done: b.Delivered, Waits: b.Delayed}
	w.Base = b
	w.desk = &Desk{b}
	w.intake = &Intake{Base: b, Parallel: 2}
	w.sub = &Submission{Base: b, Desk: w.desk}
	w.sched = &Scheduler{Base: b, Outbox: &Outbox{b}}
	w.update(func(tx *store.Tx) error { return b.ensureFolders(tx) })
	if err := st.Update(b.Queue.Recover); err != nil {
		w.t.Fatal(err)
	}
}

// restart closes the store and opens it again, as a new process would.
func (w *world) restart() {
	w.t.Helper()
	if err := w.Store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// storyPolicy needs no approval, so that a story fits on a page.
func storyPolicy(t testing.TB) cvd.Policy {
	t.Helper()
	rule := func(s cvd.Stage, at string, trust cvd.Trust, needs ...cvd.Need) cvd.StageRule {
		w, err := cvd.ParseWhen(at)
		if err != nil {
			t.Fatal(err)
		}
		return cvd.StageRule{Stage: s, At: w, Trust: trust, Needs: needs, TLP: "AMBER+STRICT"}
	}
	everyDay := cvd.Days{Publish: []time.Weekday{0, 1, 2, 3, 4, 5, 6}} // stories end when they say
	return cvd.Policy{Name: "fast", Embargo: 30 * cvd.Day, Wave: cvd.Day, Days: everyDay, Stages: []cvd.StageRule{
		rule(cvd.HeadsUp, "start", cvd.Found),
		rule(cvd.Scope, "start+1d", cvd.Confirmed, cvd.Acknowledged),
		rule(cvd.Details, "start+2d", cvd.Confirmed, cvd.Accepted),
		rule(cvd.Public, "end", cvd.Claimed),
	}}
}

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.Store.Update(fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) view(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.Store.View(fn); err != nil {
		w.t.Fatal(err)
	}
}

// person makes somebody with a key; the name before the @ is their name.
func (w *world) person(name, address string) *mailtest.Person {
	w.t.Helper()
	p, err := mailtest.NewPerson(name, address, w.clock.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.people[name] = p
	return p
}

func (w *world) ourKey() []byte {
	w.t.Helper()
	k, err := w.signer().Certificate().Armor()
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// seal is a person's encrypted mail to an address of ours.
func (w *world) seal(p *mailtest.Person, to string, sign bool, entity []byte, more ...mailtest.Field) []byte {
	w.t.Helper()
	armored, err := p.Seal(entity, w.ourKey(), sign)
	if err != nil {
		w.t.Fatal(err)
	}
	return mailtest.PGPMIME(p.Address, to, w.clock.Now(), armored, more...)
}

// arrives hands a mail to the public port and lets it be processed.
func (w *world) arrives(from, to string, raw []byte) {
	w.t.Helper()
	ctx := context.Background()
	env := Envelope{From: from, To: []string{to}, Remote: "192.0.2.1"}
	if err := w.intake.CheckRcpt(ctx, env, to); err != nil {
		w.t.Fatalf("RCPT %s: %v", to, err)
	}
	if err := w.intake.Receive(ctx, env, strings.NewReader(string(raw))); err != nil {
		w.t.Fatal(err)
	}
	if err := w.intake.RunSpool(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// settle lets everything that is due happen now.
func (w *world) settle() {
	w.t.Helper()
	ctx := context.Background()
	for range 4 {
		before := w.serial()
		if _, err := w.sched.round(ctx); err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.Queue.RunDue(ctx, w.clock.Now()); err != nil {
			w.t.Fatal(err)
		}
		if w.serial() == before {
			return // the clock stands still: another round finds what this one found
		}
	}
}

// after lets time pass in steps, so that everything happens at its time.
func (w *world) after(d time.Duration) {
	w.t.Helper()
	for step := time.Hour; d > 0; d -= step {
		w.clock.Advance(min(step, d))
		w.settle()
	}
}

// do gives commands as the operator, and wants them done.
func (w *world) do(lines ...string) string {
	w.t.Helper()
	t, err := w.desk.Do(context.Background(), Actor{Name: Operator, Via: ViaOperator}, lines)
	if err != nil {
		w.t.Fatal(err)
	}
	if !t.Done() {
		w.t.Fatalf("not done:\n%s", t)
	}
	w.settle()
	return t.String()
}

// vendor adds somebody with a confirmed key to the directory.
func (w *world) vendor(name string) *mailtest.Person {
	w.t.Helper()
	p := w.person(name, "psirt@"+name+".example")
	w.do(fmt.Sprintf("vendor add %s %s", name, p.Address))
	w.confirm(name, p)
	return p
}

func (w *world) confirm(name string, p *mailtest.Person) {
	w.t.Helper()
	f, err := keyring.ParseFingerprint(p.Fingerprint())
	if err != nil {
		w.t.Fatal(err)
	}
	w.update(func(tx *store.Tx) error {
		return w.addKey(tx, name, keyring.Pinned{Fingerprint: f, Trust: keyring.Confirmed, Evidence: []keyring.Voucher{{By: "ana", Words: "phone"}}, Address: p.Address, Cert: w.bytes(p)})
	})
}

func (w *world) bytes(p *mailtest.Person) []byte {
	w.t.Helper()
	certs, err := keyring.ParseCertificates(p.PublicKey())
	if err != nil || len(certs) != 1 {
		w.t.Fatalf("parse key: %v", err)
	}
	return certs[0].Bytes()
}

// caseWith opens a case under the fast policy with material and vendors, and
// does not start it.
func (w *world) caseWith(vendors ...string) cvd.CaseID {
	w.t.Helper()
	out := w.do(`case open "Heap overflow" policy fast`)
	id := cvd.FindCaseIDs(out)[0]
	w.material(id, cvd.Scope, "the scope text "+canary(cvd.Scope))
	w.material(id, cvd.Details, "the details text "+canary(cvd.Details))
	w.material(id, cvd.Public, "the public text "+canary(cvd.Public))
	for _, v := range vendors {
		if w.people[v] == nil {
			w.vendor(v)
		}
		w.do("case "+string(id), "invite "+v+" wave 1")
	}
	return id
}

// canary is a word that stands in the material of one stage only.
func canary(s cvd.Stage) string { return "canary" + strings.ReplaceAll(string(s), "-", "") + "7f3a9" }

func (w *world) material(id cvd.CaseID, s cvd.Stage, text string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		return w.putMaterial(tx, cvd.Material{Case: id, Stage: s, Author: "ana", Text: text})
	})
}

// got opens all mails that a person received.
func (w *world) got(name string) []*mailtest.Opened {
	w.t.Helper()
	p := w.people[name]
	var out []*mailtest.Opened
	for _, m := range w.sink.To(p.Address) {
		o, err := p.Open(m.Raw, w.ourKey())
		if err != nil {
			w.t.Fatalf("%s cannot open %s\n%s", name, err, m.Raw)
		}
		out = append(out, o)
	}
	return out
}

// heard says whether a person was told what a stage's material says.
func (w *world) heard(name string, s cvd.Stage) bool {
	w.t.Helper()
	for _, o := range w.got(name) {
		if strings.Contains(o.Text, canary(s)) {
			return true
		}
	}
	return false
}

var codePattern = regexp.MustCompile(`ACK PAR-\d+-\d+ ([0-9A-Z]{4}-[0-9A-Z]{4})`)

// code is the one-time code of the first notice to a person.
func (w *world) code(name string) string {
	w.t.Helper()
	for _, o := range w.got(name) {
		if m := codePattern.FindStringSubmatch(o.Text); m != nil {
			return m[1]
		}
	}
	w.t.Fatalf("%s has no code", name)
	return ""
}

// thread is the address of a participant's thread.
func (w *world) thread(id cvd.CaseID, party cvd.PartyID) string {
	w.t.Helper()
	var p cvd.Participant
	w.view(func(tx *store.Tx) (err error) {
		p, err = ParticipantByID(tx, id, party)
		return err
	})
	return w.ThreadAddress(p.Token)
}

// answers lets a person answer in its thread.
func (w *world) answers(name string, id cvd.CaseID, sign bool, text string) {
	w.t.Helper()
	p := w.people[name]
	to := w.thread(id, cvd.PartyID(name))
	w.arrives(p.Address, to, w.seal(p, to, sign, mailtest.Entity("Re: ["+string(id)+"]", text)))
	w.settle()
}

// subjects lists the Subjects of a folder of the desk.
func (w *world) subjects(folder string) []string {
	w.t.Helper()
	var out []string
	for _, m := range w.filed(folder) {
		out = append(out, m.Envelope.Subject)
	}
	return out
}
