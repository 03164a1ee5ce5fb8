package pgpmime

import (
	"bytes"
	"path"
	"strings"

	"parley/keyring"
)

// verifyFiles looks for attachments that have detached signatures in files beside
// them. Such a signature is about that file and about nothing else. A file is taken
// out of the mail once, however many are about it.
func (j *job) verifyFiles(p *Part) {
	if p.MediaType == "multipart/signed" || !strings.HasPrefix(p.MediaType, "multipart/") {
		return
	}
	files := map[string]*Part{}
	for _, c := range p.Children {
		if len(c.Children) == 0 && c.Filename != "" && files[c.Filename] == nil {
			files[c.Filename] = c
		}
	}
	var signed []*Part
	sigs := map[*Part][]*keyring.Signature{}
	for _, c := range p.Children {
		file := files[signedFile(c)]
		if file == nil || file == c || j.ctx.Err() != nil {
			continue
		}
		if found := detachedSignatures(c); len(found) > 0 {
			if sigs[file] == nil {
				signed = append(signed, file)
			}
			sigs[file] = append(sigs[file], found...)
		}
	}
	for _, file := range signed {
		j.addSignedFile(file, sigs[file])
	}
}

func (j *job) addSignedFile(file *Part, sigs []*keyring.Signature) {
	data, err := file.Body()
	if err != nil || !j.mayAdd() {
		return
	}
	j.addDocument(Document{Name: file.Filename, Data: data, Charset: file.Params["charset"], Attached: true, Signatures: j.verify(sigs, data)})
}

// signedFile is the name of the file that a signature is about by its own name.
func signedFile(p *Part) string {
	switch ext := path.Ext(p.Filename); strings.ToLower(ext) {
	case ".sig", ".asc", ".sign":
		return strings.TrimSuffix(p.Filename, ext)
	}
	return ""
}

// maxSignatureFile is how large a file with a detached signature may be.
const maxSignatureFile = 64 << 10

func detachedSignatures(p *Part) []*keyring.Signature {
	body, err := p.Body()
	if err != nil || len(body) > maxSignatureFile {
		return nil
	}
	if isSignature(body) || bytes.HasPrefix(bytes.TrimSpace(body), []byte("-----BEGIN "+keyring.ArmorSignature+"-----")) {
		return keyring.ParseSignatures(body)
	}
	return nil
}

// isSignature reports whether binary data starts with a signature packet. RFC
// 9580, sections 4.2 and 5.2.
func isSignature(data []byte) bool {
	switch {
	case len(data) == 0 || data[0]&0x80 == 0:
		return false
	case data[0]&0x40 != 0:
		return data[0]&0x3f == 2
	}
	return data[0]>>2&0x0f == 2
}
