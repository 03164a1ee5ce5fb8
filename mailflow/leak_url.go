package mailflow

import (
	"net/url"
	"strings"

	"parley/mailflow/message"
)

// maxLeakURL is how many octets of an address are kept.
const maxLeakURL = 1000

// leakURL reads where something leaked: an http or https address, of an onion
// service too, plain or as `defanged` writes it (hxxps://evil[.]example/x). It is
// kept as a text and never opened.
func leakURL(word string) (string, error) {
	plain := refanged(word)
	u, err := url.Parse(plain)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", !strings.Contains(u.Hostname(), "."):
		return "", notDone("%q is no address such as https://paste.example/x, or http://NAME.onion/x; nothing was sent. Where it stands is only put on record, and never opened", shortened(word, maxName))
	case u.User != nil:
		return "", notDone("the address holds a login, which would be told to every vendor; nothing was sent. Write it without")
	case len(plain) > maxLeakURL:
		return "", notDone("the address has %d characters, and at most %d are kept; nothing was sent. Write it up to the first ?", len(plain), maxLeakURL)
	case message.CheckHeaderValue(plain) != nil || strings.ContainsAny(plain, " \t\"<>"):
		return "", notDone("the address holds a character that may not stand there; nothing was sent. Write it as it stands in the line of a browser")
	}
	return plain, nil
}

// refanged undoes what defangedWord does.
func refanged(word string) string {
	plain := strings.NewReplacer("[.]", ".", "[:]//", "://", "[@]", "@").Replace(word)
	i := strings.Index(plain, "://")
	if i < 0 {
		return plain
	}
	scheme := strings.ToLower(plain[:i])
	if rest, ok := strings.CutPrefix(scheme, "hxxp"); ok {
		scheme = "http" + rest
	}
	return scheme + plain[i:]
}
