package imapd

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// gather is how much is gathered before it goes to the client: the library
// flushes every line, and a TLS record for each is six times slower.
const gather = 64 << 10

// wire is the plaintext side of a client's TLS connection, as the library
// sees it. Writes are gathered while the server is at work and go out when it
// waits for the client; what is written while it waits, as IDLE does, goes
// out at once. What the client sends passes the gate.
type wire struct {
	*tls.Conn
	gate    gate
	server  *Server
	leave   func()
	session *session // once there is one; used by the reading side only
	once    sync.Once

	mu      sync.Mutex
	out     []byte
	waiting bool // a Read of the client is under way
	offer   *offer
	failed  error
	ending  string // the text of the BYE to say before the next command

	// loginBy ends the connection of a client that has not logged in by then;
	// zero once it has. Deadlines are set by the reading side only.
	loginBy time.Time
	// commandBy ends that of a client which has begun a command that is not
	// whole by then; zero between commands.
	commandBy time.Time
	asked     time.Time // the library's own deadline
}

func newWire(conn *tls.Conn, s *Server, leave func()) *wire {
	w := &wire{Conn: conn, server: s, leave: leave, loginBy: time.Now().Add(s.Login)}
	w.gate.wire = w
	return w
}

// Write takes what the library writes.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return 0, w.failed
	}
	if w.offer.answered(b) {
		return len(b), nil
	}
	w.put(reworded(b))
	if w.waiting {
		w.flush()
	}
	return len(b), w.failed
}

// put gathers.
func (w *wire) put(b []byte) {
	for len(w.out)+len(b) >= gather {
		n := min(len(b), gather-len(w.out))
		w.out, b = append(w.out, b[:n]...), b[n:]
		w.flush()
	}
	w.out = append(w.out, b...)
}

// flush sends what was gathered, or fails for good.
func (w *wire) flush() {
	if w.failed != nil || len(w.out) == 0 {
		return
	}
	_ = w.Conn.SetWriteDeadline(time.Now().Add(w.server.Write))
	_, w.failed = w.Conn.Write(w.out)
	if cap(w.out) > 4<<10 && w.waiting {
		w.out = nil // an idle connection keeps no large buffer
	}
	w.out = w.out[:0]
}

// Flush sends what was gathered, before something that takes long.
func (w *wire) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
}

// fill reads from the client. All that was gathered goes out before.
func (w *wire) fill(p []byte) (int, error) {
	w.mu.Lock()
	w.waiting = true
	w.flush()
	failed := w.failed
	w.mu.Unlock()
	if failed != nil {
		return 0, failed
	}
	n, err := w.Conn.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = false
	if n == 0 && os.IsTimeout(err) { // RFC 9051 section 5.4
		w.end(w.late())
		w.sayBye()
		return 0, io.EOF
	}
	return n, err
}

// late says what a client did not do in its time.
func (w *wire) late() string {
	switch {
	case !w.commandBy.IsZero():
		return "The command took too long"
	case !w.loginBy.IsZero():
		return "The time to log in is over"
	}
	return "Nothing came for too long"
}

// Read gives the library what the client sends, as far as the gate lets it.
func (w *wire) Read(p []byte) (int, error) { return w.gate.read(p) }

// SetWriteDeadline does nothing: the library sets one for each line, but what
// it writes goes out later, under the deadline of flush.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline lets nobody wait beyond the time for logging in, nor a command
// that has begun beyond its own.
func (w *wire) SetReadDeadline(t time.Time) error {
	w.asked = t
	for _, by := range [...]time.Time{w.loginBy, w.commandBy} {
		if !by.IsZero() && (t.IsZero() || t.After(by)) {
			t = by
		}
	}
	return w.Conn.SetReadDeadline(t)
}

// commandTime says that what comes now belongs to a command, which has so long
// until it is whole, however many octets come meanwhile (rule M8).
func (w *wire) commandTime(d time.Duration) {
	w.commandBy = time.Now().Add(d)
	_ = w.SetReadDeadline(w.asked)
}

// betweenCommands lets the client be silent again.
func (w *wire) betweenCommands() {
	w.commandBy = time.Time{}
	_ = w.SetReadDeadline(w.asked)
}

// loggedIn ends the time for logging in.
func (w *wire) loggedIn() { w.loginBy = time.Time{} }

// end lets the connection end before the next command. The caller holds mu.
func (w *wire) end(text string) {
	if w.ending == "" {
		w.ending = text
	}
}

// bye says BYE and ends the connection: at once where the server waits for a
// command, else after the command that is under way.
func (w *wire) bye(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(text)
	if w.waiting && w.gate.between() {
		w.sayBye()
		_ = w.Conn.Close()
	}
}

func (w *wire) sayBye() {
	w.put([]byte("* BYE " + w.ending + "\r\n"))
	w.flush()
}

// cut ends the connection without a word. What hangs in a write ends too.
func (w *wire) cut() { _ = w.Conn.NetConn().Close() }

// Close ends the connection.
func (w *wire) Close() error {
	w.mu.Lock()
	if w.failed == nil {
		// The last words, such as the answer to LOGOUT, must not wait long
		// for a client that does not read.
		_ = w.Conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, w.failed = w.Conn.Write(w.out)
		if w.failed == nil {
			w.failed = net.ErrClosed
		}
		w.out = nil
	}
	w.mu.Unlock()
	err := w.Conn.Close()
	w.once.Do(func() {
		w.server.forget(w)
		w.leave()
	})
	return err
}

// endAfterThis ends the connection after the command that is under way.
func (w *wire) endAfterThis(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(text)
}

// broken says whether the client can be written to no more.
func (w *wire) broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed != nil
}
