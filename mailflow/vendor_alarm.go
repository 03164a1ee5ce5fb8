package mailflow

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// alarmEvery is how often one case may alarm the desk on the word of parties.
const alarmEvery = time.Hour

// maxAlarm is how many characters of what a party says an alarm repeats; the
// letter holds all.
const maxAlarm = 300

// alarmVerbs are what parties alarm the desk with: what each says, and what the
// desk may do. None starts anything by itself (rule M7).
var alarmVerbs = map[string]struct{ says, next string }{
	"LEAK": {"says that details leaked",
		"    case %[1]s\n    dates\n    embargo DATE because \"leaked\"\nto move the date alone; or, to stop what has not left,\n    case %[1]s\n    hold case because \"leaked?\""},
	"PUBLISHED": {"says that it is published",
		"    case %[1]s\n    dates\n    embargo DATE because \"published\"\nor, to stop what has not left,\n    case %[1]s\n    hold case because \"published?\""},
	"EXPLOITED": {"says that it is exploited",
		"    case %[1]s\n    exploited source \"%[2]s\"\n    dates"},
}

// partyAlarms hold when parties of a case alarmed the desk last.
var partyAlarms = store.Versioned[time.Time]("partyalarms")

// alarm puts LEAK, EXPLOITED or PUBLISHED before the desk at once: who says what,
// and the next lines to type. Within an hour of another one of the case it is a
// task like a letter, since nothing may be lost and nobody is to cry wolf. The
// answer is the same either way: it tells nobody what others said (rule V2).
func (in *Intake) alarm(tx *store.Tx, c cvd.Case, who *cvd.Participant, cmd vendorCommand, via string) (templates.Result, error) {
	answer := templates.Result{Word: templates.ResultAlarm}
	key := tx.Name("partyalarm", string(c.ID))
	last, err := partyAlarms.Get(tx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return answer, err
	}
	loud := err != nil || tx.Now.Sub(last) >= alarmEvery || tx.Now.Before(last)
	p, err := in.alarmPost(tx, c, who, cmd, via, loud)
	if err != nil {
		return answer, err
	}
	if err := in.task(tx, threadTask("alarm-"+strings.ToLower(cmd.Verb), c.ID, who.Party), p); err != nil {
		return answer, err
	}
	if !loud {
		return answer, nil
	}
	return answer, partyAlarms.Put(tx, caseScope(c.ID), key, tx.Now)
}

func (in *Intake) alarmPost(tx *store.Tx, c cvd.Case, who *cvd.Participant, cmd vendorCommand, via string, loud bool) (Post, error) {
	verb := alarmVerbs[cmd.Verb]
	said := fmt.Sprintf("%s %s in %s", who.Party, verb.says, spokenCase(c.ID))
	day := tx.Now.UTC().Format("2 Jan")
	subject := "ALARM " + cmd.Verb + ": " + said
	if !loud {
		subject = cmd.Verb + ", after the alarm: " + said
	}
	next := fmt.Sprintf(verb.next, c.ID, string(who.Party)+", "+day)
	if n, inReport := reportNumber(c.ID); inReport {
		next = fmt.Sprintf("    case open report %d\nand what the case then needs.", n)
	} else if cmd.Verb == "LEAK" {
		lines, err := in.leakOrders(tx, c, strings.Join(cmd.Args, " "))
		if err != nil {
			return Post{}, err
		}
		next = lines + next
	}
	why := "they name no place and no source"
	if words := defanged(strings.Join(cmd.Args, " ")); words != "" {
		why = "they write: " + words
	}
	r, err := in.Templates.Refusal(refusal(subject,
		fmt.Sprintf("It came %s (%s), and is filed in its thread. Nothing was sent by it and no date moved; no address was opened, and none below can be clicked. Look at it from a machine that gives nothing away.", instant(tx.Now), via),
		why, "find out whether it is so, then write to control@"+in.DeskDomain+", signed,\n"+next+"\nAnswer them with Reply."))
	if err != nil {
		return Post{}, err
	}
	return Post{Case: c.ID, Subject: subject, Text: r.Text, Kind: "alarm", From: string(who.Party), Alias: string(who.Party) + "." + c.ID.Lower()}, nil
}

// defanged is what a party wrote, as text that no client makes a link of: it is
// never fetched, by us or by a preview.
func defanged(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	var out []string
	for _, w := range strings.Fields(s) {
		out = append(out, defangedWord(w))
	}
	return shortened(strings.Join(out, " "), maxAlarm)
}

// defangedWord changes a word that looks like an address: hxxps://evil[.]example.
func defangedWord(w string) string {
	if i := strings.Index(w, "://"); i >= 0 {
		scheme := strings.NewReplacer("t", "x", "T", "X").Replace(w[:i])
		host, rest, slash := strings.Cut(w[i+3:], "/")
		w = scheme + "://" + strings.ReplaceAll(host, ".", "[.]")
		if slash {
			w += "/" + strings.ReplaceAll(rest, "://", "[:]//")
		}
		return w
	}
	if dot := strings.IndexByte(w, '.'); dot > 0 && dot < len(w)-1 {
		host, rest, slash := strings.Cut(w, "/")
		if w = strings.ReplaceAll(strings.ReplaceAll(host, "@", "[@]"), ".", "[.]"); slash {
			w += "/" + rest
		}
		return w
	}
	return strings.ReplaceAll(w, "@", "[@]")
}
