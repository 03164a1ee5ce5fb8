package mailflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// languageRig is a desk on which every line of the reference can be carried
// out: a case that has started, one that has not, a report, an approval that
// waits, a delivery whose end is unknown.
func languageRig(t *testing.T) (r *deskRig, values map[string]string) {
	t.Helper()
	r = newDeskRig(t)
	r.say(asOperator, "vendor add acme psirt@acme.example", "vendor add initech psirt@initech.example channel hand",
		`case open "In another library" policy fast`, "invite acme wave 1 footprint 40M", "invite initech", "start now",
		`case open "Heap overflow" policy default`, "invite acme")
	claimed := r.giveKey("acme", "psirt@acme.example", keyring.Claimed)
	r.fileReport(17, "ATL initialisation")
	r.haveLeft("PAR-2026-0001", "initech", cvd.HeadsUp)
	r.haveLeft("PAR-2026-0001", "acme", cvd.HeadsUp)
	a := cvd.ApprovalRequest{ID: "9f3a-27c1", Case: "PAR-2026-0001", Stage: cvd.Scope, Author: "ben", Authors: []string{"ben"},
		Parties: []cvd.PartyID{"acme"}, Need: 2, Due: rigNow}
	r.update(func(tx *store.Tx) error { return putApproval(tx, a) })
	return r, map[string]string{"4B32ADAC…": string(claimed), "4B32…": string(claimed), "F1R5T": string(claimed)[:4]}
}

