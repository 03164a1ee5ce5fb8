package imapd_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"parley/gateway/auth"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// secrets are words that no octet served to a sealed login may hold: of bodies,
// subjects, a vendor, a finder, a case, a folder and a keyword.
var secrets = []string{"wombat", "quokka", "acme", "numbat", "bilby", "someone", "finder.example", "potoroo"}

// scene is an office in the middle of a case: a report that became one, one that
// did not, a vendor who answered, and ana with logins of three views.
type scene struct {
	*office
	ana, acme, finder *mailtest.Person
	tag               string
}

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{office: newOffice(t)}
	s.ana, s.acme, s.finder = s.person("Ana", "ana@"+desk), s.person("Acme", "psirt@acme.example"), s.person("Someone", "someone@finder.example")
	s.keyOf("ana", s.ana)
	s.login("ana/phone", "ana", auth.ViewSealed, password)
	s.login("ana/watch", "ana", auth.ViewHeadlines, password)
	s.receive(s.finder, "report@vdp.example.org", mailtest.Entity("Quokka overflow", "A wombat in the parser.\n", mailtest.File{Name: "key.asc", Type: "application/pgp-keys", Data: string(s.finder.PublicKey())}))
	c := s.in("ana", "Intake")
	c.ask(`UID COPY 1 "Do/New case"`)
	s.tag = regexp.MustCompile(`PAR-[0-9]+-[0-9]+`).FindString(strings.Join(c.folders("Cases/"), " "))
	s.report("Second quokka", "Another wombat.")
	s.do("vendor add acme psirt@acme.example")
	_, err := s.base.Certs.Certificate(certOf(t, s.acme).Bytes())
	must(t, err)
	_, err = s.desk.ImportKey(mailflow.Actor{Name: mailflow.Operator, Via: mailflow.ViaOperator}, "acme", s.acme.PublicKey(), keyring.Fingerprint(s.acme.Fingerprint()))
	must(t, err)
	s.do("case "+s.tag, "invite acme wave 1 affects \"Player quokka\"")
	s.receive(s.acme, s.thread("acme"), mailtest.Entity("Re: quokka", "Acme has a wombat too.\n"))
	c.ask(`CREATE "numbat"`)
	c.ask(`UID COPY 1:* "numbat"`)
	c.ask(`STORE 1:* +FLAGS (bilby \Flagged)`)
	draft := "From: ana@" + desk + "\r\nTo: acme." + strings.ToLower(s.tag) + "@" + desk + "\r\nSubject: potoroo\r\nMessage-ID: <d1@here>\r\n\r\nDear acme, a wombat.\r\n"
	c.send("y APPEND Drafts {" + itoa(len(draft)) + "}")
	c.want("+ ...")
	c.send(draft)
	c.until("y OK")
	return s
}

func (o *office) person(name, address string) *mailtest.Person {
	o.Helper()
	p, err := mailtest.NewPerson(name, address, o.clock.Now)
	must(o, err)
	return p
}

func certOf(t testing.TB, p *mailtest.Person) *keyring.Certificate {
	t.Helper()
	certs, err := keyring.ParseCertificates(p.PublicKey())
	must(t, err)
	return certs[0]
}

// keyOf puts a coordinator's own key on file.
func (o *office) keyOf(name string, p *mailtest.Person) {
	o.Helper()
	o.update(func(tx *store.Tx) error {
		c, err := mailflow.CoordinatorByName(tx, name)
		if err != nil {
			return err
		}
		c.Key = certOf(o, p).Bytes()
		return mailflow.PutCoordinator(tx, c)
	})
}

func (s *scene) ourKey() []byte {
	s.Helper()
	k, err := s.base.Own.Export()
	must(s, err)
	return k
}

// receive lets somebody mail us an entity, encrypted and signed.
func (s *scene) receive(from *mailtest.Person, to string, entity []byte) {
	s.Helper()
	armored, err := from.Seal(entity, s.ourKey(), true)
	must(s, err)
	raw := mailtest.PGPMIME(from.Address, to, s.clock.Now(), armored)
	env := mailflow.Envelope{From: from.Address, To: []string{to}, Remote: "192.0.2.9"}
	must(s, s.intake.Receive(context.Background(), env, bytes.NewReader(raw)))
	must(s, s.intake.RunSpool(context.Background()))
}

