package mailflow

import (
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

// writtenText is what a person wrote: every text that is no file, in its
// order. Of alternatives it is the first that says something, which is the
// plain one; HTML is turned into text where there is nothing else.
func writtenText(p *message.Part) string {
	switch {
	case p.IsAttachment():
		return ""
	case p.MediaType == "text/plain":
		s, err := p.Unflowed()
		if err != nil {
			return ""
		}
		return s
	case p.MediaType == "text/html":
		s, err := p.Text()
		if err != nil {
			return ""
		}
		return message.HTMLToText(s)
	case !strings.HasPrefix(p.MediaType, "multipart/"):
		return ""
	}
	first := p.MediaType == "multipart/alternative" || p.MediaType == "multipart/related"
	var all []string
	for _, c := range p.Children {
		t := writtenText(c)
		if strings.TrimSpace(t) == "" {
			continue
		}
		if first {
			return t
		}
		all = append(all, strings.TrimRight(t, "\r\n"))
	}
	return strings.Join(all, "\n\n")
}

// filesWithout lists the files of a coordinator's mail but for its own keys,
// which clients add by themselves to what they sign: they are nobody's
// business outside.
func filesWithout(shown *message.Part, own []*keyring.Certificate) []cvd.File {
	return slices.DeleteFunc(attachmentsOf(shown), func(f cvd.File) bool {
		if len(own) == 0 || f.MediaType != "application/pgp-keys" {
			return false
		}
		certs, err := keyring.ParseCertificates(f.Data)
		return err == nil && !slices.ContainsFunc(certs, func(c *keyring.Certificate) bool {
			return !slices.ContainsFunc(own, func(o *keyring.Certificate) bool { return o.Fingerprint() == c.Fingerprint() })
		})
	})
}

// viewWords begin the lines that the gateway puts at the top of its views, and
// viewMore those that only follow one.
var (
	viewWords = []string{"Really from ", "It came encrypted.", "It came in CLEAR.", "Only parts of it came", "Not opened: ", "No person wrote it: ", "Sent to ", waitingFor, deliveryLine, "Encrypted to ", "Signed, in clear", theirs}
	viewMore  = []string{" ", "Document ", "And ", "What a document's signature says", "A SECRET key came with it", "It left "}
)

// ownWords drops what a client quoted from the desk's view of a mail: the
// lines that the gateway itself put there are not for the recipient.
func ownWords(text string) string {
	var out []string
	eachLine(text, func(line string, ofView bool) {
		if !ofView {
			out = append(out, line)
		}
	})
	return strings.TrimSpace(strings.Join(out, "\n"))
}

// ownLines is ownWords with every line in its place.
func ownLines(text string) string {
	var out []string
	eachLine(text, func(line string, ofView bool) {
		if ofView {
			line = ""
		}
		out = append(out, line)
	})
	return strings.Join(out, "\n")
}

// eachLine says of each line whether the gateway put it at the top of a view, and
// a client quoted it.
func eachLine(text string, do func(line string, ofView bool)) {
	within := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		more, quoted := unmarked(line)
		bare := strings.TrimLeft(more, "> ")
		ofView := quoted && (beginsWith(bare, viewWords) || within && beginsWith(more, viewMore))
		within = ofView && bare != theirs
		do(line, ofView)
	}
}

func beginsWith(line string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(line, w) })
}

// unmarked takes the marks of a quotation off a line, with the space behind each.
func unmarked(line string) (bare string, quoted bool) {
	for strings.HasPrefix(line, ">") {
		line, quoted = strings.TrimPrefix(line[1:], " "), true
	}
	return line, quoted
}

// safeExtension keeps a short, plain extension of a file name; the name
// itself may tell who made it (rule V7).
func safeExtension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || len(name)-i > 6 {
		return ""
	}
	for _, r := range name[i+1:] {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return ""
		}
	}
	return strings.ToLower(name[i:])
}
