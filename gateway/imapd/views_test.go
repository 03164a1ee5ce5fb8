package imapd_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/gateway/auth"
	"parley/mailflow"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// What a sealed login is served is encrypted to the coordinator's own key: of
// all that IMAP can be asked for, nothing says what a case is about, who takes
// part, or who wrote.
func TestA4_SealedTellsNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	h := s.hears("ana/phone")
	h.ask(`LIST (SUBSCRIBED) "" "*" RETURN (CHILDREN STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE))`)
	h.ask(`LSUB "" "*"`)
	tree := h.tree()
	for _, want := range []string{"INBOX", "Intake", "Do/Approve", "Drafts", s.tag, s.tag + "/Case file", s.tag + "/Notes", s.tag + "/Thread 1", s.tag + "/Thread 2"} {
		if !slices.Contains(tree, want) {
			t.Errorf("no folder %s in %q", want, tree)
		}
	}
	n := 0
	for _, folder := range tree {
		h.ask(`STATUS "` + folder + `" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE)`)
		for _, m := range h.everything(folder) {
			n++
			inner := s.opens(m.raw)
			if !strings.Contains(strings.ToLower(inner), "subject:") {
				t.Errorf("%s %d: no header block inside: %.300s", folder, m.uid, inner)
			}
			if !strings.Contains(m.line, `"Sealed message"`) || !strings.Contains(m.structure, `"pgp-encrypted"`) {
				t.Errorf("%s: %s %s", folder, m.line, m.structure)
			}
		}
		for _, word := range secrets {
			for _, key := range []string{"TEXT", "BODY", "SUBJECT", "FROM", "HEADER Message-ID"} {
				if len(word) < 5 && (key == "TEXT" || key == "BODY") {
					continue // armor holds it by chance
				}
				if got := h.ask(fmt.Sprintf("UID SEARCH %s %q", key, word)); len(got) > 0 && got[0] != "* SEARCH" && !strings.HasPrefix(got[0], `* ESEARCH (TAG "x") UID`) || strings.Contains(got[0], "ALL") {
					t.Errorf("%s: SEARCH %s %s: %q", folder, key, word, got)
				}
			}
		}
	}
	if n < 7 {
		t.Errorf("only %d messages were looked at", n)
	}
	h.silent(secrets...)
}

// opens decrypts with ana's key what she was served, and gives what is inside.
func (s *scene) opens(raw string) string {
	s.Helper()
	o, err := s.ana.Open([]byte(raw), s.ourKey())
	if err != nil {
		s.Errorf("ana cannot open it: %v\n%.600s", err, raw)
		return ""
	}
	if len(o.Keys) != 1 {
		s.Errorf("it is encrypted to %x", o.Keys)
	}
	return string(o.Inner)
}

// What a vendor signed is handed on as it was; what the desk was served of it
// otherwise is signed by us.
func TestA4_SealedKeepsTheVendorsSignature(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	h := s.hears("ana/phone")
	all := h.everything(s.tag + "/Thread 2")
	if len(all) != 1 {
		t.Fatalf("the thread of acme has %d messages", len(all))
	}
	o, err := s.ana.Open([]byte(all[0].raw), s.acme.PublicKey())
	if err != nil || o.Signer != s.acme.Fingerprint() || o.Subject != "Re: quokka" || !strings.Contains(o.Text, "Acme has a wombat too.") {
		t.Errorf("acme's letter: %+v, %v", o, err)
	}
	if want := "thread-2." + strings.ToLower(s.tag) + "@" + desk; !strings.Contains(all[0].header, want) {
		t.Errorf("a reply does not go to %s: %s", want, all[0].header)
	}
	all = h.everything("Intake")
	if len(all) != 1 {
		t.Fatalf("%d reports", len(all))
	}
	o, err = s.ana.Open([]byte(all[0].raw), s.ourKey())
	if err != nil || o.Signer != string(s.base.Own.Signing().Certificate().Fingerprint()) || !strings.Contains(o.Subject, "Second quokka") ||
		!strings.Contains(o.Text, "It came in CLEAR.") || !strings.Contains(string(o.Inner), "Parley-From: someone@finder.example") {
		t.Errorf("the report: %+v %v", o, err)
	}
}

