package pgpmime

import (
	"bytes"
	"slices"

	"parley/keyring"
)

// signedRoot verifies a multipart/signed at the root of a payload, of a document,
// or of a message that is not encrypted. RFC 3156, section 5. One that does not
// have exactly the two parts is not signed: a third would be text that nobody
// signed.
func (j *job) signedRoot(root *Part) (found []Signature, ok bool) {
	covered, sigs := signedParts(root)
	if covered == nil {
		return nil, false
	}
	body, err := sigs.Body()
	if err != nil {
		return nil, false
	}
	return j.verify(keyring.ParseSignatures(body), canonical(covered.Raw)), true
}

func signedParts(root *Part) (covered, signature *Part) {
	if root.MediaType != "multipart/signed" || len(root.Children) != 2 {
		return nil, nil
	}
	covered, signature = root.Children[0], root.Children[1]
	if signature.MediaType != "application/pgp-signature" || findLayer(covered) != nil {
		return nil, nil
	}
	return covered, signature
}

// canonical gives raw the line ends that the signature was made over. Mail that
// came over SMTP has them already.
func canonical(raw []byte) []byte {
	if bytes.Count(raw, []byte("\n")) == bytes.Count(raw, []byte("\r\n")) {
		return raw
	}
	out := make([]byte, 0, len(raw)+len(raw)/32)
	for i, b := range raw {
		if b == '\n' && (i == 0 || raw[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, b)
	}
	return out
}

// maxChecks bounds the signatures that are verified for one message, tries with
// several certificates included. As many bytes are hashed for it as are in so
// many messages of the greatest size.
const (
	maxChecks = 200
	maxHashed = 4
)

// verify looks at every signature over data.
func (j *job) verify(sigs []*keyring.Signature, data []byte) []Signature {
	var found []Signature
	for _, s := range sigs {
		found = append(found, j.verifyOne(s, data))
	}
	return found
}

// maxCandidates bounds the certificates tried for one signature.
const maxCandidates = 8

func (j *job) verifyOne(s *keyring.Signature, data []byte) Signature {
	result := Signature{KeyID: s.KeyID(), Issuer: s.Issuer(), Created: s.Created(), Digest: s.Digest()}
	result.Err, result.Unknown = s.Verify(data, nil, j.at, j.us), true
	for _, c := range j.candidates(s.KeyID()) {
		if !j.affords(len(data)) {
			result.Err, result.Unknown = keyring.FaultTooMany, false
			break
		}
		err := s.Verify(data, c.cert, j.at, j.us)
		if err == keyring.FaultUnknownKey {
			continue
		}
		// The first certificate that fits speaks, unless a later one does better.
		if result.Unknown || err == nil {
			result.Signer, result.Cert, result.CertInside = c.cert.Fingerprint(), c.cert, c.inside
			result.Err, result.Unknown = err, false
		}
		if err == nil {
			break
		}
	}
	return result
}

// affords reports whether one more verification is within the bounds.
func (j *job) affords(size int) bool {
	if j.checks == maxChecks || j.hashed > 0 && j.hashed+int64(size) > maxHashed*j.limits.Plain {
		return false
	}
	j.checks++
	j.hashed += int64(size)
	return true
}

// candidate is a certificate that may have made a signature.
type candidate struct {
	cert   *keyring.Certificate
	inside bool
}

// candidates lists the certificates with a key of that ID: first those that are
// known, in the caller's order, since anybody can attach certificates that hold
// somebody else's key. One from inside the payload stands in the place of what
// is known of the same key.
func (j *job) candidates(keyID uint64) []candidate {
	var list []candidate
	for _, c := range j.known(keyID) {
		list = append(list, candidate{cert: c})
	}
	list = list[:min(len(list), maxCandidates)]
	for _, c := range j.joined {
		if !slices.Contains(c.KeyIDs(), keyID) {
			continue
		}
		i := slices.IndexFunc(list, func(l candidate) bool { return l.cert.Fingerprint() == c.Fingerprint() })
		switch {
		case i >= 0:
			list[i] = candidate{c, true}
		case len(list) < 2*maxCandidates:
			list = append(list, candidate{c, true})
		}
	}
	return list
}

// findInside looks for certificates inside the payload and joins each with what
// is known of that key, so that nobody hides a revocation by attaching an older
// copy. Beside the signature of a multipart/signed none counts: whoever encrypts
// what somebody else signed could have put it there.
func (j *job) findInside(root *Part) {
	if covered, _ := signedParts(root); covered != nil {
		root = covered
	}
	search := keySearch{left: maxKeyOctets}
	search.in(root, InEncrypted)
	for _, a := range search.found {
		j.out.Inside, j.out.Certificates = append(j.out.Inside, a.Certificate), append(j.out.Certificates, a)
	}
	for _, c := range j.out.Inside {
		j.joined = append(j.joined, j.join(c))
	}
}

// join joins a certificate with what is known of its key.
func (j *job) join(c *keyring.Certificate) *keyring.Certificate {
	for _, k := range j.known(c.KeyIDs()[0]) {
		if k.Fingerprint() != c.Fingerprint() {
			continue
		}
		if m, _, err := keyring.Merge(k, c); err == nil {
			c = m
		} else {
			c = k
		}
	}
	return c
}

func (j *job) known(keyID uint64) []*keyring.Certificate {
	if j.Certificates == nil {
		return nil
	}
	return j.Certificates(keyID)
}
