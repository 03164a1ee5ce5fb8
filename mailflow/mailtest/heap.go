package mailtest

import "runtime"

// HeapInUse is what is reachable now, in bytes.
func HeapInUse() int64 {
	runtime.GC()
	runtime.GC() // what a pool held through the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
