package discover_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"parley/keyring"
	"parley/keyring/discover"
)

const (
	fileURL = "https://example.com/.well-known/security.txt"
	keyPath = "example.com/key.asc"
	goodTxt = "# who to write to\nContact: https://example.com/form\nContact: mailto:psirt@example.com\n" +
		"Expires: 2027-06-01T00:00:00Z\nEncryption: https://example.com/key.asc\nCanonical: " + fileURL + "\nPreferred-Languages: en"
)

func TestSecurityTxt(t *testing.T) {
	t.Parallel()
	psirt, ceo := newPerson(t, "psirt@example.com"), newPerson(t, "ceo@example.com")
	stranger := newPerson(t, "psirt@example.org")
	fpr := string(psirt.certificate().Fingerprint())
	edit := func(old, new string) string { return strings.Replace(goodTxt, old, new, 1) }
	for name, row := range map[string]struct {
		file []byte
		want error
		said string
	}{
		"signed by the key it names":       {signs(t, goodTxt, psirt), nil, ""},
		"without Canonical":                {signs(t, edit("Canonical: "+fileURL+"\n", ""), psirt), nil, ""},
		"several contacts in other case":   {signs(t, edit("mailto:psirt@example.com", "MailTo:PSIRT@Example.com?subject=x"), psirt), nil, ""},
		"key below the domain":             {signs(t, edit("https://example.com/key.asc", "https://keys.example.com/key.asc"), psirt), nil, ""},
		"two signatures":                   {signs(t, goodTxt, psirt, stranger), nil, ""},
		"dns beside":                       {signs(t, goodTxt+"\nEncryption: dns:x._openpgpkey.example.com?type=OPENPGPKEY", psirt), nil, "not looked for"},
		"another scheme beside":            {signs(t, goodTxt+"\nEncryption: ldap://example.com/x", psirt), nil, "not an address"},
		"foreign key beside":               {signs(t, goodTxt+"\nEncryption: https://example.org/key.asc", psirt), nil, "its host is not"},
		"http key beside":                  {signs(t, goodTxt+"\nEncryption: http://example.com/key.asc", psirt), nil, "not an address"},
		"unsigned":                         {[]byte(goodTxt), discover.NotSigned, ""},
		"unsigned around a signed comment": {append([]byte(goodTxt+"\n"), signs(t, "# nothing", psirt)...), discover.Malformed, ""},
		"signed by a stranger":             {signs(t, goodTxt, stranger), discover.Stranger, ""},
		"tampered":                         {bytes.Replace(signs(t, goodTxt, psirt), []byte("en\n"), []byte("de\n"), 1), discover.BadSignature, ""},
		"expired":                          {signs(t, edit("2027-06-01", "2026-12-01"), psirt), discover.Expired, ""},
		"no Expires":                       {signs(t, edit("Expires:", "Expired:"), psirt), discover.Malformed, ""},
		"two Expires":                      {signs(t, goodTxt+"\nExpires: 2028-06-01T00:00:00Z", psirt), discover.Malformed, ""},
		"unreadable Expires":               {signs(t, edit("2027-06-01T00:00:00Z", "June"), psirt), discover.Malformed, ""},
		"canonical elsewhere":              {signs(t, edit(fileURL, "https://www.example.com/.well-known/security.txt"), psirt), discover.NotCanonical, ""},
		"another contact":                  {signs(t, edit("psirt@example.com", "ciso@example.com"), psirt), discover.NoContact, ""},
		"no key":                           {signs(t, edit("Encryption:", "Encrypted:"), psirt), discover.NoEncryption, ""},
		"key of another address":           {signs(t, edit("key.asc", "ceo.asc"), psirt), discover.NoEncryption, "no user ID of it is"},
		"secret key":                       {signs(t, edit("key.asc", "secret.asc"), psirt), discover.SecretKey, ""},
		"no key there":                     {signs(t, edit("key.asc", "gone.asc"), psirt), discover.NoEncryption, "nothing is published there"},
		"fingerprint in the directory":     {signs(t, edit("https://example.com/key.asc", "openpgp4fpr:"+fpr), psirt), nil, ""},
		"fingerprint of nobody": {signs(t, edit("https://example.com/key.asc", "openpgp4fpr:"+string(ceo.certificate().Fingerprint())), psirt),
			discover.NoEncryption, "published nowhere"},
		"half a fingerprint": {signs(t, edit("https://example.com/key.asc", "openpgp4fpr:"+fpr[24:]), psirt), discover.NoEncryption, "not a whole fingerprint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.serve("example.com/.well-known/security.txt", row.file)
			s.serve(keyPath, psirt.bytes())
			s.serve("keys."+keyPath, psirt.bytes())
			s.serve("example.com/ceo.asc", ceo.bytes())
			s.serve("example.com/secret.asc", psirt.secret())
			s.serve("example.com/.well-known/openpgpkey/hu/"+wkdName(t, "psirt"), psirt.bytes())
			f, err := s.client("example.com", "keys.example.com", "example.org").
				SecurityTxt(context.Background(), fileURL, []string{"ceo@elsewhere.example", "psirt@example.com"}, nil, noon)
			if !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
				t.Fatalf("%v, want %v; said %q", err, row.want, f.Said)
			}
			if said := strings.Join(f.Said, "\n"); !strings.Contains(said, row.said) || row.said == "" && said != "" {
				t.Errorf("said %q", said)
			}
			if err != nil {
				return
			}
			if len(f.Keys) != 1 || f.Keys[0].Address != "psirt@example.com" || string(f.Keys[0].Certificate.Fingerprint()) != fpr {
				t.Errorf("found %+v", f.Keys)
			}
			if want := "security.txt at " + fileURL + ", signed by " + psirt.certificate().Fingerprint().Spaced(); f.Evidence != want {
				t.Errorf("evidence %q", f.Evidence)
			}
		})
	}
}

