package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// A mail that was accepted and not processed when the process died is
// processed by the next one, once (rule T2).
func TestT2_KillBetweenSpoolAndProcessing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	raw := w.seal(f, reportTo, true, withKey(f, "Heap overflow", "x"))
	large := mailtest.Plain("a@x.example", reportTo, "large", strings.Repeat(strings.Repeat("x", 70)+"\n", 20000), w.clock.Now())
	w.accepts(f.Address, raw, reportTo)
	w.accepts("a@x.example", large, reportTo)
	for range 3 {
		w.restart()
	}
	if len(w.filed("Intake")) != 0 || w.waiting() != 2 {
		t.Fatal("something is half done")
	}
	w.process()
	w.restart()
	w.process()
	w.settle()
	all := w.filed("Intake")
	if len(all) != 2 || w.waiting() != 0 {
		t.Fatalf("Intake %q, %d wait", w.subjects("Intake"), w.waiting())
	}
	for i, want := range [][]byte{raw, large} {
		if !bytes.Equal(w.kept(all[i]), want) {
			t.Errorf("mail %d is not what came", i+1)
		}
	}
	if n := len(w.sink.To(f.Address)); n != 1 {
		t.Errorf("%d receipts", n)
	}
	w.sound()
}

// sound wants the store whole.
func (w *world) sound() {
	w.t.Helper()
	r, err := w.Store.Verify(context.Background())
	if err != nil || len(r.Problems) > 0 {
		w.t.Errorf("the store is not whole: %v %v", err, r.Problems)
	}
}

// A kill at any instant of processing, seen from the store, is a commit that
// came or did not: processed again, a row changes nothing that it changed
// before (rule T2).
func TestT2_ProcessingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	w.accepts(acme.Address, w.seal(acme, to, true, propose(id)), to)
	w.accepts("a@x.example", []byte("not a message"), reportTo)
	w.accepts("a@x.example", mailtest.Plain("a@x.example", reportTo, "x", "y", w.clock.Now()), reportTo)
	rows, err := w.intake.spooled(0)
	if err != nil || len(rows) != 3 {
		t.Fatal(len(rows), err)
	}
	for range 3 {
		for _, r := range rows {
			if err := w.intake.processRow(context.Background(), r, make(rooms, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if r, ok := w.opens(rows); ok {
			t.Errorf("the spool still holds %d", r)
		}
	}
	w.settle()
	if n := w.cameIn(w.folderOf(id, "Vendor acme")); n != 1 || w.proposals(id) != 1 {
		t.Errorf("%d mails, %d proposals", n, w.proposals(id))
	}
	if len(w.filed("Intake")) != 1 || len(w.filed("Quarantine")) != 1 || w.journalled("report.received") != 1 {
		t.Errorf("Intake %q, Quarantine %q", w.subjects("Intake"), w.subjects("Quarantine"))
	}
	w.sound()
}

// opens gives a row that is still in the spool.
func (w *world) opens(rows []spoolRow) (id uint64, found bool) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		for _, r := range rows {
			if _, err := spool.Get(tx, store.Seq(r.ID)); err == nil {
				id, found = r.ID, true
			}
		}
		return nil
	})
	return id, found
}

