package imapd_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"parley/mailflow/store"
)

// asked is a command as a client sends it, and as the model understands it.
type asked struct {
	text    string
	literal string // what follows the command, for APPEND
	order   order
	lag     bool // the answer may not tell what is gone
}

// command lets a client do something and compares what follows.
func (w *walk) command(c *walker) {
	c.rest()
	c.inquire()
	if w.random.IntN(3) == 0 { // else it goes by what it was told long ago
		c.answer("NOOP")
		w.check(c, false, nil)
	}
	if w.random.IntN(5) == 0 {
		w.deliver()
	}
	a := w.invent(c)
	w.note("%s: %s", w.name(c), a.text)
	before, cases := c.uids(), w.model.cases
	want := w.model.do(c.who, a.order)
	got, lines := w.send(c, a)
	w.count(a, want, cases)
	if wrong := w.unlike(c, a, want, got, lines); wrong != "" {
		w.Fatalf("%s: %s: %s", w.name(c), a.text, wrong)
	}
	if !want.ok {
		c.answer("NOOP") // a command that fails tells nothing else
	}
	w.check(c, a.lag && want.ok, before)
}

func (w *walk) count(a asked, want outcome, cases int) {
	w.did[a.order.verb]++
	if !want.ok {
		w.did["refused"]++
	}
	if w.model.cases < cases {
		w.did["undo"]++
	}
}

// send sends a command with its literal, and returns what was answered.
func (w *walk) send(c *walker, a asked) (tagged string, lines []string) {
	w.start(c, a)
	return c.end()
}

func (w *walk) start(c *walker, a asked) {
	c.begin(a.text)
	if a.literal != "" {
		c.send(a.literal)
	}
}

// unlike says what is wrong with an answer.
func (w *walk) unlike(c *walker, a asked, want outcome, tagged string, lines []string) string {
	switch {
	case want.ok && !strings.HasPrefix(tagged, "OK"):
		return tagged + ", but it should be done"
	case !want.ok && !strings.HasPrefix(tagged, "NO [ALERT] "):
		return tagged + ", but it should be refused"
	}
	if a.lag && slices.ContainsFunc(lines, expungeLine.MatchString) {
		return fmt.Sprintf("it tells what is gone: %q", lines)
	}
	from, to, told := c.copied(a.order.dest, append(lines, tagged))
	switch {
	case !told && want.ok && len(want.to) > 0 && ascends(want.to):
		return fmt.Sprintf("no UIDs, the model says %d to %d", want.from, want.to)
	case told && (!slices.Equal(from, want.from) || !slices.Equal(to, want.to)):
		return fmt.Sprintf("UIDs %d to %d, the model says %d to %d", from, to, want.from, want.to)
	}
	return ""
}

// ascends says whether the answer can name these UIDs one for one.
func ascends(uids []uint32) bool {
	for i := range uids[1:] {
		if uids[i] >= uids[i+1] {
			return false
		}
	}
	return true
}

// invent makes a command up.
func (w *walk) invent(c *walker) asked {
	some := w.some(c, 3)
	byUID := w.random.IntN(2) == 0
	switch n := w.random.IntN(100); {
	case n < 12 || len(some) == 0:
		return w.inventAppend(c)
	case n < 40:
		return w.inventStore(c, some, byUID)
	case n < 45:
		text := fmt.Sprintf("FETCH %s (FLAGS BODY[])", c.setOf(some, byUID))
		return asked{uidText(text, byUID), "", order{verb: "READ", box: c.box, uids: uidsAt(c, some)}, true}
	case n < 58:
		return w.inventExpunge(c, some)
	case n < 78:
		return w.inventTransfer(c, "COPY", some, byUID)
	}
	return w.inventTransfer(c, "MOVE", some, byUID)
}

func uidText(text string, byUID bool) string {
	if byUID {
		return "UID " + text
	}
	return text
}

// some picks positions, in ascending order.
func (w *walk) some(c *walker, most int) (at []int) {
	for range min(len(c.list), 1+w.random.IntN(most)) {
		at = append(at, w.random.IntN(len(c.list)))
	}
	slices.Sort(at)
	return slices.Compact(at)
}

