package pgpmime_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/message"
)

var (
	update = flag.Bool("update", false, "write anew what stands beside the mails of the corpus; verdicts are never changed by it")
	remake = flag.Bool("remake", false, "make the keys and the mails of the corpus anew, too")
)

// recipe is one mail of the corpus: what somebody tries, how the mail is made and
// what has to come of it. verdict is written by hand and never taken from the
// program: "good KEY", "bad REASON KEY", "other-party KEY", "unknown-key KEY",
// "none", "undecryptable REASON" or "unreadable". counts says that the command in it
// may count; what is Good may be no command for other reasons.
type recipe struct {
	name    string
	why     string
	verdict string
	counts  bool
	make    func(f *forge) string
}

// allRecipes is the corpus in order.
func allRecipes() []recipe {
	return slices.Concat(controls(), scopeRecipes(), fromRecipes(), wordRecipes(), cipherRecipes(), packetRecipes(), signatureRecipes(), keyFlawRecipes(), armorRecipes())
}

// corpus is the gateway and the vendor that the mails are judged for.
type corpus struct {
	keys   map[string]*testKey
	opener *pgpmime.Opener
	names  map[keyring.Fingerprint]string
	claim  pgpmime.Claim
}

func newCorpus(t testing.TB) *corpus {
	t.Helper()
	c := &corpus{keys: loadKeys(t), names: map[keyring.Fingerprint]string{}}
	var known []*keyring.Certificate
	var us *keyring.Secret
	for name, k := range c.keys {
		certs, err := keyring.ParseCertificates(k.cert)
		if err != nil || len(certs) != 1 {
			t.Fatalf("%s: %d certificates, %v", name, len(certs), err)
		}
		f := certs[0].Fingerprint()
		c.names[f] = name
		if name != "ghost" && name != "us" {
			known = append(known, certs[0])
		}
		if k.pinned() {
			c.claim.Pinned = append(c.claim.Pinned, f)
		}
		if name == "us" {
			us, err = keyring.ParseSecret(readArmor(t, corpusDir+"/keys/us.secret.asc"))
			must(t, err)
		}
	}
	c.claim.Addresses = []string{"psirt@acme.example", "jo@acme.example"}
	c.claim.Other = func(f keyring.Fingerprint) (string, bool) { return "globex", c.names[f] == "globex" }
	c.opener = &pgpmime.Opener{Secrets: []*keyring.Secret{us}, Parse: parse, Certificates: lookup(known...)}
	return c
}

// result is what came of one mail.
type result struct {
	state   pgpmime.State
	verdict string // in the words of recipe.verdict
	opened  *pgpmime.Opened
}

// judge opens a mail at noon and judges it as acme's.
func (c *corpus) judge(raw []byte) result {
	m, err := message.Parse(raw, message.DefaultLimits())
	if err != nil {
		return result{verdict: "unreadable"}
	}
	o, err := c.opener.Open(context.Background(), tree(m), noon)
	if err != nil {
		return result{verdict: "undecryptable " + pgpmime.Reason(err)}
	}
	claim := c.claim
	claim.From = sendersOf(m)
	v := pgpmime.Judge(o, claim, noon)
	words := []string{v.State().String()}
	if v.Reason() != "" {
		words = append(words, v.Reason())
	}
	if v.State() != pgpmime.None {
		words = append(words, c.nameOf(v.Key()))
	}
	return result{v.State(), strings.Join(words, " "), o}
}

func (c *corpus) nameOf(f keyring.Fingerprint) string {
	if f == "" {
		return "-"
	}
	return c.names[f]
}

// sendersOf lists every address of every From field, as mailflow does: a field
// that cannot be read is nobody.
func sendersOf(m *message.Part) []string {
	var out []string
	for _, v := range m.Header.Values("From") {
		list, err := message.ParseAddressList(v)
		if err != nil || len(list) == 0 {
			out = append(out, "")
			continue
		}
		for _, a := range list {
			out = append(out, strings.ToLower(a.Addr()))
		}
	}
	return out
}

