package keyring

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A Spool takes plaintext that nobody may use yet: a sealed file, say, that only
// its writer knows of. What it took becomes usable when DecryptTo returns without
// an error, and not a moment before: until the last octet was checked, anybody
// could have put in anything (rule P2).
type Spool interface {
	io.Writer
	// Abandon throws away what was written. DecryptTo calls it, once, before it
	// returns an error.
	Abandon()
}

// DecryptTo is Decrypt of a large message, which it reads and writes a piece at a
// time. The message it returns has no Data; what that would be was written to
// spool, and its signatures are verified over it with VerifyWritten. Limits,
// errors and what counts as a message are those of Decrypt. Since the size of
// what is read is not known in advance, compressed data that grew more than
// Limits.Ratio allows is refused only at the end.
func DecryptTo(ctx context.Context, spool Spool, r io.Reader, secrets []*Secret, l Limits) (*Message, error) {
	m, err := decryptTo(ctx, spool, r, secrets, l)
	if err != nil {
		spool.Abandon()
		return nil, err
	}
	return m, nil
}

func decryptTo(ctx context.Context, w io.Writer, r io.Reader, secrets []*Secret, l Limits) (*Message, error) {
	in := &countingReader{ctx: ctx, r: r}
	u, why, err := begin(source(in), secrets)
	if err == nil {
		var m *Message
		m, err = u.content(ctx, w, l, in)
		if why != "" {
			err = closed(why)
		}
		if err == nil && in.err == nil {
			return m, nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("decrypt message: %w", ctx.Err())
	case in.err != nil:
		return nil, fmt.Errorf("decrypt message: %w", in.err)
	}
	return nil, err
}

// content reads the message in the packet and checks that the packet is whole.
// What is wrong with the content is told only then; the rest is decrypted like
// any other, so that no difference tells where it went wrong (rule P9).
func (u *unprotected) content(ctx context.Context, w io.Writer, l Limits, in *countingReader) (*Message, error) {
	c := newContent(ctx, w, l, l.Plain)
	c.signed.hashing = true
	plain := source(u.ReadCloser)
	err := c.read(plain)
	if sink := (*sinkError)(nil); errors.As(err, &sink) {
		return nil, err
	}
	_, rest := io.Copy(io.Discard, plain)
	switch whole := u.Close(); {
	case rest != nil || whole != nil:
		return nil, closed(ReasonIntegrity)
	case err != nil:
		return nil, err
	case !u.alone():
		return nil, closed(ReasonMalformed)
	case c.grown > l.mayGrow(in.n):
		return nil, closed(ReasonTooLarge)
	}
	c.message.Encrypted, c.message.Body = true, u.sum()
	return c.message, nil
}

// countingReader counts what is read, ends with the context, and keeps an error
// that is the input's own.
type countingReader struct {
	ctx context.Context
	r   io.Reader
	n   int64
	err error
}

func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errArmor) {
		c.err = err
	}
	return n, err
}
