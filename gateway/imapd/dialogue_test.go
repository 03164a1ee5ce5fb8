package imapd_test

import (
	"slices"
	"strings"
	"testing"
)

func TestDialogue_LoginAndList(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.dial()
	c.talk(`
		C: a CAPABILITY
		S: * CAPABILITY IMAP4rev2 IMAP4rev1 ...AUTH=PLAIN
		S: a OK ...
		C: b LIST "" *
		S: b BAD ...
		C: c LOGIN ana wrong
		S: c NO [AUTHENTICATIONFAILED] ...
		C: d LOGIN ana@desk.vdp.example.org {21}
		S: + ...
		C: correct horse battery
		S: d OK [CAPABILITY ... UIDPLUS ESEARCH SEARCHRES LIST-EXTENDED LIST-STATUS MOVE STATUS=SIZE BINARY CHILDREN SPECIAL-USE APPENDLIMIT=52428800] Logged in
		C: e LIST "" ""
		S: * LIST (\Noselect) "/" ""
		S: e OK ...
		C: f LIST "" %
		S: * LIST (\HasNoChildren) "/" "Approvals"
		S: * LIST (\Noselect \HasChildren) "/" "Do"
		S: * LIST (\HasNoChildren \Drafts) "/" "Drafts"
		S: * LIST (\HasNoChildren) "/" "Held"
		S: * LIST (\HasNoChildren) "/" INBOX
		S: * LIST (\HasNoChildren) "/" "Intake"
		S: * LIST (\HasNoChildren \Junk) "/" "Junk"
		S: * LIST (\HasNoChildren) "/" "Keys"
		S: * LIST (\HasNoChildren) "/" "Quarantine"
		S: * LIST (\HasNoChildren) "/" "Scheduled"
		S: * LIST (\HasNoChildren \Sent) "/" "Sent"
		S: * LIST (\HasNoChildren) "/" "Status"
		S: * LIST (\HasNoChildren \Trash) "/" "Trash"
		S: f OK ...
		C: g LIST "" Do/*case
		S: * LIST (\HasNoChildren) "/" "Do/New case"
		S: g OK ...
		C: h LIST "" inbox
		S: * LIST (\HasNoChildren) "/" INBOX
		S: h OK ...
		C: i LIST (SPECIAL-USE) "" * RETURN (SPECIAL-USE)
		S: * LIST (\HasNoChildren \Drafts) "/" "Drafts"
		S: * LIST (\HasNoChildren \Junk) "/" "Junk"
		S: * LIST (\HasNoChildren \Sent) "/" "Sent"
		S: * LIST (\HasNoChildren \Trash) "/" "Trash"
		S: i OK ...
		C: j NAMESPACE
		S: * NAMESPACE (("" "/")) NIL NIL
		S: j OK ...
		C: k LIST "" (INBOX Intake) RETURN (STATUS (MESSAGES UNSEEN))
		S: * LIST (\HasNoChildren) "/" INBOX
		S: * STATUS INBOX (MESSAGES 0 UNSEEN 0)
		S: * LIST (\HasNoChildren) "/" "Intake"
		S: * STATUS "Intake" (MESSAGES 0 UNSEEN 0)
		S: k OK ...
		C: l LOGOUT
		S: * BYE ...
		S: l OK ...
		S: EOF`)
}

func TestDialogue_AuthenticatePlain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.dial().talk(`
		C: a AUTHENTICATE PLAIN
		S: + ...
		C: AGFuYQBjb3JyZWN0IGhvcnNlIGJhdHRlcnk=
		S: a OK ...
		C: b NOOP
		S: b OK ...`)
	o.dial().talk(`
		C: a AUTHENTICATE PLAIN AGFuYQBjb3JyZWN0IGhvcnNlIGJhdHRlcnk=
		S: a OK ...`)
	o.dial().talk(`
		C: a AUTHENTICATE PLAIN AGFuYQB3cm9uZw==
		S: a NO [AUTHENTICATIONFAILED] ...
		C: b AUTHENTICATE CRAM-MD5
		S: b NO ...`)
}

