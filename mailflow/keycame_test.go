package mailflow

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// autocryptField is what mail clients add to a mail of theirs.
func (w *world) autocryptField(addr string, p *mailtest.Person) mailtest.Field {
	return mailtest.Field{Name: "Autocrypt", Value: "addr=" + addr + "; keydata=" + base64.StdEncoding.EncodeToString(w.bytes(p))}
}

// known counts the keys on record of a party.
func (w *world) known(owner string) int {
	w.t.Helper()
	n := 0
	w.view(func(tx *store.Tx) error {
		all, err := ownerKeys(tx, owner)
		n = len(all)
		return err
	})
	return n
}

// running is a case in which acme, with a confirmed key, was told the heads-up.
func running(t *testing.T) (*world, cvd.CaseID, *mailtest.Person) {
	t.Helper()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.told("acme", "Heads-up")
	return w, id, w.people["acme"]
}

// A key that comes inside a letter signed by the pinned key is kept, with that
// as its evidence, and stays claimed; the desk is asked once which it is.
func TestS7_KeyInASignedLetterIsClaimed(t *testing.T) {
	t.Parallel()
	w, id, p := running(t)
	next := w.person("next", p.Address)
	foreign := w.person("foreign", "psirt@globex.example")
	for _, text := range []string{"our next key", "our next key, again"} {
		entity := mailtest.Entity("Re: ["+string(id)+"]", text,
			mailtest.File{Name: "next.asc", Type: "application/pgp-keys", Data: string(next.PublicKey())},
			mailtest.File{Name: "foreign.asc", Type: "application/pgp-keys", Data: string(foreign.PublicKey())})
		to := w.thread(id, "acme")
		w.arrives(p.Address, to, w.seal(p, to, true, entity))
	}
	w.trusted("acme", next, keyring.Claimed, "came in a mail signed by "+keyring.Fingerprint(p.Fingerprint()).Spaced())
	w.trusted("acme", p, keyring.Confirmed, "phone")
	if n := w.known("acme"); n != 2 {
		t.Errorf("%d keys of acme are on record", n)
	}
	if got := w.subjects("Keys"); len(got) != 1 || !strings.Contains(got[0], "Which key is acme's?") {
		t.Fatalf("Keys holds %q", got)
	}
	text := w.textIn("Keys", "Which key")
	for _, f := range []string{p.Fingerprint(), next.Fingerprint()} {
		if !strings.Contains(text, keyring.Fingerprint(f).Spaced()) {
			t.Errorf("the question lacks %s:\n%s", f, text)
		}
	}
	w.do("key confirm acme " + next.Fingerprint() + ` evidence "phone"`)
	if n := w.countIn("Keys", "acme"); n != 0 {
		t.Errorf("after the answer Keys holds %q", w.subjects("Keys"))
	}
}

// Of a letter that nobody signed only an Autocrypt field counts that is for its
// sender, one of the party's addresses.
func TestS7_AutocryptOfAnUnsignedLetter(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		from   string // "": acme's own
		fields func(w *world, mine, next, foreign *mailtest.Person) []mailtest.Field
		kept   bool
	}{
		"for the sender": {"", func(w *world, _, next, _ *mailtest.Person) []mailtest.Field {
			return []mailtest.Field{w.autocryptField(next.Address, next)}
		}, true},
		"with an attribute that may be unknown": {"", func(w *world, _, next, _ *mailtest.Person) []mailtest.Field {
			f := w.autocryptField(next.Address, next)
			f.Value = "_x=1; prefer-encrypt=mutual; " + f.Value
			return []mailtest.Field{f}
		}, true},
		"with one that may not": {"", func(w *world, _, next, _ *mailtest.Person) []mailtest.Field {
			f := w.autocryptField(next.Address, next)
			f.Value = "x=1; " + f.Value
			return []mailtest.Field{f}
		}, false},
		"two fields": {"", func(w *world, mine, next, _ *mailtest.Person) []mailtest.Field {
			return []mailtest.Field{w.autocryptField(next.Address, next), w.autocryptField(mine.Address, mine)}
		}, false},
		"for another address": {"", func(w *world, _, next, _ *mailtest.Person) []mailtest.Field {
			return []mailtest.Field{w.autocryptField("other@acme.example", next)}
		}, false},
		"of somebody else's key": {"", func(w *world, _, next, foreign *mailtest.Person) []mailtest.Field {
			return []mailtest.Field{w.autocryptField(next.Address, foreign)}
		}, false},
		"from somebody else": {"psirt@globex.example", func(w *world, _, _, foreign *mailtest.Person) []mailtest.Field {
			return []mailtest.Field{w.autocryptField(foreign.Address, foreign)}
		}, false},
		"not base64": {"", func(w *world, _, next, _ *mailtest.Person) []mailtest.Field {
			return []mailtest.Field{{Name: "Autocrypt", Value: "addr=" + next.Address + "; keydata=***"}}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id, p := running(t)
			next, foreign := w.person("next", p.Address), w.person("foreign", "psirt@globex.example")
			sender := *p
			if row.from != "" {
				sender.Address = row.from
			}
			to := w.thread(id, "acme")
			w.arrives(sender.Address, to, w.seal(&sender, to, false, mailtest.Entity("Re: ["+string(id)+"]", "a letter"), row.fields(w, p, next, foreign)...))
			if _, ok := w.onRecord("acme", next); ok != row.kept {
				t.Errorf("kept: %v", ok)
			}
			if _, ok := w.onRecord("acme", foreign); ok {
				t.Error("somebody else's key is on record")
			}
			if row.kept {
				w.trusted("acme", next, keyring.Claimed, "came in the Autocrypt field of a mail")
			}
			want := 0
			if row.kept {
				want = 1
			}
			if n := w.countIn("Keys", "acme"); n != want {
				t.Errorf("Keys holds %q", w.subjects("Keys"))
			}
			w.trusted("acme", p, keyring.Confirmed, "phone")
		})
	}
}

// Who knows the address of a thread cannot fill the record with keys, nor Keys
// with questions.
func TestS7_ClaimedKeysAreBounded(t *testing.T) {
	t.Parallel()
	w, id, p := running(t)
	to := w.thread(id, "acme")
	for i := range maxClaimed + 3 {
		next := w.person(fmt.Sprint("next", i), p.Address)
		w.arrives(p.Address, to, w.seal(p, to, false, mailtest.Entity("Re: ["+string(id)+"]", fmt.Sprint("letter ", i)), w.autocryptField(next.Address, next)))
	}
	if n := w.known("acme"); n != 1+maxClaimed {
		t.Errorf("%d keys are on record", n)
	}
	if n := w.countIn("Keys", "acme"); n != maxClaimed {
		t.Errorf("Keys holds %q", w.subjects("Keys"))
	}
}

// An Autocrypt field of a finder's mail gives it no key: only one that signed
// the encrypted report which carried it is kept.
func TestS7_NoAutocryptForFinders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("robin", "robin@finder.example")
	w.arrives(f.Address, w.ReportAddress(), w.seal(f, w.ReportAddress(), false, mailtest.Entity("flaw", "a report")))
	w.settle()
	var who cvd.Participant
	w.view(func(tx *store.Tx) (err error) {
		who, err = ParticipantByID(tx, reportCase(1), cvd.Finder)
		return err
	})
	to := w.ThreadAddress(who.Token)
	w.arrives(f.Address, to, w.seal(f, to, false, mailtest.Entity("more", "a letter"), w.autocryptField(f.Address, f)))
	if n := w.known(FinderOwner(who.Token)); n != 0 {
		t.Errorf("%d keys of the finder are on record", n)
	}
}
