package mailflow

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// Post is a mail that the gateway itself puts before the desk.
type Post struct {
	Folder      string     // the fixed folder, "Status"; or, with Case, a sub-folder of the case's
	Case        cvd.CaseID // whose scope seals it, and who may see it
	Only        string     // the one coordinator who may see it; empty for all
	From        string     // display name of who it is about; the gateway where empty
	Alias       string     // local part of the desk address that a Reply goes to; control where empty
	Subject     string
	Text        string
	Attachments []message.Attachment
	Kind, Ref   string // what a gesture on it means
	Task        uint64 // the number of the task that it stands for, or 0
}

// post files a mail of the gateway's own. Its bytes never leave the desk. What
// is about a report that became part of a case is seen with that.
func (b *Base) post(tx *store.Tx, p Post) (store.Message, uint32, uint32, error) {
	var err error
	if p.Case, err = caseNow(tx, p.Case); err != nil {
		return store.Message{}, 0, 0, err
	}
	box, scope, err := b.postBox(tx, p)
	if err != nil {
		return store.Message{}, 0, 0, err
	}
	m, err := b.ownMessage(tx, p, scope)
	if err != nil {
		return m, 0, 0, err
	}
	uid, err := tx.File(box.Number, m.ID)
	return m, box.Number, uid, err
}

func (b *Base) postBox(tx *store.Tx, p Post) (store.Mailbox, store.Scope, error) {
	if p.Only != "" {
		box, err := b.folder(tx, p.Folder)
		return box, onlyScope(p.Only), errors.Join(err, tx.NewScope(onlyScope(p.Only)))
	}
	inCase := p.Case != "" && tx.HasScope(caseScope(p.Case))
	scope := DeskScope
	if inCase {
		scope = caseScope(p.Case)
	}
	if inCase && isCaseFolder(p.Folder) {
		c, err := CaseByID(tx, p.Case)
		if err != nil {
			return store.Mailbox{}, scope, err
		}
		box, err := b.caseFolder(tx, c, p.Folder)
		return box, scope, err
	}
	box, err := b.folder(tx, p.Folder)
	return box, scope, err
}

func (b *Base) ownMessage(tx *store.Tx, p Post, scope store.Scope) (store.Message, error) {
	id := newMessageID(b.DeskDomain)
	alias, name := p.Alias, p.From
	if alias == "" {
		alias = "control"
	}
	if name == "" {
		name = "Parley"
	}
	fields := []message.Field{
		{Name: "From", Value: mailbox(name, alias+"@"+b.DeskDomain)},
		{Name: "To", Value: mailbox("Coordinators", "control@"+b.DeskDomain)},
		{Name: "Subject", Value: headerText(p.Subject)},
		{Name: "Date", Value: tx.Now.Format(time.RFC1123Z)},
		{Name: "Message-ID", Value: "<" + id + ">"},
		{Name: "Auto-Submitted", Value: "auto-generated"},
	}
	if _, inReport := reportNumber(p.Case); p.Case != "" && !inReport {
		fields = append(fields, message.Field{Name: "Parley-Case", Value: string(p.Case)})
	}
	if p.Task != 0 {
		fields = append(fields, message.Field{Name: "Parley-Task", Value: fmt.Sprintf("T%d", p.Task)})
	}
	raw, err := message.Entity{Fields: fields, Text: p.Text, Attachments: p.Attachments}.Bytes(randomHex(16))
	if err != nil {
		return store.Message{}, fmt.Errorf("compose %s mail: %w", p.Folder, err)
	}
	return b.keepOwn(tx, raw, store.Message{Scope: scope, Case: string(p.Case), Direction: "system", Kind: p.Kind, Ref: p.Ref, Task: p.Task, MessageID: id})
}

// keepOwn stores bytes that we composed, to be served as they are.
func (b *Base) keepOwn(tx *store.Tx, raw []byte, m store.Message) (store.Message, error) {
	tree, err := message.Parse(raw, b.Limits)
	if err != nil {
		return m, fmt.Errorf("read our own mail: %w", err)
	}
	d, err := b.Store.SealBytes(raw)
	if err != nil {
		return m, err
	}
	if m.Served, err = tx.Keep(d); err != nil {
		return m, err
	}
	m.At, m.Size = tx.Now, int64(len(raw))
	m.Envelope, m.Structure = tree.Envelope(), tree.Structure()
	return tx.PutMessage(m)
}

