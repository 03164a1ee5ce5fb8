package courier

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A scripted server speaks one dialogue for each connection, as lines: "S: " is sent, "C: " is expected, "C: ..." reads a message
// to its dot, "X" closes, "N" expects neither mail nor login until the client closes, "H" hangs until the client closes, "Z" hangs and reads nothing until the test ends.
type scripted struct {
	addr string
	done chan error // one for each dialogue
	over chan struct{}
}

func speaks(t testing.TB, dialogues ...string) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	s := &scripted{l.Addr().String(), make(chan error, len(dialogues)), make(chan struct{})}
	t.Cleanup(func() { close(s.over) })
	go func() {
		for _, d := range dialogues {
			c, err := l.Accept()
			if err != nil {
				s.done <- err
				return
			}
			s.done <- s.speak(c, d)
		}
	}()
	return s
}

// ended waits for n dialogues and fails the test unless all went as written.
func (s *scripted) ended(t testing.TB, n int) {
	t.Helper()
	for range n {
		select {
		case err := <-s.done:
			if err != nil {
				t.Errorf("dialogue: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the dialogue did not end")
		}
	}
}

func (s *scripted) speak(c net.Conn, dialogue string) error {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(c)
	for line := range strings.Lines(dialogue) {
		line = strings.TrimSpace(line)
		switch text, kind := strings.TrimLeft(line[min(2, len(line)):], " "), line[:min(2, len(line))]; kind {
		case "S:":
			if _, err := io.WriteString(c, strings.ReplaceAll(text, `\r\n`, "\r\n")+"\r\n"); err != nil {
				return err
			}
		case "C:":
			if err := expect(in, text); err != nil {
				return err
			}
		case "X":
			return nil
		case "N":
			return nothingMore(in)
		case "Z":
			<-s.over
			return nil
		case "H":
			_, _ = io.Copy(io.Discard, in)
			return nil
		}
	}
	return nil
}

func expect(in *bufio.Reader, want string) error {
	for {
		got, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("waiting for %q: %w", want, err)
		}
		got = strings.TrimRight(got, "\r\n")
		switch {
		case want == "..." && got == ".", got == want:
			return nil
		case want != "...":
			return errors.New("got " + got + ", want " + want)
		}
	}
}

// nothingMore fails if the client goes on with anything that matters.
func nothingMore(in *bufio.Reader) error {
	rest, _ := io.ReadAll(in) // a deadline ends it too
	for _, word := range []string{"AUTH", "MAIL", "RSET", "canary", "Y2FuYXJ5", "Subject"} {
		if strings.Contains(string(rest), word) {
			return errors.New("the client went on with " + word)
		}
	}
	return nil
}

// The beginning of every dialogue up to the place a test is about.
const (
	untilMail = `
		S: 220 relay.example.org
		C: EHLO vdp.example.org
		S: 250 relay.example.org
		C: MAIL FROM:<bounce+x@vdp.example.org>`
	untilRcpt = untilMail + `
		S: 250 ok
		C: RCPT TO:<psirt@acme.example>`
	untilData = untilRcpt + `
		S: 250 ok
		C: DATA`
	untilDot = untilData + `
		S: 354 go on
		C: ...`
)
