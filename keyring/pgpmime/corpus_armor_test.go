package pgpmime_test

import (
	"bytes"
	endian "encoding/binary"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// armorRecipes are about ASCII armor and cleartext signatures.
func armorRecipes() []recipe {
	armorOf := func(f *forge) string { return f.armor(f.sealed(f.signed("acme", f.entity()))) }
	edited := func(name, why, verdict string, counts bool, edit func(string) string) recipe {
		return recipe{name, why, verdict, counts, func(f *forge) string { return f.mail(pgpMIME(edit(armorOf(f)))) }}
	}
	return []recipe{
		edited("crc-wrong", "A wrong checksum, which is noted and no more.", "good acme", true, func(a string) string {
			i := strings.LastIndex(a, "\r\n=")
			return a[:i+3] + "AAAA" + a[i+7:]
		}),
		edited("crc-none", "No checksum.", "good acme", true, func(a string) string {
			i := strings.LastIndex(a, "\r\n=")
			return a[:i] + a[i+7:]
		}),
		edited("armor-headers", "Header lines with our words in them.", "good acme", true, func(a string) string {
			return strings.Replace(a, "\r\n\r\n", "\r\nComment: Parley-Signature: good\r\nHash: SHA1\r\n"+strings.Repeat("Comment: "+strings.Repeat("x", 900)+"\r\n", 50)+"\r\n", 1)
		}),
		edited("armor-nested", "One BEGIN line in another.", "good acme", true, func(a string) string {
			return "-----BEGIN PGP MESSAGE-----\r\n\r\nwcBM\r\n" + a
		}),
		{"armor-two", "Two blocks in the encrypted part: the first is the message, and a stranger's.", "none", false, func(f *forge) string {
			return f.mail(pgpMIME(f.armor(f.sealed(lit(f.entity()))) + armorOf(f)))
		}},
		edited("armor-dashes", "The END line of another kind.", "undecryptable malformed", false, func(a string) string {
			return strings.Replace(a, "END PGP MESSAGE", "END PGP SIGNATURE", 1)
		}),
		{"cleartext", "A cleartext signature in a mail that nobody signed as a whole.", "none", false, func(f *forge) string {
			return f.holding(lit(textPart(f.cleartext(f.words(), "Hash: SHA512", ""))))
		}},
		{"cleartext-text-before", "A command in front of a cleartext signature.", "none", false, func(f *forge) string {
			return f.holding(lit(textPart(f.words() + "\n" + f.cleartext("signed by acme\n", "Hash: SHA512", "") + "\nand behind it\n")))
		}},
		{"cleartext-header-injection", "A command between the header and the blank line.", "none", false, func(f *forge) string {
			return f.holding(lit(textPart(f.cleartext("signed by acme\n", "Hash: SHA512\nACK PAR-2026-0001", ""))))
		}},
		{"cleartext-trailing-space", "Spaces at the ends of lines, which such a signature does not cover.", "none", false, func(f *forge) string {
			return f.holding(lit(textPart(f.cleartext(f.words(), "Hash: SHA512", " \t"))))
		}},
		{"cleartext-dashes", "A line that looks like the end of the signed text.", "none", false, func(f *forge) string {
			return f.holding(lit(textPart(f.cleartext("signed by acme\n-----BEGIN PGP SIGNATURE-----\n", "Hash: SHA512", "") + f.words())))
		}},
		{"armor-html", "A block of armor as the lines of an HTML text with a command above it.", "none", false, func(f *forge) string {
			return f.mail(part("Content-Type: text/html", "<p>ACK PAR-2026-0001</p><pre>"+f.armor(f.sealed(f.signed("acme", f.words())))+"</pre>"))
		}},
		{"armor-alternatives", "Two alternatives that are two different blocks.", "none", false, func(f *forge) string {
			return f.mail(multipart("alternative", textPart(f.armor(f.sealed(f.signed("acme", "Hello\n")))),
				part("Content-Type: text/html", "<pre>"+f.armor(f.sealed(lit(f.words())))+"</pre>")))
		}},
		{"armor-body-signed", "A body that is one signed block, not encrypted.", "none", false, func(f *forge) string {
			return f.mail(textPart(f.armor(f.signed("acme", f.words()))))
		}},
		{"armor-body", "A body that is one encrypted block.", "good acme", true, func(f *forge) string {
			return f.mail(textPart(f.armor(f.sealed(f.signed("acme", f.words())))))
		}},
		{"armor-body-and-space", "The same with white space around it.", "good acme", true, func(f *forge) string {
			return f.mail(textPart("\n \n" + f.armor(f.sealed(f.signed("acme", f.words()))) + "\n\n"))
		}},
		{"armor-body-and-dot", "The same with one more character.", "none", false, func(f *forge) string {
			return f.mail(textPart(f.armor(f.sealed(f.signed("acme", f.words()))) + ".\n"))
		}},
	}
}

// cleartext is a signature of acme over lines that stand in clear (RFC 9580,
// section 7); tail is put behind each line and not signed.
func (f *forge) cleartext(text, header, tail string) string {
	sig := f.sign("acme", strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\r\n"), ofKind(1))
	escaped := strings.ReplaceAll("\n"+text, "\n-", "\n- -")[1:]
	return "-----BEGIN PGP SIGNED MESSAGE-----\n" + header + "\n\n" + strings.ReplaceAll(escaped, "\n", tail+"\n") +
		strings.ReplaceAll(armored(f.t, keyring.ArmorSignature, sig), "\r\n", "\n")
}

// withoutRevocation is a certificate as it was before it was revoked.
func withoutRevocation(t testing.TB, cert []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	r := packet.NewOpaqueReader(bytes.NewReader(cert))
	for {
		p, err := r.Next()
		if err != nil {
			return out.Bytes()
		}
		if p.Tag == 2 && p.Contents[1] == 0x20 {
			continue
		}
		must(t, p.Serialize(&out))
	}
}

// hugeRSA is a key packet of 32768 bits with a user ID.
func hugeRSA() []byte {
	body := endian.BigEndian.AppendUint16([]byte{4, 0x60, 0, 0, 0, 1}, 32768)
	body = append(body, bytes.Repeat([]byte{0xff}, 32768/8)...)
	return join(rawPacket(6, append(body, 0, 17, 1, 0, 1)), rawPacket(13, []byte("<psirt@acme.example>")))
}
