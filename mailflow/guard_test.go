package mailflow

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"parley/mailflow/store"
)

// lettersFrom makes n characters of words that stand nowhere else.
func lettersFrom(r *rand.Rand, alphabet []rune, n int) string {
	var b strings.Builder
	for k := 0; k < n; {
		for range min(1+r.IntN(9), n-k) {
			b.WriteRune(alphabet[r.IntN(len(alphabet))])
			k++
		}
		if k < n-1 {
			b.WriteByte(' ')
			k++
		}
	}
	return b.String()
}

var (
	latin = []rune("abcdefghijklmnopqrstuvwxyz")
	upper = []rune("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
)

// quotations are what mail clients and people do to a text that they quote.
var quotations = map[string]func(r *rand.Rand, s string) string{
	"as it is": func(_ *rand.Rand, s string) string { return s },
	"capitals": func(_ *rand.Rand, s string) string { return strings.ToUpper(s) },
	"wrapped anew": func(r *rand.Rand, s string) string {
		return strings.Map(func(c rune) rune {
			if c == ' ' && r.IntN(3) == 0 {
				return '\n'
			}
			return c
		}, s)
	},
	"quoted": func(_ *rand.Rand, s string) string { return "> " + strings.ReplaceAll(s, " ", "\r\n> > ") },
	"spaced": func(_ *rand.Rand, s string) string { return strings.ReplaceAll(s, " ", " \t\u00a0 ") },
	"what is not seen": func(_ *rand.Rand, s string) string {
		return strings.ReplaceAll(s, "e", "e\u200b\u00ad") + "\ufeff"
	},
	"letters that look alike": func(_ *rand.Rand, s string) string {
		return strings.NewReplacer("a", "а", "e", "е", "o", "ο", "c", "с", "i", "і").Replace(s)
	},
	"wide letters": func(_ *rand.Rand, s string) string {
		return strings.Map(func(c rune) rune {
			if c > ' ' && c < 0x7f {
				return c + 0xfee0
			}
			return c
		}, s)
	},
	"accents": func(_ *rand.Rand, s string) string { return strings.ReplaceAll(s, "u", "ü") },
}

func spelledText(text string) *spelled {
	s := &spelled{}
	s.spell("", text)
	return s
}

// finds says which runs of a text stand in others, by way of the index.
func (g *Guard) finds(text *spelled, others map[uint32]*spelled) []run {
	var out []run
	suspects := g.sharing(text.text)
	for id := range suspects.in {
		out = append(out, g.hash.runsAround(text.text, suspects.places(id), others[id].text, runeRun)...)
	}
	return out
}

func guardOf(texts ...*spelled) (*Guard, map[uint32]*spelled) {
	g, all := new(Guard), map[uint32]*spelled{}
	g.begin()
	for i, s := range texts {
		id := uint32(i + 1)
		all[id] = s
		g.hash.chosen(s.text, func(_ int, print uint32) { g.put(print, id) })
	}
	return g, all
}

// What somebody quotes is found from 40 characters on, whatever was done to it,
// and where it stands; less is not, nor what nobody wrote.
func TestV6_FortyCharacters(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 40))
	for name, quote := range quotations {
		for range 300 {
			planted := lettersFrom(r, latin, runeRun+r.IntN(200))
			theirs := lettersFrom(r, latin, r.IntN(900)) + " " + planted + " " + lettersFrom(r, latin, r.IntN(900))
			g, all := guardOf(spelledText(lettersFrom(r, latin, 500)), spelledText(theirs), spelledText(lettersFrom(r, latin, 500)))
			letter := lettersFrom(r, latin, r.IntN(900)) + "\n" + quote(r, planted) + "\n" + lettersFrom(r, latin, r.IntN(900))
			runs := g.finds(spelledText(letter), all)
			if len(runs) != 1 || runs[0].to-runs[0].from < len(planted) || runs[0].to-runs[0].from > len(planted)+8 {
				t.Fatalf("%s: %d characters of\n%q\nwere planted in\n%q\nfound %v", name, len(planted), planted, letter, runs)
			}
		}
	}
	for range 2000 { // 39 characters that both have, between others that they have not
		planted := lettersFrom(r, latin, runeRun-1)
		wrap := func(with []rune) string {
			return lettersFrom(r, with, 1+r.IntN(200)) + planted + lettersFrom(r, with, 1+r.IntN(200))
		}
		g, all := guardOf(spelledText(wrap([]rune("0123456789"))))
		if runs := g.finds(spelledText(wrap([]rune("!$%&/()=?+*#"))), all); runs != nil {
			t.Fatalf("39 characters are %v: %q", runs, planted)
		}
	}
}

