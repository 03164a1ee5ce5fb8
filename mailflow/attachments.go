package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

// attachmentsOf lists the files of a message, decoded; bodies that do not
// decode are given as they stand.
func attachmentsOf(root *message.Part) []cvd.File {
	var out []cvd.File
	if root == nil {
		return nil
	}
	root.Walk(func(p *message.Part) bool {
		if len(p.Children) > 0 || !p.IsAttachment() {
			return true
		}
		data, err := p.Body()
		if err != nil {
			data = p.RawBody()
		}
		name := p.Filename
		if name == "" {
			name = fmt.Sprintf("attachment-%d", len(out)+1)
		}
		out = append(out, cvd.File{Name: name, MediaType: p.MediaType, Data: data})
		return true
	})
	return out
}

// inDomain says whether an address ends in a domain.
func inDomain(addr, domain string) bool {
	i := strings.LastIndexByte(addr, '@')
	return i >= 0 && strings.EqualFold(addr[i+1:], domain)
}