func TestDialogue_SelectFetchStore(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(3)...)
	c := o.as("ana")
	c.talk(`
		C: a SELECT Intake
		S: * 3 EXISTS
		S: * 0 RECENT
		S: * OK [UNSEEN 1] ...
		S: * OK [UIDVALIDITY ...] ...
		S: * OK [UIDNEXT 4] ...
		S: * FLAGS (\Seen \Answered \Flagged \Deleted \Draft)
		S: * OK [PERMANENTFLAGS (\Seen \Answered \Flagged \Deleted \Draft \*)] ...
		S: a OK [READ-WRITE] ...
		C: b FETCH 2 (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)
		S: * 2 FETCH (UID 2 FLAGS () INTERNALDATE " 1-Dec-2026 09:00:00 +0000" RFC822.SIZE 171 ENVELOPE ("Tue, 01 Dec 2026 10:00:00 +0000" "letter 2" (("Acme" NIL "psirt" "acme.example")) (("Acme" NIL "psirt" "acme.example")) (("Acme" NIL "psirt" "acme.example")) ((NIL NIL "control" "desk.vdp.example.org")) NIL NIL NIL "<m2@acme.example>"))
		S: b OK ...
		C: c FETCH 1:* FLAGS
		S: * 1 FETCH (FLAGS ())
		S: * 2 FETCH (FLAGS ())
		S: * 3 FETCH (FLAGS ())
		S: c OK ...
		C: d STORE 1,3 +FLAGS (\Flagged $Label1)
		S: * 1 FETCH (UID 1 FLAGS (\Flagged $Label1))
		S: * 3 FETCH (UID 3 FLAGS (\Flagged $Label1))
		S: d OK ...
		C: e UID STORE 3 -FLAGS.SILENT ($label1 nobody)
		S: e OK ...
		C: f STORE 1 FLAGS (\Seen)
		S: * 1 FETCH (UID 1 FLAGS (\Seen))
		S: f OK ...
		C: g UID FETCH 1:* (FLAGS)
		S: * 1 FETCH (UID 1 FLAGS (\Seen))
		S: * 2 FETCH (UID 2 FLAGS ())
		S: * 3 FETCH (UID 3 FLAGS (\Flagged))
		S: g OK ...
		C: h FETCH 2 BODY[TEXT]
		S: * 2 FETCH (FLAGS (\Seen) BODY[TEXT] {13}...Words of 2...)
		S: h OK ...
		C: i FETCH 3 BODY.PEEK[TEXT]
		S: * 3 FETCH (BODY[TEXT] {13}...Words of 3...)
		S: i OK ...
		C: j FETCH * UID
		S: * 3 FETCH (UID 3)
		S: j OK ...
		C: k UID FETCH 900:* UID
		S: * 3 FETCH (UID 3)
		S: k OK ...
		C: l UID FETCH 900 UID
		S: l OK ...
		C: m FETCH 3 ALL
		S: * 3 FETCH (FLAGS (\Flagged) INTERNALDATE ... RFC822.SIZE 171 ENVELOPE (...))
		S: m OK ...
		C: n CLOSE
		S: n OK ...
		C: o FETCH 1 UID
		S: o BAD ...`)
}

// Each coordinator has flags of its own; \Answered is everybody's.
func TestDialogue_FlagsPerCoordinator(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(2)...)
	ana, ben := o.in("ana", "Intake"), o.in("ben", "Intake")
	ana.talk(`
		C: a STORE 1 +FLAGS (\Seen \Answered todo)
		S: * 1 FETCH (UID 1 FLAGS (\Seen \Answered todo))
		S: a OK ...`)
	ben.talk(`
		C: a NOOP
		S: * 1 FETCH (UID 1 FLAGS (\Answered))
		S: a OK ...
		C: b STATUS Intake (MESSAGES UNSEEN DELETED UIDNEXT SIZE)
		S: * STATUS "Intake" (MESSAGES 2 UIDNEXT 3 UNSEEN 2 DELETED 0 SIZE 342)
		S: b OK ...`)
	ana.talk(`
		C: b STATUS Intake (MESSAGES UNSEEN)
		S: * STATUS "Intake" (MESSAGES 2 UNSEEN 1)
		S: b OK ...`)
}

