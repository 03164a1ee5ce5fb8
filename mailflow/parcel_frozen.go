package mailflow

import (
	"slices"
	"time"

	"parley/keyring"
	"parley/templates"
)

// frozen digests what people decide of a notice: its words, files, recipient,
// keys, date and the manner of the mail, and what the guard found. What the gateway fills in as it leaves (the code,
// the marks of progress, the day an answer is asked by) is not part of it,
// so that a vendor's answer does not void an approval.
func (p *parcel) frozen() approvalParts {
	v := p.wordless()
	v.Code, v.Accepted, v.ReplyBy, v.Reminder = "", time.Time{}, time.Time{}, false
	v.Steps, v.Us.Fingerprint = nil, "" // a yes stays one when our key changes
	rule, _ := p.Case.Policy.Rule(p.Notice.Stage)
	end, version := v.End, v.Version
	v.End, v.Version = time.Time{}, 0
	parts := approvalParts{
		"the address":            digestAll(p.to()),
		"the keys":               digestAll(p.keys()),
		"the manner of its mail": digestAll(p.mannerOf()...),
		"what the check found":   digestAll(p.Found),
		"the text":               digestAll(v, p.Made, p.Letter),
	}
	if p.Letter == nil {
		parts["the date"] = digestAll(p.Notice.Due)
		parts["the embargo"] = digestAll(end, version)
		parts["the policy"] = digestAll(p.Case.Policy.Name, rule) // a yes under another policy is no yes under this one
	}
	if lateFor(p.Case, p.Participant, p.Notice) {
		parts["that it is late"] = digestAll(true) // what one said yes to in time needs two now
	}
	return parts
}

// wordless is the view without the texts that Made stands for.
func (p *parcel) wordless() templates.Notice {
	if p.View == nil {
		return templates.Notice{}
	}
	v := *p.View
	v.Material, v.Annex, v.Mitigation = "", "", ""
	return v
}

// mark digests the parcel as it leaves, to see that nothing changed between
// rendering and queueing.
func (p *parcel) mark() string {
	return p.digest(p.wordless(), p.Leak, p.Letter, p.Notice.Kind, p.Notice.Code, p.Ours.mark())
}

func (p *parcel) digest(what ...any) string {
	d, err := digestOf(what, p.Made, p.to(), p.keys(), p.mannerOf())
	if err != nil {
		return "" // never equal to an approved hash
	}
	return d
}

// keys are the fingerprints of what it is encrypted to, in order.
func (p *parcel) keys() []string { return encryptedTo(p.Keys.Certificates, p.Now) }

// encryptedTo names the component keys that mail is encrypted to at an instant:
// another subkey of the same certificate is another key.
func encryptedTo(certs []*keyring.Certificate, at time.Time) []string {
	var out []string
	for _, c := range certs {
		out = append(out, string(c.EncryptsTo(at)))
	}
	slices.Sort(out)
	return out
}

// to is the address that the parcel goes to.
func (p *parcel) to() string {
	if p.Notice.To != "" && clearKind(p.Notice.Kind) {
		return p.Notice.To
	}
	return p.Participant.Address
}
