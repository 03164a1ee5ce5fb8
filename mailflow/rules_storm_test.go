package mailflow

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// forgeries is how many mails somebody forges: HOSTILE in the environment, or few.
func forgeries(few int) int {
	if n, err := strconv.Atoi(os.Getenv("HOSTILE")); err == nil && n > 0 {
		return n
	}
	return few
}

// dsn is a report of a mail server (RFC 3464), the n-th that somebody makes.
func dsn(to, about, action string, n int) []byte {
	return fmt.Appendf(nil, "From: MAILER-DAEMON@mx%d.example\r\nTo: %s\r\nSubject: Undelivered Mail Returned to Sender\r\nMessage-ID: <%d@mx.example>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nI am sorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"+
		"Reporting-MTA: dns; mx%d.example\r\n\r\nFinal-Recipient: rfc822; %s\r\nAction: %s\r\nStatus: 5.1.1\r\n\r\n--b--\r\n", n, to, n, n, about, action)
}

// plans are the rows by which anything leaves, or counts: cases, notices and what
// falls due, texts, approvals, keys, the directory and the addresses.
func (w *world) plans() map[string][]string {
	w.t.Helper()
	out := map[string][]string{}
	w.view(func(tx *store.Tx) error {
		for _, table := range []string{"cases", "notices", "due", "materials", "approvals", "keys", "parties", "tokens", "introductions", "reviews", "sending"} {
			out[table] = dumps[table](tx)
		}
		for _, c := range mustCases(w, tx) {
			all, err := Participants(tx, c.ID)
			if err != nil {
				return err
			}
			for _, p := range all {
				out["participants"] = append(out["participants"], fmt.Sprintf("%s %s %v %s %t %t %t %s", p.Party, p.Address, p.Roles, p.Reached, p.Acknowledged != nil, p.Accepted() > 0, p.Late != nil, p.Token))
			}
		}
		return nil
	})
	return out
}

