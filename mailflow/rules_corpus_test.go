package mailflow

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// corpusDir holds spoofed mail, with what each must come to beside it.
const corpusDir = "../keyring/pgpmime/testdata/corpus"

// corpusMail is one mail of the corpus.
type corpusMail struct {
	name    string
	raw     []byte
	verdict string // in the words of the .want file
	counts  bool
}

func readCorpus(t *testing.T) []corpusMail {
	t.Helper()
	files, err := filepath.Glob(corpusDir + "/*.eml")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d mails, %v", len(files), err)
	}
	var all []corpusMail
	for _, file := range files {
		m := corpusMail{name: strings.TrimSuffix(filepath.Base(file), ".eml")}
		if m.raw, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".eml") + ".want")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(want)) {
			switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
			case "verdict":
				m.verdict = strings.TrimSpace(value)
			case "counts":
				m.counts = strings.TrimSpace(value) == "true"
			}
		}
		if m.verdict == "" {
			t.Fatalf("%s has no verdict", m.name)
		}
		all = append(all, m)
	}
	return all
}

// corpusArmor is what one of the corpus' key files holds.
func corpusArmor(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(corpusDir + "/keys/" + name + ".asc")
	if err != nil {
		t.Fatal(err)
	}
	blocks := keyring.FindArmor(text)
	if len(blocks) != 1 {
		t.Fatalf("%s: %d blocks of armor", name, len(blocks))
	}
	return blocks[0].Data
}

// corpusPerson is somebody with a key of the corpus.
func (w *world) corpusPerson(t *testing.T, key, name, address string) *mailtest.Person {
	t.Helper()
	e, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(corpusArmor(t, key+".secret"))))
	if err != nil {
		t.Fatal(err)
	}
	p := &mailtest.Person{Name: name, Address: address, Entity: e, Now: w.clock.Now}
	w.people[name] = p
	return p
}

// corpusWorld is a gateway with the corpus' key, in which the vendor acme has
// been told of the first case and every key of acme in the corpus is pinned,
// whatever its flaw. It is the corpus' noon.
func corpusWorld(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	us, err := keyring.ParseSecret(corpusArmor(t, "us.secret"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldWith(t, us)
	for _, v := range []string{"acme", "globex"} {
		p := w.corpusPerson(t, v, v, "psirt@"+v+".example")
		w.do("vendor add " + v + " " + p.Address)
		w.confirm(v, p)
	}
	id := w.started("acme", "globex")
	if id != "PAR-2026-0001" {
		t.Fatalf("the case is %s; the mails name another", id)
	}
	w.do("member add acme jo@acme.example")
	files, err := filepath.Glob(corpusDir + "/keys/*.public.asc")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".public.asc")
		if name != "jo" && !strings.HasPrefix(name, "acme-") {
			continue
		}
		certs, err := keyring.ParseCertificates(corpusArmor(t, name+".public"))
		if err != nil {
			t.Fatal(err)
		}
		w.update(func(tx *store.Tx) error {
			return w.addKey(tx, "acme", keyring.Pinned{Fingerprint: certs[0].Fingerprint(), Trust: keyring.Confirmed,
				Evidence: []keyring.Voucher{{By: "ana", At: tx.Now, Trust: keyring.Confirmed, Words: "phone"}},
				Address:  "psirt@acme.example", Cert: certs[0].Bytes()})
		})
	}
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	w.clock.Advance(noon.Sub(w.clock.Now()))
	return w, id
}

// Every mail of the corpus goes to acme's own address as it stands. The command
// in it counts only where that is written beside it, and what the desk is shown
// says what was proved, once, whatever the mail says of itself. Those that count
// have a world each; the others share one, in which nothing ever counts.
func TestS2_S5_Corpus(t *testing.T) {
	t.Parallel()
	shared, id := corpusWorld(t)
	good := 0
	for _, m := range readCorpus(t) {
		if m.counts {
			good++
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				w, id := corpusWorld(t)
				w.corpusArrives(id, m)
			})
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			w := *shared
			w.t = t
			w.corpusArrives(id, m)
		})
	}
	if good < 5 {
		t.Errorf("%d mails count: nothing shows that the others could", good)
	}
}

func (w *world) corpusArrives(id cvd.CaseID, m corpusMail) {
	w.t.Helper()
	before, thread := len(w.filed("Quarantine")), w.folderOf(id, "Vendor acme")
	held := len(w.filed(thread))
	w.arrives("psirt@acme.example", w.thread(id, "acme"), m.raw)
	if got := w.who(id, "acme").Acknowledged != nil; got != m.counts {
		w.t.Errorf("acknowledged: %v, want %v (%s)", got, m.counts, m.verdict)
	}
	if w.who(id, "globex").Acknowledged != nil {
		w.t.Error("it counts for another party")
	}
	switch {
	case len(w.filed("Quarantine")) == before+1:
		w.corpusShown(m, w.last("Quarantine"), "Quarantine")
	case len(w.filed(thread)) > held:
		w.corpusShown(m, w.filed(thread)[held], thread)
	default:
		w.t.Fatal("it is nowhere")
	}
}

// corpusShown wants the desk to be told what the verdict says.
func (w *world) corpusShown(m corpusMail, shown store.Message, folder string) {
	w.t.Helper()
	state, _, _ := strings.Cut(m.verdict, " ")
	switch state {
	case "undecryptable", "unreadable":
		state = "none"
		if folder != "Quarantine" {
			w.t.Errorf("it is in %s", folder)
		}
	case "bad", "other-party", "unknown-key":
		if strings.HasSuffix(m.verdict, " mallory") {
			state = "unknown-key" // here nobody has the certificate
		}
		if folder != "Quarantine" {
			w.t.Errorf("it is in %s", folder)
		}
	}
	got, _, _ := strings.Cut(w.says(shown, "Parley-Signature"), ";")
	if got != state {
		w.t.Errorf("Parley-Signature: %s, want %s", w.says(shown, "Parley-Signature"), state)
	}
	if strings.Contains(w.words(shown), "came before") {
		w.t.Error("it is taken for another mail of the corpus")
	}
	// Behind the two lines about the mail come those about its documents.
	lines := strings.SplitN(w.words(shown), "\n", 3)
	if top := strings.Join(lines[:min(2, len(lines))], "\n"); state != "good" && strings.Contains(top, "good; party=") {
		w.t.Errorf("the words at the top say:\n%s", top)
	}
	for _, name := range []string{"X-Parley-Signature", "Authentication-Results"} {
		if v := w.shown(shown).Header.Values(name); state != "good" && strings.Contains(strings.Join(v, ""), "good;") || name == "Authentication-Results" && len(v) > 0 {
			w.t.Errorf("%s: %q came through", name, v)
		}
	}
}