// wkdName is the file name of a local part, as a directory is asked for it.
func wkdName(t *testing.T, local string) string {
	t.Helper()
	s := newSite(t)
	if _, err := s.client("example.com").WKD(context.Background(), local+"@example.com", noon); !errors.Is(err, discover.NotFound) {
		t.Fatal(err)
	}
	path := s.asked[0].URL.Path
	return path[strings.LastIndexByte(path, '/')+1:]
}

// TestSecurityTxt_Signer: another key of the domain may sign, if it is known;
// one that only looks like it may not.
func TestSecurityTxt_Signer(t *testing.T) {
	t.Parallel()
	psirt, web, stranger := newPerson(t, "psirt@example.com"), newPerson(t, "web@example.com"), newPerson(t, "web@example.com.example.org")
	for name, row := range map[string]struct {
		signer *person
		known  []*keyring.Certificate
		want   error
	}{
		"known":                {web, []*keyring.Certificate{web.certificate()}, nil},
		"not known":            {web, nil, discover.Stranger},
		"of a like domain":     {stranger, []*keyring.Certificate{stranger.certificate()}, discover.Stranger},
		"named by fingerprint": {psirt, []*keyring.Certificate{psirt.certificate()}, nil},
	} {
		s := newSite(t)
		text := goodTxt
		if row.signer == psirt {
			text = strings.Replace(goodTxt, "https://example.com/key.asc", "openpgp4fpr:"+string(psirt.certificate().Fingerprint()), 1)
		}
		s.serve("example.com/.well-known/security.txt", signs(t, text, row.signer))
		if row.signer != psirt {
			s.serve(keyPath, psirt.bytes())
		}
		f, err := s.client("example.com").SecurityTxt(context.Background(), fileURL, []string{"psirt@example.com"}, row.known, noon)
		if !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !slices.Equal(fingerprints(f), []keyring.Fingerprint{psirt.certificate().Fingerprint()}) {
			t.Errorf("%s: found %s", name, fingerprints(f))
		}
	}
}

// TestCheckURL: where a party's security.txt may lie.
func TestCheckURL(t *testing.T) {
	t.Parallel()
	own := []string{"psirt@acme.example", "x@bücher.example"}
	for raw, want := range map[string]error{
		"https://acme.example/.well-known/security.txt":         nil,
		"https://www.acme.example/security.txt":                 nil,
		"https://ACME.example:443/security.txt":                 nil,
		"https://xn--bcher-kva.example/security.txt":            nil,
		"http://acme.example/.well-known/security.txt":          discover.BadURL,
		"https://acme.example:8443/security.txt":                discover.BadURL,
		"https://a:b@acme.example/security.txt":                 discover.BadURL,
		"https://acme.example/security.txt?x=1":                 discover.BadURL,
		"https://acme.example/security.txt#x":                   discover.BadURL,
		"https://acme.example":                                  discover.BadURL,
		"https://127.0.0.1/security.txt":                        discover.BadURL,
		"https://[::1]/security.txt":                            discover.BadURL,
		"https://localhost/security.txt":                        discover.BadURL,
		"file:///etc/passwd":                                    discover.BadURL,
		"security.txt":                                          discover.BadURL,
		"":                                                      discover.BadURL,
		"https://example/security.txt":                          discover.BadURL,
		"https://evil.example/security.txt":                     discover.OtherDomain,
		"https://pages.acme.example/security.txt":               discover.OtherDomain,
		"https://acme.example.evil.example/security.txt":        discover.OtherDomain,
		"https://notacme.example/security.txt":                  discover.OtherDomain,
		"https://acme.example@evil.example/security.txt":        discover.BadURL,
		"https://evil.example/acme.example/security.txt":        discover.OtherDomain,
		"https://www.www.acme.example/.well-known/security.txt": discover.OtherDomain,
	} {
		err := discover.CheckURL(raw, own)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%q: %v, want %v", raw, err, want)
		}
		if want != nil {
			if _, err := new(discover.Client).SecurityTxt(context.Background(), raw, own, nil, noon); !errors.Is(err, want) {
				t.Errorf("fetch %q: %v, want %v", raw, err, want)
			}
		}
	}
}
