package mailflow

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// finding is what the signatures of one document say to the desk. It says nothing
// about the mail that brought the document.
type finding struct {
	pgpmime.Finding
	Party string
	Trust string // of the key, where it is good
	Again bool   // it came before, in another mail
}

// findings judges each document by itself, for whomever the mail belongs to.
func (in *Intake) findings(tx *store.Tx, a *arrival, p place) ([]finding, error) {
	if a.opened == nil || len(a.opened.Documents) == 0 {
		return nil, nil
	}
	claim := in.strangersClaim(tx, a)
	var keys map[keyring.Fingerprint]keyring.Standing
	if p.thread() {
		who, err := ParticipantByID(tx, p.Case, p.Party)
		switch {
		case err == nil:
			if keys, err = in.standing(tx, who, a.row.At); err != nil {
				return nil, err
			}
			if claim, err = in.claimFor(tx, a, who); err != nil {
				return nil, err
			}
		case !errors.Is(err, ErrNoParticipant):
			return nil, err
		}
	}
	var out []finding
	var err error
	for i, f := range pgpmime.Find(a.opened, claim, a.row.At) {
		g := finding{Finding: f}
		if g.Again, err = a.sameDocument(tx, a.opened.Documents[i]); err != nil {
			return nil, err
		}
		if f.State() == pgpmime.Good {
			g.Party, g.Trust = string(p.Party), keys[f.Key()].Trust.String()
		}
		out = append(out, g)
	}
	return out, nil
}

// words is the value of the signature in a Parley-Document field.
func (f finding) words(d pgpmime.Document) string {
	return verdictWords(f, f.Party, f.Trust, d.Signatures)
}

// documentFields say of each document what it was and what its signatures say.
func documentFields(a *arrival, p place) []message.Field {
	var out []message.Field
	for i, f := range p.Findings {
		d := a.opened.Documents[i]
		enc := "no"
		if d.Encrypted {
			enc = "yes"
		}
		value := fmt.Sprintf("%d; name=\"%s\"; encryption=%s; signature=%s", i+1, documentTitle(documentName(d)), enc, f.words(d))
		if f.Again {
			value += "; seen=before"
		}
		out = append(out, message.Field{Name: "Parley-Document", Value: value})
	}
	return out
}

// documentTitle is a file name that can stand between quotes in a field.
func documentTitle(name string) string {
	return strings.NewReplacer(`"`, "'", `\`, "/", ";", ",").Replace(shortened(headerText(name), maxName))
}

// maxDocumentLines is how many documents are spoken of in words.
const maxDocumentLines = 10

// documentWords says the same in words, one line for each.
func documentWords(a *arrival, p place) string {
	var b strings.Builder
	for i, f := range p.Findings {
		d := a.opened.Documents[i]
		if i == maxDocumentLines {
			fmt.Fprintf(&b, "\nAnd %d more documents.", len(p.Findings)-i)
			break
		}
		how := "signed text, or a file that only its own signature is about"
		switch {
		case d.Encrypted:
			how = "a piece that was encrypted by itself"
		case d.Attached:
			how = "an attachment with a signature in a file beside it"
		}
		fmt.Fprintf(&b, "\nDocument %d, %s: %s. Its signature: %s.", i+1, documentTitle(documentName(d)), how, f.words(d))
		if f.Again {
			b.WriteString(" It came before, in another mail.")
		}
	}
	if len(p.Findings) > 0 {
		b.WriteString("\nWhat a document's signature says, it says of that document only.")
	}
	return b.String()
}

// documents are parts that were opened on their own, each an attachment of
// its own (rule P1). One that is an attachment already is not shown twice.
func (a *arrival) documents() []message.Attachment {
	if a.opened == nil {
		return nil
	}
	var out []message.Attachment
	for _, d := range a.opened.Documents {
		if !d.Attached {
			out = append(out, a.documentFile(d))
		}
	}
	return out
}

func (a *arrival) documentFile(d pgpmime.Document) message.Attachment {
	f := message.Attachment{Filename: documentName(d), MediaType: "application/octet-stream", Data: a.withoutSecrets(d.Data)}
	switch {
	case !plainDocument(d):
	case utf8.Valid(d.Data):
		f.MediaType, f.Params = "text/plain", map[string]string{"charset": "utf-8"}
	case message.KnownCharset(d.Charset):
		f.MediaType, f.Params = "text/plain", map[string]string{"charset": d.Charset}
	}
	return f
}

// documentName gives a text that has no name of its own the ending by which
// clients show it.
func documentName(d pgpmime.Document) string {
	if path.Ext(d.Name) == "" && plainDocument(d) {
		return d.Name + ".txt"
	}
	return d.Name
}

// plainDocument says whether a document is a text to be read as it stands. A mail
// is none, nor what a client could take for a page.
func plainDocument(d pgpmime.Document) bool {
	switch strings.ToLower(path.Ext(d.Name)) {
	case ".eml", ".htm", ".html", ".xhtml", ".svg", ".xml":
		return false
	}
	if !utf8.Valid(d.Data) && d.Charset == "" {
		return false
	}
	return !strings.ContainsFunc(string(d.Data[:min(len(d.Data), 64<<10)]), func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f'
	})
}

// strangersClaim is what there is to say of whoever has no thread: nobody pinned
// a key for it, but it may be a party's of the directory.
func (in *Intake) strangersClaim(tx *store.Tx, a *arrival) pgpmime.Claim {
	owner := in.otherOwner(tx, "")
	return pgpmime.Claim{From: a.from(), Other: func(f keyring.Fingerprint) (string, bool) {
		o, ok := owner(f)
		return o, ok && ownerName(o) == o
	}}
}
