package pgpmime_test

import (
	"strings"
	"testing"

	"parley/keyring/pgpmime"
)

// Text signed in clear by each program, for each kind of key, twice in one mail
// and with text around it that nobody signed.
func TestInteropClearSigned(t *testing.T) {
	t.Parallel()
	const text = "Heap overflow  \n- in parse\n-- \nFrom \u00fc to -----END\n\n"
	for name, person := range programs {
		for _, kind := range kinds {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				x := newExchange(t, person(t, kind))
				block := crlf(string(x.them.clearSign([]byte(text))))
				o := x.mustOpen("signed in clear", mail(textPart("above\n"+block+"below\n"+block)))
				if len(o.Documents) != 2 || o.WholeSigned || o.Encryption != pgpmime.NotEncrypted {
					t.Fatalf("%d documents", len(o.Documents))
				}
				for _, d := range o.Documents {
					x.theirs("signed in clear", d.Signatures)
					if !strings.HasPrefix(string(d.Data), "Heap overflow\r\n- in parse\r\n--\r\nFrom \u00fc to -----END") {
						t.Errorf("%q", d.Data)
					}
				}
				o = x.mustOpen("changed", mail(textPart(strings.Replace(block, "in parse", "in Parse", 1))))
				for _, s := range append(o.Signatures, o.Documents[0].Signatures...) {
					if s.Err == nil {
						t.Errorf("changed, and still good: %+v", s)
					}
				}
			})
		}
	}
}

// Files that are only signed, and signatures that lie beside a file.
func TestInteropSignedFiles(t *testing.T) {
	t.Parallel()
	poc := anyBytes(3000)
	for name, person := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newExchange(t, person(t, "p256"))
			attached := part("Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=poc.bin\nContent-Transfer-Encoding: base64", b64(poc))
			o := x.mustOpen("detached", mail(multipart("mixed", textPart("x"), attached, file("poc.bin.asc", "application/pgp-signature", crlf(string(x.them.sign(poc)))))))
			if len(o.Documents) != 1 || !o.Documents[0].Attached {
				t.Fatalf("detached: %+v", o.Documents)
			}
			x.theirs("detached", o.Documents[0].Signatures)
			g, ok := x.them.(*gpg)
			if !ok {
				return
			}
			out, _ := g.gpg(poc, "--armor", "--sign", "--comment", "a: b", "-u", string(g.own.Fingerprint()))
			o = x.mustOpen("signed only", mail(textPart("see:\n"+crlf(string(out)))))
			if len(o.Documents) != 1 || o.Documents[0].Encrypted || o.Encryption != pgpmime.NotEncrypted {
				t.Fatalf("signed only: %+v", o.Documents)
			}
			x.theirs("signed only", o.Documents[0].Signatures)
		})
	}
}
