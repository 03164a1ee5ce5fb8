package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// FuzzVendorsCSV reads a file of vendors as any program may write it. A row that is
// taken names a party and one address, no party twice; what does not fit is refused
// with a line; and each order made of it is one line of the desk's language.
func FuzzVendorsCSV(f *testing.F) {
	for _, s := range []string{
		"", "acme,psirt@acme.example\n", "acme,psirt@acme.example,2,40M,acme.asc\n# comment\nglobex,<a@globex.example>\n", "name,address,wave,lead,proved,proved on\nacme,a@acme.example,1,7d,by phone,2026-12-03\n",
		"\ufeffName;Address\n", "NAME , address\nacme, a@acme.example\n", "name,name\n", "name\nacme\n", "name,address,nonsense\n", "acme,a@acme.example\nACME,b@acme.example\n", "acme,\"a@acme.example\nBcc: x@y.example\"\n",
		"name,address,members,senders,freeze,revoked\nacme,a@acme.example,b@acme.example c@acme.example,\"d@acme.example,e@acme.example\",12-24..01-02,2026-01-02\n", "acme,\"a\"\"b@acme.example\n", "acme,\"\"\"a b\"\"@acme.example\"\n",
		"finder,a@acme.example\n", "acme,a@acme.example,0\n", "acme,a@acme.example,1,-1\n", "\xff,\xfe\n", "a,b@c,d,e,f,g\n", "name,address,zone,footprint\nacme,a@acme.example,Europe/Berlin,12%\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := readVendors(data)
		if err != nil {
			if rows != nil || !strings.Contains(err.Error(), "nothing was imported") && !strings.Contains(err.Error(), "are wanted") {
				t.Fatalf("%d rows beside %q", len(rows), err)
			}
			return
		}
		seen := map[cvd.PartyID]bool{}
		for _, row := range rows {
			id, err := cvd.ParsePartyID(row.name())
			list, err2 := message.ParseAddressList(row.cells[columnAddress])
			if err != nil || err2 != nil || len(list) != 1 || seen[id] {
				t.Fatalf("line %d names %q, %q: %v, %v, seen %v", row.line, row.name(), row.cells[columnAddress], err, err2, seen[id])
			}
			seen[id] = true
			for c, v := range row.cells {
				if !slices.Contains(vendorColumns, c) || v == "" || strings.TrimSpace(v) != v {
					t.Errorf("column %q holds %q", c, v)
				}
			}
		}
		for _, o := range vendorOrders(rows, "PAR-2026-0001") {
			if strings.ContainsAny(o.line, "\r\n") {
				t.Errorf("an order of two lines: %q", o.line)
			}
		}
	})
}

// FuzzSecret reads what names a secret, and secrets. Nothing but a whole key opens a
// store as a key, and no sentence repeats one.
func FuzzSecret(f *testing.F) {
	key := newUnlockText()
	for _, s := range []string{"", "prompt:", "prompt:x", "file:", "file:unlock", "credential:x", "credential:../x", "env:X", "key:x", key, strings.ToLower(key), key[:len(key)-1], key + "A", unlockPrefix, " " + key + "\n", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCredential(s, func(p string) string { return p })
		if err == nil {
			again, err := parseCredential(c.String(), func(p string) string { return p })
			if err != nil || again != c || c.String() != s || c.kind == fromSystemd && strings.Contains(c.value, "/") {
				t.Errorf("%q is %v, and that is %v, %v", s, c, again, err)
			}
		}
		_, err = parseUnlock([]byte(s))
		text := strings.ToUpper(strings.TrimSpace(s))
		rest, isKey := strings.CutPrefix(text, unlockPrefix)
		raw, bad := unlockText.DecodeString(rest)
		if whole := bad == nil && len(raw) == 32; isKey && whole != (err == nil) || !isKey && err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if err != nil && len(rest) > 8 && strings.Contains(err.Error(), rest) {
			t.Errorf("the sentence says the secret: %v", err)
		}
		if n, err := parseSize(s); err == nil && n < 0 {
			t.Errorf("%q is the size %d", s, n)
		}
		if all, err := parseRecipients([]string{s}); err == nil && len(all) != 1 {
			t.Errorf("%q is %d recipients", s, len(all))
		}
	})
}

// FuzzPassedNames reads the variables of socket activation: names of our ports, each
// once, or a sentence; and nothing of what is meant for another process.
func FuzzPassedNames(f *testing.F) {
	for _, s := range [][3]string{{"1", "7", "smtp"}, {"2", "7", "smtp:imap"}, {"2", "7", "smtp"}, {"2", "7", "smtp:smtp"}, {"-1", "7", ""}, {"99999999999999999999", "7", "smtp"}, {"1000000000", "7", "smtp"}, {"", "", ""}, {"1", "8", "smtp"}, {"0", "7", ""}, {"+1", "07", "smtp:"}} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, fds, pid, names string) {
		got, err := passedNames(fds, pid, names, 7)
		if got != nil && (err != nil || pid != "7" || len(got) > len(portNames)) || err != nil && pid != "7" {
			t.Errorf("%q, %q, %q: %q, %v", fds, pid, names, got, err)
		}
		for i, name := range got {
			if !slices.Contains(portNames[:], name) || slices.Contains(got[:i], name) || !strings.HasPrefix(names+":", strings.Join(got, ":")+":") {
				t.Errorf("%q gives %q", names, got)
			}
		}
	})
}

// archived makes a tar archive of names and contents.
func archived(files ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: files[i], Size: int64(len(files[i+1])), Mode: 0o600, Format: tar.FormatPAX})
		_, _ = w.Write([]byte(files[i+1]))
	}
	_ = w.Close()
	return b.Bytes()
}

