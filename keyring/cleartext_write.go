package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// errNotText says that a text would not come out of a cleartext signature as it
// went in.
var errNotText = errors.New("sign in the clear: not lines of UTF-8 text without controls and without blanks at their ends")

// SignCleartext signs lines of text that stay readable as they stand, with
// SHA-512. Each line ends in LF, and so does what comes out. RFC 9580, section 7.
func SignCleartext(text []byte, signer *Secret, at time.Time) ([]byte, error) {
	if !plainLines(text) {
		return nil, errNotText
	}
	key, err := signer.signingKey(at)
	if err != nil {
		return nil, fmt.Errorf("sign in the clear: %w", err)
	}
	s, err := beginSignature(key, nil, at)
	if err != nil {
		return nil, fmt.Errorf("sign in the clear: %w", err)
	}
	s.sig.SigType = packet.SigTypeText
	s.hash.Write(bytes.ReplaceAll(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"), []byte("\r\n")))
	sig, err := s.finish()
	if err != nil {
		return nil, fmt.Errorf("sign in the clear: %w", err)
	}
	armored, err := EncodeArmor(ArmorSignature, sig)
	if err != nil {
		return nil, err
	}
	out := append(bytes.Clone(cleartextBegin), "\nHash: SHA512\n\n"...)
	for line := range bytes.Lines(text) {
		out = append(append(out, escaping(line)...), line...)
	}
	return append(out, armored...), nil
}

// escaping is what stands in front of a line that begins like armor. RFC 9580,
// section 7.2: "From " may be escaped too, since mail systems change it.
func escaping(line []byte) []byte {
	if bytes.HasPrefix(line, []byte("-")) || bytes.HasPrefix(line, []byte("From ")) {
		return escape
	}
	return nil
}

// plainLines reports whether a text is one that every reader hashes alike.
func plainLines(text []byte) bool {
	if !utf8.Valid(text) || !bytes.HasSuffix(text, []byte("\n")) {
		return false
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(trimEnd(line)) != len(line) || bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return false
		}
	}
	return true
}
