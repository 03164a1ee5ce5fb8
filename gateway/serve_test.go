package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestH6_PanicsAreToldWithoutTheirValue(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := contain(newLog(&b, slog.LevelInfo), func() error { panic("canary7f3a") })
	if err == nil || !strings.Contains(err.Error(), "panicked with a string") || strings.Contains(err.Error()+b.String(), "canary7f3a") {
		t.Errorf("got %v: %s", err, &b)
	}
	if !strings.Contains(b.String(), "serve_test.go") {
		t.Errorf("the log does not say where: %s", &b)
	}
	if err := contain(slog.New(slog.DiscardHandler), func() error { return os.ErrInvalid }); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestListenErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]string{
		syscall.EACCES:     "listen on 127.0.0.1:25 for [smtp]: bind: permission denied: ports below 1024 need the capability CAP_NET_BIND_SERVICE, or choose another",
		syscall.EADDRINUSE: "listen on 127.0.0.1:25 for [smtp]: bind: address already in use: something else listens there",
	} {
		err := listenError("smtp", "127.0.0.1:25", fmt.Errorf("x: %w", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", errno)}))
		if err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
}
