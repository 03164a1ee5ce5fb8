//go:build !linux

package main

import (
	"errors"
	"fmt"
)

var errNotHere = fmt.Errorf("not on this system: %w", errors.ErrUnsupported)

func freeBytes(string) (uint64, error) { return 0, errNotHere }

func sameDisk(string, string) (bool, error) { return true, nil } // unless somebody knows better

func examineClock() finding {
	return finding{later, "whether the clock is kept right cannot be seen on this system", ""}
}
