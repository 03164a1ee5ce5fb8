package imapd_test

import (
	"sync/atomic"
	"testing"

	"parley/mailflow"
)

// Below the reserve APPEND is refused, and its text read past. What is there can be
// read, marked and moved, for that brings no new bytes: a gesture counts.
func TestT8_Append(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.report("Heap overflow", "text")
	var free atomic.Uint64
	o.base.Reserve = &mailflow.Reserve{Size: 1 << 20, Free: func() (uint64, error) { return free.Load(), nil }, Log: o.base.Log}
	o.open()
	c := o.in("ana", "Intake")
	append20 := `
		C: a APPEND Drafts (\Draft) {20}
		S: + ...
		R: Subject: a draft\r\n\r\n\r\n
		S: a `
	c.talk(append20 + "NO [OVERQUOTA] The disk is full; nothing was changed")
	free.Store(1<<20 + 19)
	c.talk(append20 + `NO [OVERQUOTA] The disk is full; nothing was changed
		C: b STATUS Drafts (MESSAGES)
		S: * STATUS "Drafts" (MESSAGES 0)
		S: b OK ...`)
	c.send(`g COPY 1 "Do/New case"`)
	c.until("g OK")
	free.Store(1<<20 + 20)
	c.talk(append20 + "OK [APPENDUID ... 1] ...")
}
