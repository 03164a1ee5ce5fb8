package main

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/mailflow/mailtest"
)

const (
	reportTo = "report@vdp.example.org"
	from     = "finder@peer.example"
)

// bomb is a mail that is small to send and large to read.
type bomb struct {
	name string
	mail []byte
}

func makeBombs(key []byte) ([]bomb, error) {
	packed, err := compressed(300 << 20)
	if err != nil {
		return nil, err
	}
	sealed, err := encrypted(packed, key)
	if err != nil {
		return nil, err
	}
	head := "From: " + from + "\r\nTo: " + reportTo + "\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
	return []bomb{
		{"300 MiB, compressed and encrypted", mailtest.PGPMIME(from, reportTo, time.Now(), []byte(inArmor(sealed)))},
		{"300 MiB, compressed, in armor", []byte(head + "\r\n" + inArmor(packed))},
		{"10,000 parts in each other", []byte(head + nested(10_000))},
		{"a header of a million lines", []byte(head + strings.Repeat("X: y\r\n", 1_000_000) + "\r\n")},
		{"100,000 parts", []byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 100_000) + "--b--\r\n")},
		{"base64 in one endless line", []byte(head + "Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("QUFB", 4<<20) + "\r\n")},
		{"20 MiB of base64 in base64", []byte(head + "Content-Transfer-Encoding: base64\r\n\r\n" + wrapped([]byte(wrapped(make([]byte, 11<<20)))))},
		{"a charset that switches", []byte(head + "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + strings.Repeat(strings.Repeat("\x1b$B\x1b(B", 10)+"\r\n", 100_000))},
		{"a million armor heads", []byte(head + "\r\n" + strings.Repeat("-----BEGIN PGP MESSAGE-----\r\n", 300_000))},
	}, nil
}

func inArmor(b []byte) string {
	return "-----BEGIN PGP MESSAGE-----\r\n\r\n" + wrapped(b) + "-----END PGP MESSAGE-----\r\n"
}

// encrypted seals packets as they are to a key (RFC 9580 sections 5.1 and 5.13).
func encrypted(packets, key []byte) ([]byte, error) {
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(key))
	if err != nil {
		return nil, err
	}
	to, ok := ring[0].EncryptionKey(time.Now())
	if !ok {
		return nil, errors.New("the gateway's key cannot be encrypted to")
	}
	session := make([]byte, packet.CipherAES256.KeySize())
	_, _ = rand.Read(session) // never fails (package crypto/rand)
	var b bytes.Buffer
	if err := packet.SerializeEncryptedKey(&b, to.PublicKey, packet.CipherAES256, session, nil); err != nil {
		return nil, err
	}
	w, err := packet.SerializeSymmetricallyEncrypted(&b, packet.CipherAES256, false, packet.CipherSuite{}, session, nil)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(packets)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// compressed is a compressed packet with a literal of zeros (RFC 9580 sections 5.6
// and 5.9).
func compressed(n int) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte{0xcb, 255, byte((n + 6) >> 24), byte((n + 6) >> 16), byte((n + 6) >> 8), byte(n + 6), 'b', 0, 0, 0, 0, 0}); err != nil {
		return nil, err
	}
	for range n >> 20 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	size := b.Len() + 1
	return append([]byte{0xc8, 255, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size), 1}, b.Bytes()...), nil
}

// wrapped is base64 in lines.
func wrapped(b []byte) string {
	text := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for ; len(text) > 76; text = text[76:] {
		out.WriteString(text[:76] + "\r\n")
	}
	return out.String() + text + "\r\n"
}

func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	return b.String() + "\r\nx\r\n"
}

func honest() []byte {
	return mailtest.Plain("honest@peer.example", reportTo, "a report", strings.Repeat("It overflows.\n", 300), time.Now())
}
