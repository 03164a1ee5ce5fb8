package smtpd

import (
	"net"
	"sync"
	"time"

	"parley/gateway/auth"
)

// door lets connections in as gates, as many as the limiter allows.
type door struct {
	net.Listener
	server *Server
	polite chan struct{}
	close  func() error
}

func newDoor(s *Server, l net.Listener) *door {
	return &door{Listener: l, server: s, polite: make(chan struct{}, politeRefusals), close: sync.OnceValue(l.Close)}
}

// Close stops listening; both the library and the server call it.
func (d *door) Close() error { return d.close() }

// politeRefusals is how many connections at a time are told why they are not
// let in; those beyond are just closed, so that refusing costs no memory.
const politeRefusals = 32

// refusal is the time for telling.
const refusal = 2 * time.Second

// Accept returns the next connection that may come in (rule M8).
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := d.server.Limiter.Enter(c.RemoteAddr())
		if err != nil {
			d.refuse(c)
			continue
		}
		g := newGate(d.server, c, leave)
		if !d.server.open(g) {
			_ = g.Close()
			continue
		}
		return g, nil
	}
}

// refuse says 421 and closes (RFC 5321 section 3.8), without keeping the door
// waiting.
func (d *door) refuse(c net.Conn) {
	select {
	case d.polite <- struct{}{}:
	default:
		_ = c.Close()
		return
	}
	go func() {
		defer func() { <-d.polite }()
		g := newGate(d.server, c, func() {})
		defer g.Close()
		g.limits.Command = refusal
		if err := g.begin(); err == nil {
			g.end(421, "4.7.0", auth.ErrTooMany.Error())
		}
	}()
}
