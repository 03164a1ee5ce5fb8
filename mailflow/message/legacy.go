package message

import "strings"

// HideLegacyDisplay takes out of p, the root of what was protected, what is there
// only for programs that do not know header protection: the copy of the fields at
// the top of a text (RFC 9788 section 4.5.3), and the part that the older draft
// put in front of the letter (draft-autocrypt-lamps-protected-headers section
// 2.1). Neither is what the sender wrote. A text that begins with anything but
// header fields is left alone. It changes p, so it is called before anybody else
// has it.
func (p *Part) HideLegacyDisplay() {
	if p.MediaType == "multipart/signed" && len(p.Children) == 2 {
		p = p.Children[0]
	}
	if strings.EqualFold(p.Params["hp"], "cipher") {
		p.Walk(func(c *Part) bool {
			c.skipHead = c.MediaType == "text/plain" && c.Params["hp-legacy-display"] == "1" && !c.IsAttachment()
			return c.isMultipart()
		})
	}
	if p.MediaType == "multipart/mixed" && len(p.Children) > 1 && p.Children[0].isLegacyDisplay() {
		p.Children[0].legacy, p.Children[0].control = true, true
	}
}

func (p *Part) isLegacyDisplay() bool {
	if p.Params["protected-headers"] == "" || p.IsAttachment() || p.MediaType != "text/plain" && p.MediaType != "text/rfc822-headers" {
		return false
	}
	text, err := p.Text()
	return err == nil && onlyFields(strings.TrimSpace(text))
}

// withoutHead drops the lines up to the first blank one if they are fields.
func withoutHead(s string) string {
	head, rest, ok := strings.Cut(s, "\n\n")
	if !ok || !onlyFields(head) {
		return s
	}
	return rest
}

func onlyFields(s string) bool {
	for line := range strings.Lines(s) {
		_, _, ok := splitField([]byte(line))
		if !ok && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			return false
		}
	}
	return s != "" && s[0] != ' ' && s[0] != '\t'
}