// The bytes of a UID never change: over sessions, and with a key that is another
// the mailbox is another, too.
func TestA4_SealedStays(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.hears("ana/phone")
	before := first.everything("Intake")
	validity := first.validity("Intake")
	again := s.hears("ana/phone").everything("Intake")
	if len(before) == 0 || !slices.Equal(before, again) {
		t.Errorf("%d messages, not the same the second time", len(before))
	}
	views := map[string]string{"ana": s.hears("ana").validity("Intake"), "ana/watch": s.hears("ana/watch").validity("Intake"), "ana/phone": validity}
	if v := slices.Compact(slices.Sorted(maps.Values(views))); len(v) != 3 {
		t.Errorf("UIDVALIDITY by view: %v", views)
	}
	fresh := s.person("Ana", "ana@"+desk)
	s.keyOf("ana", fresh)
	first.talk(`
		C: a NOOP
		S: * BYE Your login was ended or changed
		S: EOF`)
	s.ana = fresh
	h := s.hears("ana/phone")
	if v := h.validity("Intake"); v <= validity {
		t.Errorf("UIDVALIDITY %s after the key changed, %s before", v, validity)
	}
	for _, m := range h.everything("Intake") {
		s.opens(m.raw)
	}
	if _, err := s.seats.RunDue(t.Context(), s.clock.Now()); err != nil {
		t.Error(err)
	}
	if got := h.everything("Intake"); len(got) != len(before) {
		t.Errorf("%d messages after the old ones were dropped", len(got))
	}
}

func (h *heard) validity(folder string) string {
	h.Helper()
	got := h.ask(`STATUS "` + folder + `" (UIDVALIDITY)`)[0]
	return got[strings.LastIndex(got, " ")+1:]
}

// A gesture works with what a sealed login was served: moved, and stored again
// by a client that keeps its mail elsewhere. The receipt and what the desk says
// are sealed, too.
func TestA4_SealedGestures(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.report("Third quokka", "One more wombat.")
	h := s.hears("ana/phone")
	intake := h.everything("Intake")
	if len(intake) != 2 {
		t.Fatalf("%d reports", len(intake))
	}
	h.ask(fmt.Sprintf(`UID MOVE %d "Do/New case"`, intake[0].uid))
	raw := "X-TUID: 123456789012\r\n" + intake[1].raw
	h.send(`a APPEND "Do/New case" {` + itoa(len(raw)) + `}`)
	h.want("+ ...")
	h.send(raw)
	h.until("a OK [APPENDUID")
	tags := 0
	for _, f := range h.tree() {
		if strings.HasSuffix(f, "/Case file") {
			tags++
		}
	}
	if tags != 3 {
		t.Errorf("%d cases, want 3: %q", tags, h.tree())
	}
	if got := h.everything("Do/New case"); len(got) != 3 {
		t.Errorf("%d receipts", len(got))
	}
	h.send(`b UID MOVE 1 "Do/Approve"`)
	h.want("b NO [ALERT] Not done...")
	var refusals int
	for _, m := range h.everything("INBOX") {
		if inner := s.opens(m.raw); strings.Contains(inner, "Not done:") {
			refusals++
		}
	}
	if refusals != 1 {
		t.Errorf("%d mails about what was refused", refusals)
	}
	forged := strings.Replace(intake[1].raw, "-----BEGIN", "x-----BEGIN", 1)
	h.send(`c APPEND "Do/New case" {` + itoa(len(forged)) + `}`)
	h.want("+ ...")
	h.send(forged)
	h.until("c NO [ALERT]")
	h.silent(secrets...)
}

