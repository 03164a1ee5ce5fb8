package mailflow

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/ProtonMail/go-crypto/openpgp"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// unzipped gives the files of an archive.
func unzipped(t *testing.T, data []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(text)
	}
	return out
}

// An export holds all that is known of a case, and only its recipient can open
// it: a coordinator with an own key, or whoever holds an age identity.
func TestH4_Export(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.coordinator("ana")
	id := w.started("acme", "globex")
	w.answers("acme", id, true, "ACCEPT PAR-2026-0001 v1\nWe look into it.\n")
	w.after(3 * cvd.Day)
	w.in(id, `answer-all details "an answer for all"`, "case assign ana")
	identity, err := age.GenerateX25519Identity()
	w.must(err)
	dir := t.TempDir()
	files := map[string]map[string]string{}
	for name, to := range map[string]string{"a.pgp": "", "b.pgp": " to ANA", "c.age": " to " + identity.Recipient().String()} {
		path := filepath.Join(dir, name)
		if got := w.in(id, "export case "+path+to); !strings.Contains(got, "is written to "+path) {
			t.Fatalf("%s", got)
		}
		info, err := os.Stat(path)
		w.must(err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		sealed, err := os.ReadFile(path)
		w.must(err)
		if bytes.Contains(sealed, []byte("status.txt")) || bytes.Contains(sealed, []byte("PAR-2026")) {
			t.Errorf("%s is readable", name)
		}
		var plain []byte
		if filepath.Ext(name) == ".age" {
			r, err := age.Decrypt(bytes.NewReader(sealed), identity)
			w.must(err)
			plain, err = io.ReadAll(r)
			w.must(err)
		} else {
			md, err := openpgp.ReadMessage(bytes.NewReader(sealed), openpgp.EntityList{ana.Entity}, nil, nil)
			w.must(err)
			plain, err = io.ReadAll(md.UnverifiedBody)
			w.must(err)
		}
		files[name] = unzipped(t, plain)
	}
	for name, got := range files {
		for file, want := range map[string]string{
			"README.txt": "PAR-2026-0001 Heap overflow", "status.txt": "acme  vendor  wave 1  told details", "plan.txt": "acme  2/4 scope",
			"history.txt": "command.accept", "case.json": `"Title": "Heap overflow"`, "participants.json": `"Party": "globex"`, "notices.json": `"Kind": "stage"`,
			"material/details-v1.txt": canary(cvd.Details), "answers/details.txt": "an answer for all", "threads/Vendor acme.mbox": "We look into it.",
		} {
			if !strings.Contains(got[file], want) {
				t.Errorf("%s: %s lacks %q:\n%.300s", name, file, want, got[file])
			}
		}
		raw := 0
		for file, text := range got {
			if strings.HasPrefix(file, "received/Vendor acme-") && strings.Contains(text, "BEGIN PGP MESSAGE") {
				raw++
			}
		}
		if raw != 1 {
			t.Errorf("%s: %d mails as they arrived", name, raw)
		}
		if token := w.who(id, "acme").Token; strings.Contains(got["participants.json"], token) {
			t.Errorf("%s tells the address of acme's thread", name)
		}
	}
	if n := w.journalled("case.exported"); n != 3 {
		t.Errorf("%d exports are journalled", n)
	}
}

// What no export is made of: a mail, no recipient, a file that is there, other
// lines; and then nothing is written.
func TestExport_Refused(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "case.pgp")
	r.must(os.WriteFile(filepath.Join(dir, "there"), []byte("x"), 0o600))
	const tag = "case PAR-2026-0001"
	identity, err := age.GenerateX25519Identity()
	r.must(err)
	to := " to " + identity.Recipient().String()
	for _, row := range []struct {
		by    Actor
		lines []string
		why   string
	}{
		{asAnaSigns, []string{tag, "export case " + path}, "a mail writes no files on the server; ask the operator"},
		{asOperator, []string{tag, "export case " + path}, "nothing of a case lies in clear on a disk"},
		{asOperator, []string{tag, "export case " + path + " to ana"}, "no key of ana that can be encrypted to is on file"},
		{asOperator, []string{tag, "export case " + path + " to bem"}, "did you mean ben?"},
		{asOperator, []string{tag, "export case " + path + " to age1xyz"}, "is no age recipient"},
		{asOperator, []string{tag, "export case case.pgp" + to}, "give the whole path"},
		{asOperator, []string{tag, "export case " + filepath.Join(dir, "there") + to}, "is there already"},
		{asOperator, []string{tag, "export case " + filepath.Join(dir, "no", "x") + to}, "there is no folder"},
		{asOperator, []string{tag, "hold acme", "export case " + path + to}, "an export stands by itself"},
		{asOperator, []string{tag, "export case " + path + to, "export case " + path + "2" + to}, "an export stands by itself"},
		{asOperator, []string{"export case " + path + to}, "no case is named"},
	} {
		r.refused(row.by, row.why, row.lines...)
	}
	r.say(asOperator, "dry-run", tag, "export case "+path+to)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// An archive that cannot be finished leaves no file, and the answer says so.
func TestExport_Fails(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	r.update(func(tx *store.Tx) error { // whose bytes are lost
		c, err := CaseByID(tx, "PAR-2026-0001")
		if err != nil {
			return err
		}
		m, _, _, err := r.post(tx, Post{Folder: "Notes", Case: c.ID, Subject: "s", Text: "t\n"})
		if err != nil {
			return err
		}
		return tx.Forget(m.Served)
	})
	identity, err := age.GenerateX25519Identity()
	r.must(err)
	path := filepath.Join(t.TempDir(), "case.age")
	tr, err := r.Do(context.Background(), asOperator, []string{"case PAR-2026-0001", "export case " + path + " to " + identity.Recipient().String()})
	r.must(err)
	if tr.Done() || !strings.Contains(unwrapped(tr.String()), "no archive was written") {
		t.Errorf("%s", tr)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a file is left: %v", err)
	}
}
