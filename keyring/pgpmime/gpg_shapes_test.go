package pgpmime_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

// What GnuPG makes besides PGP/MIME: signed text, detached signatures, hidden and
// several recipients, comments in the armor, text it compressed or did not.
func TestGPG_Shapes(t *testing.T) {
	t.Parallel()
	g := newGPG(t, "ed25519")
	person := g.own
	us, err := keyring.Generate("", "report@vdp.example.org", keyring.Ed25519, time.Now().Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	armor, err := us.Certificate().Armor()
	if err != nil {
		t.Fatal(err)
	}
	g.gpg(armor, "--import")
	const text = "Heap overflow  \n- in parse\n-- \nFrom \u00fc to -----END\n\n"
	signed := func(args ...string) string {
		out, _ := g.gpg([]byte(text), append(args, "--local-user", "person@example.net")...)
		return crlf(string(out))
	}
	open := func(m string) *pgpmime.Opened {
		root, err := parse([]byte(mail(m)))
		if err != nil {
			t.Fatal(err)
		}
		o := &pgpmime.Opener{Secrets: []*keyring.Secret{us}, Parse: parse, Certificates: lookup(person)}
		got, err := o.Open(t.Context(), root, time.Now())
		if err != nil {
			t.Fatalf("%v (%s)\n%s", err, pgpmime.Reason(err), m)
		}
		return got
	}
	good := func(name string, sigs []pgpmime.Signature) {
		if len(sigs) != 1 || sigs[0].Err != nil || sigs[0].Signer != person.Fingerprint() {
			t.Errorf("%s: %+v", name, sigs)
		}
	}
	for name, args := range map[string][]string{
		"as it is": {"--clearsign"}, "with a comment": {"--comment", "hello", "--emit-version", "--clearsign"}, "SHA-256": {"--digest-algo", "SHA256", "--clearsign"},
	} {
		o := open(textPart("above\n" + signed(args...) + "below\n" + signed(args...)))
		if len(o.Documents) != 2 {
			t.Errorf("signed text, %s: %d documents", name, len(o.Documents))
			continue
		}
		for _, d := range o.Documents {
			good("signed text, "+name, d.Signatures)
			if got := string(d.Data); !strings.HasPrefix(got, "Heap overflow\r\n- in parse\r\n--\r\nFrom \u00fc to -----END") {
				t.Errorf("signed text, %s: %q", name, got)
			}
		}
	}
	for name, args := range map[string][]string{"armored": {"--armor", "--detach-sign"}, "as text": {"--armor", "--textmode", "--detach-sign"}} {
		o := open(multipart("mixed", textPart("x"), part("Content-Type: text/plain; name=poc.txt\nContent-Disposition: attachment; filename=poc.txt\nContent-Transfer-Encoding: base64", b64([]byte(text))),
			file("poc.txt.asc", "application/pgp-signature", signed(args...))))
		if len(o.Documents) != 1 || !o.Documents[0].Attached {
			t.Errorf("detached, %s: %+v", name, o.Documents)
			continue
		}
		good("detached, "+name, o.Documents[0].Signatures)
	}
	o := open(textPart("see:\n" + signed("--armor", "--sign")))
	if len(o.Documents) != 1 || o.Documents[0].Encrypted || o.Encryption != pgpmime.NotEncrypted {
		t.Fatalf("signed only: %+v", o.Documents)
	}
	good("signed only", o.Documents[0].Signatures)
	for name, args := range map[string][]string{
		"hidden":         {"--hidden-recipient", "report@vdp.example.org"},
		"throw-keyids":   {"--throw-keyids", "--recipient", "report@vdp.example.org", "--recipient", "person@example.net"},
		"two, and us":    {"--recipient", "person@example.net", "--recipient", "report@vdp.example.org"},
		"not compressed": {"--compress-algo", "none", "--recipient", "report@vdp.example.org"},
		"bzip2":          {"--compress-algo", "bzip2", "--recipient", "report@vdp.example.org"},
		"with comments":  {"--comment", "a: b", "--emit-version", "--recipient", "report@vdp.example.org"},
	} {
		o := open(textPart(signed(append(args, "--armor", "--sign", "--encrypt")...)))
		if o.Encryption != pgpmime.Encrypted || textOf(t, o.Root) != text {
			t.Errorf("%s: %s %q", name, o.Encryption, textOf(t, o.Root))
		}
		good(name, o.Signatures)
	}
	big := filepath.Join(g.dir, "big") // long enough to be written in partial pieces
	if err := os.WriteFile(big, []byte(strings.Repeat(text, 20000)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := g.gpg(nil, "--local-user", "person@example.net", "--recipient", "report@vdp.example.org", "--compress-algo", "none", "--sign", "--encrypt", "--output", "-", big)
	o = open(multipart("mixed", textPart("x"), part("Content-Type: application/octet-stream; name=big.txt.gpg\nContent-Transfer-Encoding: base64", b64(out))))
	if len(o.Documents) != 1 || len(o.Documents[0].Data) != 20000*len(text) || o.Documents[0].Name != "big.txt" {
		t.Fatalf("partial pieces: %d documents", len(o.Documents))
	}
	good("partial pieces", o.Documents[0].Signatures)
}
