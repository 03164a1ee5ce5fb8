package mailflow

import (
	"strings"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/message"
)

// secretRemoved stands in every view where a secret key stood. The bytes received
// are sealed as they came.
const secretRemoved = "[A secret key stood here. It is left out of this view; whoever sent it must treat it as burnt.]"

// secretKeys are the fingerprints of secret keys that came with a mail by mistake,
// "" for one that cannot be read; of a mail that could not be opened, those that
// stand in it for everybody to see.
func (a *arrival) secretKeys() []keyring.Fingerprint {
	switch {
	case a.opened != nil:
		return a.opened.SecretKeys
	case a.root == nil:
		return keyring.FindSecretKeys(a.raw)
	}
	var found []keyring.Fingerprint
	a.root.Walk(func(p *message.Part) bool {
		if len(p.Children) == 0 {
			found = append(found, pgpmime.SecretKeysIn(treeOf(p))...)
		}
		return true
	})
	return found
}

// cutSecrets says what to serve in place of a leaf that holds a secret key: its
// text without the key, or a sentence.
func cutSecrets(p *message.Part) (string, bool) {
	if len(pgpmime.SecretKeysIn(treeOf(p))) == 0 {
		return "", false
	}
	if text, err := p.Text(); err == nil && p.MediaType == "text/plain" {
		if without := cutSpans([]byte(text)); len(without) != len(text) {
			return string(without), true
		}
	}
	return secretRemoved, true
}

// cutSpans takes blocks of armor with secret keys out of a text. Of one with more
// than are looked for nothing is left.
func cutSpans(text []byte) []byte {
	var out []byte
	at := 0
	for _, s := range keyring.SecretKeySpans(text) {
		out = append(append(out, text[at:s[0]]...), secretRemoved+"\n"...)
		at = s[1]
	}
	if at == 0 {
		return text
	}
	if out = append(out, text[at:]...); len(keyring.SecretKeySpans(out)) > 0 {
		return []byte(secretRemoved + "\n")
	}
	return out
}

// cut leaves secret keys out of what is shown, if there are any.
func (a *arrival) cut() message.Cut {
	if len(a.secretKeys()) == 0 {
		return nil
	}
	return cutSecrets
}

// opaque is what is served of a mail that was not opened.
func (a *arrival) opaque() []byte {
	if len(a.secretKeys()) == 0 {
		return a.raw
	}
	if a.root == nil {
		return cutSpans(a.raw)
	}
	return message.Without(a.root, cutSecrets)
}

// withoutSecrets is a document without the secret keys in it.
func (a *arrival) withoutSecrets(data []byte) []byte {
	if len(a.opened.SecretKeys) == 0 || len(data) == 0 {
		return data
	}
	for _, tree := range a.parsed {
		if raw := tree.Raw(); len(raw) == len(data) && &raw[0] == &data[0] {
			return message.Without(tree, cutSecrets)
		}
	}
	if len(keyring.FindSecretKeys(data)) == 0 {
		return data
	}
	if without := cutSpans(data); len(without) != len(data) {
		return without
	}
	return []byte(secretRemoved + "\n")
}

// burntWords warns the desk of secret keys that came by mistake.
func burntWords(a *arrival) string {
	keys := a.secretKeys()
	if len(keys) == 0 {
		return ""
	}
	var names []string
	for _, f := range keys {
		if f == "" {
			names = append(names, "one that cannot be read")
			continue
		}
		names = append(names, f.Spaced())
	}
	return "\nA SECRET key came with it (" + strings.Join(names, "; ") + "). It is left out below. Treat that key as burnt: nothing it signs or opens is safe any more."
}
