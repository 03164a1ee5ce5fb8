package imapd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A folder's name may be anything that people can read. In modified UTF-7
// (RFC 3501 section 5.1.3) or, after ENABLE IMAP4rev2, in UTF-8 it is the same.
func TestBadInput_FolderNames(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	old, c := o.as("ana"), o.as("ana")
	c.ask("ENABLE IMAP4rev2")
	for _, n := range []struct{ utf8, utf7 string }{
		{"ärger", "&AOQ-rger"},
		{"e\u0301tude", "e&AwE-tude"},                        // a combining mark, which stays as it is
		{"\U0001F600", "&2D3eAA-"},                           // an emoji, a surrogate pair in UTF-7
		{"日本/資料", "&ZeVnLA-/&jMdlmQ-"},                       // levels
		{"R&-D", "R&-D"},                                     // the shift character, which the library escapes in both
		{"שלום", "&BekF3AXVBd0-"},                            // from right to left, without a mark
		{`quote"and\slash`, `quote"and\slash`},               // quoted specials
		{strings.Repeat("x", 255), strings.Repeat("x", 255)}, // as long as can be
		{"a/b/c/d/e/f/g/h/i/j", "a/b/c/d/e/f/g/h/i/j"},
	} {
		c.ask("CREATE " + quoted(n.utf8))
		if got := old.ask("LIST " + `"" ` + quoted(n.utf7)); len(got) != 1 || !strings.HasSuffix(got[0], ` "/" `+quoted(n.utf7)) {
			t.Errorf("%s as %s: %q", n.utf8, n.utf7, got)
		}
		if got := c.ask("LIST " + `"" ` + quoted(n.utf8)); len(got) != 1 || !strings.HasSuffix(got[0], ` "/" `+quoted(n.utf8)) {
			t.Errorf("%s: %q", n.utf8, got)
		}
		old.send("x CREATE " + quoted(n.utf7))
		old.want("x NO [ALREADYEXISTS] There is a folder of that name already; nothing was changed")
		old.ask("DELETE " + quoted(n.utf7))
	}
	before := c.folders("")
	for _, name := range []string{"\u202egpj.exe", "a\u200bb", "a\u0085b", "a\u0007b", "a\u2028b", "", "/", "/a", "a//b", " ", "a ", "a/ b", "50%", "*",
		strings.Repeat("x", 256), strings.Repeat("ä", 128), "a/b/c/d/e/f/g/h/i/j/k"} {
		c.send("x CREATE " + quoted(name))
		if got := c.response(); !like(got, "x NO [CANNOT] nothing was changed: the name of a folder has at most 255 octets and 10 levels, ...") &&
			!like(got, "x BAD [CLIENTBUG] A number, flag or folder name in this command cannot be read; nothing was done. ...") {
			t.Errorf("%q: %s", name, got)
		}
	}
	for _, broken := range []string{"&", "a&ZeVnLIqe", "&AAoA-x", "&AMkA-t", "&AGEAYg-"} {
		old.send(`x CREATE "` + broken + `"`)
		if got := old.response(); !strings.HasPrefix(got, "x BAD [CLIENTBUG] A number, flag or folder name in this command cannot be read; nothing was done. ") {
			t.Errorf("%s: %s", broken, got)
		}
	}
	if got := c.folders(""); !slices.Equal(got, before) {
		t.Errorf("folders %q, were %q", got, before)
	}
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// What is the desk's stays, whatever is tried with it.
func TestBadInput_FoldersOfTheDesk(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tag := o.opened("Overflow")
	c := o.as("ana")
	c.ask("CREATE Mine")
	before := c.folders("")
	top := `"Cases/` + tag + ` Overflow"`
	for command, answer := range map[string]string{
		"DELETE INBOX":                   "[CANNOT] the folders of the desk stay as they are, nothing was changed; ...",
		"DELETE Intake":                  "[CANNOT] the folders of the desk stay ...",
		`DELETE "Do/New case"`:           "[CANNOT] the folders of the desk stay ...",
		"DELETE Do":                      "[NONEXISTENT] There is no such folder; nothing was done, ...",
		"DELETE " + top:                  "[CANNOT] the folders of the desk stay ...",
		"DELETE Drafts":                  "[CANNOT] your folder Drafts always stays, nothing was changed; ...",
		"DELETE Nowhere":                 "[NONEXISTENT] There is no such folder; ...",
		"RENAME INBOX Old":               "[CANNOT] the folders of the desk stay ...",
		"RENAME " + top + " Mine2":       "[CANNOT] only the words after the tag can be changed: ...",
		"RENAME Trash Bin":               "[CANNOT] your folder Trash always stays, ...",
		"RENAME Mine Do/Approve2":        "[CANNOT] nothing was changed: what is below Do is the desk's; ...",
		"RENAME Mine " + top:             "[CANNOT] nothing was changed: what is below Cases is the desk's; ...",
		"RENAME Mine Intake":             "[ALREADYEXISTS] There is a folder of that name already; ...",
		"RENAME Mine Mine/Deeper":        "[CANNOT] a folder cannot move into itself; nothing was changed",
		"RENAME Nowhere Here":            "[NONEXISTENT] There is no such folder; ...",
		"CREATE Do":                      "[CANNOT] nothing was changed: what is below Do is the desk's; ...",
		`CREATE "Do/Everything"`:         "[CANNOT] nothing was changed: what is below Do is the desk's; ...",
		`CREATE "dO/Everything"`:         "[CANNOT] nothing was changed: what is below Do is the desk's; ...",
		"CREATE Closed/2026":             "[CANNOT] nothing was changed: what is below Closed is the desk's; ...",
		"CREATE inbox":                   "[ALREADYEXISTS] There is a folder of that name already; ...",
		"SUBSCRIBE Nowhere":              "[NONEXISTENT] There is no such folder; ...",
		"STATUS Nowhere (MESSAGES)":      "[NONEXISTENT] There is no such folder; ...",
		"SELECT Cases":                   "[NONEXISTENT] There is no such folder; ...",
		"RENAME Mine \"50%\"":            "[CANNOT] nothing was changed: the name of a folder ...",
		"RENAME Mine \"a/b/../ c\"":      "[CANNOT] nothing was changed: the name of a folder ...",
		`CREATE "Cases/PAR-2026-0099 X"`: "[CANNOT] nothing was changed: what is below Cases is the desk's; ...",
	} {
		c.send("x " + command)
		if got := c.until("x NO")[0]; !like(got, "x NO "+answer) {
			t.Errorf("%s: %s", command, got)
		}
	}
	if got := c.folders(""); !slices.Equal(got, before) {
		t.Errorf("folders %q, were %q", got, before)
	}
}

// What is appended where only served messages count is refused, in one
// sentence and a mail, and nothing of it is kept.
func TestBadInput_Append(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tag := o.opened("Overflow")
	c := o.as("ana")
	finder := `"Cases/` + tag + ` Overflow/Finder"`
	garbage := []string{"", "abc", "\x00\x01\xff\xfe", "Subject: =?utf-8?q?=ff?=\r\n\r\n\r\n", strings.Repeat("\n", 5000), nest(200), "a APPEND Drafts {3}\r\n"}
	for _, folder := range []string{`"Do/New case"`, "Do/Approve", "Intake", "INBOX", finder} {
		for _, raw := range garbage {
			c.write(fmt.Sprintf("x APPEND %s {%d+}\r\n%s\r\n", folder, len(raw), raw))
			c.want("x NO [ALERT] only messages that Parley shows may be put into ..., unchanged; nothing was changed")
		}
	}
	c.write("x APPEND Do {3+}\r\nabc\r\n")
	c.want("x NO [CANNOT] There is no folder of that name that takes messages, and none can be made; nothing was put anywhere")
	c.write("x APPEND Nowhere {3+}\r\nabc\r\n")
	c.want("x NO [TRYCREATE] There is no such folder; nothing was put anywhere, ...")
	// In a folder of one's own anything is kept, octet for octet.
	for i, raw := range garbage {
		c.write(fmt.Sprintf("x APPEND Drafts {%d+}\r\n%s\r\n", len(raw), raw))
		c.want(fmt.Sprintf("x OK [APPENDUID ... %d] ...", i+1))
	}
	c.ask("SELECT Drafts")
	for i, raw := range garbage {
		if got := c.ask(fmt.Sprintf("FETCH %d BODY.PEEK[]", i+1)); got[0] != fmt.Sprintf("* %d FETCH (BODY[] {%d}\r\n%s)", i+1, len(raw), raw) {
			t.Errorf("%.40q came back as %.80q", raw, got)
		}
	}
	c.ask("FETCH 1:* (ENVELOPE BODYSTRUCTURE RFC822.SIZE)")
}

// 50 MiB dropped into Do/ change nothing and end nothing; one octet more is not
// even taken.
func TestBadInput_50MiBIntoDo(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 100 MiB")
	}
	o := newOffice(t)
	c := o.as("ana")
	const limit = 50 << 20
	large := "Subject: large\r\n\r\n" + strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab\r\n", limit/62)
	large += strings.Repeat("x", limit-len(large))
	c.write(fmt.Sprintf("a APPEND Do/Approve {%d+}\r\n", limit))
	c.write(large + "\r\n")
	c.want("a NO [ALERT] only messages that Parley shows may be put into Do/Approve, unchanged; nothing was changed")
	c.send(fmt.Sprintf("b APPEND Do/Approve {%d}", limit+1))
	c.want("b NO [TOOBIG] This is larger than a message may be here, ...; nothing was taken. ...")
	c.write(fmt.Sprintf("c APPEND Do/Approve {%d+}\r\n", limit+1))
	c.write(large + "x\r\n")
	c.want("c NO [TOOBIG] ...")
	c.talk(`
		C: d STATUS Do/Approve (MESSAGES UIDNEXT)
		S: * STATUS "Do/Approve" (MESSAGES 0 UIDNEXT 1)
		S: d OK ...`)
	c.ask("SELECT INBOX")
	if got := c.ask(`SEARCH SUBJECT "Not done: Do/Approve"`); got[0] != "* SEARCH 1" {
		t.Errorf("INBOX: %q", got)
	}
}