// Every line of the desk language as its reference shows it, with straight and
// curly quotes, in small and in capital letters. A row may need lines before it.
func TestLanguage_AsDocumented(t *testing.T) {
	t.Parallel()
	rows := []struct{ before, line, want string }{
		{"", `case open "ATL initialisation" policy default report 17`, "PAR-2026-0003 ATL initialisation; policy default"},
		{"", `case PAR-2026-0002`, "PAR-2026-0002 Heap overflow"},
		{"case PAR-2026-0002", `case policy cert-cc`, "follows policy cert-cc"},
		{"case PAR-2026-0002", `case severity high`, "severity high"},
		{"case PAR-2026-0002", `case assign ben`, "ben answers"},
		{"case PAR-2026-0002", `case restrict ana ben`, "seen by ana ben"},
		{"case PAR-2026-0002", `case close`, "is closed"},
		{"case PAR-2026-0002", `claim`, "no task of PAR-2026-0002 is open"},
		{"case PAR-2026-0002; case close", `case reopen`, "not started"},
		{"", `vendor add globex psirt@globex.example`, "globex <psirt@globex.example>"},
		{"vendor add globex psirt@globex.example", `vendor edit globex lead 30d second ceo@globex.example zone Asia/Tokyo form inline channel hand`, "zone Asia/Tokyo"},
		{"vendor add globex psirt@globex.example; case PAR-2026-0002", `invite globex wave 2 affects "Player 9.1" footprint 40M`, "takes part in PAR-2026-0002, wave 2"},
		{"vendor add globex psirt@globex.example; case PAR-2026-0002; invite globex", `withdraw globex because "…"`, "globex is withdrawn"},
		{"", `member add acme jo@acme.example`, "may write from jo@acme.example"},
		{"", `key list acme`, "claimed"},
		{"", `key confirm acme 4B32ADAC… evidence "phone, 3 Dec"`, "confirmed"},
		{"", `key reject acme 4B32…`, "rejected"},
		{"", `key reject acme F1R5T…`, "is rejected and not used"},
		{"", `key reject acme F1R5T because "not theirs"`, "is rejected and not used"},
		{"case PAR-2026-0002", `start now`, "starts 2026-12-01T09:00Z"},
		{"case PAR-2026-0002", `start 2026-12-01T09:00Z`, "starts 2026-12-01T09:00Z"},
		{"case PAR-2026-0002", `plan`, "plan "},
		{"case PAR-2026-0002", `plan acme`, "acme  1/"},
		{"case PAR-2026-0002; start now", `stage acme details at 2026-12-08T09:00Z`, "is due 2026-12-08T09:00Z"},
		{"case PAR-2026-0001", `late acme never because "…"`, "nothing further goes to it before all is public"},
		{"case PAR-2026-0001", `late acme now because "…"`, "it is late: scope, details from"},
		{"case PAR-2026-0001; late acme never because x", `late acme as planned`, "it is not late"},
		{"case PAR-2026-0001", `hold acme because "…"`, "nothing goes to acme"},
		{"case PAR-2026-0001", `hold case`, "is on hold"},
		{"", `hold all`, "nothing leaves"},
		{"case PAR-2026-0001; hold acme", `release acme`, "goes on"},
		{"case PAR-2026-0001; hold case", `release case`, "goes on"},
		{"hold all", `release all`, "mail leaves again"},
		{"case PAR-2026-0001", `embargo 2027-01-12T16:00Z because "fix needs 2 weeks"`, "ends 2027-01-12T16:00Z"},
		{"case PAR-2026-0001", `dates`, "the end as it is, v1"},
		{"", `approve 9f3a-27c1`, "9f3a-27c1 has 1 of 2"},
		{"", `reject 9f3a-27c1 because "…"`, "rejected"},
		{"case PAR-2026-0001; release-later", `undo U1`, "goes on"},
		{"case PAR-2026-0001; by-hand", `record initech delivered scope via "portal"`, "was told scope by hand"},
		{"case PAR-2026-0001", `record acme accept v1 via phone "…"`, "accepted v1"},
		{"case PAR-2026-0001", `record acme called "…"`, "in its history"},
		{"case PAR-2026-0001", `record acme status fixed 4.8`, "acme: fixed 4.8"},
		{"case PAR-2026-0001; told", `answer-all stage details "…"`, "goes to 1 vendor at details"},
		{"case PAR-2026-0001; told", `answer-all details "…"`, "goes to 1 vendor at details"},
		{"case PAR-2026-0001", `exploited source "telemetry"`, "known since"},
		{"case PAR-2026-0001", `leak-kit show`, "rumour: the shipped statement"},
		{"case PAR-2026-0001; kit", `leak https://paste.example/x9 stage details within 30m`, "a leak of details is on record"},
		{"", `sending pause`, "nothing leaves"},
		{"sending pause", `sending resume`, "mail leaves again"},
		{"delivery", `delivery D1 sent`, "counts as sent"},
		{"delivery", `delivery D1 again`, "D1 to acme is "},
		{"delivery", `delivery D1 drop`, "is dropped"},
		{"", `status`, "PAR-2026-0001"},
		{"case PAR-2026-0001", `history acme`, "party.invited"},
		{"", `help hold`, "hold PARTY|case|all"},
		{"", `HELP`, "The plan"},
		{"case PAR-2026-0002", `legal-hold on`, "under legal hold"},
		{"case PAR-2026-0002; legal-hold on", `legal-hold off`, "not under legal hold any more"},
		{"", `keep PAR-2026-0002 for 365d because "…"`, "is kept until"},
		{"", `keep PAR-2026-0002 until 2028-01-12T16:00Z`, "is kept until"},
		{"", `keep PAR-2026-0002 forever`, "under legal hold"},
		{"keep PAR-2026-0002 for 365d", `keep PAR-2026-0002 no`, "is not kept any longer"},
		{"", `dry-run`, ""},
	}
	for _, row := range rows {
		t.Run(row.line, func(t *testing.T) {
			t.Parallel()
			for _, style := range []func(string) string{asWritten, curly, loud} {
				r, values := languageRig(t)
				by, tag := asAnaSigns, ""
				for _, b := range strings.Split(row.before, "; ") {
					if strings.HasPrefix(b, "case PAR") {
						tag = b
					}
					if id := r.prepares(by, b, tag); id != "" {
						values["U1"] = id
					}
				}
				line := style(row.line)
				for from, to := range values {
					line = strings.Replace(line, from, to, 1)
				}
				if line == "dry-run" || line == "DRY-RUN" {
					tr, err := r.Do(context.Background(), by, []string{line, "status"})
					r.must(err)
					if !tr.Dry {
						t.Errorf("%s", tr)
					}
					continue
				}
				lines := []string{line}
				if tag != "" && tag != row.line {
					lines = []string{style(tag), line}
				}
				if got := r.say(by, lines...); !strings.Contains(got, row.want) {
					t.Errorf("%q: %q, want %q", line, got, row.want)
				}
			}
		})
	}
}

// prepares does what a row of the reference needs; of what can be taken back
// it gives the ID.
func (r *deskRig) prepares(by Actor, what, tag string) string {
	r.t.Helper()
	switch {
	case what == "" || what == tag:
	case what == "release-later":
		return r.offers(by, tag, "hold acme")
	case what == "by-hand":
		r.say(asOperator, tag, "record initech ack via call")
		r.writes("PAR-2026-0001", cvd.Scope, "scope")
		r.after(r.Settings.Undo)
	case what == "kit":
		r.writes("PAR-2026-0001", cvd.Details, "details")
	case what == "told":
		r.haveLeft("PAR-2026-0001", "acme", cvd.Details)
	case what == "delivery":
		r.queued("acme", cvd.Scope)
		_, err := r.Queue.RunDue(r.t.Context(), r.now())
		r.must(err)
	case tag != "":
		r.say(by, tag, what)
	default:
		r.say(by, what)
	}
	return ""
}

