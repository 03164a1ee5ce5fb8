package faults

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// fills sends mails until one is refused, which has to be with 452, and looks whether the gateway can be read all the same.
func (l *load) fills(t *testing.T, most int) (f findings) {
	t.Helper()
	l.bulk = 32 << 10
	for range most {
		if _, err := l.deliver(t, l.p.finder); err != nil {
			var reply *smtp.SMTPError
			if !errors.As(err, &reply) || reply.Code != 452 {
				f.add("a full disk is answered with %v, not 452", err)
			}
			return append(f, l.readable(t)...)
		}
	}
	f.add("%d mails were acknowledged on a full disk", most)
	return f
}

// readable reads every folder over IMAP.
func (l *load) readable(t *testing.T) (f findings) {
	t.Helper()
	if l.g.endsWithin(100 * time.Millisecond) {
		f.add("a full disk ended the gateway: %v: %s", l.g.err, l.g.log())
		return f
	}
	if got, err := l.g.counted(); err != nil || len(got) == 0 {
		f.add("with a full disk %d mails can be read: %v", len(got), err)
	}
	return f
}

// goesOn says whether the mail that was refused is taken, now that there is space, and all is there.
func (l *load) goesOn(t *testing.T) (f findings) {
	t.Helper()
	if !within(10*time.Second, func() bool { _, err := l.deliver(t, l.p.finder); return err == nil }) {
		f.add("with space again mail is still refused: %s", l.g.log())
	}
	f = append(f, l.kept(t)...)
	l.g.stop()
	if err := l.g.whole(); err != nil {
		f.add("after a full disk: %v", err)
	}
	must(t, l.g.start())
	f = append(f, l.kept(t)...)
	l.g.kill()
	return append(f, l.once(t)...)
}

// fullByCalls lets writes into the store fail with ENOSPC for a while.
func fullByCalls(t *testing.T, k kind) findings {
	t.Helper()
	needsTrace(t)
	l := newLoad(t, k)
	must(t, l.g.start())
	tr, err := l.g.trace(inject{[]string{"pwrite64"}, 9, "ENOSPC+"})
	must(t, err)
	f := l.fills(t, 100)
	tr.end()
	if len(f) > 0 && k.program == broken {
		l.g.kill()
		return f
	}
	return append(f, l.goesOn(t)...)
}

// fullBySize is a limit on the size of a file, which the tree has reached and the spool reaches with less than 400 mails.
func fullBySize(t *testing.T, k kind) findings {
	t.Helper()
	l := newLoad(t, k)
	must(t, l.g.start())
	l.g.limitFiles(t, 1<<20)
	f := l.fills(t, 400)
	if len(f) > 0 {
		l.g.kill()
		return f
	}
	l.g.limitFiles(t, -1)
	return append(f, l.goesOn(t)...)
}

// fullByFilesystem is a small file system with something else on it.
func fullByFilesystem(t *testing.T, k kind) findings {
	t.Helper()
	l := newLoad(t, k)
	m := mountSmall(t)
	moved := l.g.copied(t, k, filepath.Join(m, "gw"), l.sink.addr)
	l.g = moved
	must(t, l.g.start())
	ballast := filepath.Join(m, "ballast")
	fill(t, ballast)
	f := l.fills(t, 400)
	must(t, os.Remove(ballast))
	if len(f) > 0 {
		l.g.kill()
		return f
	}
	return append(f, l.goesOn(t)...)
}

// mountSmall is a file system of 48 MiB.
func mountSmall(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m", "parley-faults", dir).CombinedOutput(); err != nil {
		t.Skipf("needs mount, which is not allowed here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() }) // the machine may be going down
	return dir
}

// fill takes all space that is left but a little.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	for block := make([]byte, 64<<10); ; {
		if _, err := f.Write(block); err != nil {
			break
		}
	}
	must(t, f.Close())
}

// readOnly is a disk that takes no writes any more: first under the gateway, which ends, and then at its start, which it refuses.
func readOnly(t *testing.T, k kind) (f findings) {
	t.Helper()
	needsTrace(t)
	l := newLoad(t, k)
	m := mountSmall(t)
	l.g = l.g.copied(t, k, filepath.Join(m, "gw"), l.sink.addr)
	must(t, l.g.start())
	tr, err := l.g.trace(inject{[]string{"pwrite64"}, 9, "EROFS+"})
	must(t, err)
	for range 100 {
		if _, err := l.deliver(t, l.p.finder); err != nil {
			break
		}
	}
	if !l.g.endsWithin(10 * time.Second) {
		f.add("the gateway goes on where nothing can be written")
	}
	tr.end()
	l.g.kill()
	remount(t, m, "ro")
	if err := l.g.start(); err == nil {
		f.add("the gateway starts where nothing can be written")
		l.g.kill()
	}
	remount(t, m, "rw")
	must(t, l.g.start())
	return append(f, l.goesOn(t)...)
}

func remount(t *testing.T, dir, how string) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+how, dir).CombinedOutput(); err != nil {
		t.Fatalf("remount %s: %v: %s", how, err, out)
	}
}

func TestT1_FullDisk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		full func(*testing.T, kind) findings
		deep bool // left out of a short run
	}{
		{"writes find no space", fullByCalls, false},
		{"files may not grow", fullBySize, false},
		{"a small file system", fullByFilesystem, true},
		{"read-only", readOnly, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.deep {
				needsFull(t)
			}
			c.full(t, asReleased()).sound(t)
			if !t.Failed() {
				t.Logf("%s: refused, read all the same, taken again after; 0 lost", c.name)
			}
			control(t, "forget-errors", 1, c.full)
		})
	}
}
