package pgpmime

import (
	"slices"
	"strings"

	"parley/keyring"
)

// Limits on the secret keys that are looked for in one message.
const (
	maxSecretKeys = 8
	maxSecretFile = 2 << 20
)

// findSecretKeys looks for secret keys that somebody sent by mistake.
func (j *job) findSecretKeys(p *Part) {
	for _, c := range p.Children {
		j.findSecretKeys(c)
	}
	if len(p.Children) == 0 && j.ctx.Err() == nil {
		j.noteFingerprints(SecretKeysIn(p))
	}
}

func (j *job) noteSecretKeys(data []byte) { j.noteFingerprints(keyring.FindSecretKeys(data)) }

func (j *job) noteFingerprints(list []keyring.Fingerprint) {
	for _, f := range list {
		if len(j.out.SecretKeys) < maxSecretKeys && !slices.Contains(j.out.SecretKeys, f) {
			j.out.SecretKeys = append(j.out.SecretKeys, f)
		}
	}
}

// SecretKeysIn gives the fingerprints of the secret keys that stand in a leaf.
// Whoever shows the leaf to somebody leaves these keys out.
func SecretKeysIn(p *Part) []keyring.Fingerprint {
	if strings.HasPrefix(p.MediaType, "text/") {
		return keyring.FindSecretKeys(armorText(p))
	}
	if len(p.Raw) > 2*maxSecretFile || !strings.HasPrefix(p.MediaType, "application/") {
		return nil
	}
	body, err := p.Body()
	if err != nil {
		return nil
	}
	return keyring.FindSecretKeys(body)
}
