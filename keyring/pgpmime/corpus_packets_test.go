package pgpmime_test

import (
	"bytes"
	"strings"

	"parley/keyring"
)

// packetRecipes are about the packets of a signed message, and what stands
// around or between them.
func packetRecipes() []recipe {
	return []recipe{
		{"two-literals", "Two texts behind one another, the first signed.", "undecryptable malformed", false, func(f *forge) string {
			return f.holding(join(f.signed("acme", f.entity()), lit(f.entity())))
		}},
		{"literal-first", "An unsigned text in front of a signed one.", "undecryptable malformed", false, func(f *forge) string {
			return f.holding(join(lit(f.entity()), f.signed("acme", textPart("signed by acme"))))
		}},
		{"two-messages-zipped", "A compressed message and an unsigned text.", "undecryptable malformed", false, func(f *forge) string {
			return f.holding(join(zip(f.signed("acme", f.entity())), lit(f.entity())))
		}},
		{"one-pass-without-signature", "A signature is announced, and none comes.", "undecryptable malformed", false, func(f *forge) string {
			return f.holding(join(f.onePass("acme", 1), lit(f.entity())))
		}},
		{"signature-not-announced", "A signature behind the text that nothing announced.", "undecryptable malformed", false, func(f *forge) string {
			return f.holding(join(lit(f.entity()), f.sign("acme", f.entity())))
		}},
		{"two-announced-one-signed", "Two signatures announced, one there.", "undecryptable malformed", false, func(f *forge) string {
			return f.holding(join(f.onePass("acme", 0), f.onePass("jo", 1), lit(f.entity()), f.sign("acme", f.entity())))
		}},
		{"announced-for-another", "Announced as acme's, signed by a stranger.", "unknown-key mallory", false, func(f *forge) string {
			return f.holding(join(f.onePass("acme", 1), lit(f.entity()), f.sign("mallory", f.entity())))
		}},
		{"prefix-style", "The signature in front of the text, as old programs write it.", "good acme", true, func(f *forge) string {
			return f.holding(f.prefixed(f.sign("acme", f.entity()), f.entity()))
		}},
		{"prefix-over-message", "A signature over a whole one-pass message of a stranger.", "undecryptable malformed", false, func(f *forge) string {
			m := f.signed("mallory", f.entity())
			return f.holding(join(f.sign("acme", string(m)), m))
		}},
		{"critical-packet", "A critical packet that nobody knows.", "undecryptable malformed", false, func(f *forge) string {
			return f.holding(join(rawPacket(30, []byte("new")), f.signed("acme", f.entity())))
		}},
		{"critical-packet-outside", "The same in front of the encrypted data.", "undecryptable malformed", false, func(f *forge) string {
			return f.pgp(join(rawPacket(30, []byte("new")), f.sealed(f.signed("acme", f.entity()))))
		}},
		{"empty-literal", "A signature over nothing.", "good acme", false, func(f *forge) string { return f.holding(f.signed("acme", "")) }},
		{"literal-name", "The name in the literal packet, which no signature covers, is a command.", "none", false, func(f *forge) string {
			return f.holding(rawPacket(11, append(append([]byte{'b', 17}, "ACK PAR-2026-0001"...), "\x00\x00\x00\x00hello"...)))
		}},
		{"partial-lengths", "Both packets cut into pieces.", "good acme", true, func(f *forge) string {
			return f.holding(join(f.onePass("acme", 1), pieces(11, append([]byte{'b', 0, 0, 0, 0, 0}, f.entity()...)), f.sign("acme", f.entity())))
		}},
		{"good-and-bad", "acme's good signature beside a damaged one of acme.", "bad wrong acme", false, func(f *forge) string {
			return f.holding(f.prefixed(join(f.sign("acme", f.entity()), f.sign("acme", "another text")), f.entity()))
		}},
		{"bad-and-good", "The same in the other order.", "bad wrong acme", false, func(f *forge) string {
			return f.holding(f.prefixed(join(f.sign("acme", "another text"), f.sign("acme", f.entity())), f.entity()))
		}},
		{"good-and-bad-member", "acme's good signature beside a damaged one of its member.", "bad wrong jo", false, func(f *forge) string {
			return f.holding(f.prefixed(join(f.sign("acme", f.entity()), f.sign("jo", "another text")), f.entity()))
		}},
		{"good-and-strangers", "acme's good signature beside a stranger's good and a ghost's.", "good acme", true, func(f *forge) string {
			return f.holding(f.prefixed(join(f.sign("mallory", f.entity()), f.sign("ghost", f.entity()), f.sign("acme", f.entity())), f.entity()))
		}},
		{"good-and-strangers-bad", "acme's good signature beside a stranger's damaged one.", "good acme", true, func(f *forge) string {
			return f.holding(f.prefixed(join(f.sign("mallory", "another text"), f.sign("acme", f.entity())), f.entity()))
		}},
		{"good-twice", "The same good signature twice.", "good acme", true, func(f *forge) string {
			s := f.sign("acme", f.entity())
			return f.holding(f.prefixed(join(s, s), f.entity()))
		}},
		{"signatures-33", "Thirty-three signatures.", "undecryptable malformed", false, func(f *forge) string {
			return f.holding(f.prefixed(bytes.Repeat(f.sign("mallory", f.entity()), 33), f.entity()))
		}},
		{"signatures-33-detached", "Thirty-three detached signatures, the last of which is acme's: nobody looks at so many.", "bad too-many -", false, func(f *forge) string {
			e := f.entity()
			sigs := join(bytes.Repeat(f.sign("mallory", e), 32), f.sign("acme", e))
			return f.holding(lit(signedWith(e, armored(f.t, keyring.ArmorSignature, sigs))))
		}},
		{"detached-and-junk", "A good detached signature and a packet that is cut off.", "good acme", true, func(f *forge) string {
			e := f.entity()
			return f.holding(lit(signedWith(e, armored(f.t, keyring.ArmorSignature, join(f.sign("acme", e), []byte{0xc2, 200, 4})))))
		}},
		{"line-ends", "A multipart/signed whose line ends were changed on the way.", "good acme", true, func(f *forge) string {
			return f.holding(lit(strings.ReplaceAll(f.signedEntity("acme", f.entity()), "\r\n", "\n")))
		}},
		{"trailing-space", "A space at a line's end that was not signed.", "bad wrong acme", false, func(f *forge) string {
			return f.holding(lit(strings.Replace(f.signedEntity("acme", f.entity()), "ACK PAR-2026-0001", "ACK PAR-2026-0001 ", 1)))
		}},
		{"changed-header", "The signed part's own header changed.", "bad wrong acme", false, func(f *forge) string {
			return f.holding(lit(strings.Replace(f.signedEntity("acme", f.entity()), "charset=utf-8", "charset=utf-7", 1)))
		}},
		{"changed-text", "The signed text changed.", "bad wrong acme", false, func(f *forge) string {
			return f.holding(lit(strings.Replace(f.signedEntity("acme", f.entity()), "ACK", "ack", 1)))
		}},
	}
}

// pieces writes a packet with partial body lengths. RFC 9580, section 4.2.1.4.
func pieces(tag byte, body []byte) []byte {
	out := []byte{0xc0 | tag}
	for len(body) >= 64 {
		out = append(append(out, 0xe6), body[:64]...)
		body = body[64:]
	}
	return append(append(out, byte(len(body))), body...)
}
