package pgpmime

import (
	"encoding/base64"
	"strings"

	"parley/keyring"
)

// autocrypt reads the Autocrypt field of a message (Autocrypt Level 1, section
// 2.1 and 2.3). It counts only if there is one that can be read, for the one
// address that the message is from. Autocrypt-Gossip is about other people and
// not looked at, nor is anything on a report.
func autocrypt(root *Part) *keyring.Certificate {
	from := root.Header("From")
	if len(from) != 1 || root.MediaType == "multipart/report" {
		return nil
	}
	sender, ok := soleAddress(from[0])
	if !ok {
		return nil
	}
	var found []*keyring.Certificate
	for _, v := range root.Header("Autocrypt") {
		if len(v) > 2*maxAttachedKey {
			continue
		}
		if c := autocryptKey(v, sender); c != nil {
			found = append(found, c)
		}
		if len(found) > 1 {
			return nil
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// autocryptKey reads one value: addr, prefer-encrypt and keydata. Any other
// attribute makes it void unless its name begins with an underscore.
func autocryptKey(value, sender string) *keyring.Certificate {
	got := map[string]string{}
	for attribute := range strings.SplitSeq(value, ";") {
		name, v, ok := strings.Cut(attribute, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case name == "":
		case !ok || got[name] != "":
			return nil
		case name == "addr" || name == "prefer-encrypt" || name == "keydata":
			got[name] = strings.TrimSpace(v)
		case !strings.HasPrefix(name, "_"):
			return nil
		}
	}
	if !keyring.SameAddress(got["addr"], sender) {
		return nil
	}
	raw, err := keydata(got["keydata"])
	if err != nil || len(raw) > maxAttachedKey {
		return nil
	}
	if certs, err := keyring.ParseCertificates(raw); err == nil && len(certs) == 1 {
		return certs[0]
	}
	return nil
}

func keydata(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
}

// noteAutocryptSecrets looks for a secret key where the whole world reads it.
func (j *job) noteAutocryptSecrets(root *Part) {
	for _, v := range root.Header("Autocrypt") {
		_, data, ok := strings.Cut(v, "keydata=")
		if !ok || len(data) > 2*maxAttachedKey {
			continue
		}
		if raw, err := keydata(data); err == nil {
			j.noteSecretKeys(raw)
		}
	}
}
