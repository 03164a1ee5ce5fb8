package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/emersion/go-imap/v2/imapclient"

	"parley/mailflow/mailtest"
	"parley/testdata/live"
)

const backupsUnderLoad = 10

// arrivals are mails that come without a pause, by Message-ID.
type arrivals struct {
	mu      sync.Mutex
	offered map[string]bool // they were begun
	acked   map[string]bool // they were answered with 250
}

func (a *arrivals) snapshot(of *map[string]bool) map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(*of)
}

// come sends mails until stop, every tenth so large that it lies beside the tree.
func (a *arrivals) come(t *testing.T, addr string, stop chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		text := "It overflows.\n"
		if n%10 == 9 {
			text = strings.Repeat(text, 15_000)
		}
		to := "report@" + live.Domain
		raw := mailtest.Plain("finder@peer.example", to, "Overflow", text, time.Now())
		id := live.MessageID(raw)
		a.note(&a.offered, id)
		if err := mailtest.Send(addr, "finder@peer.example", to, raw); err != nil {
			t.Errorf("send a mail: %v", err)
			return
		}
		a.note(&a.acked, id)
	}
}

func (a *arrivals) note(in *map[string]bool, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	(*in)[id] = true
}

// madeBackup is a file, and what had to be in it, and what could be.
type madeBackup struct {
	path       string
	must, most map[string]bool
}

// Ten backups of a gateway that accepts mail meanwhile, by the program: each, restored
// into an empty directory, holds all that was acknowledged before it began and nothing
// that came after it ended; it sends nothing by itself, mail clients see that their
// copies are void (UIDVALIDITY, RFC 9051 section 2.3.1.1), and no other identity
// opens it (rule H7).
func TestH7_BackupsUnderLoad(t *testing.T) {
	t.Parallel()
	g := runs(t, "", live.Set("connections", "1000"), live.Set("connections_per_ip", "1000"))
	ana, err := g.Coordinator("ana", "soak of ana")
	if err := errors.Join(err, g.Start()); err != nil {
		t.Fatal(err)
	}
	ids := identities(t)
	a := &arrivals{offered: map[string]bool{}, acked: map[string]bool{}}
	stop := make(chan struct{})
	var coming sync.WaitGroup
	for range 4 {
		coming.Go(func() { a.come(t, g.Port("smtp"), stop) })
	}
	var all []madeBackup
	for n := range backupsUnderLoad {
		b := madeBackup{path: filepath.Join(t.TempDir(), fmt.Sprintf("%d.age", n))}
		before := len(a.snapshot(&a.acked))
		awaits(t, "more mail", func() (int, bool, error) { n := len(a.snapshot(&a.acked)); return n, n >= before+5 || t.Failed(), nil })
		b.must = a.snapshot(&a.acked)
		if _, err := g.On("backup", b.path, "--recipient", ids.right); err != nil {
			t.Error(err)
			break
		}
		b.most = a.snapshot(&a.offered)
		all = append(all, b)
	}
	close(stop)
	coming.Wait()
	was := uidValidity(t, ana)
	if err := g.Stop(); err != nil || t.Failed() {
		t.Fatal(err)
	}
	for n, b := range all {
		got := restored(t, g.Program, b, ids, ana, was)
		t.Logf("backup %d: %d mails were acknowledged before it, %d are in it, %d were begun before it ended, %d in the end", n, len(b.must), len(got), len(b.most), len(a.acked))
		if n == 0 && len(got) >= len(a.acked) {
			t.Error("the first backup holds what came after the last")
		}
	}
}

// ageKeys are a recipient, and the files with its identity and with another one.
type ageKeys struct{ right, file, other string }

func identities(t *testing.T) (k ageKeys) {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []*string{&k.file, &k.other} {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		*path = filepath.Join(dir, id.Recipient().String())
		if err := os.WriteFile(*path, []byte(id.String()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k.right = filepath.Base(k.file)
	return k
}

// uidValidity is the UIDVALIDITY of Intake.
func uidValidity(t *testing.T, who *live.Coordinator) uint32 {
	t.Helper()
	c := mailClient(t, who)
	defer func() { _ = c.Close() }() // only read
	box, err := c.Select("Intake", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	return box.UIDValidity
}

func mailClient(t *testing.T, who *live.Coordinator) *imapclient.Client {
	t.Helper()
	c, err := who.IMAP(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// restored makes a gateway of a backup, looks into it, and gives the mails it holds.
func restored(t *testing.T, program string, b madeBackup, ids ageKeys, who *live.Coordinator, was uint32) map[string]int {
	t.Helper()
	home := filepath.Join(t.TempDir(), "back")
	g := live.At(program, home)
	if out, err := g.Run("restore", b.path, "--identity", ids.other, "--to", home); err == nil || !strings.Contains(out, "does not open it") {
		t.Errorf("another identity: %v: %s", err, out)
	}
	if _, err := os.Stat(home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left something: %v", err)
	}
	if _, err := g.Run("restore", b.path, "--identity", ids.file, "--to", home); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	}()
	metrics := awaits(t, "an empty spool", func() (string, bool, error) {
		text, err := g.Get("/metrics")
		return text, strings.Contains(text, "\nparley_mails_spooled 0\n"), err
	})
	if !strings.Contains(metrics, "\nparley_sending_paused 1\n") {
		t.Error("a restored gateway sends by itself")
	}
	back := &live.Coordinator{Person: who.Person, Password: who.Password, Gateway: g}
	if now := uidValidity(t, back); now <= was {
		t.Errorf("UIDVALIDITY is %d, and was %d", now, was)
	}
	c := mailClient(t, back)
	defer func() { _ = c.Close() }() // only read
	got, err := live.IDs(c, "Intake")
	if err != nil {
		t.Fatal(err)
	}
	for id := range b.must {
		if got[id] != 1 {
			t.Errorf("a mail that was acknowledged before the backup stands in it %d times", got[id])
		}
	}
	for id := range got {
		if !b.most[id] {
			t.Error("a mail that came after the backup stands in it")
		}
	}
	return got
}
