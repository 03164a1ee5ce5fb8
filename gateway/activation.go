package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// firstPassed is the first descriptor that systemd passes (sd_listen_fds(3)).
const firstPassed = 3

// passedListeners takes over the sockets that systemd opened for us, by the names
// of their units (FileDescriptorName=): smtp, lmtp, submission, imap, monitor. So a port
// below 1024 needs no capability, and mail that comes while we start waits.
func passedListeners() (map[string]net.Listener, error) {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil // they are somebody else's, or there are none
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, v := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(v) // what we start is not meant
	}
	out := map[string]net.Listener{}
	for i := range n {
		syscall.CloseOnExec(firstPassed + i)
		name := ""
		if i < len(names) {
			name = names[i]
		}
		if !slices.Contains(portNames[:], name) || out[name] != nil {
			return nil, fmt.Errorf("take socket %d from systemd: its name is %q; set FileDescriptorName= to one of %s, each once", i, name, strings.Join(portNames[:], ", "))
		}
		f := os.NewFile(uintptr(firstPassed+i), name)
		ln, err := net.FileListener(f)
		_ = f.Close() // the listener has its own
		if err != nil {
			return nil, fmt.Errorf("take socket %s from systemd: %w", name, err)
		}
		out[name] = ln
	}
	return out, nil
}
