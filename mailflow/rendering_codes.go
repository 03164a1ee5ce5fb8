package mailflow

import (
	"bytes"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// printedCode is a one-time code as our notices print it.
var printedCode = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`)

// maskCodes gives what masks the unused one-time codes of a participant where it
// quotes a notice of ours: who reads the desk's mail must not answer for it. All
// else keeps its place, since the mask is as long as a code.
func maskCodes(tx *store.Tx, p place) (func(view []byte), error) {
	nothing := func([]byte) {}
	if !p.thread() {
		return nothing, nil
	}
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if errors.Is(err, ErrNoParticipant) || err == nil && !slices.ContainsFunc(who.Codes, func(c cvd.Code) bool { return c.Used.IsZero() }) {
		return nothing, nil
	}
	return func(view []byte) {
		tried := map[string]bool{}
		for _, at := range printedCode.FindAllIndex(view, -1) {
			word := string(view[at[0]:at[1]])
			live, known := tried[word]
			if !known {
				if len(tried) == maxCodeWords {
					return
				}
				live = who.Knows(word)
				tried[word] = live
			}
			if live {
				copy(view[at[0]:at[1]], maskedCode)
			}
		}
	}, err
}

// maxCodeWords is how many different words of a mail are tried as codes.
const maxCodeWords = 10_000

// maskEncoded does to the texts of a view that are in base64 what mask does to
// those that are not. What is as long before is as long after, so that no line
// moves.
func maskEncoded(tree *message.Part, mask func([]byte)) {
	tree.Walk(func(p *message.Part) bool {
		if len(p.Children) > 0 || p.Encoding != "base64" || !strings.HasPrefix(p.MediaType, "text/") {
			return true
		}
		text, err := p.Body()
		if err != nil {
			return true
		}
		masked := slices.Clone(text)
		if mask(masked); !bytes.Equal(text, masked) {
			putEncoded(p.RawBody(), masked)
		}
		return true
	})
}

// putEncoded writes data in base64 over what stands in a body, line by line as
// it stood; it leaves alone what is not as long.
func putEncoded(body, data []byte) {
	encoded := base64.StdEncoding.EncodeToString(data)
	var places []int
	for i, c := range body {
		if c > ' ' {
			places = append(places, i)
		}
	}
	if len(places) != len(encoded) {
		return
	}
	for k, i := range places {
		body[i] = encoded[k]
	}
}
