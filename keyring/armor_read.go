package keyring

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// ArmorReader reads the data of the first block of one kind in a text, as it
// comes, with whatever stands around the block left out. It reads what FindArmor
// reads, but cannot go back to look for another block where the first is broken:
// that, and no block at all, is an error, which may come only after most of the
// data.
type ArmorReader struct {
	src   *bufio.Reader
	kind  string
	lines *radix64
	data  []byte // decoded and not given out
	at    int
	after bool // the checksum line is behind us
	err   error
}

// NewArmorReader reads a block of that kind from r.
func NewArmorReader(r io.Reader, kind string) *ArmorReader {
	return &ArmorReader{src: bufio.NewReaderSize(r, piece), kind: kind}
}

// Mismatch says that the block carried a checksum which is not that of its data:
// a note and no more, as Block.Mismatch is. It is known at the end of the data.
func (a *ArmorReader) Mismatch() bool { return a.err == io.EOF && a.lines.mismatch() }

func (a *ArmorReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for a.at == len(a.data) {
		if a.err != nil {
			return 0, a.err
		}
		a.data, a.at = a.data[:0], 0
		a.err = a.more()
	}
	n := copy(p, a.data[a.at:])
	a.at += n
	return n, nil
}

// more decodes some lines; io.EOF behind the last.
func (a *ArmorReader) more() error {
	if a.lines == nil {
		return a.begin()
	}
	for len(a.data) < piece {
		line, err := a.line()
		if err == nil {
			err = a.take(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// line reads a line, or as much of one as fits into memory. The text must not
// end before the block does.
func (a *ArmorReader) line() ([]byte, error) {
	line, err := a.src.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return line, nil
	case err == io.EOF && len(line) > 0:
		return line, nil
	case err == io.EOF:
		return nil, errArmor
	}
	return line, err
}

// begin passes over what stands in front of the data.
func (a *ArmorReader) begin() error {
	first := []byte("-----BEGIN " + a.kind + "-----")
	for start := true; ; {
		line, err := a.line()
		if err != nil {
			return err
		}
		found := start && bytes.HasPrefix(line, dashes) && bytes.Equal(bytes.TrimSpace(line), first)
		start = bytes.HasSuffix(line, []byte("\n"))
		if found {
			break
		}
	}
	a.lines = newRadix64()
	for {
		line, err := a.line()
		if err != nil {
			return err
		}
		switch header := bytes.TrimSpace(line); {
		case len(header) == 0:
			return nil
		case !isArmorHeader(header):
			return a.take(line)
		}
	}
}

// take takes one line of data, or the end of the block: io.EOF.
func (a *ArmorReader) take(line []byte) (err error) {
	data, last := line, bytes.Index(line, dashes)
	if last >= 0 {
		data = line[:last]
	}
	if !a.after {
		var more bool
		if a.data, more, err = a.lines.line(a.data, data); err != nil {
			return err
		}
		a.after = !more
	}
	if last < 0 {
		return nil
	}
	if string(bytes.TrimSpace(line[last:])) != "-----END "+a.kind+"-----" {
		return errArmor
	}
	if a.data, err = a.lines.end(a.data); err != nil {
		return err
	}
	return io.EOF
}
