package imapd

import "testing"

// Every octet in every place of a word, beside every neighbour that could
// carry into it.
func TestLower(t *testing.T) {
	t.Parallel()
	for length := range 20 {
		for c := range 256 {
			for _, other := range []byte{0, 'A', 'Z', '@', '[', 0x7f, 0x80, 0xff} {
				for at := range length {
					b := make([]byte, length)
					for i := range b {
						b[i] = other
					}
					b[at] = byte(c)
					lower(b)
					for i, got := range b {
						want := other
						if i == at {
							want = byte(c)
						}
						if 'A' <= want && want <= 'Z' {
							want += 'a' - 'A'
						}
						if got != want {
							t.Fatalf("octet %#x among %#x at %d of %d: %d is %#x, want %#x", c, other, at, length, i, got, want)
						}
					}
				}
			}
		}
	}
}
