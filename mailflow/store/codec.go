package store

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
)

// encode makes the bytes of a value: a []byte as it is, a BinaryMarshaler by itself, anything else as JSON.
func encode[V any](v V) ([]byte, error) {
	switch x := any(v).(type) {
	case []byte:
		return x, nil
	case encoding.BinaryMarshaler:
		return x.MarshalBinary()
	}
	return json.Marshal(v)
}

// decode undoes encode. It keeps nothing of plain.
func decode[V any](plain []byte) (v V, err error) {
	switch x := any(&v).(type) {
	case *[]byte:
		*x = bytes.Clone(plain)
	case encoding.BinaryUnmarshaler:
		err = x.UnmarshalBinary(plain)
	default:
		if json.Unmarshal(plain, &v) != nil {
			err = errors.New("a record does not have the form its table expects") // json's own text could quote it
		}
	}
	return v, err
}
