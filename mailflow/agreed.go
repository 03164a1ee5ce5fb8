package mailflow

import (
	"parley/mailflow/calendar"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

// agreedDate is what embargo.ics says to a participant: the end that binds it, and
// that it is off where the case is closed before that. Each change has a sequence
// of its own, by which calendars tell the newer one (RFC 5546 section 2.1.4). A mail
// that brings no calendar has none.
func agreedDate(p *parcel) *cvd.Agreed {
	c, who := p.Case, p.Participant
	if !c.Started() || !who.Has(cvd.RoleVendor) || p.inClear() {
		return nil
	}
	is := cvd.Agreed{End: c.End(who), Sequence: c.Embargo().Version - 1}
	if p.Notice.Stage == cvd.Public {
		is.End = c.Embargo().End
	}
	is.Off = !c.Closed.IsZero() && c.Closed.Before(is.End)
	switch was := who.Agreed; {
	case was == nil && is.Off && who.Reached == "":
		return nil // it was never told a date
	case was == nil && is.Off:
		is.Sequence++
	case was == nil:
	case was.Same(is):
		is.Sequence = was.Sequence
	default:
		is.Sequence = was.Sequence + 1
	}
	return &is
}

// sameAgreed says whether two mails would bring the same calendar, or none.
func sameAgreed(x, y *cvd.Agreed) bool {
	if x == nil || y == nil {
		return x == y
	}
	return x.Same(*y) && x.Sequence == y.Sequence
}

// embargoCalendar is embargo.ics, with a summary that tells nothing.
func embargoCalendar(p *parcel, is cvd.Agreed) (message.Attachment, error) {
	method := calendar.Publish
	if is.Off {
		method = calendar.Cancel
	}
	ics, err := calendar.Calendar(p.Participant.Token+"-embargo", "Agreed date", is.End, is.Sequence, method, p.Now)
	return message.Attachment{Filename: "embargo.ics", MediaType: "text/calendar",
		Params: map[string]string{"method": method, "charset": "utf-8"}, Data: ics}, err
}
