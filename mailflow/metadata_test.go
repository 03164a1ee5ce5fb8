package mailflow

import (
	"bytes"
	"image"
	"image/jpeg"
	"slices"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// A picture that a coordinator releases to a stage leaves without what tells of
// its maker, and looks the same; the approval shows what leaves. The desk is told,
// and of files that stay as they are, too.
func TestV7_MaterialWithoutMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith("acme")
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	tells := slices.Insert(slices.Clone(plain.Bytes()), 2, []byte("\xff\xe1\x00\x18Exif\x00\x00canaryofmaker999")...)
	pdf := "%PDF-1.7\n/Author (canaryofauthor1)\n"
	w.submits("ana", "details."+id.Lower()+"@"+w.DeskDomain, false, "material", "the details text\n",
		mailtest.File{Name: "IMG_finder.jpg", Type: "image/jpeg", Data: string(tells)}, mailtest.File{Name: "paper.pdf", Type: "application/pdf", Data: pdf},
		mailtest.File{Name: "cut.jpg", Type: "image/jpeg", Data: string(tells[:40])}, mailtest.File{Name: "log.txt", Type: "text/plain", Data: "nothing\n"})
	said := w.words(w.last("Status"))
	for _, want := range []string{"details-1.jpg leaves without the 26 octets", "details-2.pdf is a PDF", "details-3.jpg is not built as its format says"} {
		if !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
			t.Errorf("the desk is not told %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "details-4") || strings.Contains(said, "IMG_finder") {
		t.Errorf("the desk is told\n%s", said)
	}
	w.submits("ana", "acme.details."+id.Lower()+"@"+w.DeskDomain, false, "annex", "for acme\n", mailtest.File{Name: "a.jpg", Type: "image/jpeg", Data: string(tells)})
	w.in(id, "start now")
	w.after(w.Undo)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(3 * cvd.Day)
	got := w.stageMail("acme", "3/4 Details")
	names := 0
	for name, data := range got.Files {
		switch {
		case name == "details-1.jpg" || name == "details-annex-1.jpg":
			if names++; data != plain.String() {
				t.Errorf("%s has %d octets, want %d", name, len(data), plain.Len())
			}
		case name == "details-2.pdf" && data != pdf, name == "details-3.jpg" && data != string(tells[:40]):
			t.Errorf("%s changed", name)
		}
	}
	if names != 2 || len(got.Files) != 7 {
		t.Errorf("acme got %d files", len(got.Files))
	}
}

// What is a proof leaves octet for octet, and the desk is told so.
func TestV7_ProofStays(t *testing.T) {
	t.Parallel()
	exif := "\xff\xd8\xff\xe1\x00\x18Exif\x00\x00canaryofmaker999\xff\xd9"
	w := wording{Material: cvd.Material{Stage: cvd.Proof, Files: []cvd.File{{Name: "proof-1.jpg", Data: []byte(exif)}}}}
	if got := bareFiles(w); string(got[0].Data) != exif {
		t.Errorf("the proof became %q", got[0].Data)
	}
	if got := metadataLines(cvd.Proof, w.Files); len(got) != 1 || !strings.Contains(got[0], "leaves as it is, as files of a proof do, with 26 octets") {
		t.Errorf("the desk is told %q", got)
	}
	w.Stage = cvd.Details
	if got := bareFiles(w); string(got[0].Data) != "\xff\xd8\xff\xd9" || string(w.Files[0].Data) != exif {
		t.Errorf("the file became %q, what is kept %q", got[0].Data, w.Files[0].Data)
	}
	kit := kitLevel{Shared: []wording{w}}
	if got := kit.filesFor("acme"); string(got[0].Data) != "\xff\xd8\xff\xd9" {
		t.Errorf("with the leak kit the file became %q", got[0].Data)
	}
}