// The index agrees with a search that compares everything with everything.
func TestV6_IndexAgreesWithSearch(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	few := []rune("ab")
	for range 400 {
		a, b := spelledText(lettersFrom(r, few, 300)), spelledText(lettersFrom(r, few, 300))
		if r.IntN(2) == 0 {
			at := r.IntN(200)
			b.text = append(b.text, a.text[at:at+30+r.IntN(60)]...)
		}
		g, all := guardOf(b)
		got := fmt.Sprint(g.finds(a, all))
		if want := fmt.Sprint(searched(a.text, b.text)); got != want {
			t.Fatalf("%q\n%q\nfound %s, want %s", string(a.text), string(b.text), got, want)
		}
	}
}

// searched is the slow search.
func searched(a, b []rune) []run {
	found := make([]bool, len(a)+1)
	for i := range a {
		for k := range b {
			n := 0
			for i+n < len(a) && k+n < len(b) && a[i+n] == b[k+n] {
				n++
			}
			found[i] = found[i] || n >= runeRun
		}
	}
	var out []run
	for i := range a {
		switch {
		case found[i] && i > 0 && found[i-1]:
			out[len(out)-1].to = i + runeRun
		case found[i]:
			out = append(out, run{i, i + runeRun})
		}
	}
	return out
}

// Rules across the page and other marks are no words, and every line knows its
// number.
func TestV6_Spelling(t *testing.T) {
	t.Parallel()
	s := spelledText("> On “Monday”, ANA\n\n> wrote — twice:\n==========================================================\n日本\n語です。\n한국어")
	if got, want := string(s.text), "on 'monday', ana wrote - twice: ===日本語てす。 한국어"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if _, line := s.where(strings.Index(string(s.text), "wrote")); line != 3 {
		t.Errorf("line %d", line)
	}
	for c, plain := range lookAlikes {
		if plain >= 0x80 || unicode.IsUpper(plain) || lookAlikes[plain] != 0 {
			t.Errorf("%q becomes %q", c, plain)
		}
	}
}

// The index keeps to its bound, and what it has to forget is the oldest.
func TestV6_IndexIsBounded(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	g := &Guard{limit: 1 << 12}
	g.begin()
	var texts []*spelled
	for id := uint32(1); id <= 400; id++ {
		s := spelledText(lettersFrom(r, upper, 500))
		texts = append(texts, s)
		g.last.Store(uint64(id))
		g.hash.chosen(s.text, func(_ int, print uint32) { g.put(print, id) })
	}
	if len(g.slots) != 1<<12 || g.since == 0 {
		t.Errorf("%d slots, since %d", len(g.slots), g.since)
	}
	for id := g.since + 1; id <= 400; id++ {
		if g.sharing(texts[id-1].text).in[uint32(id)] == nil {
			t.Errorf("message %d of 400 was forgotten; the index says since %d", id, g.since)
		}
	}
	same := spelledText(lettersFrom(r, upper, 60))
	many := new(Guard)
	many.begin()
	for id := range uint32(100_000) {
		many.hash.chosen(same.text, func(_ int, print uint32) { many.put(print, id+1) })
	}
	if len(many.slots) > 1<<12 {
		t.Errorf("100,000 copies of one text take %d slots", len(many.slots))
	}
}

