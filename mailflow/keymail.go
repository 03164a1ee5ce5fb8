package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// answersForKey says whether a mail is a vendor's answer to our question which
// key to use, or to our note that its key changes, which went out in clear and
// may come back so. To a note that something waits it is one only where it
// brings a key.
func (in *Intake) answersForKey(tx *store.Tx, a *arrival, who cvd.Participant, v pgpmime.Verdict) (bool, error) {
	if who.Party.IsFinder() || (v.State() != pgpmime.None && v.State() != pgpmime.UnknownKey) {
		return false, nil
	}
	all, err := Notices(tx, who.Case, who.Party)
	if err != nil {
		return false, err
	}
	answers := a.references()
	return slices.ContainsFunc(all, func(n cvd.Notice) bool {
		question := n.Kind == cvd.KindContact || n.Key != "" || (n.Kind == cvd.KindNote && len(a.certificates()) > 0)
		return question && n.MessageID != "" && slices.Contains(answers, n.MessageID)
	}), nil
}

// certificates are all that came with a mail, inside the encryption or not,
// each key once.
func (a *arrival) certificates() []*keyring.Certificate {
	var out []*keyring.Certificate
	for _, c := range append(slices.Clone(a.opened.Inside), a.opened.Outside...) {
		if !slices.ContainsFunc(out, func(o *keyring.Certificate) bool { return o.Fingerprint() == c.Fingerprint() }) {
			out = append(out, c)
		}
	}
	return out
}

