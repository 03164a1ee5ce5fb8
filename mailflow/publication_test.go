package mailflow

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// publishRig is a case under a policy with an advisory stage and a public one that
// is TLP:CLEAR: acme and globex have keys, initech has none.
type publishRig struct {
	*world
	id     cvd.CaseID
	finder *mailtest.Person
}

func newPublishRig(t *testing.T) *publishRig {
	t.Helper()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	p := storyPolicy(t)
	p.Name, p.Stages[3].TLP = "publish", "CLEAR"
	when, err := cvd.ParseWhen("start+3d")
	if err != nil {
		t.Fatal(err)
	}
	p.Stages = slices.Insert(p.Stages, 3, cvd.StageRule{Stage: cvd.Advisory, At: when, Trust: cvd.Confirmed, TLP: "AMBER+STRICT"})
	w.Policies["publish"] = p
	r := &publishRig{world: w, finder: w.person("finder", "someone@finder.example")}
	w.arrives(r.finder.Address, reportTo, w.seal(r.finder, reportTo, true, mailtest.Entity("zzyzx in libquux", "It overflows.\n",
		mailtest.File{Name: "my-key.asc", Type: "application/pgp-keys", Data: string(r.finder.PublicKey())})))
	r.id = cvd.FindCaseIDs(w.do(`case open "zzyzx in libquux" policy publish report 1 severity high`))[0]
	for _, s := range []cvd.Stage{cvd.Scope, cvd.Details} {
		w.material(r.id, s, "text of "+string(s)+" "+canary(s))
	}
	w.material(r.id, cvd.Advisory, "Heap overflow in libfoo\n\nA long name overflows. "+canary(cvd.Advisory))
	w.vendor("acme")
	w.vendor("globex")
	w.person("initech", "psirt@initech.example")
	w.do("vendor add initech psirt@initech.example")
	w.do("case "+string(r.id), `invite acme wave 1 affects "Player 9.1"`, `invite globex wave 1 affects "Globe Router"`, "invite initech wave 1")
	return r
}

// upTo starts the case, lets both vendors agree, and time pass to a stage.
func (r *publishRig) upTo(stage cvd.Stage) {
	r.t.Helper()
	r.in(r.id, "start now")
	r.after(cvd.Day / 2)
	for _, v := range []string{"acme", "globex"} {
		r.answers(v, r.id, true, "ACCEPT "+string(r.id)+" v1\n")
	}
	r.after(4 * cvd.Day)
	if stage == cvd.Public {
		r.after(27 * cvd.Day)
	}
}

// stageMail is the last mail to a person with a word in its Subject.
func (r *publishRig) stageMail(name, word string) *mailtest.Opened {
	r.t.Helper()
	var last *mailtest.Opened
	for _, o := range r.got(name) {
		if strings.Contains(o.Subject, word) {
			last = o
		}
	}
	if last == nil {
		r.t.Fatalf("%s got no mail with %q in its Subject", name, word)
	}
	return last
}

type schemaFolder struct{}

