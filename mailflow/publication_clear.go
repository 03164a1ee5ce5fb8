package mailflow

import (
	"errors"
	"slices"

	"parley/mailflow/cvd"
)

// clearForm says that a notice is made up to go in clear: the public stage of a
// policy that marks it TLP:CLEAR, to a party of which no key can be used. It is
// true before the end, too, so that people see beforehand what will leave.
func clearForm(q Question) bool {
	n := q.Notice
	return n.Kind == cvd.KindStage && publicToAll(q.Case, n.Stage) && len(q.Keys.Certificates) == 0 && q.Party.Channel != cvd.ChannelHand
}

// mayClear is the one exception to rule V5: a notice in the clear form, after the
// embargo has ended. The rest of MayRelease is asked as for any other.
func mayClear(q Question) bool {
	return clearForm(q) && q.Case.Started() && !q.Now.Before(q.Case.Embargo().End)
}

// inClear says that the parcel leaves signed, and not encrypted.
func (p *parcel) inClear() bool { return clearKind(p.Notice.Kind) || clearForm(p.Question) }

// errNotPublic stops what would leave in clear too early; the gate does before.
var errNotPublic = errors.New("it is not public yet, and does not leave in clear")

// mustBeClear is asked where the bytes of a mail in clear are made.
func (p *parcel) mustBeClear() error {
	if clearKind(p.Notice.Kind) || mayClear(p.Question) {
		return nil
	}
	return errNotPublic
}

// forClear takes out of a notice what is for its party alone.
func (p *parcel) forClear(names []string) {
	v := p.View
	v.Clear, v.Product, v.Annex, v.Files = true, "", "", names
	p.Files, p.Own = slices.Clone(p.Shared), nil
	p.Made[1] = "" // of the annex
}
