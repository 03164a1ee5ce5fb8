package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/store"
)

// alarms are the open tasks that parties alarmed the desk with.
func (w *world) alarms() (out []string) {
	w.t.Helper()
	for _, m := range w.filed("INBOX") {
		if m.Kind == "alarm" {
			out = append(out, m.Envelope.Subject)
		}
	}
	return out
}

// A party's LEAK, PUBLISHED or EXPLOITED is before the desk at once, with who,
// what, and lines that can be typed; it moves nothing, and no address in it can be
// clicked.
func TestM7_PartiesAlarms(t *testing.T) {
	t.Parallel()
	for verb, line := range map[string]string{
		"LEAK":      "LEAK CASE https://paste.example/x?y=1.2 CODE",
		"PUBLISHED": "Published https://blog.example/post\n",
		"EXPLOITED": "EXPLOITED CASE CODE our honeypot, see http://pot.example/log",
	} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.started("acme", "globex")
			before := w.in(id, "plan")
			line := strings.NewReplacer("CASE", string(id), "CODE", w.code("acme")).Replace(line)
			w.answers("acme", id, verb == "PUBLISHED", line+"\n")
			got := w.alarms()
			if len(got) != 1 || !strings.HasPrefix(got[0], "ALARM "+verb+": acme says") || !strings.Contains(got[0], string(id)) {
				t.Fatalf("INBOX: %q", w.subjects("INBOX"))
			}
			text := w.words(w.last("INBOX"))
			if !strings.HasPrefix(text, "It came ") {
				t.Errorf("it does not begin with when and how it came:\n%s", text)
			}
			for _, want := range []string{"[.]example/", "case " + string(id) + "\n", "dates\n", "no date moved"} {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, "http") || strings.Contains(text, w.code("acme")) {
				t.Errorf("it can be clicked, or tells the code:\n%s", text)
			}
			w.linesAreCommands(text)
			if after := w.in(id, "plan"); after != before {
				t.Errorf("the plan changed from\n%s\nto\n%s", before, after)
			}
			if w.theCase(id).Exploited != nil {
				t.Error("it counts as the desk's word")
			}
			mails := w.got("acme")
			if answer := mails[len(mails)-1].Text; !strings.Contains(answer, "the coordinators are told at once") {
				t.Errorf("the answer:\n%s", answer)
			}
			if n := w.journalled("command." + strings.ToLower(verb)); n != 1 {
				t.Errorf("%d records", n)
			}
			if out := w.in(id, "history acme"); !strings.Contains(out, "command."+strings.ToLower(verb)) {
				t.Errorf("the history does not tell it:\n%s", out)
			}
		})
	}
}

// linesAreCommands wants each indented line of a text to be of the desk language.
func (w *world) linesAreCommands(text string) {
	w.t.Helper()
	n := 0
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(line, "    "); ok {
			n++
			if _, err := readLine(strings.TrimSpace(c)); err != nil {
				w.t.Errorf("%q is no command: %v", c, err)
			}
		}
	}
	if n == 0 {
		w.t.Errorf("no line to type:\n%s", text)
	}
}

// One case alarms once an hour; what comes between is a task all the same, and the
// answer does not tell that others spoke before.
func TestM7_OneAlarmAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	loud := func() (n int) {
		for _, s := range w.alarms() {
			if strings.HasPrefix(s, "ALARM ") {
				n++
			}
		}
		return n
	}
	w.answers("acme", id, true, "LEAK https://a.example\n")
	w.answers("globex", id, true, "LEAK https://b.example\nEXPLOITED\n")
	if n := loud(); n != 1 || len(w.alarms()) != 3 {
		t.Errorf("%d alarms: %q", n, w.alarms())
	}
	last := func(name string) string {
		all := w.got(name)
		_, text, _ := strings.Cut(all[len(all)-1].Text, "https://"+map[string]string{"acme": "a", "globex": "b"}[name]+".example")
		text, _, _ = strings.Cut(text, "Your next line")
		return strings.TrimSpace(strings.Split(strings.TrimSpace(text), "\n\n")[0])
	}
	if a, b := last("acme"), last("globex"); a != b || a == "" {
		t.Errorf("acme reads %q, globex %q", a, b)
	}
	w.clock.Advance(time.Hour)
	w.answers("globex", id, true, "LEAK https://c.example\n")
	if n := loud(); n != 2 {
		t.Errorf("%d alarms after an hour: %q", n, w.alarms())
	}
}

// What does not count starts no alarm: no signature and no code, quoted, or in
// clear. It is a letter.
func TestS5_AlarmsThatDoNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.answers("acme", id, false, "LEAK "+string(id)+" https://a.example\n")
	w.answers("acme", id, true, "Hello\n> LEAK https://a.example\n")
	acme, to := w.people["acme"], w.thread(id, "acme")
	w.arrives(acme.Address, to, []byte("From: "+acme.Address+"\r\nTo: "+to+"\r\nSubject: x\r\n\r\nEXPLOITED "+w.code("acme")+"\r\n"))
	w.settle()
	if got := w.alarms(); len(got) != 0 {
		t.Errorf("alarms: %q", got)
	}
	if n := w.countIn("INBOX", "acme wrote in "+string(id)+":"); n != 1 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
}