// EXPUNGE hides from one coordinator what is the desk's, and removes what is
// private.
func TestDialogue_ExpungeOnlyHides(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(4)...)
	c := o.in("ana", "Intake")
	c.talk(`
		C: a STORE 1:3 +FLAGS.SILENT (\Deleted)
		S: a OK ...
		C: b UID EXPUNGE 2,4
		S: * 2 EXPUNGE
		S: b OK ...
		C: c EXPUNGE
		S: * 2 EXPUNGE
		S: * 1 EXPUNGE
		S: c OK ...
		C: d UID FETCH 1:* UID
		S: * 1 FETCH (UID 4)
		S: d OK ...
		C: e SELECT Intake
		S: * OK [CLOSED] ...
		S: * 1 EXISTS`)
	c.until("e OK")
	if got := o.in("ben", "Intake").ask("UID SEARCH ALL"); !slices.Equal(got, []string{"* SEARCH 1 2 3 4"}) {
		t.Errorf("ben sees %q", got)
	}
}

func TestDialogue_CopyMoveAppend(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(3)...)
	c := o.in("ana", "Intake")
	c.talk(`
		C: a CREATE Mine/Later/
		S: a OK ...
		C: b CREATE Mine/Later
		S: b NO [ALREADYEXISTS] ...
		C: c STORE 2 +FLAGS.SILENT (\Flagged)
		S: c OK ...
		C: d COPY 1:2 Mine/Later
		S: d OK [COPYUID ... 1:2 1:2] ...
		C: e COPY 1 Nowhere
		S: e NO [TRYCREATE] ...
		C: f MOVE 1 Trash
		S: * OK [COPYUID ... 1 1] ...
		S: * 1 EXPUNGE
		S: f OK ...
		C: g UID COPY 900 Trash
		S: g OK COPY completed
		C: h COPY 1 Held
		S: h NO [ALERT] nothing can be put into Held by hand; nothing was changed
		C: i MOVE 1 Intake
		S: i OK ...
		C: j SELECT Mine/Later
		S: * OK [CLOSED] ...
		S: * 2 EXISTS`)
	c.until("j OK")
	c.talk(`
		C: k UID FETCH 1:* FLAGS
		S: * 1 FETCH (UID 1 FLAGS ())
		S: * 2 FETCH (UID 2 FLAGS (\Flagged))
		S: k OK ...
		C: l APPEND Drafts (\Draft $Fresh) "02-Dec-2026 11:12:13 +0100" {30}
		S: + ...
		R: Subject: a draft, half ...\r\n\r\n\r\n
		S: l OK [APPENDUID ... 1] ...
		C: m APPEND Nowhere {4}
		S: + ...
		C: a: b
		S: m NO [TRYCREATE] ...
		C: n SELECT Drafts
		S: * OK [CLOSED] ...
		S: * 1 EXISTS`)
	c.until("n OK")
	c.talk(`
		C: o FETCH 1 (FLAGS INTERNALDATE BODY[])
		S: * 1 FETCH (FLAGS (\Seen \Draft $Fresh) INTERNALDATE " 2-Dec-2026 10:12:13 +0000" BODY[] {30}...Subject: a draft, half ......)
		S: o OK ...`)
}

