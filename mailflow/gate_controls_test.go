package mailflow

import (
	"bytes"
	"fmt"
	"net/mail"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"parley/mailflow/mailtest"
)

// quickControls are rows of the gate without which something leaves at once, which
// `make test` leaves out; `make gate-controls` leaves out in turn each that histories
// are to find, and any other that GATE_ROW names.
var quickControls = []string{"nobody can undo it any more", "the stage before has left", "its participant did what the stage needs"}

// surely is how many histories find whatever histories are to find.
const surely = 200

// The controls: without one row of the gate histories find what leaves too early,
// above its stage, or to somebody who should get nothing. Nothing else runs
// meanwhile, since the gate is everybody's.
func TestGate_Controls(t *testing.T) {
	all, n, named := os.Getenv("GATE_CONTROLS") != "", gateSetting(t, "GATE_CONTROLS", 20), os.Getenv("GATE_ROW")
	for _, row := range gate {
		switch by := noticedBy[row.must]; {
		case !all && !slices.Contains(quickControls, row.must) || !strings.Contains(row.must, named):
			continue
		case named == "" && by != byHistories:
			t.Logf("without %q: %s", row.must, by)
			continue
		}
		c := &control{row: row, n: n}
		if c.run(t); c.found == "" && (!all || n >= surely) {
			t.Errorf("without %q: %s", row.must, c)
		} else {
			t.Logf("without %q: %s", row.must, c)
		}
	}
}

// control is a row of the gate that is left out, and what histories found of that.
type control struct {
	row   condition
	n     int          // how many histories may live without it
	alone atomic.Int64 // how often nothing else would have stopped a notice
	after int          // how many lived
	found string       // the history that found it, and how
}

// run lives histories without a row until one fails that does not fail in the same
// way with the whole gate: what is wrong anyway says nothing of the row.
func (c *control) run(t *testing.T) {
	t.Helper()
	for c.after < c.n && c.found == "" {
		seed, failed := 0, ""
		undo := c.leaveOut()
		did := liveThrough(t, 1+c.after, c.n-c.after, func(s int, f string, _ []deed) bool {
			seed, failed = s, f
			return true
		})
		undo()
		if failed == "" {
			c.after = c.n
			return
		}
		c.after += did["histories"]
		if _, anyway := live(t, t.TempDir(), seed, deedsOf(seed)); anyway == "" || failureKind(anyway) != failureKind(failed) {
			c.found = fmt.Sprintf("history %d: %s", seed, firstLine(failed))
		}
	}
}

// leaveOut asks the row after all others, counts what it alone would stop, and
// lets that go.
func (c *control) leaveOut() (undo func()) {
	whole := gate
	row := c.row
	row.stop = func(q *Question) *Answer {
		if c.row.stop(q) != nil {
			c.alone.Add(1)
		}
		return nil
	}
	gate = append(slices.DeleteFunc(slices.Clone(whole), func(r condition) bool { return r.must == c.row.must }), row)
	return func() { gate = whole }
}

func (c *control) String() string {
	if c.found != "" {
		return fmt.Sprintf("found after %d histories: %s", c.after, c.found)
	}
	return fmt.Sprintf("%d histories did not find it; it alone stopped something %d times", c.after, c.alone.Load())
}