func uidsAt(c *walker, at []int) (uids []uint32) {
	for _, i := range at {
		uids = append(uids, c.list[i].uid)
	}
	return uids
}

func (w *walk) inventStore(c *walker, some []int, byUID bool) asked {
	m := marks(w.random.IntN(1 << len(flagWords)))
	o := order{verb: "STORE", box: c.box, uids: uidsAt(c, some), set: m}
	item := w.one("+FLAGS", "-FLAGS", "FLAGS")
	switch item {
	case "-FLAGS":
		o.clear, o.set = m, 0
	case "FLAGS":
		o.clear = ^marks(0)
	}
	text := fmt.Sprintf("STORE %s %s (%s)", c.setOf(some, byUID), item, strings.Join(m.words(), " "))
	return asked{uidText(text, byUID), "", o, true}
}

func (w *walk) inventExpunge(c *walker, some []int) asked {
	o := order{verb: "EXPUNGE", box: c.box, uids: c.uids()}
	if w.random.IntN(3) > 0 {
		return asked{"EXPUNGE", "", o, false}
	}
	o.uids = uidsAt(c, some)
	return asked{"UID EXPUNGE " + c.setOf(some, true), "", o, false}
}

func (w *walk) inventTransfer(c *walker, verb string, some []int, byUID bool) asked {
	dest := boxOf(c.who, w.one("Archive", "Trash", "Drafts", newCaseBox, newCaseBox, intakeBox, intakeBox, heldBox))
	if c.box.name == newCaseBox && w.random.IntN(2) == 0 {
		dest = boxOf(c.who, intakeBox) // which takes back
	}
	text := fmt.Sprintf("%s %s %q", verb, c.setOf(some, byUID), dest.name)
	return asked{uidText(text, byUID), "", order{verb: verb, box: c.box, dest: dest, uids: uidsAt(c, some)}, false}
}

// inventAppend appends a new mail to any folder, or one that was served.
func (w *walk) inventAppend(c *walker) asked {
	dest := boxOf(c.who, w.one("Archive", "Drafts", newCaseBox, intakeBox))
	if served := c.memory.bytes[c.box]; dest.whose == "" && len(c.list) > 0 && w.random.IntN(3) > 0 {
		body := served[c.list[w.random.IntN(len(c.list))].uid]
		return appended(dest, mailWord.FindString(body), "X-TUID: 8WNc0a+wzqhI\r\n"+body, 0)
	}
	w.mails++
	word := fmt.Sprintf("walk-mail-%d", w.mails)
	return appended(dest, word, w.written(word), marks(w.random.IntN(1<<len(flagWords))))
}

func appended(dest boxName, word, body string, m marks) asked {
	text := fmt.Sprintf("APPEND %q (%s) {%d+}", dest.name, strings.Join(m.words(), " "), len(body))
	return asked{text, body, order{verb: "APPEND", dest: dest, set: m, mail: word}, false}
}

// race lets two clients send a command at the same time. What comes of it must
// be what one of the two orders gives.
func (w *walk) race() {
	i := w.random.IntN(len(w.clients))
	pair := []*walker{w.clients[i], w.clients[(i+1)%len(w.clients)]}
	var both [2]asked
	for i, c := range pair {
		w.look(c)
		c.rest()
		c.answer("NOOP")
		w.check(c, false, nil)
		both[i] = w.inventRace(c)
		w.note("%s, at the same time: %s", w.name(c), both[i].text)
	}
	w.did["race"]++
	for i, c := range pair {
		w.start(c, both[i])
	}
	var tagged [2]string
	var lines [2][]string
	for i, c := range pair {
		tagged[i], lines[i] = c.end()
	}
	w.settle(pair, both, tagged, lines)
	for _, c := range pair {
		c.answer("NOOP")
		w.check(c, false, nil)
	}
}

// settle finds out in which order two commands were done.
func (w *walk) settle(pair []*walker, both [2]asked, tagged [2]string, lines [2][]string) {
	var why []string
	for _, first := range []int{0, 1} {
		for _, stale := range []bool{false, true} {
			model := w.model.clone()
			wrong := ""
			for _, i := range []int{first, 1 - first} {
				both[i].order.saw = nil
				if stale && i != first && both[i].order.dest.name == newCaseBox {
					both[i].order.saw = w.model
				}
				want := model.do(pair[i].who, both[i].order)
				wrong += w.unlike(pair[i], both[i], want, tagged[i], lines[i])
			}
			if wrong == "" {
				wrong = w.audit(model)
			}
			if wrong == "" {
				w.model = model
				return
			}
			why = append(why, wrong)
		}
	}
	w.Fatalf("no order of the two gives this: %s", strings.Join(why, "; or "))
}

