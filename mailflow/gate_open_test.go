package mailflow

import (
	"bytes"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/mailflow/mailtest"
)

// openMail opens a mail with a key of its vendor. The keys that it is encrypted to
// are exactly those that the oracle calls usable; of every tenth mail each key is
// tried, also those of other vendors, whatever numbers it says.
func (h *history) openMail(m mailtest.Received) historyMail {
	h.t.Helper()
	_, domain, _ := strings.Cut(m.To, "@")
	v, _, _ := strings.Cut(domain, ".")
	if made()[v] == nil {
		h.t.Fatalf("misled: a mail to %s", m.To)
	}
	if strings.Contains(string(m.Raw), "multipart/signed") {
		return h.read(historyMail{letterGot: h.opened(h.holder(v, goodKey), m), party: v})
	}
	readers := h.readersOf(v, m)
	got, again := h.sameBytes(m)
	if !again {
		got = h.opened(h.holder(v, readers[0]), m)
	}
	if len(got.Keys) != len(readers) {
		h.t.Fatalf("wrong key: a mail to %s is encrypted to %X, of which %q are known", v, got.Keys, readers)
	}
	if h.opens++; h.opens%10 == 0 {
		h.openWithAll(v, m, readers)
	}
	out := h.read(historyMail{letterGot: got, party: v})
	same := slices.Equal[[]string]
	if h.sentBefore(out) { // the same bytes, while all their keys are in force
		same = func(want, readers []string) bool { return within(readers, want) }
	}
	if want := h.o.keysFor(out); !slices.ContainsFunc(want, func(w []string) bool { return same(w, readers) }) {
		h.t.Fatalf("wrong key: %q to %s is encrypted to its keys %q, want %q", out.Subject, v, readers, want)
	}
	return out
}

// sameBytes is a mail that left before, byte for byte. Its signature was verified
// then, and may be ahead of a clock that was put back since.
func (h *history) sameBytes(m mailtest.Received) (got letterGot, again bool) {
	for _, o := range h.mails {
		if bytes.Equal(o.Raw, m.Raw) {
			got = o.letterGot
			got.Received = m
			return got, true
		}
	}
	return got, false
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// readersOf are the keys of a vendor that a mail says it is encrypted to (RFC 9580,
// section 5.1), sorted.
func (h *history) readersOf(v string, m mailtest.Received) (readers []string) {
	h.t.Helper()
	block, err := armor.Decode(bytes.NewReader(m.Raw[max(bytes.Index(m.Raw, []byte("-----BEGIN PGP MESSAGE")), 0):]))
	if err != nil {
		h.t.Fatalf("a mail to %s holds no OpenPGP message: %v", v, err)
	}
	for packets := packet.NewReader(block.Body); ; {
		p, err := packets.Next()
		if err != nil {
			h.t.Fatalf("read a mail to %s: %v", v, err)
		}
		k, ok := p.(*packet.EncryptedKey)
		if !ok {
			break
		}
		name, known := keyNumbers()[k.KeyId]
		if !known || name[0] != v {
			h.t.Fatalf("wrong key: a mail to %s is encrypted to %X of %q", v, k.KeyId, name)
		}
		readers = append(readers, name[1])
	}
	if len(readers) == 0 {
		h.t.Fatalf("wrong key: nobody reads a mail to %s", v)
	}
	slices.Sort(readers)
	return readers
}

// openWithAll tries every key there is.
func (h *history) openWithAll(v string, m mailtest.Received, readers []string) {
	h.t.Helper()
	for _, other := range historyParties {
		for _, name := range historyKeys {
			_, err := h.holder(other, name).Open(m.Raw, h.ourKey())
			if may := other == v && slices.Contains(readers, name); may != (err == nil) {
				h.t.Fatalf("wrong key: of a mail to %s that is for %q, %s has tried %q: %v", v, readers, other, name, err)
			}
		}
	}
	h.did["mail tried with all keys"]++
}
