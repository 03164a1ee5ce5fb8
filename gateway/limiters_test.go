package main

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"parley/testdata/live"
)

// holds opens a connection from an address of the loopback network, which stays until
// the end of the test, and gives the first line that it gets.
func holds(t *testing.T, network, addr, ip string) string {
	t.Helper()
	d := net.Dialer{}
	if network == "tcp" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(ip)}
	}
	conn, err := d.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatalf("from %s: %v", ip, err)
	}
	return line
}

// M8: strangers who hold every place of the public port take none of LMTP, submission
// or IMAP, neither in all nor of an address that they share with a coordinator.
func TestM8_APortThatIsFullStarvesNoOther(t *testing.T) {
	t.Parallel()
	lmtp := filepath.Join(t.TempDir(), "lmtp.sock")
	g := runs(t, "", live.Set("connections", "4"), live.Set("connections_per_ip", "2"),
		live.Set("lmtp", strconv.Quote("unix:"+lmtp)))
	ana, err := g.Coordinator("ana", "correct horse battery")
	if err == nil {
		err = g.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range []string{"127.0.0.1", "127.0.0.1", "127.0.1.1", "127.0.1.1"} {
		if got := holds(t, "tcp", g.Port("smtp"), ip); !strings.HasPrefix(got, "220 ") {
			t.Fatalf("from %s: %s", ip, got)
		}
	}
	if got := holds(t, "tcp", g.Port("smtp"), "127.0.1.2"); !strings.HasPrefix(got, "421 4.7.0 ") {
		t.Fatalf("the public port is not full: %s", got)
	}
	if got := holds(t, "unix", lmtp, ""); !strings.HasPrefix(got, "220 ") {
		t.Errorf("LMTP: %s", got)
	}
	if err := ana.Writes("control", "tasks", "tasks\n"); err != nil {
		t.Errorf("submission: %v", err)
	}
	for i := range 2 { // as many as one address may have, from one that has all it may on port 25
		c, err := ana.IMAP(&imapclient.Options{})
		if err != nil {
			t.Fatalf("IMAP, connection %d: %v", i+1, err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	if _, err := ana.IMAP(nil); err == nil {
		t.Error("the IMAP port lets one address have three, of two")
	}
	figures, err := g.Get("/metrics")
	if err != nil || !strings.Contains(figures, fmt.Sprintf("\nparley_connections_open %d\n", 4+1+2)) {
		t.Errorf("the figures do not count all ports together: %v", err)
	}
}
