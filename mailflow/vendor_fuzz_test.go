package mailflow

import (
	"strings"
	"testing"
	"unicode"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// FuzzVendorLines reads lines and Subjects as anybody may write them. An address
// that MEMBER takes is one word of the desk's language, as it stands; a day that a
// finder sets is a day; and what is taken for a party's own reference can stand in
// any Subject of ours, outside too.
func FuzzVendorLines(f *testing.F) {
	for _, line := range []string{
		"MEMBER ADD PAR-2026-0001 jo@acme.example", "MEMBER REVOKE jo+x@acme.example", "MEMBER ADD a\"b@acme.example", "MEMBER ADD 'a'#b@x.example",
		"DEADLINE 2026-12-31 I speak at 40C3", "DEADLINE 9999-12-31", "DEADLINE 0000-02-30 x", "TALK 2026-12-31T10:00Z", "CONSENT PAR-2026-0001 1 AAAA-BBB2",
		"CONSENT -1", "REFUSE globex", "CONSENT 99999999999999999999", "WITHDRAW DEADLINE", "Re: [ACME-1234] hello", "Ticket #4711", "=?utf-8?q?=0d=0aBcc:_x?= [A-1]",
		"[ACME-1\u202e234]", "[PAR-2026-0001] [X-9]", "[A\r\nBcc: x@y 1]", "Ref: 55-123 Ref: 55-124",
	} {
		f.Add(line)
	}
	w := newWorld(f)
	w.do("vendor add acme psirt@acme.example", "vendor add globex psirt@globex.example")
	w.do(`case open "x" policy fast`)
	all := append(append(append([]string{}, vendorVerbs...), onlyVendors...), onlyFinders...)
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range vendorCommands(text, all) {
			now := cvd.Acceptance{At: w.clock.Now()}
			if d, past, ok := ownDay(c.Args, now); ok && !past && (day(d.On) != c.Args[0] || strings.ContainsFunc(d.Words, unicode.IsControl)) {
				t.Errorf("%q is %s %q", c.Line, day(d.On), d.Words)
			}
			for _, a := range c.Args {
				if len(a) > maxAddress || !plainAddress.MatchString(a) {
					continue
				}
				orders, said := read([]string{"member add acme " + a})
				if !said.Done() || len(orders) != 1 || len(orders[0].rest) != 2 {
					t.Errorf("%q: %v, %s", a, orders, said)
				}
			}
		}
		err := w.Store.View(func(tx *store.Tx) error {
			banned, err := w.notInRefs(tx, "acme")
			if err != nil {
				return err
			}
			ref := findTheirRef(tx, text, banned)
			if ref == "" {
				return nil
			}
			if len(ref) > maxTheirRef || message.CheckHeaderValue(ref) != nil || strings.Contains(ref, "=?") || hasWords(ref, "PAR") || hasWords(ref, "globex") {
				t.Errorf("%q in %q", ref, text)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
