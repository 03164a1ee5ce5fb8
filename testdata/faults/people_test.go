package faults

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/mailflow/mailtest"
)

// people are those who write to the gateway and are written to.
type people struct {
	finder  *mailtest.Person
	vendors []*mailtest.Person
	ours    []byte
}

func person(t testing.TB, name, address string) *mailtest.Person {
	t.Helper()
	p, err := mailtest.NewPerson(name, address, time.Now)
	must(t, err)
	return p
}

// hire makes a coordinator, a finder and vendors whose keys are confirmed. The gateway runs.
func (g *gateway) hire(vendors ...string) *people {
	g.t.Helper()
	p := &people{finder: person(g.t, "finder", "robin@finder.example"), ours: g.ours()}
	pw := filepath.Join(g.dir, "ana.pw")
	must(g.t, os.WriteFile(pw, []byte(password+"\n"), 0o600))
	_, err := g.parley("coordinator", "add", "ana", "--config", g.config(), "--password-file", pw)
	must(g.t, err)
	for _, name := range vendors {
		v := person(g.t, name, "psirt@"+name+".example")
		key := filepath.Join(g.dir, name+".asc")
		must(g.t, os.WriteFile(key, v.PublicKey(), 0o600))
		g.mustDo("vendor add " + name + " " + v.Address)
		_, err := g.parley("key", "import", key, "--party", name, "--confirm", v.Fingerprint(), "--config", g.config())
		must(g.t, err)
		p.vendors = append(p.vendors, v)
	}
	return p
}

const password = "correct horse battery staple"

// report is an encrypted, signed mail to a gateway, with so many octets more.
func (p *people) report(from *mailtest.Person, to, subject string, more int) ([]byte, error) {
	text := strings.Repeat("Long frames overflow a buffer.\n", 1+more/32)
	armored, err := from.Seal(mailtest.Entity(subject, text), p.ours, true)
	if err != nil {
		return nil, err
	}
	return mailtest.PGPMIME(from.Address, to, time.Now(), armored), nil
}
