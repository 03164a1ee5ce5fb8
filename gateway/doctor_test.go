package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/mailflow"
	"parley/mailflow/mailtest"
)

// fakeDNS answers by name; what it does not have does not exist.
type fakeDNS struct {
	mx  map[string][]*net.MX
	txt map[string][]string
}

func (d fakeDNS) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if d.mx[name] == nil {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return d.mx[name], nil
}

func (d fakeDNS) LookupTXT(_ context.Context, name string) ([]string, error) {
	if d.txt[name] == nil {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return d.txt[name], nil
}

func grades(all []finding) string {
	var out []string
	for _, f := range all {
		out = append(out, string(f.grave))
	}
	return strings.Join(out, " ")
}

func TestDoctor_DNS(t *testing.T) {
	t.Parallel()
	set := settingsIn(t, t.TempDir())
	spf, dmarc := []string{"other", "v=spf1 include:relay.example -all"}, []string{"v=DMARC1; p=reject"}
	good := fakeDNS{
		map[string][]*net.MX{"vdp.example.org": {{Host: "mx.vdp.example.org.", Pref: 10}}, "desk.vdp.example.org": {{Host: "."}}},
		map[string][]string{"vdp.example.org": spf, "_dmarc.vdp.example.org": dmarc, "desk.vdp.example.org": {"v=spf1 -all"}},
	}
	for name, c := range map[string]struct {
		dns  fakeDNS
		want string
	}{
		"all of it":       {good, "ok ok ok ok ok"},
		"nothing":         {fakeDNS{}, "BAD look look look look"},
		"no mail for us":  {fakeDNS{map[string][]*net.MX{"vdp.example.org": {{Host: "."}}}, good.txt}, "BAD look ok ok ok"},
		"mail to a desk":  {fakeDNS{map[string][]*net.MX{"vdp.example.org": good.mx["vdp.example.org"], "desk.vdp.example.org": {{Host: "mx."}}}, good.txt}, "ok look ok ok ok"},
		"another version": {fakeDNS{good.mx, map[string][]string{"vdp.example.org": {"v=spf10 -all"}, "_dmarc.vdp.example.org": dmarc, "desk.vdp.example.org": {"v=spf1 a -all"}}}, "ok ok look ok look"},
	} {
		if got := grades(set.examineDNS(t.Context(), c.dns)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestDoctor_Store(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	keyed := mailflow.Coordinator{Name: "ana", Key: []byte("k")}
	for name, c := range map[string]struct {
		f    finding
		want grade
	}{
		"nobody":         {examineDesk(nil), wrong},
		"one":            {examineDesk([]mailflow.Coordinator{keyed}), later},
		"two, one keyed": {examineDesk([]mailflow.Coordinator{keyed, {Name: "ben"}}), later},
		"two":            {examineDesk([]mailflow.Coordinator{keyed, keyed}), fine},
		"set aside":      {examineAside([]string{"set-aside-schema-1-at-17"}), later},
		"no backup":      {examineBackups(nil, now), later},
		"an old one":     {examineBackups([]mailflow.Backup{{At: now}, {At: now.Add(-9 * 24 * time.Hour)}}, now), later},
		"a fresh one":    {examineBackups([]mailflow.Backup{{At: now.Add(-90 * 24 * time.Hour)}, {At: now.Add(-time.Hour)}}, now), fine},
		"late":           {examineWork(mailflow.Figures{Due: now.Add(-time.Hour)}, now)[0], wrong},
		"late by a wish": {examineWork(mailflow.Figures{Due: now.Add(-time.Hour), Paused: true}, now)[0], later},
		"nothing to do":  {examineWork(mailflow.Figures{}, now)[0], fine},
	} {
		if c.f.grave != c.want {
			t.Errorf("%s: %s %s", name, c.f.grave, c.f.what)
		}
	}
}

// The doctor warns before mail is refused, and says when it is.
func TestDoctor_Room(t *testing.T) {
	t.Parallel()
	const reserve = 256 << 20
	for _, c := range []struct {
		reserve int64
		free    uint64
		err     error
		want    grade
		says    string
	}{
		{reserve, reserve - 1, nil, wrong, "255 MiB left, less than its reserve of 256MiB: mail is refused"},
		{reserve, reserve, nil, wrong, "256 MiB left: mail is refused below its reserve of 256MiB"},
		{reserve, leastFree + reserve - 1, nil, wrong, "below its reserve"},
		{reserve, leastFree + reserve, nil, fine, "1 GiB left"},
		{0, leastFree - 1, nil, wrong, "refused when it is full"},
		{0, leastFree, nil, fine, "1 GiB left"},
		{reserve, 0, errors.ErrUnsupported, later, "cannot be read"},
	} {
		s := &settings{Limits: limits{Reserve: c.reserve}}
		if f := s.examineRoom(c.free, c.err); f.grave != c.want || !strings.Contains(f.what, c.says) {
			t.Errorf("%d free, of which %d are the reserve: %s %s", c.free, c.reserve, f.grave, f.what)
		}
	}
}

// Each smarthost is asked for itself, on its own terms, and named by its number and URL.
func TestDoctor_Smarthosts(t *testing.T) {
	t.Parallel()
	ca, err := mailtest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	config, err := ca.Server(time.Now(), "relay2.example.org")
	if err != nil {
		t.Fatal(err)
	}
	sink, err := mailtest.StartSink(mailtest.SinkOptions{Config: config, User: "me", Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	dir := t.TempDir()
	for name, text := range map[string]string{"ca.pem": string(ca.PEM()), "right": "right", "wrong": "wrong", "empty.pem": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	examine := func(more string) []finding {
		t.Helper()
		set, err := parseSettings(t, "domain = \"vdp.example.org\"\n[outbound]\nsmarthost = \"smtp://127.0.0.1:1\"\n"+
			strings.ReplaceAll(strings.ReplaceAll(more, "ADDR", sink.Addr), "DIR", dir))
		if err != nil {
			t.Fatal(err)
		}
		return set.examineSmarthosts(t.Context())
	}
	const next = "[[outbound.next]]\nsmarthost = \"smtp+starttls://me@ADDR\"\n"
	for name, c := range map[string]struct {
		more, grades string
		says         []string
	}{
		"one":           {"", "BAD", []string{"the smarthost smtp://127.0.0.1:1 does not take us in"}},
		"the next":      {next + "password = \"file:DIR/right\"\ntls_name = \"relay2.example.org\"\nca = \"DIR/ca.pem\"\n", "BAD ok", []string{"smarthost 1, smtp://127.0.0.1:1, does not", "smarthost 2, smtp+starttls://me@" + sink.Addr + ", takes us in"}},
		"a login":       {next + "password = \"file:DIR/wrong\"\ntls_name = \"relay2.example.org\"\nca = \"DIR/ca.pem\"\n", "BAD BAD", []string{"", "AUTH answered 535"}},
		"its name":      {next + "password = \"file:DIR/right\"\nca = \"DIR/ca.pem\"\n", "BAD BAD", []string{"", "is for another name"}},
		"its authority": {next + "password = \"file:DIR/right\"\ntls_name = \"relay2.example.org\"\n", "BAD BAD", []string{"", "nobody we trust"}},
		"no file":       {next + "password = \"file:DIR/none\"\n", "BAD BAD", []string{"", "cannot be read: read secret"}},
		"no authority":  {next + "password = \"file:DIR/right\"\nca = \"DIR/empty.pem\"\n", "BAD BAD", []string{"", "holds no certificate in PEM"}},
	} {
		got := examine(c.more)
		if grades(got) != c.grades {
			t.Errorf("%s: %s, want %s: %+v", name, grades(got), c.grades, got)
			continue
		}
		for i, words := range c.says {
			if !strings.Contains(got[i].what, words) {
				t.Errorf("%s: it says %q, not %q", name, got[i].what, words)
			}
		}
	}
}

func TestDoctor_Files(t *testing.T) {
	t.Parallel()
	set := settingsIn(t, t.TempDir())
	m := &maker{}
	if err := m.certificate(set, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := set.examineTLS(time.Now()); got.grave != later || !strings.Contains(got.what, "signed by itself") {
		t.Errorf("a certificate of its own: %+v", got)
	}
	if got := set.examineTLS(set.tlsEnd(t).Add(-10 * 24 * time.Hour)); got.grave != wrong {
		t.Errorf("shortly before its end: %+v", got)
	}
	elsewhere := *set
	elsewhere.Domain = "vdp.example.net"
	if got := elsewhere.examineTLS(time.Now()); got.grave != later || !strings.Contains(got.what, "not for vdp.example.net") {
		t.Errorf("for another domain: %+v", got)
	}
	if got := elsewhere.examineTLS(set.tlsEnd(t).Add(-10 * 24 * time.Hour)); got.grave != wrong {
		t.Errorf("for another domain, shortly before its end: %+v", got)
	}
	swaps := filepath.Join(t.TempDir(), "swaps")
	for text, want := range map[string]grade{"Filename Type Size\n": fine, "Filename Type Size\n/dev/sda2 partition 8\n": later} {
		if err := os.WriteFile(swaps, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := examineSwap(swaps); got.grave != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func (s *settings) tlsEnd(t *testing.T) time.Time {
	t.Helper()
	c, err := s.tls()
	if err != nil {
		t.Fatal(err)
	}
	return c.now.Load().Leaf.NotAfter
}
