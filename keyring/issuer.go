package keyring

// Issuer is the fingerprint of the component key that the signature says made
// it, "" if it gives none (RFC 9580, section 5.2.3.35). It is a claim: anybody
// can write it.
func (s *Signature) Issuer() Fingerprint {
	if s.sig == nil || len(s.sig.IssuerFingerprint) == 0 {
		return ""
	}
	return fingerprintOf(s.sig.IssuerFingerprint)
}
