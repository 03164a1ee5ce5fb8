package courier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/mailflow/mailtest"
)

const (
	testFrom = "bounce+x@vdp.example.org"
	testTo   = "psirt@acme.example"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testMessage holds what a transport likes to change.
var testMessage = []byte("Subject: x\r\n\r\n.dot\r\n..two\r\n.\r\ntext \r\n")

func mailOf(b []byte) Mail {
	return Mail{From: testFrom, To: testTo, Size: int64(len(b)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}

// to makes a courier to a server on loopback.
func to(t testing.TB, addr string) *Courier {
	t.Helper()
	h, err := ParseSmarthost("smtp://" + addr)
	must(t, err)
	c := &Courier{Smarthost: h, Hello: "vdp.example.org", Timeout: 20 * time.Second, Answer: 20 * time.Second}
	t.Cleanup(c.Close)
	return c
}

func newSink(t testing.TB, o mailtest.SinkOptions) *mailtest.Sink {
	t.Helper()
	s, err := mailtest.StartSink(o)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func want(t testing.TB, r Result, o Outcome, at Step) {
	t.Helper()
	if r.Outcome != o || r.Step != at || (r.Err == nil) != (o == Sent) {
		t.Errorf("got %s at %s (%d, %v), want %s at %s", r.Outcome, r.Step, r.Code, r.Err, o, at)
	}
}

func TestDeliver_ExactBytes(t *testing.T) {
	t.Parallel()
	s := newSink(t, mailtest.SinkOptions{})
	c := to(t, s.Addr)
	large := append([]byte("Subject: x\r\n\r\n"), bytes.Repeat([]byte(".some line of a large message\r\n"), 100_000)...)
	for _, b := range [][]byte{testMessage, large} {
		r := c.Deliver(t.Context(), mailOf(b))
		want(t, r, Sent, Answer)
		if r.Code != 250 || r.Enhanced != "2.0.0" {
			t.Errorf("answered %d %q", r.Code, r.Enhanced)
		}
		mails := s.Mails()
		m := mails[len(mails)-1]
		if !bytes.Equal(m.Raw, b) || m.From != testFrom || m.To != testTo || m.Hello != "vdp.example.org" {
			t.Errorf("got other bytes or another envelope: %q %q %q", m.From, m.To, m.Hello)
		}
	}
	if s.Connections() != 1 {
		t.Errorf("%d connections for two mails", s.Connections())
	}
	null := mailOf(testMessage)
	null.From = ""
	want(t, c.Deliver(t.Context(), null), Sent, Answer)
}

// Every answer at every place, and a broken or hanging line at each.
func TestT3_Outcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, dialogue string
		outcome        Outcome
		step           Step
		code           int
	}{
		{"greeting 554", "S: 554 no", Later, Hello, 554},
		{"greeting 421", "S: 421 no", Later, Hello, 421},
		{"greeting closed", "X", Later, Hello, 0},
		{"greeting garbage", "S: hello there", Later, Hello, 0},
		{"greeting hangs", "H", Later, Hello, 0},
		{"EHLO 550", "S: 220 x\nC: EHLO vdp.example.org\nS: 550 5.7.1 no", Later, Hello, 550},
		{"MAIL 451", untilMail + "\nS: 451 4.3.0 no", Later, MailFrom, 451},
		{"MAIL 550", untilMail + "\nS: 550 5.7.1 sender unknown", Later, MailFrom, 550},
		{"MAIL 552", untilMail + "\nS: 552 5.3.4 too large", Failed, MailFrom, 552},
		{"MAIL closed", untilMail + "\nX", Later, MailFrom, 0},
		{"RCPT 450", untilRcpt + "\nS: 450 4.2.1 busy", Later, RcptTo, 450},
		{"RCPT 421", untilRcpt + "\nS: 421 4.2.1 going", Later, RcptTo, 421},
		{"RCPT 550", untilRcpt + "\nS: 550 5.1.1 nobody", Failed, RcptTo, 550},
		{"RCPT closed", untilRcpt + "\nX", Later, RcptTo, 0},
		{"DATA 451", untilData + "\nS: 451 4.3.0 no", Later, Data, 451},
		{"DATA 554", untilData + "\nS: 554 5.0.0 no", Failed, Data, 554},
		{"DATA closed", untilData + "\nX", Later, Data, 0},
		{"DATA hangs", untilData + "\nH", Later, Data, 0},
		{"dot 250", untilDot + "\nS: 250 2.6.0 queued as 17", Sent, Answer, 250},
		{"dot 251", untilDot + "\nS: 251 will forward", Sent, Answer, 251},
		{"dot 250, many lines", untilDot + "\nS: 250-2.0.0 well\nS: 250 2.0.0 done", Sent, Answer, 250},
		{"dot 452", untilDot + "\nS: 452 4.3.1 full", Later, Answer, 452},
		{"dot 421", untilDot + "\nS: 421 4.3.2 going", Later, Answer, 421},
		{"dot 554", untilDot + "\nS: 554 5.6.0 no", Failed, Answer, 554},
		{"dot 354", untilDot + "\nS: 354 what", Unknown, Answer, 354},
		{"dot closed", untilDot + "\nX", Unknown, Answer, 0},
		{"dot garbage", untilDot + "\nS: fine", Unknown, Answer, 0},
		{"dot hangs", untilDot + "\nH", Unknown, Answer, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := speaks(t, c.dialogue)
			courier := to(t, s.addr)
			if strings.HasSuffix(c.name, "hangs") {
				courier.Timeout, courier.Answer = 300*time.Millisecond, 300*time.Millisecond
			}
			r := courier.Deliver(t.Context(), mailOf(testMessage))
			want(t, r, c.outcome, c.step)
			if r.Code != c.code {
				t.Errorf("got code %d, want %d", r.Code, c.code)
			}
		})
	}
}

// The line breaks in the middle of a message: no server takes what has no final dot.
func TestT3_BrokenInData(t *testing.T) {
	t.Parallel()
	s := newSink(t, mailtest.SinkOptions{})
	large := append([]byte("Subject: x\r\n\r\n"), bytes.Repeat([]byte("a line of a large message\r\n"), 1_000_000)...)
	s.DropInData(1, 1000)
	want(t, to(t, s.Addr).Deliver(t.Context(), mailOf(large)), Later, Message)
	s.DropAfterDot(1)
	want(t, to(t, s.Addr).Deliver(t.Context(), mailOf(testMessage)), Unknown, Answer)
	if n := len(s.Mails()); n != 1 {
		t.Errorf("%d mails were taken, want the one after the dot", n)
	}
}

// brokenBody gives a part of a message and then an error.
type brokenBody struct{ io.Reader }

var errDisk = errors.New("the disk is gone")

func (brokenBody) Close() error { return nil }

// A message that cannot be read to its end must not be delivered as if it ended there. The client writes the final dot by
// itself before its next command, a good-bye included.
func TestT3_TruncatedIsNotSent(t *testing.T) {
	t.Parallel()
	s := newSink(t, mailtest.SinkOptions{})
	c := to(t, s.Addr)
	m := mailOf(testMessage)
	m.Open = func() (io.ReadCloser, error) {
		return brokenBody{io.MultiReader(bytes.NewReader(testMessage[:20]), iotestErr{errDisk})}, nil
	}
	r := c.Deliver(t.Context(), m)
	want(t, r, Later, Message)
	if !errors.Is(r.Err, errDisk) {
		t.Errorf("error %v", r.Err)
	}
	m.Open = func() (io.ReadCloser, error) { return brokenBody{bytes.NewReader(testMessage[:27])}, nil }
	want(t, c.Deliver(t.Context(), m), Failed, Message) // ends too early, on a whole line
	m.Open = func() (io.ReadCloser, error) { return nil, errDisk }
	if r := c.Deliver(t.Context(), m); r.Step != Open || !errors.Is(r.Err, errDisk) {
		t.Errorf("got %+v", r)
	}
	c.Close()
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer)
	if n := len(s.Mails()); n != 1 {
		t.Errorf("%d mails arrived, want the whole one only", n)
	}
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

// What must not be sent is not, and nothing of it is delivered.
func TestM6_RefusesBadMessages(t *testing.T) {
	t.Parallel()
	s := newSink(t, mailtest.SinkOptions{})
	c := to(t, s.Addr)
	for _, bad := range []string{"", "Subject: x\n\ntext\n", "Subject: x\r\n\r\nbare\rcr\r\n", "Subject: x\r\n\r\n\x00\r\n", "Subject: \x07\r\n\r\ntext\r\n"} {
		want(t, c.Deliver(t.Context(), mailOf([]byte(bad))), Failed, Message)
	}
	for _, m := range []Mail{{From: "a@b.example\r\nRCPT TO:<c@d.example>", To: testTo}, {From: testFrom, To: "a@b.example> NOTIFY=NEVER"}, {From: testFrom}} {
		m.Open = mailOf(testMessage).Open
		want(t, c.Deliver(t.Context(), m), Failed, Envelope)
	}
	if n := len(s.Mails()); n != 0 {
		t.Errorf("%d mails arrived", n)
	}
}

// A server that stops reading does not hold the writer: the client sets no deadline there.
func TestTrap7_DataDeadline(t *testing.T) {
	t.Parallel()
	s := speaks(t, untilData+"\nS: 354 go on\nZ")
	c := to(t, s.addr)
	c.Timeout = 300 * time.Millisecond
	endless := mailOf(testMessage)
	endless.Size = 0
	endless.Open = func() (io.ReadCloser, error) { return io.NopCloser(endlessly{}), nil }
	want(t, c.Deliver(t.Context(), endless), Later, Message)
}

// endlessly gives lines without end.
type endlessly struct{}

func (endlessly) Read(b []byte) (int, error) {
	n := 0
	for n+2 <= len(b) && n < 900 {
		b[n] = 'x'
		n++
	}
	return n + copy(b[n:], "\r\n"), nil
}

func TestDeliver_Context(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]struct {
		dialogue string
		step     Step
	}{"greeting": {"H", Hello}, "RCPT": {untilRcpt + "\nH", RcptTo}, "DATA": {untilData + "\nH", Data}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			s := speaks(t, d.dialogue)
			want(t, to(t, s.addr).Deliver(ctx, mailOf(testMessage)), Later, d.step)
			s.ended(t, 1)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, to(t, "127.0.0.1:1").Deliver(ctx, mailOf(testMessage)), Later, Connect)
}

