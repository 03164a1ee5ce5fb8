package pgpmime_test

import (
	"strings"

	"parley/keyring"
)

// controls are honest mails: if these do not count, nothing proves anything.
func controls() []recipe {
	return []recipe{
		{"honest-layer", "An honest mail, signed inside its encryption.", "good acme", true,
			func(f *forge) string { return f.holding(f.signed("acme", f.entity())) }},
		{"honest-member", "Another member of acme, with its own key and address.", "good jo", true,
			func(f *forge) string {
				return f.from(pgpMIME(f.armor(f.sealed(f.signed("jo", f.entity())))), "jo@acme.example")
			}},
		{"honest-version-6", "A version 6 key; the signature stands in front.", "good acme-v6", true,
			func(f *forge) string {
				return f.holding(f.prefixed(f.sign("acme-v6", f.entity()), f.entity()))
			}},
		{"honest-signed-inside", "A multipart/signed inside an encryption that nobody signed.", "good acme", true,
			func(f *forge) string { return f.holding(lit(f.signedEntity("acme", f.entity()))) }},
		{"honest-case", "The address in other case, with a name and comments around it.", "good acme", true,
			func(f *forge) string {
				return f.from(pgpMIME(f.armor(f.sealed(f.signed("acme", f.entity())))), `(yes) "Acme, Inc." <PSIRT@Acme.Example> (really)`)
			}},
		{"honest-retired", "Signed before the key was superseded: that takes nothing back.", "good acme-retired", true,
			func(f *forge) string {
				return f.holding(f.signed("acme-retired", f.entity(), at(noon.Add(-2*hour))))
			}},
		{"honest-padded", "Marker and padding packets and one that nobody knows stand everywhere.", "good acme", true,
			func(f *forge) string {
				m := f.signed("acme", f.entity())
				fill := join(rawPacket(10, []byte("PGP")), rawPacket(21, []byte("any octets")), rawPacket(60, []byte("private")))
				return f.pgp(join(fill, f.session("us", false, false), fill, f.body(join(fill, m[:0], m, fill))))
			}},
		{"honest-clear", "Signed and not encrypted: good, and no command counts that came in clear.", "good acme", false,
			func(f *forge) string { return f.mail(f.signedEntity("acme", f.entity())) }},
	}
}

