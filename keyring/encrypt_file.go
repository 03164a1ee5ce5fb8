package keyring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// EncryptFile is Encrypt for a file whose octets must stay as they are, so that
// nothing can be padded in them. size gives, for a length, the length to fill up
// to, which is never less.
//
// What fills is no packet, at which some programs stumble, but lies in the
// compressed packet that most programs put around a signed message anyway: its
// DEFLATE stream holds the message in stored blocks, uncompressed, and behind
// them empty blocks, which expand to nothing (RFC 1951, section 3.2).
func EncryptFile(data []byte, size func(int64) int64, to []*Certificate, signer *Secret, at time.Time) ([]byte, error) {
	m, err := address(to, signer, at)
	if err != nil {
		return nil, fmt.Errorf("encrypt file: %w", err)
	}
	content, err := signedContent(data, m, at)
	if err != nil {
		return nil, fmt.Errorf("encrypt file: %w", err)
	}
	packed := storedPacket(content, size)
	out := make(sliceWriter, 0, EncryptedSize(int64(len(packed)), len(m.to)))
	out = append(out, m.keys...)
	p, err := newProtector(&out, m.session, int64(len(packed)))
	if err != nil {
		return nil, fmt.Errorf("encrypt file: %w", err)
	}
	if _, err := p.Write(packed); err != nil {
		return nil, fmt.Errorf("encrypt file: %w", err)
	}
	if err := p.Close(); err != nil {
		return nil, fmt.Errorf("encrypt file: %w", err)
	}
	return out, nil
}

// signedContent is a one-pass signed message. RFC 9580, section 10.3.
func signedContent(data []byte, m *addressed, at time.Time) ([]byte, error) {
	if len(data) > maxLiteral {
		return nil, errors.New("it is larger than a packet may be")
	}
	sig, err := beginSignature(m.signer, m.to, at)
	if err != nil {
		return nil, err
	}
	out, err := sig.onePass()
	if err != nil {
		return nil, err
	}
	out = appendLiteral(slices.Grow(out, len(data)+1024), int64(len(data)))
	out = append(out, data...)
	sig.hash.Write(data)
	end, err := sig.finish()
	return append(out, end...), err
}

// Blocks of DEFLATE (RFC 1951): one that holds nothing, and one after which a
// stored block ends two bits before its octet does, so that the pair is one
// octet longer than an empty stored block.
const (
	emptyBlock  = "\x00\x00\x00\xff\xff"     // stored, of length 0
	longerBlock = "\x02\x00\x00\x00\xff\xff" // fixed codes with nothing but their end, then an empty stored one
	lastBlock   = "\x01\x00\x00\xff\xff"     // the same as emptyBlock, and the last
	storedMost  = 65535                      // octets in a stored block
)

// storedPacket is a compressed packet whose body has exactly the size that size
// gives for what must be in it.
func storedPacket(content []byte, size func(int64) int64) []byte {
	least := 1 + len(content) + 5*((len(content)+storedMost-1)/storedMost) + len(lastBlock)
	want := int(size(int64(least)))
	// Blocks of five and six octets make up every number from twenty on.
	for want != least && want-least < 20 {
		want = int(size(int64(want) + 1))
	}
	out := appendHeader(make([]byte, 0, want+8), tagCompressed, want)
	out = append(out, 1) // ZIP: RFC 9580, section 9.4
	for len(content) > 0 {
		n := min(len(content), storedMost)
		out = append(out, 0)
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
		out = binary.LittleEndian.AppendUint16(out, ^uint16(n))
		out = append(out, content[:n]...)
		content = content[n:]
	}
	fill := want - least
	for range fill % 5 {
		out = append(out, longerBlock...)
	}
	for range (fill - fill%5*6) / 5 {
		out = append(out, emptyBlock...)
	}
	return append(out, lastBlock...)
}
