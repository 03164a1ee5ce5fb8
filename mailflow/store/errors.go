package store

import (
	"errors"
	"fmt"
	"runtime"
)

// The errors a caller may tell apart with errors.Is. None of their texts holds anything that was stored.
var (
	// ErrNotFound says that no record, body or scope of that name exists.
	ErrNotFound = errors.New("not found")
	// ErrExists says that a key of a write-once table, or a store, is there already.
	ErrExists = errors.New("exists already")
	// ErrTampered says that stored bytes do not open where they stand: damaged, moved, replaced by an older version, or removed.
	ErrTampered = errors.New("stored bytes do not open: damaged, moved or replaced by an older version")
	// ErrShredded says that the key of the record's scope was destroyed on purpose.
	ErrShredded = errors.New("shredded")
	// ErrUnlock says that the credential is not the one the store was made with.
	ErrUnlock = errors.New("the credential does not open this store")
	// ErrInUse says that another process has the store open.
	ErrInUse = errors.New("in use by another process")
	// ErrNewer says that a newer program wrote the store. Nothing of it was changed.
	ErrNewer = errors.New("a newer version of this program wrote it")
	// ErrFull says that the disk is full. Nothing of the update was kept, and the store goes on.
	ErrFull = errors.New("no space left for the store")
	// ErrBroken says that a write or fsync failed. What reached the disk is unknown, so every later View and Update
	// fails too, until the process ends and Open looks at what is really there (T1).
	ErrBroken = errors.New("the store failed to write and stays closed until a restart")
	// ErrClosed says that the store was closed, or that a transaction was used after its end.
	ErrClosed = errors.New("the store is closed")
)

var (
	errReadOnly = errors.New("a View, or a store that was opened to be read only, cannot write")
	errExited   = errors.New("the update function ended its goroutine")
)

// First is the error of an update function that needs something done before it can go on, which takes too long to let all other
// writers wait for it. Nothing of its update is kept; Update calls Do when it holds nothing up, and runs the function anew,
// or returns the error of Do. Each Do must bring it nearer to its end.
type First struct{ Do func() error }

func (*First) Error() string { return "something must be done before this update" }

// A PanicError is what Update returns when its function panicked. Its text holds the panic's value only where the Go
// runtime made it: anything else could carry what a case holds into a log (H6).
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	if r, ok := e.Value.(runtime.Error); ok {
		return "update function panicked: " + r.Error()
	}
	return fmt.Sprintf("update function panicked with a %T", e.Value)
}
