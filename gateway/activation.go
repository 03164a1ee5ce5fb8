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
	names, err := passedNames(os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDNAMES"), os.Getpid())
	if names == nil && err == nil {
		return nil, nil // they are somebody else's, or there are none
	}
	for _, v := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(v) // what we start is not meant
	}
	if err != nil {
		return nil, err
	}
	out := map[string]net.Listener{}
	for i, name := range names {
		syscall.CloseOnExec(firstPassed + i)
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

// passedNames reads the three variables, LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES: the
// names of the sockets that were passed to us, in their order; nil where the
// variables are not meant for our own process.
func passedNames(fds, pid, fdnames string, own int) ([]string, error) {
	n, err := strconv.Atoi(fds)
	if err != nil || n < 0 || pid != strconv.Itoa(own) {
		return nil, nil
	}
	given := strings.Split(fdnames, ":")
	names := []string{}
	for i := range n {
		name := ""
		if i < len(given) {
			name = given[i]
		}
		if !slices.Contains(portNames[:], name) || slices.Contains(names, name) {
			return nil, fmt.Errorf("take socket %d from systemd: its name is %q; set FileDescriptorName= to one of %s, each once", i, name, strings.Join(portNames[:], ", "))
		}
		names = append(names, name)
	}
	return names, nil
}
