package courier

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/mailflow/mailtest"
)

// two makes relays of a scripted server and a sink behind it.
func two(t testing.TB, dialogues ...string) (*Relays, *scripted, *mailtest.Sink) {
	t.Helper()
	first, second := speaks(t, dialogues...), newSink(t, mailtest.SinkOptions{})
	return &Relays{All: []*Courier{to(t, first.addr), to(t, second.Addr)}}, first, second
}

func wantVia(t testing.TB, r Result, o Outcome, at Step, via int) {
	t.Helper()
	want(t, r, o, at)
	if r.Via != via {
		t.Errorf("it was smarthost %d, want %d", r.Via, via)
	}
}

// What the first smarthost says decides whether the second is asked: after what it could not do for now, yes; after a refusal for
// good, or once the final dot left, never.
func TestT3_Relays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, dialogue string
		outcome        Outcome
		step           Step
		via            int
	}{
		{"greeting 421", "S: 421 no", Sent, Answer, 2},
		{"greeting 554", "S: 554 no", Sent, Answer, 2},
		{"greeting closed", "X", Sent, Answer, 2},
		{"EHLO 550", "S: 220 x\nC: EHLO vdp.example.org\nS: 550 5.7.1 no", Sent, Answer, 2},
		{"MAIL 451", untilMail + "\nS: 451 4.3.0 no", Sent, Answer, 2},
		{"MAIL 550", untilMail + "\nS: 550 5.7.1 sender unknown", Sent, Answer, 2},
		{"MAIL 552", untilMail + "\nS: 552 5.3.4 too large", Sent, Answer, 2},
		{"RCPT 450", untilRcpt + "\nS: 450 4.2.1 busy", Sent, Answer, 2},
		{"RCPT closed", untilRcpt + "\nX", Sent, Answer, 2},
		{"RCPT 550", untilRcpt + "\nS: 550 5.1.1 nobody", Failed, RcptTo, 1},
		{"DATA 451", untilData + "\nS: 451 4.3.0 no", Sent, Answer, 2},
		{"DATA 554", untilData + "\nS: 554 5.0.0 no", Failed, Data, 1},
		{"dot 250", untilDot + "\nS: 250 ok", Sent, Answer, 1},
		{"dot 451", untilDot + "\nS: 451 4.3.0 no", Later, Answer, 1},
		{"dot 554", untilDot + "\nS: 554 5.6.0 no", Failed, Answer, 1},
		{"dot closed", untilDot + "\nX", Unknown, Answer, 1},
		{"dot garbage", untilDot + "\nS: fine", Unknown, Answer, 1},
		{"dot hangs", untilDot + "\nH", Unknown, Answer, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, _, sink := two(t, c.dialogue)
			if strings.HasSuffix(c.name, "hangs") {
				r.All[0].Timeout, r.All[0].Answer = 300*time.Millisecond, 300*time.Millisecond
			}
			wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), c.outcome, c.step, c.via)
			if got, want := len(sink.Mails()), c.via-1; got != want {
				t.Errorf("the second has %d mails, want %d", got, want)
			}
		})
	}
}

// A line that breaks within the message was no answer to it: the second gets the whole of it.
func TestT3_RelaysBrokenInData(t *testing.T) {
	t.Parallel()
	first, second := newSink(t, mailtest.SinkOptions{}), newSink(t, mailtest.SinkOptions{})
	r := &Relays{All: []*Courier{to(t, first.Addr), to(t, second.Addr)}}
	large := append([]byte("Subject: x\r\n\r\n"), bytes.Repeat([]byte("a line of a large message\r\n"), 1_000_000)...)
	first.DropInData(1, 1000)
	wantVia(t, r.Deliver(t.Context(), mailOf(large)), Sent, Answer, 2)
	if len(first.Mails()) != 0 || len(second.Mails()) != 1 || !bytes.Equal(second.Mails()[0].Raw, large) {
		t.Errorf("%d and %d mails", len(first.Mails()), len(second.Mails()))
	}
}

