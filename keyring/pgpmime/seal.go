package pgpmime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"parley/keyring"
)

// Seal is SealTo in memory.
func Seal(inner []byte, outer Outer, to []*keyring.Certificate, signer *keyring.Secret, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	size := int64(len(inner))
	out.Grow(int(keyring.ArmoredSize(keyring.ArmorMessage, keyring.EncryptedSize(sizeClass(size+1024), len(to)))) + 4096)
	if err := SealTo(&out, bytes.NewReader(inner), size, outer, to, signer, at); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// SealTo writes an encrypted and signed message (RFC 3156, sections 4 and 6.2)
// made of inner, a MIME entity of size bytes with the protected header fields, in
// CRLF lines. It is encrypted to exactly the certificates in to, signed inside
// the same OpenPGP layer, and padded to a size class. It fails without a
// recipient, without a signer, and if one of the certificates cannot be encrypted
// to at that instant: there is no way from here to a message in clear. It holds
// and writes some 32 KiB at a time; what was written before an error is no
// message, and must not be sent.
func SealTo(w io.Writer, inner io.Reader, size int64, outer Outer, to []*keyring.Certificate, signer *keyring.Secret, at time.Time) error {
	if err := sealTo(w, inner, size, outer, to, signer, at); err != nil {
		return fmt.Errorf("seal message: %w", err)
	}
	return nil
}

func sealTo(w io.Writer, inner io.Reader, size int64, outer Outer, to []*keyring.Certificate, signer *keyring.Secret, at time.Time) error {
	e, err := newEntity(inner, size)
	if err != nil {
		return err
	}
	return frame(w, outer, at, func(armor io.Writer) error {
		return keyring.EncryptTo(armor, e.reader(), e.size, to, signer, at)
	})
}

// frame writes a message that is encrypted as a whole (RFC 3156, section 4)
// around the OpenPGP message that write gives.
func frame(w io.Writer, outer Outer, at time.Time, write func(armor io.Writer) error) error {
	head, err := outer.append(make([]byte, 0, 4096), at)
	if err != nil {
		return err
	}
	b := boundary()
	head = append(head, "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\""+b+"\"\r\n\r\n"+
		"--"+b+"\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--"+b+"\r\n"+
		"Content-Type: application/octet-stream; name=\"encrypted.asc\"\r\n"+
		"Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n"...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	armor, err := keyring.NewArmorWriter(w, keyring.ArmorMessage, "\r\n")
	if err != nil {
		return err
	}
	if err := write(armor); err != nil {
		return err
	}
	if err := armor.Close(); err != nil {
		return err
	}
	_, err = w.Write([]byte("\r\n--" + b + "--\r\n"))
	return err
}

// SignClear makes a signed message that is not encrypted (RFC 3156, section 5).
// entity must be 7-bit in CRLF lines of at most 998 octets, since any server on
// the way that recodes it would break the signature.
func SignClear(entity []byte, outer Outer, signer *keyring.Secret, at time.Time) ([]byte, error) {
	if err := checkClear(entity); err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	if signer == nil {
		return nil, errors.New("sign message: nobody to sign")
	}
	sig, err := keyring.Sign(entity, signer, at)
	if err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	armor, err := keyring.EncodeArmor(keyring.ArmorSignature, sig)
	if err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	out, err := outer.append(nil, at)
	if err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	b := boundary()
	out = append(out, "Content-Type: multipart/signed; micalg=pgp-sha512;\r\n protocol=\"application/pgp-signature\"; boundary=\""+b+"\"\r\n\r\n--"+b+"\r\n"...)
	out = append(out, entity...)
	out = append(out, "\r\n--"+b+"\r\nContent-Type: application/pgp-signature; name=\"signature.asc\"\r\n\r\n"...)
	out = appendCRLF(out, armor)
	return append(out, "\r\n--"+b+"--\r\n"...), nil
}

func checkClear(b []byte) error {
	if err := checkLines(b); err != nil {
		return err
	}
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\r\n"))
		if len(line) > 998 || bytes.ContainsFunc(line, func(r rune) bool { return r == 0 || r >= 0x80 }) {
			return errors.New("the entity is not 7-bit text")
		}
		b = rest
	}
	return nil
}

// appendCRLF appends text, which is in LF lines, in CRLF lines.
func appendCRLF(dst, text []byte) []byte {
	for line := range bytes.Lines(text) {
		dst = append(dst, bytes.TrimSuffix(line, []byte("\n"))...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}
