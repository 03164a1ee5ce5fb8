package mailflow

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// caseFile is the one mail in the folder of that name.
func (w *world) caseFile(id cvd.CaseID) (m store.Message) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		row, err := readTask(tx, caseFileKey(id))
		if err != nil {
			return err
		}
		if uids, err := tx.UIDs(row.Mailbox, func(store.Scope) bool { return true }); err != nil || len(uids) != 1 || uids[0] != row.UID {
			w.t.Errorf("its folder holds %d, not %d alone: %v", uids, row.UID, err)
		}
		m, err = tx.Message(row.Message)
		return err
	})
	return m
}

// partOf is the last part of a mail of a media type.
func (w *world) partOf(m store.Message, mediaType string) *message.Part {
	w.t.Helper()
	var found *message.Part
	w.shown(m).Walk(func(p *message.Part) bool {
		if p.MediaType == mediaType {
			found = p
		}
		return true
	})
	if found == nil {
		w.t.Fatalf("the mail has no %s", mediaType)
	}
	return found
}

func (w *world) events(m store.Message) []ical.Event {
	w.t.Helper()
	data, err := w.partOf(m, "text/calendar").Body()
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range bytes.SplitSeq(data, []byte("\r\n")) {
		if len(line) > 75 {
			w.t.Errorf("calendar line of %d octets", len(line))
		}
	}
	cal, err := ical.NewDecoder(bytes.NewReader(data)).Decode()
	if err != nil {
		w.t.Fatal(err)
	}
	return cal.Events()
}

// A case file carries a picture that clients show below the text, with words
// for who does not see it, and the dates of the case as a calendar whose
// entries replace those before.
func TestCaseFile_PictureAndCalendar(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	m := w.caseFile(id)
	p := w.partOf(m, "image/png")
	data, err := p.Body()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width != 1280 || len(data) > 20_000 {
		t.Errorf("picture: %+v, %v, %d octets", c, err, len(data))
	}
	if d := p.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "inline") || p.Filename != "timeline.png" {
		t.Errorf("the picture is %q, %q", d, p.Filename)
	}
	wants(t, p.Header.Get("Content-Description"), "Timeline of PAR-2026-0001: day 1 of 30, heads-up 2 of 2 vendors; next Wed 2 Dec 2026")
	first := w.events(m)
	if len(first) != 5 {
		t.Fatalf("%d events", len(first))
	}
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.in(id, `embargo 2027-01-05T09:00Z because "a fix needs a week"`)
	next := w.caseFile(id)
	if next.ID == m.ID {
		t.Fatal("it was not replaced")
	}
	w.view(func(tx *store.Tx) error {
		if _, err := tx.Message(m.ID); err == nil {
			t.Error("what it replaced is still kept")
		}
		return nil
	})
	moved := w.events(next)
	for i, e := range moved {
		if e.Props.Get(ical.PropUID).Value != first[i].Props.Get(ical.PropUID).Value {
			t.Errorf("event %d has another UID", i)
		}
		before, after := first[i].Props.Get(ical.PropSequence).Value, e.Props.Get(ical.PropSequence).Value
		if len(after) < len(before) || after <= before {
			t.Errorf("event %d: sequence %s after %s", i, after, before)
		}
		if s, _ := e.Props.Text(ical.PropSummary); strings.Contains(s, "acme") || strings.Contains(s, "overflow") || !strings.HasPrefix(s, string(id)+": ") {
			t.Errorf("event %d is called %q", i, s)
		}
	}
	if got := moved[4].Props.Get(ical.PropDateTimeStart).Value; got != "20270105T090000Z" {
		t.Errorf("the end is on %s", got)
	}
}

// The days of the embargo go on after midnight UTC though nothing happens, once
// after downtime, and at no other time.
func TestCaseFile_GoesOnAtMidnight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.answers("acme", id, true, "ACK\n")
	w.clock.Advance(48*time.Hour - w.clock.Now().Sub(storyStart)) // 3 Dec, 09:00
	w.settle()
	for _, row := range []struct {
		on      time.Duration
		subject string
		same    bool
	}{
		{15 * time.Hour, "day 3 of 30", true}, // the first case has its turn a minute after midnight
		{time.Minute, "day 4 of 30", false},
		{23 * time.Hour, "day 4 of 30", true},
		{5*24*time.Hour + time.Hour, "day 10 of 30", false},
	} {
		before := w.caseFile(id).ID
		w.clock.Advance(row.on)
		w.settle()
		if m := w.caseFile(id); !strings.Contains(m.Envelope.Subject, " - "+row.subject) || (m.ID == before) != row.same {
			t.Errorf("on %s: %q, the same %v", w.clock.Now(), m.Envelope.Subject, m.ID == before)
		}
	}
	if next, err := w.DaysDue(w.clock.Now()); err != nil || !next.Equal(date(w.clock.Now()).AddDate(0, 0, 1).Add(time.Minute)) {
		t.Errorf("it wants to be called at %v, %v", next, err)
	}
	w.in(id, "case close")
	before := w.caseFile(id)
	wants(t, before.Envelope.Subject, " - closed Thu 10 Dec 2026")
	wants(t, w.words(before), "CLOSED      Thu 10 December 2026")
	w.after(24 * time.Hour)
	if w.caseFile(id).ID != before.ID {
		t.Error("that of a closed case was replaced")
	}
}

