package mailflow

import (
	"fmt"
	"strings"
	"testing"

	"parley/mailflow/mailtest"
)

// What a party's ticket system writes in clear by itself is kept in Quarantine and
// answered by nobody. It is a question whether there was a leak only where it repeats
// what we sent, or cannot be compared with that.
func TestM4_RobotInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.do("vendor edit acme senders tickets@acme.example")
	to, sent := w.thread(id, "acme"), len(w.sink.Mails())
	notice := w.got("acme")[0]
	var line string // of the notice, 40 characters or more of one
	for l := range strings.Lines(notice.Text) {
		if l = strings.TrimSpace(l); len(l) > len(line) && !strings.Contains(l, string(id)) {
			line = l
		}
	}
	robot := mailtest.Field{Name: "Auto-Submitted", Value: "auto-replied"}
	const sender = "tickets@acme.example"
	mail := func(from, subject, text string, fields ...mailtest.Field) []byte {
		return mailtest.Plain(from, to, subject, text, w.clock.Now(), fields...)
	}
	kind := func(media string) mailtest.Field { return mailtest.Field{Name: "Content-Type", Value: media} }
	rows := []struct {
		name, from string
		raw        []byte
		asks       bool
	}{
		{"ticket", sender, mail(sender, "[ACME-1234] We received your request: "+w.Subject, "Your request ACME-1234 is queued.\nDo not answer this mail.\n", robot), false},
		{"out of office", "psirt@acme.example", mail("psirt@acme.example", "Automatic reply: "+w.Subject, "I am back on Monday.\n", robot), false},
		{"page", sender, mail(sender, "[ACME-1] page", "<p>We have your <b>request</b>.</p>", robot, kind("text/html")), false},
		{"our words", sender, mail(sender, "[ACME-1234] received", "You wrote:\n> "+line+"\n", robot), true},
		{"our tag", sender, mail(sender, "[ACME-1234] received: ["+string(id)+"] 1/4 Heads-up", "We have it.\n", robot), true},
		{"our code", sender, mail(sender, "[ACME-1234] received", "ACK "+w.code("acme")+"\n", robot), true},
		{"a file", sender, mail(sender, "[ACME-1] file", "JVBERi0x", robot, kind("application/pdf")), true},
		{"a stranger's", "x@nowhere.example", mail("x@nowhere.example", "[ACME-1234] received", "We have it.\n", robot), true},
		{"a person", sender, mail(sender, "[ACME-1234] received", "We have it, too.\n"), true},
	}
	for _, row := range rows {
		kept := len(w.filed("Quarantine"))
		w.arrives(row.from, to, row.raw)
		w.settle()
		if len(w.filed("Quarantine")) != kept+1 {
			t.Errorf("%s: Quarantine holds %q", row.name, w.subjects("Quarantine"))
		}
		if got := w.countIn("INBOX", "Was it a leak? acme wrote in clear") == 1; got != row.asks {
			t.Errorf("%s: asked whether it was a leak: %v; INBOX %q", row.name, got, w.subjects("INBOX"))
		}
		if note := unwrapped(w.words(w.last("Quarantine"))); !row.asks && !strings.Contains(note, "a machine wrote it, and it repeats nothing that we sent") {
			t.Errorf("%s: the desk reads\n%s", row.name, note)
		}
		for _, task := range w.openTasks() {
			if strings.HasPrefix(task.Subject, "Was it a leak?") {
				w.do(fmt.Sprintf("done T%d", task.Number))
			}
		}
		if answers := len(w.sink.Mails()) - sent; answers > 0 && row.name != "a person" {
			t.Errorf("%s: %d answers", row.name, answers)
		}
	}
	if who := w.participant(id, "acme"); who.Acknowledged != nil || !who.Wrote.IsZero() {
		t.Errorf("it counts: %+v", who)
	}
}
