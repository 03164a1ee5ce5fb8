package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// answersForKey says whether a mail is a vendor's answer to our question which
// key to use, which went out in clear and may come back so. To a note that
// something waits it is one only where it brings a key.
func (in *Intake) answersForKey(tx *store.Tx, a *arrival, who cvd.Participant, v pgpmime.Verdict) (bool, error) {
	if who.Party == cvd.Finder || (v.State() != pgpmime.None && v.State() != pgpmime.UnknownKey) {
		return false, nil
	}
	all, err := Notices(tx, who.Case, who.Party)
	if err != nil {
		return false, err
	}
	answers := append(a.root.Header.InReplyTo(), a.root.Header.References()...)
	return slices.ContainsFunc(all, func(n cvd.Notice) bool {
		question := n.Kind == cvd.KindContact || (n.Kind == cvd.KindNote && len(a.certificates()) > 0)
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
	var lines []string
	for _, c := range a.certificates() {
		line, err := in.claim(tx, p.Party, c)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	why, next := "they sent no key", "read their mail, and answer it or find another contact"
	if len(lines) > 0 {
		why = "whoever saw our question could have answered it"
		next = "compare the fingerprint with them another way, and confirm it in a signed mail to control@" + in.DeskDomain +
			"\n    case " + string(p.Case) + "\n" + strings.Join(lines, "\n")
	}
	subject := fmt.Sprintf("Which key is %s's? It answered in %s", p.Party, p.Case)
	r, err := in.Templates.Refusal(refusal(subject, fmt.Sprintf("%s answered our question which key to use. The mail is filed in its thread. No key counts before somebody compared it.", p.Party), why, next))
	if err != nil {
		return err
	}
	return in.task(tx, keyTask(string(p.Party)), Post{Folder: "Keys", Case: p.Case, Kind: "key", Ref: string(p.Party),
		From: string(p.Party), Alias: string(p.Party) + "." + p.Case.Lower(), Subject: subject, Text: r.Text})
}

// keyTask names the mail in Keys about one holder.
func keyTask(owner string) string { return "key:" + owner }

// claim pins a certificate that came by mail, and gives the line that would
// confirm it, or why it cannot be used.
func (in *Intake) claim(tx *store.Tx, party cvd.PartyID, c *keyring.Certificate) (string, error) {
	f := c.Fingerprint()
	if err := c.CanEncrypt(tx.Now); err != nil {
		return fmt.Sprintf("    (%s cannot be used: %s)", f.Spaced(), err), nil
	}
	err := in.addKey(tx, string(party), keyring.Pinned{Fingerprint: f, Trust: keyring.Claimed, Evidence: "came in answer to our question, by mail", Cert: c.Bytes()})
	return fmt.Sprintf("    key confirm %s %s evidence \"...\"", party, f), err
}
