package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"parley/mailflow/mailtest"
	"parley/testdata/live"
)

// bench is both servers and who writes to them.
type bench struct {
	o               *options
	gateway         *live.Gateway
	parley, postfix *server
	ana             *live.Coordinator
	finders         []*mailtest.Person
	ours            []byte   // the gateway's key
	unsure          []string // Message-IDs of what was under way at the kill: some of it is there, answered or not
}

// room is how many connections Parley lets in from our one address.
const room = "1000"

// begin starts both servers, with their files side by side on one disk.
func begin(o *options) (b *bench, err error) {
	b = &bench{o: o, postfix: &server{name: "postfix", addr: "127.0.0.1:2610"}}
	if err := b.makeParley(); err != nil {
		return nil, err
	}
	for n := range sessions {
		f, err := mailtest.NewPerson("Finder", fmt.Sprintf("finder%d@peer.example", n), time.Now)
		if err != nil {
			return nil, err
		}
		b.finders = append(b.finders, f)
	}
	b.parley = &server{name: "parley"}
	if err := b.startParley(); err != nil {
		return nil, err
	}
	if err := b.startPostfix(); err != nil {
		return nil, errors.Join(err, b.end())
	}
	return b, nil
}

func (b *bench) makeParley() error {
	program, err := filepath.Abs(b.o.program)
	if err != nil {
		return err
	}
	b.gateway, err = live.Make(program, filepath.Join(b.o.work, "gateway"), "",
		live.Set("connections", room), live.Set("connections_per_ip", room), live.Set("origin", "false"))
	if err != nil {
		return err
	}
	if b.ana, err = b.gateway.Coordinator("ana", "counts what was taken"); err != nil {
		return err
	}
	b.gateway.Session = true
	b.ours, err = b.gateway.Key()
	return err
}

func (b *bench) startParley() error {
	if err := b.gateway.Start(); err != nil {
		return err
	}
	b.parley.addr, b.parley.pid = b.gateway.Port("smtp"), b.gateway.PID()
	return nil
}

// startWithin is how long Postfix may take to answer.
const startWithin = 20 * time.Second

// startPostfix lets Postfix take mail and hold it.
func (b *bench) startPostfix() error {
	start := exec.Command(b.o.startPostfix(), "hold")
	start.Env = append(os.Environ(), "PEER_DIR="+b.o.work)
	// What it leaves running has no pipe of ours, for whose end we would wait.
	start.Stdout, start.Stderr = os.Stderr, os.Stderr
	if err := start.Run(); err != nil {
		return fmt.Errorf("start Postfix: %w", err)
	}
	for end := time.Now().Add(startWithin); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", b.postfix.addr)
		if err == nil {
			return errors.Join(c.Close(), b.findPostfix())
		}
		if time.Now().After(end) {
			return fmt.Errorf("start Postfix: %w", err)
		}
	}
}

// findPostfix reads the number of its master process.
func (b *bench) findPostfix() error {
	text, err := os.ReadFile(filepath.Join(b.o.work, "postfix", "q", "pid", "master.pid"))
	if err != nil {
		return err
	}
	b.postfix.pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return err
}

// end stops both.
func (b *bench) end() error {
	var err error
	if etc := filepath.Join(b.o.work, "postfix", "etc"); exec.Command("postfix", "-c", etc, "status").Run() == nil {
		err = exec.Command("postfix", "-c", etc, "stop").Run()
	}
	return errors.Join(err, b.gateway.Stop())
}

// settleWithin is how long Parley may file nothing of what it took.
const settleWithin = time.Minute

// settle waits until Parley has filed all that it took.
func (b *bench) settle() error {
	least := -1
	for end := time.Now().Add(settleWithin); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		left, err := b.spooled()
		if err != nil || left == 0 {
			return err
		}
		if left < least || least < 0 {
			least, end = left, time.Now().Add(settleWithin)
		}
	}
	return fmt.Errorf("%d mails are not filed", least)
}

func (b *bench) spooled() (n int, err error) {
	text, err := b.gateway.Get("/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if _, err := fmt.Sscanf(line, "parley_mails_spooled %d", &n); err == nil {
			return n, nil
		}
	}
	return 0, errors.New("the metrics do not tell how many mails are spooled")
}

// count compares what was answered with 250 with what is there.
func (b *bench) count() error {
	if err := b.settle(); err != nil {
		return err
	}
	lost, plain, err := b.missing()
	if err != nil {
		return err
	}
	held, err := b.held()
	if err != nil {
		return err
	}
	fmt.Printf("parley: %d encrypted mails were answered with 250, %d of them are lost; %d in clear, %d are filed\n", len(b.parley.acked), lost, b.parley.plain, plain)
	fmt.Printf("postfix: %d mails were answered with 250, %d are held\n", len(b.postfix.acked)+b.postfix.plain, held)
	if lost > 0 || plain < b.parley.plain || held < len(b.postfix.acked)+b.postfix.plain {
		return errors.New("mail that was acknowledged is missing")
	}
	return nil
}

// missing counts the encrypted mails that Intake should show and does not, and the
// others that it shows.
func (b *bench) missing() (lost, others int, err error) {
	c, err := b.ana.IMAP(nil)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = c.Close() }() // only read
	found, err := live.IDs(c, "Intake")
	if err != nil {
		return 0, 0, err
	}
	for _, id := range b.parley.acked {
		if found[id] == 0 {
			lost++
		}
		delete(found, id)
	}
	for _, id := range b.unsure {
		delete(found, id)
	}
	for _, n := range found {
		others += n
	}
	return lost, others, nil
}

// held counts the mails in Postfix's queue of what it holds.
func (b *bench) held() (n int, err error) {
	err = filepath.WalkDir(filepath.Join(b.o.work, "postfix", "q", "hold"), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			n++
		}
		return err
	})
	return n, err
}
