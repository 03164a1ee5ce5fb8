package imapd_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"parley/mailflow/store"
)

// walkSteps is how many steps a walk has.
const walkSteps = 24

// walk is one random sequence of what three clients do, two of ana and one of
// ben, of deliveries and of restarts.
type walk struct {
	*office
	random  *rand.Rand
	model   *desktop
	clients []*walker
	memory  *memory
	mails   int
	did     map[string]int
	trail   []string // the steps so far
	fault   string   // of a control
}

// TestWalks walks as often as WALKS says, from the seed WALK_SEED on. Each walk
// prints its seed where it fails; WALKS=1 and that seed repeat it.
func TestWalks(t *testing.T) {
	t.Parallel()
	n, first := setting(t, "WALKS", 100), setting(t, "WALK_SEED", 1)
	var (
		mu   sync.Mutex
		did  = map[string]int{}
		next = first
		wg   sync.WaitGroup
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= first+n && !t.Failed()
	}
	dir := t.TempDir()
	for range 3 * runtime.GOMAXPROCS(0) { // a walk mostly waits
		wg.Go(func() {
			for seed, ok := take(); ok; seed, ok = take() {
				w, failed := walkOnce(t, dir, seed, "")
				if failed != "" {
					t.Errorf("walk %d: %s\n%s\nrepeat it with WALKS=1 WALK_SEED=%d", seed, failed, strings.Join(w.trail, "\n"), seed)
				}
				mu.Lock()
				for what, times := range w.did {
					did[what] += times
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, what := range []string{"COPY", "MOVE", "STORE", "EXPUNGE", "APPEND", "refused", "report", "letter", "restart", "race", "vanish", "idle", "undo", "case"} {
		if n >= 1000 && did[what] == 0 {
			t.Errorf("no walk came by %q", what)
		}
	}
	var words []string
	for _, what := range slices.Sorted(maps.Keys(did)) {
		words = append(words, fmt.Sprintf("%s %d", what, did[what]))
	}
	t.Logf("%d walks from seed %d: %s", n, first, strings.Join(words, ", "))
}

func setting(t testing.TB, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// The controls: each breaks something that walks must notice.
func TestWalks_Controls(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"an EXPUNGE is not told", "an EXPUNGE names its neighbour", "an EXISTS is not told", "flags are not told",
		"a record is lost", "a UID changes", "a command acts twice", "flags are lost", "bytes change"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for seed := range 40 {
				if _, failed := walkOnce(t, dir, seed, fault); failed != "" {
					t.Logf("found by walk %d: %s", seed, failed)
					return
				}
			}
			t.Error("40 walks did not find it")
		})
	}
}

// walkOnce walks, and says what was wrong, or nothing.
func walkOnce(t testing.TB, dir string, seed int, fault string) (w *walk, failed string) {
	j := &judge{TB: t, verdict: make(chan string, 1)}
	temp := filepath.Join(dir, fmt.Sprintf("%d-%s", seed, strings.ReplaceAll(fault, " ", "-")))
	j.temp = func() string { must(t, os.MkdirAll(temp, 0o700)); return temp }
	w = &walk{random: rand.New(rand.NewPCG(uint64(seed), 4)), model: newDesktop(), did: map[string]int{}, fault: fault,
		memory: &memory{map[boxName]string{}, map[boxName]map[uint32]string{}}}
	func() {
		defer func() {
			if r := recover(); r != nil && r != (endOfWalk{}) {
				panic(r)
			}
		}()
		w.office = newOffice(j)
		w.wander()
	}()
	for _, f := range slices.Backward(j.cleanups) {
		f()
	}
	_ = os.RemoveAll(temp)
	select {
	case failed = <-j.verdict:
	default:
	}
	return w, failed
}

func (w *walk) wander() {
	for range 2 {
		w.deliver()
	}
	for _, who := range []string{"ana", "ana", "ben"} {
		w.clients = append(w.clients, &walker{client: w.as(who), who: who, memory: w.memory})
	}
	for _, c := range w.clients[1:] {
		c.ask("CREATE Archive")
	}
	for _, c := range w.clients {
		c.open(boxOf(c.who, intakeBox))
	}
	w.breakSomething()
	for range walkSteps {
		w.step()
	}
	w.breakStore()
	w.arriveHome()
}

func (w *walk) note(format string, args ...any) {
	w.trail = append(w.trail, fmt.Sprintf("%3d ", len(w.trail)+1)+fmt.Sprintf(format, args...))
}

// name says which client it is, for the trail.
func (w *walk) name(c *walker) string {
	return fmt.Sprintf("%s/%d in %s", c.who, slices.Index(w.clients, c), c.box.name)
}

func (w *walk) one(words ...string) string { return words[w.random.IntN(len(words))] }

// step is one thing that happens.
func (w *walk) step() {
	c := w.clients[w.random.IntN(len(w.clients))]
	switch n := w.random.IntN(100); {
	case n < 55:
		w.command(c)
	case n < 67:
		w.race()
	case n < 75:
		w.deliver()
	case n < 85:
		box := boxOf(c.who, w.one(intakeBox, intakeBox, newCaseBox, "Archive", "Trash", "Drafts"))
		w.note("%s opens %s", w.name(c), box.name)
		c.open(box)
		w.check(c, false, nil)
	case n < 90:
		w.note("%s idles", w.name(c))
		w.did["idle"]++
		c.idle()
	case n < 92:
		w.vanish(c)
	case n < 94:
		w.restartAll()
	default:
		w.lookAll()
	}
}

// deliver lets a report come in, or another letter.
func (w *walk) deliver() {
	w.mails++
	word := fmt.Sprintf("walk-mail-%d", w.mails)
	if w.random.IntN(3) > 0 {
		w.note("report %s comes in", word)
		w.did["report"]++
		w.report(word, "Details of "+word)
		w.model.reports[word] = true
	} else {
		w.note("letter %s comes in", word)
		w.did["letter"]++
		w.file(intakeBox, mail{raw: w.written(word)})
	}
	w.model.put(boxName{"", intakeBox}, word)
}

// written is a mail that is no report.
func (w *walk) written(word string) string {
	return fmt.Sprintf("From: Acme <psirt@acme.example>\r\nTo: control@%s\r\nSubject: %s\r\nDate: Tue, 01 Dec 2026 10:00:00 +0000\r\n"+
		"Message-ID: <%s@acme.example>\r\n\r\nWords.\r\n", desk, word, word)
}

// vanish ends a connection without a word, and the client comes again.
func (w *walk) vanish(c *walker) {
	w.note("%s vanishes and comes again", w.name(c))
	w.did["vanish"]++
	_ = c.conn.Close()
	w.again(c)
}

func (w *walk) again(c *walker) {
	c.client, c.idling = w.as(c.who), false
	c.open(c.box)
	w.check(c, false, nil)
}

// restartAll ends the daemon while clients are connected, and starts it again.
func (w *walk) restartAll() {
	w.note("the daemon is started again")
	w.did["restart"]++
	w.restart()
	for _, c := range w.clients {
		bye := false
		for {
			line := c.response()
			bye = bye || strings.HasPrefix(line, "* BYE ")
			if strings.HasSuffix(line, "EOF") {
				break
			}
		}
		if !bye {
			w.Errorf("%s got no BYE", c.who)
		}
		w.again(c)
	}
}

// lookAll lets every client look, and each must see what the model says.
func (w *walk) lookAll() {
	w.note("everybody looks")
	for _, c := range w.clients {
		w.look(c)
	}
}

func (w *walk) look(c *walker) {
	if c.idling && w.fault == "" {
		for !w.agrees(c) { // it is told without asking
			c.hear()
		}
		return
	}
	c.rest()
	c.answer(w.one("NOOP", "CHECK"))
	w.check(c, false, nil)
}

// agrees says whether an idling client knows what there is, as far as it can
// without asking.
func (w *walk) agrees(c *walker) bool {
	visible := w.model.seenBy(c.who, c.box)
	if len(visible) != len(c.list) {
		return false
	}
	for i, k := range c.list {
		if k.uid != 0 && (k.uid != visible[i].uid || k.marks != visible[i].marks(c.who)) {
			return false
		}
	}
	return true
}

// check compares what a client believes with the model. lag says that its last
// command may not tell what is gone (RFC 9051 section 7.5.1): then it knows
// what it knew before, and what is new.
func (w *walk) check(c *walker, lag bool, before []uint32) {
	high := c.high
	c.inquire()
	visible := w.model.seenBy(c.who, c.box)
	var want []uint32
	if lag {
		want = slices.Clone(before)
	}
	for _, p := range visible {
		if !lag || p.uid > high {
			want = append(want, p.uid)
		}
	}
	if got := c.uids(); !slices.Equal(got, want) {
		w.Fatalf("%s knows %d, the model says %d", w.name(c), got, want)
	}
	for _, p := range visible {
		w.checkOne(c, p)
	}
}

func (w *walk) checkOne(c *walker, p *piece) {
	i := slices.IndexFunc(c.list, func(k known) bool { return k.uid == p.uid })
	if got := c.list[i].marks; got != p.marks(c.who) {
		w.Fatalf("%s thinks the flags of UID %d are %s, the model says %s", w.name(c), p.uid, got.words(), p.marks(c.who).words())
	}
	if got := mailWord.FindString(c.memory.bytes[c.box][p.uid]); got != p.mail {
		w.Fatalf("%s reads %q as UID %d, the model says %s", w.name(c), got, p.uid, p.mail)
	}
}

// arriveHome compares everything at the end of a walk.
func (w *walk) arriveHome() {
	w.lookAll()
	for _, c := range w.clients {
		for _, name := range append([]string{intakeBox, newCaseBox}, privateBoxes...) {
			c.open(boxOf(c.who, name))
			w.check(c, false, nil)
		}
	}
	if wrong := w.audit(w.model); wrong != "" {
		w.Fatalf("%s", wrong)
	}
	var cases []string
	for _, f := range w.clients[0].folders("Cases/") {
		if strings.Count(f, "/") == 1 {
			cases = append(cases, mailWord.FindString(f))
		}
	}
	slices.Sort(cases)
	if want := slices.Sorted(maps.Keys(w.model.receipts)); !slices.Equal(cases, want) {
		w.Fatalf("cases of %q, the model says %q", cases, want)
	}
	w.did["case"] += len(cases)
	if r, err := w.Verify(w.Context()); err != nil || len(r.Problems) > 0 {
		w.Fatalf("the store: %v %v", err, r.Problems)
	}
}

// audit compares a model with the store itself, whoever sees it.
func (w *walk) audit(model *desktop) (wrong string) {
	must(w, w.View(func(tx *store.Tx) error {
		for box, pieces := range model.boxes {
			m, err := tx.MailboxNamed(box.whose, box.name)
			if err != nil {
				return err
			}
			uids, err := tx.UIDs(m.Number, nil)
			if err != nil {
				return err
			}
			if want := uidsOf(pieces); !slices.Equal(uids, want) {
				wrong = fmt.Sprintf("in %v are %d, the model says %d", box, uids, want)
				return nil
			}
			if wrong, err = w.auditMarks(tx, m.Number, box, pieces); wrong != "" || err != nil {
				return err
			}
		}
		return nil
	}))
	return wrong
}

func uidsOf(pieces []*piece) (uids []uint32) {
	for _, p := range pieces {
		uids = append(uids, p.uid)
	}
	return uids
}

func (w *walk) auditMarks(tx *store.Tx, number uint32, box boxName, pieces []*piece) (string, error) {
	for _, who := range []string{"ana", "ben"} {
		if box.whose != "" && box.whose != who {
			continue
		}
		got, err := tx.MarksOf(number, who, uidsOf(pieces))
		if err != nil {
			return "", err
		}
		words, err := tx.Keywords(who)
		if err != nil {
			return "", err
		}
		for i, p := range pieces {
			if m := p.marks(who); storedMarks(m, p.hidden[who], words) != got[i] {
				return fmt.Sprintf("%s: UID %d in %v has the marks %b, the model says %s, hidden %v", who, p.uid, box, got[i], m.words(), p.hidden[who]), nil
			}
		}
	}
	return "", nil
}

// storedMarks writes the model's marks as the store does.
func storedMarks(m marks, hidden bool, keywords []string) (out store.Marks) {
	system := []store.Marks{store.MarkSeen, store.MarkAnswered, store.MarkFlagged, store.MarkDeleted, store.MarkDraft}
	for i, word := range flagWords {
		switch {
		case m&(1<<i) == 0:
		case i < len(system):
			out |= system[i]
		default:
			out |= store.KeywordMark(slices.Index(keywords, word))
		}
	}
	if hidden {
		out |= store.MarkHidden
	}
	return out
}
