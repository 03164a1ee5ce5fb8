package store

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/message"
)

// letter is a small mail; everything in it that matters depends on n.
func letter(n int) string {
	return fmt.Sprintf("From: Acme <psirt@acme.example>\r\nTo: desk@desk.example\r\nSubject: letter %d\r\n"+
		"Date: Mon, 02 Mar 2026 10:00:00 +0000\r\nMessage-ID: <m%d@acme.example>\r\n\r\nWords of %d.\r\n", n, n, n)
}

// putMail stores a mail as a message of a scope.
func putMail(t testing.TB, s *Store, scope Scope, raw string) (m Message) {
	t.Helper()
	tree, err := message.Parse([]byte(raw), message.DefaultLimits())
	must(t, err)
	d, err := s.SealBytes([]byte(raw))
	must(t, err)
	must(t, s.Update(func(tx *Tx) error {
		body, err := tx.Keep(d)
		if err != nil {
			return err
		}
		m, err = tx.PutMessage(Message{Scope: scope, At: tx.Now, Served: body, Envelope: tree.Envelope(), Structure: tree.Structure()})
		return err
	}))
	return m
}

func makeBox(t testing.TB, s *Store, m Mailbox) Mailbox {
	t.Helper()
	if m.Scope == "" {
		m.Scope = "desk"
	}
	must(t, s.Update(func(tx *Tx) (err error) {
		m, err = tx.CreateMailbox(m)
		return err
	}))
	return m
}

func file(t testing.TB, s *Store, box Mailbox, m Message) (uid uint32) {
	t.Helper()
	must(t, s.Update(func(tx *Tx) (err error) {
		uid, err = tx.File(box.Number, m.ID)
		return err
	}))
	return uid
}

func uidsOf(t testing.TB, s *Store, box Mailbox, see func(Scope) bool) (uids []uint32) {
	t.Helper()
	must(t, s.View(func(tx *Tx) (err error) {
		uids, err = tx.UIDs(box.Number, see)
		return err
	}))
	return uids
}

func TestMailbox_Names(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := makeBox(t, s, Mailbox{Name: "Do/New case"})
	b := makeBox(t, s, Mailbox{Name: "Sent", Owner: "ana", Attr: `\Sent`})
	c := makeBox(t, s, Mailbox{Name: "Sent", Owner: "ben"})
	wantErr(t, s.Update(func(tx *Tx) error {
		_, err := tx.CreateMailbox(Mailbox{Name: "Sent", Owner: "ana", Scope: "desk"})
		return err
	}), ErrExists)
	rename := func(m Mailbox, to string) error {
		return s.Update(func(tx *Tx) error {
			_, err := tx.RenameMailbox(m.Number, to)
			return err
		})
	}
	wantErr(t, rename(a, "Do/New case"), ErrExists)
	must(t, rename(c, "Gone out"))
	must(t, s.View(func(tx *Tx) error {
		for _, want := range []Mailbox{a, b} {
			got, err := tx.MailboxNamed(want.Owner, want.Name)
			must(t, err)
			if got != want {
				t.Errorf("%s of %q: got %+v, want %+v", want.Name, want.Owner, got, want)
			}
		}
		got, err := tx.MailboxNamed("ben", "Gone out")
		must(t, err)
		if got.Number != c.Number || got.UIDValidity != c.UIDValidity {
			t.Errorf("a renamed mailbox became another: %+v", got)
		}
		_, err = tx.MailboxNamed("ben", "Sent")
		wantErr(t, err, ErrNotFound)
		all, err := tx.Mailboxes()
		must(t, err)
		if len(all) != 3 {
			t.Errorf("%d mailboxes", len(all))
		}
		return nil
	}))
	whole(t, s)
}

// A name that is used again must not look like the mailbox that had it.
func TestMailbox_ValidityNeverReturns(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	seen := map[uint32]bool{}
	for range 5 {
		m := makeBox(t, s, Mailbox{Name: "again"})
		if seen[m.UIDValidity] || int64(m.UIDValidity) < testNow.Unix() {
			t.Fatalf("UIDVALIDITY %d", m.UIDValidity)
		}
		seen[m.UIDValidity] = true
		must(t, s.Update(func(tx *Tx) error { return tx.DeleteMailbox(m.Number) }))
	}
	whole(t, s)
}

