package pgpmime_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

// TestInterop exchanges mail with GnuPG, Sequoia and RNP, both ways, in every
// form, for each kind of key on their side and on ours.
func TestInterop(t *testing.T) {
	t.Parallel()
	for name, person := range programs {
		for _, kind := range kinds {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				them := person(t, kind)
				for mine, secret := range ours {
					us, err := secret()
					if err != nil {
						t.Fatal(err)
					}
					x := &exchange{T: t, us: us, them: them, mine: string(mine)}
					x.toUs()
					x.signedToUs()
					x.sealFromUs()
					x.inlineFromUs()
					x.clearFromUs()
				}
			})
		}
	}
}

// exchange is mail between the gateway and somebody with another program.
type exchange struct {
	*testing.T
	us   *keyring.Secret
	mine string // its kind
	them program
}

const report = "Grüße: the report is below.\r\n\r\nHeap overflow.\r\n"

// anyBytes are what is in a file that is no text.
func anyBytes(n int) []byte {
	r := rand.NewChaCha8([32]byte{7})
	b := make([]byte, n)
	r.Read(b)
	return b
}

// opened opens a mail from them to us.
func (x *exchange) opened(raw string) (*pgpmime.Opened, error) {
	x.Helper()
	root, err := parse([]byte(raw))
	if err != nil {
		x.Fatal(err)
	}
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{x.us}, Parse: parse, Certificates: lookup(x.them.certificate())}
	return o.Open(context.Background(), root, time.Now())
}

func (x *exchange) mustOpen(shape, raw string) *pgpmime.Opened {
	x.Helper()
	o, err := x.opened(raw)
	if err != nil {
		x.Fatalf("%s: %s: %v (%s)", x.mine, shape, err, pgpmime.Reason(err))
	}
	return o
}

// theirs wants exactly one signature, good and theirs.
func (x *exchange) theirs(shape string, sigs []pgpmime.Signature) {
	x.Helper()
	if len(sigs) != 1 || sigs[0].Err != nil || sigs[0].Signer != x.them.certificate().Fingerprint() {
		x.Errorf("%s: %s: signatures %+v", x.mine, shape, sigs)
	}
}

// toUs lets them send in each form: PGP/MIME, the body, a block among other
// text, and attached files.
func (x *exchange) toUs() {
	to := []*keyring.Certificate{x.us.Certificate()}
	o := x.mustOpen("PGP/MIME", mail(pgpMIME(crlf(string(x.them.seal([]byte(inner), to))))))
	x.theirs("PGP/MIME", o.Signatures)
	if !o.WholeSigned || string(o.Payload) != inner || o.Subject != "inner" {
		x.Errorf("PGP/MIME: %q, subject %q", o.Payload, o.Subject)
	}
	armor := crlf(string(x.them.seal([]byte(report), to)))
	o = x.mustOpen("inline", mail(textPart(armor)))
	x.theirs("inline", o.Signatures)
	if !o.WholeSigned || textOf(x, o.Root) != strings.ReplaceAll(report, "\r\n", "\n") {
		x.Errorf("inline: %q", textOf(x, o.Root))
	}
	o = x.mustOpen("inside text", mail(textPart("Hello,\r\n\r\n"+armor+"\r\n-- \r\na footer\r\n")))
	if len(o.Documents) != 1 || string(o.Documents[0].Data) != report {
		x.Fatalf("inside text: %d documents", len(o.Documents))
	}
	x.theirs("inside text", o.Documents[0].Signatures)
	x.filesToUs(to)
}

func (x *exchange) filesToUs(to []*keyring.Certificate) {
	file := anyBytes(5000)
	armor := crlf(string(x.them.seal(file, to)))
	attached := func(name, body string) string {
		return part("Content-Type: application/octet-stream\nContent-Disposition: attachment; filename="+name+"\nContent-Transfer-Encoding: base64", b64([]byte(body)))
	}
	bin := string(binary(x, armor))
	o := x.mustOpen("attached", mail(multipart("mixed", textPart("see the files"),
		attached("poc.bin.asc", armor), attached("poc.bin.gpg", bin), attached("poc.bin.pgp", bin))))
	if len(o.Documents) != 3 || o.Encryption != pgpmime.Partly {
		x.Fatalf("attached: %d documents", len(o.Documents))
	}
	for _, d := range o.Documents {
		if x.theirs("attached", d.Signatures); !bytes.Equal(d.Data, file) || d.Name != "poc.bin" {
			x.Errorf("attached: %s with %d octets", d.Name, len(d.Data))
		}
	}
}

