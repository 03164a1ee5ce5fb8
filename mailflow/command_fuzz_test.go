package mailflow

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"parley/mailflow/store"
)

// serial is the number of the last commit.
func (r *deskRig) serial() (n uint64) {
	r.view(func(tx *store.Tx) error {
		n = tx.Serial()
		return nil
	})
	return n
}

// FuzzCommandLines reads mails in which every other line is a quotation: none
// of these is ever a command, however it is marked, and what is below the
// header of an old mail is none either.
func FuzzCommandLines(f *testing.F) {
	f.Add("> ", "case PAR-2026-0001\nhold acme because \"two\nwords\"\n\n-- \nana\n")
	f.Add(" >>", "On 1 Dec 2026,\nDesk <x@y> wrote:\nplan\n")
	f.Add("|", "dry-run \nplan \nstatus\nThanks\n")
	f.Add("AN>", "\ufeffhold all\r\nAm 1.12.26 schrieb Desk:\nplan\n")
	f.Fuzz(func(t *testing.T, mark, mail string) {
		if !marked(mark) || strings.ContainsAny(mark, "\r\n") {
			mark = "> "
		}
		const canary = "hold canary"
		if strings.Contains(mail, "canary") {
			return
		}
		var mixed strings.Builder
		for line := range strings.Lines(mail) {
			mixed.WriteString(strings.TrimRight(line, "\r\n") + "\n" + mark + canary + "\n")
		}
		mixed.WriteString("\n-----Original Message-----\n" + canary + "\n\n" + canary + "\n")
		for _, l := range CommandLines(mixed.String()) {
			if strings.Contains(l, "canary") || strings.TrimSpace(l) != l || l == "" || strings.Contains(l, "\n") {
				t.Errorf("%q gives %q", mixed.String(), l)
			}
		}
	})
}

// FuzzCommands gives mails to control@ to a desk on a real store: any text, as
// any of those who may write. Nothing panics; a dry run changes nothing and says
// the same as what is then done; and what is refused changes nothing.
func FuzzCommands(f *testing.F) {
	for i, c := range commands() {
		f.Add(uint8(i), "case PAR-2026-0001\n"+c.such+"\n")
		f.Add(uint8(i+1), c.such+"\nstatus\n\n-- \nana\n")
	}
	for i, mail := range []string{
		"dry-run\ncase par-2026-0001\nhold acme because “two\n words”\n\nOn 1 Dec 2026, Desk wrote:\n> hold all\n",
		"dry-run case PAR-2026-0001\nplan\nhistory\ndates\n",
		"case PAR-2026-0001\nhold acme\nrelease acme\nhold case\nrelease case\nundo U1\nundo U2\n",
		"case open \"x\" policy fast severity high report 17\ninvite acme wave 99 affects \"a\" footprint 12%\nstart now\nplan\ncase close\ncase reopen\n",
		"case PAR-2026-0001\nembargo 2026-03-29 02:30 Europe/Berlin because x\n",
		"case PAR-2026-0001\nrecord acme ready by 2027-02-10 via \"\"\nrecord acme status fixed 4.8 on 2027-02-10\nexploited source x at 2026-11-01\nrecord acme reported early-warning via x\n",
		"answer-all scope „nein“\nlegal-hold off because\ncase restrict ana,ben\ncase restrict everybody\nvendor edit acme subject \"default\" lead 0s legacy-display on\n",
		"> plan\n\ufeff| plan\n-----Original Message-----\nhold all\n",
		"hold \"all\nhold \\\"all\\\"\nsending pause because \x00\n",
		"help " + strings.Repeat("a", 5000) + "\n",
		"key confirm acme 4B32 evidence x\ndelivery D18446744073709551616 drop\nundo 18446744073709551615\nstage acme public at 9999-12-31T23:59:59Z\n",
	} {
		f.Add(uint8(i), mail)
	}
	writers := []Actor{asAna, asAnaSigns, asOperator, asBen}
	desks := &rigs{top: f.TempDir()}
	f.Cleanup(desks.close)
	f.Fuzz(func(t *testing.T, who uint8, mail string) {
		lines := CommandLines(mail)
		if len(lines) > 20 {
			lines = lines[:20]
		}
		if _, read := read(lines); !read.Done() {
			return // FuzzLex's
		}
		r := desks.started(t)
		by := writers[int(who)%len(writers)]
		dry := r.harmless(by, append([]string{"dry-run"}, lines...), true)
		real := r.harmless(by, lines, false)
		shown := strings.Contains(unwrapped(dry.String()), "it counts only signed") // what unsigned is refused
		if first := strings.Fields(lines[0])[0]; dry.Done() != real.Done() && !shown && !strings.EqualFold(first, "dry-run") {
			t.Errorf("the dry run says\n%s\nand then\n%s", dry, real)
		}
	})
}

// rigs gives one run after the other a case that has started: the same, as long
// as nothing changed it, since making a store takes longer than most mails.
type rigs struct {
	top  string
	made int
	now  *deskRig
	head string
	at   uint64 // its serial
}

func (d *rigs) started(t *testing.T) *deskRig {
	t.Helper()
	if d.now != nil {
		if d.now.t = t; d.now.head() == d.head && d.now.serial() == d.at {
			return d.now
		}
		d.close()
	}
	d.made++
	d.now = newDeskRigIn(t, filepath.Join(d.top, strconv.Itoa(d.made)))
	d.now.starts()
	d.head, d.at = d.now.head(), d.now.serial()
	return d.now
}

// close ends the last one, and takes its files away.
func (d *rigs) close() {
	if d.now != nil {
		_ = d.now.Store.Close() // nobody reads it again
		_ = os.RemoveAll(filepath.Join(d.top, strconv.Itoa(d.made)))
	}
	d.now = nil
}

// harmless gives commands and wants everything as it was where they are
// refused, or only tried.
func (r *deskRig) harmless(by Actor, lines []string, dry bool) Transcript {
	r.t.Helper()
	head, serial := r.head(), r.serial()
	tr, err := r.Do(context.Background(), by, lines)
	if err != nil {
		r.t.Fatalf("%q: %v", lines, err)
	}
	if (dry || !tr.Done() || tr.Dry) && (r.head() != head || r.serial() != serial) {
		r.t.Errorf("%q changed something:\n%s", lines, tr)
	}
	for _, l := range tr.Lines {
		if l.Outcome == NotDone && (l.Result == "" || l.Undo != "" || l.Waits != "") {
			r.t.Errorf("%q: refused with %+v", lines, l)
		}
	}
	_ = tr.String()
	return tr
}
