package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// seatOf gives a coordinator of a world a seat.
func (w *world) seatOf(name string) *Seat {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		if _, err := CoordinatorByName(tx, name); err == nil {
			return nil
		}
		return PutCoordinator(tx, Coordinator{Name: name, Address: name + "@" + w.DeskDomain, Added: tx.Now})
	})
	s, err := (&Seats{Base: w.Base, Desk: w.desk}).Sit(name)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s
}

func (w *world) windowOn(s *Seat, name string) *Window {
	w.t.Helper()
	win, err := s.Open(name)
	if err != nil {
		w.t.Fatalf("open %s: %v", name, err)
	}
	return win
}

// filesInto puts mails into a folder of the desk.
func (w *world) filesInto(folder, scope string, subjects ...string) (ids []uint64) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		ids = nil
		box, err := tx.MailboxNamed("", folder)
		if err != nil {
			return err
		}
		for _, s := range subjects {
			raw := []byte(fmt.Sprintf("Subject: %s\r\nMessage-ID: <%s@x.example>\r\n\r\nwords\r\n", s, s))
			m, err := w.keepOwn(tx, raw, store.Message{Scope: store.Scope(scope), Case: strings.TrimPrefix(scope, "desk"), Direction: "system"})
			if err != nil {
				return err
			}
			if _, err := tx.File(box.Number, m.ID); err != nil {
				return err
			}
			ids = append(ids, m.ID)
		}
		return nil
	})
	return ids
}

func (w *world) unfilesFrom(folder string, uids ...uint32) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		box, err := tx.MailboxNamed("", folder)
		for _, uid := range uids {
			err = errors.Join(err, tx.Unfile(box.Number, uid))
		}
		return err
	})
}

func folderNames(w *world, s *Seat) (all []string) {
	w.t.Helper()
	folders, err := s.Folders()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range folders {
		all = append(all, f.Name)
	}
	return all
}

func uidsIn(w *Window) (all []uint32) {
	for at := range w.Len() {
		all = append(all, w.UID(at))
	}
	return all
}

// The tree is there from the first login on, and made once.
func TestSeat_FixedTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := []string{"Approvals", "Do", "Do/Acknowledge", "Do/Approve", "Do/Hold", "Do/New case", "Do/Reject", "Do/Release", "Do/Spam",
		"Drafts", "Held", "INBOX", "Intake", "Junk", "Keys", "Quarantine", "Scheduled", "Sent", "Status", "Trash"}
	for range 2 {
		if got := folderNames(w, w.seatOf("ana")); !slices.Equal(got, want) {
			t.Errorf("folders %q", got)
		}
	}
	if _, err := (&Seats{Base: w.Base}).Sit("nobody"); !errors.Is(err, ErrNoCoordinator) {
		t.Errorf("a seat for nobody: %v", err)
	}
	w.restart()
	if got := folderNames(w, w.seatOf("ana")); !slices.Equal(got, want) {
		t.Errorf("after a restart: %q", got)
	}
	w.update(func(tx *store.Tx) error {
		if _, err := w.Base.folder(tx, "Cellar"); err == nil {
			t.Error("a folder that is none of the desk's was made")
		}
		return nil
	})
}

// The tag leads to the folders of a case, whatever the words behind it are by
// now.
func TestSeat_CaseFolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := cvd.Case{ID: "PAR-2026-0007", Title: "Heap overflow", Number: 7}
	var party, again store.Mailbox
	w.update(func(tx *store.Tx) (err error) {
		if err := errors.Join(tx.NewScope(caseScope(c.ID)), PutCase(tx, c)); err != nil {
			return err
		}
		if party, err = w.Base.caseFolder(tx, c, "Vendor acme"); err != nil {
			return err
		}
		for _, sub := range []string{"", "Finder", "Case file"} {
			if _, err := w.Base.caseFolder(tx, c, sub); err != nil {
				return err
			}
		}
		c.Title = "Something else"
		again, err = w.Base.caseFolder(tx, c, "Vendor acme")
		return err
	})
	if party.Party != "acme" || party.Case != string(c.ID) || party.Number != again.Number || party.Scope != caseScope(c.ID) {
		t.Errorf("%+v, then %+v", party, again)
	}
	got := folderNames(w, w.seatOf("ana"))
	want := []string{"Cases", "Cases/PAR-2026-0007 Heap overflow", "Cases/PAR-2026-0007 Heap overflow/Case file",
		"Cases/PAR-2026-0007 Heap overflow/Finder", "Cases/PAR-2026-0007 Heap overflow/Vendor acme"}
	if i := slices.Index(got, "Cases"); i < 0 || !slices.Equal(got[i:i+5], want) {
		t.Errorf("folders %q", got)
	}
}

