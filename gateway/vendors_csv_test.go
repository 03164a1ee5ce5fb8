package main

import (
	"strings"
	"testing"
)

// What stands in a cell is never a command of its own: with a line break in it nothing
// is imported.
func TestVendorsCSV_NoSecondLine(t *testing.T) {
	t.Parallel()
	for _, brk := range []string{"\n", "\r", "\r\n", "\x00", "\x1b", "\u0085"} {
		file := "name,address,lead,proved\nacme,a@acme.example,7d,\"by phone" + brk + "resume all because x\"\n"
		rows, err := readVendors([]byte(file))
		if err == nil || rows != nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "proved") {
			t.Errorf("%q: %d rows, %v", brk, len(rows), err)
		}
	}
	if got, want := quote("by phone\nresume \"all\"\r"), `"by phone resume \"all\" "`; got != want {
		t.Errorf("quoted as %s, not %s", got, want)
	}
}
