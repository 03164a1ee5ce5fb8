package config

import (
	"maps"
	"reflect"
	"slices"
)

// Differ lists the keys, in the form "outbound.smarthost", whose values two
// configurations do not share.
func Differ(a, b *Config) []string {
	return differ("", reflect.ValueOf(*a), reflect.ValueOf(*b))
}

func differ(path string, a, b reflect.Value) (keys []string) {
	switch {
	case a.Kind() == reflect.Struct:
		for i := range a.NumField() {
			if tag := a.Type().Field(i).Tag.Get("toml"); tag != "" {
				keys = append(keys, differ(below(path, tag), a.Field(i), b.Field(i))...)
			}
		}
	case a.Kind() == reflect.Map:
		names := map[string]bool{}
		for _, k := range append(a.MapKeys(), b.MapKeys()...) {
			names[k.String()] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			k := reflect.ValueOf(name)
			if x, y := a.MapIndex(k), b.MapIndex(k); !x.IsValid() || !y.IsValid() {
				keys = append(keys, below(path, name))
			} else {
				keys = append(keys, differ(below(path, name), x, y)...)
			}
		}
	case !reflect.DeepEqual(a.Interface(), b.Interface()):
		keys = append(keys, path)
	}
	return keys
}

func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