// Positions change only when the client is told, whatever the store does.
func TestSeat_WindowFollowsTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.seatOf("ana")
	w.filesInto("Held", "desk", "a", "b", "c", "d")
	win := w.windowOn(s, "Held")
	w.unfilesFrom("Held", 2)
	w.filesInto("Held", "desk", "e", "f")
	w.unfilesFrom("Held", 5) // came and went before anybody looked
	w.update(func(tx *store.Tx) error { return tx.Mark(win.Number, "ana", []uint32{3, 4}, 0, store.MarkSeen) })
	w.update(func(tx *store.Tx) error { return tx.Mark(win.Number, "ben", []uint32{1}, 0, store.MarkSeen) })
	if got := uidsIn(win); !slices.Equal(got, []uint32{1, 2, 3, 4}) {
		t.Errorf("before: %v", got)
	}
	select {
	case <-s.Changed():
	default:
		t.Error("nothing says that something changed")
	}
	if err := win.Refresh(); err != nil {
		t.Fatal(err)
	}
	if n, grown := win.Grown(); n != 5 || !grown {
		t.Errorf("grown: %d, %v", n, grown)
	}
	if got := uidsIn(win); !slices.Equal(got, []uint32{1, 2, 3, 4, 6}) {
		t.Errorf("UID 2 must keep its place: %v", got)
	}
	var read []uint32
	err := win.Read([]int{0, 1, 4}, func(_ *store.Tx, at int, e *store.Entry) error {
		if win.UID(at) != e.UID {
			t.Errorf("position %d is UID %d, read %d", at, win.UID(at), e.UID)
		}
		read = append(read, e.UID)
		return nil
	})
	if err != nil || !slices.Equal(read, []uint32{1, 2, 6}) {
		t.Errorf("UID 2 is read until it is told that it left: %v, %v", read, err)
	}
	if got := win.Marked(); !slices.Equal(got, []int{2, 3}) || win.Marks(2) != store.MarkSeen {
		t.Errorf("marked %v", got)
	}
	if got := win.Gone(); !slices.Equal(got, []int{1}) {
		t.Errorf("gone %v", got)
	}
	if got := uidsIn(win); !slices.Equal(got, []uint32{1, 3, 4, 6}) || win.Marks(1) != store.MarkSeen || win.Marks(3) != 0 {
		t.Errorf("after: %v", got)
	}
	// Told once is told.
	if err := win.Refresh(); err != nil || win.Gone() != nil || win.Marked() != nil {
		t.Errorf("told again: %v", err)
	}
	if err := win.Mark([]int{0, 3}, 0, store.MarkDeleted); err != nil {
		t.Fatal(err)
	}
	if err := win.Expunge([]int{0, 1, 3}); err != nil {
		t.Fatal(err)
	}
	if err := win.Refresh(); err != nil {
		t.Fatal(err)
	}
	if got := win.Gone(); !slices.Equal(got, []int{3, 0}) {
		t.Errorf("expunged %v, want the last first", got)
	}
	other := w.seatOf("ben")
	if got := uidsIn(w.windowOn(other, "Held")); !slices.Equal(got, []uint32{1, 3, 4, 6}) {
		t.Errorf("ben lost something: %v", got)
	}
}

// A message that moves into a case that is restricted goes from the folders
// of all others, and one that was hidden by nobody stays.
func TestA2_ScopeChangeClosesTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana, ben := w.seatOf("ana"), w.seatOf("ben")
	id := w.filesInto("Held", "desk", "a", "b")[0]
	wa, wb := w.windowOn(ana, "Held"), w.windowOn(ben, "Held")
	w.update(func(tx *store.Tx) error {
		c := cvd.Case{ID: "PAR-2026-0007", Restricted: []string{"ben"}}
		if err := errors.Join(tx.NewScope(caseScope(c.ID)), PutCase(tx, c)); err != nil {
			return err
		}
		return tx.MoveMessage(id, caseScope(c.ID), func(m *store.Message) { m.Case = string(c.ID) })
	})
	for win, want := range map[*Window][]uint32{wa: {2}, wb: {1, 2}} {
		if err := win.Refresh(); err != nil {
			t.Fatal(err)
		}
		win.Gone()
		if got := uidsIn(win); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if got := uidsIn(w.windowOn(ana, "Held")); !slices.Equal(got, []uint32{2}) {
		t.Errorf("ana opens it again: %v", got)
	}
}