// A mail that cannot be read, or that was taken back, is no fault of a smarthost, and no other is asked.
func TestT4_RelaysOpen(t *testing.T) {
	t.Parallel()
	first, second := newSink(t, mailtest.SinkOptions{}), newSink(t, mailtest.SinkOptions{})
	r := &Relays{All: []*Courier{to(t, first.Addr), to(t, second.Addr)}}
	for _, open := range []func() (io.ReadCloser, error){
		func() (io.ReadCloser, error) { return nil, errDisk },
		func() (io.ReadCloser, error) {
			return brokenBody{io.MultiReader(bytes.NewReader(testMessage[:20]), iotestErr{errDisk})}, nil
		},
	} {
		m := mailOf(testMessage)
		m.Open = open
		if out := r.Deliver(t.Context(), m); out.Outcome != Later || out.Via != 1 {
			t.Errorf("got %+v", out)
		}
	}
	if second.Connections() != 0 {
		t.Error("the second was asked")
	}
	wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer, 1)
}

// Each smarthost keeps its own terms: a login or TLS that is missing at one does not make the next one do without.
func TestM6_RelaysKeepTheirTerms(t *testing.T) {
	t.Parallel()
	good, strict := secured(t, StartTLS, mailtest.SinkOptions{User: "user", Password: "right"}, time.Now(), "relay2.example.org")
	strict.User, strict.Password, strict.Hello = "user", func() (string, error) { return "right", nil }, "second.vdp.example.org"
	stripped := "S: 220 x\nC: EHLO first.vdp.example.org\nS: 250 x\nN"
	s := speaks(t, stripped, stripped)
	first := to(t, s.addr)
	first.Security, first.Hello, first.Timeout = StartTLS, "first.vdp.example.org", 2*time.Second
	r := &Relays{All: []*Courier{first, strict}}
	if out := r.Deliver(t.Context(), mailOf(testMessage)); out.Outcome != Later || len(good.Mails()) != 0 {
		t.Errorf("its certificate is for its own name: %+v", out)
	}
	must(t, strict.SetTLSName("relay2.example.org"))
	r = &Relays{All: []*Courier{first, strict}}
	wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer, 2)
	s.ended(t, 2)
	if got := good.Mails(); len(got) != 1 || !got[0].TLS || got[0].Login != "user" || got[0].Hello != "second.vdp.example.org" {
		t.Errorf("got %+v", got)
	}
	strict.Password = func() (string, error) { return "wrong", nil }
	strict.Close()
	r = &Relays{All: []*Courier{strict, first}}
	if out := r.Deliver(t.Context(), mailOf(testMessage)); out.Outcome != Later || len(good.Mails()) != 1 {
		t.Errorf("without its login: %+v", out)
	}
}

// heardOf gathers what a monitoring system is told.
type heardOf struct {
	mu  sync.Mutex
	all []string
}

func (h *heardOf) hear(n int, r Result, up bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, strconv.Itoa(n)+" "+string(r.Outcome)+" "+strconv.FormatBool(up))
}

// A smarthost that failed is not asked for each mail, but again after a while, by one mail; once it is back it is the first again.
func TestRelays_Aside(t *testing.T) {
	t.Parallel()
	first, second := newSink(t, mailtest.SinkOptions{}), newSink(t, mailtest.SinkOptions{})
	clock := mailtest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	var heard heardOf
	var log bytes.Buffer
	r := &Relays{All: []*Courier{to(t, first.Addr), to(t, second.Addr)}, now: clock.Now, Heard: heard.hear, Log: slog.New(slog.NewTextHandler(&log, nil))}
	send := func(via int) {
		t.Helper()
		wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer, via)
	}
	send(1)
	first.Fail(mailtest.Mail, 421, 2) // on the kept connection and on a fresh one
	send(2)
	connections := first.Connections()
	for range 5 {
		send(2)
	}
	clock.Advance(shortestRest - time.Second)
	send(2)
	if n := first.Connections(); n != connections {
		t.Errorf("the first was asked %d times while it was left aside", n-connections)
	}
	clock.Advance(shortestRest/4 + 2*time.Second)
	first.Fail(mailtest.Mail, 421, 1)
	send(2) // it fails again, and rests longer
	clock.Advance(shortestRest*5/4 + time.Second)
	send(2)
	clock.Advance(shortestRest * 5 / 4)
	send(1)
	send(1)
	if h := heard.all; h[0] != "1 sent true" || h[1] != "1 later false" || h[2] != "2 sent true" || h[len(h)-1] != "1 sent true" {
		t.Errorf("heard %q", h)
	}
	for _, words := range []string{"left aside", "is back", "smarthost=1 host=127.0.0.1"} {
		if !strings.Contains(log.String(), words) {
			t.Errorf("the log does not say %q:\n%s", words, &log)
		}
	}
	if strings.Contains(log.String(), "acme") {
		t.Errorf("the log names somebody:\n%s", &log)
	}
}