func TestMailbox_UIDsNeverReturn(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	box := makeBox(t, s, Mailbox{Name: "INBOX"})
	m := putMail(t, s, "desk", letter(1))
	for want := uint32(1); want <= 4; want++ {
		if uid := file(t, s, box, m); uid != want {
			t.Fatalf("UID %d, want %d", uid, want)
		}
		must(t, s.Update(func(tx *Tx) error { return tx.Unfile(box.Number, want) }))
		wantErr(t, s.Update(func(tx *Tx) error { return tx.Unfile(box.Number, want) }), ErrNotFound)
	}
	must(t, s.Update(func(tx *Tx) error {
		full, err := tx.Mailbox(box.Number)
		must(t, err)
		full.UIDNext = math.MaxUint32
		if err := mailboxes.Put(tx, full.Scope, boxKey(full.Number), full); err != nil {
			return err
		}
		if _, err := tx.File(box.Number, m.ID); err == nil {
			t.Error("a UID beyond the last")
		}
		return nil
	}))
}

func TestMailbox_EntriesInOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	box, other := makeBox(t, s, Mailbox{Name: "a"}), makeBox(t, s, Mailbox{Name: "b"})
	for i := range 300 {
		m := putMail(t, s, "desk", letter(i))
		file(t, s, box, m)
		file(t, s, other, m)
	}
	must(t, s.Update(func(tx *Tx) error { return tx.Unfile(box.Number, 17) }))
	if got := uidsOf(t, s, box, nil); len(got) != 299 || !slices.IsSorted(got) || slices.Contains(got, 17) {
		t.Errorf("UIDs %v", got)
	}
	for _, want := range [][]uint32{{1}, {300}, {1, 2, 3}, {16, 18}, {2, 90, 91, 299, 300}, nil} {
		ask := slices.Clone(want)
		if len(want) == 2 {
			ask = []uint32{16, 17, 18}
		}
		ask = append(ask, 301, 70000) // not there
		var got []uint32
		must(t, s.View(func(tx *Tx) error {
			return tx.Entries(box.Number, ask, func(e *Entry) error {
				got = append(got, e.UID)
				raw, err := tx.Bytes(e.Served)
				must(t, err)
				if w := letter(int(e.UID) - 1); string(raw) != w || e.Size != int64(len(w)) || !e.At.Equal(testNow) {
					t.Errorf("UID %d: %+v", e.UID, e)
				}
				h, err := tx.Head(e.Message) // other rows may be opened meanwhile
				must(t, err)
				if !bytes.HasPrefix(raw, h.Header) || !bytes.HasSuffix(h.Header, []byte("\r\n\r\n")) {
					t.Errorf("header %q", h.Header)
				}
				if want := fmt.Sprintf(`"letter %d"`, e.UID-1); !bytes.Contains(e.Envelope, []byte(want)) {
					t.Errorf("envelope %s lacks %s", e.Envelope, want)
				}
				return nil
			})
		}))
		if !slices.Equal(got, want) {
			t.Errorf("asked %v, got %v", ask, got)
		}
	}
	whole(t, s)
}

