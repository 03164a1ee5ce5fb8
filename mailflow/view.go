package mailflow

import (
	"fmt"
	"strings"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// view is how one mail is shown.
type view struct {
	scope     store.Scope
	caseID    cvd.CaseID
	report    uint64
	name      string // display name of From
	alias     string // local part of the desk address that a Reply goes to
	subject   string
	note      string
	kind, ref string
}

// within seals a view under a case, or under a report that has none, and names
// it.
func (v view) within(id cvd.CaseID) view {
	v.scope = caseScope(id)
	if n, inReport := reportNumber(id); inReport {
		v.report = n
	} else if id != deskCase {
		v.caseID = id
	}
	return v
}

// viewFields are the header fields that the gateway writes; Present drops
// whatever came in under these names (rule S8).
func (in *Intake) viewFields(a *arrival, p place, v view) []message.Field {
	fields := []message.Field{
		{Name: "From", Value: mailbox(v.name, v.alias+"@"+in.DeskDomain)},
		{Name: "To", Value: mailbox("Coordinators", "control@"+in.DeskDomain)},
		{Name: "Subject", Value: headerText(v.subject)},
	}
	if v.caseID != "" {
		fields = append(fields, message.Field{Name: "Parley-Case", Value: string(v.caseID)})
	}
	enc := "no"
	if a.opened != nil {
		enc = string(a.opened.Encryption)
	}
	fields = append(fields,
		message.Field{Name: "Parley-Signature", Value: headerText(signatureWords(a, p))},
		message.Field{Name: "Parley-Encryption", Value: enc},
		message.Field{Name: "Parley-From", Value: headerText(orNone(a.sender()))})
	via := p.Via
	if via == "" {
		via = strings.Join(a.row.Envelope.To, ", ")
	}
	fields = append(fields, message.Field{Name: "Parley-Via", Value: headerText(via)})
	if a.origin != "" {
		fields = append(fields, message.Field{Name: "Parley-Origin", Value: headerText(a.origin)})
	}
	return append(append(fields, documentFields(a, p)...), carried(a)...)
}

// carried are the fields by which clients sort and thread: the protected ones,
// else those of the encrypted part, else those of the outer header.
func carried(a *arrival) []message.Field {
	if a.root == nil || a.broken != "" || a.shown == a.root && a.opened.Scheme == pgpmime.Unprotected {
		return nil
	}
	var out []message.Field
	add := func(name string, value func(message.Header) string) {
		for _, h := range []message.Header{a.inner, a.shown.Header, a.root.Header} {
			if v := value(h); v != "" && message.CheckHeaderValue(v) == nil {
				out = append(out, message.Field{Name: name, Value: v})
				return
			}
		}
	}
	add("Date", func(h message.Header) string {
		if at, err := h.Date(); err == nil {
			return at.Format(time.RFC1123Z)
		}
		return ""
	})
	add("Message-ID", func(h message.Header) string { return inBrackets(h.MessageID()) })
	add("In-Reply-To", func(h message.Header) string { return inBrackets(h.InReplyTo()...) })
	add("References", func(h message.Header) string { return inBrackets(h.References()...) })
	return out
}

// maxMessageID is the longest that a view repeats: a header line ends at 998
// octets (RFC 5322 section 2.1.1).
const maxMessageID = 400

func inBrackets(ids ...string) string {
	var out []string
	for _, id := range ids {
		if id != "" && len(id) <= maxMessageID {
			out = append(out, "<"+id+">")
		}
	}
	return strings.Join(out, " ")
}

func orNone(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// signatureWords is the value of Parley-Signature.
func signatureWords(a *arrival, p place) string {
	var sigs []pgpmime.Signature
	if a.opened != nil {
		sigs = a.opened.Signatures
	}
	return verdictWords(p.Verdict, string(p.Party), p.Trust, sigs)
}

// verdictWords writes what signatures say, of a whole mail or of a document in
// it; party and trust are those of the key if it is a good one.
func verdictWords(v interface {
	State() pgpmime.State
	Key() keyring.Fingerprint
	Owner() string
	Reason() string
}, party, trust string, sigs []pgpmime.Signature) string {
	switch v.State() {
	case pgpmime.Good:
		return fmt.Sprintf("good; party=%s; key=%s; trust=%s", party, v.Key(), trust)
	case pgpmime.OtherParty:
		return fmt.Sprintf("other-party; party=%s; key=%s", ownerName(v.Owner()), v.Key())
	case pgpmime.UnknownKey:
		return "unknown-key; " + unknownKey(sigs, v.Key())
	case pgpmime.Bad:
		return "bad; reason=" + v.Reason()
	}
	return "none"
}

// unknownKey names a key that nobody pinned: by its fingerprint, as its certificate
// or else its signature gives it, or by what of it the signature says.
func unknownKey(sigs []pgpmime.Signature, key keyring.Fingerprint) string {
	if key != "" {
		return "key=" + string(key)
	}
	for _, s := range sigs {
		switch {
		case !s.Unknown:
		case s.Issuer != "":
			return "key=" + string(s.Issuer)
		case s.KeyID != 0:
			return fmt.Sprintf("keyid=%016X", s.KeyID)
		}
	}
	return "key=unknown"
}

// words says the same as the header fields, for readers whose client hides
// them.
func words(a *arrival, p place) string {
	var b strings.Builder
	switch {
	case a.opened == nil:
		b.WriteString("Not opened: " + a.broken + ".")
	case a.opened.Encryption == pgpmime.Encrypted:
		b.WriteString("It came encrypted.")
	case a.opened.Encryption == pgpmime.Partly:
		b.WriteString("Only parts of it came encrypted, each of which is a document of its own; the letter itself came in CLEAR.")
	default:
		b.WriteString("It came in CLEAR.")
	}
	if a.opened != nil && len(a.opened.Unopened) > 0 {
		fmt.Fprintf(&b, " %s could not be opened (%s).", pieces(len(a.opened.Unopened)), strings.Join(a.opened.Unopened, ", "))
	}
	sig := signatureWords(a, p)
	fmt.Fprintf(&b, " Signature: %s.\nReally from %s", sig, orNone(a.sender()))
	if a.opened == nil || !strings.HasPrefix(sig, "good") {
		b.WriteString(", which nothing proves")
	}
	b.WriteString(".")
	if a.opened != nil && !a.opened.FromAgrees(a.from()) {
		b.WriteString(" Inside it says that it is from somebody else.")
	}
	b.WriteString(originWords(a))
	b.WriteString(documentWords(a, p))
	b.WriteString(burntWords(a))
	if a.root != nil {
		if why := a.automatic(); why != "" {
			b.WriteString("\nNo person wrote it: " + why + ".")
		}
	}
	return b.String()
}

// laidOut ends the lines that stand at the top of a view at 72 columns; what
// goes on is indented. Those on a delivery are replaced one by one later, and end
// there by themselves.
func laidOut(note string) string {
	lines := strings.Split(note, "\n")
	for i, l := range lines {
		if !strings.HasPrefix(l, deliveryLine) {
			lines[i] = strings.TrimSuffix(fill("", "  ", l), "\n")
		}
	}
	return strings.Join(lines, "\n")
}

func pieces(n int) string {
	if n == 1 {
		return "1 encrypted piece"
	}
	return fmt.Sprintf("%d encrypted pieces", n)
}
