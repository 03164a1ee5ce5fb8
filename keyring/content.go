package keyring

import (
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
)

// OpenSigned opens a binary message that is signed or compressed and not
// encrypted. Its errors are those of Decrypt.
func OpenSigned(ctx context.Context, data []byte, l Limits) (*Message, error) {
	return readTwice(ctx, data, l, int64(len(data)))
}

// bzip2 unpacks so slowly that 50 MiB of it take a quarter of a minute. Nobody has
// to use it (RFC 9580, section 9.4), and nobody needs more of it than this.
const maxBzip2 = 1 << 20

// The compression algorithms. RFC 9580, section 9.4.
const (
	uncompressed = iota
	zipAlgorithm
	zlibAlgorithm
	bzip2Algorithm
)

// freeGrowth is what compressed data may always grow to, whatever the ratio.
const freeGrowth = 1 << 20

// mayGrow is what data that is compressed in a message of that size may grow to.
func (l Limits) mayGrow(received int64) int64 {
	return min(l.Plain, max(freeGrowth, received*int64(l.Ratio)))
}

// readOwned reads the content of a message that is not encrypted any longer, in
// place where it is not compressed: packets is used up.
func readOwned(ctx context.Context, packets []byte, l Limits, received int64) (*Message, error) {
	if isCompressed(packets) {
		return readTwice(ctx, packets, l, received)
	}
	// What is written never overtakes what is read: headers stand in front of it.
	return readInto(ctx, packets[:0], packets, l, received)
}

// readTwice reads the content once to see how large it is, so that a bomb costs
// time within the limit and no memory, and then again.
func readTwice(ctx context.Context, packets []byte, l Limits, received int64) (*Message, error) {
	var size counter
	c := newContent(ctx, &size, l, l.mayGrow(received))
	if err := c.read(&memory{packets}); err != nil {
		return nil, err
	}
	return readInto(ctx, make([]byte, 0, size), packets, l, received)
}

func readInto(ctx context.Context, dst, packets []byte, l Limits, received int64) (*Message, error) {
	out := sliceWriter(dst)
	c := newContent(ctx, &out, l, l.mayGrow(received))
	if err := c.read(&memory{packets}); err != nil {
		return nil, err
	}
	c.message.Data = out
	return c.message, nil
}

// isCompressed reports whether the first packet that counts is a compressed one.
func isCompressed(packets []byte) bool {
	for len(packets) > 0 {
		p, rest, err := nextPacket(packets)
		if err != nil {
			return false
		}
		if !ignored(p.tag) {
			return p.tag == tagCompressed
		}
		packets = rest
	}
	return false
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// content reads the packets of a message that is not encrypted, or no longer, as
// they come, and hands on the literal data.
type content struct {
	ctx     context.Context
	out     io.Writer
	nesting int   // how many times over it may still be compressed
	grown   int64 // what compressed data grew to so far
	limit   int64 // and may grow to
	message *Message
	signed  signatureSet
	literal bool
}

func newContent(ctx context.Context, out io.Writer, l Limits, limit int64) *content {
	return &content{ctx: ctx, out: out, nesting: l.Nesting, limit: limit, message: &Message{}}
}

// read reads all of a message: a literal packet with the signatures around it,
// compressed or not, and nothing else: any other packet would be text that the
// signature does not cover. RFC 9580, section 10.3.
func (c *content) read(src byteSource) error {
	if err := c.packets(src); err != nil {
		return c.fault(err)
	}
	if !c.literal || !c.signed.complete() {
		return closed(ReasonMalformed)
	}
	c.message.Signatures = c.signed.found
	return nil
}

// fault is what an error on the way means. Only those that say so are not the
// message's.
func (c *content) fault(err error) error {
	var sink *sinkError
	switch {
	case c.ctx.Err() != nil:
		return fmt.Errorf("read message: %w", c.ctx.Err())
	case errors.As(err, &sink) || Reason(err) != "":
		return err
	}
	return closed(ReasonMalformed)
}

// sinkError says that the data could not be written where it should go.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return "write plaintext: " + e.err.Error() }
func (e *sinkError) Unwrap() error { return e.err }

// packets reads up to the end of src. A compressed packet is all there is, beside
// packets that are ignored, or is not there at all.
func (c *content) packets(src byteSource) error {
	sole, others := false, false
	for {
		p, err := readPacket(src)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case ignored(p.tag):
		case sole || p.tag == tagCompressed && others:
			return errPackets
		case p.tag == tagCompressed:
			sole = true
			err = c.compressed(p)
		default:
			others = true
			err = c.packet(p)
		}
		if err != nil {
			return err
		}
		if err := p.skip(); err != nil {
			return err
		}
	}
}