func mustCases(w *world, tx *store.Tx) []cvd.Case {
	w.t.Helper()
	all, err := Cases(tx)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// storeOctets is how much the state takes on the disk.
func (w *world) storeOctets() (n int64) {
	w.t.Helper()
	err := filepath.Walk(w.dir, func(_ string, f os.FileInfo, err error) error {
		if err == nil && f.Mode().IsRegular() {
			n += f.Size()
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// lightWorld is a world for thousands of mails.
func lightWorld(t *testing.T) *world {
	t.Helper()
	secret, err := keyring.GenerateUntil("Parley", reportTo, keyring.Ed25519, storyStart.Add(-1), storyStart.Add(10000*cvd.Day))
	if err != nil {
		t.Fatal(err)
	}
	return newWorldIn(t, t.TempDir()+"/state", secret, true)
}

// tries sends a mail as a client of the public port does, and gives the refusal.
func (w *world) tries(from, to string, raw []byte) error {
	env := Envelope{From: from, To: []string{to}, Remote: "192.0.2.66"}
	if err := w.intake.CheckRcpt(w.t.Context(), env, to); err != nil {
		return err
	}
	return w.intake.Receive(w.t.Context(), env, bytes.NewReader(raw))
}

// A storm of bounces of one delivery, all at once: what its server says counts once,
// the desk has one task for it and one that says that it is too much, the rest is
// refused like any unknown address, and what the store keeps has a limit.
func TestM7_BounceStorm(t *testing.T) {
	t.Parallel()
	w := lightWorld(t)
	id := w.started("acme", "globex")
	tasks, before, sent := len(w.filed("INBOX")), w.plans(), len(w.sink.Mails())
	to := w.sink.To("psirt@acme.example")[0].From
	octets, n := w.storeOctets(), forgeries(1000)
	var mu sync.Mutex
	kept := 0
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := g; i < n; i += 8 {
				err := w.tries("", to, dsn(to, "psirt@acme.example", "failed", i))
				mu.Lock()
				if err == nil {
					kept++
				} else if !errors.Is(err, replyNoMailbox) {
					t.Errorf("mail %d: %v", i, err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	w.process()
	w.settle()
	if kept != bounceMails || w.countIn("Status", "Bounced: ") != bounceMails {
		t.Errorf("%d of %d were taken, %d are in Status", kept, n, w.countIn("Status", "Bounced"))
	}
	if w.countIn("INBOX", "Bounced: ") != 1 || w.countIn("INBOX", "Too many bounces: acme in "+string(id)) != 1 || len(w.filed("INBOX")) != tasks+2 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	if grown := w.storeOctets() - octets; grown > 4<<20 {
		t.Errorf("the store grew by %d octets", grown)
	}
	after := w.plans()
	for _, table := range []string{"cases", "due", "materials", "approvals", "keys", "parties", "tokens"} {
		if !slices.Equal(after[table], before[table]) {
			t.Errorf("%s changed:\n%s\n%s", table, before[table], after[table])
		}
	}
	if !slices.Contains(before["participants"], after["participants"][1]) || len(w.sink.Mails()) != sent {
		t.Errorf("globex heard of it, or %d mails left: %s", len(w.sink.Mails())-sent, after["participants"])
	}
	other := w.sink.To("psirt@globex.example")[0].From
	if err := w.tries("", other, dsn(other, "psirt@globex.example", "delayed", 1)); err != nil {
		t.Errorf("the bounce of another delivery: %v", err)
	}
	t.Logf("%d bounces of one delivery: %d taken, the store grew by %d kB", n, kept, (w.storeOctets()-octets)>>10)
	w.sound()
}

// Large bounces end their address sooner; each mail that was accepted is there.
func TestM7_BounceStormOfLargeMails(t *testing.T) {
	t.Parallel()
	w := lightWorld(t)
	id := w.started("acme")
	to := w.sink.To("psirt@acme.example")[0].From
	w.update(func(tx *store.Tx) error {
		token := strings.TrimSuffix(strings.TrimPrefix(to, prefixBounce), "@"+w.Domain)
		return bounceTallies.Put(tx, caseScope(id), tx.Name("bounce", token), bounceTally{Mails: 3, Octets: bounceOctets - 1})
	})
	kept := 0
	for i := range 10 {
		if w.tries("", to, dsn(to, "psirt@acme.example", "delayed", i)) == nil {
			kept++
		}
	}
	w.process()
	if n := w.countIn("Status", "Delayed: "); kept != 1 || n != kept || w.countIn("INBOX", "Too many bounces") != 1 {
		t.Errorf("%d were taken, %d are in Status", kept, n)
	}
}

// Ten thousand forged bounces and replies (few of them here, all by make hostile):
// guessed and half right tokens, those of one table used in the other, another
// party's key, name or code at the right address. No schedule, contact, approval,
// key or state changes, nobody is answered but the party at its own address, twice at
// most, and the desk has three tasks.
func TestM7_ForgedBouncesAndReplies(t *testing.T) {
	t.Parallel()
	w := lightWorld(t)
	id := w.started("acme", "globex")
	acme, globex := w.people["acme"], w.people["globex"]
	thread, back := w.thread(id, "acme"), w.sink.To(acme.Address)[0].From
	lines := "ACK " + string(id) + " " + w.code("globex") + "\nACCEPT\nDATE 2026-12-03\nREQUEST proof\n"
	old := w.seal(globex, w.thread(id, "globex"), true, mailtest.Entity("Re: ["+string(id)+"]", "ACCEPT\n"))
	before, sent, tasks, octets := w.plans(), len(w.sink.Mails()), len(w.filed("INBOX")), w.storeOctets()
	local := func(addr string) string { l, _, _ := strings.Cut(addr, "@"); return l }
	_, token, _ := strings.Cut(local(thread), "+")
	_, vERP, _ := strings.Cut(local(back), "+")
	kinds := []struct {
		what string
		kept bool
		mail func(n int) (from, to string, raw []byte)
	}{
		{"a guessed bounce", false, func(n int) (string, string, []byte) {
			to := "bounce+" + cvd.NewToken() + "@" + w.Domain
			return "", to, dsn(to, acme.Address, "failed", n)
		}},
		{"a guessed thread", false, func(n int) (string, string, []byte) {
			to := "case+" + cvd.NewToken() + "@" + w.Domain
			return acme.Address, to, mailtest.Plain(acme.Address, to, "Re", lines, w.clock.Now())
		}},
		{"one letter off", false, func(n int) (string, string, []byte) {
			at := n % len(vERP)
			to := "bounce+" + vERP[:at] + string("abcdefghijk"[n%11]) + vERP[at+1:] + "x@" + w.Domain
			return "", to, dsn(to, acme.Address, "failed", n)
		}},
		{"a thread's token for a bounce", false, func(n int) (string, string, []byte) {
			to := "bounce+" + token + "@" + w.Domain
			return "", to, dsn(to, acme.Address, "failed", n)
		}},
		{"a bounce's token for a thread", false, func(n int) (string, string, []byte) {
			to := "case+" + vERP + "@" + w.Domain
			return acme.Address, to, mailtest.Plain(acme.Address, to, "Re", lines, w.clock.Now())
		}},
		{"a report to the desk's domain", false, func(n int) (string, string, []byte) {
			to := local(back) + "@" + w.DeskDomain
			return "", to, dsn(to, acme.Address, "failed", n)
		}},
		{"a bounce at a thread", true, func(n int) (string, string, []byte) { return "", thread, dsn(thread, acme.Address, "failed", n) }},
		{"in clear", true, func(n int) (string, string, []byte) {
			return acme.Address, thread, mailtest.Plain(acme.Address, thread, fmt.Sprint("Re ", n), lines, w.clock.Now())
		}},
		{"in acme's name, unsigned", true, func(n int) (string, string, []byte) {
			return acme.Address, thread, w.seal(acme, thread, false, mailtest.Entity("Re: ["+string(id)+"]", fmt.Sprint(lines, n)))
		}},
		{"signed by globex", true, func(n int) (string, string, []byte) {
			return globex.Address, thread, w.seal(globex, thread, true, mailtest.Entity("Re: ["+string(id)+"]", fmt.Sprint(lines, n)))
		}},
		{"globex's old letter at acme's address", true, func(n int) (string, string, []byte) {
			return globex.Address, thread, append(fmt.Appendf(nil, "X-Try: %d\r\n", n), old...)
		}},
	}
	n, kept := forgeries(330), 0
	for i := range n {
		k := kinds[i%len(kinds)]
		from, to, raw := k.mail(i)
		err := w.tries(from, to, raw)
		if (err == nil) != k.kept || err != nil && !errors.Is(err, replyNoMailbox) {
			t.Fatalf("%s: %v", k.what, err)
		}
		if err == nil {
			kept++
		}
	}
	w.process()
	w.settle()
	w.samePlansBut(before, sent)
	// was it a leak, who guesses codes, and a letter that nobody signed
	if got := len(w.filed("INBOX")) - tasks; got > 3 {
		t.Errorf("%d tasks: %q", got, w.subjects("INBOX"))
	}
	grown := w.storeOctets() - octets
	if grown > int64(kept)*64<<10+(4<<20) {
		t.Errorf("%d mails were kept, and the store grew by %d octets", kept, grown)
	}
	t.Logf("%d forged mails: %d refused, %d kept for a person, %d mails left, %d tasks, the store grew by %d kB", n, n-kept, kept, len(w.sink.Mails())-sent, len(w.filed("INBOX"))-tasks, grown>>10)
	w.sound()
}

// samePlansBut wants that nothing of the plans has changed. The party itself, at the
// address that we know, may have been told how to write, and that a code is wrong.
func (w *world) samePlansBut(before map[string][]string, sent int) {
	w.t.Helper()
	after := w.plans()
	told := w.sink.Mails()[sent:]
	for i, m := range told {
		if i > 1 || m.To != "psirt@acme.example" {
			w.t.Errorf("mail %d left, to %s", i+1, m.To)
		}
	}
	notices := after["notices"]
	for _, was := range before["notices"] {
		if i := slices.Index(notices, was); i >= 0 {
			notices = slices.Delete(notices, i, i+1)
		} else {
			w.t.Errorf("a notice changed: %s", was)
		}
	}
	if len(notices) > len(told) {
		w.t.Errorf("there are other notices: %s", notices)
	}
	delete(after, "notices")
	for table, rows := range after {
		if !slices.Equal(rows, before[table]) {
			w.t.Errorf("%s changed:\n%s\n%s", table, before[table], rows)
		}
	}
}
