package mailflow

import (
	"context"
	"errors"
	"slices"
	"strings"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// idleRobot says of a mail in clear to a thread that a machine of its participant
// wrote it and that it repeats nothing of ours: such a mail tells nobody anything,
// and no person need look whether it was a leak. Whatever cannot be compared, or
// comes from elsewhere, is no such mail.
func (in *Intake) idleRobot(tx *store.Tx, a *arrival, p place) (bool, error) {
	if !p.Asks || !p.thread() || a.opened == nil || a.opened.Encryption != pgpmime.NotEncrypted || a.automatic() == "" || !onlyText(a.root) {
		return false, nil
	}
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if errors.Is(err, ErrNoParticipant) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	own, err := addressesOf(tx, who)
	if err != nil || !slices.ContainsFunc(own, func(o string) bool { return keyring.SameAddress(o, a.sender()) }) {
		return false, err
	}
	said, whole := textsOf(a.root)
	if !whole {
		return false, nil
	}
	repeats, err := in.repeatsOurs(tx, who, said)
	return !repeats, err
}

// onlyText says that a mail has nothing but texts and pages, so that all of it can be
// compared.
func onlyText(root *message.Part) bool {
	only := true
	root.Walk(func(p *message.Part) bool {
		if len(p.Children) == 0 && p.MediaType != "text/plain" && p.MediaType != "text/html" || p.IsAttachment() {
			only = false
		}
		return only
	})
	return only
}

// textsOf gives the Subject and the texts of a mail, as they are compared with others;
// not whole where there is too much of it.
func textsOf(root *message.Part) (text string, whole bool) {
	all := []string{root.Header.Text("Subject")}
	root.Walk(func(p *message.Part) bool {
		all = append(all, partText(p))
		return true
	})
	text = strings.Join(all, "\n")
	return text, len(text) <= guardText
}

// repeatsOurs says whether a text holds the tag of a case, a code of a notice to this
// participant, or a run of what stands in its thread and did not come from it.
func (in *Intake) repeatsOurs(tx *store.Tx, who cvd.Participant, text string) (bool, error) {
	for _, id := range cvd.FindCaseIDs(text) {
		if _, err := CaseByID(tx, id); !errors.Is(err, ErrNoCase) {
			return true, err
		}
	}
	if slices.ContainsFunc(printedCode.FindAllString(text, maxCodeWords), who.Knows) {
		return true, nil
	}
	g := in.guard()
	if err := g.catchUp(context.Background(), tx, in.Base); err != nil {
		return false, err
	}
	keys, err := threadKeys(tx, who.Case, 0, who.Party)
	if err != nil {
		return false, err
	}
	s := &spelled{}
	s.spell("", text)
	for _, t := range keys {
		for _, id := range g.thread(t) {
			m, words, err := in.readForGuard(tx, id)
			if err != nil {
				return false, err
			}
			if words != nil && m.Direction != "in" && len(g.hash.runsWithin(s.text, run{0, len(s.text)}, words.text, coverRun)) > 0 {
				return true, nil
			}
		}
	}
	return false, nil
}
