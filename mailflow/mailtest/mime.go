package mailtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"time"
)

func decoded(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(encoding) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	}
	return r
}

// File is an attachment of an Entity.
type File struct{ Name, Type, Data string }

// Entity puts an inner MIME entity together, CRLF.
func Entity(subject, text string, files ...File) []byte {
	var b strings.Builder
	if subject != "" {
		fmt.Fprintf(&b, "Subject: %s\r\n", subject)
	}
	body := strings.ReplaceAll(text, "\n", "\r\n")
	if len(files) == 0 {
		fmt.Fprintf(&b, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s", body)
		return []byte(b.String())
	}
	bound := random()
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%q\r\n\r\n--%s\r\n", bound, bound)
	fmt.Fprintf(&b, "Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", body)
	for _, f := range files {
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename=%q\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n",
			bound, f.Type, f.Name, lines(base64.StdEncoding.EncodeToString([]byte(f.Data))))
	}
	fmt.Fprintf(&b, "--%s--\r\n", bound)
	return []byte(b.String())
}

func lines(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s
}

// Field is a header field of an outer mail.
type Field struct{ Name, Value string }

// PGPMIME wraps armored ciphertext as RFC 3156 section 4 says.
func PGPMIME(from, to string, at time.Time, armored []byte, more ...Field) []byte {
	bound := random()
	body := fmt.Sprintf("--%[1]s\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--%[1]s\r\nContent-Type: application/octet-stream\r\n\r\n%[2]s\r\n--%[1]s--\r\n",
		bound, strings.ReplaceAll(strings.ReplaceAll(string(armored), "\r\n", "\n"), "\n", "\r\n"))
	more = append(more, Field{"MIME-Version", "1.0"},
		Field{"Content-Type", fmt.Sprintf("multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=%q", bound)})
	return Outer(from, to, "...", at, more, body)
}

// Plain is a mail in clear.
func Plain(from, to, subject, text string, at time.Time, more ...Field) []byte {
	return Outer(from, to, subject, at, more, strings.ReplaceAll(text, "\n", "\r\n")+"\r\n")
}

// Outer puts header fields before a body.
func Outer(from, to, subject string, at time.Time, more []Field, body string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@peer.example>\r\n", from, to, subject, at.Format(time.RFC1123Z), random())
	for _, f := range more {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	return []byte(b.String() + "\r\n" + body)
}

func random() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