func TestDialogue_PrivateFolders(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.as("ana").talk(`
		C: a CREATE Mine
		S: a OK ...
		C: b CREATE Mine/Deep
		S: b OK ...
		C: c RENAME Mine "Not yours"
		S: c OK ...
		C: d LIST "" Not*
		S: * LIST (\HasChildren) "/" "Not yours"
		S: * LIST (\HasNoChildren) "/" "Not yours/Deep"
		S: d OK ...
		C: e RENAME "Not yours" "Not yours/Deeper"
		S: e NO [CANNOT] ...
		C: f DELETE "Not yours/Deep"
		S: f OK ...
		C: g DELETE "Not yours/Deep"
		S: g NO [NONEXISTENT] ...
		C: h DELETE Intake
		S: h NO [CANNOT] ...
		C: i RENAME INBOX Old
		S: i NO [CANNOT] ...
		C: j DELETE Drafts
		S: j NO [CANNOT] ...
		C: k CREATE "Cases/PAR-2026-0001 Mine"
		S: k NO [CANNOT] ...
		C: l CREATE do/Anything
		S: l NO [CANNOT] ...
		C: m CREATE a//b
		S: m NO [CANNOT] ...
		C: n CREATE Intake
		S: n NO [ALREADYEXISTS] ...
		C: o CREATE &AOQ-rger
		S: o OK ...
		C: p LIST "" &AOQ-*
		S: * LIST (\HasNoChildren) "/" "&AOQ-rger"
		S: p OK ...
		C: q UNSUBSCRIBE Held
		S: q OK ...
		C: r SUBSCRIBE Nowhere
		S: r NO [NONEXISTENT] ...`)
	o.as("ben").talk(`
		C: a LIST "" Not*
		S: a OK ...
		C: b SELECT "Not yours"
		S: b NO [NONEXISTENT] There is no such folder; ...
		C: c LIST (SUBSCRIBED) "" Held
		S: * LIST (\HasNoChildren \Subscribed) "/" "Held"
		S: c OK ...`)
	o.as("ana").talk(`
		C: a LIST (SUBSCRIBED) "" Held
		S: a OK ...
		C: b LIST "" Held RETURN (SUBSCRIBED)
		S: * LIST (\HasNoChildren) "/" "Held"
		S: b OK ...`)
}

