package imapd_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// countIn reads a number after a word of an answer, 0 where it does not stand.
func countIn(t testing.TB, lines []string, pattern string) (n int) {
	t.Helper()
	for _, l := range lines {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(l); m != nil {
			n, err := strconv.Atoi(m[1])
			must(t, err)
			return n
		}
	}
	return 0
}

// found is how many messages a search finds.
func (c *client) found(criteria string) int {
	c.Helper()
	for _, l := range c.ask("UID SEARCH " + criteria) {
		if rest, ok := strings.CutPrefix(l, "* SEARCH"); ok {
			return len(strings.Fields(rest))
		}
	}
	return 0
}

// countsAgree compares for each folder what STATUS and LIST-STATUS say of it
// with what is there for whoever opens it.
func (o *office) countsAgree(login string) (folders, messages int) {
	o.Helper()
	asks, opens := o.as(login), o.as(login)
	opens.ask("ENABLE IMAP4rev1")
	listed := asks.ask(`LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN DELETED UIDNEXT UIDVALIDITY))`)
	for _, name := range asks.folders("") {
		quoted := strconv.Quote(name)
		if slices.ContainsFunc(listed, func(l string) bool {
			return strings.HasPrefix(l, "* LIST ") && strings.Contains(l, `\NoSelect`) && strings.HasSuffix(l, "/\" "+quoted)
		}) || name == "Cases" || name == "Do" {
			continue
		}
		status := asks.ask("STATUS " + quoted + " (MESSAGES UNSEEN DELETED UIDNEXT UIDVALIDITY)")
		selected := opens.ask("SELECT " + quoted)
		want := []int{countIn(o, selected, `^\* (\d+) EXISTS`), opens.found("UNSEEN"), opens.found("DELETED"), countIn(o, selected, `UIDNEXT (\d+)`), countIn(o, selected, `UIDVALIDITY (\d+)`)}
		if all := opens.found("ALL"); all != want[0] {
			o.Errorf("%s: SELECT %s says %d, SEARCH ALL finds %d", login, quoted, want[0], all)
		}
		for i, item := range []string{"MESSAGES", "UNSEEN", "DELETED", "UIDNEXT", "UIDVALIDITY"} {
			got := countIn(o, status, item+` (\d+)`)
			inList := countIn(o, slices.DeleteFunc(slices.Clone(listed), func(l string) bool {
				return !strings.HasPrefix(l, "* STATUS "+quoted+" ") && !strings.HasPrefix(l, "* STATUS "+name+" ")
			}), item+` (\d+)`)
			if got != want[i] || inList != want[i] {
				o.Errorf("%s: %s of %s is %d, in LIST-STATUS %d; opened it is %d", login, item, quoted, got, inList, want[i])
			}
		}
		folders, messages = folders+1, messages+want[0]
	}
	return folders, messages
}

// STATUS says of every folder what its SELECT and SEARCH do, for every login and
// view: after gestures, refusals and a changed mail, with messages that one
// coordinator hid, read or is about to delete, and a case restricted to another.
func TestCountsAgree(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	all := []string{"ana", "ben", "ana/phone", "ana/watch"}
	check := func(when string, least int) {
		t.Helper()
		for _, login := range all {
			if folders, messages := s.countsAgree(login); folders < 15 || login == "ana" && messages < least {
				t.Errorf("%s: %s saw %d folders and %d messages", when, login, folders, messages)
			}
		}
	}
	check("after the story", 7)

	top := ""
	ana := s.as("ana")
	for _, f := range ana.folders("Cases/") {
		if strings.Contains(f, s.tag) && strings.Count(f, "/") == 1 {
			top = f
		}
	}
	for _, folder := range []string{top + "/Finder", top + "/Vendor acme", "Intake"} {
		ana.ask("SELECT " + strconv.Quote(folder))
		ana.ask("STORE 1 +FLAGS (\\Seen)")
		ana.send("x COPY 1 Do/Approve") // refused: one more in INBOX
		ana.until("x NO")
	}
	check("after refusals", 9)

	ana.ask("SELECT INBOX")
	ana.ask("STORE 1 +FLAGS (\\Deleted)")
	check("with a mail marked as deleted", 9)
	ana.ask("EXPUNGE")
	ana.ask("SELECT " + strconv.Quote(top+"/Finder"))
	ana.ask("MOVE 1 Trash")
	check("with messages hidden", 9)

	ben := s.in("ben", "INBOX") // stays open over what follows
	s.do("case "+s.tag, "case restrict ana")
	ben.ask("NOOP")
	check("with a restricted case", 9)
	s.do("case "+s.tag, "case restrict everybody")
	s.do("case "+s.tag, "hold case because \"a second look\"")
	check("with it shown again", 9)
}
