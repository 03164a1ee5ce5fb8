package keyring

import (
	"container/list"
	"crypto/sha256"
	"errors"
	"sync"
)

// Cache keeps parsed certificates by the SHA-256 of their bytes, since parsing
// one costs as much as encrypting a mail to it. It is safe for concurrent use.
type Cache struct {
	mu    sync.Mutex
	max   int
	byKey map[[32]byte]*list.Element
	order *list.List // most recently used first
}

type cacheEntry struct {
	key  [32]byte
	cert *Certificate
}

// NewCache returns a cache of at most max certificates; the least recently used
// goes first.
func NewCache(max int) *Cache {
	return &Cache{max: max, byKey: map[[32]byte]*list.Element{}, order: list.New()}
}

// Certificate parses p, which must hold exactly one certificate, or returns what
// it was parsed to before.
func (c *Cache) Certificate(p []byte) (*Certificate, error) {
	key := sha256.Sum256(p)
	if cert := c.get(key); cert != nil {
		return cert, nil
	}
	certs, err := ParseCertificates(p)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 {
		return nil, errors.New("read certificate: there are several")
	}
	c.put(key, certs[0])
	return certs[0], nil
}

func (c *Cache) get(key [32]byte) *Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cacheEntry).cert
}

func (c *Cache) put(key [32]byte, cert *Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; ok || c.max <= 0 {
		return
	}
	for c.order.Len() >= c.max {
		last := c.order.Back()
		delete(c.byKey, last.Value.(*cacheEntry).key)
		c.order.Remove(last)
	}
	c.byKey[key] = c.order.PushFront(&cacheEntry{key, cert})
}
