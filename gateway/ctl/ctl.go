// Package ctl is the control socket: the command line of the same machine
// asks the running daemon to do what otherwise it would do to the store
// itself. One connection carries one request and one answer.
//
// The socket lies in the state directory with mode 0600, and only the
// daemon's own user and root are answered (rule A3).
package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// SocketName is the name of the socket in the state directory.
const SocketName = "ctl.sock"

const (
	maxRequest  = 64 << 20 // bytes of JSON: files travel inside
	maxAnswer   = 64 << 20
	requestTime = 30 * time.Second // to send a request, or to take an answer
	socketMode  = 0o600
)

// Request is one command with the files that it reads, since the daemon may
// not be able to.
type Request struct {
	Command string            `json:"command"` // "key import"
	Args    []string          `json:"args,omitempty"`
	Flags   map[string]string `json:"flags,omitempty"`
	Files   map[string][]byte `json:"files,omitempty"` // contents, by what the command calls them
	// Output is a file that the command writes. It goes along open (unix(7), SCM_RIGHTS), since the daemon may not be able to
	// make it, or see where it lies.
	Output *os.File `json:"-"`
}

// Answer is what the command line prints, and exits with.
type Answer struct {
	Out  string `json:"out,omitempty"`
	Err  string `json:"err,omitempty"`
	Code int    `json:"code"`
}

// Errors of Call.
var (
	// ErrNoDaemon says that nobody listens: the caller may open the store itself.
	ErrNoDaemon = errors.New("no daemon listens on the control socket")
	// ErrLost says that the daemon went away before it answered: the command may have been carried out or not.
	ErrLost = errors.New("the daemon did not answer; look at what it did before you repeat the command")
)

// Call asks the daemon whose socket is at path. When ctx ends, so does the
// command.
func Call(ctx context.Context, path string, r Request) (Answer, error) {
	var a Answer
	short, release, err := shorten(path)
	if err != nil {
		return a, noDaemon(err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", short)
	release()
	if err != nil {
		return a, noDaemon(err)
	}
	defer func() { _ = conn.Close() }() // nothing is in flight any more
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()

	_ = conn.SetWriteDeadline(time.Now().Add(requestTime))
	if err := pass(conn, r.Output); err != nil {
		return a, err
	}
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return a, fmt.Errorf("%w (%w)", ErrLost, err)
	}
	if err := json.NewDecoder(io.LimitReader(conn, maxAnswer)).Decode(&a); err != nil {
		return Answer{}, fmt.Errorf("%w (%w)", ErrLost, errors.Join(ctx.Err(), err))
	}
	return a, nil
}

func noDaemon(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return ErrNoDaemon
	}
	return fmt.Errorf("connect to the control socket: %w", err)
}

// maxSocketPath is what fits into a socket address (unix(7): 108 bytes with
// the closing NUL; 104 on other systems).
const maxSocketPath = 103

// shorten gives a path that fits into a socket address and leads to the same
// file while release was not called.
func shorten(path string) (short string, release func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { _ = dir.Close() }, nil
}
