package mailflow

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// hands gives bytes to the submission port under a login.
func (w *world) hands(login, to string, raw []byte) error {
	w.t.Helper()
	env := Envelope{From: login + "@" + w.DeskDomain, To: []string{to}, Login: login, TLS: true}
	return w.sub.Submit(context.Background(), env, bytes.NewReader(raw))
}

// commands hands a control mail over and reads its transcript.
func (w *world) commands(login string, raw []byte) string {
	w.t.Helper()
	if err := w.hands(login, "control@"+w.DeskDomain, raw); err != nil {
		w.t.Fatal(err)
	}
	return w.words(w.last("Status"))
}

func entityOf(text string) []byte {
	return []byte("Content-Type: text/plain; charset=utf-8\r\n\r\n" + strings.ReplaceAll(text, "\n", "\r\n"))
}

func fromDesk(name string) mailtest.Field {
	return mailtest.Field{Name: "From", Value: name + "@desk.vdp.example.org"}
}

// counted says whether a transcript tells of a command that was done.
func counted(transcript string) bool {
	return !strings.Contains(transcript, "NOT DONE") && !strings.Contains(transcript, "Nothing was done")
}

// What counts only signed counts in one form: all of the mail is signed by the
// key of the coordinator whose login and address it is.
func TestA3_OnlyTheOwnSignatureOverAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana, ben := w.coordinator("ana"), w.coordinator("ben")
	w.vendor("acme")
	n := 0
	line := func() string { n++; return fmt.Sprintf("vendor edit acme second s%d@acme.example\n", n) }
	signed := func(p *mailtest.Person, from, text string) []byte {
		return w.signedEntity(p, entityOf(text), fromDesk(from))
	}
	control := "control@" + w.DeskDomain
	part := func(s string) string { return "--o\r\n" + s + "\r\n" }
	mixed := func(parts ...string) []byte {
		return []byte("From: ana@desk.vdp.example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n" +
			strings.Join(parts, "") + "--o--\r\n")
	}
	innocent := string(w.signedEntity(ana, entityOf("hello\n")))
	text := func() string { return string(entityOf(line())) }
	old := signed(ana, "ana", line())
	for name, row := range map[string]struct {
		login string
		raw   []byte
		want  bool
	}{
		"signed":                         {"ana", signed(ana, "ana", line()), true},
		"encrypted and signed":           {"ana", w.seal(ana, control, true, entityOf(line())), true},
		"signed to control":              {"ana", w.signedEntity(ana, append([]byte("To: "+control+"\r\n"), entityOf(line())...), fromDesk("ana")), true},
		"signed to a colleague":          {"ana", w.signedEntity(ana, append([]byte("To: ben@desk.vdp.example.org\r\n"), entityOf(line())...), fromDesk("ana")), false},
		"not signed":                     {"ana", mailtest.Plain(ana.Address, control, "c", line(), w.clock.Now()), false},
		"encrypted only":                 {"ana", w.seal(ana, control, false, entityOf(line())), false},
		"ben's under ana's login":        {"ana", signed(ben, "ana", line()), false},
		"ben's own under ana's login":    {"ana", signed(ben, "ben", line()), false},
		"ana's under ben's login":        {"ben", signed(ana, "ana", line()), false},
		"ana's as ben":                   {"ben", signed(ana, "ben", line()), false},
		"two addresses":                  {"ana", w.signedEntity(ana, entityOf(line()), mailtest.Field{Name: "From", Value: "ana@desk.vdp.example.org, ben@desk.vdp.example.org"}), false},
		"two From fields":                {"ana", w.signedEntity(ana, entityOf(line()), fromDesk("ana"), fromDesk("ben")), false},
		"before the signed part":         {"ana", mixed(part(text()), part(innocent)), false},
		"after the signed part":          {"ana", mixed(part(innocent), part(text())), false},
		"a third part in what is signed": {"ana", bytes.Replace(signed(ana, "ana", "hello\n"), []byte("\r\n--signed-entity-boundary\r\n"), []byte("\r\n--signed-entity-boundary\r\n"+text()+"\r\n--signed-entity-boundary\r\n"), 1), false},
		"forwarded":                      {"ana", mixed(part("Content-Type: message/rfc822\r\n\r\n" + string(signed(ana, "ana", line())))), false},
		"changed":                        {"ana", bytes.Replace(signed(ana, "ana", line()), []byte("second s"), []byte("second x"), 1), false},
	} {
		err := w.hands(row.login, control, row.raw) // another's From is refused at once
		if got := err == nil && counted(w.words(w.last("Status"))); got != row.want {
			t.Errorf("%s: counts %v, want %v, %v\n%s", name, got, row.want, err, w.words(w.last("Status")))
		}
	}
	w.clock.Advance(14*cvd.Day + time.Minute)
	if got := w.commands("ana", old); counted(got) {
		t.Errorf("signed two weeks ago:\n%s", got)
	}
}

