package message

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
)

// Protect writes a message as the entity that is encrypted with its header inside
// (RFC 9788 section 2.1; the older draft's marking beside it). outer is the header
// in the open, which is recorded field by field as HP-Outer (section 2.2). The
// body keeps its bytes, and so must be in CRLF lines where that matters.
func Protect(root *Part, outer []Field) ([]byte, error) {
	params := maps.Clone(root.Params)
	if params == nil {
		params = map[string]string{}
	}
	params["hp"], params["protected-headers"] = "cipher", "v1"
	kind, err := formatType("Content-Type", root.MediaType, params)
	if err != nil {
		return nil, fmt.Errorf("protect header: %w", err)
	}
	var b bytes.Buffer
	b.Grow(len(root.raw) + 2048)
	for name, value := range root.Header.all() {
		key := strings.ToLower(string(name))
		if key == "content-type" || key == "hp-outer" {
			continue
		}
		if err := keepField(&b, string(name), value); err != nil {
			return nil, fmt.Errorf("protect header: %w", err)
		}
	}
	for _, f := range outer {
		if err := writeField(&b, Field{"HP-Outer", f.Name + ": " + f.Value}); err != nil {
			return nil, fmt.Errorf("protect header: %w", err)
		}
	}
	b.WriteString(kind + "\r\n")
	b.Write(root.RawBody())
	return b.Bytes(), nil
}