// A message moves into its case: everything that holds it is sealed anew, and no UID changes.
func TestH1_MessageMovesIntoAnotherScope(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		if err := tx.NewScope("report-1"); err != nil {
			return err
		}
		return tx.NewScope("PAR-2026-0001")
	}))
	intake, do := makeBox(t, s, Mailbox{Name: "Intake"}), makeBox(t, s, Mailbox{Name: "Do/New case"})
	m := putMail(t, s, "report-1", letter(1))
	rest := putMail(t, s, "desk", letter(2))
	file(t, s, intake, rest)
	a, b := file(t, s, intake, m), file(t, s, do, m)
	sub := s.Subscribe(TopicMailbox)
	defer sub.Close()
	must(t, s.Update(func(tx *Tx) error {
		return tx.MoveMessage(m.ID, "PAR-2026-0001", func(c *Message) {
			c.Case, c.Size, c.Served = "PAR-2026-0001", 1, Body{}
		})
	}))
	if got := sub.Take(); len(got) != 2 || got[0].Kind != ChangeScope || got[0].UID != a {
		t.Errorf("changes %+v", got)
	}
	must(t, s.View(func(tx *Tx) error {
		got, err := tx.Message(m.ID)
		must(t, err)
		if got.Case != "PAR-2026-0001" || got.Scope != "PAR-2026-0001" || got.Size != m.Size || got.Served.ID != m.Served.ID {
			t.Errorf("moved message: %+v", got)
		}
		filed, err := tx.FiledIn(m.ID)
		must(t, err)
		if want := []Place{{intake.Number, a}, {do.Number, b}}; !slices.Equal(filed, want) {
			t.Errorf("filed in %v, want %v", filed, want)
		}
		found, err := tx.MessagesWithID("m1@acme.example")
		must(t, err)
		if !slices.Equal(found, []uint64{m.ID}) {
			t.Errorf("found by Message-ID: %v", found)
		}
		return nil
	}))
	notCase := func(s Scope) bool { return s != "PAR-2026-0001" }
	if got := uidsOf(t, s, intake, notCase); !slices.Equal(got, []uint32{1}) {
		t.Errorf("who may not see the case sees %v", got)
	}
	whole(t, s)
	must(t, s.Shred("report-1", testKey)) // nothing hangs on the old key
	must(t, s.View(func(tx *Tx) error {
		raw, err := tx.Bytes(m.Served)
		must(t, err)
		if string(raw) != letter(1) {
			t.Error("other bytes")
		}
		_, err = tx.Head(m.ID)
		return err
	}))
	must(t, s.Shred("PAR-2026-0001", testKey))
	if got := uidsOf(t, s, intake, func(Scope) bool { return true }); !slices.Equal(got, []uint32{1}) {
		t.Errorf("after the shred: %v", got)
	}
	must(t, s.View(func(tx *Tx) error {
		return tx.Entries(intake.Number, []uint32{1, a}, func(e *Entry) error {
			if e.UID != 1 {
				t.Errorf("UID %d opened", e.UID)
			}
			return nil
		})
	}))
}

func TestMarks(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	box := makeBox(t, s, Mailbox{Name: "INBOX"})
	var uids []uint32
	for uid := uint32(1); uid <= 700; uid++ {
		uids = append(uids, uid)
	}
	mark := func(seat string, uids []uint32, clear, set Marks) {
		must(t, s.Update(func(tx *Tx) error { return tx.Mark(box.Number, seat, uids, clear, set) }))
	}
	var k Marks
	must(t, s.Update(func(tx *Tx) (err error) {
		k, err = tx.Keyword("desk", "ana", "$Label1")
		return err
	}))
	mark("ana", uids, 0, MarkSeen)
	mark("ana", []uint32{5, 300}, MarkSeen, MarkFlagged|k)
	mark("ben", []uint32{300, 700}, 0, MarkAnswered|MarkHidden)
	for _, c := range []struct {
		seat string
		uid  uint32
		want Marks
	}{
		{"ana", 1, MarkSeen},
		{"ana", 5, MarkFlagged | k},
		{"ana", 300, MarkFlagged | k | MarkAnswered},
		{"ana", 700, MarkSeen | MarkAnswered},
		{"ben", 1, 0},
		{"ben", 300, MarkAnswered | MarkHidden},
		{"eve", 300, MarkAnswered},
	} {
		must(t, s.View(func(tx *Tx) error {
			all, err := tx.MarksOf(box.Number, c.seat, uids)
			must(t, err)
			one, err := tx.MarksOf(box.Number, c.seat, []uint32{c.uid})
			must(t, err)
			if got := all[c.uid-1]; got != c.want || one[0] != got {
				t.Errorf("%s, UID %d: %b or %b, want %b", c.seat, c.uid, got, one[0], c.want)
			}
			return nil
		}))
	}
	sub := s.Subscribe(TopicMailbox)
	defer sub.Close()
	mark("ana", []uint32{5, 6}, 0, MarkSeen)
	mark("ana", []uint32{5, 6}, 0, MarkSeen) // changes nothing, says nothing
	mark("ben", []uint32{300}, MarkAnswered, 0)
	var got []string
	for _, c := range sub.Take() {
		got = append(got, fmt.Sprintf("%s %d %q", c.Kind, c.UID, c.Seat))
	}
	if want := []string{`marked 0 "ana"`, `marked 256 ""`}; !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
	whole(t, s)
}

