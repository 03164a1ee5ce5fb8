package pgpmime_test

import (
	"bytes"
	"slices"
	"testing"

	"parley/keyring/pgpmime"
)

// flip hands a mail to the corpus' vendor once for each of its octets, each time
// with one bit of it changed, and wants it never to be good with another text
// than the original. It returns how often it was good all the same.
func (c *corpus) flip(t *testing.T, mail []byte) (good int) {
	t.Helper()
	first := c.judge(mail)
	if first.state != pgpmime.Good {
		t.Fatalf("unchanged: %s", first.verdict)
	}
	want := shownText(t, first.opened.Root)
	for i := range mail {
		bad := slices.Clone(mail)
		bad[i] ^= 1 << (i % 8)
		r := c.judge(bad)
		if r.state != pgpmime.Good {
			continue
		}
		good++
		if got := shownText(t, r.opened.Root); got != want {
			t.Errorf("octet %d (%q for %q): good, and it says %q", i, bad[i], mail[i], got)
		}
	}
	return good
}

// shownText is every leaf of a tree, decoded.
func shownText(t testing.TB, p *pgpmime.Part) string {
	if len(p.Children) == 0 {
		if p.MediaType == "application/pgp-signature" {
			return ""
		}
		s, err := p.Text()
		if err != nil {
			return "not readable"
		}
		return p.MediaType + " " + s
	}
	var all string
	for _, c := range p.Children {
		all += shownText(t, c)
	}
	return all
}

// Whatever octet of a mail is changed, it is never good with another text: not
// of one that is signed and encrypted, in armor and without, nor of one that is
// signed in clear.
func TestP2_S1_EveryOctet(t *testing.T) {
	t.Parallel()
	c := newCorpus(t)
	f := &forge{t: t, keys: c.keys, name: "flip", at: noon.Add(-hour)}
	message := f.sealed(f.signed("acme", f.entity()))
	binaryMail := f.mail(multipart("encrypted; protocol=\"application/pgp-encrypted\"",
		part("Content-Type: application/pgp-encrypted", "Version: 1"),
		"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"+string(message)))
	inside := f.holding(lit(f.signedEntity("acme", f.entity())))
	for name, m := range map[string]string{
		"armor": f.pgp(message), "binary": binaryMail, "signed inside": inside, "signed in clear": f.mail(f.signedEntity("acme", f.entity())),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := c.flip(t, []byte(m))
			if good == 0 || good > len(m)*2/3 {
				t.Errorf("%d of %d changes do no harm", good, len(m))
			}
			if cut := []byte(m); c.judge(cut[:len(cut)/2]).state == pgpmime.Good {
				t.Error("half of it is good")
			}
		})
	}
	// Signed text changed before it is encrypted: by whom is for the signature to say.
	packets := f.signed("acme", f.entity())
	for i := range packets {
		bad := bytes.Clone(packets)
		bad[i] ^= 1 << (i % 8)
		r := c.judge([]byte(f.holding(bad)))
		if r.state == pgpmime.Good && shownText(t, r.opened.Root) != shownText(t, c.judge([]byte(f.pgp(message))).opened.Root) {
			t.Errorf("octet %d of the packets: good with another text", i)
		}
	}
}