// What cannot be read is answered, and changes nothing; the session goes on.
func TestBadInput_Commands(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(2)...)
	c := o.in("ana", "Intake")
	gone := o.in("ana", "Intake")
	for command, answer := range map[string]string{
		"FROB":                 "BAD Unknown command; nothing was done, and CAPABILITY lists what there is",
		"UID FROB":             "BAD Unknown command; nothing was done, ...",
		"STORE 0 +FLAGS (x)":   "BAD [CLIENTBUG] A number, flag or folder name in this command cannot be read; nothing was done. ...",
		"STORE abc +FLAGS (x)": "BAD ...",
		"STORE 1 +FLAGS (a(b)": "BAD ...",
		"STORE 1 +FLAGS (" + strings.Repeat("k", 65) + ")": "NO [LIMIT] Nothing was changed: a keyword has at most 64 octets",
		"FETCH 1 (FROB)":                  "BAD [CLIENTBUG] There is no such item to FETCH; nothing was read or marked",
		"FETCH 4294967296 UID":            "BAD ...",
		"COPY 1 Do":                       "NO [CANNOT] There is no folder of that name that takes messages, and none can be made; nothing was put anywhere",
		"COPY 1 Cases/Mine":               "NO [CANNOT] There is no folder of that name ...",
		"COPY 1 Nowhere":                  "NO [TRYCREATE] There is no such folder; nothing was put anywhere, ...",
		"MOVE 1 Held":                     "NO [ALERT] nothing can be put into Held by hand; nothing was changed",
		`COPY 1 "Do/New case"`:            "NO [ALERT] this is no report from Intake, ...",
		"SEARCH":                          "BAD ...",
		"SEARCH FROB":                     "BAD ...",
		"SEARCH CHARSET KLINGON ALL":      "NO [BADCHARSET] ...",
		"LOGIN ana x":                     "BAD ...",
		"APPEND":                          "BAD ...",
		"STORE 99 +FLAGS (\\Deleted)":     "OK ...",
		"UID STORE 99 +FLAGS (\\Deleted)": "OK ...",
		"UID EXPUNGE 99":                  "OK ...",
	} {
		c.send("x " + command)
		if got := c.response(); !like(got, "x "+answer) {
			t.Errorf("%s: %s", command, got)
		}
	}
	if got := c.ask("FETCH 1:* (UID FLAGS)"); !slices.Equal(got, []string{"* 1 FETCH (UID 1 FLAGS ())", "* 2 FETCH (UID 2 FLAGS ())"}) {
		t.Errorf("%q", got)
	}
	// STORE on what another client has just taken away.
	c.ask(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.ask("EXPUNGE")
	gone.talk(`
		C: a STORE 1 +FLAGS.SILENT (\Flagged)
		S: a OK ...
		C: b UID FETCH 1 (UID FLAGS)
		S: * 1 FETCH ...
		S: b OK ...
		C: c NOOP
		S: * 1 EXPUNGE
		S: c OK ...`)
}
