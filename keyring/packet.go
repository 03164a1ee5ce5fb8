package keyring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Packet types of RFC 9580, section 5.
const (
	tagEncryptedKey  = 1
	tagSignature     = 2
	tagPasswordKey   = 3
	tagOnePass       = 4
	tagSecretKey     = 5
	tagPublicKey     = 6
	tagSecretSubkey  = 7
	tagCompressed    = 8
	tagUnprotected   = 9
	tagMarker        = 10
	tagLiteral       = 11
	tagTrust         = 12
	tagUserID        = 13
	tagPublicSubkey  = 14
	tagUserAttribute = 17
	tagProtected     = 18
	tagIntegrity     = 19
	tagAEAD          = 20
	tagPadding       = 21
	firstUncritical  = 40
)

var errPackets = errors.New("packets are malformed")

// rawPacket is a packet that has been found and not yet looked into.
type rawPacket struct {
	tag  byte
	body []byte // with partial lengths joined
	raw  []byte // header and body as they stand in the input
}

// nextPacket splits the first packet off data. RFC 9580, section 4.2.
func nextPacket(data []byte) (p rawPacket, rest []byte, err error) {
	if len(data) < 2 || data[0]&0x80 == 0 {
		return p, nil, errPackets
	}
	if data[0]&0x40 == 0 {
		p.tag = data[0] >> 2 & 0x0f
		p.body, rest, err = oldBody(data[0]&3, data[1:])
	} else {
		p.tag = data[0] & 0x3f
		p.body, rest, err = newBody(data[1:])
	}
	if err != nil {
		return p, nil, err
	}
	p.raw = data[:len(data)-len(rest)]
	return p, rest, nil
}

// oldBody reads a body behind a header of the old format; length type 3 means
// "up to the end".
func oldBody(kind byte, data []byte) (body, rest []byte, err error) {
	if kind == 3 {
		return data, nil, nil
	}
	width := 1 << kind
	if len(data) < width {
		return nil, nil, errPackets
	}
	n := 0
	for _, b := range data[:width] {
		n = n<<8 | int(b)
	}
	return cut(data[width:], n)
}

// newBody reads a body behind a header of the new format and joins its partial
// pieces, into a copy if there are several.
func newBody(data []byte) (body, rest []byte, err error) {
	n, partial, data, err := bodyLength(data)
	if err != nil {
		return nil, nil, err
	}
	if body, rest, err = cut(data, n); err != nil || !partial {
		return body, rest, err
	}
	body = append(make([]byte, 0, len(data)), body...)
	for partial {
		var piece []byte
		if n, partial, rest, err = bodyLength(rest); err != nil {
			return nil, nil, err
		}
		if piece, rest, err = cut(rest, n); err != nil {
			return nil, nil, err
		}
		body = append(body, piece...)
	}
	return body, rest, nil
}

func bodyLength(data []byte) (n int, partial bool, rest []byte, err error) {
	switch {
	case len(data) == 0:
		return 0, false, nil, errPackets
	case data[0] < 192:
		return int(data[0]), false, data[1:], nil
	case data[0] < 224 && len(data) >= 2:
		return int(data[0]-192)<<8 + int(data[1]) + 192, false, data[2:], nil
	case data[0] >= 224 && data[0] < 255:
		return 1 << (data[0] & 0x1f), true, data[1:], nil
	case data[0] == 255 && len(data) >= 5:
		return int(binary.BigEndian.Uint32(data[1:5])), false, data[5:], nil
	}
	return 0, false, nil, errPackets
}

func cut(data []byte, n int) (head, tail []byte, err error) {
	if n < 0 || n > len(data) {
		return nil, nil, errPackets
	}
	return data[:n:n], data[n:], nil
}

// appendPacket writes a packet with a header of the new format.
func appendPacket(dst []byte, tag byte, body []byte) []byte {
	dst = appendHeader(dst, tag, len(body))
	return append(dst, body...)
}

func appendHeader(dst []byte, tag byte, n int) []byte {
	return appendLength(append(dst, 0xc0|tag), n)
}

// appendLength writes the length of a body in the new format. RFC 9580, section
// 4.2.1.
func appendLength(dst []byte, n int) []byte {
	switch {
	case n < 192:
		return append(dst, byte(n))
	case n < 8384:
		return append(dst, byte((n-192)>>8)+192, byte(n-192))
	}
	return binary.BigEndian.AppendUint32(append(dst, 255), uint32(n))
}

// parse hands the packet to the library, without copying what may be large.
func (p rawPacket) parse() (packet.Packet, error) {
	if len(p.body) <= maxPacket {
		return packet.Read(bytes.NewReader(appendPacket(make([]byte, 0, len(p.body)+6), p.tag, p.body)))
	}
	head := appendHeader(make([]byte, 0, 8), p.tag, len(p.body))
	return packet.Read(io.MultiReader(bytes.NewReader(head), bytes.NewReader(p.body)))
}
