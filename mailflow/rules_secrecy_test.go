package mailflow

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// everybodysSecrets are the words of the long story that belong to somebody.
func (s *longStory) everybodysSecrets() []string {
	out := s.secrets("")
	for _, stage := range append(cvd.Stages(), cvd.Mitigation) {
		out = append(out, canary(stage))
	}
	for _, p := range s.people {
		out = append(out, p.Address)
	}
	return append(out, "coordinatrixana", title, "from-joselyn", "zerodaycanary", "quarantinecanary")
}

// goesWrong adds to the story what fails: mails that cannot be read or opened,
// a refused and a lost delivery, and a notice that cannot be written.
func (s *longStory) goesWrong() {
	finder := s.people["finder"]
	raw := s.seal(finder, reportTo, true, mailtest.Entity("zerodaycanary subject", "zerodaycanary text"))
	broken := bytes.Replace(raw, []byte("=\r\n-----END"), []byte("=AAAA\r\n-----END"), 1)
	s.arrives(finder.Address, reportTo, broken[:len(broken)-400])
	s.arrives(finder.Address, reportTo, []byte("Subject: quarantinecanary\r\n"+strings.Repeat("X-Zerodaycanary: y\r\n", 30_000)+"\r\nzerodaycanary"))
	large := mailtest.Entity("zerodaycanary large", "zerodaycanary", mailtest.File{Name: "zerodaycanary.bin", Type: "application/octet-stream",
		Data: strings.Repeat("zerodaycanary ", 40_000)})
	s.arrives(finder.Address, reportTo, s.seal(finder, reportTo, true, large))
	id := s.caseWith(acme, globex)
	s.sink.Refuse(s.people[acme].Address, 550)
	s.update(func(tx *store.Tx) error {
		p, err := ParticipantByID(tx, id, globex)
		if err != nil {
			return err
		}
		p.Address = "zerodaycanary@globex.example\r\nBcc: zerodaycanary@evil.example"
		return PutParticipant(tx, p)
	})
	s.in(id, "start now")
	s.after(5 * time.Minute)
	s.sink.Refuse(s.people[acme].Address, 0)
	s.sink.DropAfterDot(1)
	s.do("delivery " + s.deliveryOf(s.notice(id, acme, cvd.HeadsUp)) + " again")
}

// Whatever happens, a log holds no subject, name, address, file name or word of
// a case, at any level.
func TestH6_LogsOfALongStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	log := w.logs()
	w.Queue.Log = w.Log
	s := tellLongStory(t, w)
	s.goesWrong()
	text := log.String()
	for _, want := range []string{"notice held", "delivery"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing was logged of %q, so that nothing is proved:\n%s", want, text)
		}
	}
	for _, word := range s.everybodysSecrets() {
		if i := strings.Index(lower(text), lower(word)); i >= 0 {
			t.Errorf("the log holds %q: ...%s", word, text[max(0, i-200):min(len(text), i+100)])
		}
	}
	if strings.Contains(text, "@") {
		t.Errorf("the log holds an address:\n%s", text)
	}
}

// No word of any of it is found on the disk, in clear or in base64.
func TestH4_NothingInTheStateDirectory(t *testing.T) {
	t.Parallel()
	s := tellLongStory(t, newWorld(t))
	s.goesWrong()
	secrets := s.everybodysSecrets()
	for _, m := range s.sink.Mails() {
		secrets = append(secrets, strings.Split(m.From, "@")[0])
	}
	found, octets := leaks(t, s.dir, secrets)
	if len(found) > 0 || octets < 1<<20 {
		t.Errorf("%d octets hold %q", octets, found)
	}
	// The control: a file that somebody forgot is found out.
	for _, form := range []string{"zerodaycanary", base64.StdEncoding.EncodeToString([]byte("x zerodaycanary y"))} {
		if err := os.WriteFile(filepath.Join(s.dir, "forgotten.tmp"), []byte(form), 0o600); err != nil {
			t.Fatal(err)
		}
		if found, _ := leaks(t, s.dir, secrets); len(found) != 1 {
			t.Errorf("%q is not found", form)
		}
	}
}

// leaks greps all files of a directory for words, as text in any case of
// letters and as base64 in any alignment.
func leaks(t *testing.T, dir string, words []string) (found []string, octets int) {
	t.Helper()
	var plain, encoded [][]byte
	for _, word := range words {
		if len(word) < 8 {
			continue
		}
		plain = append(plain, []byte(lower(word)))
	}
	for _, word := range []string{"zerodaycanary", "findersownwords1", canary(cvd.Details)} {
		for skip := range 3 {
			b := base64.StdEncoding.EncodeToString([]byte(word)[skip:])
			encoded = append(encoded, []byte(b[:len(b)/4*4-4]))
		}
	}
	slices.SortFunc(plain, bytes.Compare)
	plain = slices.CompactFunc(plain, bytes.Equal)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		octets += len(data)
		low := []byte(lower(string(data)))
		within := func(data []byte) func([]byte) bool {
			return func(word []byte) bool { return bytes.Contains(data, word) }
		}
		if slices.ContainsFunc(plain, within(low)) || slices.ContainsFunc(encoded, within(data)) {
			found = append(found, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, octets
}