// A mail handed over whole gets its answer although the context ended meanwhile.
func TestT3_AnswerAfterCancel(t *testing.T) {
	t.Parallel()
	s := newSink(t, mailtest.SinkOptions{})
	reached, release := s.StallAfterDot()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
		release()
	}()
	want(t, to(t, s.Addr).Deliver(ctx, mailOf(testMessage)), Sent, Answer)
}

func TestReuse(t *testing.T) {
	t.Parallel()
	s := newSink(t, mailtest.SinkOptions{})
	c := to(t, s.Addr)
	s.Refuse(testTo, 550)
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Failed, RcptTo)
	s.Refuse(testTo, 0)
	s.Fail(mailtest.Dot, 451, 1)
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, Answer)
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer)
	if s.Connections() != 1 {
		t.Errorf("%d connections, want one: refusals leave it usable", s.Connections())
	}
	s.Fail(mailtest.Mail, 421, 1) // on the kept connection; a fresh one is taken instead
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer)
	s.Fail(mailtest.Mail, 451, 2) // on the fresh one too
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, MailFrom)
	if n := len(s.Mails()); n != 2 {
		t.Errorf("%d mails arrived, want 2", n)
	}
}

// A connection that died while it was idle is replaced, and the mail goes once.
func TestReuse_DeadConnection(t *testing.T) {
	t.Parallel()
	s := speaks(t, untilDot+"\nS: 250 ok\nX", untilDot+"\nS: 250 ok\nC: QUIT\nS: 221 bye")
	c := to(t, s.addr)
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer)
	s.ended(t, 1)
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer)
	c.Close()
	s.ended(t, 1)
}

