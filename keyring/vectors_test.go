package keyring_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/keyring"
)

// stored reads a file of testdata; see the README there for where it is from.
func stored(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// block is the one block of armor in a stored file.
func block(t testing.TB, name string) []byte {
	t.Helper()
	blocks := keyring.FindArmor(stored(t, name))
	if len(blocks) != 1 {
		t.Fatalf("%s has %d blocks", name, len(blocks))
	}
	return blocks[0].Data
}

func storedSecret(t testing.TB, name string) *keyring.Secret {
	t.Helper()
	s, err := keyring.ParseSecret(stored(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func storedCertificate(t testing.TB, name string) *keyring.Certificate {
	t.Helper()
	certs, err := keyring.ParseCertificates(stored(t, name))
	if err != nil || len(certs) != 1 {
		t.Fatalf("%s: %d certificates, %v", name, len(certs), err)
	}
	return certs[0]
}

// The fingerprint that RFC 9580, appendix A.3 names.
const sampleFingerprint = "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9"

func TestRFC9580Certificate(t *testing.T) {
	t.Parallel()
	cert, s := storedCertificate(t, "rfc9580/a3-certificate.asc"), storedSecret(t, "rfc9580/a4-TEST-secret.asc")
	for _, c := range []*keyring.Certificate{cert, s.Certificate()} {
		if c.Fingerprint() != sampleFingerprint {
			t.Errorf("fingerprint %s", c.Fingerprint())
		}
		if err := c.CanVerify(noon); err != nil {
			t.Error(err)
		}
		if err := c.CanEncrypt(noon); err != nil {
			t.Error(err)
		}
	}
	if _, err := keyring.ParseSecret(stored(t, "rfc9580/a5-TEST-secret-locked.asc")); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("the locked key: %v", err)
	}
}

func TestRFC9580Signatures(t *testing.T) {
	t.Parallel()
	cert := storedCertificate(t, "rfc9580/a3-certificate.asc")
	const text = "What we need from the grocery store:\n\n- tofu\n- vegetables\n- noodles\n"
	m, err := keyring.OpenSigned(t.Context(), block(t, "rfc9580/a7-inline-signed.asc"), keyring.DefaultLimits())
	if err != nil || string(m.Data) != text || len(m.Signatures) != 1 {
		t.Fatalf("%v, %+v", err, m)
	}
	if err := m.Signatures[0].Verify(m.Data, cert, noon, nil); err != nil {
		t.Errorf("inline: %v", err)
	}
	if err := m.Signatures[0].Verify([]byte(strings.Replace(text, "tofu", "Tofu", 1)), cert, noon, nil); err == nil {
		t.Error("inline: good over another text")
	}
	armor := string(stored(t, "rfc9580/a6-cleartext-signed.asc"))
	sigs := keyring.ParseSignatures([]byte(armor[strings.Index(armor, "-----BEGIN PGP SIGNATURE"):]))
	if len(sigs) != 1 {
		t.Fatalf("%d signatures", len(sigs))
	}
	if err := sigs[0].Verify([]byte(strings.ReplaceAll(text, "\n", "\r\n")), cert, noon, nil); err != nil {
		t.Errorf("in clear: %v", err)
	}
}

func TestRFC9580Decryption(t *testing.T) {
	t.Parallel()
	s := storedSecret(t, "rfc9580/a4-TEST-secret.asc")
	m, err := decrypt(block(t, "rfc9580/a8-x25519-aead-ocb.asc"), s)
	if err != nil || string(m.Data) != "Hello, world!" || len(m.Signatures) != 0 {
		t.Errorf("%v (%s), %+v", err, keyring.Reason(err), m)
	}
}

// P5: passwords are not tried, whatever the mode.
func TestP5_RFC9580Passwords(t *testing.T) {
	t.Parallel()
	s := storedSecret(t, "rfc9580/a4-TEST-secret.asc")
	for _, name := range []string{"a9-password-eax", "a10-password-ocb", "a11-password-gcm", "a12-password-argon2"} {
		m, err := decrypt(block(t, "rfc9580/"+name+".asc"), s)
		if wantReason(t, err, keyring.ReasonPassword); m != nil {
			t.Errorf("%s was opened", name)
		}
	}
}

// openPGPJS are the messages of OpenPGP.js, by the secret key that opens them.
var openPGPJS = map[string][]string{
	"v6":        {"v6-ocb-0", "v6-ocb-1", "v6-ocb-12", "v6-gcm-0", "v6-gcm-12", "v6-eax-0", "v6-eax-12"},
	"v4":        {"v4-ocb-0", "v4-gcm-0", "v4-eax-0"},
	"v4-legacy": {"v4-legacy-ocb-0", "v4-legacy-gcm-0", "v4-legacy-eax-0"},
}

func TestOpenPGPJS(t *testing.T) {
	t.Parallel()
	sender, text := storedCertificate(t, "openpgpjs/sender-v6-certificate.asc"), stored(t, "openpgpjs/text.eml")
	for key, names := range openPGPJS {
		s := storedSecret(t, "openpgpjs/TEST-secret-"+key+".asc")
		us := []keyring.Fingerprint{s.Certificate().Fingerprint()}
		for _, name := range names {
			m, err := decrypt(block(t, "openpgpjs/"+name+".asc"), s)
			if err != nil || !bytes.Equal(m.Data, text) || !m.Encrypted || len(m.Signatures) != 1 {
				t.Errorf("%s: %v (%s)", name, err, keyring.Reason(err))
				continue
			}
			if err := m.Signatures[0].Verify(m.Data, sender, noon, us); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// P2, P9: one octet changed anywhere in what is encrypted, or chunks missing at
// the end, exactly up to the tag of the one before, and nothing is opened.
func TestP2_OpenPGPJSDamaged(t *testing.T) {
	t.Parallel()
	for key, names := range openPGPJS {
		s := storedSecret(t, "openpgpjs/TEST-secret-"+key+".asc")
		for _, name := range names {
			whole := block(t, "openpgpjs/"+name+".asc")
			keys, body := splitSEIPD(t, whole)
			if _, err := decrypt(seipd(keys, body), s); err != nil {
				t.Fatalf("%s, unchanged: %v", name, err)
			}
			for i := 0; i < len(body); i += 7 {
				changed := bytes.Clone(body)
				changed[i] ^= 0x20
				if m, err := decrypt(seipd(keys, changed), s); err == nil || m != nil || keyring.Reason(err) == "" {
					t.Errorf("%s: octet %d of %d changed: %v", name, i, len(body), err)
				}
			}
			const head, tag = 36, 16 // version, cipher, mode, chunk size and salt: RFC 9580, section 5.13.2
			chunk := 1<<(int(body[3])+6) + tag
			for end := head + chunk; end < len(body); end += chunk {
				for _, cut := range [][]byte{body[:end], append(bytes.Clone(body[:end]), body[len(body)-tag:]...)} {
					if len(cut) == len(body) {
						continue
					}
					if m, err := decrypt(seipd(keys, cut), s); err == nil || m != nil {
						t.Errorf("%s: ends after %d of %d octets and opens", name, len(cut), len(body))
					}
				}
			}
			if m, err := decrypt(seipd(keys, body[:len(body)-tag]), s); err == nil || m != nil {
				t.Errorf("%s: opens without its final tag", name)
			}
		}
	}
}

// splitSEIPD gives the packets in front and the body of the SEIPD packet, whose
// header is of the new format and not in pieces, or in pieces that are joined.
func splitSEIPD(t testing.TB, message []byte) (before, body []byte) {
	t.Helper()
	rest := message
	for len(rest) > 0 {
		at := len(message) - len(rest)
		kind := rest[0] & 0x3f
		rest = rest[1:]
		var content []byte
		for more := true; more; {
			n := int(rest[0])
			more = n >= 224 && n < 255
			switch {
			case n < 192:
				rest = rest[1:]
			case n < 224:
				n, rest = (n-192)<<8+int(rest[1])+192, rest[2:]
			case more:
				n, rest = 1<<(n&31), rest[1:]
			default:
				n, rest = int(rest[1])<<24+int(rest[2])<<16+int(rest[3])<<8+int(rest[4]), rest[5:]
			}
			content, rest = append(content, rest[:n]...), rest[n:]
		}
		if kind == 18 {
			return message[:at], content
		}
	}
	t.Fatal("no SEIPD packet")
	return nil, nil
}

func seipd(before, body []byte) []byte {
	n := len(body)
	return append(append(bytes.Clone(before), 0xd2, 255, byte(n>>24), byte(n>>16), byte(n>>8), byte(n)), body...)
}
