package pgpmime_test

import (
	"bytes"
	"context"
	"mime"
	"strings"
	"testing"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

const inlineText = "Subject: [PAR-2026-0007] 3/6 Details\r\n\r\nGrüße from the desk\r\n\r\n    attachment-1.pgp  poc.c\r\n"

func sealInline(t testing.TB, text string, files [][]byte, to *keyring.Certificate, by *keyring.Secret) string {
	t.Helper()
	m, err := pgpmime.SealInline([]byte(text), files, vendorOuter, []*keyring.Certificate{to}, by, noon)
	if err != nil {
		t.Fatal(err)
	}
	return string(m)
}

func TestSealInline(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	raw := sealInline(t, inlineText, nil, vendor.Certificate(), us)
	o := as(t, vendor, us.Certificate(), raw)
	if o.Encryption != pgpmime.Encrypted || !o.WholeSigned || len(o.Signatures) != 1 || o.Signatures[0].Err != nil || o.HasSubject {
		t.Errorf("%s, %+v, subject %q", o.Encryption, o.Signatures, o.Subject)
	}
	if text := textOf(t, o.Root); strings.TrimRight(text, " \n") != strings.TrimRight(strings.ReplaceAll(inlineText, "\r\n", "\n"), "\n") || len(text) == len(inlineText) {
		t.Errorf("text %q", text)
	}
	root, err := parse([]byte(raw))
	if err != nil || root.MediaType != "text/plain" || !is7bit(raw) || strings.Count(raw, "\n") != strings.Count(raw, "\r\n") {
		t.Errorf("%v, %s", err, root.MediaType)
	}
}

// Each file is a document of its own whose octets are those that went in, signed,
// and outside there is a name that tells nothing.
func TestSealInlineFiles(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	files := [][]byte{[]byte("int main;"), {}, bytes.Repeat([]byte{0, 1, 2, 0xff}, 50_000)}
	raw := sealInline(t, inlineText, files, vendor.Certificate(), us)
	root, err := parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if len(root.Children) != 4 || root.MediaType != "multipart/mixed" || !is7bit(raw) {
		t.Fatalf("%s with %d parts", root.MediaType, len(root.Children))
	}
	for i, c := range root.Children[1:] {
		_, params, err := mime.ParseMediaType(c.Header("Content-Type")[0])
		if name := pgpmime.InlineFile(i + 1); err != nil || c.Filename != name || params["name"] != name {
			t.Errorf("file %d is named %q, %q", i+1, c.Filename, params["name"])
		}
	}
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{vendor}, Parse: parse, Certificates: lookup(us.Certificate())}
	got, err := o.Open(context.Background(), root, noon)
	if err != nil || len(got.Documents) != 4 {
		t.Fatalf("%d documents, %v", len(got.Documents), err)
	}
	for i, d := range got.Documents {
		if len(d.Signatures) != 1 || d.Signatures[0].Err != nil || !d.Encrypted {
			t.Errorf("document %d: %+v", i, d.Signatures)
		}
		if i > 0 && !bytes.Equal(d.Data, files[i-1]) {
			t.Errorf("file %d has %d octets, want %d", i, len(d.Data), len(files[i-1]))
		}
	}
	for line := range strings.Lines(raw) {
		if len(line) > 80 {
			t.Errorf("a line of %d octets", len(line))
		}
	}
}

// V1, V3: a mail tells nothing but what its outer header does, and nothing links
// two of them.
func TestV3_InlineSaysNothing(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	raw := sealInline(t, inlineText, [][]byte{[]byte("poc.c")}, vendor.Certificate(), us)
	for _, word := range []string{"PAR-2026", "Details", "poc.c", "desk.", "\nVersion:", "Comment:", "parley", "utf-8''"} {
		if strings.Contains(raw, word) {
			t.Errorf("the mail holds %q", word)
		}
	}
	again := sealInline(t, inlineText, [][]byte{[]byte("poc.c")}, vendor.Certificate(), us)
	one, two := map[string]bool{}, 0
	for line := range strings.Lines(raw) {
		one[line] = len(line) > 30
	}
	for line := range strings.Lines(again) {
		if one[line] && !strings.Contains(line, ":") && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "-----") {
			two++
		}
	}
	if two > 0 {
		t.Errorf("two mails have %d lines in common", two)
	}
}

// V8: neither the text nor a file can be told from another of its size class,
// and the octets of a file are what they were.
func TestV8_InlineSizes(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	texts, files := map[int]int{}, map[int]int{}
	for n := range 160 {
		text := strings.Repeat("y", n*53%7800)
		root, err := parse([]byte(sealInline(t, text, [][]byte{[]byte(text)}, vendor.Certificate(), us)))
		if err != nil {
			t.Fatal(err)
		}
		armor, err := root.Children[0].Body()
		if err != nil {
			t.Fatal(err)
		}
		file, err := root.Children[1].Body()
		if err != nil {
			t.Fatal(err)
		}
		// The number in which a session key is sent may be an octet shorter.
		texts[len(binary(t, string(armor)))/64]++
		files[len(file)/64]++
	}
	if len(texts) != 2 || len(files) != 2 {
		t.Errorf("texts of %v and files of %v octets", texts, files)
	}
}

// V4, V5: what cannot be sealed is not sent some other way.
func TestV5_SealInlineRefuses(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	to := []*keyring.Certificate{vendor.Certificate()}
	gone := []*keyring.Certificate{vendor.Certificate(), revoke(t, secret(t, "x@example.org"))}
	for name, c := range map[string]struct {
		text  string
		outer pgpmime.Outer
		to    []*keyring.Certificate
		by    *keyring.Secret
	}{
		"nobody":           {"x\r\n", vendorOuter, nil, us},
		"unsigned":         {"x\r\n", vendorOuter, to, nil},
		"revoked":          {"x\r\n", vendorOuter, gone, us},
		"bare LF":          {"x\n", vendorOuter, to, us},
		"header injection": {"x\r\n", pgpmime.Outer{From: "a@b", Subject: "x\r\nBcc: c@d"}, to, us},
	} {
		if m, err := pgpmime.SealInline([]byte(c.text), [][]byte{{1}}, c.outer, c.to, c.by, noon); err == nil || m != nil {
			t.Errorf("%s: %d bytes, %v", name, len(m), err)
		}
	}
	for _, to := range [][]*keyring.Certificate{nil, gone} {
		if m, err := keyring.EncryptFile([]byte("x"), func(n int64) int64 { return n + 100 }, to, us, noon); err == nil || m != nil {
			t.Errorf("a file for %d recipients: %d bytes, %v", len(to), len(m), err)
		}
	}
	if m, err := keyring.EncryptFile([]byte("x"), func(n int64) int64 { return n + 100 }, to, nil, noon); err == nil || m != nil {
		t.Errorf("an unsigned file: %d bytes, %v", len(m), err)
	}
}
