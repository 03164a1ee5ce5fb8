package mailflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

// arrival is one mail on its way from the spool to its place.
type arrival struct {
	row    spoolRow
	raw    []byte
	root   *message.Part   // nil where the bytes are no message
	opened *pgpmime.Opened // nil where broken
	shown  *message.Part   // the tree to display: of the payload where there is one
	inner  message.Header  // the fields that were protected along with the text
	broken string          // why it is kept opaque, in words for the desk
	limit  string          // why it counts for nothing though it was opened: what was encrypted is over a limit, and shown as it stands
	origin string          // what DNS and the signatures for domains say of where it came from, for people to read; "" where nobody asked
	parsed []*message.Part
	filed  bool                  // some view names its bytes
	views  map[string]*rendering // made so far
}

func (a *arrival) sha256() string {
	sum := sha256.Sum256(a.raw)
	return hex.EncodeToString(sum[:])
}

// read opens a mail as far as it goes: what cannot be parsed or decrypted
// is kept whole, with the reason (rule P10).
func (in *Intake) read(ctx context.Context, row spoolRow) (*arrival, error) {
	raw, err := in.Store.Bytes(row.Body)
	if err != nil {
		return nil, err
	}
	a := &arrival{row: row, raw: raw}
	if a.root, err = message.Parse(raw, in.Limits); err != nil {
		a.root, a.broken = nil, "it cannot be read as a message ("+err.Error()+")"
		return a, nil
	}
	a.origin = originOf(row, raw)
	o := pgpmime.Opener{Secrets: in.Own.Secrets(), Limits: pgpmime.DefaultLimits(), Certificates: in.candidates,
		Parse: func(b []byte) (*pgpmime.Part, error) {
			p, err := message.Parse(b, in.Limits)
			if over := (*message.LimitError)(nil); errors.As(err, &over) {
				a.limit = "what it holds, encrypted, cannot be read as a message (" + over.Error() + ")"
			}
			if err != nil {
				return nil, err
			}
			a.parsed = append(a.parsed, p)
			return treeOf(p), nil
		}}
	opened, err := o.Open(ctx, treeOf(a.root), row.At)
	if err != nil && !errors.Is(err, pgpmime.ErrUndecryptable) {
		return nil, err // of the gateway, not of the mail: it is tried again
	}
	if err != nil {
		a.broken = "it cannot be decrypted (" + pgpmime.Reason(err) + ")"
		if why := in.retiredFor(a.root, err); why != "" {
			a.broken = why
		}
		return a, nil
	}
	a.show(opened)
	return a, nil
}

// smallMail is up to what size an arrival is held without a room. A view of it is smaller
// than inlineView however it is encoded: mails that are sealed first make those in
// their company run again, and so must stay few.
const smallMail = 16 << 10

// holds is about how many bytes the mail takes as it is held open: what came, and what
// was taken out of it.
func (a *arrival) holds() int64 {
	n := int64(len(a.raw))
	for _, p := range a.parsed {
		n += int64(len(p.Raw()))
	}
	if a.opened != nil {
		for _, d := range a.opened.Documents {
			n += int64(len(d.Data))
		}
	}
	return n
}

// stops says why a mail goes to Quarantine wherever it was sent to, or "".
func (a *arrival) stops() string {
	if a.broken != "" {
		return a.broken
	}
	return a.limit
}

// show takes in what opening the mail gave. The copies of protected fields that
// stand in the text for old programs are no part of the letter.
func (a *arrival) show(opened *pgpmime.Opened) {
	a.opened, a.shown, a.inner = opened, a.treeFor(opened.Root.Raw), headerOf(opened.Protected)
	if opened.Scheme != pgpmime.Unprotected {
		a.shown.HideLegacyDisplay()
	}
}

// treeFor finds the parse of what opening has to show among those that it made,
// so that nothing is parsed twice in two ways (rule P6).
func (a *arrival) treeFor(raw []byte) *message.Part {
	found := a.root
	for _, tree := range append(a.parsed[:len(a.parsed):len(a.parsed)], a.root) {
		tree.Walk(func(p *message.Part) bool {
			if r := p.Raw(); len(r) == len(raw) && len(r) > 0 && &r[0] == &raw[0] {
				found = p
			}
			return true
		})
	}
	return found
}

