package mailflow

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// A command or gesture that counts only signed (rule A3) is refused, and a mail
// that says the same and lacks nothing but the signature stands in the Drafts
// of whoever gave it: to open a draft, sign and send it is what every mail
// client can. A Reply to the refusal could not do: what it quotes is never read
// for commands.

// onlySigned refuses a yes that counts only signed.
func (b *Base) onlySigned(tx *store.Tx, a cvd.ApprovalRequest, by Actor) error {
	r := &Refusal{Sentence: fmt.Sprintf("%s counts only in a mail signed with your own OpenPGP key: send `approve %s`, signed, to control@%s", a.ID, a.ID, b.DeskDomain)}
	c, err := CoordinatorByName(tx, by.Name)
	switch {
	case errors.Is(err, ErrNoCoordinator):
		return r
	case err != nil:
		return err
	case len(c.Key) == 0:
		r.Sentence += fmt.Sprintf("; no key of yours is on file, so ask the operator to add it (parley coordinator add %s --key FILE)", c.Name)
		return r
	}
	r.Sign = true
	return r
}

// toSign notes the commands that a refused gesture stands for.
func toSign(err error, lines ...string) error {
	var r *Refusal
	if errors.As(err, &r) && r.Sign {
		r.Lines = lines
	}
	return err
}

// commands are the lines of a transcript, as they were given.
func (t Transcript) commands() []string {
	var out []string
	for _, l := range t.Lines {
		out = append(out, l.Command)
	}
	return out
}

// putToSign leaves commands as a mail in the Drafts of a coordinator, one for
// the same commands, sealed with the case that they are about. The task that
// tells of their refusal ends with the draft.
func (b *Base) putToSign(tx *store.Tx, by string, id cvd.CaseID, lines []string, task string) error {
	if err := b.drafted(tx, by, lines, task); err != nil {
		return err
	}
	c, err := CoordinatorByName(tx, by)
	if err != nil {
		return err
	}
	if err := ensureOwnFolders(tx, by); err != nil {
		return err
	}
	box, err := tx.MailboxNamed(by, "Drafts")
	if err != nil {
		return err
	}
	raw, msgID, err := b.unsigned(tx, c, lines)
	if err != nil {
		return err
	}
	m := store.Message{Scope: DeskScope, Direction: ownMail, Sender: by, MessageID: msgID}
	if id != "" && tx.HasScope(caseScope(id)) {
		m.Case, m.Scope = string(id), caseScope(id)
	}
	if m, err = b.keepOwn(tx, raw, m); err != nil {
		return err
	}
	uid, err := tx.File(box.Number, m.ID)
	if err != nil {
		return err
	}
	if err := tx.Mark(box.Number, by, []uint32{uid}, 0, store.MarkDraft); err != nil {
		return err
	}
	row := taskRow{Case: id, Mailbox: box.Number, UID: uid, Key: task}
	return tasks.Put(tx, m.Scope, toSignKey(tx, by, lines), row)
}

// unsigned writes the mail: the commands and nothing else, so that signing it
// is all that is left to do.
func (b *Base) unsigned(tx *store.Tx, c Coordinator, lines []string) (raw []byte, id string, err error) {
	id = newMessageID(b.DeskDomain)
	raw, err = message.Entity{Fields: []message.Field{
		{Name: "From", Value: mailbox(c.Name, c.Address)},
		{Name: "To", Value: "control@" + b.DeskDomain},
		{Name: "Subject", Value: toSignSubject(lines)},
		{Name: "Date", Value: tx.Now.Format(time.RFC1123Z)},
		{Name: "Message-ID", Value: "<" + id + ">"},
	}, Text: strings.Join(lines, "\n") + "\n"}.Bytes(randomHex(16))
	return raw, id, err
}

func toSignKey(tx *store.Tx, by string, lines []string) []byte {
	return tx.Name("task", "tosign:"+sameCommands(by, lines))
}

// sameCommands names a list of commands and who gave it.
func sameCommands(by string, lines []string) string {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return by + ":" + hex.EncodeToString(sum[:])
}

// signedDone takes away what waits for the signature under commands that were
// carried out: the draft, and the task that tells of their refusal. One that
// was refused alone, such as a gesture, may be carried out beside others.
func (b *Base) signedDone(tx *store.Tx, by string, lines []string) error {
	if err := b.drafted(tx, by, lines, ""); err != nil {
		return err
	}
	for i := range lines {
		if err := b.drafted(tx, by, lines[i:i+1], ""); err != nil {
			return err
		}
	}
	return nil
}

// drafted takes the draft of commands away, and the task that tells of their
// refusal where it is not the one that stays. The client may have deleted the
// draft as it sent it, and somebody may have called the task done.
func (b *Base) drafted(tx *store.Tx, by string, lines []string, stays string) error {
	key := toSignKey(tx, by, lines)
	row, err := tasks.Get(tx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := discard(tx, row.Mailbox, []uint32{row.UID}); err != nil {
		return err
	}
	if row.Key != "" && row.Key != stays {
		if err := b.taskDone(tx, row.Key); err != nil {
			return err
		}
	}
	return tasks.Delete(tx, key)
}

// toSignSubject is the first command that does more than name a case.
func toSignSubject(lines []string) string {
	first := lines[0]
	for _, l := range lines {
		if o, err := readLine(l); err == nil && o.command.words != "case" {
			first = l
			break
		}
	}
	return shortened(headerText(first), maxName)
}

// draftLine tells where the mail is that lacks only a signature.
func draftLine(lines []string) string {
	return "open the mail `" + toSignSubject(lines) + "` in your Drafts, sign it with your own OpenPGP key, and send it. A Reply to this mail does nothing: what it quotes is not read"
}
