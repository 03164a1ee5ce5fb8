package imapd

import "testing"

func TestWithoutSmaller(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{"a SEARCH ALL\r\n", "a SEARCH ALL\r\n"},
		{"a SEARCH SMALLER 10\r\n", "a SEARCH NOT LARGER 9\r\n"},
		{"a UID SEARCH (smaller 1 SEEN)\r\n", "a UID SEARCH (NOT LARGER 0 SEEN)\r\n"},
		{"a SEARCH OR SMALLER 5 SMALLER 0\r\n", "a SEARCH OR NOT LARGER 4 NOT ALL\r\n"},
		{"a SEARCH SUBJECT \"SMALLER 5\" SMALLER 5\r\n", "a SEARCH SUBJECT \"SMALLER 5\" NOT LARGER 4\r\n"},
		{"a SEARCH SUBJECT \"\\\"SMALLER 5\" UNSEEN\r\n", "a SEARCH SUBJECT \"\\\"SMALLER 5\" UNSEEN\r\n"},
		{"a SEARCH SUBJECT \"SMALLER 5\r\n", "a SEARCH SUBJECT \"SMALLER 5\r\n"},
		{"a SEARCH SMALLER\r\n", "a SEARCH SMALLER\r\n"},
		{"a SEARCH SMALLER x\r\n", "a SEARCH SMALLER x\r\n"},
		{"a SEARCH SMALLER 99999999999999999999\r\n", "a SEARCH SMALLER 99999999999999999999\r\n"},
		{"a SEARCH SMALLER", "a SEARCH SMALLER"},
		{"a SEARCH NOTSMALLER 5\r\n", "a SEARCH NOTSMALLER 5\r\n"},
	} {
		if got := string(withoutSmaller([]byte(c.line))); got != c.want {
			t.Errorf("%q: got %q, want %q", c.line, got, c.want)
		}
	}
	for line, want := range map[string]bool{"a SEARCH x": true, "a uid search x": true, "a UID FETCH x": false, "a LOGIN search x": false, "SEARCH": false, "": false} {
		if isSearch([]byte(line)) != want {
			t.Errorf("%q", line)
		}
	}
}

func FuzzWithoutSmaller(f *testing.F) {
	f.Add([]byte("a SEARCH SMALLER 10 (SUBJECT \"SMALLER \\\" 5\" OR SMALLER 0 SEEN)\r\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		once := withoutSmaller(line)
		if twice := withoutSmaller(once); string(twice) != string(once) {
			t.Errorf("%q became %q, then %q", line, once, twice)
		}
		_, _, _ = commandOf(line)
		_ = isSearch(line)
	})
}