// ignored packets may stand anywhere. RFC 9580, sections 4.3, 5.8 and 5.14.
func ignored(tag byte) bool {
	return tag == tagMarker || tag == tagPadding || tag == tagTrust || tag >= firstUncritical
}

func (c *content) packet(p *packetBody) error {
	switch {
	case p.tag == tagOnePass && !c.literal:
		raw, err := p.small()
		if err != nil {
			return err
		}
		return c.signed.announce(raw)
	case p.tag == tagSignature:
		raw, err := p.small()
		if err != nil {
			return err
		}
		return c.signed.add(raw, c.literal)
	case p.tag == tagLiteral && !c.literal:
		c.literal = true
		return c.copyLiteral(p)
	}
	return errPackets
}

// copyLiteral hands on the data of a literal packet. RFC 9580, section 5.9.
func (c *content) copyLiteral(p *packetBody) error {
	var head [2]byte // format, length of the name
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return unexpected(err)
	}
	name := make([]byte, int(head[1])+4) // and a date
	if _, err := io.ReadFull(p, name); err != nil {
		return unexpected(err)
	}
	c.message.Name = string(name[:head[1]])
	c.signed.start()
	var spare []byte
	if _, ok := p.src.(*memory); !ok {
		spare = make([]byte, bufferFor(p))
	}
	for {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		data, err := p.next(spare)
		c.signed.hash(data)
		if err := writeAll(c.out, data); err != nil {
			return &sinkError{err}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// bufferFor is how large a buffer it takes to copy p.
func bufferFor(p *packetBody) int64 {
	if p.partial || p.endless {
		return piece
	}
	return min(p.left+1, piece)
}

// compressed reads the packets in a compressed packet. RFC 9580, section 5.6.
func (c *content) compressed(p *packetBody) error {
	if c.nesting == 0 {
		return closed(ReasonNesting)
	}
	c.nesting--
	r, err := inflate(p)
	if err != nil {
		return err
	}
	return c.packets(source(&grower{c, r}))
}

func inflate(p *packetBody) (io.Reader, error) {
	algorithm, err := p.ReadByte()
	if err != nil {
		return nil, unexpected(err)
	}
	hasty := struct{ io.Reader }{p} // the unpackers buffer what cannot be read by octets
	switch algorithm {
	case uncompressed:
		return hasty, nil
	case zipAlgorithm:
		return flate.NewReader(hasty), nil
	case zlibAlgorithm:
		return zlib.NewReader(hasty)
	case bzip2Algorithm:
		all, err := io.ReadAll(io.LimitReader(p, maxBzip2))
		if err == nil && len(all) == maxBzip2 {
			err = closed(ReasonTooLarge)
		}
		return bzip2.NewReader(bytes.NewReader(all)), err
	}
	return nil, errPackets
}

// grower counts what compressed data grows to, and stops at the limit. (The
// library's own limiter lets a message that is exactly one byte too long pass.)
type grower struct {
	c *content
	r io.Reader
}

func (g *grower) Read(p []byte) (int, error) {
	if err := g.c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := g.r.Read(p)
	if g.c.grown += int64(n); g.c.grown > g.c.limit {
		return 0, closed(ReasonTooLarge)
	}
	return n, err
}