// Forty vendors, some with long names and all that can be wrong: the text keeps
// to 72 columns, and what is the same for several is said once.
func TestCaseFile_FortyVendors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	var lines []string
	for i := range 39 {
		name := fmt.Sprintf("vendor-%d", i)
		if i%10 == 9 {
			name += "-with-as-long-a-name-as-is"
		}
		lines = append(lines, fmt.Sprintf("vendor add %s psirt@v%d.example", name, i), fmt.Sprintf("invite %s wave %d footprint %dk", name, i/10+1, 100*i))
	}
	w.in(id, append(lines, "start now")...)
	w.after(5 * w.Undo)
	w.clock.Advance(4 * 24 * time.Hour)
	w.settle()
	m := w.caseFile(id)
	text := w.words(m)
	wants(t, unwrapped(text), "wave 1: 11 vendors, footprint 4.5M and 1 not known; wave 2: 10 vendors, footprint 14.5M;")
	wants(t, text, "TOLD        heads-up 1 of 40 vendors")
	wants(t, text, "acme")
	for line := range strings.Lines(text) {
		if len(strings.TrimSpace(line)) > 72 && len(strings.Fields(line)) > 1 {
			t.Errorf("line of %d columns: %s", len(line), line)
		}
	}
	if n := strings.Count(text, "is held"); n != 1 {
		t.Errorf("held is said %d times:\n%s", n, text)
	}
	if dir := os.Getenv("PARLEY_PICTURES"); dir != "" {
		data, _ := w.partOf(m, "image/png").Body()
		raw := slices.Concat([]byte("Subject: "+m.Envelope.Subject+"\n\n"), []byte(text))
		if err := os.WriteFile(dir+"/casefile-forty.txt", raw, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/casefile-forty.png", data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A task that came or went is nothing that the picture shows: it stays, to the
// octet, and nothing is drawn.
func TestCaseFile_PictureStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	before := w.caseFile(id)
	picture := func(m store.Message) (p []byte) {
		w.view(func(tx *store.Tx) error {
			p = w.pictureOf(tx, m.ID)
			return nil
		})
		return p
	}
	want, err := w.partOf(before, "image/png").Body()
	if err != nil || !bytes.Equal(picture(before), want) {
		t.Fatalf("the picture cannot be read again (%v)", err)
	}
	w.answers("acme", id, true, "a question\n")
	after := w.caseFile(id)
	if after.ID == before.ID || !bytes.Equal(picture(after), want) {
		t.Errorf("message %d took the place of %d; its picture is the same: %v", after.ID, before.ID, bytes.Equal(picture(after), want))
	}
	w.after(cvd.Day)
	if bytes.Equal(picture(w.caseFile(id)), want) {
		t.Error("a day later the picture is the same")
	}
	w.view(func(tx *store.Tx) error {
		if p := w.pictureOf(tx, 1<<40); p != nil {
			t.Error("a message that is not there has a picture")
		}
		return nil
	})
}

// At midnight a thousand case files go on by a day: what falls due does not wait
// for them, and requests for a yes come first.
func TestPrepare_LetsNoticesGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.started("acme"), w.started("globex")
	w.update(func(tx *store.Tx) error {
		w.moved(tx, first)
		w.moved(tx, second)
		w.touch(tx, second)
		return nil
	})
	all, err := w.sched.dirty()
	if err != nil || len(all) != 2 || all[0].Case != second {
		t.Fatalf("%+v, %v", all, err)
	}
	passed := time.Duration(0)
	w.Clock.Read = func() (time.Time, time.Duration) {
		passed += prepareMost
		return w.clock.Now(), passed
	}
	if more, err := w.sched.prepareWithin(t.Context(), prepareMost); !more || err != nil {
		t.Errorf("all were made at once (%v)", err)
	}
	if all, err := w.sched.dirty(); err != nil || len(all) != 1 || all[0].Case != first {
		t.Errorf("left are %+v, %v", all, err)
	}
	if more, err := w.sched.prepareWithin(t.Context(), prepareMost); more || err != nil {
		t.Errorf("one is left and takes its turn: %v, %v", more, err)
	}
}

// What cannot wait stands first, and all else as it stood.
func TestCaseFile_AlarmsFirst(t *testing.T) {
	t.Parallel()
	got := alarmsFirst([]string{"LEAKED: rumour", "T2 acme declined", "T9 ALARM: the leak is not with 2 vendors", "", "T10 ALARM LEAK: acme says", "T11 no ALARM at all"})
	want := []string{"T9 ALARM: the leak is not with 2 vendors", "T10 ALARM LEAK: acme says", "LEAKED: rumour", "T2 acme declined", "", "T11 no ALARM at all"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
