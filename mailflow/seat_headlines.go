package mailflow

import (
	"bytes"
	"fmt"
	"iter"
	"strings"

	"parley/mailflow/message"
	"parley/mailflow/store"
)

// headlineBody stands in the place of every body.
const headlineBody = "This login shows headlines only: who wrote, about what, and when. The text\r\n" +
	"and the attachments of this message are not sent to it.\r\n" +
	"\r\n" +
	"To read it, use a login of yours with the view `clear` or `sealed`. Moving\r\n" +
	"this message into a folder works from here all the same.\r\n"

// headlineFields are those that say who, about what and when, and what the
// gateway found. A Parley-Document names files, and so is none of them.
var headlineFields = []string{"From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
	"Auto-Submitted", "X-TUID", "Parley-Case", "Parley-Signature", "Parley-Encryption", "Parley-From", "Parley-Via"}

// headlineOf is a message without its body: the fields as they stand, each once,
// and a text that says how to read it.
func headlineOf(m store.Message, raw []byte) []byte {
	header := raw[m.Structure.HeaderStart:m.Structure.HeaderEnd]
	var b bytes.Buffer
	seen := map[string]bool{}
	for line := range headerLines(header) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		key := strings.ToLower(string(bytes.TrimRight(name, " \t")))
		if isHeadline(key) && !seen[key] {
			seen[key] = true
			b.Write(bytes.TrimRight(line, "\r\n"))
			b.WriteString("\r\n")
		}
	}
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n%s", headlineBody)
	return b.Bytes()
}

func isHeadline(name string) bool {
	for _, f := range headlineFields {
		if strings.EqualFold(f, name) {
			return true
		}
	}
	return false
}

// headerLines yields the fields of a header as they stand, with the lines that
// continue them.
func headerLines(header []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(header) > 0 {
			n := message.FieldEnd(header)
			if line := header[:n]; bytes.IndexByte(line, ':') > 0 && !yield(line) {
				return
			}
			header = header[n:]
		}
	}
}