// Whoever stops the gateway while a mail is opened finds it in the spool, not in
// Quarantine.
func TestT2_StoppedWhileOpening(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	w.accepts(f.Address, w.seal(f, reportTo, true, withKey(f, "x", "y")), reportTo)
	rows, err := w.intake.spooled(0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := w.intake.processRow(ctx, rows[0], make(rooms, 1)); err != nil {
		t.Error(err)
	}
	if w.waiting() != 1 || len(w.filed("Quarantine"))+len(w.filed("Intake")) != 0 {
		t.Fatal("the mail is not where it was")
	}
	w.process()
	w.one("Intake")
}

// What breaks off is not kept (rule T1); what is too large is refused.
func TestT1_BrokenOffAndTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Limits.Size = 1 << 20
	mail := func(size int) string {
		return "From: a@x.example\r\nSubject: x\r\n\r\n" + strings.Repeat("x", size-33)
	}
	env := Envelope{From: "a@x.example", To: []string{reportTo}}
	broken := errors.New("the line broke")
	for name, c := range map[string]struct {
		r    io.Reader
		code int
	}{
		"breaks at once":       {iotest.ErrReader(broken), 451},
		"breaks, small":        {io.MultiReader(strings.NewReader(mail(1000)), iotest.ErrReader(broken)), 451},
		"breaks once":          {io.MultiReader(strings.NewReader(mail(1000)), iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("xx")))), 451},
		"breaks, large":        {io.MultiReader(strings.NewReader(mail(800<<10)), iotest.ErrReader(broken)), 451},
		"an octet too many":    {strings.NewReader(mail(1<<20 + 1)), 552},
		"far too large":        {strings.NewReader(mail(5 << 20)), 552},
		"a loop":               {strings.NewReader(strings.Repeat("Received: from x by y\r\n", 101) + mail(1000)), 554},
		"a loop, in mixed LF":  {strings.NewReader(strings.Repeat("RECEIVED: from x by y\r\n", 101) + mail(1000)), 554},
		"at the limit":         {strings.NewReader(mail(1 << 20)), 0},
		"a hundred hops":       {strings.NewReader(strings.Repeat("Received: from x by y\r\n", 100) + mail(1000)), 0},
		"Received in the body": {strings.NewReader(mail(1000) + strings.Repeat("\r\nReceived: from x by y", 200)), 0},
	} {
		err := w.intake.Receive(t.Context(), env, c.r)
		var reply *Reply
		if c.code == 0 && err != nil || c.code != 0 && (!errors.As(err, &reply) || reply.Code != c.code) {
			t.Errorf("%s: %v, want %d", name, err, c.code)
		}
	}
	if n := w.waiting(); n != 3 {
		t.Errorf("%d mails are kept, want 3", n)
	}
	w.process()
	w.restart()
	w.sound()
}

// What is kept is what came, octet for octet, whether it was sealed from the buffer or
// read on.
func TestT1_KeptAsItCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want [][]byte
	for _, size := range []int{1, 4 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 128<<10 + 1} {
		raw := mailtest.Plain("a@x.example", reportTo, "x", "", storyStart)
		for len(raw) < size {
			raw = fmt.Appendf(raw, "%d octets so far\r\n", len(raw))
		}
		raw = raw[:size]
		want = append(want, raw)
		w.accepts("a@x.example", raw, reportTo)
	}
	w.process()
	for _, m := range append(w.filed("Quarantine"), w.filed("Intake")...) { // one octet is no mail
		if raw := w.kept(m); len(want) == 0 || !bytes.Equal(raw, want[0]) {
			t.Errorf("%d octets are not those that came", len(raw))
		}
		want = want[1:]
	}
	if len(want) > 0 {
		t.Errorf("%d mails are not there", len(want))
	}
}

// Where the store takes nothing, nothing is accepted (rule T1).
func TestT1_StoreThatTakesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.intake
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	env := Envelope{From: "a@x.example", To: []string{reportTo}}
	var reply *Reply
	for _, size := range []int{10, 1 << 20} {
		raw := mailtest.Plain("a@x.example", reportTo, "x", strings.Repeat("x", size), w.clock.Now())
		if err := in.Receive(t.Context(), env, bytes.NewReader(raw)); !errors.As(err, &reply) || reply.Code != 451 {
			t.Errorf("Receive: %v", err)
		}
	}
	if err := in.CheckRcpt(t.Context(), env, reportTo); !errors.As(err, &reply) || reply.Code != 451 {
		t.Errorf("CheckRcpt: %v", err)
	}
	w.open()
	if w.waiting() != 0 {
		t.Error("it was kept all the same")
	}
	w.sound()
}