// A draft of a sealed login comes back encrypted, with the mark by which mbsync
// knows it again; those of other logins do, too.
func TestA4_SealedDrafts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	h := s.hears("ana/phone")
	for _, raw := range []string{
		"From: ana@" + desk + "\r\nX-TUID: abcdefghijkl\r\nSubject: potoroo\r\n\r\nA wombat.\r\n",
		"no header at all, a wombat\nand bare line feeds",
		"Subject: potoroo\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nnot one boundary, a wombat\r\n",
		"Subject: p\xf6toroo\r\nContent-Type: text/plain; hp=\"clear\"; charset=iso-8859-1\r\n\r\n\x00 w\xf6mbat potoroo\r\n",
	} {
		h.send("a APPEND Drafts {" + itoa(len(raw)) + "}")
		h.want("+ ...")
		h.send(raw)
		h.until("a OK [APPENDUID")
	}
	all := h.everything("Drafts")
	if len(all) != 5 {
		t.Fatalf("%d drafts", len(all))
	}
	for _, m := range all {
		s.opens(m.raw)
	}
	if !strings.Contains(all[1].header, "X-TUID: abcdefghijkl\r\n") {
		t.Errorf("the mark of mbsync is gone: %s", all[1].header)
	}
	if o, err := s.ana.Open([]byte(all[1].raw), s.ourKey()); err != nil || o.Subject != "potoroo" || o.Text != "A wombat.\n" {
		t.Errorf("the draft: %+v, %v", o, err)
	}
	for _, command := range []string{"CREATE wallaby", "RENAME Drafts wallaby", `DELETE "` + s.tag + `"`} {
		h.send("b " + command)
		h.want("b NO [CANNOT] ...")
	}
	h.silent(secrets...)
}

// Headlines are all that a headlines login gets, as the clear view shows them.
func TestA4_Headlines(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	h, clear := s.hears("ana/watch"), s.hears("ana")
	if got := h.tree(); !slices.Equal(got, clear.tree()) {
		t.Errorf("folders %q", got)
	}
	n := 0
	for _, folder := range h.tree() {
		for _, m := range h.everything(folder) {
			n++
			if !strings.Contains(m.text, "This login shows headlines only") {
				t.Errorf("%s: %s", folder, m.text)
			}
		}
		lines := func(c *heard) []string { return c.ask("UID FETCH 1:* (UID FLAGS INTERNALDATE ENVELOPE)") }
		clear.ask(`SELECT "` + folder + `"`)
		if a, b := lines(h), lines(clear); !slices.Equal(a, b) {
			t.Errorf("%s: %q\nin clear %q", folder, a, b)
		}
		if got := h.ask(`SEARCH TEXT wombat`); strings.Contains(got[0], "ALL") {
			t.Errorf("%s: SEARCH finds a body: %q", folder, got)
		}
	}
	if n < 7 {
		t.Errorf("only %d messages were looked at", n)
	}
	h.ask("SELECT Intake")
	if got := h.ask(`SEARCH SUBJECT quokka`); !strings.Contains(got[0], "ALL") {
		t.Errorf("SEARCH SUBJECT finds no headline: %q", got)
	}
	h.silent("wombat")
	raw := h.everything("Intake")[0].raw
	h.send(`a APPEND "Do/New case" {` + itoa(len(raw)) + `}`)
	h.want("+ ...")
	h.send(raw)
	h.until("a OK [APPENDUID")
	draft := "From: ana@" + desk + "\r\nSubject: words\r\nMessage-ID: <d2@here>\r\n\r\nof my own\r\n"
	h.send(`b APPEND Drafts {` + itoa(len(draft)) + `}`)
	h.want("+ ...")
	h.send(draft)
	h.until("b OK [APPENDUID")
	drafts := h.everythingButSize("Drafts")
	if drafts[len(drafts)-1] != draft {
		t.Errorf("a draft of this login: %q", drafts)
	}
	s.login("ana/other", "ana", auth.ViewHeadlines, password)
	if got := s.hears("ana/other").everythingButSize("Drafts"); strings.Contains(strings.Join(got, ""), "of my own") {
		t.Errorf("another login has its body: %q", got)
	}
}

func (h *heard) everythingButSize(folder string) (raw []string) {
	h.Helper()
	for _, m := range h.everything(folder) {
		raw = append(raw, m.raw)
	}
	return raw
}

