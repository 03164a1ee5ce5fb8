package imapd

import (
	"io"

	"github.com/emersion/go-imap/v2"

	"parley/mailflow/message"
)

// bodyOf reads the bytes of one message.
type bodyOf struct {
	*session
	item
	r io.ReadSeekCloser
}

func (b *bodyOf) close() {
	if b.r != nil {
		_ = b.r.Close() // a file that was read
	}
}

func (b *bodyOf) reader() (io.ReadSeeker, error) {
	if b.r == nil {
		r, err := b.seat.Body(b.entry.Served)
		if err != nil {
			return nil, err
		}
		b.r = r
	}
	return b.r, nil
}

// bytes reads octets [from,to).
func (b *bodyOf) bytes(from, to int64) ([]byte, error) {
	r, err := b.reader()
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	out := make([]byte, to-from)
	_, err = io.ReadFull(r, out)
	return out, err
}

// write copies a part into a literal. When its bytes fail to come, the literal
// cannot be completed any more, and the connection ends.
func (b *bodyOf) write(lit io.WriteCloser, p part) error {
	err := b.copy(lit, p)
	if err == nil {
		err = lit.Close()
	}
	if err != nil {
		b.wire.cut()
	}
	return err
}

func (b *bodyOf) copy(w io.Writer, p part) error {
	if p.made || p.from >= p.to {
		_, err := w.Write(p.bytes)
		return err
	}
	r, err := b.reader()
	if err != nil {
		return err
	}
	if _, err := r.Seek(p.from, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyN(w, r, p.to-p.from)
	return err
}

// binary finds a part without its transfer encoding (RFC 9051 section 6.4.5,
// BINARY).
func (b *bodyOf) binary(path []int) (part, error) {
	if len(path) == 0 {
		return part{to: b.entry.Size}, nil
	}
	n := find(b.mail.Structure, path)
	if n.s == nil {
		return part{made: true}, nil
	}
	switch n.s.Encoding {
	case "", "7bit", "8bit", "binary":
		return part{from: n.s.HeaderEnd, to: n.s.BodyEnd}, nil
	}
	raw, err := b.bytes(n.s.HeaderStart, n.s.BodyEnd)
	if err != nil {
		return part{}, err
	}
	tree, err := message.Parse(raw, message.Limits{Size: int64(len(raw)) + 1})
	if err != nil {
		return part{}, no(imap.ResponseCodeUnknownCTE, "This part cannot be decoded")
	}
	out, err := tree.Body()
	if err != nil {
		return part{}, no(imap.ResponseCodeUnknownCTE, "This part cannot be decoded")
	}
	return part{made: true, bytes: out}, nil
}
