package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shutdownNow is FS_IOC_SHUTDOWN, _IOR('X', 125, __u32): ext4 and xfs drop what they did not write yet, their log included.
const (
	shutdownNow = 0x8004587d
	noLogFlush  = 2
)

// disk is a file with a file system, mounted.
type disk struct {
	t     *testing.T
	image string
	dir   string
}

// newDisk skips where there is no loop device.
func newDisk(t *testing.T) *disk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a file system")
	}
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("needs mkfs.ext4 (Debian package e2fsprogs)")
	}
	d := &disk{t, filepath.Join(t.TempDir(), "image"), t.TempDir()}
	for _, line := range [][]string{{"truncate", "-s", "160M", d.image}, {"mkfs.ext4", "-q", "-F", d.image}} {
		if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line[0], err, out)
		}
	}
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		t.Skipf("needs mount -o loop, which is not allowed here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", d.dir).Run() })
	return d
}

// fails is the power failure.
func (d *disk) fails() {
	d.t.Helper()
	f, err := os.Open(d.dir)
	must(d.t, err)
	defer func() { _ = f.Close() }()
	how := uint32(noLogFlush)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdownNow, uintptr(unsafe.Pointer(&how))); e != 0 {
		d.t.Skipf("needs a file system that can be shut down: %v", e)
	}
}

// back mounts it again, which replays its log.
func (d *disk) back() {
	d.t.Helper()
	for _, line := range [][]string{{"umount", d.dir}, {"mount", "-o", "loop", d.image, d.dir}} {
		var out []byte
		var err error
		if !within(10*time.Second, func() bool { out, err = exec.Command(line[0], line[1:]...).CombinedOutput(); return err == nil }) {
			d.t.Fatalf("%s: %v: %s", line[0], err, out)
		}
	}
}

// powerFails takes the file system away under load, again and again.
func powerFails(t *testing.T, k kind, n int) (f findings) {
	t.Helper()
	d := newDisk(t)
	l := newLoad(t, k)
	moved := l.g.copied(t, k, filepath.Join(d.dir, "gw"), l.sink.addr)
	unix.Sync()
	l.g = moved
	for i := range n {
		must(t, l.g.start())
		l.opensCase(t, "soon", time.Now().Add(noticeWait))
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- l.sends(l.p.finder, l.g.smtp) }()
		}
		time.Sleep(time.Duration(200+i*317%1500) * time.Millisecond)
		d.fails()
		for range 2 {
			must(t, <-done)
		}
		l.g.endsWithin(10 * time.Second)
		l.g.kill()
		d.back()
		if err := l.g.whole(); err != nil {
			f.add("after power failure %d: %v", i+1, err)
			return f
		}
		must(t, l.g.start())
		f = append(append(f, l.kept(t)...), l.once(t)...)
		l.g.kill()
		if len(f) > 0 {
			return f
		}
	}
	f.figures(t, "%d power failures: %d mails, 0 acknowledged lost, 0 twice", n, len(l.letters))
	return f
}

func TestT2_PowerFails(t *testing.T) {
	t.Parallel()
	needsFull(t)
	powerFails(t, asReleased(), rounds(1, 10)).sound(t)
	control(t, "no-sync", 3, func(t *testing.T, k kind) findings { return powerFails(t, k, 1) })
}