// A guard's index takes no more memory than it is given.
func TestV6_GuardMemory(t *testing.T) {
	t.Parallel()
	for memory, slots := range map[int64]int{0: 1 << 17, LeastGuard: 1 << 17, 3 << 20: 1 << 18, 128 << 20: guardSlots, 1 << 40: 1 << 30} {
		if got := NewGuard(memory).limit; got != slots || memory >= LeastGuard && int64(got)*slotBytes > memory {
			t.Errorf("with %d bytes it has %d slots, want %d", memory, got, slots)
		}
	}
}

// FuzzGuard spells any two texts: nothing breaks, and what the index finds is
// what a search finds.
func FuzzGuard(f *testing.F) {
	f.Add("It crashes in the parser when the length field is larger than the buffer.", "> It crashes in the parser when\n> the length field is larger than the buffer.")
	f.Add("\u202eABC\x00 ﬁ ß İ \xff", "日本\n語")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := spelledText(a[:min(len(a), 2000)]), spelledText(b[:min(len(b), 2000)])
		if len(x.text) != len(x.line) {
			t.Fatal("characters without a line")
		}
		for i := range x.text {
			x.where(i)
		}
		g, all := guardOf(y)
		if got, want := fmt.Sprint(g.finds(x, all)), fmt.Sprint(searched(x.text, y.text)); got != want {
			t.Fatalf("%q\n%q\nfound %s, want %s", string(x.text), string(y.text), got, want)
		}
	})
}

// BenchmarkGuard_Letter compares a letter of 64 kB with the text of 100,000
// messages.
func BenchmarkGuard_Letter(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	g := new(Guard)
	g.begin()
	for id := range uint32(100_000) {
		s := spelledText(lettersFrom(r, latin, 1000))
		g.hash.chosen(s.text, func(_ int, print uint32) { g.put(print, id+1) })
	}
	letter := lettersFrom(r, latin, 64<<10)
	for b.Loop() {
		g.sharing(spelledText(letter).text)
	}
	b.ReportMetric(float64(len(g.slots))*8/(1<<20), "MiB")
}

// BenchmarkGuard_Spell makes a letter of 64 kB ready to be compared.
func BenchmarkGuard_Spell(b *testing.B) {
	letter := lettersFrom(rand.New(rand.NewPCG(7, 8)), latin, 64<<10)
	g := new(Guard)
	g.begin()
	for b.Loop() {
		g.hash.chosen(spelledText(letter).text, func(int, uint32) {})
	}
}

// BenchmarkGuard_Warm is a start with MESSAGES mails (2,000 without) and a
// coordinator who compares at once: the time until the answer, that for each
// message, and the longest that another writer waited meanwhile.
func BenchmarkGuard_Warm(b *testing.B) {
	messages := 2000
	if n, err := strconv.Atoi(os.Getenv("MESSAGES")); err == nil {
		messages = n
	}
	r := rand.New(rand.NewPCG(9, 9))
	w := newWorld(b)
	for range messages / 100 {
		w.update(func(tx *store.Tx) error { w.fileMany(tx, r, 100, 1000); return nil })
	}
	longest := time.Duration(0)
	for b.Loop() {
		w.Guard = new(Guard)
		done := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for beside := true; beside; {
				began := time.Now()
				w.update(func(tx *store.Tx) error { return ticks.Put(tx, DeskScope, tx.Name("tick", "last"), tickRow{}) })
				longest = max(longest, time.Since(began))
				select {
				case <-done:
					beside = false
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
		w.update(func(tx *store.Tx) error {
			_, err := w.examine(tx, question{outgoing: outgoing{text: "nothing that anybody wrote"}, id: deskCase})
			return err
		})
		close(done)
		writer.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(messages), "µs/message")
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest-write")
	b.ReportMetric(float64(len(w.Guard.slots))*8/(1<<20), "MiB")
}
