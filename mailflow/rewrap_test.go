package mailflow

import (
	"bytes"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/mailflow/mailtest"
)

// rewrapped gives the same encrypted data in other clothes: armored anew, behind
// one more session key packet, without the key ID, and cut into partial pieces
// (RFC 9580, section 4.2.1.4).
func rewrapped(t *testing.T, armored []byte) [][]byte {
	t.Helper()
	data := keyring.FindArmor(armored)[0].Data
	split := bytes.IndexByte(data, 0xd2) // the SEIPD packet, new format
	for split >= 0 && !plausibleBody(data, split) {
		split += 1 + bytes.IndexByte(data[split+1:], 0xd2)
	}
	keys, body := data[:split], packetBody(t, data[split:])
	hidden := bytes.Clone(keys)
	for i := range 8 {
		hidden[len(packetHead(keys))+1+i] = 0
	}
	partial := []byte{0xd2, 224 + 9}
	partial = append(append(partial, body[:512]...), lengthOf(len(body)-512)...)
	partial = append(partial, body[512:]...)
	whole := append(append([]byte{0xd2}, lengthOf(len(body))...), body...)
	var out [][]byte
	for _, m := range [][]byte{
		append(bytes.Clone(keys), whole...),
		append(append(bytes.Clone(keys), keys...), whole...),
		append(hidden, whole...),
		append(bytes.Clone(keys), partial...),
	} {
		a, err := keyring.EncodeArmor(keyring.ArmorMessage, m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

func plausibleBody(data []byte, at int) bool {
	_, err := packet.Read(bytes.NewReader(data[:at]))
	p := packet.NewReader(bytes.NewReader(data[at:]))
	q, err2 := p.Next()
	_, ok := q.(*packet.SymmetricallyEncrypted)
	return err == nil && err2 == nil && ok
}

func packetBody(t *testing.T, p []byte) []byte {
	t.Helper()
	r := packet.NewOpaqueReader(bytes.NewReader(p))
	o, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	return o.Contents
}

// packetHead is the header of the first packet.
func packetHead(p []byte) []byte {
	switch {
	case p[0]&0x40 == 0:
		return p[:1+1<<(p[0]&3)]
	case p[1] < 192:
		return p[:2]
	case p[1] < 224:
		return p[:3]
	}
	return p[:6]
}

func lengthOf(n int) []byte { return []byte{255, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }

// secretBlock is somebody's secret key in armor, as no one should send it.
func secretBlock(t *testing.T, p *mailtest.Person) string {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PrivateKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Entity.SerializePrivate(w, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

func groups(p *mailtest.Person) string { return keyring.Fingerprint(p.Fingerprint()).Spaced() }
