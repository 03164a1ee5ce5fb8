package faults

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tracer is this program once more: it counts the system calls of all threads of a gateway, and fails one of them or kills
// the gateway there. A counter for each thread, which is what strace has, says nothing of a program whose work moves from one
// thread to another.
const (
	tracerPid = "PARLEY_FAULTS_TRACER"
	tracerSet = "PARLEY_FAULTS_SET"
	tracerAt  = "PARLEY_FAULTS_AT"
	tracerDo  = "PARLEY_FAULTS_DO"
)

// calls are those that can be counted: what is seen outside of the process.
var calls = map[string]uint64{
	"read": unix.SYS_READ, "write": unix.SYS_WRITE, "pwrite64": unix.SYS_PWRITE64, "writev": unix.SYS_WRITEV, "close": unix.SYS_CLOSE,
	"fsync": unix.SYS_FSYNC, "fdatasync": unix.SYS_FDATASYNC, "ftruncate": unix.SYS_FTRUNCATE, "openat": unix.SYS_OPENAT,
	"rename": unix.SYS_RENAME, "renameat": unix.SYS_RENAMEAT, "renameat2": unix.SYS_RENAMEAT2, "unlink": unix.SYS_UNLINK,
	"unlinkat": unix.SYS_UNLINKAT, "accept4": unix.SYS_ACCEPT4, "connect": unix.SYS_CONNECT, "socket": unix.SYS_SOCKET,
	"sendto": unix.SYS_SENDTO, "sendmsg": unix.SYS_SENDMSG, "recvfrom": unix.SYS_RECVFROM, "shutdown": unix.SYS_SHUTDOWN,
}

// needsTrace skips where one process may not trace another.
func needsTrace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: the gateway lets no other process of its user trace it")
	}
	cmd := exec.Command("sleep", "60")
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceSeize(cmd.Process.Pid); err != nil {
		t.Skipf("needs ptrace, which is not allowed here: %v", err)
	}
	_ = unix.PtraceDetach(cmd.Process.Pid) // killed anyway
}

// trace is a tracer at work.
type trace struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string
}

// trace attaches to a gateway that runs.
func (g *gateway) trace(i inject) (*trace, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", tracerPid, g.cmd.Process.Pid), tracerSet+"="+strings.Join(i.calls, ","),
		fmt.Sprintf("%s=%d", tracerAt, i.at), tracerDo+"="+i.do)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	tr := &trace{cmd, in, make(chan string, 10_000)}
	ready := make(chan struct{})
	go func() {
		defer close(tr.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			if s.Text() == "ready" {
				close(ready)
				continue
			}
			tr.lines <- s.Text()
		}
	}()
	<-ready
	return tr, nil
}

// end lets go of the gateway, and says how many calls there were and at which of them something was done.
func (tr *trace) end() (count int, hit string) {
	_ = tr.cmd.Process.Kill() // its threads are let go
	for line := range tr.lines {
		if name, ok := strings.CutPrefix(line, "hit "); ok {
			if hit == "" {
				hit = name
			}
			continue
		}
		count++
	}
	_ = tr.cmd.Wait()
	return count, hit
}

// tracer is the inside of that program.
type tracer struct {
	pid     int
	set     map[uint64]string
	at      int
	from    bool // every one from there on
	errno   syscall.Errno
	seen    int
	pending map[int]bool // threads whose call is to fail
	out     *bufio.Writer
}

func runTracer() {
	runtime.LockOSThread()
	tr := &tracer{set: map[uint64]string{}, pending: map[int]bool{}, out: bufio.NewWriterSize(os.Stdout, 1)}
	tr.pid, _ = strconv.Atoi(os.Getenv(tracerPid))
	for _, name := range strings.Split(os.Getenv(tracerSet), ",") {
		nr, ok := calls[name]
		if !ok {
			fmt.Fprintln(os.Stderr, "no such call:", name)
			os.Exit(1)
		}
		tr.set[nr] = name
	}
	tr.at, _ = strconv.Atoi(os.Getenv(tracerAt))
	do, from := strings.CutSuffix(os.Getenv(tracerDo), "+")
	tr.from = from
	tr.errno = map[string]syscall.Errno{"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC, "EROFS": syscall.EROFS}[do]
	if err := tr.attach(); err != nil {
		fmt.Fprintln(os.Stderr, "trace:", err)
		os.Exit(1)
	}
	tr.loop()
}

// attach takes all threads, also those that are made meanwhile.
func (tr *tracer) attach() error {
	known := map[int]bool{}
	for {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", tr.pid))
		if err != nil || len(tasks) == 0 {
			return errors.Join(err, errors.New("it is gone"))
		}
		before := len(known)
		for _, task := range tasks {
			tid, _ := strconv.Atoi(filepath.Base(task))
			if known[tid] {
				continue
			}
			known[tid] = true
			const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE
			if _, _, e := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, options, 0, 0); e != 0 && e != unix.EPERM {
				continue // a thread that ended; EPERM: a clone of one that is ours
			}
			_ = unix.PtraceInterrupt(tid)
		}
		if len(known) == before {
			fmt.Println("ready")
			return nil
		}
	}
}

func (tr *tracer) loop() {
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return // all threads are gone
		}
		if !status.Stopped() {
			continue
		}
		sig := 0
		switch s := status.StopSignal(); {
		case s == unix.SIGTRAP|0x80:
			tr.call(tid)
		case status>>16 != 0: // an event of ptrace itself
		default:
			sig = int(s)
		}
		_ = unix.PtraceSyscall(tid, sig) // it may have been killed
	}
}

// callInfo is the beginning of struct ptrace_syscall_info (ptrace(2)).
type callInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	nr   uint64
	_    [56]byte
}

const (
	getSyscallInfo = 0x420e
	opEntry        = 1
)

// call counts a call at its beginning, and fails it at its end.
func (tr *tracer) call(tid int) {
	var info callInfo
	if _, _, e := unix.Syscall6(unix.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0); e != 0 {
		return
	}
	if info.op != opEntry {
		if tr.pending[tid] {
			delete(tr.pending, tid)
			tr.registers(tid, func(r *unix.PtraceRegs) { r.Rax = uint64(-int64(tr.errno)) })
		}
		return
	}
	name, counts := tr.set[info.nr]
	if !counts {
		return
	}
	tr.seen++
	fmt.Println(name)
	if tr.seen != tr.at && (!tr.from || tr.seen < tr.at) {
		return
	}
	fmt.Println("hit", name)
	if tr.errno == 0 {
		_ = unix.Kill(tr.pid, unix.SIGKILL)
		return
	}
	tr.pending[tid] = true
	tr.registers(tid, func(r *unix.PtraceRegs) { r.Orig_rax = ^uint64(0) }) // no call at all
}

func (tr *tracer) registers(tid int, change func(*unix.PtraceRegs)) {
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &r); err != nil {
		return
	}
	change(&r)
	_ = unix.PtraceSetRegs(tid, &r)
}
