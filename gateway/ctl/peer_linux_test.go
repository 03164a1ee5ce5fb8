package ctl

import "testing"

func TestA3_OnlyOurUserAndRoot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		peer, own uint32
		ok        bool
	}{{1000, 1000, true}, {0, 1000, true}, {1001, 1000, false}, {1000, 0, false}, {0, 0, true}} {
		if err := allowed(c.peer, c.own); (err == nil) != c.ok {
			t.Errorf("peer %d of %d: got %v", c.peer, c.own, err)
		}
	}
}
