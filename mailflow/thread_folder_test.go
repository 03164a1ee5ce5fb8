package mailflow

import (
	"path"
	"slices"
	"testing"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// folders are the threads of a case by their mailboxes, with whose they are.
func (w *world) folders(id cvd.CaseID) map[uint32][2]string {
	w.t.Helper()
	out := map[uint32][2]string{}
	w.view(func(tx *store.Tx) error {
		all, err := tx.Mailboxes()
		for _, m := range all {
			if m.Case == string(id) && m.Party != "" {
				out[m.Number] = [2]string{path.Base(m.Name), m.Party}
			}
		}
		return err
	})
	return out
}

// A folder says what its party is in the case; who becomes a vendor as well keeps
// the mailbox, under a vendor's name, with all that is in it and its number in
// sealed views. Its letters and the gestures about them find it.
func TestThreadFolder_Roles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	for _, name := range []string{"certx", "globex", "coco"} {
		p := w.person(name, "psirt@"+name+".example")
		w.do("vendor add " + name + " " + p.Address)
		w.pins(name, p, keyring.Confirmed)
	}
	w.in(id, "invite certx role observer", "invite globex role finder", "invite coco role coordinator")
	w.do("vendor add 2 two@two.example")
	w.in(id, "invite 2 role finder")
	before := w.folders(id)
	for _, want := range [][2]string{{"Vendor acme", "acme"}, {"Observer certx", "certx"}, {"Finder globex", "globex"}, {"Coordinator coco", "coco"}, {"Vendor 2", "2"}} {
		if !slices.Contains(values(before), want) {
			t.Errorf("there is no %q in %v", want, before)
		}
	}
	w.answers("globex", id, true, "Hello,\n\nwe found it together.\n")
	w.answers("certx", id, true, "Hello,\n\nhow many are there?\n")
	w.in(id, "invite globex", "invite certx role coordinator")
	after := w.folders(id)
	for number, was := range before {
		want := was
		if was[1] == "globex" {
			want[0] = "Vendor globex"
		}
		if after[number] != want {
			t.Errorf("%q is %q, want %q", was, after[number], want)
		}
	}
	if len(after) != len(before) {
		t.Errorf("folders %v, before %v", after, before)
	}
	if w.cameIn(w.folderOf(id, "Vendor globex")) != 1 || w.cameIn(w.folderOf(id, "Observer certx")) != 1 {
		t.Errorf("globex %q, certx %q", w.subjects(w.folderOf(id, "Vendor globex")), w.subjects(w.folderOf(id, "Observer certx")))
	}
	w.submits("ana", w.deskTo("certx", id), false, "Re: how many", "We tell you in counts.\n")
	if w.countIn(w.folderOf(id, "Observer certx"), "how many") != 1 {
		t.Errorf("certx %q", w.subjects(w.folderOf(id, "Observer certx")))
	}
	certx := w.people["certx"]
	w.arrives(certx.Address, w.thread(id, "certx"), mailtest.Plain(certx.Address, w.thread(id, "certx"), "In clear", "Hello\n", w.clock.Now()))
	w.settle()
	_, err := w.puts("COPY", "Quarantine", "In clear", w.folderOf(id, "Vendor acme"))
	w.refusedWith(err, w.folderOf(id, "Vendor acme"), "neither may learn")
	_, err = w.puts("COPY", "Quarantine", "In clear", w.folderOf(id, "Observer certx"))
	w.ok(err)
	if w.countIn(w.folderOf(id, "Observer certx"), "In clear") != 1 {
		t.Errorf("certx %q", w.subjects(w.folderOf(id, "Observer certx")))
	}
}

func values(m map[uint32][2]string) (out [][2]string) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}
