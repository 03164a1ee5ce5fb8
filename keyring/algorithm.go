package keyring

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" // fingerprints of version 4 keys are made with it
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Sizes of RSA keys in bits: the smallest used, the largest encrypted to, the
// largest read.
const (
	minRSA     = 2048
	maxRSA     = 4096
	maxReadRSA = 8192
)

// checkKeySize refuses a key packet whose RSA numbers are larger than Parley
// reads, with an *UnusableError that names the key. It looks at the octets only, so
// that no arithmetic is done on a number that somebody else chose the size of.
func checkKeySize(body []byte) error {
	material := 6
	if len(body) > 0 && body[0] >= 5 {
		material = 10 // versions 5 and 6 count the octets of the key material
	}
	if len(body) < material+2 {
		return errPackets
	}
	switch packet.PublicKeyAlgorithm(body[5]) {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSAEncryptOnly, packet.PubKeyAlgoRSASignOnly:
		if bits := binary.BigEndian.Uint16(body[material:]); bits > maxReadRSA {
			return unusable(WhyTooLarge, fmt.Sprintf("RSA %d is larger than the %d bits that are read", bits, maxReadRSA)).of(fingerprintOfBody(body))
		}
	}
	return nil
}

// fingerprintOfBody is the fingerprint of a key packet that is not parsed. RFC
// 9580, section 5.5.4.
func fingerprintOfBody(body []byte) Fingerprint {
	switch {
	case body[0] == 4 && len(body) <= 0xffff:
		h := sha1.New()
		h.Write(binary.BigEndian.AppendUint16([]byte{0x99}, uint16(len(body))))
		h.Write(body)
		return fingerprintOf(h.Sum(nil))
	case body[0] == 6:
		h := sha256.New()
		h.Write(binary.BigEndian.AppendUint32([]byte{0x9b}, uint32(len(body))))
		h.Write(body)
		return fingerprintOf(h.Sum(nil))
	}
	return ""
}

// algorithmFault says why keys of this kind are not used at all; nil if they are.
func algorithmFault(k *packet.PublicKey) *UnusableError {
	switch k.PubKeyAlgo {
	case packet.PubKeyAlgoDSA:
		return unusable(WhyAlgorithm, "DSA is not used")
	case packet.PubKeyAlgoElGamal:
		return unusable(WhyAlgorithm, "Elgamal is not used")
	}
	if n, ok := k.PublicKey.(*rsa.PublicKey); ok && n.N.BitLen() < minRSA {
		return unusable(WhyTooSmall, fmt.Sprintf("RSA %d is too small", n.N.BitLen()))
	}
	return nil
}

// encryptionFault is algorithmFault for a key that a message would be encrypted to.
func encryptionFault(k *packet.PublicKey) *UnusableError {
	if f := algorithmFault(k); f != nil {
		return f
	}
	if n, ok := k.PublicKey.(*rsa.PublicKey); ok && n.N.BitLen() > maxRSA {
		return unusable(WhyAlgorithm, fmt.Sprintf("RSA %d is larger than the %d bits that are used", n.N.BitLen(), maxRSA))
	}
	if !k.PubKeyAlgo.CanEncrypt() {
		return unusable(WhyAlgorithm, "the algorithm of its encryption key is unknown")
	}
	return nil
}

// strongHash reports whether signatures with this hash count. MD5 and RIPEMD
// never get here, because the library does not read them.
func strongHash(h crypto.Hash) bool {
	switch h {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA224, crypto.SHA3_256, crypto.SHA3_512:
		return true
	}
	return false
}

// weakHashID reports whether an OpenPGP hash number stands for MD5, SHA-1 or
// RIPEMD-160. RFC 9580, section 9.5.
func weakHashID(id byte) bool { return id == 1 || id == 2 || id == 3 }
