package mailflow

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// envelopeID is the ENVID of the mail whose bounces come to bounce+TOKEN@ (RFC 3461
// section 4.4). It follows from the token, whose 100 random bits nobody finds from
// it, and from nothing else: whoever reads it in a report that was passed on learns
// neither an address that bounces count at, nor a case, nor whether two are of one.
func envelopeID(token string) string {
	sum := sha256.Sum256([]byte("parley envelope id\x00" + token))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:15]))
}

// aboutAnother says that a report names another mail than the one that the address
// was made for which it came to. It may have been forged by a server that saw the
// address, or be about a mail that somebody else sent under it; either way it says
// nothing of ours. A report without the field counts by its address alone (rule M7),
// since many servers do not note it, and the field alone never counts.
func aboutAnother(reported, token string) bool {
	return reported != "" && !strings.EqualFold(reported, envelopeID(token))
}
