package keyring

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"
)

// Every number of octets to fill gives a stream of exactly the size wanted that
// expands to what was put in.
func TestV8_StoredPacketFillsExactly(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, storedMost - 1, storedMost, storedMost + 1, 3 * storedMost} {
		content := bytes.Repeat([]byte{0xa5}, n)
		for more := range 70 {
			size := func(least int64) int64 { return least + int64(more) }
			p, rest, err := nextPacket(storedPacket(content, size))
			if err != nil || len(rest) != 0 || p.tag != tagCompressed || p.body[0] != 1 {
				t.Fatalf("%d and %d: %v", n, more, err)
			}
			stream := bytes.NewReader(p.body[1:])
			got, err := io.ReadAll(flate.NewReader(stream))
			if err != nil || !bytes.Equal(got, content) || stream.Len() != 0 {
				t.Fatalf("%d and %d: %d octets, %d left, %v", n, more, len(got), stream.Len(), err)
			}
		}
	}
	// What is filled up to a class has the size of the class, whatever is in it.
	class := func(n int64) int64 { return (n + 4095) / 4096 * 4096 }
	for n := 3900; n < 4200; n++ {
		p, _, err := nextPacket(storedPacket(make([]byte, n), class))
		if err != nil || len(p.body) != 4096 && len(p.body) != 8192 {
			t.Fatalf("%d octets became %d, %v", n, len(p.body), err)
		}
	}
}
