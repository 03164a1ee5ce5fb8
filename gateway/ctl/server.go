package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// maxCommands is how many commands run at once; others wait.
const maxCommands = 8

// Server answers on a control socket.
type Server struct {
	Handle func(ctx context.Context, r Request) Answer
	Log    *slog.Logger

	path    string
	ln      *net.UnixListener
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Listen makes the socket, which has its mode when it has its name. One that a
// killed daemon left is replaced: the caller holds the lock of the store, so no
// other daemon can be behind it.
func (s *Server) Listen(path string) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replace control socket: %w", err)
	}
	short, release, err := shorten(next)
	if err != nil {
		return fmt.Errorf("make control socket: %w", err)
	}
	defer release()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return fmt.Errorf("make control socket: %w", err)
	}
	ln.SetUnlinkOnClose(false) // its short path is gone by then
	if err = os.Chmod(next, socketMode); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make control socket: %w", err), ln.Close())
	}
	s.path, s.ln = path, ln
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return nil
}

// Serve answers until Shutdown, and returns nil then.
func (s *Server) Serve() error {
	slots := make(chan struct{}, maxCommands)
	for {
		conn, err := s.ln.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("accept on control socket: %w", err)
		}
		slots <- struct{}{}
		s.running.Go(func() {
			defer func() { <-slots }()
			s.serve(conn)
		})
	}
}

// Shutdown stops listening and waits for the commands that run; when ctx
// ends it cancels them.
func (s *Server) Shutdown(ctx context.Context) error {
	closed := errors.Join(os.Remove(s.path), s.ln.Close())
	defer s.cancel()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return closed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) serve(conn *net.UnixConn) {
	defer func() { _ = conn.Close() }() // the answer is out, or nobody wants it
	if err := checkPeer(conn); err != nil {
		s.Log.Warn("control socket refused a peer", "err", err)
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(requestTime))
	r, rest, err := readRequest(conn)
	if err != nil {
		s.Log.Warn("control socket got no request", "err", err)
		return
	}
	if r.Output != nil {
		defer func() { _ = r.Output.Close() }() // whoever wrote it has synced it
	}
	_ = conn.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	go func() { // a peer that hangs up ends its command
		_, _ = io.Copy(io.Discard, io.MultiReader(rest, conn))
		cancel()
	}()
	a := s.answer(ctx, r)
	_ = conn.SetWriteDeadline(time.Now().Add(requestTime))
	if err := json.NewEncoder(conn).Encode(a); err != nil {
		s.Log.Warn("control socket could not answer", "command", r.Command, "err", err)
	}
}

// readRequest reads one request, and gives what was read beyond it.
func readRequest(conn *net.UnixConn) (r Request, rest io.Reader, err error) {
	first, output, err := take(conn)
	if err != nil {
		return r, nil, err
	}
	d := json.NewDecoder(io.LimitReader(io.MultiReader(bytes.NewReader(first), conn), maxRequest))
	if err := d.Decode(&r); err != nil {
		if output != nil {
			_ = output.Close() // nothing was written
		}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			err = errors.New("not a request") // json's text could quote it
		}
		return r, nil, err
	}
	r.Output = output
	beyond, err := io.ReadAll(d.Buffered())
	return r, bytes.NewReader(beyond), err
}

// answer runs the command. A panic ends that command and nothing else; its
// value stays out of the log, for it could hold anything (rule H6).
func (s *Server) answer(ctx context.Context, r Request) (a Answer) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("a command panicked", "command", r.Command, "type", fmt.Sprintf("%T", p))
			a = Answer{Err: "the command failed inside the daemon; its log says where\n", Code: 1}
		}
	}()
	return s.Handle(ctx, r)
}
