package main

import (
	"errors"
	"fmt"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sys/unix"

	"parley/mailflow/mailtest"
	"parley/testdata/live"
)

// smallDisk is a file system of so many bytes.
func smallDisk(t *testing.T, size int64) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size))
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		t.Skip("needs a privilege: to mount a small file system (tmpfs)")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// ballast fills a file system until so much is free, with a file that it names.
func ballast(t *testing.T, dir string, left uint64) (path string) {
	t.Helper()
	free, err := freeBytes(dir)
	path = filepath.Join(dir, "ballast")
	if err == nil {
		err = os.WriteFile(path, make([]byte, free-left), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// onSmallDisk is a gateway whose disk has 96 MiB and a reserve of 32, and its mails.
type onSmallDisk struct {
	*testing.T
	*live.Gateway
	dir  string
	lmtp string
	sink *mailtest.Sink
	ana  *live.Coordinator
}

func newOnSmallDisk(t *testing.T) *onSmallDisk {
	t.Helper()
	d := &onSmallDisk{T: t, dir: smallDisk(t, 96<<20), lmtp: filepath.Join(t.TempDir(), "lmtp.sock")}
	var err error
	if d.sink, err = mailtest.NewSink(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.sink.Close)
	d.Gateway, err = live.Make(program(t), filepath.Join(d.dir, "gw"), "", live.Set("reserve", `"32MiB"`), live.Set("origin", "false"),
		live.Set("lmtp", strconv.Quote("unix:"+d.lmtp)), live.Set("smarthost", strconv.Quote("smtp://"+d.sink.Addr)))
	if err == nil {
		d.ana, err = d.Gateway.Coordinator("ana", deskPassword)
	}
	if err = errors.Join(err, d.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// brings hands a mail to each port, and gives what each said, "" where it was taken.
func (d *onSmallDisk) brings() map[string]string {
	d.Helper()
	said := map[string]string{}
	hears := func(port string, err error) {
		said[port] = ""
		if err != nil {
			said[port] = err.Error()
		}
	}
	to := "report@" + live.Domain
	raw := mailtest.Plain("a@x.example", to, "x", "x", time.Now())
	hears("smtp", mailtest.Send(d.Port("smtp"), "a@x.example", to, raw))
	hears("lmtp", d.byLMTP("a@x.example"))
	hears("submission", d.ana.Writes("control", "tasks", "tasks\n"))
	c, err := d.ana.IMAP(nil)
	if err != nil {
		d.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	w := c.Append("Drafts", int64(len(raw)), &imap.AppendOptions{})
	_, err = w.Write(raw)
	err = errors.Join(err, w.Close())
	_, answer := w.Wait()
	hears("imap", errors.Join(err, answer))
	return said
}

// byLMTP begins a transaction as the mail server in front does.
func (d *onSmallDisk) byLMTP(from string) error {
	conn, err := textproto.Dial("unix", d.lmtp)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, _, err := conn.ReadResponse(220); err != nil {
		return err
	}
	for _, line := range []string{"LHLO mx.example", "MAIL FROM:<" + from + ">"} {
		if err := conn.PrintfLine("%s", line); err != nil {
			return err
		}
		if _, _, err := conn.ReadResponse(250); err != nil {
			return err
		}
	}
	return nil
}

// figure is one number that the monitoring system gets.
func (d *onSmallDisk) figure(name string) float64 {
	d.Helper()
	text, err := d.Get("/metrics")
	if err != nil {
		d.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				d.Fatal(err)
			}
			return n
		}
	}
	d.Fatalf("there is no %s", name)
	return 0
}

// On a disk that is really small each port refuses in its words, a receipt under way is
// recorded, the operator's commands go on, and once there is room each port takes mail.
func TestT8_SmallDisk(t *testing.T) {
	t.Parallel()
	d := newOnSmallDisk(t)
	finder, err := mailtest.NewPerson("Finder", "finder@peer.example", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := d.Key()
	if err != nil {
		t.Fatal(err)
	}
	to := "report@" + live.Domain
	sealed, err := finder.Seal(mailtest.Entity("Heap overflow", "x", mailtest.File{Name: "key.asc", Type: "application/pgp-keys", Data: string(finder.PublicKey())}), ours, true)
	reached, release := d.sink.StallAfterDot()
	if err == nil {
		err = mailtest.Send(d.Port("smtp"), finder.Address, to, mailtest.PGPMIME(finder.Address, to, time.Now(), sealed))
	}
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-reached:
	case <-time.After(2 * time.Minute):
		t.Fatal("no receipt leaves")
	}
	path := ballast(t, d.dir, 32<<20-4096)
	for port, said := range d.brings() {
		code, want := "452 ", "No room now, try again later"
		if port == "imap" {
			code, want = "NO [OVERQUOTA] ", "The disk is full; nothing was changed"
		}
		if !strings.Contains(said, code) || !strings.Contains(said, want) {
			t.Errorf("%s: %q", port, said)
		}
	}
	release()
	awaits(t, "the answer of the smarthost", func() (bool, bool, error) {
		return true, d.figure("parley_deliveries_under_way") == 0 && d.figure("parley_deliveries_waiting") == 0, nil
	})
	if _, err := d.Do("vendor add acme psirt@acme.example"); err != nil {
		t.Error(err)
	}
	if free, reserve := d.figure("parley_disk_free_bytes"), d.figure("parley_disk_reserve_bytes"); free >= reserve || reserve != 32<<20 {
		t.Errorf("%g of %g are free", free, reserve)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for port, said := range d.brings() {
		if said != "" {
			t.Errorf("%s, with room again: %s", port, said)
		}
	}
	log, err := os.ReadFile(d.Log)
	if err != nil || strings.Count(string(log), "down to its reserve") != 1 || strings.Count(string(log), "has room again") != 1 {
		t.Errorf("the log says, %v:\n%s", err, log)
	}
}
