package ctl

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// pair is a connection of which we hold both ends.
func pair(t testing.TB) (ours, theirs *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close() // the connection has its own
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

// FuzzRequest reads requests from any bytes, in two pieces, with up to three open
// files beside the first. A request is what JSON says it is; of files there is one
// with it or none; and whatever is no request leaves no file open.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"", "{}", " {}", "null", "[]", `{"command":"key import","args":["a","b"],"flags":{"x":"y"},"files":{"f":"AP8="}}` + "\n", `{"command":1}`, `{"command":"a"}{"command":"b"}`,
		`{"files":{"f":"no base64"}}`, `{"COMMAND":"x","command":"y"}`, "{\"command\":\"\xff\"}", `{"output":{}}`, `{"-":{}}`, "\x00", `{"command":"` + string(bytes.Repeat([]byte("x"), 5000)) + `"}`,
	} {
		for files := uint8(0); files < 3; files++ {
			f.Add([]byte(s), uint16(len(s)/2), files)
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = null.Close() })
	open := openFiles(f)
	rounds := 0
	f.Fuzz(func(t *testing.T, said []byte, cut uint16, files uint8) {
		ours, theirs := pair(t)
		defer func() { _, _ = ours.Close(), theirs.Close() }()
		_ = theirs.SetReadDeadline(time.Now().Add(time.Minute))
		n := min(int(cut), len(said))
		go send(ours, null, said[:n], said[n:], int(files%4))
		r, rest, err := readRequest(theirs)
		checkRequest(t, said, r, err)
		if err != nil && r.Output != nil {
			t.Error("a file comes with no request")
		}
		if err == nil {
			if _, err := io.ReadAll(rest); err != nil {
				t.Error(err)
			}
		}
		if sent := files % 4; n > 0 && (r.Output != nil) != (err == nil && sent == 1) {
			t.Errorf("%d files were sent; %q, %v, %v", sent, said, r.Output, err)
		}
		if r.Output != nil {
			_ = r.Output.Close()
		}
		if rounds++; rounds%1000 == 0 {
			if now := openFiles(t); now > open+20 {
				t.Errorf("%d files are open, there were %d", now, open)
			}
		}
	})
}

func send(to *net.UnixConn, file *os.File, first, second []byte, files int) {
	defer func() { _ = to.CloseWrite() }()
	var rights []byte
	if files > 0 && len(first) > 0 {
		fds := make([]int, files)
		for i := range fds {
			fds[i] = int(file.Fd())
		}
		rights = syscall.UnixRights(fds...)
	}
	if _, _, err := to.WriteMsgUnix(first, rights, nil); err == nil {
		_, _ = to.Write(second)
	}
}

// checkRequest compares with what a decoder of the whole text makes of it.
func checkRequest(t *testing.T, said []byte, r Request, err error) {
	t.Helper()
	var want Request
	if bad := json.NewDecoder(bytes.NewReader(said)).Decode(&want); bad != nil {
		if err == nil {
			t.Errorf("%q is the request %+v", said, r)
		}
		return
	}
	if err != nil {
		return // of more files than one
	}
	got := r
	got.Output = nil
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if !bytes.Equal(a, b) {
		t.Errorf("%q is read as %s, want %s", said, a, b)
	}
}

func openFiles(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not list open files")
	}
	return len(all)
}
