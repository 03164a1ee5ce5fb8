package store

import (
	"bytes"
	"encoding/json"
)

// bodiesIn finds every Body in a record that is JSON, however deep. A record in any other form has none to find.
func bodiesIn(plain []byte) []Body {
	if len(plain) == 0 || plain[0] != '{' && plain[0] != '[' || !bytes.Contains(plain, []byte(`"SHA256":`)) {
		return nil
	}
	return bodiesInJSON(plain, nil)
}

func bodiesInJSON(raw json.RawMessage, found []Body) []Body {
	switch {
	case len(raw) == 0:
	case raw[0] == '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			for _, e := range list {
				found = bodiesInJSON(e, found)
			}
		}
	case raw[0] == '{':
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil {
			break
		}
		if b, ok := asBody(raw, fields); ok {
			return append(found, b)
		}
		for _, e := range fields {
			found = bodiesInJSON(e, found)
		}
	}
	return found
}

func asBody(raw json.RawMessage, fields map[string]json.RawMessage) (b Body, ok bool) {
	for _, name := range []string{"ID", "Key", "Size", "Blob", "SHA256"} {
		if fields[name] == nil {
			return b, false
		}
	}
	return b, json.Unmarshal(raw, &b) == nil && b.ID != 0
}
