package faults

// inject says what happens at the at-th of some system calls: "kill", or the name of an error, with + from there on.
type inject struct {
	calls []string
	at    int
	do    string
}

// visible are the calls whose effect somebody else sees, or that let the program see others: between two of them a kill makes
// no difference.
var visible = []string{"read", "write", "pwrite64", "writev", "close", "fsync", "fdatasync", "ftruncate", "openat", "rename", "renameat", "renameat2",
	"unlink", "unlinkat", "accept4", "connect", "socket", "sendto", "sendmsg", "recvfrom", "shutdown"}

var syncs = []string{"fsync", "fdatasync"}
