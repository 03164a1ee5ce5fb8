package imapd_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// walker is a client on a walk. It believes what it is told, and nothing else:
// that is compared with the model.
type walker struct {
	*client
	who    string
	box    boxName // selected; the zero value for none
	list   []known
	high   uint32 // the highest UID that it ever knew in the folder
	idling bool
	memory *memory
	lie    func(line string) string // a fault between server and client, for the controls
	tag    int
}

// memory is what may never change: all clients share it, and it outlives them.
type memory struct {
	validity map[boxName]string
	bytes    map[boxName]map[uint32]string
}

// known is what a client knows of a message; UID 0 where it knows only that
// there is one.
type known struct {
	uid   uint32
	marks marks
}

var (
	expungeLine = regexp.MustCompile(`^\* (\d+) EXPUNGE$`)
	existsLine  = regexp.MustCompile(`^\* (\d+) EXISTS$`)
	fetchLine   = regexp.MustCompile(`^\* (\d+) FETCH \((?:UID (\d+) )?FLAGS \(([^)]*)\)`)
	bodyPart    = regexp.MustCompile(`(?s) BODY\[\] \{\d+\}\r\n(.*)\)$`)
	validityOf  = regexp.MustCompile(`UIDVALIDITY (\d+)`)
	mailWord    = regexp.MustCompile(`walk-mail-\d+`)
	copyCode    = regexp.MustCompile(`\[COPYUID (\d+) ([0-9:,]+) ([0-9:,]+)\]`)
	appendCode  = regexp.MustCompile(`\[APPENDUID (\d+) (\d+)\]`)
)

// answer sends a command and returns its tagged answer, and what came before.
// It believes what it is told meanwhile.
func (w *walker) answer(command string) (tagged string, before []string) {
	w.Helper()
	w.begin(command)
	return w.end()
}

func (w *walker) begin(command string) {
	w.tag++
	w.send(fmt.Sprintf("t%d %s", w.tag, command))
}

func (w *walker) end() (tagged string, before []string) {
	w.Helper()
	mine := fmt.Sprintf("t%d ", w.tag)
	for {
		line := w.hear()
		if rest, ok := strings.CutPrefix(line, mine); ok {
			return rest, before
		}
		before = append(before, line)
	}
}

// hear takes one response in.
func (w *walker) hear() string {
	w.Helper()
	line := w.response()
	if strings.HasSuffix(line, "EOF") {
		w.Fatalf("%s lost the connection: %s", w.who, line)
	}
	if w.lie != nil {
		line = w.lie(line)
	}
	w.believe(line)
	return line
}

func (w *walker) believe(line string) {
	w.Helper()
	if m := expungeLine.FindStringSubmatch(line); m != nil {
		n := number(m[1])
		if n < 1 || n > len(w.list) {
			w.Fatalf("%s was told %q of %d messages", w.who, line, len(w.list))
		}
		w.list = slices.Delete(w.list, n-1, n)
	}
	if m := existsLine.FindStringSubmatch(line); m != nil {
		n := number(m[1])
		if n < len(w.list) {
			w.Fatalf("%s was told %q and knows %d messages", w.who, line, len(w.list))
		}
		w.list = append(w.list, make([]known, n-len(w.list))...)
	}
	if m := fetchLine.FindStringSubmatch(line); m != nil {
		w.learn(line, number(m[1]), m[2], marksOf(strings.Fields(m[3])))
	}
}

// learn takes a FETCH response in.
func (w *walker) learn(line string, n int, uid string, m marks) {
	w.Helper()
	if n < 1 || n > len(w.list) {
		w.Fatalf("%s was told %q of %d messages", w.who, line, len(w.list))
	}
	k := &w.list[n-1]
	k.marks = m
	if uid == "" {
		return
	}
	u := uint32(number(uid))
	if k.uid != 0 && k.uid != u {
		w.Fatalf("%s: message %d in %s was UID %d and is %d", w.who, n, w.box.name, k.uid, u)
	}
	k.uid = u
	body := bodyPart.FindStringSubmatch(line)
	if body == nil {
		return
	}
	if was, ok := w.memory.bytes[w.box][u]; ok && was != body[1] {
		w.Fatalf("%s: the bytes of UID %d in %s changed", w.who, u, w.box.name)
	}
	w.keep(u, body[1])
}

func (w *walker) keep(uid uint32, body string) {
	if w.memory.bytes[w.box] == nil {
		w.memory.bytes[w.box] = map[uint32]string{}
	}
	w.memory.bytes[w.box][uid] = body
}