// fileKeys files a vendor's answer in its thread, keeps the keys that it brings
// as claimed, and asks the desk to compare them. It confirms nothing: whoever
// saw our question could have answered it.
func (in *Intake) fileKeys(tx *store.Tx, a *arrival, p place) error {
	if _, err := in.fileInThread(tx, a, p); err != nil {
		return err
	}
	if a.automatic() != "" { // it answers no question of ours
		return in.proposeRef(tx, a, p)
	}
	party, err := PartyByID(tx, p.Party)
	if err != nil {
		return err
	}
	var lines []string
	for _, c := range a.certificates() {
		line, err := in.claim(tx, party, c)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	changed, err := in.answersChange(tx, a, p)
	if err != nil {
		return err
	}
	subject := fmt.Sprintf("Which key is %s's? It answered in %s", p.Party, p.Case)
	state := fmt.Sprintf("%s answered our question which key to use. The mail is filed in its thread. No key counts before somebody compared it.", p.Party)
	why, next := "they sent no key", "read their mail, and answer it or find another contact"
	if len(lines) > 0 {
		why = "whoever saw our question could have answered it"
		next = "compare the fingerprint with them another way, and confirm it in a signed mail to control@" + in.DeskDomain +
			"\n    case " + string(p.Case) + "\n" + strings.Join(lines, "\n")
	}
	if changed != "" {
		subject = fmt.Sprintf("Is %s's new key wrong? It answered in %s", p.Party, p.Case)
		state = fmt.Sprintf("We told %s that its key changes to %s, and it answered. The mail is filed in its thread.", p.Party, changed.Spaced())
		why = "whoever answers that may know nothing of the new key"
		next = fmt.Sprintf("read their mail at once. If the change is wrong, write to control@%s\n    key reject %s %s because \"...\"", in.DeskDomain, p.Party, changed)
	}
	r, err := in.Templates.Refusal(refusal(subject, state, why, next))
	if err != nil {
		return err
	}
	task := keyTask(string(p.Party))
	if changed != "" {
		task += ":change:" + string(changed)
	}
	return in.task(tx, task, Post{Folder: "Keys", Case: p.Case, Kind: "key", Ref: string(p.Party),
		From: string(p.Party), Alias: string(p.Party) + "." + p.Case.Lower(), Subject: subject, Text: r.Text})
}

// answersChange names the new key that a mail answers about, if it answers a
// note that the party's key changes.
func (in *Intake) answersChange(tx *store.Tx, a *arrival, p place) (keyring.Fingerprint, error) {
	all, err := Notices(tx, p.Case, p.Party)
	if err != nil {
		return "", err
	}
	answers := a.references()
	for _, n := range all {
		if n.Key != "" && n.MessageID != "" && slices.Contains(answers, n.MessageID) {
			return keyring.Fingerprint(n.Key), nil
		}
	}
	return "", nil
}

// keyTask names the mail in Keys about one holder.
func keyTask(owner string) string { return "key:" + owner }

// claim pins a certificate that came by mail, and gives the line that would
// confirm it, with what is to be known of it, or why it is not kept.
func (in *Intake) claim(tx *store.Tx, p cvd.Party, c *keyring.Certificate) (string, error) {
	f := c.Fingerprint()
	fit, err := fitness(p.ID, c, tx.Now)
	if err != nil {
		return fmt.Sprintf("    (%s is not kept: %s)", f.Spaced(), err), nil
	}
	k := keyring.Pinned{Fingerprint: f, Trust: keyring.Claimed, Evidence: []keyring.Voucher{{Words: "came in answer to our question, by mail"}}, Cert: c.Bytes()}
	k.Address, _ = serves(p, c)
	line := fmt.Sprintf("    key confirm %s %s evidence \"...\"", p.ID, f)
	for _, said := range []string{fit, stranger(p, c)} {
		if said != "" {
			line += "\n    (" + said + ")"
		}
	}
	return line, in.addKey(tx, string(p.ID), k)
}

// burntIn is burnt for a mail to a participant's own address.
func (in *Intake) burntIn(tx *store.Tx, a *arrival, p place) error {
	keys := a.secretKeys()
	if len(keys) == 0 || !p.thread() {
		return nil
	}
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if errors.Is(err, ErrNoParticipant) {
		return nil
	}
	if err != nil {
		return err
	}
	return in.burnt(tx, a, who, keys)
}

// burnt answers a mail that held secret keys: its sender is told, in clear and
// with nothing of any case, to treat them as burnt, and the desk learns of it.
// Nothing of them is kept as a key. Without any keys it does nothing.
func (in *Intake) burnt(tx *store.Tx, a *arrival, who cvd.Participant, keys []keyring.Fingerprint) error {
	if len(keys) == 0 {
		return nil
	}
	name := string(who.Party)
	subject := fmt.Sprintf("%s mailed a secret key", name)
	r, err := in.Templates.Refusal(refusal(subject,
		subject+". It was not kept as a key and is not used. They are told to revoke it and to make a new one, with nothing of any case, at most once a day.",
		"whoever reads that mail can read and sign in their name: "+strings.Join(spaced(keys), "; "),
		"talk to them; reject the key if we use it, and wait for the new one"+rejections(name, keys)))
	if err != nil {
		return err
	}
	post := Post{Folder: "Keys", Case: who.Case, Kind: "key", Ref: name, From: name, Subject: subject, Text: r.Text}
	if err := in.task(tx, threadTask("burnt", who.Case, who.Party), post); err != nil {
		return err
	}
	if a.automatic() != "" || who.Address == "" || in.ownAddress(who.Address) || in.ownAddress(a.sender()) {
		return nil
	}
	ok, err := mayAnswer(tx, "burnt", who.Address, 1)
	if err != nil || !ok {
		return err
	}
	to, err := spokenTo(tx, who)
	if err != nil {
		return err
	}
	text, err := in.Templates.Burnt(templates.Burnt{Us: in.us(), To: to, Keys: spaced(keys)})
	if err != nil {
		return err
	}
	_, err = in.newNotice(tx, cvd.Notice{Case: who.Case, Party: who.Party, Kind: cvd.KindNote}, &Letter{Subject: text.Subject, Text: text.Text, Automatic: true})
	return err
}

// rejections are the lines that end the use of burnt keys.
func rejections(party string, keys []keyring.Fingerprint) string {
	var out strings.Builder
	for _, f := range keys {
		fmt.Fprintf(&out, "\n    key reject %s %s because \"its secret key was mailed\"", party, f)
	}
	return out.String()
}
