package message

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// textLines puts text into the canonical form of RFC 2046 section 4.1.1: lines
// end in CRLF, the last one too.
func textLines(s string) string {
	if strings.Contains(s, "\r") {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	}
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return strings.ReplaceAll(s, "\n", "\r\n")
}

// isPlain tells whether canonical text may travel as it is, even signed: in
// US-ASCII, in lines of 78 characters at most, with nothing that mail servers
// are known to change (RFC 3156 section 3: space at the end of a line, "From "
// at its beginning; a lone dot besides) and nothing like a boundary of ours.
func isPlain(s string) bool {
	for more := true; more; {
		var line string
		line, s, more = strings.Cut(s, "\r\n")
		if !isLine(line, lineLength) || strings.HasPrefix(line, "From ") || strings.HasPrefix(line, "--=") ||
			line == "." || strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") {
			return false
		}
	}
	return true
}

// is7bit tells whether s is text of RFC 2045 section 2.7, without control
// characters other than tabs and whole line breaks, in lines up to a limit.
func is7bit(s string, limit int) bool {
	for more := true; more; {
		var line string
		if line, s, more = strings.Cut(s, "\r\n"); !isLine(line, limit) {
			return false
		}
	}
	return true
}

// isLine is is7bit of one line without its end.
func isLine(line string, limit int) bool {
	if len(line) > limit {
		return false
	}
	for i := 0; i < len(line); i++ {
		if c := line[i]; c-' ' > '~'-' ' && c != '\t' {
			return false
		}
	}
	return true
}

const upperHex = "0123456789ABCDEF"

// encodeQuotedPrintable writes canonical text (RFC 2045 section 6.7). What
// isPlain refuses at the ends of a line is encoded there.
func encodeQuotedPrintable(s string) []byte {
	var b bytes.Buffer
	b.Grow(len(s) + len(s)/8)
	for {
		line, rest, more := strings.Cut(s, "\r\n")
		encodeLine(&b, line)
		if !more {
			return b.Bytes()
		}
		b.WriteString("\r\n")
		s = rest
	}
}

func encodeLine(b *bytes.Buffer, line string) {
	column := 0
	for i := 0; i < len(line); i++ {
		c := line[i]
		literal := c > ' ' && c < 0x7f && c != '='
		if c == ' ' || c == '\t' {
			literal = i < len(line)-1
		}
		if i == 0 && (strings.HasPrefix(line, "From ") || strings.HasPrefix(line, "--") || c == '.') {
			literal = false
		}
		width := 3
		if literal {
			width = 1
		}
		if column+width > 75 {
			b.WriteString("=\r\n")
			column = 0
		}
		column += width
		if literal {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'=', upperHex[c>>4], upperHex[c&15]})
		}
	}
}

// writeBase64 writes data in lines of 76 characters, without a line break at
// the very end.
func writeBase64(b *bytes.Buffer, data []byte) {
	const perLine = 57
	b.Grow(len(data)*4/3 + len(data)/perLine*2 + 8)
	var line [76]byte
	for len(data) > 0 {
		n := min(perLine, len(data))
		base64.StdEncoding.Encode(line[:], data[:n])
		b.Write(line[:base64.StdEncoding.EncodedLen(n)])
		if data = data[n:]; len(data) > 0 {
			b.WriteString("\r\n")
		}
	}
}

// formatType writes the value of Content-Type or Content-Disposition, folded:
// each parameter on a line of its own once the line is full.
func formatType(name, value string, params map[string]string) (string, error) {
	b, column := name+": "+value, len(name)+2+len(value)
	keys := make([]string, 0, len(params))
	for k := range params {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !isToken(k) {
			return "", fmt.Errorf("format field %q: parameter name %q", name, k)
		}
		if err := checkPlain(params[k]); err != nil {
			return "", fmt.Errorf("format field %q: %w", name, err)
		}
		for _, p := range formatParam(k, params[k]) {
			if column+2+len(p) > lineLength-1 {
				b, column = b+";\r\n "+p, 1+len(p)
			} else {
				b, column = b+"; "+p, column+2+len(p)
			}
		}
	}
	return b + "\r\n", nil
}

// formatParam writes one parameter, in sections where it is long or not in
// US-ASCII (RFC 2231 sections 3 and 4).
func formatParam(name, value string) []string {
	const section = 50
	plain := name + "=" + quote(value)
	if name == "boundary" || isASCII(value) && len(plain) <= lineLength-4 {
		return []string{plain}
	}
	var units []string // what must not be cut
	for i := 0; i < len(value); i++ {
		if c := value[i]; isTokenByte(c) && c != '*' && c != '\'' && c != '%' {
			units = append(units, string(c))
		} else {
			units = append(units, string([]byte{'%', upperHex[c>>4], upperHex[c&15]}))
		}
	}
	if text := strings.Join(units, ""); len(text) <= section {
		return []string{name + "*=utf-8''" + text}
	}
	var parts []string
	text := "utf-8''"
	for _, u := range units {
		if len(text)+len(u) > section {
			parts, text = append(parts, fmt.Sprintf("%s*%d*=%s", name, len(parts), text)), ""
		}
		text += u
	}
	return append(parts, fmt.Sprintf("%s*%d*=%s", name, len(parts), text))
}
