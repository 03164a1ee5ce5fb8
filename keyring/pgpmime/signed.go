package pgpmime

import (
	"bytes"
	"slices"

	"parley/keyring"
)

// signedRoot verifies a multipart/signed at the root of the payload, or of a
// message that is not encrypted. RFC 3156, section 5. One that does not have
// exactly the two parts is not signed: a third would be text that nobody signed.
func (j *job) signedRoot(root *Part) {
	covered, sigs := signedParts(root)
	if covered == nil {
		return
	}
	body, err := sigs.Body()
	if err != nil {
		return
	}
	found := j.verify(keyring.ParseSignatures(body), canonical(covered.Raw))
	j.out.Signatures = append(j.out.Signatures, found...)
	j.out.WholeSigned = j.out.WholeSigned || len(found) > 0
}

func signedParts(root *Part) (covered, signature *Part) {
	if root.MediaType != "multipart/signed" || len(root.Children) != 2 {
		return nil, nil
	}
	covered, signature = root.Children[0], root.Children[1]
	if signature.MediaType != "application/pgp-signature" || covered.MediaType == "multipart/encrypted" {
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

// verify looks at every signature over data.
func (j *job) verify(sigs []*keyring.Signature, data []byte) []Signature {
	var found []Signature
	for _, s := range sigs {
		found = append(found, j.verifyOne(s, data))
	}
	return found
}

// candidate is a certificate that may have made a signature.
type candidate struct {
	cert   *keyring.Certificate
	inside bool
}

// maxCandidates bounds the certificates tried for one signature.
const maxCandidates = 8

func (j *job) verifyOne(s *keyring.Signature, data []byte) Signature {
	result := Signature{KeyID: s.KeyID(), Created: s.Created(), Digest: s.Digest()}
	result.Err, result.Unknown = s.Verify(data, nil, j.at, j.us), true
	for _, c := range j.candidates(s.KeyID()) {
		err := s.Verify(data, c.cert, j.at, j.us)
		if err == keyring.FaultUnknownKey {
			continue
		}
		// The first certificate that fits speaks, unless a later one does better.
		if result.Unknown || err == nil {
			result.Signer, result.CertInside = c.cert.Fingerprint(), c.inside
			result.Err, result.Unknown = err, false
		}
		if err == nil {
			break
		}
	}
	return result
}

// candidates lists the certificates with a key of that ID. One from inside the
// payload comes in place of what is known of the same key.
func (j *job) candidates(keyID uint64) []candidate {
	var list []candidate
	for _, c := range j.joined {
		if slices.Contains(c.KeyIDs(), keyID) {
			list = append(list, candidate{c, true})
		}
	}
	for _, c := range j.known(keyID) {
		if !slices.ContainsFunc(list, func(l candidate) bool { return l.cert.Fingerprint() == c.Fingerprint() }) {
			list = append(list, candidate{cert: c})
		}
	}
	return list[:min(len(list), maxCandidates)]
}

// findInside looks for certificates inside the payload and joins each with what
// is known of that key, so that nobody hides a revocation by attaching an older
// copy.
func (j *job) findInside(root *Part) {
	j.out.Inside = attachedKeys(root, nil)
	for _, c := range j.out.Inside {
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
		j.joined = append(j.joined, c)
	}
}

func (j *job) known(keyID uint64) []*keyring.Certificate {
	if j.Certificates == nil {
		return nil
	}
	return j.Certificates(keyID)
}
