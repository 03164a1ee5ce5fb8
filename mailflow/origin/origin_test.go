package origin

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/mailflow/dkim"
)

// fake is DNS as a test wants it; what it does not have does not exist.
type fake struct {
	txt  map[string][]string
	ip   map[string][]string
	slow bool

	mu    sync.Mutex
	asked []string
}

func (f *fake) ask(ctx context.Context, name string) error {
	f.mu.Lock()
	f.asked = append(f.asked, name)
	f.mu.Unlock()
	if f.slow {
		<-ctx.Done()
		return &net.DNSError{Err: "timeout", Name: name, IsTimeout: true, IsTemporary: true}
	}
	return nil
}

func (f *fake) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if err := f.ask(ctx, name); err != nil {
		return nil, err
	}
	if all, ok := f.txt[name]; ok {
		return all, nil
	}
	return nil, notFound(name)
}

func (f *fake) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	return nil, f.ask(ctx, name)
}

func (f *fake) LookupIPAddr(ctx context.Context, name string) (out []net.IPAddr, err error) {
	for _, ip := range f.ip[name] {
		out = append(out, net.IPAddr{IP: net.ParseIP(ip)})
	}
	return out, f.ask(ctx, name)
}

func (f *fake) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	return nil, f.ask(ctx, addr)
}

const (
	client = "9.9.9.9"
	plain  = "From: Jo <jo@acme.org>\r\nTo: report@vdp.example.org\r\nSubject: x\r\nDate: Mon, 30 Nov 2026 09:00:00 +0000\r\n\r\nwords\r\n"
)

// signed is a mail with a good signature of a domain, and the record for it.
func signed(t testing.TB, domain, mail string) (raw []byte, name, record string) {
	t.Helper()
	k, err := dkim.Generate(dkim.Ed25519, "sel")
	if err != nil {
		t.Fatal(err)
	}
	s, err := dkim.NewSigning(domain, []*dkim.Key{k})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte(mail)); err != nil {
		t.Fatal(err)
	}
	head, err := s.Fields()
	if err != nil {
		t.Fatal(err)
	}
	return []byte(head + mail), dkim.Name("sel", domain) + ".", k.Record()
}

// seen asks and judges as the intake does.
func seen(t testing.TB, dns Resolver, m Mail, raw []byte) string {
	t.Helper()
	m.Head, _ = split(raw)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	return Judge(Ask(ctx, dns, m), raw).String()
}

func TestS8_Verdicts(t *testing.T) {
	t.Parallel()
	raw, name, record := signed(t, "mail.acme.org", plain)
	policy := []string{"v=DMARC1; p=reject"}
	good := func() *fake {
		return &fake{txt: map[string][]string{"acme.org.": {"other", "v=spf1 ip4:9.9.9.0/24 -all"}, "_dmarc.acme.org.": policy, name: {record}}}
	}
	with := func(change func(f *fake)) *fake { f := good(); change(f); return f }
	from := Mail{Client: client, Hello: "mx.acme.org", From: "jo@acme.org"}
	for what, c := range map[string]struct {
		dns  *fake
		mail Mail
		raw  []byte
		want string
	}{
		"all pass":          {good(), from, raw, "spf=pass (acme.org); dkim=pass (mail.acme.org); dmarc=pass (acme.org)"},
		"changed on way":    {good(), from, append(bytes.Clone(raw), "more\r\n"...), "spf=pass (acme.org); dkim=fail (mail.acme.org); dmarc=pass (acme.org)"},
		"from elsewhere":    {good(), Mail{Client: "8.8.8.8", Hello: "x.net", From: "jo@acme.org"}, raw, "spf=fail (acme.org); dkim=pass (mail.acme.org); dmarc=pass (acme.org)"},
		"all fail":          {good(), Mail{Client: "8.8.8.8", Hello: "x.net", From: "jo@acme.org"}, append(bytes.Clone(raw), "more\r\n"...), "spf=fail (acme.org); dkim=fail (mail.acme.org); dmarc=fail (acme.org)"},
		"aligned strictly":  {with(func(f *fake) { f.txt["_dmarc.acme.org."] = []string{"v=DMARC1; p=none; adkim=s; aspf=s"} }), Mail{Client: "8.8.8.8", From: "jo@acme.org"}, raw, "spf=fail (acme.org); dkim=pass (mail.acme.org); dmarc=fail (acme.org)"},
		"another's passes":  {with(func(f *fake) { f.txt["evil.net."] = []string{"v=spf1 +all"} }), Mail{Client: client, From: "x@evil.net"}, []byte(plain), "spf=pass (evil.net); dkim=none; dmarc=fail (acme.org)"},
		"no answer":         {with(func(f *fake) { f.slow = true }), from, raw, "spf=temperror (acme.org); dkim=temperror (mail.acme.org); dmarc=temperror (acme.org)"},
		"nothing published": {&fake{}, from, raw, "spf=none (acme.org); dkim=permerror (mail.acme.org); dmarc=none (acme.org)"},
		"two Froms":         {good(), from, []byte("From: a@b.net\r\n" + plain), "spf=pass (acme.org); dkim=none; dmarc=none"},
		"no client":         {good(), Mail{From: "jo@acme.org"}, raw, "spf=none (a server in front took the mail); dkim=pass (mail.acme.org); dmarc=pass (acme.org)"},
		"of our network":    {good(), Mail{Client: "10.0.0.1", From: "jo@acme.org"}, raw, "spf=none (it came from our own network); dkim=pass (mail.acme.org); dmarc=pass (acme.org)"},
		"who wrote":         {with(func(f *fake) { f.txt["acme.org."] = []string{"v=spf1 exists:%{l}.x.acme.org -all"} }), from, []byte(plain), "spf=none (its policy asks for the name of who wrote, which we tell nobody); dkim=none; dmarc=fail (acme.org)"},
		"organisation":      {good(), Mail{Client: "8.8.8.8"}, []byte(strings.ReplaceAll(plain, "@acme.org", "@sub.acme.org")), "spf=none (no domain says that it sent it); dkim=none; dmarc=fail (sub.acme.org)"},
	} {
		if got := seen(t, c.dns, c.mail, c.raw); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", what, got, c.want)
		}
		for _, asked := range c.dns.asked {
			if strings.Contains(asked, "jo") || !strings.HasSuffix(asked, ".") {
				t.Errorf("%s: %q was asked", what, asked)
			}
		}
	}
}

