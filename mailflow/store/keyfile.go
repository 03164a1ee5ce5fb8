package store

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// The key file holds every key of the store, sealed under a master key, which is wrapped by the credential: one line of
// JSON, then the sealed keys. It is rewritten whole at each change, so that a dropped key is gone from it (H3).
type keyHead struct {
	Format string `json:"format"`
	Method string `json:"method"`
	Salt   []byte `json:"salt"`
	Cost   int    `json:"cost,omitempty"` // scrypt's N
	Master []byte `json:"master"`         // the master key, sealed under what the credential derives
}

const (
	keyFormat = "parley keys 1"
	keyLimit  = 256 << 20 // bytes of key file believed: some million scopes
)

// A keyVault writes the key file. It keeps the master key, which every rewriting needs; the credential it forgets.
type keyVault struct {
	path   string
	head   keyHead
	master *scopeKey
}

// newVault makes a master key and wraps it; cost is scrypt's N, for a passphrase. Nothing is written yet.
func newVault(path string, u Unlock, cost int) (*keyVault, error) {
	if err := u.check(); err != nil {
		return nil, err
	}
	v := &keyVault{path: path, head: keyHead{Format: keyFormat, Method: u.method, Salt: make([]byte, saltBytes)}}
	_, _ = rand.Read(v.head.Salt)
	if u.method == wrapPassphrase {
		v.head.Cost = cost
	}
	wrap, err := v.head.wrapping(u)
	if err != nil {
		return nil, err
	}
	key := newKey()
	if v.master, err = newScopeKey(0, "", key); err != nil {
		return nil, err
	}
	v.head.Master = wrap.seal(v.head.bind(), key)
	return v, nil
}

// openVault reads the key file. keys is what keySet.marshal wrote.
func openVault(path string, u Unlock) (v *keyVault, keys []byte, err error) {
	head, sealed, err := readKeyFile(path)
	if err != nil {
		return nil, nil, err
	}
	if err := u.check(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnlock, err)
	}
	if u.method != head.Method {
		return nil, nil, fmt.Errorf("%w: it was made with %s, not %s", ErrUnlock, methodWords(head.Method), methodWords(u.method))
	}
	wrap, err := head.wrapping(u)
	if err != nil {
		return nil, nil, err
	}
	key, err := wrap.open(nil, head.bind(), head.Master)
	if err != nil {
		return nil, nil, ErrUnlock
	}
	v = &keyVault{path: path, head: head}
	if v.master, err = newScopeKey(0, "", key); err != nil {
		return nil, nil, err
	}
	plain, err := v.master.open(nil, head.bindKeys(), sealed)
	if err != nil {
		return nil, nil, fmt.Errorf("read key file: %w", err)
	}
	return v, plain, nil
}

// readKeyFile returns the head and the sealed keys.
func readKeyFile(path string) (head keyHead, sealed []byte, err error) {
	data, err := readLimited(path, keyLimit)
	if err != nil {
		return head, nil, err
	}
	line, sealed, _ := bytes.Cut(data, []byte("\n"))
	if json.Unmarshal(line, &head) != nil || !strings.HasPrefix(head.Format, "parley keys ") {
		return head, nil, errors.New("the key file is damaged")
	}
	if head.Format != keyFormat {
		return head, nil, fmt.Errorf("the key file is of a version this program does not know (%q)", head.Format)
	}
	if len(head.Master) < sealOverhead || len(sealed) < sealOverhead ||
		head.Method == wrapPassphrase && (head.Cost < 2 || head.Cost > scryptMost) {
		return head, nil, errors.New("the key file is damaged")
	}
	return head, sealed, nil
}

func methodWords(method string) string {
	if method == wrapPassphrase {
		return "a passphrase"
	}
	return "a key"
}

func (h keyHead) wrapping(u Unlock) (*scopeKey, error) {
	key, err := u.derive(h.Salt, h.Cost)
	if err != nil {
		return nil, fmt.Errorf("derive from the credential: %w", err)
	}
	return newScopeKey(0, "", key)
}

// bind is the associated data of the wrapped master key: how it is wrapped.
func (h keyHead) bind() []byte {
	return fmt.Appendf(nil, "%s master %s %x %d", h.Format, h.Method, h.Salt, h.Cost)
}

// bindKeys is the associated data of the sealed list: the master key it goes with.
func (h keyHead) bindKeys() []byte { return fmt.Appendf(nil, "%s keys %x", h.Format, h.Master) }

// save rewrites the key file and returns when that is durable.
func (v *keyVault) save(ks *keySet) error {
	keys := ks.marshal()
	defer clear(keys)
	return v.write(keys)
}

// write is save of keys that keySet.marshal wrote.
func (v *keyVault) write(keys []byte) error {
	line, err := json.Marshal(v.head)
	if err != nil {
		return err
	}
	sealed := v.master.seal(v.head.bindKeys(), keys)
	return replaceFile(v.path, slices.Concat(line, []byte("\n"), sealed))
}

// readLimited reads a file that has no business being larger than limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}
