package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
)

// The file of what was appended is a row of frames, each of which begins at a multiple of frameAlign, so that to write one does
// not touch a block of another:
//
//	"parspool" | epoch (8 bytes, big-endian) | number (8) | length of the records (4) | HMAC-SHA256 (32) | records
//
// The code is keyed with the store's own key and is over all but itself. An epoch begins with each frame at the beginning of
// the file, and the numbers of its frames count from 0. A frame is one write and one fsync, and the next one is written only
// when that is done: so the frames that were answered are those from the first one on that are whole. Behind them lie zeros,
// half a frame that nobody was answered, or frames of epochs before, which are in the tree.
const (
	frameMagic  = "parspool"
	frameCoded  = len(frameMagic) + 8 + 8 + 4
	frameHeader = frameCoded + sha256.Size
	frameAlign  = 4096
)

// appended is a write-once record, sealed, and the sealed body that it names. Both stand under the body's number.
type appended struct {
	id        uint64
	bucket    string
	row, body []byte
}

// bytes is how long it is in a frame.
func (a appended) bytes() int { return 8 + 1 + len(a.bucket) + 4 + len(a.row) + 4 + len(a.body) }

// frame appends a frame to dst, with the zeros that fill its last block.
func (sp *spool) frame(dst []byte, at position, records []appended) []byte {
	dst = append(dst, frameMagic...)
	dst = binary.BigEndian.AppendUint64(dst, at.epoch)
	dst = binary.BigEndian.AppendUint64(dst, at.frames)
	dst = append(dst, make([]byte, 4+sha256.Size)...)
	for _, r := range records {
		dst = binary.BigEndian.AppendUint64(dst, r.id)
		dst = append(append(dst, byte(len(r.bucket))), r.bucket...)
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(r.row))), r.row...)
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(r.body))), r.body...)
	}
	binary.BigEndian.PutUint32(dst[frameCoded-4:], uint32(len(dst)-frameHeader))
	sp.sum(dst[frameCoded:frameCoded], dst[:frameCoded], dst[frameHeader:])
	return append(dst, zeros[:-len(dst)&(frameAlign-1)]...)
}

// sum appends the code of a frame to dst.
func (sp *spool) sum(dst, head, records []byte) []byte {
	code := hmac.New(sha256.New, sp.codes)
	writePart(code, "frame of the spool")
	code.Write(head)
	code.Write(records)
	return code.Sum(dst)
}

// A header is what a frame says of itself.
type header struct {
	epoch, number uint64
	length        int64 // of its records
	code          [sha256.Size]byte
}

// size is that of the whole frame.
func (h header) size() int64 {
	n := int64(frameHeader) + h.length
	return n + -n&(frameAlign-1)
}

// headerAt reads the header of what may be a frame that ends before the end of what is looked at.
func (sp *spool) headerAt(at, end int64) (h header, ok bool, err error) {
	var b [frameHeader]byte
	n, err := sp.file.ReadAt(b[:], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return h, false, err
	}
	if n < len(b) || string(b[:len(frameMagic)]) != frameMagic {
		return h, false, nil
	}
	rest := b[len(frameMagic):]
	h = header{binary.BigEndian.Uint64(rest), binary.BigEndian.Uint64(rest[8:]), int64(binary.BigEndian.Uint32(rest[16:])), [sha256.Size]byte(b[frameCoded:])}
	return h, at+h.size() <= end, nil
}

// recordsAt reads the records of a frame: ErrTampered where they are not what its code is over.
func (sp *spool) recordsAt(at int64, h header) ([]appended, error) {
	b := make([]byte, h.length)
	if _, err := sp.file.ReadAt(b, at+int64(frameHeader)); err != nil {
		return nil, err
	}
	head := append([]byte(frameMagic), Seq(h.epoch, h.number)...)
	head = binary.BigEndian.AppendUint32(head, uint32(h.length))
	if !hmac.Equal(sp.sum(nil, head, b), h.code[:]) {
		return nil, ErrTampered
	}
	return parseAppended(b)
}

// parseAppended reads the records of a frame, which stay in b.
func parseAppended(b []byte) (all []appended, err error) {
	for len(b) > 0 {
		var a appended
		if len(b) < 9 || len(b) < 9+int(b[8]) {
			return nil, ErrTampered
		}
		a.id, a.bucket, b = binary.BigEndian.Uint64(b), string(b[9:9+int(b[8])]), b[9+int(b[8]):]
		for _, part := range []*[]byte{&a.row, &a.body} {
			if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
				return nil, ErrTampered
			}
			n := 4 + int(binary.BigEndian.Uint32(b))
			*part, b = b[4:n:n], b[n:]
		}
		all = append(all, a)
	}
	return all, nil
}
