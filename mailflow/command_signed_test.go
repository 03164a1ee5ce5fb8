package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// A stolen mailbox password alone cannot make anything leave: a row for each
// command that counts only signed. The same line counts signed, and from the
// operator.
func TestA3_CountsOnlySigned(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	r.say(asOperator, "vendor add initrode psirt@initrode.example channel hand lead 10d", "case PAR-2026-0001", "case policy default")
	claimed := r.giveKey("globex", "security@globex.example", keyring.Claimed)
	for _, row := range []struct{ lines, why string }{
		{"vendor add initech psirt@initech.example", "adds a recipient"},
		{"vendor edit globex address new@globex.example", "adds a recipient"},
		{"vendor edit globex second new@globex.example", "adds a recipient"},
		{"vendor edit initrode channel pgp", "lets mail go"},
		{"vendor edit initrode lead 20d", "moves dates earlier"},
		{"vendor edit initrode lead 0s", "moves dates earlier"},
		{"invite initrode", "adds a recipient"},
		{"invite globex wave 2", "adds a recipient"},
		{"member add acme jo@acme.example", "adds a member"},
		{"key confirm globex FPR evidence phone", "adds a key"},
		{"start now", "starts a plan"},
		{"case policy fast", "ends the embargo earlier (10m, not 90d)"},
		{"case policy cert-cc", "ends the embargo earlier (45d, not 90d)"},
		{"case policy project-zero", "moves the later waves earlier"},
		{"case open x policy fast", "ends the embargo earlier"},
		{"embargo 2027-01-14 because x", "moves the end earlier"},
	} {
		lines := []string{"case PAR-2026-0001", strings.Replace(row.lines, "FPR", string(claimed), 1)}
		r.refused(asAna, row.why, lines...)
		r.refused(asAna, "counts only signed; nothing was changed. To go on: sign the mail to control@desk.vdp.example.org", lines...)
		r.refused(anaMoves, "write it in a mail to control@", lines...)
		r.say(asAnaSigns, append([]string{"dry-run"}, lines...)...)
		r.say(asOperator, append([]string{"dry-run"}, lines...)...)
	}
}

// The same for a case that runs: its plans are compared, not its policies.
func TestA3_CountsOnlySigned_OnceStarted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ lines, why string }{
		{"stage acme details at 2026-12-01T09:00:03Z", "moves a date earlier"},
		{"embargo 2026-12-01T09:08Z because x", "moves the end earlier"},
		{"record acme accept v1 via phone", "lets the next stage go"},
		{"case policy lax", "moves scope to acme earlier (2026-12-01T09:00:01Z, not 2026-12-01T09:00:02Z)"},
		{"case policy trusting", "lowers the trust that scope needs from confirmed to claimed"},
		{"case policy needless", "lets details go without its being accepted"},
		{"case policy default", "adds advisory"},
		{"case close; case reopen", "lets a plan run again"},
	} {
		t.Run(row.lines, func(t *testing.T) {
			t.Parallel()
			r := newStartedRig(t)
			r.laxPolicies()
			if strings.HasPrefix(row.lines, "stage") {
				r.say(asOperator, "case PAR-2026-0001", "stage acme details at 2026-12-01T09:05Z")
			}
			lines := append([]string{"case PAR-2026-0001"}, strings.Split(row.lines, "; ")...)
			r.refused(asAna, row.why, lines...)
			r.say(asAnaSigns, lines...)
		})
	}
}

func (r *deskRig) laxPolicies() {
	for name, change := range map[string]func(*cvd.StageRule){
		"lax":      func(s *cvd.StageRule) { s.At = cvd.When{Offset: time.Second} },
		"trusting": func(s *cvd.StageRule) { s.Trust = cvd.Claimed },
	} {
		p := fastPolicy()
		change(&p.Stages[1])
		r.Policies[name] = p
	}
	p := fastPolicy()
	p.Stages[2].Needs = nil
	r.Policies["needless"] = p
}

// Stopping, telling and moving things later need no signature.
func TestA3_NeedsNoSignature(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	r.say(asOperator, "vendor add initrode psirt@initrode.example channel hand lead 10d", "case PAR-2026-0001", "case policy default")
	claimed := r.giveKey("globex", "security@globex.example", keyring.Claimed)
	for _, lines := range []string{
		"case open x", "case open x policy hardware", "case policy hardware",
		"case assign ana", "case restrict ana", "case close", "vendor edit globex zone Asia/Tokyo", "vendor edit initrode lead 5d",
		"withdraw acme because wrong", "hold acme", "hold case", "hold all", "hold acme; release acme", "sending pause; sending resume",
		"key reject globex FPR", "embargo 2028-01-04 because x", "plan", "status", "history", "help",
	} {
		lines = strings.Replace(lines, "FPR", string(claimed), 1)
		r.say(asAna, append([]string{"dry-run", "case PAR-2026-0001"}, strings.Split(lines, "; ")...)...)
	}
}

