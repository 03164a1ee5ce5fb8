package pgpmime

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"time"

	"parley/keyring"
)

// InlineFile is the outer name of the nth file of a mail that SealInline makes,
// counted from 1. The real names stand in the text, if they stand anywhere.
func InlineFile(n int) string { return fmt.Sprintf("attachment-%d.pgp", n) }

// SealInline makes a mail for programs that do not know MIME inside encryption,
// as many ticket systems do not: text, in CRLF lines and UTF-8, is one armored
// block in the body, and each file is encrypted by itself. All of it is signed
// inside the encryption, padded to size classes, and encrypted to exactly the
// certificates in to.
//
// There are no protected header fields in this form: what the receiver has to
// know of them must stand in the text. Like Seal it fails without a recipient or
// a signer, and there is no way from here to a message in clear.
func SealInline(text []byte, files [][]byte, outer Outer, to []*keyring.Certificate, signer *keyring.Secret, at time.Time) ([]byte, error) {
	out, err := sealInline(text, files, outer, to, signer, at)
	if err != nil {
		return nil, fmt.Errorf("seal inline message: %w", err)
	}
	return out, nil
}

func sealInline(text []byte, files [][]byte, outer Outer, to []*keyring.Certificate, signer *keyring.Secret, at time.Time) ([]byte, error) {
	if err := checkLines(text); err != nil {
		return nil, err
	}
	padded, err := fill(text)
	if err != nil {
		return nil, err
	}
	body, err := keyring.Encrypt(padded, to, signer, at)
	if err != nil {
		return nil, err
	}
	armor, err := keyring.EncodeArmor(keyring.ArmorMessage, body)
	if err != nil {
		return nil, err
	}
	out, err := outer.append(nil, at)
	if err != nil {
		return nil, err
	}
	const textPart = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
	if len(files) == 0 {
		return appendCRLF(append(out, textPart...), armor), nil
	}
	b := boundary()
	out = append(out, "Content-Type: multipart/mixed; boundary=\""+b+"\"\r\n\r\n--"+b+"\r\n"+textPart...)
	out = appendCRLF(out, armor)
	for i, f := range files {
		data, err := keyring.EncryptFile(f, sizeClass, to, signer, at)
		if err != nil {
			return nil, err
		}
		out = append(out, "\r\n--"+b+"\r\n"...)
		out = appendFile(out, InlineFile(i+1), data)
	}
	return append(out, "\r\n--"+b+"--\r\n"...), nil
}

// fill makes a text as long as its size class says, with lines of spaces behind
// its end.
func fill(text []byte) ([]byte, error) {
	text = slices.Clone(text)
	if !bytes.HasSuffix(text, []byte("\r\n")) {
		text = append(text, '\r', '\n')
	}
	n := int64(len(text))
	lines, err := io.ReadAll(&padding{left: sizeClass(n+2) - n}) // one line, two bytes, at least
	return append(text, lines...), err
}

// appendFile writes a part that is a binary file, in base64.
func appendFile(dst []byte, name string, data []byte) []byte {
	dst = append(dst, "Content-Type: application/octet-stream; name=\""+name+"\"\r\n"+
		"Content-Disposition: attachment; filename=\""+name+"\"\r\nContent-Transfer-Encoding: base64\r\n"...)
	const line = 57 // octets, 76 characters: RFC 2045, section 6.8
	for len(data) > 0 {
		n := min(len(data), line)
		dst = append(dst, '\r', '\n')
		dst = base64.StdEncoding.AppendEncode(dst, data[:n])
		data = data[n:]
	}
	return append(dst, '\r', '\n')
}
