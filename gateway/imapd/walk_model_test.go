package imapd_test

import (
	"maps"
	"slices"
)

// The model says what the desk should do, written from product.md section 4
// and RFC 9051 without a look at how it is done: lists of messages, and
// nothing else.

// marks are the flags of a message, a bit for each of flagWords.
type marks uint8

var flagWords = []string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, "todo", "$Later"}

const (
	seen marks = 1 << iota
	answered
	flagged
	deleted
)

func (m marks) words() []string {
	words := []string{}
	for i, w := range flagWords {
		if m&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return words
}

func marksOf(words []string) (m marks) {
	for _, w := range words {
		m |= 1 << slices.Index(flagWords, w)
	}
	return m
}

// The folders that walks go through. The first three are the desk's.
const (
	intakeBox  = "Intake"
	newCaseBox = "Do/New case"
	heldBox    = "Held"
)

var privateBoxes = []string{"Archive", "Trash", "Drafts"}

// place is a folder: of the desk, where whose is "".
type boxName struct{ whose, name string }

func boxOf(coordinator, name string) boxName {
	if slices.Contains(privateBoxes, name) {
		return boxName{coordinator, name}
	}
	return boxName{"", name}
}

// piece is a message in a folder.
type piece struct {
	uid    uint32
	mail   string           // a word that only this mail has
	all    marks            // answered, which is everybody's
	own    map[string]marks // by coordinator
	hidden map[string]bool
}

func (p *piece) marks(who string) marks { return p.own[who]&^answered | p.all }

func (p *piece) mark(who string, clear, set marks) {
	p.all = p.all&^clear | set&answered
	p.own[who] = (p.own[who]&^clear | set) &^ answered
}

// desktop is the whole desk.
type desktop struct {
	boxes    map[boxName][]*piece
	next     map[boxName]uint32
	reports  map[string]bool      // mails that are reports
	receipts map[string]receipt   // of reports that a case was opened from
	cases    int                  // opened and not undone
	mails    map[boxName][]string // what each UID was given to, from 1 on
}

type receipt struct {
	uid  uint32
	from boxName
	by   string
}

func newDesktop() *desktop {
	return &desktop{map[boxName][]*piece{}, map[boxName]uint32{}, map[string]bool{}, map[string]receipt{}, 0, map[boxName][]string{}}
}

func (d *desktop) clone() *desktop {
	c := newDesktop()
	c.next, c.reports, c.receipts, c.cases = maps.Clone(d.next), maps.Clone(d.reports), maps.Clone(d.receipts), d.cases
	for name, box := range d.boxes {
		c.boxes[name] = nil // an empty one is one, too
		c.mails[name] = slices.Clone(d.mails[name])
		for _, p := range box {
			q := *p
			q.own, q.hidden = maps.Clone(p.own), maps.Clone(p.hidden)
			c.boxes[name] = append(c.boxes[name], &q)
		}
	}
	return c
}

// seenBy lists what a coordinator should see of a folder.
func (d *desktop) seenBy(who string, box boxName) []*piece {
	var all []*piece
	for _, p := range d.boxes[box] {
		if !p.hidden[who] {
			all = append(all, p)
		}
	}
	return all
}

func (d *desktop) find(box boxName, uid uint32) *piece {
	for _, p := range d.boxes[box] {
		if p.uid == uid {
			return p
		}
	}
	return nil
}

func (d *desktop) put(box boxName, mail string) *piece {
	d.next[box]++
	d.mails[box] = append(d.mails[box], mail)
	p := &piece{uid: d.next[box], mail: mail, own: map[string]marks{}, hidden: map[string]bool{}}
	d.boxes[box] = append(d.boxes[box], p)
	return p
}

func (d *desktop) remove(box boxName, uid uint32) {
	d.boxes[box] = slices.DeleteFunc(d.boxes[box], func(p *piece) bool { return p.uid == uid })
}

// takeAway is what EXPUNGE and MOVE do: out of a private folder, out of sight
// in the desk's.
func (d *desktop) takeAway(who string, box boxName, uid uint32) {
	if box.whose != "" {
		d.remove(box, uid)
		return
	}
	if p := d.find(box, uid); p != nil {
		p.hidden[who] = true
		p.mark(who, deleted, 0)
	}
}

// order is a command as the model understands it.
type order struct {
	verb       string
	box, dest  boxName
	uids       []uint32 // ascending
	clear, set marks
	mail       string // for APPEND

	// saw is the desk as it was when the order's messages were looked up, where
	// that was before the other command of a race was done.
	saw *desktop
}

// answerOf is what a command should be answered: OK or NO, and from which UID
// to which.
type outcome struct {
	ok       bool
	from, to []uint32
}

// do carries out an order.
func (d *desktop) do(who string, o order) outcome {
	switch o.verb {
	case "STORE":
		for _, uid := range o.uids {
			if p := d.find(o.box, uid); p != nil {
				p.mark(who, o.clear, o.set)
			}
		}
	case "READ":
		for _, uid := range o.uids {
			if p := d.find(o.box, uid); p != nil && !p.hidden[who] {
				p.mark(who, 0, seen)
			}
		}
	case "EXPUNGE":
		for _, uid := range o.uids {
			if p := d.find(o.box, uid); p != nil && !p.hidden[who] && p.marks(who)&deleted != 0 {
				d.takeAway(who, o.box, uid)
			}
		}
	case "APPEND":
		return d.append(who, o)
	case "COPY", "MOVE":
		return d.transfer(who, o)
	}
	return outcome{ok: true}
}

func (d *desktop) append(who string, o order) outcome {
	if o.dest.whose != "" {
		p := d.put(o.dest, o.mail)
		p.mark(who, 0, o.set)
		return outcome{ok: true, to: []uint32{p.uid}}
	}
	from, intake := boxName{}, boxName{"", intakeBox} // APPEND does not say
	if r, ok := d.receipts[o.mail]; ok && r.from == o.dest {
		from.name = newCaseBox // the receipt goes back
	} else if slices.ContainsFunc(d.boxes[intake], func(p *piece) bool { return p.mail == o.mail }) {
		from = intake
	}
	uid, ok := d.arrive(who, from, o.dest, &piece{mail: o.mail})
	if !ok {
		return outcome{}
	}
	return outcome{ok: true, to: []uint32{uid}}
}

func (d *desktop) transfer(who string, o order) outcome {
	out := outcome{ok: true}
	if o.verb == "MOVE" && o.box == o.dest {
		return out
	}
	var some []*piece
	saw := o.saw
	if saw == nil {
		saw = d
	}
	for _, uid := range o.uids {
		if p := saw.find(o.box, uid); p != nil && !p.hidden[who] {
			some = append(some, p)
		}
	}
	if len(some) == 0 && o.dest.name == newCaseBox {
		out.ok = d.opened(o)
	}
	for _, p := range some {
		uid, ok := d.arrive(who, o.box, o.dest, p)
		if !ok {
			out.ok = false
			return out
		}
		if o.verb == "MOVE" {
			d.takeAway(who, o.box, p.uid)
		}
		out.from, out.to = append(out.from, p.uid), append(out.to, uid)
	}
	return out
}

// opened says whether a case was opened from one of the messages of an order that
// are all gone: then it is done already, and otherwise nothing of it is.
func (d *desktop) opened(o order) bool {
	return slices.ContainsFunc(o.uids, func(uid uint32) bool {
		_, ok := d.receipts[d.mails[o.box][uid-1]]
		return ok
	})
}

// arrive puts a message into a folder and says under which UID.
func (d *desktop) arrive(who string, from, dest boxName, p *piece) (uint32, bool) {
	switch {
	case dest.whose != "":
		fresh := d.put(dest, p.mail)
		fresh.mark(who, 0, p.marks(who)&^deleted)
		return fresh.uid, true
	case dest.name == newCaseBox:
		return d.open(who, from, p.mail)
	case from.name == newCaseBox:
		if !d.undo(who, dest, p.mail) {
			return 0, false
		}
	}
	return d.show(who, dest, p.mail)
}

// open makes a case of a report, once.
func (d *desktop) open(who string, from boxName, mail string) (uint32, bool) {
	if !d.reports[mail] {
		return 0, false
	}
	if r, ok := d.receipts[mail]; ok {
		return r.uid, true
	}
	intake := boxName{"", intakeBox}
	d.boxes[intake] = slices.DeleteFunc(d.boxes[intake], func(p *piece) bool { return p.mail == mail })
	p := d.put(boxName{"", newCaseBox}, mail)
	p.mark(who, 0, seen)
	d.receipts[mail] = receipt{p.uid, from, who}
	d.cases++
	return p.uid, true
}

// undo takes a case back when who opened it puts its receipt where the report
// came from.
func (d *desktop) undo(who string, dest boxName, mail string) bool {
	r := d.receipts[mail]
	if r.by != who || r.from != dest || dest.name != intakeBox {
		return false
	}
	delete(d.receipts, mail)
	d.remove(boxName{"", newCaseBox}, r.uid)
	d.put(dest, mail)
	d.cases--
	return true
}

// show lets a coordinator see a message of the desk again, under a new UID if
// it was hidden.
func (d *desktop) show(who string, dest boxName, mail string) (uint32, bool) {
	for _, p := range d.boxes[dest] {
		if p.mail != mail {
			continue
		}
		if !p.hidden[who] {
			return p.uid, true
		}
		d.remove(dest, p.uid)
		fresh := d.put(dest, mail)
		fresh.all, fresh.own, fresh.hidden = p.all, p.own, p.hidden
		fresh.mark(who, deleted, 0)
		fresh.hidden[who] = false
		return fresh.uid, true
	}
	return 0, false
}
