package mailflow

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// maxAnnexMails is how many mails of a level are attached for parties that get
// an annex; the annexes of the others stand in Notes.
const maxAnnexMails = 20

// postKit shows a request for levels of the leak kit, each as a vendor would get
// it, with what the check found.
func (b *Base) postKit(tx *store.Tx, c cvd.Case, a cvd.ApprovalRequest, g []kitLevel, before map[string]string) error {
	v := templates.LeakKit{Case: c.ID, Title: c.Title, ID: a.ID, Author: a.Author, Signed: a.Signed, Need: a.Need}
	var err error
	if v.Shared, err = allWrote(tx, a); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		v.Before = append(v.Before, id+" ("+before[id]+")")
	}
	d := drafts{b: b, room: approvalFiles}
	var mails, files []message.Attachment
	for _, k := range g {
		shown, names, err := b.kitMails(tx, c, &k, &d)
		if err != nil {
			return err
		}
		mails = append(mails, shown...)
		for _, f := range k.filesFor("") {
			if !slices.ContainsFunc(files, func(have message.Attachment) bool {
				return strings.TrimSuffix(have.Filename, ".txt") == strings.TrimSuffix(f.Name, ".txt")
			}) {
				files = append(files, d.fit([]cvd.File{f})...)
			}
		}
		v.Levels = append(v.Levels, templates.LeakKitLevel{Level: k.Level, Holds: k.holds(), Hash: k.Hash, Mail: strings.Join(names, ", ")})
	}
	if v.Found, err = kitFoundWords(tx, c, g); err != nil {
		return err
	}
	text, err := b.Templates.LeakKit(v)
	if err != nil {
		return err
	}
	return b.task(tx, "approval:"+a.ID, Post{Folder: "Approvals", Case: c.ID, Subject: text.Subject, Text: text.Text,
		Attachments: append(mails, files...), Kind: "approval", Ref: a.ID, From: a.Author})
}

// kitMails renders a level for a vendor like any other, for each that gets an
// annex, and for one of those whom our words speak to in another way.
func (b *Base) kitMails(tx *store.Tx, c cvd.Case, k *kitLevel, d *drafts) (mails []message.Attachment, names []string, err error) {
	parties := []cvd.PartyID{""}
	for _, w := range k.Annexes {
		if !slices.Contains(parties, w.Party) && len(parties) <= maxAnnexMails {
			parties = append(parties, w.Party)
		}
	}
	for _, party := range append(parties, k.otherwise(parties)...) {
		name := string(k.Level) + ".eml"
		if party != "" {
			name = fmt.Sprintf("%s-%s.eml", k.Level, party)
		}
		m, err := b.kitMail(tx, c, k, party, name, d)
		if err != nil {
			return nil, nil, err
		}
		mails, names = append(mails, m), append(names, name)
	}
	return mails, names, nil
}

// kitMail renders a level as if it had leaked now, without what is a vendor's
// own.
func (b *Base) kitMail(tx *store.Tx, c cvd.Case, k *kitLevel, party cvd.PartyID, name string, d *drafts) (message.Attachment, error) {
	c = asLeaked(c, cvd.Leak{At: tx.Now, Level: k.Level, URL: "http://where.it.stands/"})
	spoken, err := shownParty(tx, party)
	if err != nil {
		return message.Attachment{}, err
	}
	p := &parcel{Ours: b.Own.now.Load(), Question: Question{Now: tx.Now, Case: c, Kit: k, Party: spoken,
		Notice: cvd.Notice{Case: c.ID, Party: party, Kind: cvd.KindLeak, Level: k.Level, Stage: k.Level.Stage(), Code: maskedCode}}}
	v, err := b.leakView(tx, p)
	if err != nil {
		return message.Attachment{}, err
	}
	for _, f := range k.filesFor(party) {
		v.Files = append(v.Files, f.Name)
	}
	r, err := b.Templates.Leak(*v)
	if err != nil {
		return message.Attachment{}, err
	}
	var own []cvd.File
	for _, w := range k.Annexes {
		if w.Party == party {
			own = append(own, bareFiles(w)...)
		}
	}
	raw, err := message.Entity{Fields: []message.Field{{Name: "Subject", Value: r.Subject}}, Text: r.Text, Attachments: d.fit(own)}.Bytes(randomHex(16))
	return message.Attachment{Filename: name, MediaType: "message/rfc822", Data: raw}, err
}

// otherwise names one vendor of each language and kind of its own that none of the
// others shows.
func (k *kitLevel) otherwise(shown []cvd.PartyID) []cvd.PartyID {
	seen := map[string]bool{"": true}
	for _, p := range shown {
		seen[k.Spoken[p]] = true
	}
	var out []cvd.PartyID
	for _, p := range slices.Sorted(maps.Keys(k.Spoken)) {
		if how := k.Spoken[p]; !seen[how] {
			seen[how], out = true, append(out, p)
		}
	}
	return out
}

// shownParty is a vendor as far as a request shows it: how it is spoken to.
func shownParty(tx *store.Tx, id cvd.PartyID) (cvd.Party, error) {
	if id == "" {
		return cvd.Party{}, nil
	}
	party, err := PartyByID(tx, id)
	return cvd.Party{Kind: party.Kind, Language: party.Language}, err
}

// asLeaked is a case as if a leak were on record.
func asLeaked(c cvd.Case, l cvd.Leak) cvd.Case {
	c.Leaks = append(slices.Clone(c.Leaks), l)
	return c
}

// holds lists what a level is made of: "the shipped statement, details v3, an
// annex for acme".
func (k *kitLevel) holds() string {
	var out []string
	annexed := map[cvd.PartyID]bool{}
	if k.text(cvd.Holding, "", "") == "" {
		out = append(out, "the shipped statement")
	}
	for _, w := range k.Shared {
		what := string(w.Stage)
		if w.Stage == cvd.Holding {
			what = "holding statement"
		}
		out = append(out, fmt.Sprintf("%s v%d", what, w.Version))
	}
	var to []cvd.PartyID
	for _, w := range k.Annexes {
		if !annexed[w.Party] {
			annexed[w.Party], to = true, append(to, w.Party)
		}
	}
	if len(to) > 0 {
		out = append(out, "an annex for "+partyList(to))
	}
	n := 0
	for _, piece := range k.Level.Pieces() {
		n += len(k.Answers[piece])
	}
	if n > 0 {
		out = append(out, count(n, "answer"))
	}
	return strings.Join(out, ", ")
}

// kitFoundWords words what the check found, once for all parties and levels
// that it is the same for.
func kitFoundWords(tx *store.Tx, c cvd.Case, g []kitLevel) ([]string, error) {
	var out []string
	to := map[string][]cvd.PartyID{}
	for _, k := range g {
		for _, p := range slices.Sorted(maps.Keys(k.Found)) {
			for _, x := range k.Found[p] {
				said, err := crossingWords(tx, x, c, c.ID)
				if err != nil {
					return nil, err
				}
				if to[said] == nil {
					out = append(out, said)
				}
				if !slices.Contains(to[said], p) {
					to[said] = append(to[said], p)
				}
			}
		}
	}
	for i, said := range out {
		out[i] = "to " + partyList(to[said]) + ": " + said
	}
	return out, nil
}
