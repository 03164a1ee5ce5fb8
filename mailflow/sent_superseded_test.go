package mailflow

import (
	"bytes"
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// blobBytes is how much the store keeps in files beside the tree.
func (w *world) blobBytes() (n int64) {
	w.t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) == filepath.Base(w.dir) {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// letterViews are all views of letters of ours that the store holds.
func (w *world) letterViews() (out []store.Message) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		for m, err := range tx.MessagesFrom(1) {
			if err != nil {
				return err
			}
			if m.Direction == "out" && m.Kind == string(cvd.KindLetter) {
				out = append(out, m)
			}
		}
		return nil
	})
	return out
}

// A view that a newer one took the place of goes from the store after a week. Who
// keeps a copy has it as long as that, unchanged; what shows stays what it is.
func TestSupersededViewsGo(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	ana := w.seatOf("ana")
	if err := ana.CreateFolder("Kept"); err != nil {
		t.Fatal(err)
	}
	w.submits("ana", w.deskTo("acme", id), false, "Re: which build", "It is the build of spring, and no other.\n",
		mailtest.File{Name: "build.bin", Type: "application/octet-stream", Data: largeFile(1 << 20)})
	first := w.ownLetter(id, "waiting")
	folder := w.folderOf(id, "Vendor acme")
	win := w.windowOn(ana, folder)
	if _, err := win.Copy(context.Background(), []int{win.Len() - 1}, "Kept"); err != nil {
		t.Fatal(err)
	}
	old, err := w.Store.Bytes(first.Served)
	if err != nil {
		t.Fatal(err)
	}
	const times = 4
	for range times {
		w.do(`sending pause because "a look"`)
		w.do("sending resume")
	}
	w.after(3 * w.Undo)
	last := w.ownLetter(id, "accepted")
	before := w.blobBytes()
	if n := len(w.letterViews()); n < 2*times || before < 2*times<<20 {
		t.Fatalf("%d views and %d bytes: nothing was superseded", n, before)
	}
	w.clock.Advance(supersededLife + cvd.Day)
	w.settle()
	if all := w.letterViews(); len(all) != 2 || all[0].ID != first.ID || all[1].ID != last.ID {
		t.Errorf("%d views are left", len(all))
	}
	if after := w.blobBytes(); after > before-(2*times-2)<<20 {
		t.Errorf("%d bytes are left of %d", after, before)
	}
	if now, err := w.Store.Bytes(first.Served); err != nil || !bytes.Equal(now, old) {
		t.Errorf("the copy that ana keeps is another: %v", err)
	}
	w.ownLetter(id, "accepted", "Sent to acme")
	if err := ana.DeleteFolder("Kept"); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(supersededLife + cvd.Day)
	w.settle()
	if all := w.letterViews(); len(all) != 1 || all[0].ID != last.ID {
		t.Errorf("%d views are left after the copy went", len(all))
	}
	w.view(func(tx *store.Tx) error {
		if rows, err := collect(superseded.All(tx, nil), nil); err != nil || len(rows) != 0 {
			t.Errorf("still to go: %d, %v", len(rows), err)
		}
		return nil
	})
}

// What the desk wrote before an answer came is its own also when its view was
// written anew after that: quoting it does not make it the party's.
func TestV6_OwnWordsAreOwnWhenRestated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme", "globex")
	const own = "we measured the start of the recorder with and without the patch last night"
	w.submits("ana", w.deskTo("acme", id), false, "The patch", own+"\n")
	w.after(3 * w.Undo)
	first := w.ownLetters(id)[0]
	w.clock.Advance(time.Minute)
	w.answers("acme", id, true, "Hello,\n\n> "+own+"\n\nthanks\n")
	all := w.sink.To("psirt@acme.example")
	bounce := all[len(all)-1].From
	w.clock.Advance(time.Minute)
	w.arrives("", bounce, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+bounce+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\nno such mailbox\r\n"))
	w.settle()
	if last := w.ownLetters(id)[0]; last.ID == first.ID {
		t.Fatal("the view was not written anew")
	}
	w.clock.Advance(supersededLife + cvd.Day)
	w.settle()
	for _, m := range w.letterViews() {
		if m.ID == first.ID {
			t.Fatal("the first view is there yet")
		}
	}
	w.Guard = new(Guard)
	if err := w.trySubmit("ana", w.deskTo("globex", id), false, "The patch", own+"\n"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if slices.ContainsFunc(w.requests(""), isDraft) { // globex is silent and late; what it is to be told is asked for, too
		t.Errorf("the desk's own words were kept back: %q", w.words(w.last("INBOX")))
	}
}