func (schemaFolder) Load(url string) (any, error) {
	url, _, _ = strings.Cut(url, "?")
	data, err := os.ReadFile("../testdata/schemas/" + filepath.Base(url))
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

// valid wants a file of a mail to validate against a published schema, and gives
// it read.
func valid(t testing.TB, schema, file string) map[string]any {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.UseLoader(schemaFolder{})
	c.AssertFormat()
	s, err := c.Compile("https://schema.example.org/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(file))
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil {
		t.Fatalf("%v in\n%s", err, file)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(file), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// trackingStatus is whether a CSAF document is a draft.
func trackingStatus(doc map[string]any) any {
	return doc["document"].(map[string]any)["tracking"].(map[string]any)["status"]
}

const csafFile, cveFile = "par-2026-0001.json", "CVE-2026-12345.json"

// Before it is public each vendor gets a draft with its own row alone, and at the
// end everybody what vendors said for publication (rule V2).
func TestV2_Publication(t *testing.T) {
	t.Parallel()
	r := newPublishRig(t)
	tag := string(r.id)
	r.in(r.id, "cve CVE-2026-12345")
	r.answers("finder", r.id, true, "CREDIT "+tag+" Joselyn Findling\n")
	r.upTo(cvd.Details)
	r.answers("acme", r.id, true, "STATUS "+tag+" affected 4.1-4.7\n")
	r.answers("globex", r.id, true, "STATUS "+tag+" not-affected we do not ship it globexreason1\n")
	r.after(cvd.Day / 2)
	for name, other := range map[string]string{"acme": "globex", "globex": "acme"} {
		m := r.stageMail(name, "Advisory")
		doc := valid(t, "csaf-2.0.json", m.Files[csafFile])
		if trackingStatus(doc) != "draft" {
			t.Errorf("%s gets a document that is %v", name, trackingStatus(doc))
		}
		all := strings.ToLower(m.Text + m.Files[csafFile] + m.Files[cveFile])
		if strings.Contains(all, other) || strings.Contains(all, "initech") || strings.Contains(all, "zzyzx") {
			t.Errorf("%s learns of others, or the title of the case:\n%s", name, all)
		}
		if !strings.Contains(m.Text, "Reported by Joselyn Findling") || !strings.Contains(m.Files[csafFile], `"AMBER"`) {
			t.Errorf("%s: no credit, or no label:\n%s", name, m.Text)
		}
	}
	r.answers("acme", r.id, true, "STATUS "+tag+" fixed 4.8 on 2026-12-20\nSTATEMENT "+tag+"\nWe are   sorry.\n\n  ACK is no command here.\nEND\n")
	r.after(30 * cvd.Day)
	for _, name := range []string{"acme", "globex"} {
		m := r.stageMail(name, "Public")
		doc := valid(t, "csaf-2.0.json", m.Files[csafFile])
		if trackingStatus(doc) != "final" || !strings.Contains(m.Files[csafFile], "We are   sorry.\\n\\n  ACK is no command here.") {
			t.Errorf("%s: not final, or not verbatim:\n%s", name, m.Files[csafFile])
		}
		record := valid(t, "cve-record-5.1.1.json", m.Files[cveFile])
		if record["cveMetadata"].(map[string]any)["cveId"] != "CVE-2026-12345" {
			t.Errorf("%s: %v", name, record)
		}
		for _, want := range []string{"acme", "fixed in 4.8, from Sun 20 Dec 2026", "affected versions: 4.1-4.7", "2 more vendors have", "Reported by Joselyn Findling", "|   ACK is no command here."} {
			if !strings.Contains(m.Text, want) {
				t.Errorf("%s does not read %q:\n%s", name, want, m.Text)
			}
		}
		// globex told the desk alone.
		if all := m.Text + m.Files[csafFile] + m.Files[cveFile]; strings.Contains(all, "globex") {
			t.Errorf("%s reads of who said nothing for publication:\n%s", name, all)
		}
	}
}

// Where no label says that it is public, each gets its own row to the end (rule
// V2).
func TestV2_PublicationWithoutClear(t *testing.T) {
	t.Parallel()
	r := newPublishRig(t)
	p := r.Policies["publish"]
	p.Stages = slices.Clone(p.Stages)
	p.Stages[4].TLP = "AMBER"
	r.Policies["amber"] = p
	r.in(r.id, "case policy amber")
	r.upTo(cvd.Details)
	r.answers("globex", r.id, true, "STATUS "+string(r.id)+" affected globexversions1\n")
	r.after(30 * cvd.Day)
	if m := r.stageMail("acme", "Public"); strings.Contains(m.Text+m.Files[csafFile], "globex") {
		t.Errorf("acme reads\n%s", m.Text)
	}
	if got := r.sink.To("psirt@initech.example"); slices.ContainsFunc(got, func(m mailtest.Received) bool { return bytes.Contains(m.Raw, []byte(canary(cvd.Advisory))) }) {
		t.Error("it left in clear")
	}
}

// A party without a key gets what is public in clear, signed, not a moment before
// the end, and nothing that is for it alone (rule V5).
func TestV5_PublicInClear(t *testing.T) {
	t.Parallel()
	r := newPublishRig(t)
	r.update(func(tx *store.Tx) error {
		return r.putMaterial(tx, cvd.Material{Case: r.id, Stage: cvd.Public, Party: "initech", Author: "ana", Text: "initechannex1",
			Files: []cvd.File{{Name: "annex.txt", MediaType: "text/plain", Data: []byte("initechannexfile1")}}})
	})
	if plan := r.in(r.id, "start now", "plan initech"); !strings.Contains(plan, "no key, in clear") {
		t.Errorf("the plan says\n%s", plan)
	}
	r.after(30*cvd.Day - 3*time.Minute)
	about := func() (n int) {
		for _, m := range r.sink.To("psirt@initech.example") {
			if bytes.Contains(m.Raw, []byte(string(r.id))) || bytes.Contains(m.Raw, []byte(canary(cvd.Advisory))) {
				n++
			}
		}
		return n
	}
	if n := about(); n != 0 {
		t.Fatalf("%d mails about the case left in clear before the end", n)
	}
	r.after(10 * time.Minute)
	mails := r.sink.To("psirt@initech.example")
	if about() != 1 {
		t.Fatalf("%d mails about the case in clear, of %d", about(), len(mails))
	}
	raw := mails[len(mails)-1].Raw
	o, err := r.people["initech"].OpenSigned(raw, r.ourKey())
	if err != nil || o.Signer == "" {
		t.Fatalf("not signed by us: %v\n%s", err, raw)
	}
	if !strings.Contains(o.Text, canary(cvd.Advisory)) || !strings.Contains(o.Text, "in clear") {
		t.Errorf("it reads\n%s", o.Text)
	}
	valid(t, "csaf-2.0.json", o.Files[csafFile])
	who := r.participant(r.id, "initech")
	tree, err := message.Parse(raw, ownLimits(r.Limits))
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.Header.Get("Subject"); !strings.Contains(got, "TLP:CLEAR") || strings.Contains(got, "encrypted") {
		t.Errorf("Subject %q", got)
	}
	everything := string(raw) + o.Text
	for _, secret := range []string{"initechannex", who.Token, "embargo.ics", canary(cvd.Details), canary(cvd.Scope), "zzyzx"} {
		if strings.Contains(everything, secret) {
			t.Errorf("%q is in it", secret)
		}
	}
	if who.Reached != cvd.Public {
		t.Errorf("initech reached %q", who.Reached)
	}
}

// The gate lets only what is public leave without a key (rule V5).
func TestV5_MayReleaseInClear(t *testing.T) {
	t.Parallel()
	public := func(q *Question) {
		q.Notice.Stage, q.Keys, q.Now = cvd.Public, keyring.Choice{}, q.Case.Embargo().End
	}
	for _, row := range []struct {
		name   string
		change func(q *Question)
		want   Decision
		why    string
	}{
		{"public, after the end", func(*Question) {}, Release, ""},
		{"a moment before the end", func(q *Question) { q.Now = q.Now.Add(-1) }, NotYet, "not ended"},
		{"the end moved", func(q *Question) {
			q.Case.Embargoes = append(q.Case.Embargoes, cvd.Embargo{Version: 2, End: q.Now.Add(cvd.Day)})
		}, NotYet, "not ended"},
		{"another stage", func(q *Question) {
			q.Notice.Stage, q.Now = cvd.Details, q.Case.Embargo().End.Add(-cvd.Day)
		}, HoldIt, "no key"},
		{"a stage after the end", func(q *Question) { q.Notice.Stage = cvd.Details }, Never, "ended"},
		{"a reminder", func(q *Question) { q.Notice.Kind, q.Notice.Stage = cvd.KindReminder, cvd.Scope }, Never, ""},
		{"a letter", func(q *Question) { q.Notice.Kind = cvd.KindLetter }, HoldIt, "no key"},
		{"an answer", func(q *Question) { q.Notice.Kind = cvd.KindAnswer }, HoldIt, "no key"},
		{"an embargo", func(q *Question) { q.Notice.Kind = cvd.KindEmbargo }, HoldIt, "no key"},
		{"by hand", func(q *Question) { q.Party.Channel = cvd.ChannelHand }, HoldIt, "by hand"},
		{"not marked as public", func(q *Question) {
			q.Case.Policy.Stages = slices.Clone(q.Case.Policy.Stages)
			q.Case.Policy.Stages[5].TLP = "GREEN"
		}, HoldIt, "no key"},
		{"not started", func(q *Question) { q.Case.Start = q.Case.Start.AddDate(-9999, 0, 0); q.Case.Embargoes = nil }, Wait, "not started"},
		{"on hold", func(q *Question) { q.Case.Hold = &cvd.Hold{Because: "court"} }, HoldIt, "court"},
		{"no yes", func(q *Question) { q.Approval = nil }, Ask, "nobody"},
		{"we cannot sign", func(q *Question) { q.CannotSign = "our key ended" }, HoldIt, "our key ended"},
		{"no material", func(q *Question) { q.HasMaterial = false }, HoldIt, "no material"},
	} {
		q := free(t)
		public(&q)
		row.change(&q)
		if a := MayRelease(q); a.Decision != row.want || !strings.Contains(a.Why, row.why) {
			t.Errorf("%s: got %d %q, want %d with %q", row.name, a.Decision, a.Why, row.want, row.why)
		}
		if mayClear(q) && q.Notice.Stage != cvd.Public {
			t.Errorf("%s: may go in clear", row.name)
		}
	}
}

// What makes the bytes refuses by itself, should the gate be wrong (rule V5).
func TestV5_NothingInClearTooEarly(t *testing.T) {
	t.Parallel()
	q := free(t)
	q.Notice.Stage, q.Keys = cvd.Public, keyring.Choice{}
	p := &parcel{Question: q}
	if !p.inClear() || p.mustBeClear() == nil {
		t.Error("it would leave before the end")
	}
	p.Now = q.Case.Embargo().End
	if err := p.mustBeClear(); err != nil {
		t.Error(err)
	}
}

// What everybody gets is made once in a run, and anew once a word of it changed.
func TestPublication_MadeOnce(t *testing.T) {
	t.Parallel()
	r := newPublishRig(t)
	r.upTo(cvd.Details)
	l := &looks{}
	made := func() (p publication) {
		c := r.theCase(r.id)
		r.view(func(tx *store.Tx) (err error) {
			p, err = r.wholePublication(tx, c, l)
			return err
		})
		return p
	}
	first := made()
	r.answers("globex", r.id, true, "READY BY 2026-12-20\nSTATUS "+string(r.id)+" fixed 4.8\n") // that is not published without a statement
	if again := made(); &again.Files[0].Data[0] != &first.Files[0].Data[0] {
		t.Error("it is made again though nothing in it changed")
	}
	r.answers("acme", r.id, true, "STATEMENT "+string(r.id)+"\nWe are sorry.\nEND\n")
	said := made()
	if said.Digest == first.Digest || !strings.Contains(said.Matrix, "We are sorry.") {
		t.Errorf("a statement changes nothing:\n%s", said.Matrix)
	}
	r.in(r.id, "cve CVE-2026-12345")
	if ided := made(); ided.Digest == said.Digest {
		t.Error("a CVE ID changes nothing")
	}
}
