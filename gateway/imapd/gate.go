package imapd

import (
	"bytes"
	"io"
)

const (
	// commandBytes is the longest command, literals aside. The library stops
	// reading a longer one (50 kB) and would take its rest for another.
	commandBytes = 48 << 10
	// smallLiteral is the largest literal of a command that the gate answers.
	smallLiteral = 4 << 10
	// discardBytes is how much of a refused literal is read and thrown away,
	// so that the connection can go on.
	discardBytes = 64 << 20
)

// gate looks at every line that a client sends before the library does.
//
// Non-synchronizing literals (RFC 7888) become synchronizing ones on the way:
// the library then says whether it takes them, and where it does not, the gate
// throws literal and command away. Left to itself the library would take the
// octets of a literal that it refuses for commands, and those come from
// whoever wrote the mail that the client appends.
//
// Before the login the gate answers what the library does not know, since the
// library ends the connection over it; ID (RFC 2971) it always answers.
type gate struct {
	wire    *wire
	in      []byte // read, not looked at
	pass    []byte // looked at, for the library
	literal int64  // octets of an accepted literal that are still to pass
	inside  bool   // what comes next continues a command
	long    bool   // it holds a literal, which takes its time
	search  bool   // the command is a SEARCH
	body    bool   // the command may ask for BODY without a section
	size    int    // of the command so far, literals aside
	unknown int
}

// offer is a literal whose announcement the library has been shown. It is
// guarded by wire.mu.
type offer struct {
	size     int64
	sync     bool // the client waits for a go-ahead
	accepted bool
	refused  bool // the library answered otherwise
}

// answered notes what the library says to a literal. Its go-ahead must not
// reach a client that does not wait for one: then it says true.
func (o *offer) answered(b []byte) (swallow bool) {
	if o == nil || o.accepted || o.refused {
		return false
	}
	o.accepted = bytes.HasPrefix(b, []byte("+ "))
	o.refused = !o.accepted
	return o.accepted && !o.sync
}

// between says whether no command is under way as far as the client has sent.
func (g *gate) between() bool { return !g.inside && len(g.pass) == 0 && g.literal == 0 }

func (g *gate) read(p []byte) (int, error) {
	for {
		if err := g.settle(); err != nil {
			return 0, err
		}
		switch {
		case len(g.pass) > 0:
			n := copy(p, g.pass)
			g.pass = g.pass[n:]
			return n, nil
		case g.literal > 0:
			return g.passLiteral(p)
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
}

// settle looks what became of the literal that was offered. The library reads
// on only after it has decided.
func (g *gate) settle() error {
	if len(g.pass) > 0 {
		return nil
	}
	w := g.wire
	w.mu.Lock()
	o := w.offer
	w.offer = nil
	w.mu.Unlock()
	switch {
	case o == nil:
		return nil
	case o.accepted:
		g.literal = o.size
		if o.size > smallLiteral && !g.long { // a message, which has the time of one, once
			g.long = true
			g.wire.commandTime(g.wire.server.Data)
		}
		return nil
	}
	g.inside = false
	if !o.refused {
		// It reads on without a word, as if the command had no literal. Its end
		// makes it say so; what comes next is not part of it.
		defer func() { g.pass = []byte("\r\n") }()
	}
	if o.sync {
		return nil // the client does not send what was refused
	}
	return g.discard(o.size, true)
}

func (g *gate) passLiteral(p []byte) (n int, err error) {
	p = p[:min(int64(len(p)), g.literal)]
	if len(g.in) > 0 {
		n = copy(p, g.in)
		g.in = g.in[n:]
	} else {
		n, err = g.wire.fill(p)
	}
	g.literal -= int64(n)
	return n, err
}

// next takes a line from the client.
func (g *gate) next() error {
	if !g.inside {
		if err := g.mayGoOn(""); err != nil {
			return err
		}
		g.size, g.long = 0, false
		g.wire.betweenCommands()
	}
	line, err := g.line()
	if err != nil {
		return err
	}
	if !g.inside {
		if err := g.mayGoOn(g.wire.session.ended()); err != nil {
			return err
		}
		if answered, err := g.answer(line); answered || err != nil {
			return err
		}
		g.search, g.body = isSearch(line), false
	}
	g.body = g.body || asksBody(line)
	if g.search {
		line = withoutSmaller(line)
	}
	l, ok, err := g.literalOf(line)
	if err != nil {
		return err
	}
	if g.inside = ok; !ok {
		g.pass = line
		return nil
	}
	if g.wire.commandBy.IsZero() {
		g.wire.commandTime(g.wire.server.Command)
	}
	if !l.sync {
		line = append(line[:bytes.LastIndexByte(line, '+')], "}\r\n"...)
	}
	g.pass = line
	g.wire.mu.Lock()
	g.wire.offer = &l
	g.wire.mu.Unlock()
	return nil
}

// mayGoOn ends the connection between two commands, where that is due or why
// is not empty.
func (g *gate) mayGoOn(why string) error {
	w := g.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if why != "" {
		w.end(why)
	}
	if w.ending == "" {
		return nil
	}
	w.sayBye()
	return io.EOF
}

// cut ends the connection over what the client sent.
func (g *gate) cut(text string) error {
	w := g.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(text)
	w.sayBye()
	return io.EOF
}

func (g *gate) say(text string) {
	w := g.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put([]byte(text + "\r\n"))
}