// A signed mail counts once, whatever whoever found it puts around what was
// signed; a new one with the same words counts anew.
func TestA3_ReplayOfASignedMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.coordinator("ana")
	w.vendor("acme")
	control := "control@" + w.DeskDomain
	entity := entityOf("vendor edit acme second one@acme.example\n")
	raw := w.signedEntity(ana, entity, fromDesk("ana"))
	head := "From: ana@desk.vdp.example.org\r\n"
	body := string(raw[len(head):])
	lf := strings.ReplaceAll(body, "\r\n", "\n")
	wrapped := func(payload string) []byte { return w.seal(ana, control, false, []byte(payload)) }
	if got := w.commands("ana", raw); !counted(got) {
		t.Fatal(got)
	}
	second := func() string {
		var p cvd.Party
		w.view(func(tx *store.Tx) (err error) {
			p, err = PartyByID(tx, "acme")
			return err
		})
		return p.Second
	}
	w.do("vendor edit acme second two@acme.example")
	for name, again := range map[string][]byte{
		"as it was":                   raw,
		"another header field":        []byte(head + "X-Mailer: x\r\n" + body),
		"another Message-ID":          []byte(head + "Message-ID: <new@x.example>\r\n" + body),
		"a preamble":                  []byte(head + strings.Replace(body, "\r\n\r\n--", "\r\n\r\nhello\r\n--", 1)),
		"an epilogue":                 append(bytes.Clone(raw), "hello\r\n"...),
		"encrypted anew":              wrapped(body),
		"encrypted under a new field": wrapped("X: y\r\n" + body),
		"encrypted with other breaks": wrapped(lf),
	} {
		got := w.commands("ana", again)
		if counted(got) || second() != "two@acme.example" {
			t.Errorf("%s: %s\n%s", name, second(), got)
		}
	}
	if n := w.countIn("INBOX", "Not done: your commands (ana)"); n != 8 {
		t.Errorf("the desk was told %d times: %q", n, w.subjects("INBOX"))
	}
	w.clock.Advance(time.Minute)
	if got := w.commands("ana", w.signedEntity(ana, entity, fromDesk("ana"))); !counted(got) || second() != "one@acme.example" {
		t.Errorf("signed anew: %s", got)
	}
}