func TestMarks_Keywords(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		for i := range 56 {
			k, err := tx.Keyword("desk", "ana", fmt.Sprintf("k%d", i))
			if err != nil || k != KeywordMark(i) {
				t.Errorf("keyword %d: %b, %v", i, k, err)
			}
		}
		if k, err := tx.Keyword("desk", "ana", "K7"); err != nil || k != KeywordMark(7) {
			t.Errorf("another letter case: %b, %v", k, err)
		}
		_, err := tx.Keyword("desk", "ana", "one more")
		wantErr(t, err, ErrKeywords)
		_, err = tx.Keyword("desk", "ben", "one more")
		return err
	}))
}

// What was hidden comes back under a new UID, for everyone, with everybody's marks.
func TestMailbox_Refile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	box := makeBox(t, s, Mailbox{Name: "INBOX"})
	m := putMail(t, s, "desk", letter(1))
	for range 255 { // over the edge of a block
		file(t, s, box, m)
	}
	must(t, s.Update(func(tx *Tx) error {
		if err := tx.Mark(box.Number, "ana", []uint32{9}, 0, MarkSeen|MarkHidden|MarkDeleted); err != nil {
			return err
		}
		return tx.Mark(box.Number, "ben", []uint32{9}, 0, MarkFlagged|MarkHidden|MarkAnswered)
	}))
	var fresh uint32
	must(t, s.Update(func(tx *Tx) (err error) {
		fresh, err = tx.Refile(box.Number, 9, "ana")
		return err
	}))
	must(t, s.View(func(tx *Tx) error {
		if tx.Filed(box.Number, 9, nil) || !tx.Filed(box.Number, fresh, nil) || fresh != 256 {
			t.Errorf("filed again as %d", fresh)
		}
		for seat, want := range map[string]Marks{"ana": MarkSeen | MarkAnswered, "ben": MarkFlagged | MarkHidden | MarkAnswered} {
			got, err := tx.MarksOf(box.Number, seat, []uint32{fresh})
			must(t, err)
			if got[0] != want {
				t.Errorf("%s: %b, want %b", seat, got[0], want)
			}
		}
		return nil
	}))
	whole(t, s)
}

func TestMailbox_DropMessage(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	box := makeBox(t, s, Mailbox{Name: "Drafts", Owner: "ana"})
	m := putMail(t, s, "desk", letter(1))
	before := whole(t, s)
	n := putMail(t, s, "desk", letter(2)+strings.Repeat("A long draft.\r\n", 10000)) // in a blob
	uid := file(t, s, box, n)
	if err := s.Update(func(tx *Tx) error { return tx.DropMessage(n.ID) }); err == nil {
		t.Error("a message that is filed was dropped")
	}
	must(t, s.Update(func(tx *Tx) error {
		if err := tx.Unfile(box.Number, uid); err != nil {
			return err
		}
		return tx.DropMessage(n.ID)
	}))
	if after := whole(t, s); after.Bodies != before.Bodies {
		t.Errorf("%d bodies, were %d", after.Bodies, before.Bodies)
	}
	must(t, s.View(func(tx *Tx) error {
		_, err := tx.Message(n.ID)
		wantErr(t, err, ErrNotFound)
		_, err = tx.Message(m.ID)
		return err
	}))
}

func TestMailbox_StructureMustFit(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	d, err := s.SealBytes([]byte(letter(1)))
	must(t, err)
	for _, st := range []*message.Structure{nil, {HeaderEnd: 10, BodyEnd: 4000}, {HeaderStart: 3, HeaderEnd: 2}, {HeaderEnd: 4000}} {
		err := s.Update(func(tx *Tx) error {
			body, err := tx.Keep(d)
			if err != nil {
				return err
			}
			_, err = tx.PutMessage(Message{Scope: "desk", Served: body, Structure: st})
			return err
		})
		if err == nil {
			t.Errorf("structure %+v was taken", st)
		}
	}
}

