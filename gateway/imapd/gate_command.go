package imapd

import (
	"bytes"
	"strings"
)

// unknownCommands is how many commands that nobody knows a client may send
// before it has logged in.
const unknownCommands = 5

// answer handles the commands that the library does not: ID, and before the
// login any that it does not know.
func (g *gate) answer(line []byte) (done bool, err error) {
	tag, name, ok := commandOf(line)
	known := libraryKnows(name)
	if !ok || known || (name != "ID" && g.wire.loginBy.IsZero()) {
		return false, nil
	}
	if err := g.swallow(line); err != nil {
		return true, err
	}
	if name == "ID" {
		g.say("* ID NIL\r\n" + tag + " OK ID completed")
		return true, nil
	}
	if g.unknown++; g.unknown > unknownCommands {
		return true, g.cut("Too many unknown commands")
	}
	g.say(tag + " BAD Unknown command; nothing was done, log in first")
	return true, nil
}

// commandOf takes the tag and the name of a command from its first line. What
// does not look like IMAP, as an HTTP request, has none: the library ends the
// connection over it.
func commandOf(line []byte) (tag, name string, ok bool) {
	tag, rest, ok := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
	name, _, _ = strings.Cut(rest, " ")
	name = strings.ToUpper(name)
	ok = ok && tag != "" && name != "" && len(tag) <= 64 && len(name) <= 32
	for _, c := range []byte(tag) {
		ok = ok && c > ' ' && c < 0x7f && !strings.ContainsRune(`+(){%*"\`, rune(c))
	}
	for _, c := range []byte(name) {
		ok = ok && (c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '=')
	}
	return tag, name, ok
}

// libraryKnows lists the commands that the library has an answer to, if only
// that this is not the time for them.
func libraryKnows(name string) bool {
	switch name {
	case "NOOP", "CHECK", "LOGOUT", "CAPABILITY", "STARTTLS", "AUTHENTICATE", "UNAUTHENTICATE", "LOGIN", "ENABLE",
		"CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "STATUS", "LIST", "LSUB", "NAMESPACE", "IDLE",
		"SELECT", "EXAMINE", "CLOSE", "UNSELECT", "APPEND", "FETCH", "EXPUNGE", "STORE", "COPY", "MOVE", "SEARCH":
		return true
	case "UID":
		return true // its second word matters only after the login
	}
	return false
}

// asksBody says whether a line may ask for BODY, the structure in its short form.
// The library does not tell whether it was asked for beside BODYSTRUCTURE. A yes
// too many costs time alone: the library then writes what it was asked for.
func asksBody(line []byte) bool {
	line = bytes.ToUpper(line)
	for {
		_, rest, ok := bytes.Cut(line, []byte("BODY"))
		if !ok {
			return false
		}
		if len(rest) == 0 || rest[0] != '[' && rest[0] != '.' && rest[0] != 'S' {
			return true
		}
		line = rest
	}
}