// mailbox writes a display name and address (RFC 5322 section 3.4); what a
// header may not hold is replaced. So is an @: Thunderbird takes a name with
// one for an address, ends it at the next comma, and replies to two people.
func mailbox(name, addr string) string {
	clean := strings.NewReplacer(`"`, "'", `\`, "/", "@", " at ").Replace(shortened(headerText(name), maxName))
	return fmt.Sprintf("%q <%s>", clean, addr)
}

// headerText makes a text fit for a header field of a view of ours: what came
// from outside may hold anything, and a view must not fail over it.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if message.CheckHeaderValue(string(r)) != nil {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if message.CheckHeaderValue(s) != nil { // it would be decoded once more, to something that may not stand there
		s = strings.ReplaceAll(s, "=?", "= ?")
	}
	return s
}

// maxName is how many characters of somebody's name, or of a file's, a view
// shows: a header line ends at 998 octets.
const maxName = 120

func shortened(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-3]) + "..."
}

// heldKey names the task of a held notice.
func heldKey(n cvd.Notice) string { return "held:" + noticeRef(n) }

// tellHeld puts a held notice before the desk: in Held, and in INBOX where
// somebody must act.
func (b *Base) tellHeld(tx *store.Tx, n cvd.Notice) error {
	where := fmt.Sprintf("%s, case %s", n.Party, n.Case)
	what := noticeName(n)
	next := b.nextFor(n)
	if n.Kind == cvd.KindLeak {
		var err error
		if next, err = b.nextForLeak(tx, n); err != nil {
			return err
		}
	}
	state := "Nothing left this server. The notice is held, sealed, and goes by itself once the reason is gone."
	if byHandNow(n) {
		if !disclosing(n) {
			what = handName(n)
		}
		state = "Nothing left this server, and no mail will. The notice is held, sealed, until a person delivers it."
	}
	r, err := b.Templates.Refusal(refusal(fmt.Sprintf("%s to %s", what, where), state+othersGo(n), n.Why, next))
	if err != nil {
		return err
	}
	p := Post{Case: n.Case, Subject: fmt.Sprintf("Held: %s to %s: %s", what, where, n.Why), Text: r.Text, Kind: "held", Ref: noticeRef(n)}
	if byHandNow(n) {
		if err := b.enclose(tx, n, &p); err != nil {
			return err
		}
	}
	if n.Row.IsZero() {
		err = b.task(tx, heldKey(n), p)
	} else {
		err = b.taskDone(tx, heldKey(n))
	}
	if err != nil {
		return err
	}
	p.Folder = "Held"
	return b.task(tx, heldKey(n)+":folder", p)
}

func (b *Base) nextFor(n cvd.Notice) string {
	c, p, control := n.Case, n.Party, "control@"+b.DeskDomain
	if ends := endsHold(n); ends != "" {
		return fmt.Sprintf("once the hold should end, write to %s:\n    %s", control, ends)
	}
	switch {
	case byHandNow(n):
		return b.nextByHand(n)
	case strings.HasPrefix(n.Why, ownKeyWhy):
		return "on the server, give our key a later end, or let a new one sign:\n    parley key extend --config FILE\n    parley key rotate --from now --config FILE"
	case strings.HasPrefix(n.Why, string(p)+revokedWhy):
		return fmt.Sprintf("ask them, another way, which address is to be used, and write to %s, signed,\n    vendor edit %s address ADDRESS", control, p)
	case !n.Row.IsZero():
		return fmt.Sprintf("nothing, if the change is right: it goes by itself. If it is not, write to %s\n    key reject %s FINGERPRINT because \"...\"", control, p)
	case strings.Contains(n.Why, "key"):
		return fmt.Sprintf("import a good key on the server,\n    parley key import FILE --party %s --config FILE\n"+
			"compare its fingerprint with them another way, and confirm it in a signed mail to %s:\n"+
			"    case %s\n    key confirm %s FINGERPRINT evidence \"...\"", p, control, c, p)
	case strings.Contains(n.Why, "material"):
		return fmt.Sprintf("write the material in a mail to\n    %s.%s@%s", n.Stage, c.Lower(), b.DeskDomain)
	}
	return fmt.Sprintf("see to the reason. Then, if it does not go by itself, write to %s:\n    case %s\n    release %s", control, c, p)
}

// endsHold gives the lines that end the hold which a notice is held by, or ""
// where it is held by something else.
func endsHold(n cvd.Notice) string {
	switch {
	case strings.HasPrefix(n.Why, pausedWhy):
		return "sending resume"
	case strings.HasPrefix(n.Why, caseHoldWhy):
		return fmt.Sprintf("case %s\n    release case", n.Case)
	case strings.HasPrefix(n.Why, string(n.Party)+partyHoldWhy):
		return fmt.Sprintf("case %s\n    release %s", n.Case, n.Party)
	}
	return ""
}

// othersGo says whether other vendors are held by the same.
func othersGo(n cvd.Notice) string {
	switch {
	case strings.HasPrefix(n.Why, pausedWhy):
		return " All else that leaves is held, too."
	case strings.HasPrefix(n.Why, caseHoldWhy):
		return " All else of the case is held, too."
	}
	return " Other vendors go on."
}

// heldDone takes the mails about a held notice away once it left or ended.
func (b *Base) heldDone(tx *store.Tx, n cvd.Notice) error {
	if err := b.taskDone(tx, heldKey(n)); err != nil {
		return err
	}
	return b.taskDone(tx, heldKey(n)+":folder")
}
