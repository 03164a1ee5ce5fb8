package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
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

// A loop that lets new mail go ends when the gateway stops, while what is under way
// at the ports still drains.
func TestT4_NoNewMailLeavesWhileStopping(t *testing.T) {
	t.Parallel()
	g := &gateway{stopping: make(chan struct{})}
	ended := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		defer close(ended)
		_ = g.untilStopping(func(ctx context.Context) error { <-ctx.Done(); return nil })(ctx)
	}()
	close(g.stopping)
	<-ended
	if ctx.Err() != nil {
		t.Error("it ended only when everything did")
	}
}