// FuzzArchive unpacks any bytes as what a backup held. It ends with a sentence or a
// directory whose files all lie below it, plain and closed to others; no
// configuration has its own name, no credential comes with it, and what fails can be
// taken back whole.
func FuzzArchive(f *testing.F) {
	head := `{"format":1,"version":"x","serial":1}`
	keys := strings.Repeat("k", 96)
	for _, a := range [][]byte{
		nil, []byte("no tar"), archived(), archived(archiveHead, head), archived("config/parley.toml", "state_dir = \"/etc\"\nunlock = \"env:X\"\n[smtp]\nstate_dir = 1\n", "state/keys", keys, "state/parley.db", "db", archiveHead, head),
		archived("config/../x", "x"), archived("/etc/x", "x"), archived("config/a/../../x", "x"), archived("config/unlock", "x"), archived("config/state/x", "x"), archived("config//x", "x"), archived("state/../x", "x"), archived("config/a", "1", "config/a/b", "2"),
		archived("config/a", "1", "config/a", "2"), archived(archiveHead, `{"format":2}`), archived(archiveHead, "null"), archived("state/blobs/0000000000000001", "x", "state/blobs/1", "y"), archived("config/"+strings.Repeat("a/", 60)+"b", "x"), archived("config/"+strings.Repeat("n", 300), "x"),
	} {
		f.Add(a)
	}
	root := f.TempDir()
	u := store.UnlockKey(bytes.Repeat([]byte{7}, 32))
	f.Fuzz(func(t *testing.T, plain []byte) {
		above := filepath.Join(root, "above")
		dir := filepath.Join(above, "gateway")
		if err := errors.Join(os.RemoveAll(above), os.Mkdir(above, 0o700)); err != nil {
			t.Fatal(err)
		}
		m := &maker{}
		if err := m.emptyDir(dir); err != nil {
			t.Fatal(err)
		}
		head, err := m.unpack(bytes.NewReader(plain), dir, u)
		checkUnpacked(t, above, dir, plain)
		if err == nil && head.Format != archiveFormat {
			t.Errorf("a head %+v is taken", head)
		}
		if err == nil {
			return
		}
		if err := m.undo(); err != nil {
			t.Errorf("%q cannot be taken back: %v", plain, err)
		}
		if left, _ := os.ReadDir(above); len(left) > 0 {
			t.Errorf("%q leaves %v behind", plain, left)
		}
	})
}

func checkUnpacked(t *testing.T, above, dir string, plain []byte) {
	t.Helper()
	err := filepath.WalkDir(above, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == above {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if path != dir && !strings.HasPrefix(path, dir+"/") || info.Mode().Perm()&0o077 != 0 || !d.IsDir() && !info.Mode().IsRegular() {
			t.Errorf("%q makes %s, %v", plain, path, info.Mode())
		}
		if name := d.Name(); filepath.Dir(path) == dir && (name == configName || name == "unlock") {
			t.Errorf("%q makes %s", plain, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var tableLine = regexp.MustCompile(`(?m)^[ \t]*\[`)

// FuzzPlaced puts a configuration where a backup is restored: the lines below its
// first table stay as they are, and no line above it names another store.
func FuzzPlaced(f *testing.F) {
	for _, s := range []string{"", "state_dir = \"/x\"\nunlock = \"env:X\"\n", "  state_dir=\"a\"\n[t]\nstate_dir = 2\n", "[t]\nunlock = 1", "domain = \"x\"\r\nstate_dir = 'x'\r\n", "state_dir = \"\"\"\nx\"\"\"\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := string(placed([]byte(s)))
		at := len(s)
		if i := tableLine.FindStringIndex(s); i != nil {
			at = i[0]
		}
		top, ok := strings.CutSuffix(got, s[at:])
		if !ok || utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Fatalf("%q is placed as %q", s, got)
		}
		for line := range strings.Lines(top) {
			line = strings.TrimSuffix(line, "\n")
			if stateLine.MatchString(line) && line != `state_dir = "state"` || unlockLine.MatchString(line) && line != `unlock = "file:unlock"` {
				t.Errorf("%q keeps %q", s, line)
			}
		}
		if again := string(placed([]byte(got))); again != got {
			t.Errorf("%q is placed as %q, and that as %q", s, got, again)
		}
	})
}

// FuzzPEM reads a certificate and its key as the files of them may be: an error, or
// both, whole.
func FuzzPEM(f *testing.F) {
	for _, s := range []string{"", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", "-----BEGIN X\n"} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert, key, err := selfSigned(&settings{Domain: "vdp.example.org", DeskDomain: "desk.example.org"}, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cert)
	f.Add(slices.Concat(cert, key))
	f.Add(slices.Concat(key, cert, cert[:len(cert)/2]))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := errors.Join(os.WriteFile(certFile, data, 0o600), os.WriteFile(keyFile, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		a := &app{set: &settings{CertFile: certFile, KeyFile: keyFile}}
		all, err := a.chain()
		if (err == nil) != (len(all) > 0) {
			t.Errorf("%d certificates beside %v", len(all), err)
		}
		for _, c := range all {
			if len(c.Raw) == 0 {
				t.Error("a certificate is empty")
			}
		}
		files, err := a.set.tls()
		if got := files.now.Load(); (err == nil) != (got != nil) || got != nil && (len(got.Certificate) == 0 || got.PrivateKey == nil) {
			t.Errorf("%+v beside %v", got, err)
		}
	})
}
