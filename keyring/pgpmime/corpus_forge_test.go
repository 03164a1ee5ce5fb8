package pgpmime_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	_ "crypto/md5"  // hashes that must not count
	_ "crypto/sha1" // likewise
	endian "encoding/binary"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	_ "golang.org/x/crypto/ripemd160" //lint:ignore SA1019 likewise

	"parley/keyring"
)

// forge makes the mails of the corpus. Whatever the program itself would never
// write is put together octet by octet.
type forge struct {
	t    testing.TB
	keys map[string]*testKey
	name string    // of the mail that is made
	at   time.Time // when it is signed; no two mails are signed in the same second
}

// words is what every attacker wants to be taken for acme's.
func (f *forge) words() string { return "ACK PAR-2026-0001\n\nThis is mail " + f.name + ".\n" }

// entity is words as a MIME entity.
func (f *forge) entity() string { return textPart(f.words()) }

// sigSpec describes a version 4 signature by an EdDSA key. RFC 9580, section 5.2.3.
type sigSpec struct {
	by          *packet.PrivateKey
	kind, hash  byte
	at          time.Time
	keyID       uint64 // that it names; 0: none
	fingerprint []byte // that it names; nil: none
	hashed      []byte // further subpackets
	unhashed    []byte
}

var hashes = map[byte]crypto.Hash{1: crypto.MD5, 2: crypto.SHA1, 3: crypto.RIPEMD160, 8: crypto.SHA256, 10: crypto.SHA512}

// sign makes a signature packet over data.
func (f *forge) sign(by string, data string, edit ...func(*sigSpec)) []byte {
	f.t.Helper()
	k := f.keys[by].primary()
	s := sigSpec{by: k, hash: 10, at: f.at, keyID: k.KeyId, fingerprint: k.Fingerprint}
	for _, e := range edit {
		e(&s)
	}
	if _, ok := s.by.PrivateKey.(*eddsa.PrivateKey); !ok {
		return f.signByLibrary(s, data)
	}
	hashed := subpacket(2|0x80, endian.BigEndian.AppendUint32(nil, uint32(s.at.Unix())))
	if s.fingerprint != nil {
		hashed = append(hashed, subpacket(33, append([]byte{4}, s.fingerprint...))...)
	}
	hashed = append(hashed, s.hashed...)
	unhashed := s.unhashed
	if s.keyID != 0 {
		unhashed = append(unhashed, subpacket(16, endian.BigEndian.AppendUint64(nil, s.keyID))...)
	}
	body := sized([]byte{4, s.kind, byte(packet.PubKeyAlgoEdDSA), s.hash}, hashed)
	h := hashes[s.hash].New()
	h.Write([]byte(data))
	h.Write(body)
	h.Write(endian.BigEndian.AppendUint32([]byte{4, 0xff}, uint32(len(body))))
	digest := h.Sum(nil)
	r, t, err := eddsa.Sign(s.by.PrivateKey.(*eddsa.PrivateKey), digest)
	must(f.t, err)
	body = append(sized(body, unhashed), digest[:2]...)
	return rawPacket(2, append(append(body, mpi(r)...), mpi(t)...))
}

// signByLibrary is for keys of other kinds.
func (f *forge) signByLibrary(s sigSpec, data string) []byte {
	f.t.Helper()
	sig := &packet.Signature{Version: s.by.Version, SigType: packet.SignatureType(s.kind), PubKeyAlgo: s.by.PubKeyAlgo,
		Hash: hashes[s.hash], CreationTime: s.at, IssuerKeyId: &s.by.KeyId, IssuerFingerprint: s.by.Fingerprint}
	config := keyConfig(nil)
	h, err := sig.PrepareSign(config)
	must(f.t, err)
	h.Write([]byte(data))
	must(f.t, sig.Sign(h, s.by, config))
	var b bytes.Buffer
	must(f.t, sig.Serialize(&b))
	return b.Bytes()
}

func sized(dst, area []byte) []byte {
	return append(endian.BigEndian.AppendUint16(dst, uint16(len(area))), area...)
}

// subpacket is one of a signature. RFC 9580, section 5.2.3.7.
func subpacket(kind byte, data []byte) []byte {
	return append([]byte{byte(len(data) + 1), kind}, data...)
}

func mpi(n []byte) []byte {
	n = bytes.TrimLeft(n, "\x00")
	bits := 0
	if len(n) > 0 {
		bits = len(n) * 8
		for b := n[0]; b&0x80 == 0; b <<= 1 {
			bits--
		}
	}
	return append(endian.BigEndian.AppendUint16(nil, uint16(bits)), n...)
}

// rawPacket writes a packet with a five-octet length.
func rawPacket(tag byte, body []byte) []byte {
	return append(endian.BigEndian.AppendUint32([]byte{0xc0 | tag, 255}, uint32(len(body))), body...)
}

// The edits of a signature.

