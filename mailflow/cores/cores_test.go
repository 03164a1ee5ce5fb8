package cores

import (
	"runtime"
	"testing"
)

func TestSpare(t *testing.T) {
	began := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(began)

	t.Setenv("GOMAXPROCS", "1") // whoever says so decides
	Spare()
	if runtime.GOMAXPROCS(0) != began || Count() != began {
		t.Errorf("with GOMAXPROCS: %d places and %d processors, of %d", runtime.GOMAXPROCS(0), Count(), began)
	}
	t.Setenv("GOMAXPROCS", "")
	for range 2 { // once more adds nothing
		Spare()
		if runtime.GOMAXPROCS(0) != began+2 || Count() != began {
			t.Errorf("%d places and %d processors, of %d", runtime.GOMAXPROCS(0), Count(), began)
		}
	}
}
