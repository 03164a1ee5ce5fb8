package pgpmime_test

import (
	"context"
	"strings"
	"testing"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

// FuzzOpen hands arbitrary mail to Open, as it came and as the payload of an
// encrypted mail.
func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	f.Add(mail(pgpMIME(w.sealed(inner))))
	f.Add(mail(textPart("Hello\n" + w.sealed("secret"))))
	f.Add(mail(w.clearSigned(textPart("signed"))))
	f.Add(multipart("mixed", textPart("x"), part("Content-Type: application/pgp-keys", armored(f, keyring.ArmorPublicKey, w.finder.Certificate().Bytes()))))
	f.Add(multipart("encrypted", "", ""))
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{w.us}, Parse: parse, Certificates: lookup(w.known...)}
	f.Fuzz(func(t *testing.T, raw string) {
		w := *w
		w.t = t
		mails := []string{raw}
		if len(raw) < 4000 {
			mails = append(mails, mail(pgpMIME(w.unsigned(raw))))
		}
		for _, m := range mails {
			root, err := parse([]byte(m))
			if err != nil {
				continue
			}
			got, err := o.Open(context.Background(), root, noon)
			if err != nil {
				continue
			}
			if (got.Payload != nil) != (got.Encryption == pgpmime.Encrypted) || got.Root == nil {
				t.Fatalf("encryption %s, payload %q", got.Encryption, got.Payload)
			}
			pgpmime.Judge(got, pgpmime.Claim{}, noon)
		}
	})
}

// FuzzSeal: whatever is sealed comes out again, padded to a size class, with its
// text unchanged.
func FuzzSeal(f *testing.F) {
	us, vendor := secret(f, "us@vdp.example.org"), secret(f, "psirt@acme.example")
	f.Add("Subject: x\r\n\r\ntext\r\n")
	f.Add("Content-Type: text/plain; charset=\"utf-8\"; hp=cipher\r\n\r\n")
	f.Add(multipart("mixed", textPart("a"), textPart("b")))
	f.Fuzz(func(t *testing.T, entity string) {
		m, err := pgpmime.Seal([]byte(entity), vendorOuter, []*keyring.Certificate{vendor.Certificate()}, us, noon)
		if err != nil {
			return
		}
		o := as(t, vendor, us.Certificate(), string(m))
		_, body, _ := strings.Cut("\r\n"+entity, "\r\n\r\n")
		if len(o.Payload)%4096 != 0 || !strings.Contains(string(o.Payload), body) || !o.WholeSigned || o.Signatures[0].Err != nil {
			t.Fatalf("%d bytes, %+v", len(o.Payload), o.Signatures)
		}
	})
}
