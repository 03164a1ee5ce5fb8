package keyring

import (
	"encoding/base64"
	"io"
	"strings"
)

// ArmorWriter puts what is written to it into a block of ASCII armor, without a
// version or comment line and with the checksum that old readers want. It hands
// on at most 32 KiB at a time. Close ends the block; it does not close what the
// block is written to.
type ArmorWriter struct {
	w    io.Writer
	kind string
	eol  string
	crc  uint32
	rest [armorLine]byte // of a line that is not full
	n    int
	text []byte
}

// armorPiece is how much text an ArmorWriter gathers: some lines less than 32 KiB.
const armorPiece = 31 << 10

// NewArmorWriter begins a block of that kind. Lines end in eol: "\n", or "\r\n"
// for what goes into mail.
func NewArmorWriter(w io.Writer, kind, eol string) (*ArmorWriter, error) {
	a, err := newArmorWriter(kind, eol)
	if err != nil {
		return nil, err
	}
	a.w, a.text = w, append(make([]byte, 0, armorPiece+128), a.begin()...)
	return a, nil
}

func newArmorWriter(kind, eol string) (*ArmorWriter, error) {
	if kind == "" || len(kind) > 64 || strings.ContainsAny(kind, "\r\n") {
		return nil, errArmor
	}
	return &ArmorWriter{kind: kind, eol: eol, crc: crcStart}, nil
}

func (a *ArmorWriter) begin() string { return "-----BEGIN " + a.kind + "-----" + a.eol + a.eol }

// Write encodes p.
func (a *ArmorWriter) Write(p []byte) (int, error) {
	written := len(p)
	a.crc = updateCRC(a.crc, p)
	if a.n > 0 {
		n := copy(a.rest[a.n:], p)
		a.n, p = a.n+n, p[n:]
		if a.n < armorLine {
			return written, nil
		}
		a.line(a.rest[:])
		a.n = 0
	}
	for ; len(p) >= armorLine; p = p[armorLine:] {
		a.line(p[:armorLine])
		if len(a.text) >= armorPiece && a.w != nil {
			if err := a.flush(); err != nil {
				return 0, err
			}
		}
	}
	a.n = copy(a.rest[:], p)
	return written, nil
}

func (a *ArmorWriter) line(p []byte) {
	a.text = append(base64.StdEncoding.AppendEncode(a.text, p), a.eol...)
}

func (a *ArmorWriter) flush() error {
	err := writeAll(a.w, a.text)
	a.text = a.text[:0]
	return err
}

// Close writes the last line, the checksum and the end of the block.
func (a *ArmorWriter) Close() error {
	a.end()
	return a.flush()
}

func (a *ArmorWriter) end() {
	if a.n > 0 {
		a.line(a.rest[:a.n])
	}
	a.text = append(a.text, '=')
	a.line(crcOctets(a.crc))
	a.text = append(a.text, "-----END "+a.kind+"-----"+a.eol...)
}

// EncodeArmor writes data as a block of that kind, lines ending in LF: what an
// ArmorWriter writes, in one piece.
func EncodeArmor(kind string, data []byte) ([]byte, error) {
	a, err := newArmorWriter(kind, "\n")
	if err != nil {
		return nil, err
	}
	a.text = append(make([]byte, 0, ArmoredSize(kind, int64(len(data)))), a.begin()...)
	_, _ = a.Write(data) // into memory: cannot fail
	a.end()
	return a.text, nil
}

// ArmoredSize is how long the block of n octets is at most, whatever ends its
// lines.
func ArmoredSize(kind string, n int64) int64 {
	return int64(2*len(kind)) + 80 + (n/armorLine+1)*66
}
