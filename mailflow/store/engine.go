package store

import "io"

// An engine keeps ordered buckets of bytes in transactions. It is the one seam between what the store means and where it
// lies: everything above knows only this page; bolt.go and compact.go alone know bbolt. Any number of readers run beside one writer, each
// on the snapshot of its begin.
type engine interface {
	begin(write bool) (engineTx, error)
	// check walks the engine's own structure and tells each fault to problem.
	check(problem func(string)) error
	// compacted returns an engine over the same rows, without most of the space that nothing needs.
	compacted() (engine, error)
	close() error
}

// An engineTx is one transaction of an engine. What get and cursors return must not be changed, and is valid only until the
// transaction ends or writes.
type engineTx interface {
	// get returns nil where bucket or key do not exist.
	get(bucket string, key []byte) []byte
	// put makes the bucket where it is missing. It keeps value, which must not be changed afterwards, and copies key.
	put(bucket string, key, value []byte) error
	// delete of what does not exist is no error.
	delete(bucket string, key []byte) error
	// cursor returns nil where the bucket does not exist.
	cursor(bucket string) cursor
	buckets() []string
	// size is how many bytes copyTo writes: the whole file as the transaction sees it, free pages included.
	size() int64
	copyTo(w io.Writer) error
	// commit is durable when it returns nil. An ErrFull left everything as it was; after any other error nothing is known.
	commit() error
	rollback()
}

// A cursor walks one bucket in the order of its keys; a nil key is the end. After a write to the bucket only seek
// may follow.
type cursor interface {
	seek(key []byte) (k, v []byte)
	next() (k, v []byte)
}
