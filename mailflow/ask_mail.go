package mailflow

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// Bounds on the mail that asks for a yes; a request may name a thousand
// vendors.
const (
	approvalMails = 50       // attached one by one; the others follow in one file
	approvalWords = 1 << 20  // octets, up to which every mail stands there in full
	approvalFiles = 10 << 20 // octets of files that go with them
)

// maskedCode stands where a one-time code stands in the mail that leaves.
const maskedCode = "****-****"

// postApproval shows a request with the mails attached as they would leave.
// The one-time codes are masked: who reads the desk's mail must not answer for
// a vendor. Files that everybody gets are attached once.
func (b *Base) postApproval(tx *store.Tx, a cvd.ApprovalRequest, g []*parcel, before map[string]string) error {
	c := g[0].Case
	v := templates.Approval{Case: a.Case, Title: c.Title, Stage: a.Stage, ID: a.ID, Author: a.Author, Due: a.Due, Letter: isDraft(a),
		Signed: a.Signed, Need: a.Need}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		v.Before = append(v.Before, id+" ("+strings.TrimSuffix(before[id], "; ")+")")
	}
	var err error
	if v.Shared, err = allWrote(tx, a); err != nil {
		return err
	}
	d := drafts{b: b, room: approvalFiles, in: map[string]string{}}
	for _, p := range g {
		v.Rows = append(v.Rows, approvalRow(p))
		if err := d.add(p); err != nil {
			return err
		}
	}
	if v.Found, err = foundWords(tx, g); err != nil {
		return err
	}
	text, err := b.Templates.Approval(v)
	if err != nil {
		return err
	}
	return b.task(tx, "approval:"+a.ID, Post{Folder: "Approvals", Case: a.Case, Subject: text.Subject, Text: text.Text,
		Attachments: append(d.all(), d.fit(g[0].Shared)...), Kind: "approval", Ref: a.ID, From: a.Author})
}

// drafts gathers the mails of a request as attachments.
type drafts struct {
	b      *Base
	mails  []message.Attachment
	others bytes.Buffer
	words  int
	room   int               // octets of files that may still go with them
	in     map[string]string // digest of a text to the mail in which it stands
}

func (d *drafts) add(p *parcel) error {
	name := string(p.Notice.Party) + ".eml"
	r, err := d.rendered(p, name)
	if err != nil {
		return err
	}
	d.words += len(r.Text)
	if len(d.mails) == approvalMails {
		fmt.Fprintf(&d.others, "==== %s\n\nTo: %s\nSubject: %s\n\n%s\n\n", name, p.Participant.Address, r.Subject, r.Text)
		return nil
	}
	fields := []message.Field{{Name: "To", Value: p.Participant.Address}, {Name: "Subject", Value: r.Subject}}
	if m := p.mannerNote(); m != "" {
		fields = append(fields, message.Field{Name: "Comments", Value: "It leaves " + m + "."})
	}
	raw, err := message.Entity{Fields: fields, Text: r.Text, Attachments: d.fit(p.alone())}.Bytes(randomHex(16))
	d.mails = append(d.mails, message.Attachment{Filename: name, MediaType: "message/rfc822", Data: raw})
	return err
}

func (d *drafts) rendered(p *parcel, name string) (templates.Rendered, error) {
	if p.Letter != nil {
		return d.b.render(p)
	}
	return d.b.Templates.Notice(d.view(p, name))
}

// alone are the files that this participant alone gets.
func (p *parcel) alone() []cvd.File {
	if p.Letter != nil {
		return p.Files
	}
	return p.Own
}

// view is what a mail is rendered from, with its code masked. A text that
// stands in an earlier mail is named instead, once there are too many words.
func (d *drafts) view(p *parcel, name string) templates.Notice {
	v := *p.View
	v.Code = maskedCode
	for i, text := range []*string{&v.Material, &v.Annex, &v.Mitigation} {
		if *text == "" {
			continue
		}
		first, seen := d.in[p.Made[i]]
		switch {
		case !seen:
			d.in[p.Made[i]] = name
		case d.words > approvalWords:
			*text = "(the same text as in " + first + ")"
		}
	}
	return v
}

// fit attaches files as far as there is room, and names the others.
func (d *drafts) fit(files []cvd.File) []message.Attachment {
	var out []message.Attachment
	for _, f := range files {
		if d.room -= len(f.Data); d.room < 0 {
			note := fmt.Sprintf("%s has %d octets and is not attached here; the mail that brought it is in Notes.\nSHA-256 %x\n", f.Name, len(f.Data), sha256.Sum256(f.Data))
			out = append(out, message.Attachment{Filename: f.Name + ".txt", MediaType: "text/plain", Data: []byte(note)})
			continue
		}
		out = append(out, asAttachment(f))
	}
	return out
}

func (d *drafts) all() []message.Attachment {
	if d.others.Len() == 0 {
		return d.mails
	}
	return append(d.mails, message.Attachment{Filename: "others.txt", MediaType: "text/plain", Params: map[string]string{"charset": "utf-8"}, Data: d.others.Bytes()})
}

func approvalRow(p *parcel) templates.ApprovalRow {
	row := templates.ApprovalRow{Party: string(p.Notice.Party), Stage: p.Participant.Reached}
	n, _ := p.Case.Policy.Number(p.Notice.Stage)
	row.Gets = fmt.Sprintf("%d %s", n, p.Notice.Stage)
	if p.Letter != nil {
		row.Gets = "the letter"
	}
	if clearForm(p.Question) {
		row.Gets, row.Key = row.Gets+" in clear", "-"
		return row
	}
	if len(p.Keys.Certificates) == 0 {
		row.Gets, row.Key = "nothing: HELD", "-"
		row.Why = strings.Join(p.Keys.Why, "; ")
		return row
	}
	cert := p.Keys.Certificates[0]
	row.Key = cert.Fingerprint().Spaced()[:9] + ".."
	if more := len(p.Keys.Certificates) - 1; more > 0 {
		row.Key += fmt.Sprintf(" +%d", more)
	}
	row.Trust = p.Keys.Standing[cert.Fingerprint()].Trust.String()
	row.Until = cert.Expires()
	row.Soon = !row.Until.IsZero() && row.Until.Before(p.Case.End(p.Participant))
	return row
}