// What was refused, tried dry, or sent elsewhere is not to be tried again by
// whoever finds the mail.
func TestA3_ReplayOfWhatWasNotDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.coordinator("ana")
	w.vendor("acme")
	id := cvd.FindCaseIDs(w.do("case open x policy fast"))[0]
	start := w.signedEntity(ana, entityOf("case "+string(id)+"\nstart now\n"), fromDesk("ana"))
	if got := w.commands("ana", start); !strings.Contains(got, "no vendor takes part") {
		t.Fatal(got)
	}
	note := w.signedEntity(ana, entityOf("vendor edit acme second s@acme.example\n"), fromDesk("ana"))
	if err := w.hands("ana", "notes."+id.Lower()+"@"+w.DeskDomain, note); err != nil {
		t.Fatal(err)
	}
	w.in(id, "invite acme")
	for name, raw := range map[string][]byte{"refused before": start, "a note": note} {
		if got := w.commands("ana", raw); counted(got) {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// Whatever stands beside it in the same line, what counts only signed does.
func TestA3_VendorEditTogether(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.say(asOperator, "vendor add initrode psirt@initrode.example channel hand")
	r.refused(asAna, "lets mail go", "vendor edit initrode lead 3d channel pgp")
	r.refused(asAna, "lets mail go", "vendor edit initrode channel pgp lead 3d zone Asia/Tokyo")
	r.refused(asAna, "adds a recipient", "vendor edit initrode lead 3d second x@initrode.example")
	r.say(asAna, "vendor edit initrode lead 3d zone Asia/Tokyo")
}

// A yes under one policy is none under another.
func TestA3_PolicyChangeVoidsApprovals(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	twice := w.Policies["default"]
	twice.Name, twice.Stages = "twice", append([]cvd.StageRule(nil), twice.Stages...)
	twice.Stages[1].Approvals = 2
	w.Policies["twice"] = twice
	first := w.request(cvd.Scope)
	w.as(benSigned, "approve "+first.ID)
	w.in(id, "case policy twice")
	w.after(5 * cvd.Day)
	w.told("acme", "Heads-up")
	if a := w.request(cvd.Scope); a.ID == first.ID || a.Need != 2 {
		t.Errorf("%s needs %d", a.ID, a.Need)
	}
}

// A stage that is left out asks for nothing any more before those after it.
func TestA3_PolicyThatLeavesAStageOut(t *testing.T) {
	t.Parallel()
	p := cvd.Shipped()["default"]
	fewer := p
	fewer.Stages = append([]cvd.StageRule{p.Stages[0]}, p.Stages[2:]...)
	if got := laxer(p, fewer); !strings.Contains(got, "leaves out scope") {
		t.Errorf("%q", got)
	}
	shorter := p
	shorter.Stages = p.Stages[:3]
	if got := laxer(p, shorter); got != "" {
		t.Errorf("nothing comes after: %q", got)
	}
}

// A delivery goes once more only where nothing was stopped since, and to the
// address that the vendor has now.
func TestA3_DeliveryAgainPassesTheGate(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	d := r.queued("acme", cvd.Scope)
	tries := func() { // and nobody knows whether it arrived
		t.Helper()
		if _, err := r.Queue.RunDue(context.Background(), r.now()); err != nil {
			t.Fatal(err)
		}
	}
	tries()
	tag, again := "case PAR-2026-0001", fmt.Sprintf("delivery D%d again", d)
	for _, row := range []struct{ stop, back, why string }{
		{"hold acme", "release acme", "acme is on hold since"},
		{"hold case", "release case", "PAR-2026-0001 is on hold since"},
	} {
		r.say(asOperator, tag, row.stop)
		r.refused(asAna, row.why, tag, again)
		r.say(asOperator, tag, row.back)
	}
	r.say(asAna, tag, again)
	tries()
	r.say(asOperator, "vendor edit acme address new@acme.example")
	if said := r.say(asAna, tag, again); !strings.Contains(said, "written anew to new@acme.example") {
		t.Error(said)
	}
	if got := r.itemState(d); got != queue.Dropped {
		t.Errorf("the delivery to the old address is %s", got)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.State != cvd.Planned || n.Row.IsZero() {
		t.Errorf("the notice is %s", n.State)
	}
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Reached != cvd.HeadsUp || len(who.Codes) != 0 {
		t.Errorf("it was told %q, with codes %v", who.Reached, who.Codes)
	}
	r.say(asOperator, tag, "withdraw acme because wrong")
}
