package smtpd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/iotest"
	"time"

	"parley/mailflow"
)

// wire is a connection on which everything has been said already.
type wire struct {
	net.Conn
	io.Reader
}

func (w wire) Read(p []byte) (int, error)       { return w.Reader.Read(p) }
func (w wire) SetReadDeadline(time.Time) error  { return nil }
func (w wire) SetWriteDeadline(time.Time) error { return nil }

// textOf reads one text off a wire; it gives what a flow reads, what is left
// for the next command, and how the text ended.
func textOf(r io.Reader, size int64, buf int) (got, rest []byte, err error) {
	w := wire{Reader: r}
	g := &gate{raw: w, conn: w, in: bufio.NewReaderSize(w, textLimit), limits: Limits{Size: size, Data: time.Minute},
		state: atText, ctx: context.Background(), log: slog.New(slog.DiscardHandler)}
	t, _ := g.message()
	var out bytes.Buffer
	_, err = io.CopyBuffer(struct{ io.Writer }{&out}, struct{ io.Reader }{t}, make([]byte, buf))
	if broken := t.drain(); broken == errLongLine {
		return nil, nil, errBroken
	} else if broken != nil {
		return nil, nil, broken
	}
	rest, _ = io.ReadAll(g.in)
	return out.Bytes(), rest, err
}

// model is the same in the plainest way: whole lines of what was said.
func model(said []byte, size int64) (got, rest []byte, err error) {
	for {
		i := bytes.IndexByte(said, '\n')
		if line := said[:i+1]; i < 0 || len(line) > textLimit {
			return nil, nil, errBroken // which of the two is a matter of packets
		} else if body, ok := bytes.CutSuffix(line, []byte("\r\n")); !ok || bytes.ContainsAny(body, "\r\x00") {
			return nil, nil, errBare
		} else if said = said[i+1:]; string(body) == "." {
			break
		} else {
			got = append(got, bytes.TrimPrefix(line, []byte("."))...)
		}
	}
	if int64(len(got)) > size {
		return nil, said, errTooLarge
	}
	return got, said, nil
}

func FuzzM5_Text(f *testing.F) {
	long := bytes.Repeat([]byte("x"), textLimit)
	for _, said := range [][]byte{
		nil, []byte(".\r\n"), []byte("a\r\n.\r\nNOOP\r\n"), []byte("..\r\n...\r\n.\r\n"), []byte("\n"), []byte("\r\n.\r\r\n.\r\n"),
		[]byte("a\n.\nb\r\n.\r\n"), []byte("\x00\r\n.\r\n"), []byte(".\n.\r\n"), []byte(".\r"), []byte("half"),
		append(long[:textLimit-2:textLimit-2], "\r\n.\r\n"...), append(long[:textLimit-1:textLimit-1], "\r\n.\r\n"...), long,
	} {
		f.Add(said, uint16(20))
	}
	f.Fuzz(func(t *testing.T, said []byte, size uint16) {
		got, rest, err := model(said, int64(size))
		for _, c := range []struct {
			r   io.Reader
			buf int
		}{
			{bytes.NewReader(said), 4096},
			{bytes.NewReader(said), 1},
			{iotest.OneByteReader(bytes.NewReader(said)), 7},
			{iotest.DataErrReader(bytes.NewReader(said)), 4096},
		} {
			g, s, e := textOf(c.r, int64(size), c.buf)
			if !errors.Is(e, err) || (err == nil && !bytes.Equal(g, got)) || !bytes.Equal(s, rest) {
				t.Fatalf("%.80q, %d: %.80q, rest %.80q, %v; want %.80q, rest %.80q, %v", said, size, g, s, e, got, rest, err)
			}
		}
	})
}

// A session that is asked for a text which no DATA began takes none: the way
// on which the library would hand BDAT over.
func TestM5_NoTextWithoutData(t *testing.T) {
	t.Parallel()
	g := &gate{log: slog.New(slog.DiscardHandler)}
	s := publicSession{transaction{gate: g}}
	if err := s.deliver(nil, mailflow.Envelope{}); err != replyNoData || !g.hangup {
		t.Errorf("deliver: %v", err)
	}
}
