package mailflow

import (
	"slices"

	"parley/keyring"
	"parley/mailflow/message"
)

// retiredFor says to which of our retired keys a mail that could not be opened
// is encrypted, in words for the desk; "" if to none. The sender gets to know
// nothing of it.
func (b *Base) retiredFor(root *message.Part, failed error) string {
	if keyring.Reason(failed) != keyring.ReasonNoKey {
		return ""
	}
	var retired []OwnKey
	for _, k := range b.Own.now.Load().keys {
		if k.State == OwnRetired {
			retired = append(retired, k)
		}
	}
	if len(retired) == 0 {
		return ""
	}
	why := ""
	root.Walk(func(p *message.Part) bool {
		if len(p.Children) > 0 || why != "" {
			return true
		}
		ids := recipientsOf(p)
		for _, k := range retired {
			if slices.ContainsFunc(ids, func(id uint64) bool { return slices.Contains(k.Certificate.KeyIDs(), id) }) {
				why = "it is encrypted to our key " + k.Fingerprint().Spaced() + ", which was retired " + utc(k.Since) +
					"; nobody can read it any more, and only its sender can send it again"
			}
		}
		return true
	})
	return why
}

// recipientsOf lists the keys that the OpenPGP messages in a part name.
func recipientsOf(p *message.Part) []uint64 {
	body, err := p.Body()
	if err != nil || len(body) == 0 {
		return nil
	}
	if body[0]&0x80 != 0 {
		return keyring.Recipients(body)
	}
	var ids []uint64
	for _, block := range keyring.FindArmor(body) {
		if block.Kind == keyring.ArmorMessage {
			ids = append(ids, keyring.Recipients(block.Data)...)
		}
	}
	return ids
}
