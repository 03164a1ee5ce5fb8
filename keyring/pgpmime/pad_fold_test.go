package pgpmime

import (
	"strings"
	"testing"
)

// A field of many lines is taken at once: each line once was put behind a copy of
// all before it. No parallel test, since allocations are counted.
func TestP7_HeaderOfManyFolds(t *testing.T) {
	long := "References: <a@b>\r\n" + strings.Repeat(" \r\n", 50_000)
	entity := []byte("Subject: x\r\n" + long + "Content-Type: text/plain\r\n\r\nbody")
	var h header
	var err error
	if n := testing.AllocsPerRun(1, func() { h, err = splitHeader(entity) }); n > 100 {
		t.Errorf("%v allocations", n)
	}
	if err != nil || len(h.fields) != 3 || h.fields[1] != long || h.get("Content-Type") != "text/plain" {
		t.Errorf("%d fields, %v", len(h.fields), err)
	}
	for _, bad := range []string{"", "Subject: x", "Subject: x\r\n", " folded: x\r\n\r\n", "Subject: x\r\nno name\r\n\r\n", "a\r\n b: c\r\n\r\n", "Subject: x\r\n y"} {
		if h, err := splitHeader([]byte(bad)); err == nil {
			t.Errorf("%q has the fields %q", bad, h.fields)
		}
	}
}
