package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The monitoring system is told counts and instants, over a unix socket, and no
// name that anybody gave (rule H6).
func TestH6_Metrics(t *testing.T) {
	t.Parallel()
	config := newGateway(t, filepath.Join(t.TempDir(), "gw"))
	reconfigure(t, config, `address = ""`, `address = "unix:m.sock"`)
	ln := freePort(t)
	m := manage(t, config, "smtp", ln)
	socket := filepath.Join(filepath.Dir(config), "m.sock")
	if !strings.HasSuffix(m.ready, " monitor="+socket+"\n") {
		t.Fatalf("ready line %q: %s", m.ready, m.log)
	}
	if out, err := parley(t, "do", "--config", config, "vendor add quaggacanary psirt@quaggacanary.example", "sending pause").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	c, err := smtp.Dial(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Mail("gil@quaggacanary.example"), c.Rcpt("report@vdp.example.org")); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, "From: gil@quaggacanary.example\r\nSubject: quaggacanary\r\n\r\nquaggacanary\r\n")
	if err := errors.Join(err, w.Close(), c.Quit()); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	get := func(path string, want int) string {
		t.Helper()
		r, err := client.Get("http://parley" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != want {
			t.Errorf("GET %s: %s, %v: %s", path, r.Status, err, body)
		}
		return string(body)
	}
	if got := get("/ready", 200); got != "ready\n" {
		t.Errorf("it is %q", got)
	}
	get("/", 404)
	got := get("/metrics", 200)
	for _, want := range []string{
		`parley_mails_received_total{answer="kept",port="smtp"} 1`, "parley_sending_paused 1", "parley_ready 1", "parley_backup_last_timestamp_seconds 0",
		"parley_deliveries_waiting 0", "process_open_fds ", "go_goroutines ",
	} {
		if !strings.Contains(got, "\n"+want) {
			t.Errorf("the metrics lack %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "quaggacanary") || strings.Contains(got, "example") {
		t.Errorf("the metrics name somebody:\n%s", got)
	}
}
