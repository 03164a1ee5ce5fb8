package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

// attachmentsOf lists the files of a message, decoded; bodies that do not
// decode are given as they stand. A message inside the message is one file.
func attachmentsOf(root *message.Part) []cvd.File {
	var out []cvd.File
	if root == nil {
		return nil
	}
	root.Walk(func(p *message.Part) bool {
		embedded := p != root && (p.MediaType == "message/rfc822" || p.MediaType == "message/global")
		if len(p.Children) > 0 && !embedded || !p.IsAttachment() {
			return true
		}
		data, err := p.Body()
		if err != nil {
			data = p.RawBody()
		}
		name := p.Filename
		if name == "" {
			name = fmt.Sprintf("attachment-%d", len(out)+1)
			if embedded {
				name += ".eml"
			}
		}
		f := cvd.File{Name: name, MediaType: p.MediaType, Data: data}
		switch {
		case strings.HasPrefix(p.MediaType, "text/"):
			f.Charset = p.Params["charset"]
		case strings.HasPrefix(p.MediaType, "multipart/"): // without parts
			f.MediaType = "application/octet-stream"
		}
		out = append(out, f)
		return false
	})
	return out
}

// asAttachment is a file as a part of a mail of ours.
func asAttachment(f cvd.File) message.Attachment {
	a := message.Attachment{Filename: f.Name, MediaType: f.MediaType, Data: f.Data}
	if f.Charset != "" {
		a.Params = map[string]string{"charset": f.Charset}
	}
	return a
}

// inDomain says whether an address ends in a domain.
func inDomain(addr, domain string) bool {
	i := strings.LastIndexByte(addr, '@')
	return i >= 0 && strings.EqualFold(addr[i+1:], domain)
}
