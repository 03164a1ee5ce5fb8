package templates

import (
	"time"

	"parley/mailflow/cvd"
)

// trySamples executes every template once, so that one that cannot be
// executed stops the start and not a disclosure.
func (s *Set) trySamples() error {
	t := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	us := Us{Name: "Example CERT", Domain: "vdp.example.org", Fingerprint: "4B32 ADAC 11F0"}
	for _, st := range cvd.Stages() {
		v := Notice{Us: us, Case: "PAR-2026-0007", Stage: st, Number: st.Rank(), Of: 6, TLP: "AMBER+STRICT", Code: "K7Q3-X9PM",
			Version: 1, ReplyBy: t.Add(3 * cvd.Day), End: t.Add(90 * cvd.Day), Material: "material", Product: "Player 9.1"}
		if _, err := s.Notice(v); err != nil {
			return err
		}
	}
	letters := []func() (Rendered, error){
		func() (Rendered, error) {
			return s.Receipt(Receipt{Us: us, Reference: "intake-17", Received: t, AnswerBy: t})
		},
		func() (Rendered, error) {
			return s.HowTo(HowTo{Us: us, Reference: "intake-17", Received: t, AnswerBy: t})
		},
		func() (Rendered, error) { return s.KeyAnswer(HowTo{Us: us}) },
		func() (Rendered, error) { return s.Contact(Contact{Us: us}) },
		func() (Rendered, error) { return s.Note(Note{Us: us}) },
		func() (Rendered, error) {
			return s.Answer(Answer{Us: us, Case: "PAR-2026-0007", TLP: "GREEN", Lines: []Understood{{"ACK", "thank you"}}, End: t})
		},
		func() (Rendered, error) {
			return s.Embargo(Embargo{Us: us, Case: "PAR-2026-0007", TLP: "GREEN", Old: t, New: t})
		},
		func() (Rendered, error) {
			return s.Letter(Letter{Us: us, Case: "PAR-2026-0007", Subject: "s", Text: "t"})
		},
		func() (Rendered, error) { return s.Approval(Approval{Case: "PAR-2026-0007", Stage: cvd.Scope, Due: t}) },
		func() (Rendered, error) {
			return s.CaseFile(CaseFile{Case: "PAR-2026-0007", Start: t, End: t.Add(cvd.Day), Now: t})
		},
		func() (Rendered, error) { return s.Refusal(Refusal{What: "w", State: "s", Why: "y", Next: "n"}) },
	}
	for _, l := range letters {
		if _, err := l(); err != nil {
			return err
		}
	}
	return nil
}
