package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"rsc.io/qr"

	"parley/keyring"
	"parley/keyring/discover"
	"parley/templates"
)

// siteFiles are all files for the web server, by path. One folder serves every
// host: no two of them want different things at the same path.
func (a *app) siteFiles(s templates.Site) (map[string][]byte, error) {
	files, err := s.Pages()
	if err != nil {
		return nil, err
	}
	var certs []*keyring.Certificate
	for _, k := range a.publicKeys() {
		certs = append(certs, k.Certificate)
	}
	for _, add := range []func(map[string][]byte) error{
		func(f map[string][]byte) error { return keyFiles(f, s, certs) },
		func(f map[string][]byte) error { return directory(f, s, certs) },
		func(f map[string][]byte) error { return a.securityTxt(f, s) },
		func(f map[string][]byte) error { return deskFiles(f, s) },
	} {
		if err := add(files); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func keyFiles(files map[string][]byte, s templates.Site, certs []*keyring.Certificate) (err error) {
	if files["key.asc"], err = keyring.ArmorCertificates(certs...); err != nil {
		return err
	}
	for _, k := range s.Keys {
		if files["key/"+k.ID+".svg"], err = fingerprintQR(k.Fingerprint); err != nil {
			return err
		}
	}
	return nil
}

// directory is the Web Key Directory in both layouts: a policy, and for each of
// our addresses the certificates that name it (draft-koch-openpgp-webkey-service,
// sections 3.1 and 4.5).
func directory(files map[string][]byte, s templates.Site, certs []*keyring.Certificate) error {
	const top = ".well-known/openpgpkey/"
	files[top+"policy"], files[top+s.Domain+"/policy"] = []byte{}, []byte{}
	for _, c := range certs {
		for _, address := range ownAddresses(c, s) {
			advanced, direct, err := discover.Directory(address)
			if err != nil {
				return fmt.Errorf("publish our key for %s: %w", address, err)
			}
			for _, path := range []string{advanced.Path, direct.Path} {
				path = strings.TrimPrefix(path, "/")
				files[path] = append(files[path], c.Bytes()...)
			}
		}
	}
	return nil
}

// ownAddresses are the addresses of our domain in a certificate's user IDs.
func ownAddresses(c *keyring.Certificate, s templates.Site) []string {
	return slices.DeleteFunc(c.Addresses(), func(address string) bool { return discover.Domain(address) != s.Domain })
}

func (a *app) securityTxt(files map[string][]byte, s templates.Site) error {
	text, err := s.SecurityTxt()
	if err != nil {
		return err
	}
	signed, err := keyring.SignCleartext(text, a.base.Own.Signing(), s.Made)
	if err != nil {
		return fmt.Errorf("sign security.txt: %w", err)
	}
	files[".well-known/security.txt"] = signed
	return nil
}

// deskFiles set up the coordinators' clients: for Thunderbird at the two places
// where it looks, and a profile for Apple's.
func deskFiles(files map[string][]byte, s templates.Site) error {
	config, err := s.Autoconfig()
	if err != nil {
		return err
	}
	files[".well-known/autoconfig/mail/config-v1.1.xml"], files["mail/config-v1.1.xml"] = config, config
	files["desk.mobileconfig"], err = s.Profile()
	return err
}

// profileNames name the profile of a desk, the same at every run, so that a
// client replaces it. The UUIDs are of version 8 (RFC 9562, section 5.8).
func profileNames(desk string) (identifier, profile, mail string) {
	labels := strings.Split(desk, ".")
	slices.Reverse(labels)
	identifier = strings.Join(labels, ".") + ".parley"
	return identifier, uuidOf(identifier), uuidOf(identifier + ".mail")
}

func uuidOf(name string) string {
	u := sha256.Sum256([]byte(name))
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// quiet is the margin that a reader of QR codes needs, in modules (ISO/IEC 18004).
const quiet = 4

// fingerprintQR is a picture with the fingerprint in the form that key managers
// scan.
func fingerprintQR(fingerprint string) ([]byte, error) {
	code, err := qr.Encode("OPENPGP4FPR:"+fingerprint, qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw fingerprint: %w", err)
	}
	var b strings.Builder
	side := code.Size + 2*quiet
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %[1]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="`, side)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	b.WriteString("\"/></svg>\n")
	return []byte(b.String()), nil
}
