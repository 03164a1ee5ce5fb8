package imapd

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"runtime"
	"time"
)

// handshakeTime is how long a client may take for the handshake of TLS.
const handshakeTime = 15 * time.Second

// admit begins a connection, if its address may have one more (rule M8).
// Without TLS there is no way to say why not, so it just ends.
func (s *Server) admit(raw net.Conn) {
	leave, err := s.Limiter.Enter(raw.RemoteAddr())
	if err != nil {
		s.Log.Info("imap: no room", "err", err)
		_ = raw.Close()
		return
	}
	go func() {
		w, err := s.secure(raw, leave)
		if err != nil {
			s.Log.Debug("imap: no TLS")
			_ = raw.Close()
			leave()
			return
		}
		select {
		case s.ready <- w:
		case <-s.ctx.Done():
			_ = w.Close()
		}
	}()
}

// secure makes a conn on which TLS is up.
func (s *Server) secure(raw net.Conn, leave func()) (*wire, error) {
	conn := tls.Server(raw, s.TLS)
	ctx, cancel := context.WithTimeout(s.ctx, handshakeTime)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	w := newWire(conn, s, leave)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errShutdown
	}
	s.wires[w] = true
	return w, nil
}

// forget is called when a connection has ended.
func (s *Server) forget(w *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.wires[w] {
		return
	}
	delete(s.wires, w)
	if s.closed && len(s.wires) == 0 {
		close(s.empty)
	}
}

// handoff is the listener from which the library takes connections.
type handoff struct{ *Server }

func (h handoff) Accept() (net.Conn, error) {
	select {
	case conn := <-h.ready:
		return conn, nil
	case <-h.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (h handoff) Close() error { return nil }

func (h handoff) Addr() net.Addr { return &net.TCPAddr{} }

// quiet is the library's log. What it prints may hold what a client typed, so
// only the form of a line is kept, and of a panic what the runtime made and
// where it was (rule H6).
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, args ...any) {
	attrs := []any{"what", format}
	for _, a := range args {
		if r, ok := a.(runtime.Error); ok {
			attrs = append(attrs, "panic", r.Error())
		}
		if stack, ok := a.([]byte); ok {
			attrs = append(attrs, "stack", string(stack))
		}
	}
	if len(attrs) > 2 {
		q.log.Error("imap: library", attrs...)
		return
	}
	q.log.Debug("imap: library", attrs...)
}
