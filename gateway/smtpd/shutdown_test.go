package smtpd_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// Shutdown tells idle clients, waits for a message under way, and takes no
// new ones.
func TestShutdownIsGraceful(t *testing.T) {
	t.Parallel()
	f := &flow{}
	addr, s := serve(t, config(f))
	idle, busy, half := dial(t, addr), dial(t, addr), dial(t, addr)
	idle.talk(greet)
	half.talk(greet + "R: NO")
	busy.talk(toData + "C: begun before\n")
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	idle.talk("S: 421 4.3.2 Shutting down, try again later\nS: EOF")
	half.talk("S: 421 4.3.2 *\nS: EOF")
	if c, err := net.DialTimeout("tcp", addr, patience); err == nil {
		_ = c.Close()
		t.Error("still listening")
	}
	select {
	case err := <-done:
		t.Fatalf("gone while a message was under way: %v", err)
	default:
	}
	busy.talk("C: ended after\nC: .\nS: 250 2.0.0 kept\nS: 421 4.3.2 *\nS: EOF")
	must(t, <-done)
	if got := f.got(); len(got) != 1 || got[0].Text != "begun before\r\nended after\r\n" {
		t.Errorf("kept %+v", got)
	}
	must(t, s.Shutdown(context.Background())) // again does nothing
}

// Patience has an end, and what was not accepted by then is not.
func TestShutdownEnds(t *testing.T) {
	t.Parallel()
	f := &flow{}
	addr, s := serve(t, config(f))
	p := dial(t, addr)
	p.talk(toData + "C: half\n")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	if got := p.reply(); got != "EOF" && got != "421 4.4.2 Connection broke" {
		t.Errorf("S: %s", got)
	}
	if len(f.got()) != 0 {
		t.Errorf("kept %+v", f.got())
	}
}

func TestServeAfterShutdown(t *testing.T) {
	t.Parallel()
	_, s := serve(t, config(&flow{}))
	must(t, s.Shutdown(context.Background()))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, s.Serve(l))
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}

// A client that vanishes while its message is being kept costs nothing but
// its place.
func TestClientGoneDuringReceive(t *testing.T) {
	t.Parallel()
	gone, inside := make(chan struct{}), make(chan struct{})
	f := &flow{}
	f.during = func() { close(inside); <-gone }
	addr, _ := serve(t, config(f))
	p := dial(t, addr)
	p.talk(toData + "C: whole\nC: .\n")
	<-inside
	_ = p.Close()
	f.during = nil
	close(gone)
	honest(t, addr, "127.0.0.1")
}
