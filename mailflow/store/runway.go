package store

import "os"

// aheadBytes is how much of the runway there is at least when an update begins, as far as the file reaches.
const aheadBytes = 1 << 20

// A runway is what follows the last page of the file, filled with zeros. Where a new page goes over blocks that the file has, its
// fdatasync waits for the data alone; where the file system must find blocks first, as in what a larger size has only promised,
// it waits for the journal of the file system too, several times as long. Nothing is lost with the zeros: no page that counts
// lies there, and where they cannot be written the page that comes there tells.
type runway struct {
	file *os.File
	end  int64 // zeros are written up to here
}

var zeros [aheadBytes]byte

// extend is for who holds the right to write, before any page is written; used is where the pages end.
func (r *runway) extend(used int64) {
	if r.end-used >= aheadBytes {
		return
	}
	info, err := r.file.Stat()
	if err != nil {
		return
	}
	from := max(used, r.end)
	room := min(aheadBytes, info.Size()-from) // bbolt makes the file larger
	if room <= 0 {
		return
	}
	n, _ := r.file.WriteAt(zeros[:room], from)
	r.end = from + int64(n)
}