// open selects a folder and reads all that is in it.
func (w *walker) open(box boxName) {
	w.Helper()
	w.rest()
	w.box, w.list, w.high = box, nil, 0
	tagged, before := w.answer(fmt.Sprintf("SELECT %q", box.name))
	if !strings.HasPrefix(tagged, "OK") {
		w.Fatalf("%s: SELECT %s: %s", w.who, box.name, tagged)
	}
	for _, line := range before {
		if m := validityOf.FindStringSubmatch(line); m != nil {
			if was := w.memory.validity[box]; was != "" && was != m[1] {
				w.Fatalf("%s: UIDVALIDITY of %s was %s and is %s", w.who, box.name, was, m[1])
			}
			w.memory.validity[box] = m[1]
		}
	}
	w.inquire()
}

// inquire asks for what it does not know yet.
func (w *walker) inquire() {
	w.Helper()
	first := slices.IndexFunc(w.list, func(k known) bool { return k.uid == 0 })
	if first >= 0 {
		w.answer(fmt.Sprintf("FETCH %d:* (UID FLAGS BODY.PEEK[])", first+1))
	}
	for _, k := range w.list {
		w.high = max(w.high, k.uid)
	}
}

// idle begins to wait.
func (w *walker) idle() {
	w.Helper()
	if w.idling {
		return
	}
	w.begin("IDLE")
	for !strings.HasPrefix(w.hear(), "+ ") {
	}
	w.idling = true
}

// rest ends waiting.
func (w *walker) rest() {
	w.Helper()
	if !w.idling {
		return
	}
	w.send("DONE")
	w.end()
	w.idling = false
}

// uids are those that the client knows, 0 for those that it has not asked for.
func (w *walker) uids() []uint32 {
	all := make([]uint32, len(w.list))
	for i, k := range w.list {
		all[i] = k.uid
	}
	return all
}

// setOf writes the messages at these positions as a command does.
func (w *walker) setOf(at []int, byUID bool) string {
	var words []string
	for _, i := range at {
		n := uint64(i + 1)
		if byUID {
			n = uint64(w.list[i].uid)
		}
		words = append(words, strconv.FormatUint(n, 10))
	}
	return strings.Join(words, ",")
}

// copied reads COPYUID or APPENDUID out of what was answered.
func (w *walker) copied(dest boxName, lines []string) (from, to []uint32, told bool) {
	w.Helper()
	for _, line := range lines {
		validity := ""
		if m := copyCode.FindStringSubmatch(line); m != nil {
			validity, from, to, told = m[1], numbersIn(m[2]), numbersIn(m[3]), true
		}
		if m := appendCode.FindStringSubmatch(line); m != nil {
			validity, to, told = m[1], numbersIn(m[2]), true
		}
		if validity == "" {
			continue
		}
		if was := w.memory.validity[dest]; was != "" && was != validity {
			w.Fatalf("%s: UIDVALIDITY of %s was %s, and the answer says %s", w.who, dest.name, was, line)
		}
		w.memory.validity[dest] = validity
	}
	return from, to, told
}

// numbersIn reads a set of numbers, "1:3,7".
func numbersIn(set string) (all []uint32) {
	for word := range strings.SplitSeq(set, ",") {
		first, last, ok := strings.Cut(word, ":")
		if !ok {
			last = first
		}
		for n := number(first); n <= number(last); n++ {
			all = append(all, uint32(n))
		}
	}
	return all
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// judge is a testing.TB for one walk: what fails ends the walk only, and what
// is to be cleaned up is cleaned up after it.
type judge struct {
	testing.TB
	verdict  chan string
	cleanups []func()
	temp     func() string
}

func (j *judge) Helper() {}

func (j *judge) Cleanup(f func()) { j.cleanups = append(j.cleanups, f) }

func (j *judge) TempDir() string { return j.temp() }

func (j *judge) Errorf(format string, args ...any) { j.say(fmt.Sprintf(format, args...)) }

func (j *judge) Error(args ...any) { j.say(fmt.Sprint(args...)) }

func (j *judge) say(words string) {
	select {
	case j.verdict <- words:
	default: // the first is enough
	}
}

// endOfWalk is what a walk panics with that has failed.
type endOfWalk struct{}

func (j *judge) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	panic(endOfWalk{})
}

func (j *judge) Fatal(args ...any) {
	j.Error(args...)
	panic(endOfWalk{})
}
