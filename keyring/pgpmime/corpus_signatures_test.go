package pgpmime_test

import (
	endian "encoding/binary"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// flawed is a recipe with one signature over the whole that has a flaw.
func flawed(name, why, verdict string, by string, edit ...func(*sigSpec)) recipe {
	return recipe{name, why, verdict, strings.HasPrefix(verdict, "good "), func(f *forge) string {
		return f.holding(f.prefixed(f.sign(by, f.entity(), edit...), f.entity()))
	}}
}

// signatureRecipes are signatures with flaws, by keys without.
func signatureRecipes() []recipe {
	victim := func(f *forge) *packet.PrivateKey { return f.keys["acme"].primary() }
	return []recipe{
		flawed("hash-md5", "MD5.", "bad weak-hash -", "acme", hashedWith(1)),
		flawed("hash-sha1", "SHA-1.", "bad weak-hash acme", "acme", hashedWith(2)),
		flawed("hash-ripemd", "RIPEMD-160.", "bad weak-hash -", "acme", hashedWith(3)),
		flawed("hash-sha256", "SHA-256, which counts.", "good acme", "acme", hashedWith(8)),
		flawed("signature-expired", "The signature itself has ended.", "bad expired acme", "acme", with(subpacket(3, []byte{0, 0, 0, 60}))),
		flawed("signature-future", "Signed an hour from now.", "bad not-yet-valid acme", "acme", at(noon.Add(hour))),
		flawed("signature-before-key", "Signed before the key was made.", "bad key-unusable acme", "acme", at(corpusMade.Add(-24*hour))),
		flawed("signature-text", "A text signature over the lines as they are.", "good acme", "acme", ofKind(1)),
		flawed("signature-certification", "A certification (0x10) is no signature over a document.", "bad malformed acme", "acme", ofKind(0x10)),
		flawed("signature-timestamp", "A timestamp (0x40) is none either.", "bad malformed acme", "acme", ofKind(0x40)),
		flawed("signature-standalone", "Nor is a standalone signature (0x02).", "bad malformed acme", "acme", ofKind(2)),
		flawed("signature-revocation", "Nor a revocation (0x20).", "bad malformed acme", "acme", ofKind(0x20)),
		flawed("notation-critical", "A critical notation that nobody knows.", "bad malformed acme", "acme",
			with(subpacket(20|0x80, append([]byte{0x80, 0, 0, 0, 0, 13, 0, 1}, "x@example.orgy"...)))),
		flawed("notation", "One that is not critical.", "good acme", "acme",
			with(subpacket(20, append([]byte{0x80, 0, 0, 0, 0, 13, 0, 1}, "x@example.orgy"...)))),
		flawed("subpacket-critical", "A critical subpacket that nobody knows.", "bad malformed -", "acme", with(subpacket(99|0x80, []byte("x")))),
		flawed("no-issuer", "A signature that names no key.", "unknown-key -", "acme", func(s *sigSpec) { s.keyID, s.fingerprint = 0, nil }),
		{"issuer-wrong", "acme's own signature that names another's key.", "bad wrong mallory", false, func(f *forge) string {
			other := f.keys["mallory"].primary()
			return f.holding(f.prefixed(f.sign("acme", f.entity(), func(s *sigSpec) { s.keyID, s.fingerprint = other.KeyId, other.Fingerprint }), f.entity()))
		}},
		{"issuer-id-lie", "A stranger's signature that names acme's key ID.", "bad wrong acme", false, func(f *forge) string {
			return f.holding(f.prefixed(f.sign("mallory", f.entity(), func(s *sigSpec) { s.keyID, s.fingerprint = victim(f).KeyId, nil }), f.entity()))
		}},
		{"issuer-fingerprint-lie", "A stranger's signature that names acme's key ID and fingerprint.", "bad wrong acme", false, func(f *forge) string {
			return f.holding(f.prefixed(f.sign("mallory", f.entity(), func(s *sigSpec) { s.keyID, s.fingerprint = victim(f).KeyId, victim(f).Fingerprint }), f.entity()))
		}},
		{"issuer-both", "A stranger's signature with acme's key ID and its own fingerprint.", "unknown-key -", false, func(f *forge) string {
			return f.holding(f.prefixed(f.sign("mallory", f.entity(), func(s *sigSpec) { s.keyID = victim(f).KeyId }), f.entity()))
		}},
		{"issuer-unhashed", "A stranger's signature that names acme in fields that are not signed, too.", "unknown-key -", false, func(f *forge) string {
			return f.holding(f.prefixed(f.sign("mallory", f.entity(), func(s *sigSpec) {
				s.unhashed = subpacket(33, append([]byte{4}, victim(f).Fingerprint...))
			}), f.entity()))
		}},
		{"version-3", "A version 3 signature.", "bad malformed -", false, func(f *forge) string {
			body := append([]byte{3, 5, 0, 0x6a, 0, 0, 0, 0}, endian.BigEndian.AppendUint64(nil, victim(f).KeyId)...)
			body = append(body, 22, 10, 1, 2)
			return f.holding(f.prefixed(rawPacket(2, join(body, mpi([]byte{1, 2, 3}), mpi([]byte{4, 5, 6}))), f.entity()))
		}},
		{"numbers-zero", "A signature of zeros.", "bad wrong acme", false, func(f *forge) string {
			s := f.sign("acme", f.entity())
			return f.holding(f.prefixed(zeroNumbers(s), f.entity()))
		}},
		{"text-type-line-ends", "A text signature, where line ends are no part: other ones are no forgery.", "good acme", true, func(f *forge) string {
			return f.holding(f.prefixed(f.sign("acme", f.entity(), ofKind(1)), strings.ReplaceAll(f.entity(), "\r\n", "\n")))
		}},
		{"binary-line-ends", "A binary signature over other line ends.", "bad wrong acme", false, func(f *forge) string {
			return f.holding(f.prefixed(f.sign("acme", f.entity()), strings.ReplaceAll(f.entity(), "\r\n", "\n")))
		}},
	}
}

// zeroNumbers puts zeros in place of the two numbers of a signature.
func zeroNumbers(sig []byte) []byte {
	out := append([]byte(nil), sig...)
	clear(out[len(out)-60:])
	return out
}

// keyFlawRecipes are good signatures by keys of acme that must not count.
func keyFlawRecipes() []recipe {
	sub := func(name, why, verdict, by string) recipe {
		return recipe{name, why, verdict, false, func(f *forge) string {
			return f.holding(f.prefixed(f.sign(by, f.entity(), byKey(f.keys[by].subkey())), f.entity()))
		}}
	}
	return []recipe{
		flawed("key-expired", "The key has ended.", "bad key-expired acme-expired", "acme-expired"),
		flawed("key-expired-since", "Signed while the key was good; it has ended since.", "bad key-expired acme-expired", "acme-expired", at(corpusMade.Add(24*hour))),
		flawed("key-unborn", "The key is made tomorrow.", "bad key-unusable acme-unborn", "acme-unborn"),
		flawed("key-stolen", "The key is revoked as compromised.", "bad key-revoked acme-stolen", "acme-stolen", at(noon.Add(-hour/2))),
		flawed("key-stolen-before", "Signed, it says, before it was compromised.", "bad key-revoked acme-stolen", "acme-stolen", at(noon.Add(-2*hour))),
		flawed("key-retired-after", "Signed after the key was superseded.", "bad key-revoked acme-retired", "acme-retired", at(noon.Add(-hour/2))),
		flawed("key-mute", "A primary key that may only certify.", "bad key-unusable acme-mute", "acme-mute"),
		flawed("key-no-flags", "A primary key without key flags.", "bad key-unusable acme-noflags", "acme-noflags"),
		flawed("key-sha1", "A certificate held together by SHA-1 only.", "bad key-unusable acme-sha1", "acme-sha1"),
		flawed("key-moved-user-id", "A user ID taken from another key.", "bad key-unusable acme-moved", "acme-moved"),
		flawed("key-rsa-1024", "RSA of 1024 bits.", "bad key-unusable acme-rsa1024", "acme-rsa1024"),
		flawed("key-dsa", "DSA.", "bad key-unusable acme-dsa", "acme-dsa"),
		sub("subkey-uncrossed", "A signing subkey that did not sign the primary key.", "unknown-key -", "acme-uncrossed"),
		sub("subkey-encrypts", "A subkey for encryption that signs.", "bad key-unusable acme-encrypts", "acme-encrypts"),
		sub("subkey-authenticates", "A subkey for authentication that signs.", "bad key-unusable acme-authenticates", "acme-authenticates"),
		sub("subkey-binding-expired", "A signing subkey whose binding has ended.", "bad key-unusable acme-unbound", "acme-unbound"),
		sub("subkey-expired", "A signing subkey that has ended.", "bad key-expired acme-subkey-expired", "acme-subkey-expired"),
		{"key-attached", "A stranger's key with acme's user ID, attached inside, signs.", "unknown-key ghost", false, func(f *forge) string {
			e := multipart("mixed", f.entity(), part("Content-Type: application/pgp-keys", armored(f.t, keyring.ArmorPublicKey, f.keys["ghost"].cert)))
			return f.holding(f.signed("ghost", e))
		}},
		{"key-attached-unrevoked", "An old copy of the revoked certificate, attached to hide the revocation.", "bad key-revoked acme-stolen", false, func(f *forge) string {
			old := withoutRevocation(f.t, f.keys["acme-stolen"].cert)
			e := multipart("mixed", f.entity(), part("Content-Type: application/pgp-keys", armored(f.t, keyring.ArmorPublicKey, old)))
			return f.holding(f.signed("acme-stolen", e))
		}},
		{"key-rsa-32768", "A key of 32768 bits attached beside a signature in its name.", "unknown-key -", false, func(f *forge) string {
			e := multipart("mixed", f.entity(), part("Content-Type: application/pgp-keys", armored(f.t, keyring.ArmorPublicKey, hugeRSA())))
			return f.holding(f.signed("ghost", e))
		}},
		{"key-secret-attached", "A secret key, attached by mistake.", "good acme", true, func(f *forge) string {
			e := multipart("mixed", f.entity(), part("Content-Type: application/pgp-keys", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n-----END PGP PRIVATE KEY BLOCK-----\n"))
			return f.holding(f.signed("acme", e))
		}},
	}
}
