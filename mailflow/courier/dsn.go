package courier

import "github.com/emersion/go-smtp"

// notification is what is asked for with the two addresses (RFC 3461), which the client says only to servers that offer DSN: a
// report when the mail fails or is late, with its header and not with all of it, and under our EnvelopeID. Nothing is asked of a
// mail that nobody is to hear back from, and never a report of success, which would tell each server on the way when it was read.
func (m Mail) notification() (*smtp.MailOptions, *smtp.RcptOptions) {
	from := &smtp.MailOptions{Size: max(m.Size, 0)}
	if m.From == "" {
		return from, nil
	}
	from.Return, from.EnvelopeID = smtp.DSNReturnHeaders, m.EnvelopeID
	return from, &smtp.RcptOptions{Notify: []smtp.DSNNotify{smtp.DSNNotifyFailure, smtp.DSNNotifyDelayed}}
}
