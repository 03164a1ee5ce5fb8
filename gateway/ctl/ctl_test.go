package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// start serves handle on a socket of its own until the test ends.
func start(t *testing.T, dir string, log *slog.Logger, handle func(context.Context, Request) Answer) string {
	t.Helper()
	path := filepath.Join(dir, SocketName)
	s := &Server{Handle: handle, Log: log}
	if err := s.Listen(path); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	return path
}

// lockedBuffer is written by the server and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func echo(_ context.Context, r Request) Answer {
	return Answer{Out: fmt.Sprintf("%s%v%v%v", r.Command, r.Args, r.Flags, r.Files["f"]), Err: "e", Code: 3}
}

func TestCall(t *testing.T) {
	t.Parallel()
	path := start(t, t.TempDir(), quiet(), echo)
	r := Request{Command: "key import", Args: []string{"a b", "c\nd"}, Flags: map[string]string{"x": "y"}, Files: map[string][]byte{"f": {0, 255, '\n'}}}
	a, err := Call(t.Context(), path, r)
	want := Answer{Out: "key import[a b c\nd]map[x:y][0 255 10]", Err: "e", Code: 3}
	if err != nil || a != want {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestPathLongerThanASocketAddress(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := start(t, dir, quiet(), echo)
	if a, err := Call(t.Context(), path, Request{Command: "x"}); err != nil || a.Code != 3 {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestH5_SocketIsPrivateAndReplacesAStaleOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, SocketName), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, SocketName)
	if _, err := Call(t.Context(), path, Request{}); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("a stale socket: got %v", err)
	}
	start(t, dir, quiet(), echo)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

func TestNoDaemon(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{t.TempDir(), "/nowhere", "/nowhere/" + strings.Repeat("d", 120)} {
		if _, err := Call(t.Context(), filepath.Join(dir, SocketName), Request{}); !errors.Is(err, ErrNoDaemon) {
			t.Errorf("%s: got %v", dir, err)
		}
	}
}

func TestPanicEndsOneCommandAndStaysOutOfTheLog(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	path := start(t, t.TempDir(), slog.New(slog.NewTextHandler(&log, nil)), func(_ context.Context, r Request) Answer {
		if r.Command == "bad" {
			panic("canary")
		}
		return Answer{}
	})
	if a, err := Call(t.Context(), path, Request{Command: "bad"}); err != nil || a.Code != 1 || a.Err == "" {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err := Call(t.Context(), path, Request{Command: "good"}); err != nil || a.Code != 0 {
		t.Errorf("got %+v, %v", a, err)
	}
	if !strings.Contains(log.String(), "panicked") || strings.Contains(log.String(), "canary") {
		t.Errorf("log: %s", &log)
	}
}

func TestHangUpEndsTheCommand(t *testing.T) {
	t.Parallel()
	running, ended := make(chan struct{}), make(chan error, 1)
	path := start(t, t.TempDir(), quiet(), func(ctx context.Context, _ Request) Answer {
		close(running)
		<-ctx.Done()
		ended <- ctx.Err()
		return Answer{}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-running
		cancel()
	}()
	if _, err := Call(ctx, path, Request{}); !errors.Is(err, ErrLost) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("the command went on")
	}
}

func TestGarbageIsNoRequest(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	path := start(t, t.TempDir(), slog.New(slog.NewTextHandler(&log, nil)), func(context.Context, Request) Answer {
		t.Error("a command ran")
		return Answer{}
	})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /canary HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
	if strings.Contains(log.String(), "canary") {
		t.Errorf("log: %s", &log)
	}
}

// A file goes along open: the daemon writes into it, wherever it lies.
func TestOutput(t *testing.T) {
	t.Parallel()
	path := start(t, t.TempDir(), quiet(), func(_ context.Context, r Request) Answer {
		if r.Output == nil {
			return Answer{Out: "no file came"}
		}
		_, err := r.Output.WriteString("written by the daemon")
		return Answer{Out: r.Command, Err: fmt.Sprint(err)}
	})
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if a, err := Call(t.Context(), path, Request{Command: "backup", Output: f}); err != nil || a.Out != "backup" || a.Err != "<nil>" {
		t.Errorf("got %+v, %v", a, err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || string(got) != "written by the daemon" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	if a, err := Call(t.Context(), path, Request{Command: "do"}); err != nil || a.Out != "no file came" {
		t.Errorf("without one: %+v, %v", a, err)
	}
}
