package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"parley/mailflow/message"
)

// A Head is what of a message is looked at without its body: the header block, and where its words are.
type Head struct {
	Header []byte // as served, with the blank line; nil where it is longer than 64 KiB
	Words  []Span // the texts of the message, in order
	Parse  bool   // some words stand in a form that only a parse of the message reads

	plain []byte // of HeadIn: what Header is a part of
}

// A Span is a stretch of text in a message: octets [From,To), written in Encoding.
type Span struct {
	From, To int64
	Encoding Encoding
}

// Encoding is how a Span is written.
type Encoding byte

// Encodings of spans. Their characters are UTF-8 or US-ASCII.
const (
	Identity Encoding = iota
	QuotedPrintable
	Base64
)

// longHeader is the longest header block kept in a Head.
const longHeader = 64 << 10

var heads = WriteOnce[Head]("heads")

// Head returns the head of a message; ErrNotFound if there is no such message.
func (tx *Tx) Head(id uint64) (Head, error) {
	h, err := heads.Get(tx, Seq(id))
	if err != nil {
		return h, fmt.Errorf("head of message %d: %w", id, err)
	}
	return h, nil
}

// HeadIn reads the head of a message into h, in the memory that h has from the message read before.
func (tx *Tx) HeadIn(h *Head, id uint64) error { return tx.headIn(h, heads.rows, Seq(id)) }

func (tx *Tx) headIn(h *Head, bucket string, key []byte) error {
	sealed := tx.find(bucket, key)
	if sealed == nil {
		return fmt.Errorf("head of message %d: %w", keyNumber(key[:8]), ErrNotFound)
	}
	plain, err := tx.keys.open(h.plain[:0], &tx.bound, place{bucket, key, 0}, sealed)
	if err == nil {
		h.plain = plain
		err = h.alias(plain)
	}
	if err != nil {
		return fmt.Errorf("head of message %d: %w", keyNumber(key[:8]), err)
	}
	return nil
}

// headOf makes the head of a message whose body is kept in this update.
func (tx *Tx) headOf(m Message) (Head, error) {
	var h Head
	if n := m.Structure.HeaderEnd - m.Structure.HeaderStart; n <= longHeader {
		b, err := tx.beginning(m.Served, m.Structure.HeaderEnd)
		if err != nil {
			return h, err
		}
		h.Header = b[m.Structure.HeaderStart:]
	}
	h.addWords(m.Structure)
	return h, nil
}

// beginning reads the first n octets of a body.
func (tx *Tx) beginning(b Body, n int64) ([]byte, error) {
	if n < 0 || n > b.Size {
		return nil, errors.New("a header longer than its message")
	}
	if !b.Blob {
		plain, err := tx.bytes(nil, b)
		if err != nil {
			return nil, err
		}
		return plain[:n], nil
	}
	r, err := tx.store.openBlob(b)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, n)
	_, err = io.ReadFull(r, plain)
	return plain, errors.Join(err, r.Close())
}

// addWords notes where s and what is inside it have words. The header of an embedded message is part of the words of its parent.
func (h *Head) addWords(s *message.Structure) {
	if s.Envelope != nil && len(s.Children) == 1 {
		c := s.Children[0]
		h.Words = append(h.Words, Span{c.HeaderStart, c.HeaderEnd, Identity})
	}
	for _, c := range s.Children {
		h.addWords(c)
	}
	if s.Type != "text" || len(s.Children) > 0 || s.BodyEnd <= s.HeaderEnd {
		return
	}
	span := Span{From: s.HeaderEnd, To: s.BodyEnd}
	switch strings.ToLower(s.Encoding) {
	case "", "7bit", "8bit", "binary":
	case "quoted-printable":
		span.Encoding = QuotedPrintable
	case "base64":
		span.Encoding = Base64
	default:
		h.Parse = true
	}
	switch strings.ToLower(s.Params["charset"]) {
	case "", "us-ascii", "utf-8":
	default:
		h.Parse = true
	}
	h.Words = append(h.Words, span)
}

// MarshalBinary writes the stored form.
func (h Head) MarshalBinary() ([]byte, error) {
	b := []byte{0}
	if h.Parse {
		b[0] = 1
	}
	b = binary.AppendUvarint(b, uint64(len(h.Words)))
	for _, w := range h.Words {
		b = binary.AppendUvarint(b, uint64(w.From))
		b = binary.AppendUvarint(b, uint64(w.To))
		b = append(b, byte(w.Encoding))
	}
	return append(b, h.Header...), nil
}

// UnmarshalBinary reads the stored form.
func (h *Head) UnmarshalBinary(b []byte) error {
	err := h.alias(b)
	h.Header = append([]byte(nil), h.Header...)
	return err
}

// alias reads the stored form without a copy: the header is a part of b.
func (h *Head) alias(b []byte) error {
	r := fieldReader{b: b}
	h.Parse = r.byte() == 1
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		return errors.New("the head of a message does not have its form")
	}
	h.Words = h.Words[:0]
	for range n {
		h.Words = append(h.Words, Span{int64(r.uvarint()), int64(r.uvarint()), Encoding(r.byte())})
	}
	if r.failed {
		return errors.New("the head of a message does not have its form")
	}
	h.Header = nil
	if len(r.b) > 0 {
		h.Header = r.b
	}
	return nil
}
