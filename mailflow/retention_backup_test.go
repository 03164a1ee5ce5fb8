package mailflow

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// putBack makes a backup of the store, and goes on with a new store that is made of it.
func (w *world) putBack() {
	w.t.Helper()
	type file struct {
		name string
		data []byte
	}
	var files []file
	_, err := w.Store.Backup(context.Background(), func(name string, _ int64, content func(io.Writer) error) error {
		var b bytes.Buffer
		err := content(&b)
		files = append(files, file{name, b.Bytes()})
		return err
	})
	w.must(err)
	w.must(w.Store.Close())
	w.dir = w.t.TempDir() + "/restored"
	w.must(store.Restore(w.dir, w.unlock, func() (string, io.Reader, error) {
		if len(files) == 0 {
			return "", nil, io.EOF
		}
		f := files[0]
		files = files[1:]
		return f.name, bytes.NewReader(f.data), nil
	}))
	retention := w.Retention
	w.open()
	w.Retention = retention
	w.must(w.Restored(Backup{At: w.clock.Now(), File: "week-9.age", SHA256: "abcd", Size: 7}))
	w.settle()
}

// What is to be asked about, and until when a case is kept, comes back with a backup: the
// desk is asked at the same times, and nothing is destroyed by that.
func TestH7_RestoredAsksInTime(t *testing.T) {
	t.Parallel()
	w := ages(t, 5)
	ids := w.closed("First flaw", "Second flaw")
	w.days(2)
	w.as(anaByMail, "keep "+string(ids[1])+" for 20d")
	w.putBack()
	w.do("sending resume")
	asks := func(days int, about ...cvd.CaseID) {
		t.Helper()
		w.days(days)
		got := w.asked()
		if len(got) != len(about) {
			t.Fatalf("asked %q", got)
		}
		for i, id := range about {
			if !strings.Contains(got[i], "shred "+string(id)) || strings.Count(got[i], "shred ") != 1 {
				t.Errorf("asked %q, not about %s alone", got[i], id)
			}
		}
	}
	asks(2)
	asks(1, ids[0])
	w.as(anaByMail, "keep "+string(ids[0])+" for 365d")
	asks(16)
	asks(1, ids[1])
	w.days(30)
	for _, id := range ids {
		if c, r := w.caseNow(id), w.shredOf(id); c.Closed.IsZero() || r.pending() || r.gone() {
			t.Errorf("%s: %+v, %+v", id, c, r)
		}
	}
	w.whole()
}