// headerOf makes a header of the fields that were protected, to be read like any
// other.
func headerOf(f pgpmime.Fields) message.Header {
	var b strings.Builder
	for name, values := range f {
		for _, v := range values {
			b.WriteString(name + ": " + strings.NewReplacer("\r", " ", "\n", " ").Replace(v) + "\r\n")
		}
	}
	p, err := message.Parse([]byte(b.String()+"\r\n"), message.Limits{HeaderBytes: 1 << 20})
	if err != nil {
		return message.Header{}
	}
	return p.Header
}

// treeOf shows a parsed message to the OpenPGP layer.
func treeOf(p *message.Part) *pgpmime.Part {
	t := &pgpmime.Part{MediaType: p.MediaType, Params: p.Params, Filename: p.Filename, Attachment: p.IsAttachment(),
		Raw: p.Raw(), Header: p.Header.Values, Body: p.Body, Head: p.Head, Text: p.Text}
	for _, c := range p.Children {
		t.Children = append(t.Children, treeOf(c))
	}
	return t
}

// from lists every address of every From field; a field that cannot be read
// gives an empty one, which is nobody's.
func (a *arrival) from() []string {
	var out []string
	for _, v := range a.root.Header.Values("From") {
		list, err := message.ParseMailboxList(v)
		if err != nil || len(list) == 0 {
			out = append(out, "")
			continue
		}
		for _, x := range list {
			out = append(out, keyring.FoldAddress(x.Addr()))
		}
	}
	return out
}

// references lists the mails that this one answers, by its header in the open and
// by the one that was protected: it may be the only one.
func (a *arrival) references() []string {
	var ids []string
	for _, h := range []message.Header{a.inner, a.root.Header} {
		ids = append(append(ids, h.InReplyTo()...), h.References()...)
	}
	return ids
}

// sender is the one address that the mail says it is from, or "".
func (a *arrival) sender() string {
	if a.root == nil {
		return ""
	}
	if f := a.from(); len(f) == 1 {
		return f[0]
	}
	return ""
}

// subject is the inner Subject where there is one, else the outer.
func (a *arrival) subject() string {
	switch {
	case a.opened != nil && a.opened.HasSubject:
		return a.inner.Text("Subject")
	case a.root != nil:
		return a.root.Header.Text("Subject")
	}
	return ""
}

// text is the first text of what is displayed.
func (a *arrival) text() string {
	t := a.shown.FirstText()
	if t == nil {
		return ""
	}
	s, err := t.Unflowed()
	if err != nil {
		return ""
	}
	return s
}

// encrypted says whether the whole mail came encrypted.
func (a *arrival) encrypted() bool {
	return a.opened != nil && a.opened.Encryption == pgpmime.Encrypted
}

// automatic says why no person wrote the mail, or "". What was encrypted may
// be an automatic reply, too, and say so in the header that is signed with it.
func (a *arrival) automatic() string {
	if a.root == nil {
		return "it cannot be read"
	}
	why := a.root.Automatic(a.row.Envelope.From)
	if why == "" && a.shown != nil {
		why = a.shown.Automatic(a.row.Envelope.From)
	}
	if why == "" && a.shown != nil {
		why = covered(a.shown).Automatic(a.row.Envelope.From)
	}
	if why == "" {
		why = message.AutomaticReason(a.inner, a.row.Envelope.From)
	}
	return why
}

// names are the cases that the signed or encrypted words name.
func (a *arrival) names() []cvd.CaseID { return cvd.FindCaseIDs(a.ownWords()) }

// ownWords are the text and the Subject, where that was protected with it.
func (a *arrival) ownWords() string {
	inner := a.text()
	if a.opened.HasSubject {
		inner += "\n" + a.subject()
	}
	return inner
}

// tags are the case tags in the inner Subject; the outer one never routes.
func (a *arrival) tags() []cvd.CaseID {
	if a.opened == nil || !a.opened.HasSubject || !a.encrypted() {
		return nil
	}
	return cvd.FindCaseIDs(a.subject())
}