func (s *scene) thread(party string) (address string) {
	s.Helper()
	must(s, s.View(func(tx *store.Tx) error {
		who, err := mailflow.ParticipantByID(tx, cvd.CaseID(s.tag), cvd.PartyID(party))
		address = s.base.ThreadAddress(who.Token)
		return err
	}))
	return address
}

// heard is a client that keeps all that it is told.
type heard struct {
	*client
	all *bytes.Buffer
}

func (o *office) hears(login string) *heard {
	o.Helper()
	conn, err := tls.Dial("tcp", o.addr, &tls.Config{RootCAs: o.roots, ServerName: "localhost"})
	must(o, err)
	o.Cleanup(func() { _ = conn.Close() })
	h := &heard{all: &bytes.Buffer{}}
	h.client = &client{o.TB, conn, bufio.NewReaderSize(io.TeeReader(conn, h.all), 1<<16)}
	h.want("* OK ...")
	h.talk(`C: l LOGIN ` + login + ` "` + password + `"
		S: l OK ...
		C: e ENABLE IMAP4rev2
		S: ...
		S: e OK ...`)
	return h
}

// ciphertext is armor, or a line of it: any short word may stand there by chance.
var ciphertext = regexp.MustCompile(`(?ms)-----begin pgp message-----.*?-----end pgp message-----|^[a-z0-9+/]{32,}=*\r?$`)

// silent fails for each word that was heard outside of what is encrypted.
func (h *heard) silent(words ...string) {
	h.Helper()
	all := ciphertext.ReplaceAll(bytes.ToLower(h.all.Bytes()), nil)
	for _, w := range words {
		if i := bytes.Index(all, []byte(w)); i >= 0 {
			h.Errorf("%q was told: …%q…", w, all[max(0, i-200):min(len(all), i+60)])
		}
	}
}

// shown is a message as a client is served it.
type shown struct {
	uid                     int
	size                    int
	line, raw               string
	header, text, structure string
}

var uidOf, sizeOf = regexp.MustCompile(`UID (\d+)`), regexp.MustCompile(`RFC822\.SIZE (\d+)`)

// everything fetches all that there is of every message in the folder.
func (h *heard) everything(folder string) []shown {
	h.Helper()
	h.ask(`SELECT "` + folder + `"`)
	lines := h.ask("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)")
	h.ask("FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (From Subject Date Message-ID Parley-Signature Content-Type X-TUID)])")
	var all []shown
	for _, line := range lines {
		m := shown{line: line, uid: numberIn(uidOf, line), size: numberIn(sizeOf, line)}
		n := "UID FETCH " + itoa(m.uid) + " "
		m.raw, m.header, m.text = h.literal(n+"BODY.PEEK[]"), h.literal(n+"BODY.PEEK[HEADER]"), h.literal(n+"BODY.PEEK[TEXT]")
		m.structure = h.ask(n + "BODYSTRUCTURE")[0]
		h.ask(n + "(BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2] BINARY.PEEK[1] BINARY.SIZE[1] RFC822.SIZE)")
		if m.size != len(m.raw) || m.header+m.text != m.raw {
			h.Errorf("%s %d: size %d, %d octets, header and text %d", folder, m.uid, m.size, len(m.raw), len(m.header)+len(m.text))
		}
		all = append(all, m)
	}
	return all
}

func numberIn(re *regexp.Regexp, line string) int {
	if m := re.FindStringSubmatch(line); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return -1
}

// literal is the one literal that a FETCH gives.
func (h *heard) literal(command string) string {
	h.Helper()
	got := h.ask(command)
	if len(got) != 1 {
		h.Fatalf("%s: %q", command, got)
	}
	m := regexp.MustCompile(`(?s)\{(\d+)\}\r\n(.*)$`).FindStringSubmatch(got[0])
	if m == nil {
		return ""
	}
	n, _ := strconv.Atoi(m[1])
	return m[2][:n]
}

// tree lists all folders that can be opened.
func (h *heard) tree() []string {
	h.Helper()
	var names []string
	for _, line := range h.ask(`LIST "" "*"`) {
		if !strings.Contains(line, `\Noselect`) && !strings.Contains(line, `\NonExistent`) {
			names = append(names, strings.Trim(line[strings.LastIndex(line, `"/" `)+4:], `"`))
		}
	}
	slices.Sort(names)
	return names
}