func asWritten(line string) string { return line }

// curly is what a phone makes of quotes.
func curly(line string) string {
	for strings.Contains(line, `"`) {
		line = strings.Replace(strings.Replace(line, `"`, "“", 1), `"`, "”", 1)
	}
	return line
}

// loud writes everything in capital letters but what stands in quotes, an
// address, a zone, a duration, a date: words, tags and names in any case.
func loud(line string) string {
	var out []string
	quoted := false
	for _, w := range strings.Split(line, " ") {
		plain := !quoted && !strings.ContainsAny(w, `"@/`) && (len(w) == 0 || w[0] < '0' || w[0] > '9')
		quoted = quoted != (strings.Count(w, `"`)%2 == 1)
		if plain {
			w = strings.ToUpper(w)
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// Every command has an example, which is understood as that command; its help
// fits a mail of 72 columns and says why it counts only signed.
func TestLanguage_HelpForEach(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	for _, c := range commands() {
		words, err := lex(c.such)
		if err != nil || len(words) == 0 {
			t.Errorf("%s: example %q: %v", c.words, c.such, err)
			continue
		}
		if got, _, err := find(words); err != nil || got.words != c.words {
			t.Errorf("%s: the example %q is %q, %v", c.words, c.such, got.words, err)
		}
		got := r.say(asAna, "help "+c.words)
		for _, want := range []string{c.words, "Such as: "} {
			if !strings.Contains(got, want) {
				t.Errorf("help %s lacks %q:\n%s", c.words, want, got)
			}
		}
		if c.signed != "" && !strings.Contains(unwrapped(got), "It "+c.signed+": by mail it counts only signed") {
			t.Errorf("help %s does not say why it counts only signed:\n%s", c.words, got)
		}
		narrow(t, "help "+c.words, got)
	}
	all := r.say(asAna, "help")
	narrow(t, "help", all)
	for _, c := range commands() {
		if !strings.Contains(all, "\n"+c.words) && !strings.HasPrefix(all, c.words) {
			t.Errorf("help lacks %s", c.words)
		}
	}
}

func narrow(t *testing.T, what, text string) {
	t.Helper()
	for _, l := range strings.Split(text, "\n") {
		if n := len([]rune(l)); n > helpColumns {
			t.Errorf("%s: a line of %d columns: %s", what, n, l)
		}
	}
}

// The examples are carried out, or refused for what is not there: never for how
// they are written.
func TestLanguage_ExamplesAreWellWritten(t *testing.T) {
	t.Parallel()
	for _, c := range commands() {
		if c.words == "dry-run" {
			continue
		}
		r, _ := languageRig(t)
		r.say(asOperator, "vendor add globex psirt@globex.test", "case PAR-2026-0001", "invite globex")
		tr, err := r.Do(context.Background(), asAnaSigns, []string{"case PAR-2026-0001", c.such})
		r.must(err)
		for _, slip := range []string{"write: ", "not understood", "is missing", "did you mean"} {
			if got := tr.Lines[1]; got.Outcome == NotDone && strings.Contains(got.Result, slip) {
				t.Errorf("%s: %s", c.such, got.Result)
			}
		}
	}
}

// A slip gets a sentence that says what to do.
func TestLanguage_Slips(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	for _, row := range []struct{ line, why string }{
		{"undp U1", "did you mean undo?"},
		{"answer-al details x", "did you mean answer-all?"},
		{"exploted source x", "did you mean exploited?"},
		{"legal-hld on", "did you mean legal-hold?"},
		{"datse", "did you mean dates?"},
		{"hold globx", "did you mean globex?"},
		{"plan globx", "did you mean globex?"},
		{"record amce ack via mail", "did you mean acme?"},
		{"record acme acks via mail", "did you mean ack?"},
		{"record acme ready soon", "is not an instant"},
		{"record acme ready by 2027-02-10", "how it came is missing"},
		{"stage acme detials at 2026-12-01T09:05Z", "did you mean details?"},
		{"vendor edti acme", "did you mean edit?"},
		{"key lst acme", "did you mean list?"},
		{"approve 0000-0000", "any change to a text, recipient, key or date makes a new one"},
		{"delivery D99 sent", "there is no delivery D99; `status` names those that need a person"},
		{"case PAR-2026-0099", "there is no case PAR-2026-0099; `status` lists the cases"},
		{"dates now", `"now" is not understood here`},
		{"undo U1 please", `"please" is not understood here`},
	} {
		r.refused(asAnaSigns, row.why, "case PAR-2026-0001", row.line)
	}
	var none *Refusal
	if err := unknown(nil); !errors.As(err, &none) {
		t.Error(fmt.Sprint(err))
	}
}
