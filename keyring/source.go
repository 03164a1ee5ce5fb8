package keyring

import (
	"bufio"
	"encoding/binary"
	"io"
)

// byteSource is what packets are read from.
type byteSource interface {
	io.Reader
	io.ByteReader
}

// memory is a byteSource whose octets can be looked at where they are.
type memory struct{ data []byte }

func (m *memory) Read(p []byte) (int, error) {
	if len(m.data) == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return copy(p, m.take(len(p))), nil
}

func (m *memory) ReadByte() (byte, error) {
	if len(m.data) == 0 {
		return 0, io.EOF
	}
	return m.take(1)[0], nil
}

// take returns the next octets, at most n.
func (m *memory) take(n int) []byte {
	head := m.data[:min(n, len(m.data))]
	m.data = m.data[len(head):]
	return head
}

// source makes r one from which packets are read, in pieces of at most 16 KiB.
func source(r io.Reader) byteSource {
	if s, ok := r.(byteSource); ok {
		return s
	}
	return bufio.NewReaderSize(r, piece)
}

// packetBody is the body of a packet that is read as it comes. RFC 9580,
// section 4.2. Where the input ends too early, reading it fails with
// io.ErrUnexpectedEOF.
type packetBody struct {
	tag     byte
	src     byteSource
	left    int64 // of this piece
	partial bool  // another piece follows
	endless bool  // up to the end of the input: old format, length type 3
}

// readPacket reads the header of the next packet; io.EOF where there is none.
func readPacket(src byteSource) (*packetBody, error) {
	first, err := src.ReadByte()
	if err != nil {
		return nil, err
	}
	if first&0x80 == 0 {
		return nil, errPackets
	}
	p := &packetBody{tag: tagOf(first), src: src}
	if first&0x40 != 0 {
		return p, p.length()
	}
	if first&3 == 3 {
		p.endless = true
		return p, nil
	}
	p.left, err = readNumber(src, 1<<(first&3))
	return p, err
}

// length reads the length of the next piece in the new format. RFC 9580, section
// 4.2.1.
func (p *packetBody) length() error {
	first, err := p.src.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	p.partial = false
	switch {
	case first < 192:
		p.left = int64(first)
	case first < 224:
		second, err := readNumber(p.src, 1)
		p.left = int64(first-192)<<8 + second + 192
		return err
	case first < 255:
		p.left, p.partial = 1<<(first&0x1f), true
	default:
		p.left, err = readNumber(p.src, 4)
		return err
	}
	return nil
}

// readNumber reads a number of so many octets.
func readNumber(r io.Reader, octets int) (int64, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[8-octets:]); err != nil {
		return 0, unexpected(err)
	}
	return int64(binary.BigEndian.Uint64(b[:])), nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ready sees to it that the piece under way has octets left; io.EOF at the end
// of the packet.
func (p *packetBody) ready() error {
	for p.left == 0 && p.partial {
		if err := p.length(); err != nil {
			return err
		}
	}
	if p.left == 0 && !p.endless {
		return io.EOF
	}
	return nil
}

func (p *packetBody) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if err := p.ready(); err != nil {
		return 0, err
	}
	if p.endless {
		return p.src.Read(b)
	}
	n, err := p.src.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	return n, unexpected(err)
}

func (p *packetBody) ReadByte() (byte, error) {
	if err := p.ready(); err != nil {
		return 0, err
	}
	c, err := p.src.ReadByte()
	if p.endless {
		return c, err
	}
	p.left--
	return c, unexpected(err)
}

// maxSmallPacket bounds a packet that is held as a whole: a session key, a
// signature.
const maxSmallPacket = 256 << 10

// small reads all of a packet that is not meant to be large.
func (p *packetBody) small() (rawPacket, error) {
	raw := rawPacket{tag: p.tag}
	if p.left > maxSmallPacket {
		return raw, errPackets
	}
	raw.body = make([]byte, p.left)
	n, err := io.ReadFull(p, raw.body)
	if err != nil {
		return raw, unexpected(err)
	}
	if p.partial || p.endless {
		var more []byte
		more, err = io.ReadAll(io.LimitReader(p, maxSmallPacket-int64(n)+1))
		raw.body = append(raw.body, more...)
	}
	if err == nil && len(raw.body) > maxSmallPacket {
		err = errPackets
	}
	return raw, err
}

// next returns the next octets, in spare unless they are in memory anyhow; io.EOF
// behind the last.
func (p *packetBody) next(spare []byte) ([]byte, error) {
	m, ok := p.src.(*memory)
	if !ok {
		n, err := p.Read(spare)
		return spare[:n], err
	}
	if err := p.ready(); err != nil {
		return nil, err
	}
	n := piece
	if !p.endless {
		n = int(min(p.left, piece))
	}
	b := m.take(n)
	switch {
	case len(b) == 0 && p.endless:
		return nil, io.EOF
	case len(b) == 0:
		return nil, io.ErrUnexpectedEOF
	}
	p.left -= int64(len(b))
	return b, nil
}

// skip passes over what is left of the packet.
func (p *packetBody) skip() error {
	if p.ready() == io.EOF {
		return nil
	}
	_, err := io.Copy(io.Discard, p)
	return err
}
