package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// A service manager that does not read holds nothing up: the socket takes some
// messages, and then the gateway goes on, or ends, without it.
func TestNotify_NobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	deaf, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = deaf.Close() }()
	t.Setenv("NOTIFY_SOCKET", path)
	for err == nil {
		err = notify("WATCHDOG=1")
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
