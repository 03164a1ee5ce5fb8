package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/mailflow"
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