// Where the words of a message are, so that SEARCH needs no parse.
func TestHead_Words(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	raw := "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\n\r\nplain\r\n" +
		"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>q</b>\r\n" +
		"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n" +
		"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner words\r\n" +
		"--b--\r\n"
	m := putMail(t, s, "desk", raw)
	var got []string
	must(t, s.View(func(tx *Tx) error {
		h, err := tx.Head(m.ID)
		must(t, err)
		if h.Parse {
			t.Error("a parse is asked for")
		}
		for _, w := range h.Words {
			got = append(got, fmt.Sprintf("%d %s", w.Encoding, raw[w.From:w.To]))
		}
		return nil
	}))
	want := []string{"0 plain", "1 <b>q</b>", "0 Subject: inner\r\n\r\n", "0 inner words"}
	if !slices.Equal(got, want) {
		t.Errorf("words %q, want %q", got, want)
	}
	odd := putMail(t, s, "desk", "Content-Type: text/plain; charset=koi8-r\r\n\r\nwords\r\n")
	long := putMail(t, s, "desk", "Subject: a\r\n"+strings.Repeat("X-Long: "+strings.Repeat("x", 900)+"\r\n", 100)+"\r\nwords\r\n")
	must(t, s.View(func(tx *Tx) error {
		h, err := tx.Head(odd.ID)
		must(t, err)
		if !h.Parse {
			t.Error("no parse is asked for where the charset needs one")
		}
		h, err = tx.Head(long.ID)
		must(t, err)
		if h.Header != nil {
			t.Error("a header of 90 kB is kept in a row")
		}
		return nil
	}))
}

func TestEnvelopeLine(t *testing.T) {
	t.Parallel()
	acme := []message.Address{{Name: "Acme", Local: "psirt", Domain: "acme.example"}}
	for _, c := range []struct {
		e    message.Envelope
		want string
	}{
		{message.Envelope{}, `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{message.Envelope{Date: time.Date(2026, 3, 2, 10, 0, 0, 0, time.FixedZone("", 3600)), Subject: `say "hi" \o/`, From: acme, MessageID: "a@b"},
			`("Mon, 02 Mar 2026 10:00:00 +0100" "say \"hi\" \\o/" (("Acme" NIL "psirt" "acme.example")) (("Acme" NIL "psirt" "acme.example")) ` +
				`(("Acme" NIL "psirt" "acme.example")) NIL NIL NIL NIL "<a@b>")`},
		{message.Envelope{Subject: "Überlauf", To: []message.Address{{Local: "ü", Domain: "x.example"}, {Name: "Zoë", Local: "z", Domain: "y.example"}},
			InReplyTo: []string{"a@b", "c@d"}},
			"(NIL \"=?utf-8?q?=C3=9Cberlauf?=\" NIL NIL NIL ((NIL NIL {2}\r\nü \"x.example\")(\"=?utf-8?q?Zo=C3=AB?=\" NIL \"z\" \"y.example\")) NIL NIL \"<a@b> <c@d>\" NIL)"},
		{message.Envelope{MessageID: "a\r\nb\x00"}, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL {6}\r\n<a\r\nb>)"},
	} {
		if got := string(EnvelopeLine(c.e)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// Stored forms that are damaged are refused, never a panic. (They are sealed; this is the second line.)
func TestMailbox_DamagedForms(t *testing.T) {
	t.Parallel()
	e, err := Entry{Message: 7, At: testNow, Size: 9, Served: Body{ID: 3, Key: newKey()}, Envelope: []byte("(x)")}.MarshalBinary()
	must(t, err)
	h, err := Head{Words: []Span{{1, 2, Base64}}}.MarshalBinary()
	must(t, err)
	m, err := marksBlock{3: MarkSeen}.MarshalBinary()
	must(t, err)
	for i := range e[:len(e)-4] {
		if new(Entry).UnmarshalBinary(e[:i]) == nil {
			t.Errorf("an entry of %d octets was read", i)
		}
	}
	for i := range h {
		if new(Head).UnmarshalBinary(h[:i]) == nil && i != 0 {
			t.Errorf("a head of %d octets was read", i)
		}
	}
	for i := range m {
		if new(marksBlock).UnmarshalBinary(m[:i]) == nil {
			t.Errorf("marks of %d octets were read", i)
		}
	}
	if new(marksBlock).UnmarshalBinary([]byte{0xff, 0xff, 0x03, 1}) == nil {
		t.Error("a run beyond the block was read")
	}
}
