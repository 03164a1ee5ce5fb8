package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/templates"
)

// preview is a stage, or a reminder of it, as it would leave by what is known
// now. Its one-time code is masked: it belongs to who gets the mail.
type preview struct {
	notice cvd.Notice
	number int // 2 of 6
	templates.Rendered
}

// name is what a preview is called as a file.
func (p preview) name() string {
	name := fmt.Sprintf("%s-%d-%s", p.notice.Party, p.number, p.notice.Stage)
	if p.notice.Kind == cvd.KindReminder {
		name += fmt.Sprintf("-reminder-%d", p.notice.ID)
	}
	return name + ".eml"
}

// previews renders every stage and reminder that is still to come to a
// participant; a stage whose material nobody wrote yet has none.
func (s *sitting) previews(c cvd.Case, who cvd.Participant) ([]preview, error) {
	c, all, err := planNotices(s.tx, c, who)
	if err != nil {
		return nil, err
	}
	home, err := homeOf(s.tx, c, who)
	if err != nil {
		return nil, err
	}
	var out []preview
	seen := &looks{within: s.tx}
	for _, n := range all {
		if n.State.Over() || n.Kind != cvd.KindStage && n.Kind != cvd.KindReminder {
			continue
		}
		p, err := s.parcelOf(s.tx, home, n, laterOf(planInstant(n), s.tx.Now), seen)
		if err != nil {
			return nil, err
		}
		if p.View.Stage != cvd.HeadsUp && p.View.Material == "" && p.View.Annex == "" {
			continue
		}
		v := preview{notice: n, number: p.View.Number}
		p.View.Code = maskedCode
		if v.Rendered, err = s.render(p); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// attachPreviews lets the mail that answers bring the mails that are to come.
func (s *sitting) attachPreviews(c cvd.Case, who cvd.Participant) error {
	if s.by.Via == ViaOperator {
		return nil // a terminal shows the lines; `plan PARTY STAGE` a mail
	}
	all, err := s.previews(c, who)
	if err != nil {
		return err
	}
	for _, p := range all {
		fields := []message.Field{{Name: "To", Value: who.Address}, {Name: "Subject", Value: p.Subject}}
		raw, err := message.Entity{Fields: fields, Text: p.Text}.Bytes(randomHex(16))
		if err != nil {
			return err
		}
		if s.bring(message.Attachment{Filename: p.name(), MediaType: mailType, Data: raw}); s.octets() > approvalFiles {
			return notDone("the mails to come are larger than one answer holds; ask for one of them, `plan %s STAGE`", who.Party)
		}
	}
	return nil
}

// mailType is the media type of a mail that is attached to another.
const mailType = "message/rfc822"

// previewsIn counts the mails among the files of an answer.
func previewsIn(files []message.Attachment) int {
	n := 0
	for _, f := range files {
		if f.MediaType == mailType {
			n++
		}
	}
	return n
}

// planStage is `plan PARTY STAGE`: the whole text of one mail to come.
func (s *sitting) planStage(c cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	stage, err := p.stage()
	if err != nil { // as it is no command, "plan acme and see" is a sentence
		return "", notDone("%v; write: %s", err, p.usage)
	}
	if err := p.end(); err != nil {
		return "", err
	}
	all, err := s.previews(c, who)
	if err != nil {
		return "", err
	}
	for _, v := range all {
		if v.notice.Stage != stage {
			continue
		}
		head := fmt.Sprintf("as it would leave %s, its one-time code masked:\nTo: %s\nSubject: %s\n\n", utc(planInstant(v.notice)), who.Address, v.Subject)
		return head + strings.TrimRight(v.Text, "\n"), nil
	}
	return "", notDone("there is no %s to come to %s that could be shown; `plan %s` says what was sent, and what lacks material", stage, who.Party, who.Party)
}
