package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// suggest names the key that was probably meant.
func suggest(key []string) string {
	if len(key) == 0 {
		return ""
	}
	word := key[len(key)-1]
	best, distance := "", min(len(word)/2, 3)+1
	for _, k := range siblings(reflect.TypeFor[Config](), key) {
		if n := edits(word, k); n < distance {
			best, distance = k, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// siblings lists the keys that could stand where key does in a t.
func siblings(t reflect.Type, key []string) []string {
	switch t.Kind() {
	case reflect.Slice:
		if len(key) > 1 && strings.Trim(key[0], "0123456789") == "" {
			key = key[1:] // which element
		}
		return siblings(t.Elem(), key)
	case reflect.Map:
		if len(key) > 1 {
			return siblings(t.Elem(), key[1:])
		}
	case reflect.Struct:
		if len(key) == 1 {
			return keys(t)
		}
		if f, ok := field(t, key[0]); ok {
			return siblings(f.Type, key[1:])
		}
	}
	return nil
}

func field(t reflect.Type, key string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if f.Tag.Get("toml") == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// keys lists the keys of the table that is read into a t.
func keys(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if k := f.Tag.Get("toml"); k != "" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
