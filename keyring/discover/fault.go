package discover

// Fault is one of a closed set of words that say why a look-up found nothing,
// fit for logs: none holds an address or a host.
type Fault string

// The words.
const (
	BadAddress    Fault = "bad-address"     // not one that can be looked for
	NoHost        Fault = "no-such-host"    // the name does not exist
	NoAnswer      Fault = "no-answer"       // of the resolver or the server
	Refused       Fault = "address-refused" // it resolves to an address that is not public
	BadTLS        Fault = "tls"             // no TLS 1.2, or no certificate for the name
	NotFound      Fault = "not-found"       // the server says so
	BadStatus     Fault = "status"          // the server says something else
	BadRedirect   Fault = "redirect"        // to another host, without TLS, or too often
	TooLarge      Fault = "too-large"
	TooSlow       Fault = "too-slow"
	SecretKey     Fault = "secret-key"     // it serves a secret key
	NoCertificate Fault = "no-certificate" // what it serves holds none for the address

	BadURL       Fault = "bad-url"       // not https to a host and path
	OtherDomain  Fault = "other-domain"  // not of the domain of an address of the party
	NotSigned    Fault = "not-signed"    // no cleartext signature, or nothing of the file in it
	Malformed    Fault = "malformed"     // Expires is missing, twice or unreadable
	Expired      Fault = "expired"       // the security.txt
	NotCanonical Fault = "not-canonical" // it belongs to another URL
	NoContact    Fault = "no-contact"    // no address of the party
	NoEncryption Fault = "no-encryption" // it names no key
	BadSignature Fault = "bad-signature" // one that does not verify
	Stranger     Fault = "stranger"      // signed by a key that has nothing to do with the domain
)

var sentences = map[Fault]string{
	BadAddress:    "the address has no domain that can be asked",
	NoHost:        "the domain does not exist in the DNS",
	NoAnswer:      "there was no answer",
	Refused:       "the name leads to an address that is not of the public Internet",
	BadTLS:        "the server showed no good TLS certificate for its name",
	NotFound:      "nothing is published there",
	BadStatus:     "the server answered with an error",
	BadRedirect:   "the server points to another host",
	TooLarge:      "the answer is too large",
	TooSlow:       "the answer took too long",
	SecretKey:     "a secret key lies there in public; it is not taken, and must be treated as burnt",
	NoCertificate: "what lies there holds no certificate of that address",
	BadURL:        "that is not an address such as https://acme.example/.well-known/security.txt",
	OtherDomain:   "its host is not the domain of an address of the party",
	NotSigned:     "the file is not signed",
	Malformed:     "the file does not say, once and readably, when it expires",
	Expired:       "the file has expired",
	NotCanonical:  "the file says that it belongs to another place",
	NoContact:     "the file names no address of the party",
	NoEncryption:  "the file names no key that can be read",
	BadSignature:  "the signature of the file is bad",
	Stranger:      "the file is signed by a key that it does not name and that is not of its domain",
}

// Error gives the word.
func (f Fault) Error() string { return "discover: " + string(f) }

// Sentence says it to a person.
func (f Fault) Sentence() string { return sentences[f] }
