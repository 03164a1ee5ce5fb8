package imapd

import (
	"bytes"
	"math"
	"strconv"
)

// line reads up to the next line feed. What it returns is the caller's.
func (g *gate) line() ([]byte, error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(g.in[seen:], '\n'); i >= 0 {
			line := bytes.Clone(g.in[:seen+i+1])
			g.in = g.in[seen+i+1:]
			g.size += len(line)
			return line, nil
		}
		seen = len(g.in)
		if seen > 0 && g.wire.commandBy.IsZero() {
			g.wire.commandTime(g.wire.server.Command)
		}
		if g.size+seen > commandBytes {
			return nil, g.cut("[TOOBIG] The command is too long")
		}
		if err := g.more(); err != nil {
			return nil, err
		}
	}
}

// more reads some more from the client.
func (g *gate) more() error {
	var chunk [4 << 10]byte
	n, err := g.wire.fill(chunk[:])
	if len(g.in) == 0 {
		g.in = nil // let go of what was read before
	}
	g.in = append(g.in, chunk[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// literalOf finds the announcement of a literal at the end of a line.
func (g *gate) literalOf(line []byte) (o offer, ok bool, err error) {
	text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	open := bytes.LastIndexByte(text, '{')
	if open < 0 || text[len(text)-1] != '}' {
		return o, false, nil
	}
	digits := text[open+1 : len(text)-1]
	o.sync = !bytes.HasSuffix(digits, []byte("+"))
	digits = bytes.TrimSuffix(digits, []byte("+"))
	if len(digits) == 0 || len(bytes.Trim(digits, "0123456789")) > 0 {
		return o, false, nil
	}
	n, err := strconv.ParseUint(string(digits), 10, 63)
	if err != nil || n > math.MaxInt64 {
		return o, false, g.cut("[TOOBIG] The literal is too large")
	}
	o.size = int64(n)
	return o, true, nil
}

// discard throws a literal away and, where rest is set, the command after it.
func (g *gate) discard(n int64, rest bool) error {
	if n > discardBytes {
		return g.cut("[TOOBIG] The literal is too large")
	}
	for n > 0 {
		if len(g.in) == 0 {
			if err := g.more(); err != nil {
				return err
			}
		}
		took := min(n, int64(len(g.in)))
		g.in, n = g.in[took:], n-took
	}
	if !rest {
		return nil
	}
	line, err := g.line()
	if err != nil {
		return err
	}
	return g.swallow(line)
}

// swallow throws the rest of a command away that begins with line.
func (g *gate) swallow(line []byte) error {
	for {
		o, ok, err := g.literalOf(line)
		if err != nil || !ok {
			return err
		}
		if o.sync && o.size > smallLiteral {
			return g.cut("[TOOBIG] The literal is too large")
		}
		if o.sync {
			g.say("+ Ready for literal data")
		}
		if err := g.discard(o.size, false); err != nil {
			return err
		}
		if line, err = g.line(); err != nil {
			return err
		}
	}
}