// A server that says it closes is not spoken to again.
func TestReuse_Closing(t *testing.T) {
	t.Parallel()
	s := speaks(t, untilRcpt+"\nS: 421 4.3.2 going\nN")
	want(t, to(t, s.addr).Deliver(t.Context(), mailOf(testMessage)), Later, RcptTo)
	s.ended(t, 1)
}

func TestDeliver_Concurrent(t *testing.T) {
	t.Parallel()
	s := newSink(t, mailtest.SinkOptions{})
	c := to(t, s.Addr)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			m := mailOf(testMessage)
			m.To = fmt.Sprintf("a%d@acme.example", i)
			want(t, c.Deliver(t.Context(), m), Sent, Answer)
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, m := range s.Mails() {
		seen[m.To] = true
	}
	if len(seen) != 40 || len(s.Mails()) != 40 {
		t.Errorf("%d mails to %d people", len(s.Mails()), len(seen))
	}
}

// What a server writes, and addresses, stay out of errors and logs.
func TestH6_ResultsInLogs(t *testing.T) {
	t.Parallel()
	s := speaks(t, untilRcpt+"\nS: 550-5.1.1 <psirt@acme.example> canary\x1b[2J\nS: 550 5.1.1 nobody")
	r := to(t, s.addr).Deliver(t.Context(), mailOf(testMessage))
	want(t, r, Failed, RcptTo)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "result", r)
	for _, words := range []string{log.String(), r.String(), r.Err.Error()} {
		if strings.Contains(words, "canary") || strings.Contains(words, "acme") {
			t.Errorf("%q tells too much", words)
		}
	}
	if r.String() != "RCPT answered 550 5.1.1" || r.Text != "<psirt@acme.example> canary?[2J nobody" {
		t.Errorf("got %q, %q", r.String(), r.Text)
	}
	bad := mailOf(testMessage)
	bad.To = "canary canary"
	if r := to(t, s.addr).Deliver(t.Context(), bad); strings.Contains(r.Err.Error(), "canary") {
		t.Errorf("%v tells the address", r.Err)
	}
}
