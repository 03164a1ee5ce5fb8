package mailflow

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/mailtest"
)

// Whichever side of the stream fails, there is an error and no draft, and the
// other side has ended: stream does not return before.
func TestV5_StreamFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	vendor, err := keyring.Generate("", "psirt@acme.example", keyring.Ed25519, storyStart.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	out := &Outbox{w.Base}
	outer := pgpmime.Outer{From: "a@vdp.example.org", To: "psirt@acme.example"}
	inner := mailtest.Entity("inner", strings.Repeat("see the file\n", 100_000))
	parcelTo := func(to ...*keyring.Certificate) *parcel {
		p := &parcel{Ours: w.Own.now.Load()}
		p.Now, p.Keys.Certificates = storyStart, to
		return p
	}
	blobs := filepath.Join(w.dir, "blobs")
	d, _, err := out.stream(parcelTo(vendor.Certificate()), inner, outer)
	if err != nil {
		t.Fatal(err)
	}
	d.Drop()
	if d, _, err := out.stream(parcelTo(), inner, outer); err == nil || d != nil {
		t.Errorf("sealed to nobody: %v", err)
	}
	bare := append(inner[:len(inner):len(inner)], "\r\n--\n"...) // found to be wrong after most of it was written
	if d, _, err := out.stream(parcelTo(vendor.Certificate()), bare, outer); err == nil || d != nil {
		t.Errorf("sealed what is not in CRLF lines: %v", err)
	}
	if left, err := os.ReadDir(blobs); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.Remove(blobs); err != nil {
		t.Fatal(err)
	}
	if d, _, err := out.stream(parcelTo(vendor.Certificate()), inner, outer); !errors.Is(err, fs.ErrNotExist) || d != nil {
		t.Errorf("without a place for it: %v", err)
	}
}
