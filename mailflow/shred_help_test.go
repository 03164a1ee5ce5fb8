package mailflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// dumps read all rows of each table as JSON, by its name.
var dumps = map[string]func(*store.Tx) []string{
	"ahead": rowsOf(aheadRows), "aheaddue": rowsOf(aheadDue), "reviews": rowsOf(reviewRows),
	"cases": rowsOf(cases), "parties": rowsOf(parties), "participants": rowsOf(participants), "notices": rowsOf(notices),
	"letters": rowsOf(letters), "due": rowsOf(dueRows), "materials": rowsOf(materials), "approvals": rowsOf(approvals),
	"reports": rowsOf(reports), "keys": rowsOf(pinnedKeys), "keyids": rowsOf(keyOwners), "finderkeys": rowsOf(finderKeys), "finderkeycounts": rowsOf(finderCounts), "tokens": rowsOf(tokens),
	"msgids": rowsOf(msgIDs), "seen": rowsOf(seen), "spool": rowsOf(spool), "coordinators": rowsOf(coordinators),
	"sending": rowsOf(sendingState), "ticks": rowsOf(ticks), "tasks": rowsOf(tasks), "bounces": rowsOf(bounces), "bouncetallies": rowsOf(bounceTallies),
	"answered": rowsOf(answered), "scheduled": rowsOf(scheduledRows), "dirty": rowsOf(dirtyCases),
	"own-keys": rowsOf(ownRows), "own-secrets": rowsOf(ownSecrets), "gateway-keys": rowsOf(firstKeys), "own-alarms": rowsOf(ownAlarms), "domain-keys": rowsOf(domainKeys),
	"letters-waiting": rowsOf(waitingRows), "watches": rowsOf(watchRows), "watchesdue": rowsOf(watchDue), "guardforgets": rowsOf(guardForgets),
	"askedkeys": rowsOf(askedKeys), "cra": rowsOf(craRows), "seats": rowsOf(seatRows), "filed": rowsOf(filedOrders), "casedays": rowsOf(dayRows),
	"casedaysdue": rowsOf(daysDue), "shredsdue": rowsOf(shredsDue), "letters-waitingdue": rowsOf(waitingDue),
	"casefolders": rowsOf(caseTops), "approvalsubjects": rowsOf(approvalSubjects), "approvalhashes": rowsOf(approvalHashes),
	"approvalparts": rowsOf(approvalDetails), "digests": rowsOf(digestRows), "filings": rowsOf(filings), "undos": rowsOf(undos),
	"undos-of": rowsOf(decided), "receipts": rowsOf(receipts), "opentasks": rowsOf(openNames), "partyalarms": rowsOf(partyAlarms),
	"approvalalarms": rowsOf(approvalAlarms), "sent-restate": rowsOf(restates), "lookups": rowsOf(lookups), "lookupdue": rowsOf(lookupRows),
	"sealings": rowsOf(sealings), "faqs": rowsOf(faqs), "shreds": rowsOf(shreds),
	"guardrenamings": rowsOf(renamings), "leaks": rowsOf(leakRows), "leakkits": rowsOf(kitRows), "materialsums": rowsOf(materialSums),
	"superseded-views": rowsOf(superseded), "said": rowsOf(saidRows), "silences": rowsOf(silences), "silencesdue": rowsOf(silenceRows),
	"introductions": rowsOf(introductions), "keyasks": rowsOf(keyAsks), "keyasksdue": rowsOf(keyAskRows), "backups": rowsOf(backupRows),
	"retained": rowsOf(retained), "retaineddue": rowsOf(retainedDue), "retentionletters": rowsOf(retentionLetters), "junked": rowsOf(junked), "junkdue": rowsOf(junkDue),
}

func rowsOf[V any](t store.Table[V]) func(*store.Tx) []string {
	return func(tx *store.Tx) (out []string) {
		for r, err := range t.All(tx, nil) {
			if errors.Is(err, store.ErrShredded) {
				continue
			}
			text, _ := json.Marshal(r.Value)
			out = append(out, fmt.Sprintf("%s %v", text, err))
		}
		return out
	}
}