// A short name is found in what a person can read, and not in ciphertext, where its
// letters stand by chance; a long one is found anywhere.
func TestFind_ShortWords(t *testing.T) {
	t.Parallel()
	in := func(text string) letterGot {
		return letterGot{Opened: &mailtest.Opened{Files: map[string]string{"a": text}}}
	}
	armor := strings.Repeat("x", 64) + "\r\nacme\r\n=Acme\r\n-----END PGP MESSAGE-----\r\n"
	for text, want := range map[string]string{armor: "", armor + "we asked acme": "acme", strings.Repeat("F", 40) + "\nacme": "acme", "we asked Acme too": "acme", "\xff\x00aCmE\xfe": "", "\xffpsirt@acme.example\xfe": "acme.example", "xxxxxxxxxxxxacmexxxxxxxxx": "", "the code 58FX-ACME": ""} {
		if got := in(text).find([]string{"acme.example", "acme"}); got != want {
			t.Errorf("in %q it found %q, want %q", text, got, want)
		}
	}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// The controls of isolation: one history whose mails share nothing, and then
// something of one of them put into another.
func TestV2_SharedControls(t *testing.T) {
	t.Parallel()
	h, failed := live(t, t.TempDir(), 2, []deed{{"days", 60, 0, 0}, {"answer", 0, 0, 1}, {"answer", 0, 1, 5}, {"days", 60, 0, 0}})
	if failed != "" {
		t.Fatal(failed)
	}
	sealed := slices.DeleteFunc(slices.Clone(h.mails), func(m historyMail) bool { return m.Clear })
	a := sealed[0]
	i := slices.IndexFunc(sealed, func(m historyMail) bool { return m.party != a.party && m.id == a.id })
	common := h.commonWords()
	for name, share := range map[string]func(b *historyMail){
		"the address of its thread": func(b *historyMail) { b.Outer["Reply-To"] = a.Outer["Reply-To"] },
		"its Message-ID":            func(b *historyMail) { b.Outer["Message-Id"] = a.Outer["Message-Id"] },
		"a Message-ID that counts":  func(b *historyMail) { b.Outer["Message-Id"] = []string{"<17@vdp.example.org>"} },
		"its reverse-path":          func(b *historyMail) { b.From = a.From },
		"a boundary": func(b *historyMail) {
			b.Raw = bytes.Replace(b.Raw, []byte(boundaries(b.letterGot)[0]), []byte(boundaries(a.letterGot)[0]), -1)
		},
		"a boundary inside": func(b *historyMail) {
			last := func(m letterGot) string { return boundaries(m)[len(boundaries(m))-1] }
			b.Opened.Inner = bytes.ReplaceAll(b.Inner, []byte(last(b.letterGot)), []byte(last(a.letterGot)))
		},
		"its one-time code": func(b *historyMail) {
			b.Opened.Text += "ACK PAR-2026-0001 " + codePattern.FindStringSubmatch(a.Text)[1]
		},
		"its calendar":             func(b *historyMail) { b.Files["embargo.ics"] = a.Files["embargo.ics"] },
		"its key":                  func(b *historyMail) { b.Opened.Keys = a.Keys },
		"a hidden key":             func(b *historyMail) { b.Opened.Keys = []uint64{0} },
		"its ciphertext":           func(b *historyMail) { b.Raw = append(slices.Clone(b.Raw), a.Raw...) },
		"the number of a delivery": func(b *historyMail) { b.Opened.Text += "\nas D17 says\n" },
		"a word":                   func(b *historyMail) { b.Opened.Text += " the people at " + vendorWords[a.party] + "product " },
		"a file name":              func(b *historyMail) { b.Files[vendorWords[a.party]+"product.txt"] = "" },
	} {
		b := sealed[i]
		opened := *b.Opened
		b.Opened, b.Outer, b.Opened.Files = &opened, mail.Header{}, map[string]string{}
		for k, v := range sealed[i].Outer {
			b.Outer[k] = v
		}
		for k, v := range sealed[i].Files {
			b.Files[k] = v
		}
		mails := []historyMail{a, b}
		if why := sharedMarks(mails) + wordsOfBoth(mails, common); why != "" {
			t.Fatalf("before anything was put into it: %s", why)
		}
		share(&b)
		mails[1] = b
		if sharedMarks(mails)+wordsOfBoth(mails, common) == "" {
			t.Errorf("nobody saw that two vendors share %s", name)
		}
	}
	b := sealed[i]
	b.Text += a.party + " asked the same"
	if b.find(h.foreign(b)) == "" {
		t.Error("nobody saw a name")
	}
}