// signedToUs lets them send a multipart/signed, in clear and encrypted.
func (x *exchange) signedToUs() {
	entity := textPart("signed by hand")
	signed := multipart("signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\"", entity,
		part("Content-Type: application/pgp-signature; name=signature.asc", crlf(string(x.them.sign([]byte(entity))))))
	o := x.mustOpen("multipart/signed", mail(signed))
	x.theirs("multipart/signed", o.Signatures)
	if !o.WholeSigned || o.Encryption != pgpmime.NotEncrypted {
		x.Errorf("multipart/signed: %s, %v", o.Encryption, o.WholeSigned)
	}
	o = x.mustOpen("changed", mail(strings.Replace(signed, "by hand", "by Hand", 1)))
	if len(o.Signatures) != 1 || o.Signatures[0].Err == nil {
		x.Errorf("multipart/signed, changed: %+v", o.Signatures)
	}
}

// padded wants a text and behind it nothing but padding.
func (x *exchange) padded(form string, got []byte, want string) {
	x.Helper()
	if rest, ok := bytes.CutPrefix(got, []byte(want)); !ok || strings.Trim(string(rest), " \r\n") != "" || len(got)%4096 != 0 {
		x.Errorf("%s: %s: they read %d octets: %.200q", x.mine, form, len(got), got)
	}
}

// sealFromUs sends PGP/MIME, to their key alone and to another's beside it.
func (x *exchange) sealFromUs() {
	entity := "Subject: inner\r\n" + multipart("mixed; protected-headers=v1; hp=cipher", textPart(report), textPart("more"))
	theirs := x.them.certificate()
	second, err := generate(keyring.Ed25519)
	if err != nil {
		x.Fatal(err)
	}
	for _, to := range [][]*keyring.Certificate{{theirs}, {second.Certificate(), theirs}} {
		raw, err := pgpmime.Seal([]byte(entity), vendorOuter, to, x.us, time.Now())
		if err != nil {
			x.Fatal(err)
		}
		body := x.bodyOf(raw, 1)
		x.padded("PGP/MIME", x.them.open(body, x.us.Certificate()), entity)
		if n := sessionKeys(binary(x, string(body))); n != len(to) {
			x.Errorf("PGP/MIME: encrypted to %d keys, want %d", n, len(to))
		}
	}
}

// bodyOf is the content of the nth part of a mail of ours.
func (x *exchange) bodyOf(raw []byte, n int) []byte {
	x.Helper()
	root, err := parse(raw)
	if err != nil {
		x.Fatal(err)
	}
	body, err := root.Children[n].Body()
	if err != nil {
		x.Fatal(err)
	}
	return body
}

// sessionKeys counts the packets of type 1 at the start, with headers of the new
// format.
func sessionKeys(m []byte) (n int) {
	for len(m) > 2 && m[0] == 0xc1 {
		size := int(m[1]) + 2
		if m[1] >= 192 {
			size = int(m[1]-192)<<8 + int(m[2]) + 192 + 3
		}
		m, n = m[size:], n+1
	}
	return n
}

// inlineFromUs sends armor in the body and files, one of them with every octet
// that a text would change.
func (x *exchange) inlineFromUs() {
	files := [][]byte{anyBytes(70_000), []byte("int main;\n"), {}}
	raw, err := pgpmime.SealInline([]byte(report), files, vendorOuter, []*keyring.Certificate{x.them.certificate()}, x.us, time.Now())
	if err != nil {
		x.Fatal(err)
	}
	x.padded("inline", x.them.open(x.bodyOf(raw, 0), x.us.Certificate()), report)
	for i, f := range files {
		if got := x.them.open(x.bodyOf(raw, i+1), x.us.Certificate()); !bytes.Equal(got, f) {
			x.Errorf("file %d: they read %d octets of %d", i+1, len(got), len(f))
		}
	}
}

func (x *exchange) clearFromUs() {
	raw, err := pgpmime.SignClear([]byte("Content-Type: text/plain\r\n\r\nOur key is attached.\r\n"), vendorOuter, x.us, time.Now())
	if err != nil {
		x.Fatal(err)
	}
	root, err := parse(raw)
	if err != nil {
		x.Fatal(err)
	}
	x.them.verify(root.Children[0].Raw, x.bodyOf(raw, 1), x.us.Certificate())
}