// dump is all that opens in a store, by table; of mails also what they say.
func dump(t *testing.T, st *store.Store) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := st.View(func(tx *store.Tx) error {
		for name, rows := range dumps {
			out[name] = rows(tx)
		}
		deliveries, err := new(queue.Queue).All(tx)
		if err != nil {
			return err
		}
		out["deliveries"] = append(out["deliveries"], fmt.Sprintf("%+v", deliveries))
		boxes, err := tx.Mailboxes()
		out["mailboxes"] = append(out["mailboxes"], fmt.Sprintf("%+v", boxes))
		for m, failed := range tx.MessagesFrom(0) {
			if errors.Is(failed, store.ErrShredded) {
				continue
			}
			bodies := []store.Body{m.Served}
			if m.Raw != nil {
				bodies = append(bodies, *m.Raw)
			}
			row, _ := json.Marshal(m)
			out["messages"] = append(out["messages"], fmt.Sprintf("%s %s %v", m.Scope, row, failed))
			for _, b := range bodies {
				raw, failed := tx.Bytes(b)
				out["bodies"] = append(out["bodies"], fmt.Sprintf("%s %d %s %v", m.Scope, m.ID, raw, failed))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// holding names the tables in which some words stand, however written.
func holding(all map[string][]string, words ...string) (tables []string) {
	for name, rows := range all {
		text := strings.ToLower(strings.Join(rows, "\n"))
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, strings.ToLower(w)) }) {
			tables = append(tables, name)
		}
	}
	slices.Sort(tables)
	return tables
}

// Every table of the flows is among the dumps.
func TestH3_EveryTableIsLookedAt(t *testing.T) {
	t.Parallel()
	made := regexp.MustCompile(`store\.(?:Versioned|WriteOnce)\[[^\n]*\]\("([a-z-]+)"\)`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range made.FindAllStringSubmatch(string(text), -1) {
			if n++; dumps[m[1]] == nil && !strings.HasSuffix(f, "_test.go") {
				t.Errorf("%s makes the table %q, which no test of rule H3 looks at", f, m[1])
			}
		}
	}
	if n < len(dumps) {
		t.Errorf("%d tables found, %d dumps", n, len(dumps))
	}
}

// closable is a desk of two with a case that has not begun.
func closable(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	return w, w.caseWith()
}

func signed(name string) Actor { return Actor{Name: name, Signed: true, Via: ViaMail} }

// wordsOfShredded are what only the case that is destroyed says.
var wordsOfShredded = []string{"zyzzyxcanary", "gil@finder.example", "quaggacanary"}

const shredTitle = "Zyzzyxcanary overflow"

// shredStory is a desk of two, a case that has been through much and is closed,
// and another one beside it.
func shredStory(t *testing.T) (w *world, id, other cvd.CaseID) {
	t.Helper()
	w = newWorld(t)
	w.Digest = DigestTime{true, 8, 0}
	w.coordinator("ana")
	w.coordinator("ben")
	gil := w.person("gil", "gil@finder.example")
	r := w.reported(gil, shredTitle, "quaggacanary: it overflows")
	w.control("ana", true, fmt.Sprintf("case open %q policy nonesuch report %d", shredTitle, r.Number))
	w.control("ana", true, fmt.Sprintf("case open %q policy fast report %d", shredTitle, r.Number))
	id = caseOfReport(w, r.Number)
	w.material(id, cvd.Scope, "quaggacanary scope")
	w.vendor("acme")
	other = w.started("acme")
	w.answers("acme", other, true, "STATUS "+string(other)+" not-affected we ship none\n") // or else its silence goes on
	w.in(id, "invite acme wave 1", "start now")
	w.after(5 * w.Undo)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n\nquaggacanary answer")
	w.submits("ben", "acme."+id.Lower()+"@"+w.DeskDomain, false, "hello", "quaggacanary letter")
	w.submits("ben", "notes."+id.Lower()+"@"+w.DeskDomain, false, "a note", "quaggacanary note")
	w.control("ana", false, "status")
	w.control("ana", false, "case "+string(id), "invite acme wave 2")
	w.after(2 * cvd.Day)
	w.in(id, "hold acme", "release acme", `exploited source "quaggacanary"`)
	w.after(cvd.Day)
	w.in(id, "case close")
	w.settle()
	return w, id, other
}

// caseOfReport is the case that a report belongs to.
func caseOfReport(w *world, n uint64) (id cvd.CaseID) {
	w.view(func(tx *store.Tx) error {
		r, err := reports.Get(tx, store.Seq(n))
		id = r.Case
		return err
	})
	if id == "" {
		w.t.Fatal("no case was opened")
	}
	return id
}

// gaveUp asks for the end of a case by two people.
func (w *world) gaveUp(id cvd.CaseID) shredRow {
	w.t.Helper()
	if got := w.as(signed("ana"), "shred "+string(id)); got.Lines[0].Outcome != Waits {
		w.t.Fatal(got)
	}
	if got := w.as(signed("ben"), "approve "+w.shredOf(id).Approval); !got.Done() {
		w.t.Fatal(got)
	}
	return w.shredOf(id)
}

func (w *world) shredOf(id cvd.CaseID) (r shredRow) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		r, err = shredOf(tx, id)
		return err
	})
	return r
}