// scopeRecipes are about what a signature covers.
func scopeRecipes() []recipe {
	return []recipe{
		{"unsigned", "Encrypted, as anybody can, and not signed.", "none", false,
			func(f *forge) string { return f.holding(lit(f.entity())) }},
		{"beside-signed", "An unsigned text beside a signed part.", "none", false,
			func(f *forge) string {
				return f.holding(lit(multipart("mixed", f.entity(), f.signedEntity("acme", textPart("signed by acme")))))
			}},
		{"behind-signed", "A signed part with an unsigned text behind it, as lists append one.", "none", false,
			func(f *forge) string {
				return f.holding(lit(multipart("mixed", f.signedEntity("acme", textPart("signed by acme")), f.entity())))
			}},
		{"signed-child-only", "A multipart/mixed with nothing but a signed part in it.", "none", false,
			func(f *forge) string { return f.holding(lit(multipart("mixed", f.signedEntity("acme", f.entity())))) }},
		{"alternative", "A signed alternative beside an unsigned one.", "none", false,
			func(f *forge) string {
				return f.holding(lit(multipart("alternative", f.entity(), f.signedEntity("acme", textPart("signed by acme")))))
			}},
		{"signed-attachment", "Only a file is signed; the text above it is anybody's.", "none", false,
			func(f *forge) string {
				return f.holding(lit(multipart("mixed", f.entity(), part("Content-Type: application/octet-stream; name=poc.txt.asc\nContent-Disposition: attachment; filename=poc.txt.asc",
					f.armor(f.signed("acme", "a file"))))))
			}},
		{"detached-for-attachment", "A text, and a detached signature that is one of another part.", "none", false,
			func(f *forge) string {
				file := part("Content-Type: text/plain; name=poc.txt\nContent-Disposition: attachment; filename=poc.txt", "a file")
				return f.holding(lit(multipart("mixed", f.entity(), file, sigPart(armored(f.t, keyring.ArmorSignature, f.sign("acme", file))))))
			}},
		{"file-signature", "A file with a good signature beside it, and a text that nobody signed.", "none", false,
			func(f *forge) string {
				sig := armored(f.t, keyring.ArmorSignature, f.sign("acme", "a file"))
				return f.holding(lit(multipart("mixed", f.entity(),
					part("Content-Type: application/octet-stream; name=poc.bin\nContent-Disposition: attachment; filename=poc.bin", "a file"),
					part("Content-Type: application/octet-stream; name=poc.bin.sig\nContent-Disposition: attachment; filename=poc.bin.sig", sig))))
			}},
		{"mangled-beside", "PGP/MIME as Exchange leaves it, with a command in clear in front.", "none", false,
			func(f *forge) string {
				return f.mail(multipart("mixed", f.entity(), part("Content-Type: application/pgp-encrypted", "Version: 1"),
					part("Content-Type: application/octet-stream; name=encrypted.asc", f.armor(f.sealed(f.signed("acme", textPart("Hello")))))))
			}},
		{"wrapped", "A stranger wraps what acme signed as if to protect its header.", "none", false,
			func(f *forge) string {
				return f.holding(lit("Content-Type: message/rfc822; forwarded=no\r\n\r\n" + f.mail(f.signedEntity("acme", f.entity()))))
			}},
		{"wrapped-by-stranger", "The same in a layer that the stranger signed.", "unknown-key mallory", false,
			func(f *forge) string {
				return f.holding(f.signed("mallory", "Content-Type: message/rfc822; forwarded=no\r\n\r\n"+f.mail(f.signedEntity("acme", f.entity()))))
			}},
		{"forwarded", "A mail that acme signed, forwarded by somebody as message/rfc822.", "none", false,
			func(f *forge) string {
				return f.holding(lit(multipart("mixed", f.entity(), "Content-Type: message/rfc822\r\n\r\n"+f.mail(f.signedEntity("acme", f.entity())))))
			}},
		{"forwarded-alone", "The forwarded mail is all there is.", "none", false,
			func(f *forge) string {
				return f.holding(lit("Content-Type: message/rfc822\r\n\r\n" + f.mail(f.signedEntity("acme", f.entity()))))
			}},
		{"three-parts", "A multipart/signed with a third part that nobody signed.", "none", false,
			func(f *forge) string {
				return f.holding(lit(withPart(f.signedEntity("acme", textPart("signed by acme")), f.entity())))
			}},
		{"one-part", "A multipart/signed with no signature part.", "none", false,
			func(f *forge) string { return f.holding(lit(multipart(signedType, f.entity()))) }},
		{"signature-first", "The signature part in front of what it signs.", "none", false,
			func(f *forge) string {
				return f.holding(lit(multipart(signedType, sigPart(armored(f.t, keyring.ArmorSignature, f.sign("acme", f.entity()))), f.entity())))
			}},
		{"signature-as-file", "The signature part calls itself an ordinary file.", "none", false,
			func(f *forge) string {
				return f.holding(lit(strings.Replace(f.signedEntity("acme", f.entity()), "application/pgp-signature; name", "application/octet-stream; name", 1)))
			}},
		{"mixed-for-signed", "The same parts under multipart/mixed.", "none", false,
			func(f *forge) string {
				return f.holding(lit(strings.Replace(f.signedEntity("acme", f.entity()), "multipart/signed", "multipart/mixed", 1)))
			}},
		{"micalg-lie", "The micalg parameter names MD5: the signature itself says what it is.", "good acme", true,
			func(f *forge) string {
				return f.holding(lit(strings.Replace(f.signedEntity("acme", f.entity()), "pgp-sha512", "pgp-md5", 1)))
			}},
		{"preamble", "Text in the preamble and epilogue of a multipart/signed, which nobody is shown.", "good acme", true,
			func(f *forge) string {
				m := f.signedEntity("acme", f.entity())
				return f.holding(lit(strings.Replace(m, "\r\n\r\n", "\r\n\r\nACK PAR-2026-0002\r\n", 1) + "\r\nACK PAR-2026-0003\r\n"))
			}},
		{"nested-signed", "A stranger signs around what acme signed: the outer one covers the whole.", "unknown-key mallory", false,
			func(f *forge) string {
				return f.holding(lit(f.signedEntity("mallory", f.signedEntity("acme", f.entity()))))
			}},
		{"nested-signed-with-more", "A stranger adds its own text around a part that acme signed.", "unknown-key mallory", false,
			func(f *forge) string {
				return f.holding(lit(f.signedEntity("mallory", multipart("mixed", f.entity(), f.signedEntity("acme", textPart("signed by acme"))))))
			}},
		{"layer-by-stranger", "A stranger's signed layer around an unsigned text that says it is signed.", "unknown-key mallory", false,
			func(f *forge) string { return f.holding(f.signed("mallory", f.entity())) }},
		{"layer-by-ghost", "Signed by a key that nobody has, with the victim's user ID.", "unknown-key -", false,
			func(f *forge) string { return f.holding(f.signed("ghost", f.entity())) }},
		{"layer-by-globex", "Another vendor's good signature under acme's address.", "other-party globex", false,
			func(f *forge) string { return f.holding(f.signed("globex", f.entity())) }},
		{"rewrapped-detached", "What acme signed for somebody else, re-encrypted to us in another's layer; our case is not in it.", "good acme", false,
			func(f *forge) string {
				return f.holding(f.signed("mallory", f.signedEntity("acme", textPart("ACK\n\nto whom it may concern, "+f.name))))
			}},
		{"rewrapped-subject", "The same, with our case in a Subject around it that acme did not sign.", "good acme", false,
			func(f *forge) string {
				return f.holding(f.signed("mallory", "Subject: [PAR-2026-0001]\r\n"+f.signedEntity("acme", textPart("ACK\n\nto whom it may concern, "+f.name))))
			}},
		{"surreptitious", "What acme encrypted to globex and signed for globex, re-encrypted to us.", "bad not-for-us acme", false,
			func(f *forge) string {
				globex := append([]byte{4}, f.keys["globex"].primary().Fingerprint...)
				return f.holding(f.signed("acme", f.entity(), with(subpacket(35, globex))))
			}},
		{"other-envelope", "What acme signed, sent from globex's address.", "bad from-mismatch acme", false,
			func(f *forge) string {
				return f.from(pgpMIME(f.armor(f.sealed(f.signed("acme", f.entity())))), "psirt@globex.example")
			}},
		{"around-ciphertext", "acme's signature around ciphertext: it says nothing of who wrote the text.", "none", false,
			func(f *forge) string {
				return f.mail(f.signedEntity("acme", pgpMIME(f.armor(f.sealed(lit(f.entity()))))))
			}},
		{"around-ciphertext-of-another", "acme's signature around what a stranger encrypted and signed.", "unknown-key mallory", false,
			func(f *forge) string {
				return f.mail(f.signedEntity("acme", pgpMIME(f.armor(f.sealed(f.signed("mallory", f.entity()))))))
			}},
		{"around-ciphertext-inside", "The same one layer further in.", "none", false,
			func(f *forge) string {
				return f.holding(lit(f.signedEntity("acme", pgpMIME(f.armor(f.sealed(lit(f.entity())))))))
			}},
		{"signed-document", "An inline signed block in an unsigned text.", "none", false,
			func(f *forge) string {
				return f.holding(lit(textPart(f.words() + "\n" + f.armor(f.signed("acme", f.words())))))
			}},
	}
}
