package auth

import (
	"fmt"
	"testing"
	"time"
)

// The addresses of good logins are known for a month, and so many of them.
func TestM8_KnownAddressesAreBounded(t *testing.T) {
	t.Parallel()
	k, now := newKnown(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range maxKnown {
		k.add(fmt.Sprint(i), now.Add(time.Duration(i)*time.Second))
	}
	k.add("0", now.Add(time.Hour))
	k.add("another", now.Add(time.Hour))
	if len(k.last) != maxKnown || !k.has("another", now) || !k.has("0", now) || k.has("1", now) || !k.has("2", now) {
		t.Errorf("%d are known, or not those that came last", len(k.last))
	}
	if !k.has("0", now.Add(time.Hour+knownFor-1)) || k.has("0", now.Add(time.Hour+knownFor)) {
		t.Error("an address is not known for a month")
	}
}
