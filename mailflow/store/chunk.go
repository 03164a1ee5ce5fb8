package store

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed body is a row of chunks of 64 KiB, the last one shorter, each XChaCha20-Poly1305 under the body's own key. The
// nonce is the chunk's number and whether it is the last, so that chunks cannot be moved, left out or cut off; the key seals
// nothing else, so that it may count. An empty body is one empty chunk.
const (
	chunkBytes  = 64 << 10
	sealedChunk = chunkBytes + tagBytes
)

// sealedSize is the length of a sealed body of size bytes.
func sealedSize(size int64) int64 { return size + chunks(size)*tagBytes }

func chunks(size int64) int64 { return max(1, (size+chunkBytes-1)/chunkBytes) }

func bodyAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != keyBytes {
		return nil, ErrTampered
	}
	return chacha20poly1305.NewX(key)
}

func chunkNonce(number int64, last bool) []byte {
	nonce := make([]byte, nonceBytes)
	binary.BigEndian.PutUint64(nonce[8:], uint64(number))
	if last {
		nonce[nonceBytes-1] = 1
	}
	return nonce
}

// bindBody is the associated data of each chunk.
func bindBody(id uint64) []byte { return append([]byte("body"), Seq(id)...) }

// sealChunks seals all that r gives and returns its size. emit gets one sealed chunk at a time, in memory that is used again.
func sealChunks(key []byte, id uint64, r io.Reader, emit func([]byte) error) (int64, error) {
	aead, err := bodyAEAD(key)
	if err != nil {
		return 0, err
	}
	var (
		bound       = bindBody(id)
		this, ahead = make([]byte, chunkBytes), make([]byte, chunkBytes)
		out         = make([]byte, 0, sealedChunk)
		size        int64
	)
	n, err := io.ReadFull(r, this)
	for number := int64(0); ; number++ {
		if !ended(err) {
			return 0, err
		}
		more := 0
		if err == nil { // a full chunk: it is the last only if nothing follows
			more, err = io.ReadFull(r, ahead)
		}
		if !ended(err) {
			return 0, err
		}
		last := more == 0
		size += int64(n)
		out = aead.Seal(out[:0], chunkNonce(number, last), this[:n], bound)
		if err := emit(out); err != nil {
			return 0, err
		}
		if last {
			return size, nil
		}
		this, ahead, n = ahead, this, more
	}
}

// ended says whether the error of io.ReadFull is none or the end.
func ended(err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// sealAll appends a whole body, sealed, to dst.
func sealAll(dst, key []byte, id uint64, plain []byte) ([]byte, error) {
	aead, err := bodyAEAD(key)
	if err != nil {
		return nil, err
	}
	bound, last := bindBody(id), chunks(int64(len(plain)))-1
	for number := int64(0); number <= last; number++ {
		n := min(chunkBytes, len(plain))
		dst = aead.Seal(dst, chunkNonce(number, number == last), plain[:n], bound)
		plain = plain[n:]
	}
	return dst, nil
}

// A bodyReader opens chunks as they are asked for. It holds one.
type bodyReader struct {
	aead   cipher.AEAD
	bound  []byte
	from   io.ReaderAt
	closer io.Closer
	size   int64
	pos    int64
	sealed []byte
	chunk  []byte
	number int64 // of chunk; -1 for none
}

func newBodyReader(b Body, from io.ReaderAt, closer io.Closer) (*bodyReader, error) {
	aead, err := bodyAEAD(b.Key)
	if err != nil {
		return nil, err
	}
	return &bodyReader{
		aead: aead, bound: bindBody(b.ID), from: from, closer: closer, size: b.Size,
		number: -1, sealed: make([]byte, min(sealedChunk, sealedSize(b.Size))),
	}, nil
}

// Read returns io.EOF only after the last chunk was opened as the last.
func (r *bodyReader) Read(p []byte) (int, error) {
	if r.pos >= r.size && (r.size > 0 || r.number == 0) {
		return 0, io.EOF
	}
	if err := r.load(r.pos / chunkBytes); err != nil {
		return 0, err
	}
	if r.size == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.chunk[r.pos%chunkBytes:])
	r.pos += int64(n)
	return n, nil
}

func (r *bodyReader) load(number int64) error {
	if number == r.number {
		return nil
	}
	sealed := r.sealed[:min(sealedChunk, sealedSize(r.size)-number*sealedChunk)]
	if n, err := r.from.ReadAt(sealed, number*sealedChunk); n < len(sealed) {
		if errors.Is(err, io.EOF) {
			return ErrTampered
		}
		return err
	}
	var err error
	r.number = -1
	r.chunk, err = r.aead.Open(r.chunk[:0], chunkNonce(number, number == chunks(r.size)-1), sealed, r.bound)
	if err != nil {
		return ErrTampered
	}
	r.number = number
	return nil
}

func (r *bodyReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a body")
	}
	r.pos = offset
	return offset, nil
}

func (r *bodyReader) Close() error { return r.closer.Close() }

// openAll opens a whole sealed body at once, in the memory of scratch where that has the room.
func openAll(scratch []byte, b Body, sealed []byte) ([]byte, error) {
	if b.Size < 0 || int64(len(sealed)) != sealedSize(b.Size) {
		return nil, ErrTampered
	}
	aead, err := bodyAEAD(b.Key)
	if err != nil {
		return nil, err
	}
	if int64(cap(scratch)) < b.Size {
		scratch = make([]byte, 0, b.Size)
	}
	plain, bound := scratch[:0], bindBody(b.ID)
	for number, last := int64(0), chunks(b.Size)-1; number <= last; number++ {
		n := min(sealedChunk, len(sealed))
		if plain, err = aead.Open(plain, chunkNonce(number, number == last), sealed[:n], bound); err != nil {
			return nil, ErrTampered
		}
		sealed = sealed[n:]
	}
	return plain, nil
}
