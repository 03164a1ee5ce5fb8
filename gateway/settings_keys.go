package main

import (
	"crypto/x509"
	"fmt"
	"os"

	"parley/keyring/discover"
)

// discovery is how keys of parties are looked for.
type discovery struct {
	On      bool
	Private bool
	Port    uint16
	Roots   string // PEM file; empty: the machine's
}

func (r *reader) discovery() discovery {
	k := r.c.Keys
	d := discovery{On: k.Discovery, Private: k.Private, Port: uint16(r.number(k.Port, 1, 65535, "keys", "port")), Roots: r.c.Resolve(k.Roots)}
	for _, t := range []struct {
		set bool
		key string
		why string
	}{
		{k.Private, "private", "lets strangers' domains lead this server to addresses of your own network"},
		{k.Port != httpsPort, "port", "is not 443, where a Web Key Directory is"},
		{k.Roots != "", "roots", "replaces the authorities that everybody else trusts"},
	} {
		if t.set {
			r.warn([]string{"keys", t.key}, "%s: for tests only", t.why)
		}
	}
	return d
}

const httpsPort = 443

// client asks for keys as the settings say.
func (d discovery) client() (*discover.Client, error) {
	c := &discover.Client{Private: d.Private, Port: d.Port}
	if d.Roots == "" {
		return c, nil
	}
	text, err := os.ReadFile(d.Roots)
	if err != nil {
		return nil, fmt.Errorf("read [keys] roots: %w", err)
	}
	c.Roots = x509.NewCertPool()
	if !c.Roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read [keys] roots: %s holds no certificate in PEM", d.Roots)
	}
	return c, nil
}