// Nobody sees the alarm of a case that is restricted to others.
func TestA2_AlarmOfARestrictedCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.started("acme")
	w.in(id, "case restrict ana")
	w.answers("acme", id, true, "LEAK https://a.example\n")
	sees := func(name string) bool {
		for _, s := range w.seenBy(name) {
			if strings.Contains(s, "ALARM LEAK") {
				return true
			}
		}
		return false
	}
	if !sees("ana") || sees("ben") {
		t.Errorf("ana sees it: %v, ben: %v", sees("ana"), sees("ben"))
	}
}

func TestDefanged(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://evil.example/a.b":              "hxxps://evil[.]example/a.b",
		"HTTP://EVIL.EXAMPLE":                   "HXXP://EVIL[.]EXAMPLE",
		"ftp://x.y/http://z.w":                  "fxp://x[.]y/http[:]//z.w",
		"www.evil.example/x":                    "www[.]evil[.]example/x",
		"jo@evil.example":                       "jo[@]evil[.]example",
		"seen today.":                           "seen today.",
		"a\u202eb\x00 c\nd":                     "a b c d",
		"":                                      "",
		strings.Repeat("a", 400):                strings.Repeat("a", maxAlarm-3) + "...",
		"mailto:jo@evil.example and 10.0.0.1/x": "mailto:jo[@]evil[.]example and 10[.]0[.]0[.]1/x",
	} {
		if got := defanged(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

// HISTORY lists a vendor's own exchange, and SUGGEST puts a name before the desk;
// neither tells anything of others.
func TestVendorAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.answers("globex", id, true, "ACK\n")
	w.answers("acme", id, true, "ACK\n")
	w.answers("acme", id, true, "HISTORY\nSUGGEST initech they build our decoder, psirt@initech.example\n")
	all := w.got("acme")
	answer := strings.ReplaceAll(all[len(all)-1].Text, "\r\n", "\n")
	for _, want := range []string{"to you    1/4 heads-up\n", "  from you\n", "to you    answer\n", "a coordinator decides whom to tell"} {
		if !strings.Contains(answer, want) {
			t.Errorf("the answer does not say %q:\n%s", want, answer)
		}
	}
	if n := strings.Count(answer, "  from you\n"); n != 2 {
		t.Errorf("%d mails came, it says:\n%s", n, answer)
	}
	if strings.Contains(answer, "globex") {
		t.Errorf("it names another party:\n%s", answer)
	}
	if n := w.countIn("INBOX", "acme suggests somebody in "+string(id)+": initech"); n != 1 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	if n := len(w.sink.To("psirt@initech.example")); n != 0 {
		t.Error("somebody was told")
	}
	w.answers("acme", id, true, "History teaches patience.\n")
	if n := w.countIn("INBOX", "acme wrote"); n != 1 {
		t.Errorf("a sentence is no letter: %q", w.subjects("INBOX"))
	}
}

// A finder learns counts and dates by STATE, no names, and tells the desk by TALK
// and LEAK; a vendor's STATE is a letter.
func TestFinderAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fin := w.person("finder", "f@finder.example")
	w.reported(fin, "Overflow", "it overflows")
	id := w.caseWith("acme", "globex")
	w.in(id, "report 1 join "+string(id))
	w.in(id, "start now")
	w.after(5 * w.Undo)
	w.answers("acme", id, true, "ACCEPT v1\nSTATUS affected 4.1\n")
	w.answers("finder", id, true, "STATE\nTALK 2027-02-10 at 40C3\nLEAK https://a.example\n")
	all := w.got("finder")
	answer := unwrapped(all[len(all)-1].Text)
	for _, want := range []string{"vendors: 2, told so far: 2, keep it secret on their word: 1, affected: 1; it began", "is to be public Thu 31 Dec 2026", "you speak about it on 2027-02-10"} {
		if !strings.Contains(answer, want) {
			t.Errorf("the answer does not say %q:\n%s", want, answer)
		}
	}
	if strings.Contains(answer, "acme") || strings.Contains(answer, "globex") {
		t.Errorf("it names a vendor:\n%s", answer)
	}
	if w.countIn("INBOX", "finder speaks about "+string(id)+" on 2027-02-10") != 1 || len(w.alarms()) != 1 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	w.answers("acme", id, true, "STATE\n")
	if n := w.countIn("INBOX", "acme wrote"); n != 1 {
		t.Errorf("a vendor's STATE: %q", w.subjects("INBOX"))
	}
	w.answers("finder", id, true, "Talk to you soon.\n")
	if n := w.countIn("INBOX", "finder wrote"); n != 1 {
		t.Errorf("a sentence is no letter: %q", w.subjects("INBOX"))
	}
	w.view(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if c.Embargo().Version != 1 {
			t.Error("a date moved")
		}
		return err
	})
}
