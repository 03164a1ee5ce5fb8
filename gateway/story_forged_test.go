package main

import (
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// refusesForgeries checks the checks: mails that must not be, and a notice that got
// lost, do not pass them.
func (s *story) refusesForgeries() {
	s.Helper()
	v, other := s.vendors[14], s.vendors[15] // of the second wave, both plain
	real := v.mail("stage details")
	if wrong := s.judges(v, real); len(wrong) > 0 {
		s.Errorf("a real mail does not pass: %q", wrong)
	}
	late := s.who(unable)
	for _, f := range []struct {
		what, want string
		to         *storyVendor
		forge      func(m *storyMail)
	}{
		{"too early", "it falls due", v, func(m *storyMail) { m.At = s.due(v, cvd.Details, m.At).Add(-time.Second) }},
		{"of the next stage", "it falls due", v, func(m *storyMail) { m.stage = cvd.Proof }},
		{"with more than its stage", "it holds the text of proof", v, func(m *storyMail) { m.Text += storyTexts[cvd.Proof].mark }},
		{"with a file of a later stage", "it holds the text of proof", v, func(m *storyMail) { m.Files = map[string]string{"page.txt": storyTexts[cvd.Proof].file.Data} }},
		{"with less than its stage", "it lacks the text of details", v, func(m *storyMail) { m.Text, m.Inner, m.Files = "", nil, nil }},
		{"that names another vendor", "it says " + other.party, v, func(m *storyMail) { m.Text += "and " + strings.ToUpper(other.party) }},
		{"with another's annex", "it says " + other.annex(), v, func(m *storyMail) { m.Text += other.annex() }},
		{"with the finder's words", "it says " + reportMark, v, func(m *storyMail) { m.Text += "\n" + reportMark }},
		{"not signed", "it is signed by", v, func(m *storyMail) { m.Signer = "" }},
		{"to another key as well", "it is encrypted to", v, func(m *storyMail) { m.Keys = append(m.Keys, 1) }},
		{"in clear", "on the wire stands", v, func(m *storyMail) { m.Raw = append(slices.Clone(m.Raw), storyTexts[cvd.Details].mark...) }},
		{"with a telling Subject", "its outer Subject is", v, func(m *storyMail) { m.Raw = []byte("Subject: Scope\r\n" + string(m.Raw)) }},
		{"to who declined", "not accepted", late, func(m *storyMail) { m.At = late.declined.Add(-time.Second) }},
		{"to who is late", "falls due", late, func(m *storyMail) { m.At = s.leaked.Add(-time.Hour) }},
		{"a proof to who is late", "no proof", late, func(m *storyMail) { m.stage, m.At = cvd.Proof, s.leaked.Add(time.Hour) }},
		{"of a leak before it", "nothing has leaked", v, func(m *storyMail) { m.kind, m.At = "leak", s.leaked.Add(-time.Second) }},
		{"public too early", "it falls due", v, func(m *storyMail) { m.stage, m.At = cvd.Public, s.leaked.Add(leakEnds-time.Second) }},
	} {
		m, opened := real, *real.Opened
		m.Opened = &opened
		f.forge(&m)
		if wrong := s.judges(f.to, m); !slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, f.want) }) {
			s.Errorf("a mail %s passes: %q", f.what, wrong)
		}
	}
	s.missesNotices(v)
}

// missesNotices checks that mails that came twice, not at all, or from nowhere are
// found.
func (s *story) missesNotices(v *storyVendor) {
	s.Helper()
	notices, all := s.notices()[cvd.PartyID(v.party)], v.mails
	stray := storyMail{Received: mailtest.Received{Raw: []byte("Message-ID: <nowhere@peer.example>\r\n\r\n")}, Opened: &mailtest.Opened{}}
	for what, mails := range map[string][]storyMail{
		"one lost": all[1:], "one twice": append(slices.Clone(all), all[0]), "one from nowhere": append(slices.Clone(all), stray),
	} {
		if len(s.tally(v, mails, notices)) == 0 {
			s.Errorf("%s, and nobody counts it", what)
		}
	}
	if planned := (cvd.Notice{Kind: cvd.KindStage, State: cvd.Planned}); len(s.tally(v, all, append(slices.Clone(notices), planned))) == 0 {
		s.Error("a notice that never went is not found")
	}
}

// mail is the one of a name that a vendor got.
func (v *storyVendor) mail(name string) storyMail {
	v.story.Helper()
	i := slices.IndexFunc(v.mails, func(m storyMail) bool { return m.name() == name })
	if i < 0 {
		v.story.Fatalf("%s has no %s", v.party, name)
	}
	return v.mails[i]
}
