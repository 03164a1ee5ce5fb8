package message

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

// Body decodes the transfer encoding (RFC 2045 section 6). Faults inside base64
// and quoted-printable are passed over, as that section advises, so that a
// person gets what can be had. The error names an encoding that is not known;
// the octets are then returned as they are.
func (p *Part) Body() ([]byte, error) {
	raw := p.RawBody()
	switch p.Encoding {
	case "7bit", "8bit", "binary":
		return raw, nil
	case "base64":
		return decodeBase64(raw), nil
	case "quoted-printable":
		return decodeQuotedPrintable(raw), nil
	}
	return raw, fmt.Errorf("decode body: unknown transfer encoding %q", p.Encoding)
}

// Head is the first n octets of Body, or what there is, without decoding much
// more.
func (p *Part) Head(n int) []byte {
	raw := p.RawBody()
	decode := func(raw []byte) []byte { return raw }
	switch p.Encoding {
	case "base64":
		decode = decodeBase64
	case "quoted-printable":
		decode = decodeQuotedPrintable
	}
	for look := 4 * n; ; look *= 4 { // white space may stand in front
		if head := decode(raw[:min(look, len(raw))]); len(head) >= n || look >= len(raw) {
			return head[:min(n, len(head))]
		}
	}
}

// Text is the body as UTF-8 with LF line ends. A charset or transfer encoding
// that is not known is no error: the text is then the best guess.
func (p *Part) Text() (string, error) {
	body, _ := p.Body() // with an unknown encoding the text is what stands there
	s := toUTF8(body, p.Params["charset"])
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	}
	if p.skipHead {
		s = withoutHead(s)
	}
	return s, nil
}

// Unflowed is Text with the line breaks undone that format=flowed added (RFC
// 3676): a command longer than a line is one line again. Other text it
// returns as Text does.
func (p *Part) Unflowed() (string, error) {
	s, err := p.Text()
	if err != nil || !strings.EqualFold(p.Params["format"], "flowed") {
		return s, err
	}
	return unflow(s, strings.EqualFold(p.Params["delsp"], "yes")), nil
}

// unflow joins a line that ends in a space with the next, as long as both are
// quoted equally deep (RFC 3676 section 4).
func unflow(s string, delsp bool) string {
	var out strings.Builder
	open, openDepth := false, 0
	for line := range strings.Lines(s) {
		text, ended := strings.CutSuffix(line, "\n")
		bare := strings.TrimLeft(text, ">")
		depth := len(text) - len(bare)
		bare = strings.TrimPrefix(bare, " ") // stuffing, 4.4
		// A signature stands alone, 4.3.
		if open && (depth != openDepth || bare == "-- ") {
			out.WriteByte('\n')
			open = false
		}
		if !open && depth > 0 {
			out.WriteString(text[:depth] + " ")
		}
		soft := strings.HasSuffix(bare, " ") && bare != "-- " && ended
		if soft && delsp {
			bare = bare[:len(bare)-1]
		}
		out.WriteString(bare)
		if open, openDepth = soft, depth; !soft && ended {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// decodeBase64 is quick for what is well formed. Otherwise it ignores what is
// outside the alphabet (RFC 2045 section 6.8), and goes on after padding:
// some programs encode in pieces.
func decodeBase64(raw []byte) []byte {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	if n, err := base64.StdEncoding.Decode(out, raw); err == nil {
		return out[:n]
	}
	out = out[:0]
	var group [4]byte
	n := 0
	for _, c := range raw {
		switch {
		case isBase64(c):
			group[n] = c
			if n++; n < 4 {
				continue
			}
		case c != '=':
			continue
		}
		out = appendGroup(out, group[:n])
		n = 0
	}
	return appendGroup(out, group[:n])
}

func appendGroup(out, group []byte) []byte {
	var b [3]byte
	n, err := base64.RawStdEncoding.Decode(b[:], group)
	if err != nil {
		return out // a single character left over means nothing
	}
	return append(out, b[:n]...)
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}

// decodeQuotedPrintable follows RFC 2045 section 6.7. An "=" that begins
// nothing stays as it is.
func decodeQuotedPrintable(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		line := raw[:lineEnd(raw, 0)]
		raw = raw[len(line):]
		text := bytes.TrimRight(line, "\r\n")
		eol := line[len(text):]
		text = bytes.TrimRight(text, " \t") // added on the way, rule 3
		if soft, ok := bytes.CutSuffix(text, []byte("=")); ok {
			text, eol = soft, nil
		}
		for i := 0; i < len(text); i++ {
			if text[i] == '=' && i+2 < len(text) {
				if v, ok := hexByte(text[i+1], text[i+2]); ok {
					out = append(out, v)
					i += 2
					continue
				}
			}
			out = append(out, text[i])
		}
		out = append(out, eol...)
	}
	return out
}