// inventRace makes a command up that is done in one transaction, or is about
// one message.
func (w *walk) inventRace(c *walker) asked {
	some := w.some(c, 3)
	if len(some) == 0 {
		return w.inventRaceAppend(c)
	}
	switch w.random.IntN(6) {
	case 0:
		return w.inventStore(c, some, true)
	case 1:
		return w.inventExpunge(c, some)
	case 2:
		return w.inventRaceAppend(c)
	case 3:
		a := w.inventTransfer(c, "MOVE", some[:1], true)
		return w.into(c, a, newCaseBox)
	case 4:
		a := w.inventTransfer(c, "COPY", some[:1], true)
		return w.into(c, a, newCaseBox)
	}
	return w.into(c, w.inventTransfer(c, w.one("MOVE", "COPY"), some, true), w.one(privateBoxes...))
}

func (w *walk) into(c *walker, a asked, name string) asked {
	a.text = strings.ReplaceAll(a.text, fmt.Sprintf("%q", a.order.dest.name), fmt.Sprintf("%q", name))
	a.order.dest = boxOf(c.who, name)
	return a
}

func (w *walk) inventRaceAppend(c *walker) asked {
	w.mails++
	word := fmt.Sprintf("walk-mail-%d", w.mails)
	return appended(boxOf(c.who, "Archive"), word, w.written(word), seen)
}

// breakSomething builds in the fault of a control that lies between the server
// and a client.
func (w *walk) breakSomething() {
	lies := map[string]func(string) string{
		"an EXPUNGE is not told":         func(l string) string { return expungeLine.ReplaceAllString(l, "* OK nothing") },
		"an EXPUNGE names its neighbour": func(l string) string { return expungeLine.ReplaceAllStringFunc(l, neighbour) },
		"an EXISTS is not told":          func(l string) string { return existsLine.ReplaceAllString(l, "* OK nothing") },
		"flags are not told":             func(l string) string { return flagsTold.ReplaceAllString(l, "* OK nothing") },
		"bytes change":                   func(l string) string { return strings.Replace(l, "Words.\r\n", "Words!\r\n", w.random.IntN(2)) },
	}
	for _, c := range w.clients {
		c.lie = lies[w.fault]
	}
}

var flagsTold = regexp.MustCompile(`^\* \d+ FETCH \(UID \d+ FLAGS \([^)]*\)\)$`)

func neighbour(line string) string {
	n := number(expungeLine.FindStringSubmatch(line)[1])
	return fmt.Sprintf("* %d EXPUNGE", max(1, n-1))
}

// breakStore builds in the fault of a control that lies in the store.
func (w *walk) breakStore() {
	box, pieces := w.victim()
	if len(pieces) == 0 {
		return
	}
	uid := pieces[0].uid
	w.update(func(tx *store.Tx) (err error) {
		m, err := tx.MailboxNamed(box.whose, box.name)
		if err != nil {
			return err
		}
		switch w.fault {
		case "a record is lost":
			return tx.Unfile(m.Number, uid)
		case "a UID changes":
			_, err = tx.Refile(m.Number, uid, "ana")
		case "flags are lost":
			return tx.Mark(m.Number, "ana", []uint32{uid}, ^store.MarkHidden, store.MarkDraft)
		case "a command acts twice":
			e, err := tx.Entry(m.Number, uid)
			if err == nil {
				_, err = tx.File(m.Number, e.Message)
			}
			return err
		}
		return err
	})
}

// victim is a folder that is not empty.
func (w *walk) victim() (boxName, []*piece) {
	for _, box := range []boxName{{"", newCaseBox}, {"ana", "Archive"}, {"", intakeBox}} {
		if len(w.model.boxes[box]) > 0 {
			return box, w.model.boxes[box]
		}
	}
	return boxName{}, nil
}
