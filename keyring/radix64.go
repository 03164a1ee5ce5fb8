package keyring

import (
	"bytes"
	"encoding/base64"
	"slices"
)

// armorLine is how many octets make a line of 64 digits.
const armorLine = 48

// radix64 decodes the lines of a block, some at a time. RFC 9580, section 6.1.
type radix64 struct {
	digits []byte // that are not decoded yet
	crc    uint32
	sum    []byte // the checksum line, decoded; nil if there was none
}

// manyDigits is how many digits are decoded at once.
const manyDigits = 1024

func newRadix64() *radix64 {
	return &radix64{crc: crcStart, digits: make([]byte, 0, manyDigits+armorLine)}
}

// line takes one line without its end, or a piece of a line, decodes what is
// ready behind dst, and says whether more may follow. A line may end inside a
// group of four digits.
func (r *radix64) line(dst, line []byte) (out []byte, more bool, err error) {
	line = bytes.TrimSpace(line)
	if len(line) == 5 && line[0] == '=' {
		r.sum, err = base64.StdEncoding.AppendDecode([]byte{}, line[1:])
		if err != nil {
			r.sum = []byte{} // a checksum that is none is a mismatch, not a refusal
		}
		return dst, false, nil
	}
	r.digits = append(r.digits, line...)
	if len(r.digits) >= manyDigits || bytes.HasSuffix(line, []byte("=")) {
		dst, err = r.decode(dst)
	}
	return dst, true, err
}

// decode decodes the complete groups behind dst.
func (r *radix64) decode(dst []byte) ([]byte, error) {
	whole := len(r.digits) / 4 * 4
	// A little more room than needed lets the decoder take eight digits at a
	// time to the end.
	dst = slices.Grow(dst, whole/4*3+8)
	n, err := base64.StdEncoding.Decode(dst[len(dst):cap(dst)], r.digits[:whole])
	if err != nil {
		return nil, errArmor
	}
	r.crc = updateCRC(r.crc, dst[len(dst):len(dst)+n])
	r.digits = r.digits[:copy(r.digits, r.digits[whole:])]
	return dst[:len(dst)+n], nil
}

// end decodes what is left behind the last line.
func (r *radix64) end(dst []byte) ([]byte, error) {
	dst, err := r.decode(dst)
	if err == nil && len(r.digits) != 0 {
		err = errArmor
	}
	return dst, err
}

// mismatch reports whether the checksum line, if there was one, is not that of
// the data.
func (r *radix64) mismatch() bool { return r.sum != nil && !bytes.Equal(r.sum, crcOctets(r.crc)) }

// decodeRadix64 decodes all lines of a block.
func decodeRadix64(text []byte) (data []byte, mismatch bool, err error) {
	r := newRadix64()
	digits := len(text) - bytes.Count(text, []byte("\n")) - bytes.Count(text, []byte("\r"))
	data = make([]byte, 0, base64.StdEncoding.DecodedLen(digits)+8)
	for at, more := 0, true; more && at < len(text); {
		var line []byte
		line, at = nextLine(text, at)
		if data, more, err = r.line(data, line); err != nil {
			return nil, false, err
		}
	}
	data, err = r.end(data)
	return data, r.mismatch(), err
}