// golden is what stands beside a mail.
func (c *corpus) golden(why string, counts bool, raw []byte) string {
	r := c.judge(raw)
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\nverdict    %s\ncounts     %v\n", why, r.verdict, counts)
	if r.opened == nil {
		return b.String()
	}
	o := r.opened
	fmt.Fprintf(&b, "encryption %s\n", o.Encryption)
	if o.HasSubject {
		fmt.Fprintf(&b, "subject    %q\n", o.Subject)
	}
	fmt.Fprintf(&b, "shown      %q\n", firstLine(o.Root))
	for _, s := range o.Signatures {
		fmt.Fprintf(&b, "signature  %s\n", c.signatureWords(s))
	}
	for _, d := range o.Documents {
		kind := "clear"
		if d.Encrypted {
			kind = "encrypted"
		}
		line, _, _ := strings.Cut(string(d.Data[:min(len(d.Data), 60)]), "\n")
		fmt.Fprintf(&b, "document   %q %s %q", d.Name, kind, strings.TrimSpace(line))
		for _, s := range d.Signatures {
			fmt.Fprintf(&b, ", %s", c.signatureWords(s))
		}
		b.WriteByte('\n')
	}
	for _, why := range o.Unopened {
		fmt.Fprintf(&b, "unopened   %s\n", why)
	}
	if o.Mismatch {
		b.WriteString("mismatch   noted\n")
	}
	return b.String()
}

func (c *corpus) signatureWords(s pgpmime.Signature) string {
	word := "good"
	if s.Err != nil {
		word = s.Err.Error()
	}
	return c.nameOf(s.Signer) + " " + strings.TrimPrefix(word, "signature: ")
}

// firstLine is the first line of the first text of a tree.
func firstLine(p *pgpmime.Part) string {
	for _, c := range p.Children {
		if s := firstLine(c); s != "" {
			return s
		}
	}
	if len(p.Children) > 0 || p.MediaType != "text/plain" {
		return ""
	}
	s, err := p.Text()
	if err != nil {
		return "?"
	}
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s[:min(len(s), 60)]
}

// remakeCorpus makes keys and mails anew.
func remakeCorpus(t *testing.T) {
	t.Helper()
	makeKeys(t)
	for _, pattern := range []string{"*.eml", "*.want"} {
		old, err := filepath.Glob(corpusDir + "/" + pattern)
		must(t, err)
		for _, file := range old {
			must(t, os.Remove(file))
		}
	}
	c := newCorpus(t)
	for i, r := range allRecipes() {
		must(t, os.WriteFile(r.file(i)+".eml", []byte(c.made(t, i, r)), 0o644))
	}
}

// updateCorpus writes what stands beside the mails anew. It refuses to write down
// a verdict that is not the one the recipe wants.
func updateCorpus(t *testing.T) {
	t.Helper()
	c := newCorpus(t)
	for i, r := range allRecipes() {
		raw, err := os.ReadFile(r.file(i) + ".eml")
		must(t, err)
		if got := c.judge(raw).verdict; got != r.verdict {
			t.Errorf("%s: %s, want %s", r.name, got, r.verdict)
			continue
		}
		must(t, os.WriteFile(r.file(i)+".want", []byte(c.golden(r.why, r.counts, raw)), 0o644))
	}
}

// file is where the recipe's mail stands, without the ending.
func (r recipe) file(i int) string { return fmt.Sprintf("%s/%03d-%s", corpusDir, i+1, r.name) }

// made makes one mail.
func (c *corpus) made(t testing.TB, i int, r recipe) string {
	f := &forge{t: t, keys: c.keys, name: r.name, at: noon.Add(-time.Hour - time.Duration(i)*time.Second)}
	return r.make(f)
}

// The mails that stand in the corpus get the verdict that stands beside them, and
// so does each when it is made anew. There are as many as there are recipes, so
// none is forgotten.
func TestS2_Corpus(t *testing.T) {
	if *remake {
		remakeCorpus(t)
	}
	if *remake || *update {
		updateCorpus(t)
	}
	c := newCorpus(t)
	recipes := allRecipes()
	files, err := filepath.Glob(corpusDir + "/*.eml")
	must(t, err)
	if len(files) != len(recipes) || len(files) < 60 {
		t.Fatalf("%d mails, %d recipes", len(files), len(recipes))
	}
	for i, r := range recipes {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(r.file(i) + ".eml")
			must(t, err)
			want, err := os.ReadFile(r.file(i) + ".want")
			must(t, err)
			if got := c.judge(raw).verdict; got != r.verdict {
				t.Errorf("the mail in the corpus: %s, want %s", got, r.verdict)
			}
			if got := c.golden(r.why, r.counts, raw); got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if got := c.judge([]byte(c.made(t, i, r))).verdict; got != r.verdict {
				t.Errorf("made anew: %s, want %s", got, r.verdict)
			}
			if r.counts && !strings.HasPrefix(r.verdict, "good ") {
				t.Errorf("it counts, and is %s", r.verdict)
			}
		})
	}
}