// Many mails at once are all kept, each once, whatever their order.
func TestT2_ManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 40
	done := make(chan error, n)
	for i := range n {
		go func() {
			from := fmt.Sprintf("a%d@x.example", i)
			env := Envelope{From: from, To: []string{reportTo}}
			done <- w.intake.Receive(context.Background(), env, bytes.NewReader(mailtest.Plain(from, reportTo, fmt.Sprint(i), "x", storyStart)))
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	w.process()
	seen := map[string]bool{}
	for _, m := range w.filed("Intake") {
		seen[m.Sender] = true
	}
	if len(seen) != n || len(w.filed("Intake")) != n {
		t.Errorf("%d mails from %d senders", len(w.filed("Intake")), len(seen))
	}
}

// plaintext = "refuse" says so while the client is still there, and refuses only
// what holds nothing encrypted (rule M3).
func TestPlaintextRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.Plaintext = "refuse"
	f := w.person("finder", "someone@finder.example")
	to := w.thread(id, "acme")
	block := string(sealTo(t, []byte("x"), w.ourKey(), nil, &packet.Config{Time: w.clock.Now}))
	plain := mailtest.Plain(f.Address, reportTo, "x", "in clear", w.clock.Now())
	attached := func(name, data string) []byte {
		return append([]byte("From: "+f.Address+"\r\n"), mailtest.Entity("x", "see the attachment", mailtest.File{Name: name, Type: "application/octet-stream", Data: data})...)
	}
	exchange := bytes.Replace(w.seal(f, reportTo, false, mailtest.Entity("x", "y")), []byte("multipart/encrypted; protocol=\"application/pgp-encrypted\";"), []byte("multipart/mixed;"), 1)
	for name, c := range map[string]struct {
		raw     []byte
		to      []string
		refused bool
	}{
		"in clear":                      {plain, []string{reportTo}, true},
		"in clear, signed":              {w.signedEntity(f, mailtest.Entity("x", "y"), mailtest.Field{Name: "From", Value: f.Address}), []string{reportTo}, true},
		"in clear, to us twice":         {plain, []string{reportTo, "postmaster@vdp.example.org"}, true},
		"in clear, with our key":        {append([]byte("From: "+f.Address+"\r\n"), withKey(f, "x", "y")...), []string{strings.ToUpper(reportTo)}, true},
		"a letter to postmaster":        {plain, []string{"postmaster@vdp.example.org"}, false},
		"a question for our key":        {plain, []string{"report-key@vdp.example.org"}, false},
		"a vendor's thread":             {plain, []string{to}, false},
		"a vendor's thread and report@": {plain, []string{reportTo, to}, false},
		"PGP/MIME":                      {w.seal(f, reportTo, true, mailtest.Entity("x", "y")), []string{reportTo}, false},
		"by Exchange":                   {exchange, []string{reportTo}, false},
		"inline":                        {mailtest.Plain(f.Address, reportTo, "x", block, w.clock.Now()), []string{reportTo}, false},
		"an armored attachment":         {attached("x.asc", block), []string{reportTo}, false},
		"a binary attachment":           {attached("x.gpg", string(unarmored(t, block))), []string{reportTo}, false},
		"not a message":                 {[]byte("nothing"), []string{reportTo}, false},
	} {
		err := w.intake.Receive(t.Context(), Envelope{From: f.Address, To: c.to}, bytes.NewReader(c.raw))
		var reply *Reply
		if refused := errors.As(err, &reply) && reply.Code == 550; refused != c.refused || !refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.refused && !strings.Contains(fmt.Sprint(err), "report-key@vdp.example.org") {
			t.Errorf("%s: the refusal does not help: %v", name, err)
		}
	}
}

// unarmored are the octets in an armored block.
func unarmored(t *testing.T, block string) []byte {
	t.Helper()
	a, err := armor.Decode(strings.NewReader(block))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
