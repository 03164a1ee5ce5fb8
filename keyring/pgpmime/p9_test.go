package pgpmime_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/message"
)

// A failure of decryption is of one of two kinds. What the first kind says depends
// on what our secret key made of the message: whether it opened a session key,
// and whether what that decrypted was whole. Whoever could tell these apart by
// the clock would have an oracle, so all of them take the same time. Of the second kind is what
// anybody sees in the ciphertext without a key: packets that are cut off, data without integrity
// protection, no packet of encrypted data at all. Telling those early tells
// nobody anything that was not in their own hands, and spares the work. A bomb or
// too deep a nesting is of neither: it takes a session key that its maker knows.

// insideFailures are of the first kind, each a mail of about the same size.
func insideFailures(f *forge) map[string]string {
	text := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 56)
	entity := f.entity() + text
	body := func() []byte { return f.body(f.signed("acme", entity)) }
	us := f.session("us", false, false)
	damaged := func(i int) []byte {
		b := body()
		b[len(b)-i] ^= 1
		return b
	}
	cutKey := bytes.Clone(us)
	cutKey[len(cutKey)-5] ^= 1
	noCode := rawPacket(18, join([]byte{1}, f.rawBody(f.signed("acme", entity), false)))
	return map[string]string{
		"no key of ours":            f.pgp(join(f.session("globex", false, false), body())),
		"wrong session key":         f.pgp(join(cutKey, body())),
		"another key's session key": f.pgp(join(swapped(f, "globex"), body())),
		"hidden, fits nobody":       f.pgp(join(f.session("globex", true, false), body())),
		"password only":             f.pgp(join(f.password(), body())),
		"damaged at the start":      f.pgp(join(us, damaged(4000))),
		"damaged at the end":        f.pgp(join(us, damaged(3))),
		"integrity code stripped":   f.pgp(join(us, noCode)),
		"malformed inside":          f.pgp(join(us, f.body(join(lit(entity), lit("x"))))),
		"key for the other version": f.pgp(join(f.session("us", false, true), body())),
	}
}

// outsideFailures are of the second kind, and bombs.
func outsideFailures(f *forge) map[string]string {
	m := f.sealed(f.signed("acme", f.entity()))
	nested := f.signed("acme", f.entity())
	for range 5 {
		nested = zip(nested)
	}
	return map[string]string{
		"truncated":              f.pgp(m[:len(m)-8]),
		"without integrity":      f.pgp(join(f.session("us", false, false), rawPacket(9, f.rawBody(f.signed("acme", f.entity()), true)))),
		"draft AEAD":             f.pgp(join(f.session("us", false, false), rawPacket(20, append([]byte{1, 9, 2, 0}, make([]byte, 60)...)))),
		"malformed packet":       f.pgp(join(m[:4], []byte{0xff, 0xff})),
		"not armor":              f.mail(pgpMIME("nothing")),
		"not encrypted":          f.pgp(f.signed("acme", f.entity())),
		"two messages":           f.pgp(join(m, m)),
		"no parts":               f.mail(multipart("encrypted", part("Content-Type: application/pgp-encrypted", "Version: 1"))),
		"too many keys":          f.pgp(join(bytes.Repeat(f.session("globex", false, false), 1001), m)),
		"a bomb":                 f.holding(zip(bomb())),
		"nested too deep":        f.holding(nested),
		"inline, no key":         f.mail(textPart("Hello\n" + f.armor(join(f.session("globex", false, false), f.body(lit("x")))))),
		"attached, not for us":   f.mail(multipart("mixed", textPart("x"), part("Content-Type: application/octet-stream; name=x.asc", f.armor(join(f.session("globex", false, false), f.body(lit("x"))))))),
		"whole body, for nobody": f.mail(textPart(f.armor(join(f.session("globex", true, false), f.body(lit("x")))))),
	}
}

// swapped is a session key for another key under our key's number.
func swapped(f *forge, other string) []byte {
	k := f.session(other, false, false)
	copy(k[3:11], f.session("us", false, false)[3:11])
	return k
}

// Whatever the failure, it is the same words and nothing else comes of it. The
// reasons, which are for the log, are all different words of one closed set.
func TestP9_SameWords(t *testing.T) {
	t.Parallel()
	c := newCorpus(t)
	f := &forge{t: t, keys: c.keys, name: "p9", at: noon.Add(-hour)}
	all := insideFailures(f)
	maps.Copy(all, outsideFailures(f))
	reasons := map[string]bool{}
	for name, m := range all {
		o, err := c.opener.Open(context.Background(), c.parsed(t, m), noon)
		if o != nil || !errors.Is(err, pgpmime.ErrUndecryptable) || err.Error() != "the message cannot be decrypted" || errors.Unwrap(err) != nil {
			t.Errorf("%s: %v, %v", name, o, err)
		}
		reasons[pgpmime.Reason(err)] = true
	}
	want := []string{keyring.ReasonNoKey, keyring.ReasonPassword, keyring.ReasonSession, keyring.ReasonUnprotected, keyring.ReasonIntegrity,
		keyring.ReasonMalformed, keyring.ReasonTooLarge, keyring.ReasonNesting, keyring.ReasonPlain}
	for _, r := range want {
		if !reasons[r] {
			t.Errorf("no failure is %s", r)
		}
	}
	if len(reasons) != len(want) {
		t.Errorf("reasons %v", slices.Collect(maps.Keys(reasons)))
	}
}

func (c *corpus) parsed(t testing.TB, mail string) *pgpmime.Part {
	t.Helper()
	m, err := message.Parse([]byte(mail), message.DefaultLimits())
	must(t, err)
	return tree(m)
}

// BenchmarkP9_FailuresAlike opens every failure of the first kind 200 times, in
// rounds of ever another order, and reports the median of each and by how much the largest differs from the
// smallest, in percent. On a machine that does other work the medians say more of that than
// of the failures; the tenth percentile, reported beside them, says less.
func BenchmarkP9_FailuresAlike(b *testing.B) {
	const runs = 200
	c := newCorpus(b)
	f := &forge{t: b, keys: c.keys, name: "p9", at: noon.Add(-hour)}
	mails := insideFailures(f)
	names := slices.Sorted(maps.Keys(mails))
	roots := map[string]*pgpmime.Part{}
	for name, m := range mails {
		roots[name] = c.parsed(b, m)
	}
	var medians, quiet map[string]time.Duration
	for b.Loop() {
		took := map[string][]time.Duration{}
		for range runs {
			rand.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
			for _, name := range names {
				start := time.Now()
				_, err := c.opener.Open(context.Background(), roots[name], noon)
				took[name] = append(took[name], time.Since(start))
				if err == nil {
					b.Fatalf("%s was opened", name)
				}
			}
		}
		medians, quiet = map[string]time.Duration{}, map[string]time.Duration{}
		for name, d := range took {
			slices.Sort(d)
			medians[name], quiet[name] = d[runs/2], d[runs/10]
		}
	}
	for _, name := range names {
		b.ReportMetric(float64(medians[name].Nanoseconds()), strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(name)+"-ns")
	}
	b.ReportMetric(deviation(medians), "max-deviation-%")
	b.ReportMetric(deviation(quiet), "quiet-deviation-%")
}

// deviation is by how much the largest differs from the smallest, in percent.
func deviation(d map[string]time.Duration) float64 {
	all := slices.Collect(maps.Values(d))
	return 100 * (float64(slices.Max(all))/float64(slices.Min(all)) - 1)
}
