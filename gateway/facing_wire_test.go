package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"

	"parley/mailflow/mailtest"
)

// tappedWire is a port that hands every octet on to another one, which may be known
// later than it, and keeps what clients say. Two gateways that send to each other
// have to know each other's port before either has one.
type tappedWire struct {
	net.Listener
	mu   sync.Mutex
	to   string
	said []*bytes.Buffer // of each connection
}

func tapWire(t testing.TB) *tappedWire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w := &tappedWire{Listener: l}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed: the test is over
			}
			go w.carry(client)
		}
	}()
	return w
}

func (w *tappedWire) addr() string { return w.Addr().String() }

// leadsTo says where all that comes goes from now on.
func (w *tappedWire) leadsTo(addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = addr
}

// carry hands a connection on until either side ends it.
func (w *tappedWire) carry(client net.Conn) {
	defer func() { _ = client.Close() }()
	b := &bytes.Buffer{}
	w.mu.Lock()
	to := w.to
	w.said = append(w.said, b)
	w.mu.Unlock()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return // the client hears no greeting
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(client, server) // a broken line is no news to a wire
		_ = client.Close()
	}()
	_, _ = io.Copy(server, io.TeeReader(client, lockedWriter{&w.mu, b}))
}

type lockedWriter struct {
	mu *sync.Mutex
	to io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

// mails are those whose text was said to its end, by connection and in their order.
func (w *tappedWire) mails() (all []mailtest.Received) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.said {
		all = append(all, mailsIn(b.Bytes())...)
	}
	return all
}

// mailsIn reads what a client says that sends DATA only where all before was taken,
// as ours does.
func mailsIn(said []byte) (all []mailtest.Received) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(said)))
	var m mailtest.Received
	for {
		line, err := r.ReadLine()
		if err != nil {
			return all
		}
		switch word, rest, _ := strings.Cut(line, ":"); strings.ToUpper(word) {
		case "MAIL FROM":
			m = mailtest.Received{From: pathIn(rest)}
		case "RCPT TO":
			m.To = pathIn(rest)
		case "DATA":
			if m.Raw, err = r.ReadDotBytes(); err != nil {
				return all
			}
			all = append(all, m)
		}
	}
}

// pathIn is what stands between angle brackets.
func pathIn(s string) string {
	_, s, _ = strings.Cut(s, "<")
	s, _, _ = strings.Cut(s, ">")
	return s
}