// Without a key that can be encrypted to there is no sealed view, and nothing in
// its place.
func TestA4_NoKeyNoSealedView(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.login("ben/phone", "ben", auth.ViewSealed, password)
	s.dial().talk(`
		C: a LOGIN ben/phone "correct horse battery"
		S: a NO [CANNOT] ben has no OpenPGP key on file...
		C: b LIST "" *
		S: b BAD ...`)
	h := s.hears("ana/phone")
	h.everything("Intake")
	s.clock.Set(s.clock.Now().Add(10 * 365 * 24 * time.Hour))
	e, err := openpgp.NewEntity("Ana", "", "ana@"+desk, &packet.Config{Time: s.clock.Now, Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: 3600})
	must(t, err)
	short := &mailtest.Person{Name: "Ana", Address: "ana@" + desk, Entity: e, Now: s.clock.Now}
	s.keyOf("ana", short)
	h = s.hears("ana/phone")
	s.clock.Set(s.clock.Now().Add(2 * time.Hour))
	h.ask("SELECT Intake")
	h.send("a UID FETCH 1:* BODY.PEEK[]")
	h.want("a NO [CANNOT] your own OpenPGP key cannot be encrypted to (...")
	h.silent(secrets...)
}

// Not every original is handed on: what the clear view leaves out, a secret key
// that somebody sent, and what nobody signed comes encrypted afresh by us.
func TestA4_SealedHandsOnNoSecretKey(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	var secret bytes.Buffer
	w, err := armor.Encode(&secret, "PGP PRIVATE KEY BLOCK", nil)
	must(t, err)
	must(t, s.person("Leaked", "leaked@acme.example").Entity.SerializePrivateWithoutSigning(w, nil))
	must(t, w.Close())
	s.receive(s.acme, s.thread("acme"), mailtest.Entity("With a wombat key", "By mistake.\n", mailtest.File{Name: "key.asc", Type: "application/pgp-keys", Data: secret.String()}))
	armored, err := s.acme.Seal(mailtest.Entity("Unsigned wombat", "Nobody signed this.\n"), s.ourKey(), false)
	must(t, err)
	raw := mailtest.PGPMIME(s.acme.Address, s.thread("acme"), s.clock.Now(), armored)
	must(t, s.intake.Receive(t.Context(), mailflow.Envelope{From: s.acme.Address, To: []string{s.thread("acme")}, Remote: "192.0.2.9"}, bytes.NewReader(raw)))
	must(t, s.intake.RunSpool(t.Context()))
	found := map[string]bool{}
	h := s.hears("ana/phone")
	for _, folder := range h.tree() {
		for _, m := range h.everything(folder) {
			o, err := s.ana.Open([]byte(m.raw), s.ourKey())
			must(t, err)
			for _, words := range []string{"By mistake.", "Nobody signed this."} {
				if !strings.Contains(string(o.Inner), words) {
					continue
				}
				found[words] = true
				if o.Signer != string(s.base.Own.Signing().Certificate().Fingerprint()) || !strings.Contains(string(o.Inner), "Parley-Signature: ") {
					t.Errorf("%q in %s is not ours: signed by %q", words, folder, o.Signer)
				}
			}
			if strings.Contains(string(o.Inner), "PRIVATE KEY BLOCK") {
				t.Errorf("the secret key is in %s", folder)
			}
		}
	}
	if len(found) != 2 {
		t.Errorf("found only %v", found)
	}
	h.silent(secrets...)
}

// A login that is to see another view ends its sessions, and sees that when it
// comes back.
func TestA6_ViewChanges(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	h := s.hears("ana/watch")
	s.update(func(tx *store.Tx) error { return s.logins.SetView(tx, "ana/watch", auth.ViewSealed) })
	h.talk(`
		C: a NOOP
		S: * BYE Your login was ended or changed
		S: EOF`)
	h = s.hears("ana/watch")
	for _, m := range h.everything("Intake") {
		s.opens(m.raw)
	}
	h.silent(secrets...)
}

// What was made for the views is as sealed on the disk as all else, and whole.
func TestH4_FormsAreSealed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, login := range []string{"ana/phone", "ana/watch"} {
		h := s.hears(login)
		for _, folder := range h.tree() {
			h.everything(folder)
		}
	}
	r, err := s.Verify(t.Context())
	if err != nil || len(r.Problems) > 0 {
		t.Errorf("verify: %v, %q", err, r.Problems)
	}
	must(t, filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, word := range append([]string{"headlines only", "BEGIN PGP MESSAGE"}, secrets...) {
			if len(word) > 4 && bytes.Contains(bytes.ToLower(b), []byte(strings.ToLower(word))) { // shorter ones stand there by chance
				t.Errorf("%q lies in %s", word, filepath.Base(path))
			}
		}
		return err
	}))
}