func TestDialogue_Search(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	plain := letters(2)
	fancy := mail{raw: "From: =?utf-8?q?Zo=C3=AB?= <zoe@globex.example>\r\nSubject: =?utf-8?q?=C3=9Cberlauf?= in libfoo\r\nDate: Wed, 02 Dec 2026 23:30:00 -0500\r\n" +
		"X-Long: one\r\n two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n\r\nThe straw=\r\nberry =C3=84rger.\r\n--b\r\nContent-Type: text/plain\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\nUGluZWFwcGxl\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\nkumquat\r\n--b--\r\n"}
	odd := mail{raw: "Subject: koi\r\nContent-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=F1=C2=CC=CF=CB=CF\r\n"}
	big := mail{raw: "Subject: big\r\n\r\n" + strings.Repeat("filler ", 40000) + "\r\nmangosteen\r\n"}
	o.file("Intake", append(plain, fancy, odd, big)...)
	c := o.in("ana", "Intake")
	c.ask(`STORE 2 +FLAGS.SILENT (\Seen todo)`)
	for query, want := range map[string]string{
		`ALL`:                     "1 2 3 4 5",
		`SUBJECT LETTER`:          "1 2",
		`FROM zoë`:                "3",
		`FROM globex.example`:     "3",
		`SUBJECT "überlauf"`:      "3",
		`HEADER X-Long "one two"`: "3",
		`HEADER X-Long ""`:        "3",
		`HEADER X-None ""`:        "",
		`BODY strawberry`:         "3",
		`BODY "ärger"`:            "3",
		`BODY pineapple`:          "3",
		`TEXT kumquat`:            "",
		`BODY letter`:             "",
		`TEXT letter`:             "1 2",
		`TEXT "яблоко"`:           "4",
		`BODY mangosteen`:         "5",
		`BODY "words of 2"`:       "2",
		`SEEN`:                    "2",
		`UNSEEN`:                  "1 3 4 5",
		`KEYWORD TODO`:            "2",
		`UNKEYWORD todo`:          "1 3 4 5",
		`KEYWORD nobodys`:         "",
		`RECENT`:                  "",
		`OLD`:                     "1 2 3 4 5",
		`NEW`:                     "",
		`LARGER 200000`:           "5",
		`SMALLER 200`:             "1 2 4",
		// The library alone forgets SMALLER when one of these follows it.
		`SMALLER 200 SINCE 1-Dec-2026`:                "1 2 4",
		`smaller 200 LARGER 150`:                      "1 2",
		`OR (SMALLER 100 SENTSINCE 1-Dec-2026) UID 5`: "5",
		`SMALLER 0`:                           "",
		`NOT SMALLER 200 SUBJECT "SMALLER 1"`: "",
		`SINCE 1-Dec-2026`:                    "1 2 3 4 5",
		`BEFORE 1-Dec-2026`:                   "",
		`ON 1-Dec-2026`:                       "1 2 3 4 5",
		`SENTON 2-Dec-2026`:                   "3",
		`SENTBEFORE 2-Dec-2026`:               "1 2",
		`SENTSINCE 2-Dec-2026`:                "3",
		`UID 2:4`:                             "2 3 4",
		`2:4 UNSEEN`:                          "3 4",
		`OR SUBJECT koi UID 1`:                "1 4",
		`NOT SUBJECT letter`:                  "3 4 5",
		`OR (SEEN UID 2) (UID 5)`:             "2 5",
		`NOT (OR UID 1 BODY berr)`:            "2 4 5",
		`UID 99`:                              "",
		`CHARSET UTF-8 ALL`:                   "1 2 3 4 5",
	} {
		want = strings.TrimSpace("* SEARCH " + want)
		c.write("x SEARCH " + asLiterals(query) + "\r\n")
		all := c.until("x OK")
		got := slices.DeleteFunc(all[:len(all)-1], func(l string) bool { return strings.HasPrefix(l, "+ ") })
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	c.talk(`
		C: a UID SEARCH RETURN (MIN MAX COUNT) 2:4
		S: * ESEARCH (TAG "a") UID MIN 2 MAX 4 COUNT 3
		S: a OK ...
		C: b SEARCH RETURN () SUBJECT letter
		S: * ESEARCH (TAG "b") ALL 1:2
		S: b OK ...
		C: c UID SEARCH RETURN (SAVE) SUBJECT letter
		S: * ESEARCH (TAG "c") UID ALL 1:2
		S: c OK ...
		C: d FETCH $ UID
		S: * 1 FETCH (UID 1)
		S: * 2 FETCH (UID 2)
		S: d OK ...
		C: e SEARCH $ SEEN
		S: * SEARCH 2
		S: e OK ...
		C: f UID SEARCH RETURN (SAVE MIN) ALL
		S: * ESEARCH (TAG "f") UID MIN 1
		S: f OK ...
		C: g UID FETCH $ UID
		S: * 1 FETCH (UID 1)
		S: g OK ...
		C: h SEARCH CHARSET KOI8-R TEXT x
		S: h NO [BADCHARSET] ...`)
}

// asLiterals writes quoted words that are not US-ASCII as literals.
func asLiterals(query string) string {
	var out []string
	for i, part := range strings.Split(query, `"`) {
		switch {
		case i%2 == 0:
			for j, word := range strings.Split(part, " ") {
				if !ascii(word) {
					word = literal(word)
				}
				if j > 0 {
					word = " " + word
				}
				out = append(out, word)
			}
		case ascii(part):
			out = append(out, `"`+part+`"`)
		default:
			out = append(out, literal(part))
		}
	}
	return strings.Join(out, "")
}

func literal(s string) string {
	return "{" + itoa(len(s)) + "+}\r\n" + s
}

func ascii(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