// While all are left aside one mail asks every ten seconds, so that what is there is found soon and not by every mail.
func TestRelays_AllAside(t *testing.T) {
	t.Parallel()
	first, second := newSink(t, mailtest.SinkOptions{}), newSink(t, mailtest.SinkOptions{})
	clock := mailtest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	r := &Relays{All: []*Courier{to(t, first.Addr), to(t, second.Addr)}, now: clock.Now}
	first.Fail(mailtest.Mail, 421, 1)
	second.Fail(mailtest.Mail, 421, 1)
	if out := r.Deliver(t.Context(), mailOf(testMessage)); out.Outcome != Later || out.Code != 421 {
		t.Errorf("got %+v", out)
	}
	for range 5 {
		if out := r.Deliver(t.Context(), mailOf(testMessage)); out.Outcome != Later || out.Err != errAside {
			t.Errorf("it was asked again: %+v", out)
		}
	}
	if n := first.Connections() + second.Connections(); n != 2 {
		t.Errorf("%d connections, want one to each", n)
	}
	clock.Advance(probeGap)
	wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer, 1)
	wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer, 1)
}

// A server that loses the line behind a final dot makes one mail Unknown, and not the next as well.
func TestT3_RelaysAfterUnknown(t *testing.T) {
	t.Parallel()
	first, second := newSink(t, mailtest.SinkOptions{}), newSink(t, mailtest.SinkOptions{})
	r := &Relays{All: []*Courier{to(t, first.Addr), to(t, second.Addr)}}
	first.LoseAfterDot(2)
	wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Unknown, Answer, 1)
	wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer, 2)
	if n := len(second.Mails()); n != 1 {
		t.Errorf("the second has %d mails", n)
	}
}

// What we broke off ourselves is held against no smarthost.
func TestRelays_Context(t *testing.T) {
	t.Parallel()
	r, _, sink := two(t, "H", untilDot+"\nS: 250 ok")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wantVia(t, r.Deliver(ctx, mailOf(testMessage)), Later, Hello, 1)
	wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer, 1)
	if len(sink.Mails()) != 0 {
		t.Error("the second was asked")
	}
}

// What is told of an attempt at several is what came furthest, and what may still succeed before what may not.
func TestRelays_WhatIsTold(t *testing.T) {
	t.Parallel()
	r, _, second := two(t, untilRcpt+"\nS: 450 4.2.1 busy")
	second.Fail(mailtest.Mail, 451, 1)
	wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Later, RcptTo, 1)
	small := "S: 220 x\nC: EHLO vdp.example.org\nS: 250-x\nS: 250 SIZE 20\nN"
	a, b := speaks(t, small), speaks(t, small)
	r = &Relays{All: []*Courier{to(t, a.addr), to(t, b.addr)}}
	out := r.Deliver(t.Context(), mailOf(testMessage))
	wantVia(t, out, Failed, MailFrom, 2)
	if got := out.String(); got != "smarthost 2: MAIL: the message has 37 bytes and the server takes 20 at most" {
		t.Errorf("it says %q", got)
	}
	r, _, second = two(t, small)
	second.Fail(mailtest.Mail, 451, 1)
	wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Later, MailFrom, 2)
}

func TestRelays_Concurrent(t *testing.T) {
	t.Parallel()
	second := newSink(t, mailtest.SinkOptions{})
	r := &Relays{All: []*Courier{to(t, "127.0.0.1:1"), to(t, second.Addr)}}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { wantVia(t, r.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer, 2) })
	}
	all.Wait()
	if n := len(second.Mails()); n != 20 {
		t.Errorf("%d mails", n)
	}
	if f := r.rest[0].fails; f != 1 {
		t.Errorf("%d failures are counted of those that were under way together", f)
	}
}