func at(when time.Time) func(*sigSpec) { return func(s *sigSpec) { s.at = when } }
func hashedWith(id byte) func(*sigSpec) {
	return func(s *sigSpec) { s.hash = id }
}
func ofKind(kind byte) func(*sigSpec) { return func(s *sigSpec) { s.kind = kind } }
func with(sub []byte) func(*sigSpec)  { return func(s *sigSpec) { s.hashed = append(s.hashed, sub...) } }
func byKey(k *packet.PrivateKey) func(*sigSpec) {
	return func(s *sigSpec) { s.by, s.keyID, s.fingerprint = k, k.KeyId, k.Fingerprint }
}

// onePass announces a signature. RFC 9580, section 5.4.
func (f *forge) onePass(by string, last byte) []byte {
	k := f.keys[by].primary()
	return rawPacket(4, append(endian.BigEndian.AppendUint64([]byte{3, 0, 10, byte(k.PubKeyAlgo)}, k.KeyId), last))
}

// signed is the usual message: announcement, text, signature.
func (f *forge) signed(by, data string, edit ...func(*sigSpec)) []byte {
	f.t.Helper()
	return join(f.onePass(by, 1), lit(data), f.sign(by, data, edit...))
}

// prefixed is the old form with the signature in front.
func (f *forge) prefixed(sigs []byte, data string) []byte { return join(sigs, lit(data)) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func lit(data string) []byte { return rawPacket(11, append([]byte{'b', 0, 0, 0, 0, 0}, data...)) }

func zip(packets []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err) // of a level that exists, into memory
	}
	w.Write(packets)
	w.Close()
	return rawPacket(8, append([]byte{1}, b.Bytes()...))
}

// corpusSession is the session key of all encrypted mails of the corpus.
var corpusSession = bytes.Repeat([]byte{0x2a}, 32)

// session is a session key packet for a test key.
func (f *forge) session(to string, hidden, version6 bool) []byte {
	f.t.Helper()
	e, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(f.keys[to].cert)))
	must(f.t, err)
	var b bytes.Buffer
	config := keyConfig(func(c *packet.Config) { c.AEADConfig = &packet.AEADConfig{} })
	must(f.t, packet.SerializeEncryptedKeyAEADwithHiddenOption(&b, e.Subkeys[0].PublicKey, packet.CipherAES256, version6, corpusSession, hidden, config))
	return b.Bytes()
}

// body is a SEIPD packet of version 1.
func (f *forge) body(packets []byte) []byte {
	f.t.Helper()
	var b bytes.Buffer
	w, err := packet.SerializeSymmetricallyEncrypted(&b, packet.CipherAES256, false, packet.CipherSuite{}, corpusSession, nil)
	must(f.t, err)
	_, err = w.Write(packets)
	must(f.t, err)
	must(f.t, w.Close())
	return b.Bytes()
}

// body2 is a SEIPD packet of version 2.
func (f *forge) body2(packets []byte) []byte {
	f.t.Helper()
	var b bytes.Buffer
	suite := packet.CipherSuite{Cipher: packet.CipherAES256, Mode: packet.AEADModeOCB}
	w, err := packet.SerializeSymmetricallyEncrypted(&b, packet.CipherAES256, true, suite, corpusSession, keyConfig(func(c *packet.Config) { c.AEADConfig = &packet.AEADConfig{} }))
	must(f.t, err)
	_, err = w.Write(packets)
	must(f.t, err)
	must(f.t, w.Close())
	return b.Bytes()
}

// sealed encrypts packets to us.
func (f *forge) sealed(packets []byte) []byte {
	return join(f.session("us", false, false), f.body(packets))
}

func (f *forge) armor(data []byte) string { return armored(f.t, keyring.ArmorMessage, data) }

// from is a mail under these From fields.
func (f *forge) from(entity string, fields ...string) string {
	head := ""
	for _, v := range fields {
		head += "From: " + v + "\r\n"
	}
	return head + "To: vdp@vdp.example.org\r\nSubject: ...\r\nMessage-ID: <" + f.name + "@acme.example>\r\nDate: " +
		f.at.Format("Mon, 02 Jan 2006 15:04:05 -0700") + "\r\nMIME-Version: 1.0\r\n" + entity
}

const fromAcme = "Acme PSIRT <psirt@acme.example>"

// mail is a mail that says it is from acme.
func (f *forge) mail(entity string) string { return f.from(entity, fromAcme) }

// pgp is a mail from acme with an encrypted message in PGP/MIME.
func (f *forge) pgp(message []byte) string { return f.mail(pgpMIME(f.armor(message))) }

// holding is a mail from acme in which these packets are encrypted to us.
func (f *forge) holding(packets []byte) string { return f.pgp(f.sealed(packets)) }

// signedEntity is RFC 3156, section 5.
func (f *forge) signedEntity(by, entity string, edit ...func(*sigSpec)) string {
	return signedWith(entity, armored(f.t, keyring.ArmorSignature, f.sign(by, entity, edit...)))
}

const signedType = "signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\""

func sigPart(signature string) string {
	return part("Content-Type: application/pgp-signature; name=signature.asc", signature)
}
