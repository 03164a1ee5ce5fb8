package pgpmime_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

// cleartextOf signs a text in the clear with the library, as a finder's client
// would.
func cleartextOf(t *testing.T, by *keyring.Secret, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, entity(t, by).PrivateKey, &packet.Config{Time: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return crlf(b.String()) + "\r\n"
}

// RFC 9580, section 7: a signed text is a document, and what stands around it is
// not covered.
func TestS1_CleartextSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signed := cleartextOf(t, w.finder, "Heap overflow\n- in parse\n-- \nM\u00fcller  \nFrom here")
	const want = "Heap overflow\r\n- in parse\r\n--\r\nM\u00fcller\r\nFrom here"
	other := cleartextOf(t, w.us, "another")
	for name, c := range map[string]struct {
		text  string
		datas []string
		err   error
	}{
		"alone":                  {signed, []string{want}, nil},
		"text around it":         {"ACK PAR-2026-0007\n" + signed + "and below", []string{want}, nil},
		"two":                    {signed + "between\n" + signed, []string{want, want}, nil},
		"LF only":                {strings.ReplaceAll(signed, "\r\n", "\n"), []string{want}, nil},
		"white space at the end": {strings.Replace(signed, "overflow\r\n", "overflow \t \r\n", 1), []string{want}, nil},
		"changed":                {strings.Replace(signed, "Heap", "Deep", 1), []string{strings.Replace(want, "Heap", "Deep", 1)}, keyring.FaultWrong},
		"a line put in":          {strings.Replace(signed, "Heap", "ACK\r\nHeap", 1), []string{"ACK\r\n" + want}, keyring.FaultWrong},
		"without a Hash line":    {hashLine(signed, ""), []string{want}, nil},
		"two Hash lines":         {hashLine(signed, "Hash: SHA512\r\nHash: SHA256, SHA512\r\n"), []string{want}, nil},
		"words as a header":      {hashLine(signed, "Hash: SHA512\r\nComment: ACK PAR-2026-0007\r\n"), nil, nil},
		"words as a hash":        {hashLine(signed, "Hash: please pay (now)\r\n"), nil, nil},
		"no blank line":          {strings.Replace(signed, "\r\n\r\n", "\r\n", 1), nil, nil},
		"a dash not escaped":     {strings.Replace(signed, "Heap", "-Heap", 1), nil, nil},
		"quoted":                 {"> " + strings.ReplaceAll(signed, "\r\n", "\r\n> "), nil, nil},
		"no signature":           {strings.Split(signed, "-----BEGIN PGP SIGNATURE")[0], nil, nil},
		"another block below":    {strings.Replace(signed, "BEGIN PGP SIGNATURE", "BEGIN PGP MESSAGE", 1), nil, nil},
		"begun twice":            {"-----BEGIN PGP SIGNED MESSAGE-----\n\nACK\n" + signed, []string{want}, nil},
		"of a key not known":     {other, []string{"another"}, keyring.FaultUnknownKey},
	} {
		for shape, m := range map[string]string{"in clear": mail(textPart(c.text)), "encrypted": mail(pgpMIME(w.unsigned(textPart(c.text))))} {
			o := w.mustOpen(m)
			if o.WholeSigned || len(o.Signatures) != 0 || len(o.Documents) != len(c.datas) {
				t.Errorf("%s, %s: whole signed %v, %d documents", name, shape, o.WholeSigned, len(o.Documents))
				continue
			}
			for i, d := range o.Documents {
				if string(d.Data) != c.datas[i] || d.Encrypted || d.Attached || len(d.Signatures) != 1 || d.Signatures[0].Err != c.err {
					t.Errorf("%s, %s: %q %+v", name, shape, d.Data, d.Signatures)
				}
			}
		}
	}
}

func hashLine(signed, line string) string {
	i := strings.Index(signed, "Hash: ")
	j := strings.Index(signed[i:], "\r\n")
	return signed[:i] + line + signed[i+j+2:]
}

// The octets are what was signed, whatever charset they are in.
func TestS1_CleartextCharset(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signed := cleartextOf(t, w.finder, "M\xfcller")
	o := w.mustOpen(mail(part("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable", strings.ReplaceAll(strings.ReplaceAll(signed, "=", "=3D"), "\xfc", "=FC"))))
	if len(o.Documents) != 1 || string(o.Documents[0].Data) != "M\xfcller" || o.Documents[0].Charset != "iso-8859-1" || o.Documents[0].Signatures[0].Err != nil {
		t.Errorf("%+v", o.Documents)
	}
}

// Signed text and encrypted pieces keep the order in which they stand.
func TestP1_PiecesInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.mustOpen(mail(textPart(w.unsigned("one") + cleartextOf(t, w.finder, "two") + w.unsigned("three"))))
	var got []string
	for _, d := range o.Documents {
		got = append(got, string(d.Data))
	}
	if strings.Join(got, " ") != "one two three" || o.Encryption != pgpmime.Partly {
		t.Errorf("%q", got)
	}
}