// What a coordinator wrote goes for good once it is nowhere; what the desk
// has stays, wherever a copy of it was thrown away.
func TestSeat_OwnMailIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.seatOf("ana")
	desk := w.filesInto("Held", "desk", "a")[0]
	ctx := context.Background()
	if _, err := w.windowOn(s, "Held").Copy(ctx, []int{0}, "Drafts"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // a client that saves its draft again and again
		raw := []byte(fmt.Sprintf("Subject: draft %d\r\n\r\n%s", i, strings.Repeat("long words\r\n", 20000)))
		if _, _, err := s.Append(ctx, "Drafts", raw, store.MarkDraft, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	bodies := func() uint64 {
		r, err := w.Store.Verify(ctx)
		if err != nil || len(r.Problems) > 0 {
			t.Fatal(err, r.Problems)
		}
		return r.Bodies
	}
	before := bodies()
	win := w.windowOn(s, "Drafts")
	if err := win.Mark([]int{0, 1, 2}, 0, store.MarkDeleted); err != nil {
		t.Fatal(err)
	}
	if err := win.Expunge([]int{0, 1, 2}); err != nil {
		t.Fatal(err)
	}
	if got := bodies(); got != before-2 {
		t.Errorf("%d bodies, were %d", got, before)
	}
	if err := s.CreateFolder("Mine"); err != nil {
		t.Fatal(err)
	}
	win = w.windowOn(s, "Drafts")
	if _, err := win.Move(ctx, []int{0}, "Mine"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteFolder("Mine"); err != nil {
		t.Fatal(err)
	}
	if got := bodies(); got != before-3 {
		t.Errorf("%d bodies, were %d", got, before)
	}
	w.view(func(tx *store.Tx) error {
		_, err := tx.Message(desk)
		return err
	})
}

// A draft about a case is sealed and seen with it.
func TestA2_OwnMailBelongsToItsCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.seatOf("ana")
	w.update(func(tx *store.Tx) error {
		return errors.Join(tx.NewScope("PAR-2026-0007"), PutCase(tx, cvd.Case{ID: "PAR-2026-0007"}))
	})
	for to, want := range map[string]store.Scope{
		"acme.par-2026-0007@" + w.DeskDomain: "PAR-2026-0007",
		"acme.par-2026-0099@" + w.DeskDomain: DeskScope,
		"someone@else.example":               DeskScope,
	} {
		_, uid, err := s.Append(context.Background(), "Drafts", []byte("Subject: x\r\nTo: "+to+"\r\n\r\nx\r\n"), 0, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		err = w.windowOn(s, "Drafts").Read([]int{int(uid) - 1}, func(tx *store.Tx, _ int, e *store.Entry) error {
			m, err := tx.Message(e.Message)
			if m.Scope != want || m.Direction != ownMail {
				t.Errorf("to %s: scope %q", to, m.Scope)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Served messages are found by Message-ID and body, never by one alone.
func TestA5_WhatWasServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.seatOf("ana")
	ids := w.filesInto("Held", "desk", "a", "b")
	served := "Subject: a\r\nMessage-ID: <a@x.example>\r\n\r\nwords\r\n"
	for raw, want := range map[string]uint64{
		served:                                   ids[0],
		"X-TUID: abc\r\n" + served:               ids[0],
		strings.ToUpper(served):                  0,
		served + "more\r\n":                      0,
		strings.Replace(served, "<a@", "<b@", 1): ids[1], // the same body under the other's Message-ID
		strings.Replace(served, "<a@", "<c@", 1): 0,
		"Subject: a\r\n\r\nwords\r\n":            0,
		"no message at all":                      0,
		"":                                       0,
		strings.ReplaceAll(served, "\r\n", "\n"): ids[0],
	} {
		got, err := s.served([]byte(raw))
		if err != nil || got != want {
			t.Errorf("%q: %d, want %d (%v)", raw, got, want, err)
		}
	}
	// What a coordinator wrote itself is not served by us.
	own := "Message-ID: <own@x.example>\r\n\r\nmine\r\n"
	if _, _, err := s.Append(context.Background(), "Drafts", []byte(own), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.served([]byte(own)); got != 0 || err != nil {
		t.Errorf("own mail: %d, %v", got, err)
	}
}

func TestSeat_FolderNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.seatOf("ana")
	for name, ok := range map[string]bool{
		"Mine": true, "Mine/deep/er": true, "Ünïcode": true, "INBOX/sub": true, "Casesuite": true,
		"Cases": false, "cases/x": false, "Do/Something": false, "Closed/2026": false, "": false, "/": false, "a//b": false, "/a": false,
		"a*b": false, "50%": false, "a\nb": false, "a\u202eb": false, strings.Repeat("x", 256): false, strings.Repeat("x/", 10) + "x": false,
	} {
		var denied *Denied
		if err := s.CreateFolder(name); (err == nil) != ok || err != nil && !errors.As(err, &denied) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"Held", "INBOX", "Mine"} {
		if err := s.CreateFolder(name); !errors.Is(err, ErrFolderExists) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
