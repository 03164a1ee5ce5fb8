package smtpd_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"parley/gateway/auth"
	"parley/mailflow"
)

// sink takes every mail, and costs nothing: what is left is the session.
type sink struct{}

func (sink) CheckRoom(int64) error { return nil }

func (sink) CheckRcpt(context.Context, mailflow.Envelope, string) error { return nil }

func (sink) Receive(_ context.Context, _ mailflow.Envelope, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// A sender hands over one mail of 4 kB again and again, and waits for each reply, as a
// client does that does not pipeline. It allocates nothing but its connections.
type sender struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

var mail4k = "Subject: report\r\n\r\n" + strings.Repeat(strings.Repeat("0123456789abcdef", 4)+"\r\n", 61) + ".\r\n"

func (s *sender) connect() (err error) {
	if s.conn, err = net.Dial("tcp", s.addr); err != nil {
		return err
	}
	s.in.Reset(s.conn)
	return s.say("", "EHLO peer.example\r\n")
}

func (s *sender) mail() error {
	return s.say("MAIL FROM:<finder@peer.example>\r\n", "RCPT TO:<report@vdp.example.org>\r\n", "DATA\r\n", mail4k)
}

func (s *sender) quit() error {
	if err := s.say("QUIT\r\n"); err != nil {
		return err
	}
	return s.conn.Close()
}

// say sends each text, "" being none, and reads the reply to it.
func (s *sender) say(texts ...string) error {
	for _, text := range texts {
		s.out = append(s.out[:0], text...)
		if _, err := s.conn.Write(s.out); err != nil {
			return err
		}
		for more := true; more; {
			line, err := s.in.ReadSlice('\n')
			switch {
			case err != nil:
				return err
			case len(line) < 4 || line[0] > '3':
				return fmt.Errorf("answered %q", line)
			}
			more = line[3] == '-'
		}
	}
	return nil
}

// BenchmarkAccept is the session alone around one mail of 4 kB that is taken, on a
// connection that is kept and on a new one for each mail, client and all. What is
// logged is made, and written nowhere.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct {
		name string
		keep bool
	}{{"kept", true}, {"new", false}} {
		b.Run(c.name, func(b *testing.B) {
			cfg := config(nil)
			cfg.Intake, cfg.Limiter = sink{}, auth.NewLimiter(1000, 1000)
			cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
			addr, _ := serve(b, cfg)
			b.ReportAllocs()
			b.SetParallelism(8) // a new connection waits for its greeting
			b.RunParallel(func(pb *testing.PB) {
				s := &sender{addr: addr, in: bufio.NewReader(nil)}
				for first := true; pb.Next(); first = false {
					if first || !c.keep {
						check(b, s.connect())
					}
					check(b, s.mail())
					if !c.keep {
						check(b, s.quit())
					}
				}
			})
		})
	}
}

// check is must outside the test's own goroutine.
func check(b *testing.B, err error) {
	if err != nil {
		b.Error(err)
	}
}
