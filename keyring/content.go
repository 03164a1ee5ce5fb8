package keyring

import (
	"context"
	"fmt"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// OpenSigned opens a binary message that is signed or compressed and not
// encrypted. Its errors are those of Decrypt.
func OpenSigned(ctx context.Context, data []byte, l Limits) (*Message, error) {
	return readContent(ctx, data, l, int64(len(data)))
}

// bzip2 unpacks so slowly that 50 MiB of it take a quarter of a minute. Nobody has
// to use it (RFC 9580, section 9.4), and nobody needs more of it than this.
const (
	bzip2    = 3
	maxBzip2 = 1 << 20
)

// freeGrowth is what compressed data may always grow to, whatever the ratio.
const freeGrowth = 1 << 20

// readContent reads the packets of a message that is not encrypted, or no longer.
// received is the size of the message as it came, against which growth counts.
func readContent(ctx context.Context, data []byte, l Limits, received int64) (*Message, error) {
	budget := min(l.Plain, max(freeGrowth, received*int64(l.Ratio)))
	for depth := 0; ; depth++ {
		p, ok, err := soleCompressed(data)
		if err != nil {
			return nil, err
		}
		if !ok {
			return readSigned(data)
		}
		if depth == l.Nesting {
			return nil, closed(ReasonNesting)
		}
		if data, err = decompress(ctx, p, budget); err != nil {
			return nil, err
		}
		budget -= int64(len(data))
	}
}

// soleCompressed returns the compressed packet that is all there is in data.
func soleCompressed(data []byte) (p rawPacket, ok bool, err error) {
	for len(data) > 0 {
		next, rest, err := nextPacket(data)
		if err != nil {
			return p, false, closed(ReasonMalformed)
		}
		switch {
		case next.tag == tagCompressed && !ok:
			p, ok = next, true
		case ignored(next.tag):
		case ok:
			return p, false, closed(ReasonMalformed)
		default:
			return p, false, nil
		}
		data = rest
	}
	return p, ok, nil
}

// ignored packets may stand anywhere. RFC 9580, sections 4.3, 5.8 and 5.14.
func ignored(tag byte) bool {
	return tag == tagMarker || tag == tagPadding || tag == tagTrust || tag >= firstUncritical
}

// decompress unpacks p, which may grow to limit bytes. It first only counts, so
// that a bomb costs time within the limit and no memory. (The library's own
// limiter lets a message that is exactly one byte too long pass.)
func decompress(ctx context.Context, p rawPacket, limit int64) ([]byte, error) {
	if len(p.body) > maxBzip2 && p.body[0] == bzip2 {
		return nil, closed(ReasonTooLarge)
	}
	size, err := io.Copy(io.Discard, io.LimitReader(inflate(ctx, p), limit+1))
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("decompress message: %w", ctx.Err())
	case err != nil:
		return nil, closed(ReasonMalformed)
	case size > limit:
		return nil, closed(ReasonTooLarge)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(inflate(ctx, p), data); err != nil {
		return nil, closed(ReasonMalformed)
	}
	return data, nil
}

func inflate(ctx context.Context, p rawPacket) io.Reader {
	parsed, err := p.parse()
	c, ok := parsed.(*packet.Compressed)
	if err != nil || !ok {
		return errReader{errPackets}
	}
	return &contextReader{ctx, c.Body}
}

// readSigned reads a literal packet with the signatures around it, and nothing
// else: any other packet would be text that the signature does not cover.
// RFC 9580, section 10.3.
func readSigned(data []byte) (*Message, error) {
	m := &Message{}
	onePass, literal := 0, false
	for len(data) > 0 {
		p, rest, err := nextPacket(data)
		if err != nil {
			return nil, closed(ReasonMalformed)
		}
		data = rest
		switch {
		case ignored(p.tag):
		case p.tag == tagOnePass && !literal && len(m.Signatures) == 0 && onePass < maxSignatures:
			onePass++
		case p.tag == tagSignature && len(m.Signatures) < maxSignatures && literal == (onePass > 0):
			m.Signatures = append(m.Signatures, newSignature(p))
		case p.tag == tagLiteral && !literal:
			literal = true
			if !m.setLiteral(p.body) {
				return nil, closed(ReasonMalformed)
			}
		default:
			return nil, closed(ReasonMalformed)
		}
	}
	if !literal || onePass > 0 && onePass != len(m.Signatures) {
		return nil, closed(ReasonMalformed)
	}
	return m, nil
}

// setLiteral takes the data out of a literal packet. RFC 9580, section 5.9.
func (m *Message) setLiteral(body []byte) bool {
	if len(body) < 2 || len(body) < 6+int(body[1]) {
		return false
	}
	n := int(body[1])
	m.Name, m.Data = string(body[2:2+n]), body[6+n:]
	return true
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// contextReader stops reading when the context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