// A dry run shows unsigned what a signed mail would do, says that it counts only
// so, and leaves nothing.
func TestA3_DryRunShowsUnsigned(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	before := r.head()
	got := r.say(asAna, "dry-run", "vendor add initrode psirt@initrode.example")
	if !strings.Contains(got, "initrode <psirt@initrode.example>") || !strings.Contains(got, "it counts only signed, since it adds a recipient") {
		t.Error(got)
	}
	if r.head() != before {
		t.Error("the journal went on")
	}
	r.refused(asAna, "counts only signed", "vendor add initrode psirt@initrode.example")
}

// A line that is wrong is said before it is asked to be signed, wherever it
// stands in the list; what is right waits for its signature, and changes nothing.
func TestA3_WrongLinesAreSaidBeforeTheyAreSigned(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	const add = "vendor add initrode psirt@initrode.example"
	for _, row := range []struct{ lines, why string }{
		{"vendor add initrode psirt@", "psirt@"},
		{"vendor add acme psirt@acme.example", "acme"},
		{"embargo soon because x", "soon"},
		{add + "; case PAR-2026-0001; invite nobody", "nobody"},
		{"case PAR-2026-0001; start yesterday", "yesterday"},
	} {
		lines := strings.Split(row.lines, "; ")
		r.refused(asAna, row.why, lines...)
		if got, err := r.Do(t.Context(), asAna, lines); err != nil || strings.Contains(unwrapped(got.String()), "counts only signed") {
			t.Errorf("%s is to be signed: %v\n%s", row.lines, err, got)
		}
	}
	all := []string{"case PAR-2026-0001", add, "invite initrode"}
	got, err := r.Do(t.Context(), asAna, all)
	r.must(err)
	if n := strings.Count(unwrapped(got.String()), "taken back, since line 2 was refused"); n != 2 {
		t.Errorf("%d lines are taken back, want 2:\n%s", n, got)
	}
	r.refused(asAna, "vendor add adds a recipient and so counts only signed", all...)
	r.say(asAnaSigns, all...)
}

// A coordinator without a key on file is told whom to ask.
func TestA3_NoKeyOnFile(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	r.update(func(tx *store.Tx) error {
		return PutCoordinator(tx, Coordinator{Name: "eve", Address: "eve@desk.vdp.example.org", Added: tx.Now})
	})
	eve := Actor{Name: "eve", Via: ViaMail}
	r.refused(eve, "no key of yours is on file; ask the operator", "case PAR-2026-0001", "start now")
	r.say(eve, "case PAR-2026-0001", "hold acme")
}

// Which policy is laxer than the default one, and why.
func TestLaxer(t *testing.T) {
	t.Parallel()
	usual := cvd.Shipped()["default"]
	for _, row := range []struct {
		name   string
		change func(*cvd.Policy)
		want   string
	}{
		{"the same", func(*cvd.Policy) {}, ""},
		{"longer", func(p *cvd.Policy) { p.Embargo, p.Lead = 100*cvd.Day, 90*cvd.Day }, ""},
		{"slower waves", func(p *cvd.Policy) { p.Wave = 9 * cvd.Day }, ""},
		{"later stage", func(p *cvd.Policy) { p.Stages[2].At.Offset = 9 * cvd.Day }, ""},
		{"more approval", func(p *cvd.Policy) { p.Stages[1].Approvals = 2 }, ""},
		{"shorter", func(p *cvd.Policy) { p.Embargo, p.Lead = 80*cvd.Day, 80*cvd.Day }, "ends the embargo earlier (80d, not 90d)"},
		{"quicker waves", func(p *cvd.Policy) { p.Wave = 0 }, "later waves earlier"},
		{"earlier stage", func(p *cvd.Policy) { p.Stages[2].At.Offset = cvd.Day }, "moves details earlier (start+1d, not start+3d)"},
		{"less trust", func(p *cvd.Policy) { p.Stages[0].Trust = cvd.Claimed }, "lowers the trust that heads-up needs from found to claimed"},
		{"less approval", func(p *cvd.Policy) { p.Stages[1].Approvals = 0 }, "less approval of scope"},
		{"unsigned approval", func(p *cvd.Policy) { p.Stages[2].Signed = false }, "less approval of details"},
		{"less needed", func(p *cvd.Policy) { p.Stages[3].Needs = nil }, "lets proof go without its being accepted"},
	} {
		p := usual
		p.Stages = append([]cvd.StageRule(nil), usual.Stages...)
		row.change(&p)
		if got := laxer(usual, p); got != row.want && (row.want == "" || !strings.Contains(got, row.want)) {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	bounded := usual
	bounded.Lead = 30 * cvd.Day
	if got := laxer(bounded, usual); !strings.Contains(got, "moves heads-up earlier") {
		t.Errorf("a longer lead: %q", got)
	}
}