// Names of no public server are not asked for, and what strangers publish leads to
// no machine of ours.
func TestS8_NothingIsAskedOfOurNetwork(t *testing.T) {
	t.Parallel()
	dns := &fake{txt: map[string][]string{"acme.org.": {"v=spf1 a:host.local a:intranet a:private.acme.org include:x.internal -all"}},
		ip: map[string][]string{"private.acme.org.": {"10.0.0.1", "9.9.9.9"}}}
	g := newGuard(dns)
	for _, name := range []string{"host.local", "intranet", "a.test", "10.0.0.1", "x y.org", "a..b/c.org", "localhost", strings.Repeat("a.", 200) + "org", g.secret + ".acme.org"} {
		if _, err := g.LookupTXT(t.Context(), name); err == nil {
			t.Errorf("%q was found", name)
		}
	}
	if len(dns.asked) != 0 {
		t.Errorf("asked %q", dns.asked)
	}
	if all, err := g.LookupIPAddr(t.Context(), "private.acme.org"); err != nil || len(all) != 1 || all[0].String() != "9.9.9.9" {
		t.Errorf("it leads to %v: %v", all, err)
	}
	for range 2 * maxQuestions {
		_, _ = g.LookupMX(t.Context(), "acme.org")
	}
	if len(dns.asked) > maxQuestions {
		t.Errorf("%d questions were asked", len(dns.asked))
	}
}

// Thousands of signatures, of names in one, of folds and of fields cost no more
// than a few good ones.
func TestP3_SignaturesAreBounded(t *testing.T) {
	t.Parallel()
	one, name, record := signed(t, "acme.org", plain)
	head, _, _ := strings.Cut(string(one), "From: ")
	dns := func() *fake { return &fake{txt: map[string][]string{name: {record}}} }
	for what, mail := range map[string]string{
		"signatures":    strings.Repeat(head, 800) + plain,
		"other domains": strings.Join(manySignatures(800), "") + plain,
		"names":         "DKIM-Signature: v=1; a=rsa-sha256; d=acme.org; s=sel; bh=x; b=x; h=from" + strings.Repeat(":x", 20_000) + "\r\n" + plain,
		"folds":         "DKIM-Signature: v=1;" + strings.Repeat("\r\n ", 60_000) + "d=acme.org\r\n" + plain,
		"fields":        head + strings.Repeat("X: y\r\n", 40_000) + plain,
		"tags":          "DKIM-Signature: " + strings.Repeat("v=1;", 60_000) + "\r\n" + plain,
		"no end":        "DKIM-Signature: v=1; d=acme.org; s=sel",
		"one line":      strings.Repeat("x", 250_000),
		"nothing":       "",
	} {
		f, began := dns(), time.Now()
		got := seen(t, f, Mail{Client: client, Hello: "mx.acme.org", From: "jo@acme.org"}, []byte(mail))
		if len(f.asked) > maxQuestions/2 || strings.Count(got, "dkim=") > maxSignatures || len(got) > 1000 {
			t.Errorf("%s: %d questions, %d octets of %.300s", what, len(f.asked), len(got), got)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", what, took)
		}
	}
}

// What is out of all proportion is not verified, and that is said.
func TestP3_OddSignaturesAreLeftOut(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		field string
		taken bool
	}{
		"an honest one":  {"DKIM-Signature: d=a.org; h=from" + strings.Repeat(":x", maxSigned-2) + "\r\n", true},
		"too many names": {"DKIM-Signature: d=a.org; h=from" + strings.Repeat(":x", maxSigned) + "\r\n", false},
		"too long":       {"DKIM-Signature: d=a.org; h=from; b=" + strings.Repeat("x", maxField) + "\r\n", false},
	} {
		if got, more := signatures(fields([]byte(c.field))); (len(got) == 1) != c.taken || more == c.taken {
			t.Errorf("%s: %d taken, more %v", what, len(got), more)
		}
	}
}

func manySignatures(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("DKIM-Signature: v=1; a=rsa-sha256; d=d%d.org; s=sel; h=from; bh=x; b=x\r\n", i))
	}
	return out
}

func FuzzJudge(f *testing.F) {
	one, _, record := signed(f, "acme.org", plain)
	f.Add(one, record, "v=DMARC1; p=reject")
	f.Add([]byte("From: a@b.org\r\nDKIM-Signature: h=from:;;=;b\r\n\r\n"), "p=", "v=DMARC1")
	f.Fuzz(func(t *testing.T, raw []byte, key, policy string) {
		head, _ := split(raw)
		dns := &fake{txt: map[string][]string{"sel._domainkey.acme.org.": {key}, "_dmarc.acme.org.": {policy}, "acme.org.": {key}}}
		v := Judge(Ask(t.Context(), dns, Mail{Client: client, From: "jo@acme.org", Head: head}), raw)
		if s := v.String(); strings.ContainsAny(s, "\r\n\x00") || len(v.DKIM) > maxSignatures {
			t.Errorf("%q", s)
		}
	})
}
